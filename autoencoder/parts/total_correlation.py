"""A penalty for code units that say the same: the total correlation of the codes."""

from __future__ import annotations

import math
from typing import Any

from sklearn.base import BaseEstimator

from minigrad import exp, log, logsumexp, maximum, reshape
from minigrad.whole_batch import gathered


class TotalCorrelation(BaseEstimator):
    """``weight * KL(q(z) || prod_j q(z_j))``: how far the code units are from independent.

    The divergence of a Gaussian code is the mutual information of data and code, plus the total
    correlation, plus the units' own divergences from N(0, 1). A penalty of weight beta - 1 gives
    the beta-TC-VAE (R. Chen et al., "Isolating sources of disentanglement in variational
    autoencoders", 2018), which weighs the total correlation with beta and the rest with 1.

    q(z) is estimated by the mixture of the batch's own distributions: exact where the batch is all
    of the data. The minibatch-weighted estimate of the paper is larger by (k - 1) log N for N rows
    of data, a constant without any gradient.

    Parameters
    ----------
    weight : float, default=5.0
        beta - 1.

    Examples
    --------
    >>> import numpy as np
    >>> from autoencoder import VariationalAutoencoder
    >>> X = np.random.default_rng(0).normal(size=(60, 8))
    >>> penalty = TotalCorrelation(weight=3.0)
    >>> model = VariationalAutoencoder(2, penalty=penalty, max_epochs=2, random_state=0).fit(X)
    >>> len(model.history_["total_correlation"])
    2
    """

    name = "total_correlation"

    def __init__(self, weight: float = 5.0) -> None:
        self.weight = weight

    def check(self, code: Any) -> None:
        """Raise ValueError for a code that is no distribution."""
        if not hasattr(code, "log_variance"):
            raise ValueError(
                f"TotalCorrelation: it is that of distributions, got {code!r}: use code='gaussian'"
            )

    def __call__(self, batch: Any) -> Any:
        self.check(batch.code)
        mean, log_variance = batch.code.mean(batch.h), batch.code.log_variance(batch.h)
        given = batch.z, mean, log_variance, batch.weight
        z, mean, log_variance, weight = map(gathered, given)
        _, correlation, _ = divergence_in_parts(z, mean, log_variance, weight)
        if weight is not None:
            correlation = correlation * weight
        return float(self.weight) * correlation.mean()


def divergence_in_parts(z, mean, log_variance, weight=None):
    """The three parts of log q(z | x) - log p(z) of one draw `z` for each row, all arrays (N, k).

    They are estimates, (N,) each, of mutual information, total correlation and the units'
    divergences. Rows count by their `weight` (N,) in q(z).
    """
    n, k = z.shape
    d = reshape(z, (n, 1, k)) - reshape(mean, (1, n, k))  # of draw i from the mean of row j
    v = reshape(log_variance, (1, n, k))
    logs = (d * d * exp(-v) + v + math.log(2 * math.pi)) / -2  # (N, N, k): log q(z_i | x_j)
    share = -math.log(n)
    if weight is not None:
        share = log(maximum(weight, 1e-30) / maximum(weight.sum(), 1e-30))  # (N,)
    joint = logsumexp(logs.sum(axis=2) + share, axis=1)  # (N,): log q(z)
    columns = share if weight is None else reshape(share, (1, n, 1))
    alone = logsumexp(logs + columns, axis=1).sum(axis=1)  # (N,): of q(z_1) q(z_2) ...
    own = z - mean
    conditional = (own * own * exp(-log_variance) + log_variance).sum(axis=1) / -2
    constant = k / 2 * math.log(2 * math.pi)
    prior = (z * z).sum(axis=1) / -2 - constant
    return conditional - constant - joint, joint - alone, alone - prior
