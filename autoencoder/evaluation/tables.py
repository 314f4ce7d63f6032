"""A model of a table beside what needs no network: the means of the columns, and PCA."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.backend import Array

from ..rows import blocks, column_means, packed
from ..scaling import Scaling
from .baselines import ROWS, principal_components


def evaluate_table(
    model: Any, X_train: Array, X_test: Array
) -> dict[str, dict[str, dict[str, float]]]:
    """Mean squared errors in squared standard deviations: "rows" -> row -> "MSE" -> number.

    Every column counts alike, and has mean 0 and variance 1 on `X_train` (N, D). `X_test` (M, D) is
    scored by its numbers that are known. PCA, which needs all numbers of a row, is there where
    no test row lacks one, and learns from the whole rows of `X_train`.

    >>> from autoencoder import Autoencoder
    >>> X = np.random.default_rng(0).normal(size=(50, 3)) * [1, 10, 100]
    >>> model = Autoencoder(1, max_epochs=1, random_state=0).fit(X)
    >>> list(evaluate_table(model, X, X)["rows"])
    ['model', 'PCA 1', 'means of the columns']
    """
    scaling = Scaling.of(packed(X_train, column_means(X_train)))
    k = model.transform(X_test[:1]).shape[1]
    ways = {"model": lambda x: scaling.apply(model.reconstruct(x))}
    whole = X_train[~np.isnan(X_train).any(axis=1)]
    if len(whole) and not np.isnan(X_test).any():
        pca = principal_components(scaling.apply(whole), min(k, X_train.shape[1]))
        ways[f"PCA {len(pca.directions)}"] = lambda x: pca.reconstruct(scaling.apply(x))
    ways["means of the columns"] = lambda x: np.zeros_like(x)
    return {"rows": {name: {"MSE": _error(scaling, X_test, way)} for name, way in ways.items()}}


def _error(scaling, X, way):
    total, count = 0.0, 0
    for x, *_ in blocks(X, ROWS):
        squares = np.square(way(x) - scaling.apply(x), dtype=np.float64)
        known = ~np.isnan(x)
        total, count = total + squares[known].sum(), count + known.sum()
    return float(total / max(count, 1))
