"""Convolutions on the GPU: what is launched for which shapes, and in tiles of which size.

The kernels are implicit matrix products, written down in ``kernels/convolution.cu`` (`conv_y`, and
its adjoint `conv_x`, with bias and activation) and ``kernels/weight_gradient.cu`` (`conv_w`). Here
is decided what they leave open: the tile, and how the work is cut so that it fills the GPU.

A result is the same bits in every run. On a GPU with another number of multiprocessors sums are
cut at other places, and the last bits can differ.
"""

import functools
import math
import sys
from typing import NamedTuple

import numpy as np

from ..backend import array_module, is_array
from ..engine import override, registry
from . import direct
from .launch import blocks, launch, launcher, multiprocessors
from .pointers import ACTIVATIONS, aligned

DEPTH = 16  # values of the contracted index that a kernel takes at a time
MOST_TAPS = 15  # of a kernel, a side
MOST_FILTERS = 2**20  # of a weight gradient: a grid has up to 2**16 rows of blocks
MOST_STRIDE = 255  # a side: as many phases, squared, have to fit a grid as well
LIMIT = 2**31 - 2**24  # elements of an array with its padding: offsets are ints, tiles overhang


class Tile(NamedTuple):
    """Rows and columns that a block makes, and that each of its warps makes."""

    m: int
    n: int
    warp_m: int
    warp_n: int

    @property
    def warps(self):
        return self.m // self.warp_m * (self.n // self.warp_n)

    def cost(self, tf32):
        """Instructions of a warp for each value of the contracted index, roughly: the arithmetic
        of its lanes and the loads, stores and addresses around it."""
        return self.warp_m * self.warp_n / (256 if tf32 else 32) + 8

    def count(self, rows, columns):
        return blocks(rows, self.m) * blocks(columns, self.n)

    def options(self, wide, tf32):
        names = "TILE_M", "TILE_N", "WARP_M", "WARP_N"
        tile = (f"-D{name}={size}" for name, size in zip(names, self, strict=True))
        return (*tile, f"-DWIDE={wide:d}", *(("-DTF32",) if tf32 else ()))


BIG, SQUARE, NARROW, SMALL = (
    Tile(128, 64, 32, 64),
    Tile(64, 64, 32, 32),
    Tile(128, 32, 32, 32),
    Tile(64, 32, 32, 32),
)
# By (wide, tf32): with loads of 16 bytes, on the tensor cores. General kernels stay with float32.
TILES = {
    (True, False): (BIG, SQUARE, NARROW, SMALL),
    (True, True): (BIG, SMALL),
    (False, False): (SQUARE,),
}
GRADIENT_TILES = {**TILES, (True, False): (BIG, NARROW, SMALL)}


def _options(tiles):
    """The compiler's options for each kind and each of its tiles."""
    return [tile.options(*kind) for kind, some in tiles.items() for tile in some]


VARIANTS = {  # all that is ever compiled
    "convolution": [
        (*options, f"-DTRANSPOSED={transposed}")
        for options in _options(TILES)
        for transposed in (0, 1)
    ],
    "weight_gradient": _options(GRADIENT_TILES),
}


class Plan(NamedTuple):
    """One launch: everything about it that the shapes alone decide."""

    options: tuple
    grid: tuple
    block: tuple
    shape: np.ndarray  # the kernel's struct
    scratch: int  # floats
    tickets: int


# ---------------------------------------------------------------------- the primitives
def conv_y(x, w, geometry, b=None, activation=None):
    """``activation(conv_y(x, w) + b)``: (N, H, W, C), (kh, kw, C, F) -> (N, P, Q, F)."""
    sizes = _sizes(geometry, x=x, w=w, b=b, activation=activation)
    if sizes and direct.takes(geometry, *sizes[1:]):
        return direct.conv_y(x, w, geometry, b, activation)
    if sizes is None or not _tabulated(geometry):
        return _reference("conv_y", "conv_layer", x, w, geometry, b, activation)
    return _convolve(x, w, geometry, b, activation, (sizes[0], *geometry.out, sizes[2]), False)


def conv_x(y, w, geometry, b=None, activation=None):
    """``activation(conv_x(y, w) + b)``: (N, P, Q, F), (kh, kw, C, F) -> (N, H, W, C)."""
    sizes = _sizes(geometry, y=y, w=w, b=b, activation=activation)
    if sizes and direct.takes(geometry, *sizes[1:]):
        return direct.conv_x(y, w, geometry, b, activation)
    if sizes is None or not _tabulated(geometry):
        return _reference("conv_x", "conv_transpose_layer", y, w, geometry, b, activation)
    return _convolve(y, w, geometry, b, activation, (sizes[0], *geometry.size, sizes[1]), True)


def conv_w(x, y, geometry):
    """The weight gradient: (N, H, W, C), (N, P, Q, F) -> (kh, kw, C, F)."""
    sizes = _sizes(geometry, x=x, y=y)
    if sizes is None or sizes[2] > MOST_FILTERS:
        return registry["conv_w"].forward(x, y, geometry)
    n, c, f = sizes
    if direct.takes(geometry, c, f):
        return direct.conv_w(x, y, geometry)
    x, y = _contiguous(x), _contiguous(y)
    w = array_module(x).empty((*geometry.kernel, c, f), x.dtype)
    wide = c % 4 == f % 4 == 0 and aligned(x, y, w)
    plan = _gradient_plan(geometry, n, c, f, wide, _tf32() and wide, multiprocessors())
    scratch, tickets = _scratch(plan, x)
    arguments = (x, y, w, scratch, tickets, plan.shape)
    launch("weight_gradient", "weight_gradient", *plan[1:3], *arguments, options=plan.options)
    return w


override("conv_y", "cuda")(conv_y)
override("conv_x", "cuda")(conv_x)
override("conv_w", "cuda")(conv_w)


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
    x, w, b = _contiguous(x), _contiguous(w), b if b is None else _contiguous(b)
    y = array_module(x).empty(shape, x.dtype)
    n, channels, filters = shape[0], x.shape[3], shape[3]
    wide = channels % DEPTH == filters % 4 == 0 and aligned(x, w, y)
    tf32 = _tf32() and wide
    plan = _plan(geometry, n, channels, filters, transposed, wide, tf32, multiprocessors())
    scratch, tickets = _scratch(plan, x)
    arguments = (x, w, b, y, ACTIVATIONS[activation], scratch, tickets, plan.shape)
    launch("convolution", "convolution", *plan[1:3], *arguments, options=plan.options)
    return y


# ---------------------------------------------------------------------- what the kernels take
def _sizes(geometry, x=None, y=None, w=None, b=None, activation=None):
    """(N, C, F) if the kernels take these arguments, None if they are the reference's affair: other
    dtypes, groups, huge or empty arrays, and whatever does not fit and must be complained of."""
    given = [a for a in (x, y, w, b) if a is not None]
    if geometry.groups != 1 or activation not in ACTIVATIONS:
        return None
    if not all(is_array(a) and a.dtype == np.float32 for a in given):
        return None
    if any(a is not None and a.ndim != 4 for a in (x, y, w)):
        return None
    n = (y if x is None else x).shape[0]
    c = w.shape[2] if x is None else x.shape[3]
    f = w.shape[3] if y is None else y.shape[3]
    x_shape, y_shape = (n, *geometry.size, c), (n, *geometry.out, f)
    w_shape = (*geometry.kernel, c, f)
    b_shape = (f,) if y is None else (c,)
    for a, shape in ((x, x_shape), (y, y_shape), (w, w_shape), (b, b_shape)):
        if a is not None and a.shape != shape:
            return None
    padded = (size + sum(pads) for size, pads in zip(geometry.size, geometry.pads, strict=True))
    elements = n * c * math.prod(padded), math.prod(y_shape), math.prod(w_shape)
    return (n, c, f) if min(elements) > 0 and max(elements) < LIMIT else None


def _tabulated(geometry):
    """True if `convolution` has room for the taps and phases of a geometry."""
    return max(geometry.kernel) <= MOST_TAPS and max(geometry.stride) <= MOST_STRIDE


def _reference(plain, layer, x, w, geometry, b, activation):
    if b is None and activation is None:
        return registry[plain].forward(x, w, geometry)
    return registry[layer].forward(x, w, b, geometry, activation)


def _contiguous(x):
    return x if x.flags.c_contiguous else array_module(x).ascontiguousarray(x)


def _tf32():
    setting = sys.modules[__package__].precision
    if setting not in ("float32", "tf32"):
        raise ValueError(f'minigrad.cuda.precision must be "float32" or "tf32", got {setting!r}')
    return setting == "tf32"


def _scratch(plan, x):
    """Memory for partial sums and the counters of their arrival, if there are any."""
    if not plan.scratch:
        return None, None
    scratch = array_module(x).empty(plan.scratch, np.float32)
    return scratch, launcher.tickets(x, plan.tickets)


# ---------------------------------------------------------------------- the plans
@functools.lru_cache(1024)
def _plan(geometry, n, channels, filters, transposed, wide, tf32, processors):
    """How to launch `convolution`; `channels` are those of what is gathered."""
    stride, taps = geometry.stride, math.prod(geometry.kernel)
    gathered, made = geometry.size, geometry.out
    phases, rows = 1, n * math.prod(made)
    if transposed:
        gathered, made = made, gathered
        phases = math.prod(stride)
        rows = n * math.prod(blocks(size, s) for size, s in zip(made, stride, strict=True))
    steps = blocks(blocks(taps, phases) * channels, DEPTH)
    best = None
    for tile in TILES[wide, tf32]:
        # Whole waves of tiles, one for each multiprocessor; those of the last wave, which would
        # keep only some of them busy, can be cut along the contracted index to fill all.
        count = tile.count(rows, filters)
        waves, rest = divmod(count * phases, processors)
        most = 1
        if rest and phases == 1:  # steps * parts has to fit the kernel's int
            most = min(processors // rest, steps // 4, (2**31 - 1) // steps)
        for parts in sorted({1, max(most, 1)}):
            load = (waves + (rest > 0) / parts) * tile.warps / 4  # warps of each of 4 schedulers
            alone = 1.4 / (1 if waves else parts)  # one warp alone cannot issue all the time
            cost = steps * DEPTH * tile.cost(tf32) * max(load, alone)
            cost += 5000 * (parts > 1)  # clock ticks until the parts have been put together
            if best is None or cost < best[0]:
                best = cost, tile, count, rest, parts
    _, tile, count, rest, parts = best
    whole, extra = (count, 0) if parts == 1 else (count - rest, rest * parts)
    strides = [s // math.gcd(s, d) for s, d in zip(stride, geometry.dilation, strict=True)]
    shape = _struct(
        (n, *gathered, channels, *made, filters, *_window(geometry), *strides, whole, parts)
    )
    options = (*tile.options(wide, tf32), f"-DTRANSPOSED={transposed:d}")
    block, scratch = (tile.warps * 32,), extra * tile.m * tile.n
    return Plan(options, (whole + extra, 1, phases), block, shape, scratch, extra)


@functools.lru_cache(1024)
def _gradient_plan(geometry, n, c, f, wide, tf32, processors):
    """How to launch `weight_gradient`."""
    rows, pixels = math.prod(geometry.kernel) * c, n * math.prod(geometry.out)
    tiles = GRADIENT_TILES[wide, tf32]
    tile = min(tiles, key=lambda t: t.count(rows, f) * t.warps * t.cost(tf32))
    count = tile.count(rows, f)
    # Twelve warps on each multiprocessor, all at once; a part is at least four steps long.
    parts = max(1, min(12 * processors // (tile.warps * count), pixels // (4 * DEPTH), 65535))
    per = blocks(blocks(pixels, parts), DEPTH) * DEPTH
    parts = blocks(pixels, per)
    divisors = *_divisor(math.prod(geometry.out)), *_divisor(geometry.out[1])
    shape = _struct((n, *geometry.size, c, *geometry.out, f, *_window(geometry), *divisors, per))
    grid = blocks(rows, tile.m), blocks(f, tile.n), parts
    extra = count * parts if parts > 1 else 0
    scratch = extra * tile.m * tile.n
    return Plan(tile.options(wide, tf32), grid, (tile.warps * 32,), shape, scratch, extra)


def _window(geometry):
    (top, _), (left, _) = geometry.pads
    return *geometry.kernel, *geometry.stride, top, left, *geometry.dilation


def _struct(values):
    """A kernel's struct of ints."""
    shape = np.empty(1, [(f"f{i}", np.int32) for i in range(len(values))])
    shape[0] = tuple(values)
    return shape


def _divisor(d):
    """(factor, shift) with ``n // d == (n * factor >> 32) >> shift`` for 0 <= n < 2**31, the factor
    as the int of the same 32 bits; a shift of -1 means that d is 1."""
    if d == 1:
        return 0, -1
    shift = (d - 1).bit_length()
    factor = 2 ** (31 + shift) // d + 1
    return factor - 2**32 if factor >= 2**31 else factor, shift - 1
