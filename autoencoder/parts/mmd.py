"""A penalty for codes that are not distributed like the prior: the maximum mean discrepancy."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from minigrad import exp, reshape, tensor
from minigrad.backend import array_module
from minigrad.functional import check_rng
from minigrad.tape import opaque
from minigrad.whole_batch import gathered

from .code import normal_numbers

KERNELS = {  # of squared distances d and a scale c
    "inverse_multiquadratic": lambda d, c: c / (c + d),
    "rbf": lambda d, c: exp(d * (-1 / c)),
}


class MMDPenalty(BaseEstimator):
    """``weight * MMD**2`` between the codes of a batch and as many draws from N(0, I).

    With ``code="linear"`` it makes a Wasserstein autoencoder (I. Tolstikhin et al., 2018), beside
    a Gaussian code an InfoVAE (S. Zhao et al., 2019). New data are then
    ``sample(n, prior="standard_normal")``.

    Parameters
    ----------
    weight : float or "auto", default="auto"
        "auto" is the number of features: the reconstruction is a sum over those, and the
        discrepancy never more than 2.
    kernel : {"inverse_multiquadratic", "rbf"}, default="inverse_multiquadratic"
        ``c / (c + |z - z'|**2)`` or ``exp(-|z - z'|**2 / c)``, where c = 2k is the expected squared
        distance of two draws from the prior. The estimate is unbiased, so it can be below 0 (A.
        Gretton et al., "A kernel two-sample test", 2012, equation 3).

    Examples
    --------
    >>> from autoencoder import Autoencoder
    >>> X = np.random.default_rng(0).normal(size=(60, 8))
    >>> model = Autoencoder(2, penalty="mmd", max_epochs=2, random_state=0).fit(X)
    >>> sorted(model.history_)[-1], model.sample(3, prior="standard_normal").shape
    ('reconstruction', (3, 8))
    """

    name = "mmd"

    usual_weight = "auto"

    def __init__(
        self, weight: float | str = "auto", kernel: str = "inverse_multiquadratic"
    ) -> None:
        self.weight = weight
        self.kernel = kernel

    def check(self, code: Any) -> None:
        """Raise ValueError for an unknown kernel."""
        if not isinstance(self.kernel, str) or self.kernel not in KERNELS:
            names = ", ".join(map(repr, KERNELS))
            raise ValueError(f"MMDPenalty: unknown kernel {self.kernel!r}: use {names}")

    def __call__(self, batch: Any) -> Any:
        self.check(batch.code)
        check_rng("MMDPenalty", batch.rng, or_philox=True)
        z = batch.z  # (N, k)
        p = opaque(normal_numbers, batch.rng, z.shape, z.device, z.dtype)
        weight = batch.n_features if self.weight == "auto" else self.weight
        z, p, each = map(gathered, (z, tensor(p), batch.weight))
        return float(weight) * squared_mmd(z, p, self.kernel, each)


def squared_mmd(z, p, kernel, weight=None):
    """The unbiased estimate of MMD**2 of samples `z` and `p`, (N, k) both; 0 where N is 1.

    Each of the `z` counts by its `weight` (N,); it is 0 where none does.
    """
    n, k = z.shape
    if n < 2 or (weight is not None and not weight.data.sum() > 0):
        return 0 * z.sum()
    xp = array_module(z._data)
    others = 1 - xp.eye(n, dtype=z.dtype)  # (N, N): no point is a pair with itself
    pairs, each = others, xp.full(n, 1 / n, z.dtype)
    if weight is not None:
        each = weight.data / weight.data.sum()
        pairs = each[:, None] * each * others
    pairs = pairs / xp.maximum(pairs.sum(), np.finfo(z.dtype).tiny)

    def of(a, b):
        """The kernel of all pairs, (N, N)."""
        squares = [reshape((c * c).sum(axis=1), s) for c, s in ((a, (-1, 1)), (b, (1, -1)))]
        return KERNELS[kernel](squares[0] + squares[1] - 2 * (a @ b.T), 2 * k)

    within = (of(z, z) * pairs).sum() + (of(p, p) * others).sum() / (n * (n - 1))
    return within - 2 * (of(z, p) * each[:, None]).sum() / n
