"""The fitted numbers of a model: how large they are, and whether they are still the same."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from minigrad.backend import to_numpy
from minigrad.module import Module


def parameter_bytes(model: Any) -> int:
    """The size of a fitted model in bytes: its parameters as they are in memory.

    Counted are the parameters of a `minigrad` Module (or of the one in an estimator's `network_`),
    the steps of a Pipeline, and the fitted arrays of another scikit-learn estimator, of which a
    receiver may not need all.

    Parameters
    ----------
    model : Module or fitted estimator

    Returns
    -------
    int

    Examples
    --------
    >>> from sklearn.decomposition import PCA
    >>> pca = PCA(2).fit(np.eye(5))
    >>> parameter_bytes(pca) - pca.components_.nbytes - pca.mean_.nbytes  # three spectra
    48
    """
    return sum(array.nbytes for array in _arrays(model, Module.named_parameters).values())


def weights_crc32(model):
    """A checksum of all fitted numbers of a model, by which a codec knows it again.

    >>> from sklearn.decomposition import PCA
    >>> pca, other = (PCA(2).fit(np.diag([1.0, 2, 3, 4, last])) for last in (5, 5 + 1e-9))
    >>> weights_crc32(pca) == weights_crc32(other)
    False
    """
    crc = 0
    for name, array in _arrays(model, lambda module: module.state_dict().items()).items():
        array = np.ascontiguousarray(to_numpy(array))
        crc = zlib.crc32(f"{name} {array.dtype.str} {array.shape}".encode(), crc)
        crc = zlib.crc32(array, crc)
    return crc


def _arrays(model, of_module):
    """The fitted arrays of a model by name; `of_module` gives those of a Module, as pairs."""
    model = getattr(model, "network_", model)
    if isinstance(model, Module):
        return {name: getattr(array, "_data", array) for name, array in of_module(model)}
    if isinstance(model, Pipeline):
        steps = [(name, _arrays(step, of_module)) for name, step in model.steps]
        return {f"{step}.{name}": a for step, arrays in steps for name, a in arrays.items()}
    fitted = sorted(vars(model).items())
    return {name: a for name, a in fitted if name[-1] == "_" and isinstance(a, np.ndarray)}
