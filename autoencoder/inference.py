"""What a trained network says about data, block by block, with no graph and nothing drawn per row.

Rows `X` (N, D) and codes that are decoded have the labels of a conditional autoencoder beside them.

Monte-Carlo estimates use **common random numbers**: the same standard normal draws for every row.
Each row's estimate is as unbiased as with draws of its own, but does not depend on the other rows
or on their order, and is the same with every call.
"""

import math
from typing import NamedTuple

import numpy as np

from minigrad import Tensor, no_grad, tensor

from .rows import beside, blocks, element_weights

# Rows far beyond those of the training overflow: their likelihood is 0, its logarithm -inf.
_quiet = np.errstate(over="ignore", invalid="ignore", divide="ignore")

_DRAWS_SEED = 0  # of the common random numbers
_ENOUGH_DRAWS = 4096  # for the mean squared error of a Gaussian code, over all rows
_SMALLEST_VARIANCE = 1e-12


class Model(NamedTuple):
    """A network and what its outputs mean; `variance` (or None) is the Gaussian likelihood's."""

    network: object
    code: object
    likelihood: object
    variance: float | None
    block: int  # how many rows are computed at a time


@_quiet
def encode(model, X):
    """The encoder's outputs h for the rows of `X`: (N, D) -> (N, code.width(k)), an array."""
    return _in_blocks(model.network.encode, model, X)


@_quiet
def codes(model, X):
    """The codes of the rows of `X`, of Gaussian codes the means: (N, D) -> (N, k), an array."""
    return model.code.mean(encode(model, X))


@_quiet
def decode(model, Z):
    """The decoder's outputs t for the codes `Z`: (N, k) -> (N, D), an array."""
    return _in_blocks(model.network.decode, model, Z)


@_quiet
def means(model, Z, scaling=None):
    """The data that the codes `Z` stand for, the likelihood's means: (N, k) -> (N, D), an array.

    They are in the network's units, or, with the `Scaling` that led to these, in their own.
    """
    return _in_blocks(lambda z: block_means(model, z, scaling), model, Z)


def block_means(model, z, scaling=None, labels=None):
    """`means` of codes, a Tensor, in one block, with the labels beside them or by themselves."""
    x = model.likelihood.mean(model.network.decode(z, labels))
    return x if scaling is None else scaling.undo(x)


@no_grad()
def _in_blocks(function, model, X):
    like, outputs, start = model.network.parameters()[0], None, 0
    for x, *_ in blocks(X, model.block):
        y = function(tensor(x, dtype=like.dtype, device=like.device))
        y = y.numpy() if isinstance(y, Tensor) else y
        if outputs is None:
            outputs = np.empty((len(X), *y.shape[1:]), y.dtype)
        outputs[start : start + len(y)] = y
        start += len(y)
    return outputs


@_quiet
def log_prob(model, X):
    """log p(x | decode(code(x))) of every row of `X`: (N, D) -> (N,) float64, in nats."""
    return _log_prob(model, codes(model, X), X)


@_quiet
def elbo(model, X, n_draws):
    """The evidence lower bound of every row of `X`: (N, D) -> (N,) float64, in nats.

    Only the expected log-likelihood is estimated, the divergence is exact.
    """
    h = encode(model, X).astype(np.float64)
    total = np.zeros(len(X))
    for z in draws(model, h, n_draws):
        total += _log_prob(model, z, X)
    values = total / n_draws - model.code.divergence(h)
    return np.where(np.isnan(values), -np.inf, values)


@_quiet
def log_weights(model, X, n_draws):
    """log p(x, z) - log q(z | x) of every row and draw z ~ q: (N, D) -> (n_draws, N) float64.

    The logarithm of the mean of their exponentials is the importance-weighted bound on log p(x)
    (Y. Burda et al., 2016).
    """
    h = encode(model, X).astype(np.float64)
    found = draws(model, h, n_draws)
    return np.stack([_log_prob(model, z, X) + model.code.log_ratio(h, z) for z in found])


@_quiet
def mean_squared_error(model, X):
    """The variance that maximises the Gaussian likelihood of `X` (N, D): its mean squared error.

    For Gaussian codes it is the mean over draws from them, as in the lower bound: as many for each
    row as make some thousands together.
    """
    h = encode(model, X)
    z = [model.code.mean(h)]  # (N, k)
    if hasattr(model.code, "log_variance"):
        rng = np.random.default_rng(_DRAWS_SEED)
        z = [model.code.sample(h, rng) for _ in range(math.ceil(_ENOUGH_DRAWS / len(X)))]
    errors = [_mean_square(model, each, X) for each in z]
    return max(float(np.mean(errors)), _SMALLEST_VARIANCE)


def _mean_square(model, Z, X):
    """The mean of ``(decode(Z) - X)**2`` over what is observed, weighted as `X` (N, D) says."""
    total, count, size = 0.0, 0.0, model.block
    for start, (x, *more) in enumerate(blocks(X, size)):
        x, labels = model.network.split(x)
        outputs = decode(model, beside(Z[start * size : (start + 1) * size], labels))
        squares = np.square(outputs - x, dtype=np.float64)
        weight = element_weights(*more, x.shape)
        total += squares.sum() if weight is None else (weight * squares).sum()
        count += squares.size if weight is None else weight.sum(dtype=np.float64)
    return total / count


def draws(model, h, n_draws):
    """Codes (N, k), all made with the same standard normal draw (k,)."""
    mean, std = model.code.mean(h), np.exp(model.code.log_variance(h) / 2)  # (N, k) each
    for draw in np.random.default_rng(_DRAWS_SEED).standard_normal((n_draws, mean.shape[1])):
        yield mean + std * draw


def _log_prob(model, Z, X):
    values = []
    for start, (x, _, observed) in enumerate(blocks(X, model.block)):
        x, labels = model.network.split(x.astype(np.float64))
        z = beside(Z[start * model.block : (start + 1) * model.block], labels)
        t = decode(model, z).astype(np.float64)  # (n, D)
        if observed is None:
            values.append(model.likelihood.log_prob(t, x, variance=model.variance))
        else:
            each = model.likelihood.elements(t, x, variance=model.variance)  # (n, D)
            values.append(np.where(observed > 0, each, 0).sum(axis=1))
    values = np.concatenate(values)
    return np.where(np.isnan(values), -np.inf, values)


def finite(name, values):
    """The `values`; ValueError where rows were so large that the network's sums overflow."""
    finite = np.concatenate([np.isfinite(v).all(axis=1) for v, *_ in blocks(values, 4096)])
    if not finite.all():
        raise ValueError(
            f"{name}: the numbers of row {finite.argmin()} are so large that {values.dtype} "
            "overflows in the network: scale the data like those of fit"
        )
    return values
