"""Logistic PCA: principal components of logits, with a code of its own for every row.

``X ~ Bernoulli(sigmoid(codes @ axes.T + offset))``. An autoencoder with a linear code, no hidden
layers and a Bernoulli likelihood is the same decoder with a linear encoder; from there, codes and
axes are improved in turn. Each turn maximises a quadratic lower bound of the log-likelihood that
touches it where the parameters are (T. Jaakkola and M. Jordan, 1997; M. Tipping, 1999), so the
likelihood never falls and no step size is needed.
"""

import numpy as np

RIDGE = 1e-2  # of a pixel that is never lit, the logit would go to minus infinity


def fit(X, codes, axes, offset, turns):
    """Better codes (N, k), axes (D, k) and offset (D,) for the rows of `X` (N, D) in [0, 1]."""
    for _ in range(turns):
        codes = improved(X, codes, axes, offset)
        wider = np.hstack([codes, np.ones_like(codes[:, :1])])  # (N, k + 1)
        both = improved(X.T, np.column_stack([axes, offset]), wider, np.zeros_like(X[:, 0]))
        axes, offset = both[:, :-1], both[:, -1]
    return codes, axes, offset


def improved(X, codes, axes, offset):
    """Codes (N, k) under which `X` (N, D) is at least as likely; `offset` is (D,)."""
    logits = codes @ axes.T + offset  # (N, D)
    size = np.maximum(np.abs(logits), 1e-4)
    weight = np.tanh(size / 2) / (2 * size)  # the curvature of the bound
    pairs = (axes[:, :, None] * axes[:, None]).reshape(len(axes), -1)  # (D, k * k)
    k = codes.shape[1]
    curvature = (weight @ pairs).reshape(-1, k, k) + RIDGE * np.eye(k, dtype=X.dtype)
    slope = (X - 0.5 - weight * offset) @ axes  # (N, k)
    return np.linalg.solve(curvature, slope[:, :, None])[:, :, 0]


def log_likelihood(X, codes, axes, offset):
    """What `fit` raises: the sum over all pixels, less the ridge; a float."""
    logits = codes @ axes.T + offset
    total = (X * logits - np.logaddexp(0, logits)).sum(dtype=np.float64)
    squares = sum(np.square(a, dtype=np.float64).sum() for a in (codes, axes, offset))
    return float(total - RIDGE / 2 * squares)
