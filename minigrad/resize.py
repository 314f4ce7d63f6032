"""Bicubic and bilinear resizing, as two matrix products.

Resampling along one axis is linear, so it is a matrix with one row per new pixel. Rows and columns
are resized one after the other, and the derivatives of every order are those of `matmul`.
Source: R. Keys, "Cubic convolution interpolation for digital image processing", 1981.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from .backend import Array, array_module
from .ops import matmul
from .shapes import reshape
from .tensor import T, describe


def resize_bicubic(
    x: T | Array,
    size: int | tuple[int, int],
    *,
    a: float = -0.75,
    half_pixel_centers: bool = True,
    antialias: bool = False,
) -> T:
    """Images `x` (N, H, W, C) resized to `size` (height, width, or one int for both).

    The three rules in use: as given, PyTorch's and OpenCV's, pixels being areas with their centres
    at half integers; ``half_pixel_centers=False``, TensorFlow 1's, where 64 to 32 is exactly
    ``x[:, ::2, ::2]``; ``antialias=True`` (with ``a=-0.5``), Pillow's, which widens the kernel when
    shrinking so that every pixel counts. `a` is the slope of Keys' kernel.

    Parameters
    ----------
    x : Tensor or array (N, H, W, C)
    size : int or (int, int)
    a : float, default=-0.75
    half_pixel_centers : bool, default=True
    antialias : bool, default=False

    Returns
    -------
    Tensor or array (N, height, width, C)

    Examples
    --------
    >>> x = np.arange(16.0).reshape(1, 4, 4, 1)
    >>> resize_bicubic(x, 2, half_pixel_centers=False)[0, ..., 0]
    array([[ 0.,  2.],
           [ 8., 10.]])
    """
    return _resize("resize_bicubic", x, size, (float(a), bool(half_pixel_centers), bool(antialias)))


def resize_bilinear(
    x: T | Array,
    size: int | tuple[int, int],
    *,
    half_pixel_centers: bool = True,
    antialias: bool = False,
) -> T:
    """Images `x` (N, H, W, C) resized to `size` by straight lines between pixels; the rules are
    those of `resize_bicubic`.

    Parameters
    ----------
    x : Tensor or array (N, H, W, C)
    size : int or (int, int)
    half_pixel_centers : bool, default=True
    antialias : bool, default=False

    Returns
    -------
    Tensor or array (N, height, width, C)

    Examples
    --------
    >>> resize_bilinear(np.array([0.0, 4.0]).reshape(1, 1, 2, 1), (1, 4))[0, 0, :, 0]
    array([0., 1., 3., 4.])
    """
    return _resize("resize_bilinear", x, size, (None, bool(half_pixel_centers), bool(antialias)))


def _resize(name: str, x: T | Array, size: Any, rule: tuple[float | None, bool, bool]) -> T:
    if getattr(x, "ndim", 0) != 4:
        raise ValueError(f"{name}: expected images (N, height, width, channels), got {describe(x)}")
    sizes = tuple(size) if isinstance(size, list | tuple) else (size, size)
    n, h, w, c = x.shape
    whole = len(sizes) == 2 and all(isinstance(v, int | np.integer) and v > 0 for v in sizes)
    if not whole or min(h, w) < 1:
        raise ValueError(
            f"{name}: cannot resize {(h, w)} pixels to {size!r}: give a height and a "
            "width, whole numbers above 0"
        )
    height, width = sizes
    xp = array_module(x if not hasattr(x, "_data") else x._data)
    rows = xp.asarray(resize_matrix(h, height, *rule, x.dtype.str))
    columns = xp.asarray(resize_matrix(w, width, *rule, x.dtype.str))
    y = matmul(rows, reshape(x, (n, h, w * c)))  # (height, H) @ (N, H, W * C)
    y = matmul(columns, reshape(y, (n * height, w, c)))  # (width, W) @ (N * height, W, C)
    return reshape(y, (n, height, width, c))


@functools.lru_cache(64)
def resize_matrix(
    old: int, new: int, a: float | None, half_pixel_centers: bool, antialias: bool, dtype: str
) -> Array:
    """The (new, old) matrix that resamples `old` pixels to `new` along one axis: bicubic with slope
    `a`, bilinear if it is None."""
    scale = old / new
    stretch = max(scale, 1.0) if antialias else 1.0
    radius = math.ceil((1 if a is None else 2) * stretch)
    matrix = np.zeros((new, old))
    for i in range(new):
        centre = (i + 0.5) * scale - 0.5 if half_pixel_centers else i * scale
        near = np.arange(math.floor(centre) - radius, math.floor(centre) + radius + 2)
        t = np.abs(near - centre) / stretch
        weight = np.maximum(1 - t, 0.0) if a is None else _keys(t, a)
        if antialias:  # pixels beyond the border do not count, the others make up for them
            weight = np.where((near >= 0) & (near < old), weight, 0.0)
            weight /= weight.sum()
        np.add.at(matrix[i], near.clip(0, old - 1), weight)  # else the border pixel is repeated
    matrix.flags.writeable = False
    return matrix.astype(dtype)


def _keys(t: Array, a: float) -> Array:
    """Keys' cubic kernel with slope `a` at 1 for t >= 0: 1 at 0, and 0 at 1, at 2 and beyond."""
    inner = ((a + 2) * t - (a + 3)) * t * t + 1
    outer = a * (((t - 5) * t + 8) * t - 4)
    return np.where(t <= 1, inner, np.where(t < 2, outer, 0.0))
