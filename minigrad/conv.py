"""Convolution, its transpose and its weight gradient: three faces of one form.

For images x, kernel w and output y the sum

    T(x, w, y) = sum over n, p, q, i, j, c, f of
                 x[n, p s + i d, q s + j d, c] w[i, j, c, f] y[n, p, q, f]

(s the stride, d the dilation) is linear in each of its three arguments. Leaving one of them out
gives the three operations of this file, each the adjoint of the others in its own argument::

    <conv_y(x, w), y> = <conv_x(y, w), x> = <conv_w(x, y), w> = T(x, w, y)

`conv_y` is what deep learning calls convolution (no flip of the kernel: signal processing's
correlation), `conv_x` the transposed convolution and `conv_w` the weight gradient. The VJPs of
each are the other two with the same `Geometry`, so derivatives of every order exist.

Layout: images NHWC, kernels ``(height, width, in, out)``, read by the transposed convolution as
``(height, width, out, in)``: it is the exact adjoint of `conv2d` with the same kernel, as in
TensorFlow. Source: V. Dumoulin and F. Visin, "A guide to convolution arithmetic for deep
learning", 2016.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from .backend import Array, array_module
from .engine import primitive

Pair: TypeAlias = tuple[int, int]  # (height, width)
Pads: TypeAlias = tuple[Pair, Pair]  # ((top, bottom), (left, right))
Padding: TypeAlias = "str | int | Sequence[Sequence[int]]"

_BLOCK = 1 << 20  # elements of the patch matrix worked on at a time: 4 MB of float32


@dataclass(frozen=True)
class Geometry:
    """Where the windows of a convolution lie. Pairs are (height, width).

    >>> Geometry.of((32, 32), (3, 3), stride=2, padding="same")  # TensorFlow: pads at the end
    Geometry(size=(32, 32), kernel=(3, 3), out=(16, 16), stride=(2, 2), pads=((0, 1), (0, 1)), \
dilation=(1, 1), groups=1)
    """

    size: Pair  # of the image x
    kernel: Pair
    out: Pair  # of the output y
    stride: Pair
    pads: Pads
    dilation: Pair
    groups: int

    @staticmethod
    @functools.lru_cache(1024)
    def of(
        size: Pair,
        kernel: Pair,
        stride: int | Pair = 1,
        padding: Padding = "same",
        dilation: int | Pair = 1,
        groups: int = 1,
        operation: str = "conv2d",
    ) -> Geometry:
        """The geometry of a convolution of images of `size`, or ValueError where there is none.

        `padding`: "same" (TensorFlow's rule, output ``ceil(size / stride)``, the odd pixel goes at
        the end), "valid" (none), an int, or ``((top, bottom), (left, right))``.
        """
        stride = pair(stride, "stride", 1, operation)
        dilation = pair(dilation, "dilation", 1, operation)
        extent = tuple((k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True))
        if padding == "same":
            pads = tuple(
                (total // 2, total - total // 2)
                for n, e, s in zip(size, extent, stride, strict=True)
                for total in [max((math.ceil(n / s) - 1) * s + e - n, 0)]
            )
        else:
            pads = pads_of(padding, operation)
        if any(sum(p) + n < e for p, n, e in zip(pads, size, extent, strict=True)):
            raise ValueError(
                f"{operation}: a kernel of {kernel} with dilation {dilation} covers {extent} "
                f"pixels, more than the image of {size} with padding {pads}: "
                'use a smaller kernel or dilation, more padding, or padding="same"'
            )
        out = tuple(
            (n + sum(p) - e) // s + 1 for n, p, e, s in zip(size, pads, extent, stride, strict=True)
        )
        return Geometry(tuple(size), tuple(kernel), out, stride, pads, dilation, groups)  # type: ignore[arg-type]

    def padded(self, x: Array) -> Array:
        """Images with zeros around them: (N, H, W, C) -> (N, top + H + bottom, ..., C)."""
        (top, bottom), (left, right) = self.pads
        if not (top or bottom or left or right):
            return x
        n, h, w, c = x.shape
        out = array_module(x).zeros((n, top + h + bottom, left + w + right, c), x.dtype)
        out[:, top : top + h, left : left + w] = x
        return out

    def taps(self) -> Iterator[tuple[int, int, tuple[slice, slice, slice]]]:
        """For each kernel element (i, j) the padded pixels that it meets, as an index."""
        (p, q), (s, t), (d, e) = self.out, self.stride, self.dilation
        for i in range(self.kernel[0]):
            for j in range(self.kernel[1]):
                rows = slice(i * d, i * d + s * (p - 1) + 1, s)
                yield i, j, (slice(None), rows, slice(j * e, j * e + t * (q - 1) + 1, t))

    def patches(self, padded: Array) -> Array:
        """The window under every output pixel: (N, H', W', C) -> (N * P * Q, kh * kw * C)."""
        n, c = padded.shape[0], padded.shape[3]
        sn, sh, sw, sc = padded.strides
        (s, t), (d, e) = self.stride, self.dilation
        windows = array_module(padded).lib.stride_tricks.as_strided(
            padded,
            (n, *self.out, *self.kernel, c),  # (N, P, Q, kh, kw, C), no copy
            (sn, s * sh, t * sw, d * sh, e * sw, sc),
        )
        return windows.reshape(n * math.prod(self.out), -1)  # the one copy, in product order

    def blocks(self, n: int, channels: int) -> list[slice]:
        """Slices of a batch of `n` images whose patch matrices fit the cache."""
        per_image = math.prod(self.out) * math.prod(self.kernel) * channels
        step = max(1, _BLOCK // max(1, per_image))
        return [slice(k, k + step) for k in range(0, n, step)]

    def grouped(self, channels: int) -> list[slice]:
        """Slices of `channels` channels, one for each group."""
        step = channels // self.groups
        return [slice(k * step, (k + 1) * step) for k in range(self.groups)]


# ---------------------------------------------------------------------- the triple
@primitive(
    "images x (N, H, W, C) and a kernel w (kh, kw, C / groups, F)",
    x=lambda g, w, geometry: conv_x(g, w, geometry),
    w=lambda g, x, geometry: conv_w(x, g, geometry),
)
def conv_y(x: Array, w: Array, geometry: Geometry) -> Array:
    """Convolution: T without y. (N, H, W, C), (kh, kw, C / groups, F) -> (N, P, Q, F)."""
    n, f = x.shape[0], w.shape[3]
    y = array_module(x).empty((n, *geometry.out, f), x.dtype)
    pairs = list(zip(geometry.grouped(x.shape[3]), geometry.grouped(f), strict=True))
    for block in geometry.blocks(n, x.shape[3]):
        padded = geometry.padded(x[block])
        for c, k in pairs:
            cols = geometry.patches(padded[..., c])  # (n * P * Q, kh * kw * C)
            y[block, ..., k] = (cols @ w[..., k].reshape(cols.shape[1], -1)).reshape(
                -1, *geometry.out, k.stop - k.start
            )
    return y


@primitive(
    "outputs y (N, P, Q, F) and a kernel w (kh, kw, C / groups, F)",
    y=lambda g, w, geometry: conv_y(g, w, geometry),
    w=lambda g, y, geometry: conv_w(g, y, geometry),
)
def conv_x(y: Array, w: Array, geometry: Geometry) -> Array:
    """Transposed convolution: T without x. (N, P, Q, F), (kh, kw, C / groups, F) -> (N, H, W, C)"""
    n, f, channels = y.shape[0], y.shape[3], w.shape[2] * geometry.groups
    (top, bottom), (left, right) = geometry.pads
    h, v = geometry.size
    x = array_module(y).empty((n, h, v, channels), y.dtype)
    pairs = list(zip(geometry.grouped(channels), geometry.grouped(f), strict=True))
    for block in geometry.blocks(n, channels):
        rows = y[block].shape[0]
        padded = array_module(y).zeros(
            (rows, top + h + bottom, left + v + right, channels), y.dtype
        )
        for c, k in pairs:
            kernel = w[..., k].reshape(-1, k.stop - k.start)  # (kh * kw * C, F)
            cols = y[block, ..., k].reshape(-1, k.stop - k.start) @ kernel.T
            cols = cols.reshape(rows, *geometry.out, *geometry.kernel, -1)  # (n, P, Q, kh, kw, C)
            for i, j, pixels in geometry.taps():
                padded[(*pixels, c)] += cols[:, :, :, i, j]
        x[block] = padded[:, top : top + h, left : left + v]
    return x


@primitive(
    "images x (N, H, W, C) and outputs y (N, P, Q, F)",
    x=lambda g, y, geometry: conv_x(y, g, geometry),
    y=lambda g, x, geometry: conv_y(x, g, geometry),
)
def conv_w(x: Array, y: Array, geometry: Geometry) -> Array:
    """The weight gradient: T without w. (N, H, W, C), (N, P, Q, F) -> (kh, kw, C / groups, F)."""
    n, f, c = x.shape[0], y.shape[3], x.shape[3] // geometry.groups
    w = array_module(x).zeros((math.prod(geometry.kernel) * c, f), x.dtype)
    pairs = list(zip(geometry.grouped(x.shape[3]), geometry.grouped(f), strict=True))
    for block in geometry.blocks(n, x.shape[3]):
        padded = geometry.padded(x[block])
        for ch, k in pairs:
            cols = geometry.patches(padded[..., ch])  # (n * P * Q, kh * kw * C)
            w[:, k] += cols.T @ y[block, ..., k].reshape(cols.shape[0], -1)
    return w.reshape(*geometry.kernel, c, f)


# ---------------------------------------------------------------------- settings
def key(value: Any) -> Any:
    """Lists as tuples, so that a setting can be looked up."""
    return tuple(map(key, value)) if isinstance(value, list | tuple) else value


def pair(value: Any, name: str, least: int, operation: str = "conv2d") -> Pair:
    """A setting as a (height, width) pair of integers of at least `least`."""
    two = value if isinstance(value, tuple) else (value, value)
    if len(two) != 2 or any(not isinstance(v, int | np.integer) or v < least for v in two):
        raise ValueError(
            f"{operation}: {name} must be an integer of at least {least} or a pair of them, "
            f"got {value!r}"
        )
    return tuple(map(int, two))  # type: ignore[return-value]


def pads_of(padding: Any, operation: str = "conv2d") -> Pads:
    if padding == "valid":
        return (0, 0), (0, 0)
    if isinstance(padding, int | np.integer) and padding >= 0:
        return (int(padding),) * 2, (int(padding),) * 2
    try:
        (top, bottom), (left, right) = padding
        return pair((top, bottom), "padding", 0), pair((left, right), "padding", 0)
    except (TypeError, ValueError):
        raise ValueError(
            f'{operation}: padding must be "same", "valid", an integer of at least 0, or '
            f"((top, bottom), (left, right)), got {padding!r}"
        ) from None
