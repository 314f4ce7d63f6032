"""Convolutions on the GPU: what is launched for which shapes, and in tiles of which size.

The kernel is an implicit matrix product, written down in ``kernels/convolution.cu``: `conv_y`, and
its adjoint `conv_x`, with bias and activation. Here is decided what it leaves open: the tile, and
how the work is cut so that it fills the GPU.

A result is the same bits in every run. On a GPU with another number of multiprocessors sums are
cut at other places, and the last bits can differ.
"""

import functools
import math

from ..backend import array_module
from ..engine import override, registry
from . import direct
from .launch import ACTIVATIONS, aligned, blocks, contiguous, launch, multiprocessors
from .tile import (
    DEPTH,
    TILES,
    Plan,
    products_wanted,
    scratch_of,
    sizes_of,
    struct,
    variants,
    window,
)

MOST_TAPS = 15  # of a kernel, a side
MOST_STRIDE = 255  # a side: as many phases, squared, have to fit a grid as well
VARIANTS = {
    "convolution": [
        (*options, f"-DTRANSPOSED={transposed}")
        for options in variants(TILES)
        for transposed in (0, 1)
    ]
}


# ---------------------------------------------------------------------- the primitives
def conv_y(x, w, geometry, b=None, activation=None):
    """``activation(conv_y(x, w) + b)``: (N, H, W, C), (kh, kw, C, F) -> (N, P, Q, F)."""
    sizes = sizes_of(geometry, x=x, w=w, b=b, activation=activation)
    if sizes and direct.takes(geometry, *sizes[1:]):
        return direct.conv_y(x, w, geometry, b, activation)
    if sizes is None or not _tabulated(geometry):
        return _reference("conv_y", "conv_layer", x, w, geometry, b, activation)
    return _convolve(x, w, geometry, b, activation, (sizes[0], *geometry.out, sizes[2]), False)


def conv_x(y, w, geometry, b=None, activation=None):
    """``activation(conv_x(y, w) + b)``: (N, P, Q, F), (kh, kw, C, F) -> (N, H, W, C)."""
    sizes = sizes_of(geometry, y=y, w=w, b=b, activation=activation)
    if sizes and direct.takes(geometry, *sizes[1:]):
        return direct.conv_x(y, w, geometry, b, activation)
    if sizes is None or not _tabulated(geometry):
        return _reference("conv_x", "conv_transpose_layer", y, w, geometry, b, activation)
    return _convolve(y, w, geometry, b, activation, (sizes[0], *geometry.size, sizes[1]), True)


override("conv_y", "cuda")(conv_y)
override("conv_x", "cuda")(conv_x)


@override("conv_layer", "cuda")
def conv_layer(x, w, b, geometry, activation):
    """``activation(conv_y(x, w) + b)``."""
    return conv_y(x, w, geometry, b, activation)


@override("conv_transpose_layer", "cuda")
def conv_transpose_layer(x, w, b, geometry, activation):
    """``activation(conv_x(x, w) + b)``."""
    return conv_x(x, w, geometry, b, activation)


def _convolve(x, w, geometry, b, activation, shape, transposed):
    """What `conv_y` and `conv_x` have in common: from the images `x` to images of `shape`."""
    x, w, b = map(contiguous, (x, w, b))
    y = array_module(x).empty(shape, x.dtype)
    n, channels, filters = shape[0], x.shape[3], shape[3]
    wide = channels % DEPTH == filters % 4 == 0 and aligned(x, w, y)
    products = products_wanted() * wide
    plan = _plan(geometry, n, channels, filters, transposed, wide, products, multiprocessors())
    scratch, tickets = scratch_of(plan, x)
    arguments = (x, w, b, y, ACTIVATIONS[activation], scratch, tickets, plan.shape)
    launch("convolution", "convolution", *plan[1:3], *arguments, options=plan.options)
    return y


# ---------------------------------------------------------------------- what the kernels take
def _tabulated(geometry):
    """True if `convolution` has room for the taps and phases of a geometry."""
    return max(geometry.kernel) <= MOST_TAPS and max(geometry.stride) <= MOST_STRIDE


def _reference(plain, layer, x, w, geometry, b, activation):
    if b is None and activation is None:
        return registry[plain].forward(x, w, geometry)
    return registry[layer].forward(x, w, b, geometry, activation)


# ---------------------------------------------------------------------- the plans
@functools.lru_cache(1024)
def _plan(geometry, n, channels, filters, transposed, wide, products, processors):
    """How to launch `convolution`; `channels` are those of what is gathered."""
    stride, taps = geometry.stride, math.prod(geometry.kernel)
    gathered, made = geometry.size, geometry.out
    phases, rows = 1, n * math.prod(made)
    if transposed:
        gathered, made = made, gathered
        phases = math.prod(stride)
        rows = n * math.prod(blocks(size, s) for size, s in zip(made, stride, strict=True))
    steps = blocks(blocks(taps, phases) * channels, DEPTH)
    plans = [
        (*_cut(tile, turn, tile.count(rows, filters), steps, phases, processors), tile)
        for tile, turn in TILES[wide, products].items()
    ]
    _, whole, extra, parts, tile = min(plans)
    strides = [s // math.gcd(s, d) for s, d in zip(stride, geometry.dilation, strict=True)]
    shape = struct(
        (n, *gathered, channels, *made, filters, *window(geometry), *strides, whole, parts)
    )
    options = (*tile.options(wide, products), f"-DTRANSPOSED={transposed:d}")
    block, scratch = (tile.warps * 32,), extra * tile.m * tile.n
    return Plan(options, (whole + extra, 1, phases), block, shape, scratch, extra)


def _cut(tile, turn, count, steps, phases, processors):
    """The better way to make `count` tiles, each in a number of `steps` of `turn` instructions of a
    warp: (its clock ticks, tiles made by one block, blocks for parts of the others, parts).

    Whole waves of tiles, one for each multiprocessor; those of the last wave, which would keep only
    some of them busy, can be cut along the contracted index to fill all. A multiprocessor issues
    four instructions a tick, each of another warp; one warp alone cannot issue all the time, and
    parts have to be put together: of that the numbers are guesses until a GPU has measured them.
    """
    waves, rest = divmod(count * phases, processors)
    most = 1
    if rest and phases == 1:  # steps * parts has to fit the kernel's int
        most = min(processors // rest, steps // 4, (2**31 - 1) // steps)
    plans = []
    for parts in {1, max(most, 1)}:
        load = (waves + (rest > 0) / parts) * tile.warps / 4  # warps of each of 4 schedulers
        alone = 1.4 / (1 if waves else parts)
        ticks = steps * turn * max(load, alone) + 5000 * (parts > 1)
        plans.append((ticks, *((count, 0) if parts == 1 else (count - rest, rest * parts)), parts))
    return min(plans)
