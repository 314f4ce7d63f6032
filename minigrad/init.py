"""Initial values of weights, drawn on the host from an explicit generator.

Each function takes the shape of a kernel, ``(in, out)`` or ``(height, width, in, out)``, and the
generator. `fans` overrides how many inputs and outputs one unit has, where the shape does not say:
transposed convolutions keep their kernels the other way round.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from .backend import Array
from .tensor import Shape

__all__ = ["fan_in_out", "glorot_normal", "glorot_uniform", "he_normal", "he_uniform", "zeros"]


if TYPE_CHECKING:
    from numpy.typing import DTypeLike

Fans: TypeAlias = "tuple[int, int] | None"  # inputs and outputs of a unit


def glorot_uniform(
    shape: Shape, rng: np.random.Generator, dtype: DTypeLike = np.float32, fans: Fans = None
) -> Array:
    """Uniform within ``sqrt(6 / (fan_in + fan_out))``: keeps the variance of signals through
    sigmoid-like layers (X. Glorot and Y. Bengio, 2010). TensorFlow's and Keras' default.

    Parameters
    ----------
    shape : tuple of ints
    rng : numpy.random.Generator
    dtype : numpy dtype, default=float32
    fans : (int, int), default=None

    Returns
    -------
    array of that shape

    Examples
    --------
    >>> w = glorot_uniform((100, 50), np.random.default_rng(0))
    >>> bool(abs(w).max() <= 0.2), w.dtype
    (True, dtype('float32'))
    """
    limit = math.sqrt(6 / sum(fans or fan_in_out(shape)))
    return rng.uniform(-limit, limit, shape).astype(dtype)


def glorot_normal(
    shape: Shape, rng: np.random.Generator, dtype: DTypeLike = np.float32, fans: Fans = None
) -> Array:
    """Normal with variance ``2 / (fan_in + fan_out)`` (X. Glorot and Y. Bengio, 2010).

    Parameters
    ----------
    shape : tuple of ints
    rng : numpy.random.Generator
    dtype : numpy dtype, default=float32
    fans : (int, int), default=None

    Returns
    -------
    array of that shape
    """
    return rng.normal(0, math.sqrt(2 / sum(fans or fan_in_out(shape))), shape).astype(dtype)


def he_uniform(
    shape: Shape, rng: np.random.Generator, dtype: DTypeLike = np.float32, fans: Fans = None
) -> Array:
    """Uniform within ``sqrt(6 / fan_in)``: for relu layers (K. He et al., 2015).

    Parameters
    ----------
    shape : tuple of ints
    rng : numpy.random.Generator
    dtype : numpy dtype, default=float32
    fans : (int, int), default=None

    Returns
    -------
    array of that shape
    """
    limit = math.sqrt(6 / (fans or fan_in_out(shape))[0])
    return rng.uniform(-limit, limit, shape).astype(dtype)


def he_normal(
    shape: Shape, rng: np.random.Generator, dtype: DTypeLike = np.float32, fans: Fans = None
) -> Array:
    """Normal with variance ``2 / fan_in``: for relu layers (K. He et al., 2015).

    Parameters
    ----------
    shape : tuple of ints
    rng : numpy.random.Generator
    dtype : numpy dtype, default=float32
    fans : (int, int), default=None

    Returns
    -------
    array of that shape
    """
    return rng.normal(0, math.sqrt(2 / (fans or fan_in_out(shape))[0]), shape).astype(dtype)


def zeros(shape: Shape, rng: Any = None, dtype: DTypeLike = np.float32, fans: Fans = None) -> Array:
    """Zeros, for biases.

    Parameters
    ----------
    shape : tuple of ints
    rng : not used
    dtype : numpy dtype, default=float32
    fans : not used

    Returns
    -------
    array of that shape
    """
    return np.zeros(shape, dtype)


initialisers = {
    f.__name__: f for f in (glorot_uniform, glorot_normal, he_uniform, he_normal, zeros)
}


def fan_in_out(shape: Shape) -> tuple[int, int]:
    """How many inputs and outputs a unit of a kernel of `shape` is connected to.

    Parameters
    ----------
    shape : tuple of ints

    Returns
    -------
    fan_in, fan_out : int

    Examples
    --------
    >>> fan_in_out((3, 3, 16, 32))
    (144, 288)
    """
    if len(shape) < 2:
        raise ValueError(f"fans are defined for kernels of 2 or more axes, got shape {shape}")
    window = math.prod(shape[:-2])
    return window * shape[-2], window * shape[-1]
