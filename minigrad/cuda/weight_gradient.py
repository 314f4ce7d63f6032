"""The weight gradient of a convolution on the GPU: how ``kernels/weight_gradient.cu`` is launched.

The result is small and the pixels that it is summed over are many, so here is decided into how many
parts they are cut. A result is the same bits in every run on GPUs with as many multiprocessors.
"""

import functools
import math

from ..backend import array_module
from ..engine import override, registry
from . import direct
from .launch import aligned, blocks, contiguous, launch, multiprocessors
from .tile import (
    BIG,
    DEPTH,
    NARROW,
    SMALL,
    SQUARE,
    Plan,
    products_wanted,
    scratch_of,
    sizes_of,
    struct,
    variants,
    window,
)

MOST_FILTERS = 2**20  # a grid has up to 2**16 rows of blocks
GRADIENT_TILES = {  # as tile.TILES
    (True, 0): {BIG: 1244, NARROW: 707, SMALL: 715},
    (True, 1): {BIG: 280, SMALL: 245},
    (True, 3): {SQUARE: 294, SMALL: 358},
    (False, 0): {SQUARE: 1159},
}
VARIANTS = {"weight_gradient": variants(GRADIENT_TILES)}


@override("conv_w", "cuda")
def conv_w(x, y, geometry):
    """The weight gradient: (N, H, W, C), (N, P, Q, F) -> (kh, kw, C, F)."""
    sizes = sizes_of(geometry, x=x, y=y)
    if sizes is None or sizes[2] > MOST_FILTERS:
        return registry["conv_w"].forward(x, y, geometry)
    n, c, f = sizes
    if direct.takes(geometry, c, f):
        return direct.conv_w(x, y, geometry)
    x, y = contiguous(x), contiguous(y)
    w = array_module(x).empty((*geometry.kernel, c, f), x.dtype)
    wide = c % 4 == f % 4 == 0 and aligned(x, y, w)
    products = products_wanted() * wide
    plan = _plan(geometry, n, c, f, wide, products, multiprocessors())
    scratch, tickets = scratch_of(plan, x)
    arguments = (x, y, w, scratch, tickets, plan.shape)
    launch("weight_gradient", "weight_gradient", *plan[1:3], *arguments, options=plan.options)
    return w


@functools.lru_cache(1024)
def _plan(geometry, n, c, f, wide, products, processors):
    """How to launch `weight_gradient`."""
    rows, pixels = math.prod(geometry.kernel) * c, n * math.prod(geometry.out)
    turns = GRADIENT_TILES[wide, products]
    tile = min(turns, key=lambda t: t.count(rows, f) * t.warps * turns[t])
    count = tile.count(rows, f)
    # Twelve warps on each multiprocessor, all at once; a part is at least four steps long.
    parts = max(1, min(12 * processors // (tile.warps * count), pixels // (4 * DEPTH), 65535))
    per = blocks(blocks(pixels, parts), DEPTH) * DEPTH
    parts = blocks(pixels, per)
    divisors = *_divisor(math.prod(geometry.out)), *_divisor(geometry.out[1])
    shape = struct((n, *geometry.size, c, *geometry.out, f, *window(geometry), *divisors, per))
    grid = blocks(rows, tile.m), blocks(f, tile.n), parts
    extra = count * parts if parts > 1 else 0
    scratch = extra * tile.m * tile.n
    return Plan(tile.options(wide, products), grid, (tile.warps * 32,), shape, scratch, extra)


def _divisor(d):
    """(factor, shift) with ``n // d == (n * factor >> 32) >> shift`` for 0 <= n < 2**31, the factor
    as the int of the same 32 bits; a shift of -1 means that d is 1."""
    if d == 1:
        return 0, -1
    shift = (d - 1).bit_length()
    factor = 2 ** (31 + shift) // d + 1
    return factor - 2**32 if factor >= 2**31 else factor, shift - 1
