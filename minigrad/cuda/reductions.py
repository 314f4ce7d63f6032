"""Sums on the GPU, each in one launch and the same bits in every run (``kernels/reductions.cu``).

What the kernels do not take (float64, sums over other axes than the first ones) goes to the
reference.
"""

import math

import numpy as np

from ..backend import array_module
from ..engine import override, registry
from ..fused import slope_kernels
from .launch import ACTIVATIONS, aligned, blocks, fits, launch, launcher, multiprocessors

VARIANTS = {"reductions": [()]}
_THREADS = 512  # in a block of reductions.cu
_WIDEST = 32  # units of a tile there


# ---------------------------------------------------------------------- sums over the rows
def layer_slope(g, y, activation):
    """The gradient of a layer's output taken back through its activation, and its bias's gradient.

    `g` and `y`, the gradient and the output, are (..., F). Returns (dz, sums): dz is g times the
    activation's derivative, which y tells, or g itself where `activation` is None; sums (F,) is dz
    summed over all axes but the last.
    """
    if not fits(g) or (activation and not (fits(y) and y.shape == g.shape)):
        dz = _slope(g, y, activation)
        return dz, dz.sum(axis=tuple(range(dz.ndim - 1)))
    dz = array_module(g).empty(g.shape, g.dtype) if activation else None
    sums = _columns(g, y if activation else None, dz, g.shape[-1:], activation)
    return g if dz is None else dz, sums


slope_kernels["cuda"] = layer_slope


def _slope(g, y, activation):
    if activation is None:
        return g
    if activation == "relu":
        return registry["gate"].forward(g, y)
    return g * (y * (1 - y)) if activation == "sigmoid" else g * (1 - y * y)


def _columns(g, y, dz, shape, activation=None):
    """The sums (of `shape`) of dz = g slope(y) over the leading axes of g; dz is written unless it
    is None."""
    features = math.prod(shape)
    rows = g.size // features
    xp = array_module(g)
    sums = xp.empty(shape, g.dtype)
    fold = _fold(rows, features) if aligned(g, *(() if dz is None else (y, dz))) else None
    vector = 4 if fold else 1
    rows, width = (rows // fold, features * fold // 4) if fold else (rows, features)
    tiles = blocks(width, _WIDEST)
    tile = blocks(width, tiles)
    tiles = blocks(width, tile)
    # a lane has 4 loads under way at a time: with fewer rows more blocks would not be faster
    most = blocks(rows, _THREADS // tile * 4)
    splits = min(most, max(1, 2 * multiprocessors() // tiles))
    partial = xp.empty(splits * width * vector, g.dtype) if splits > 1 else None
    launch(
        "reductions", f"columns_{vector}", (tiles, splits), (_THREADS,),
        g, y, dz, sums, partial, launcher.tickets(g, tiles), rows, width, tile,
        *([fold] if fold else []), ACTIVATIONS[activation],
    )  # fmt: skip
    return sums


def _fold(rows, features):
    """How many rows side by side make a row of whole float4s, where there is such a number."""
    for fold in (1, 2, 4):
        narrow = fold == 1 or features * fold <= 4 * _WIDEST
        if narrow and features * fold % 4 == 0 and rows % fold == 0:
            return fold
    return None


# ---------------------------------------------------------------------- sums of everything
def _total(kernel, *arrays, shape=()):
    xp, n = array_module(arrays[0]), arrays[0].size
    y = xp.empty(shape, np.float32)
    grid = min(blocks(n, 16 * _THREADS), 2 * multiprocessors(), 512)
    partial = xp.empty(grid, np.float32) if grid > 1 else None
    quads = n // 4 if aligned(*arrays) else 0
    tickets = launcher.tickets(y, 1)
    launch("reductions", kernel, (grid,), (_THREADS,), *arrays, y, partial, tickets, n, quads)
    return y


@override("sum", "cuda")
def _sum(x, axis, keepdims):
    if not fits(x):
        return registry["sum"].forward(x, axis, keepdims)
    axes = range(x.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    axes = sorted(a + x.ndim if a < 0 else a for a in axes)
    if not axes or axes != list(range(len(axes))) or len(axes) > x.ndim:
        return registry["sum"].forward(x, axis, keepdims)
    return _sum_leading(x, x.shape[len(axes) :], (1,) * len(axes) if keepdims else ())


@override("sum_to", "cuda")
def _sum_to(x, shape):
    kept = tuple(shape)
    while kept[:1] == (1,):
        kept = kept[1:]
    lead = x.ndim - len(kept)
    if not fits(x) or len(shape) > x.ndim or lead < 1 or x.shape[lead:] != kept:
        return registry["sum_to"].forward(x, shape)
    return _sum_leading(x, kept, (1,) * (len(shape) - len(kept)))


def _sum_leading(x, kept, ones):
    """The sum over all axes of `x` but the last ones, which have the lengths `kept`."""
    if math.prod(kept) == 1:
        return _total("total", x, shape=ones + kept)
    return _columns(x, None, None, kept).reshape(ones + kept)


@override("squared_distance", "cuda")
def _squared_distance(p, t):
    if not (fits(p) and fits(t) and p.shape == t.shape):
        return registry["squared_distance"].forward(p, t)
    return _total("squared_distance", p, t)


# ---------------------------------------------------------------------- over the batches
def accumulate(total, x, scale):
    """Add ``scale * sum(x)`` to `total` (1,), a float64 array: so the losses of an epoch are added
    up on the GPU, without waiting for it. `x` is a loss, or a few numbers for each example: one
    block of threads does it all, in double."""
    if not fits(x):
        total += float(scale) * x.sum(dtype=np.float64)
        return
    if total.shape != (1,) or total.dtype != np.float64 or not total.flags.c_contiguous:
        raise ValueError(
            f"accumulate: expected a total of shape (1,) and dtype float64, got {total.shape}, "
            f"{total.dtype}: make it with zeros(1, np.float64)"
        )
    value = np.array([(scale,)], dtype=[("value", np.float64)])  # a struct: it stays a double
    launch("reductions", "accumulate", (1,), (_THREADS,), total, x, x.size, value)
