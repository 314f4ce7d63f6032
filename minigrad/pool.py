"""Pooling over windows, and enlarging, which is its adjoint.

A window's pixels are met tap by tap: tap t is the same place in every window. For images x, outputs
y and, where a window takes only one of its pixels, the number of the tap `chosen` for each output,

    P(x, y) = sum over outputs (n, p, q, c) and their taps t (t = chosen[n, p, q, c])
              of x[n, pixel that tap t of window (p, q) meets, c] y[n, p, q, c]

is linear in x and in y. Leaving one of them out gives `pool_y` (the sums over windows, or their
chosen pixels) and `pool_x` (each output back to its pixels), each the VJP of the other. Layout:
images NHWC; the windows are those of `conv.Geometry`, padding never counts.
"""

from __future__ import annotations

import functools
from typing import Any, TypeAlias

import numpy as np

from .backend import Array, array_module
from .conv import Geometry, Padding, Pair, key, pair
from .engine import primitive
from .ops import max as max_over
from .ops import mean
from .resize import resize_bicubic, resize_bilinear
from .tensor import T, Tensor, describe

Tap: TypeAlias = tuple[int, tuple[slice, slice, slice], tuple[slice, slice, slice]]


def max_pool2d(
    x: T | Array,
    size: int | Pair = 2,
    *,
    stride: int | Pair | None = None,
    padding: Padding = "valid",
    dilation: int | Pair = 1,
) -> T:
    """The largest pixel of each window of images (N, H, W, C), channel by channel.

    The gradient goes to the largest pixel, to the first of several.

    Parameters
    ----------
    x : Tensor or array (N, H, W, C)
    size : int or (int, int), default=2
    stride : int or (int, int), default=None
        None: the size.
    padding : {"same", "valid"}, int or ((top, bottom), (left, right)), default="valid"
    dilation : int or (int, int), default=1

    Returns
    -------
    Tensor or array (N, P, Q, C)

    Examples
    --------
    >>> x = np.arange(16.0).reshape(1, 4, 4, 1)
    >>> max_pool2d(x)[0, ..., 0]
    array([[ 5.,  7.],
           [13., 15.]])
    """
    return _max_pool(x, _windows("max_pool2d", x, size, stride, padding, dilation))


def avg_pool2d(
    x: T | Array,
    size: int | Pair = 2,
    *,
    stride: int | Pair | None = None,
    padding: Padding = "valid",
    count_padding: bool = False,
) -> T:
    """The mean of each window of images (N, H, W, C), channel by channel; see `max_pool2d`.

    Only pixels count, as in TensorFlow; with ``count_padding=True`` padding counts as zeros, which
    is PyTorch's default.

    Parameters
    ----------
    x : Tensor or array (N, H, W, C)
    size : int or (int, int), default=2
    stride : int or (int, int), default=None
        None: the size.
    padding : {"same", "valid"}, int or ((top, bottom), (left, right)), default="valid"
    count_padding : bool, default=False

    Returns
    -------
    Tensor or array (N, P, Q, C)

    Examples
    --------
    >>> avg_pool2d(np.arange(16.0).reshape(1, 4, 4, 1))[0, ..., 0]
    array([[ 2.5,  4.5],
           [10.5, 12.5]])
    """
    geometry = _windows("avg_pool2d", x, size, stride, padding)
    sums = pool_y(x, None, geometry)
    if count_padding or geometry.pads == ((0, 0), (0, 0)):
        return sums / (geometry.kernel[0] * geometry.kernel[1])
    down, across = (_pixels(geometry, axis) for axis in (0, 1))
    data = x._data if isinstance(x, Tensor) else x
    return sums / array_module(data).asarray(np.outer(down, across)[..., None], dtype=x.dtype)


def global_avg_pool2d(x: T | Array) -> T:
    """The mean of each channel: images (N, H, W, C) -> (N, C)."""
    return mean(_images("global_avg_pool2d", x), (1, 2))


def global_max_pool2d(x: T | Array) -> T:
    """The maximum of each channel: images (N, H, W, C) -> (N, C). Ties share the gradient, as in
    `max`."""
    return max_over(_images("global_max_pool2d", x), (1, 2))


def upsample2d(x: T | Array, factor: int | Pair = 2, interpolation: str = "nearest") -> T:
    """Images (N, H, W, C) enlarged by a whole `factor`, or one for (height, width).

    `interpolation`: "nearest" repeats each pixel, and is the adjoint of summing over windows of
    `factor` pixels; "bilinear" and "bicubic" are `resize_bilinear` and `resize_bicubic`.

    Parameters
    ----------
    x : Tensor or array (N, H, W, C)
    factor : int or (int, int), default=2
    interpolation : {"nearest", "bilinear", "bicubic"}, default="nearest"

    Returns
    -------
    Tensor or array (N, H * factor, W * factor, C)

    Examples
    --------
    >>> upsample2d(np.array([[1.0, 2.0]]).reshape(1, 1, 2, 1))[0, ..., 0]
    array([[1., 1., 2., 2.],
           [1., 1., 2., 2.]])
    """
    factors = pair(key(factor), "factor", 1, "upsample2d")
    h, w = _images("upsample2d", x).shape[1:3]
    size = (h * factors[0], w * factors[1])
    if interpolation == "nearest":
        return pool_x(x, None, Geometry.of(size, factors, factors, "valid", 1, 1, "upsample2d"))
    if interpolation not in ("bilinear", "bicubic"):
        raise ValueError(
            'upsample2d: interpolation must be "nearest", "bilinear" or "bicubic", '
            f"got {interpolation!r}"
        )
    return (resize_bilinear if interpolation == "bilinear" else resize_bicubic)(x, size)


# ---------------------------------------------------------------------- primitives
@primitive(
    "images x (N, H, W, C) of the geometry's size",
    x=lambda g, y, x, geometry: pool_x(g, _chosen(x, y, geometry), geometry),
)
def _max_pool(x: Array, geometry: Geometry) -> Array:
    y = array_module(x).full((x.shape[0], *geometry.out, x.shape[3]), -np.inf, x.dtype)
    for _, outputs, pixels in _taps(geometry):
        np.maximum(y[outputs], x[pixels], out=y[outputs])
    return y


def _chosen(x: Any, y: Any, geometry: Geometry) -> Array:
    """The number of the tap that each maximum `y` of windows of `x` comes from, the first."""
    x, y = (v._data if isinstance(v, Tensor) else v for v in (x, y))
    chosen = array_module(x).zeros(y.shape, np.int32)
    for t, outputs, pixels in reversed(list(_taps(geometry))):
        hit = (x[pixels] == y[outputs]) | (x[pixels] != x[pixels])  # NaN is the maximum, too
        chosen[outputs] = np.where(hit, np.int32(t), chosen[outputs])
    return chosen


@primitive(
    "images x (N, H, W, C) of the geometry's size",
    x=lambda g, chosen, geometry: pool_x(g, chosen, geometry),
)
def pool_y(x: Array, chosen: Array | None, geometry: Geometry) -> Array:
    """P without y: (N, H, W, C) -> (N, P, Q, C)."""
    y = array_module(x).zeros((x.shape[0], *geometry.out, x.shape[3]), x.dtype)
    for t, outputs, pixels in _taps(geometry):
        part = x[pixels]
        y[outputs] += part if chosen is None else np.where(chosen[outputs] == t, part, 0)
    return y


@primitive(
    "outputs y (N, P, Q, C) of the geometry",
    y=lambda g, chosen, geometry: pool_y(g, chosen, geometry),
)
def pool_x(y: Array, chosen: Array | None, geometry: Geometry) -> Array:
    """P without x: (N, P, Q, C) -> (N, H, W, C)."""
    x = array_module(y).zeros((y.shape[0], *geometry.size, y.shape[3]), y.dtype)
    for t, outputs, pixels in _taps(geometry):
        part = y[outputs]
        x[pixels] += part if chosen is None else np.where(chosen[outputs] == t, part, 0)
    return x


@functools.lru_cache(256)
def _taps(geometry: Geometry) -> list[Tap]:
    """(number, outputs, pixels) of each tap: where it meets a pixel and not the padding."""
    axes = []
    for axis in (0, 1):
        n, p, s = geometry.size[axis], geometry.out[axis], geometry.stride[axis]
        parts = []
        for i in range(geometry.kernel[axis]):  # output o meets pixel o * s + offset
            offset = i * geometry.dilation[axis] - geometry.pads[axis][0]
            first, last = max(0, -(offset // s)), min(p - 1, (n - 1 - offset) // s)
            pixels = slice(first * s + offset, last * s + offset + 1, s)
            parts.append((slice(first, last + 1), pixels) if first <= last else None)
        axes.append(parts)
    rows, columns = axes
    every = slice(None)
    return [
        (i * len(columns) + j, (every, row[0], column[0]), (every, row[1], column[1]))
        for i, row in enumerate(rows)
        for j, column in enumerate(columns)
        if row and column
    ]


def _pixels(geometry: Geometry, axis: int) -> Array:
    """How many pixels the windows hold along `axis`, for each output."""
    offsets = np.arange(geometry.kernel[axis]) * geometry.dilation[axis] - geometry.pads[axis][0]
    places = np.arange(geometry.out[axis])[:, None] * geometry.stride[axis] + offsets
    return ((places >= 0) & (places < geometry.size[axis])).sum(axis=1)


# ---------------------------------------------------------------------- settings
def _windows(
    name: str, x: Any, size: Any, stride: Any, padding: Any, dilation: Any = 1
) -> Geometry:
    _images(name, x)
    kernel = pair(key(size), "size", 1, name)
    stride = kernel if stride is None else key(stride)
    geometry = Geometry.of(x.shape[1:3], kernel, stride, key(padding), key(dilation), 1, name)
    if any(not _pixels(geometry, axis).all() for axis in (0, 1)):
        raise ValueError(
            f"{name}: with padding {geometry.pads} some windows of {kernel} hold no pixel of "
            f"{describe(x)}: use less padding"
        )
    return geometry


def _images(name: str, x: T | Array) -> T | Array:
    if getattr(x, "ndim", 0) != 4:
        raise ValueError(f"{name}: expected images (N, height, width, channels), got {describe(x)}")
    return x
