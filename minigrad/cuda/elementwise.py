"""Elementwise functions and sums on the GPU, each in one launch, and each the same in every run.

What the kernels do not take (float64, operands that broadcast in other ways, sums over other axes)
goes to the reference.
"""

import functools
import math

import numpy as np

from ..backend import array_module, is_array
from ..engine import override, registry
from ..fused import slope_kernels
from .launch import blocks, launch, launcher, multiprocessors
from .pointers import ACTIVATIONS, aligned, fits

VARIANTS = {"elementwise": [()], "reductions": [()]}
_THREADS = 512  # in a block of reductions.cu
_WIDEST = 32  # units of a tile there


# ---------------------------------------------------------------------- elementwise
def _elementwise(name, kernel, weak=False):
    """Override primitive `name` by `kernel`. The operands must have one shape; with `weak` the
    first may be a single number, also one that is only spread out by `broadcast_to`."""
    reference = registry[name].forward

    @functools.wraps(reference)
    def forward(*operands):
        full = operands[1:] if weak else operands
        like = full[0]
        if not all(fits(x) and x.shape == like.shape for x in full):
            return reference(*operands)
        arguments = list(full)
        if weak:
            first = operands[0]
            one = _single(first, like)
            if not one and not (fits(first) and first.shape == like.shape):
                return reference(*operands)
            full = full if one else operands
            arguments = [_first_element(first) if one else first, one, *arguments]
        y = array_module(like).empty(like.shape, like.dtype)
        quads = y.size // 4 if aligned(y, *full) else 0
        grid = blocks(y.size - 3 * quads, 256)
        launch("elementwise", kernel, (grid,), (256,), *arguments, y, y.size, quads)
        return y

    override(name, "cuda")(forward)


def _single(x, like):
    """True if `x` holds one number, in one place or spread over the shape of `like`."""
    if not is_array(x) or x.dtype != np.float32:
        return False
    return x.ndim <= like.ndim if x.size == 1 else x.shape == like.shape and not any(x.strides)


def _first_element(x):
    return x[(slice(1),) * x.ndim] if x.ndim else x


_elementwise("gate", "gate", weak=True)
_elementwise("scaled_difference", "scaled_difference", weak=True)
_elementwise("bernoulli_nll_of_logits", "bernoulli_nll")
_elementwise("bernoulli_slope", "bernoulli_slope", weak=True)


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
