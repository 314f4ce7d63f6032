"""The matrix product and the dense layer on the GPU: one kernel, one launch (kernels/matmul.cu).

Transposed operands, as the derivatives have them, are read as they lie. How the work is shared out
is decided here: how many rows a block takes, so that a small batch wastes little of a tile, and
into how many parts the contraction is split, so that a small result still employs every
multiprocessor.

What the kernel does not take (float64, batches of matrices, empty arrays, shapes that do not fit)
goes to the reference, which computes it or says what is wrong.
"""

import math

import numpy as np

from ..backend import array_module, is_array
from ..engine import override, registry
from .direct import MOST, is_bias
from .launch import (
    ACTIVATIONS,
    aligned,
    blocks,
    contiguous,
    launch,
    launcher,
    multiprocessors,
)

_ROWS = (8, 7, 4, 2)  # of a thread; eight threads stand one below the other in a tile
VARIANTS = {"matmul": [(f"-DROWS={rows}",) for rows in _ROWS]}
_COLUMNS, _DEPTH, _THREADS = 64, 16, 128  # of a tile, a step and a block: as in kernels/matmul.cu
_STEPS = 4  # the fewest steps of a part: adding up the parts costs about as much
_BLOCKS = 4  # for each multiprocessor: as many as it has registers for


@override("matmul", "cuda")
def matmul(a, b):
    """``a @ b``; see `minigrad.ops.matmul`."""
    if not _fits(a, b):
        return registry["matmul"].forward(a, b)
    return _product(a, b, None, None)


@override("dense_layer", "cuda")
def dense_layer(x, w, b, activation):
    """``activation(x @ w + b)``; see `minigrad.fused.dense_layer`."""
    if not (_fits(x, w) and is_bias(b, w.shape[1])):
        return registry["dense_layer"].forward(x, w, b, activation)
    return _product(x, w, b, activation)


def _fits(a, b):
    return (
        is_array(a)
        and is_array(b)
        and a.ndim == b.ndim == 2
        and a.dtype == b.dtype == np.float32
        and a.shape[1] == b.shape[0]
        and all(0 < size < MOST for size in (a.size, b.size, a.shape[0] * b.shape[1]))
    )


def _product(a, b, bias, activation):
    (m, k), n = a.shape, b.shape[1]
    a, across_a = _as_it_lies(a)
    b, across_b = _as_it_lies(b)
    bias, _ = _as_it_lies(bias)
    xp = array_module(a)
    y = xp.empty((m, n), a.dtype)
    wide = sum(_in_fours(x) << bit for bit, x in enumerate((a, b, y)))
    rows = min(_ROWS, key=lambda rows: blocks(m, 8 * rows) * (8 * rows + 16))
    tiles = blocks(m, 8 * rows) * blocks(n, _COLUMNS)
    parts, depth = _split(k, tiles)
    group = parts if parts <= 8 else math.isqrt(parts - 1) + 1  # two levels of about as many
    scratch = tickets = None
    if parts > 1:
        scratch = xp.empty(tiles * parts * rows * _THREADS * 4, a.dtype)
        tickets = launcher.tickets(a, tiles * (blocks(parts, group) + 1))
    operands = (a, b, bias, y, scratch, tickets)
    settings = (m, n, k, across_a, across_b, wide, depth, group, ACTIVATIONS[activation])
    grid, options = (tiles, parts), (f"-DROWS={rows}",)
    launch("matmul", "matmul", grid, (_THREADS,), *operands, *settings, options=options)
    return y


def _split(k, tiles):
    """Into how many parts the contraction over `k` is split, and how long they are."""
    steps = blocks(k, _DEPTH)
    parts = max(1, min(_BLOCKS * multiprocessors() // tiles, steps // _STEPS))
    steps = blocks(steps, parts)
    return blocks(k, steps * _DEPTH), steps * _DEPTH


def _as_it_lies(x):
    """An operand as a contiguous array, and whether that is the operand's transpose."""
    if x is None or x.flags.c_contiguous:
        return x, False
    if x.flags.f_contiguous:
        return x.T, True
    return contiguous(x), False


def _in_fours(x):
    """Whether the kernel can move four numbers of `x` at once: all rows start on 16 bytes."""
    return x.shape[1] % 4 == 0 and aligned(x)
