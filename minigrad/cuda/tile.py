"""What the convolution kernels share: the tile of a block, and a launch that the shapes decide.

``kernels/tile.cuh`` has the device code of a tile; ``convolution.py`` and ``weight_gradient.py``
launch it. Here are the tiles that there are, what they cost, and which arrays the kernels take.
"""

import math
import sys
from typing import NamedTuple

import numpy as np

from ..backend import array_module, is_array
from .launch import ACTIVATIONS, blocks, compute_capability, launcher

DEPTH = 16  # values of the contracted index that a kernel takes at a time
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

    def count(self, rows, columns):
        return blocks(rows, self.m) * blocks(columns, self.n)

    def options(self, wide, products):
        names = "TILE_M", "TILE_N", "WARP_M", "WARP_N"
        tile = (f"-D{name}={size}" for name, size in zip(names, self, strict=True))
        return (*tile, f"-DWIDE={wide:d}", *((f"-DTF32={products}",) if products else ()))


BIG, SQUARE, NARROW, SMALL = (
    Tile(128, 64, 32, 64),
    Tile(64, 64, 32, 32),
    Tile(128, 32, 32, 32),
    Tile(64, 32, 32, 32),
)
# The tiles of `convolution` by kind, (loads of 16 bytes, products on the tensor cores for each of
# float32's): general kernels stay with float32. What a tile costs is the number of instructions of
# a warp for DEPTH values of the contracted index, a turn of the main loop, in the machine code for
# sm_90: `python tests/tools/compile_kernels.py --arch 90` counts them, and a test compares.
TILES = {
    (True, 0): {BIG: 1212, SQUARE: 655, NARROW: 671, SMALL: 683},
    (True, 1): {BIG: 242, SMALL: 209},
    (True, 3): {SQUARE: 293, SMALL: 321},
    (False, 0): {SQUARE: 745},
}
PRECISIONS = {"float32": 0, "tf32": 1, "3xtf32": 3}  # products on the tensor cores
# Where three products on the tensor cores are less work than one in float32: the data sheets of the
# A100 and A30 have 8 of them in its time, of the H100 and H200 7.4, of other GPUs 1 or 2. (Of
# the generation after these, only with other instructions than `mma`.)
THREE_ARE_FASTER = ("80", "90")


def variants(tiles):
    """The compiler's options for each kind and each of its tiles."""
    return [tile.options(*kind) for kind, some in tiles.items() for tile in some]


class Plan(NamedTuple):
    """One launch: everything about it that the shapes alone decide."""

    options: tuple
    grid: tuple
    block: tuple
    shape: np.ndarray  # the kernel's struct
    scratch: int  # floats
    tickets: int


def sizes_of(geometry, x=None, y=None, w=None, b=None, activation=None):
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


def products_wanted():
    """How many products on the tensor cores `minigrad.cuda.precision` makes of one: 0 for none."""
    setting = sys.modules[__package__].precision
    if setting == "auto":
        setting = "3xtf32" if compute_capability() in THREE_ARE_FASTER else "float32"
    if setting not in PRECISIONS:
        names = ", ".join(f'"{name}"' for name in PRECISIONS)
        raise ValueError(
            f'minigrad.cuda.precision must be "auto" or one of {names}, got {setting!r}'
        )
    return PRECISIONS[setting]


def scratch_of(plan, x):
    """Memory for partial sums and the counters of their arrival, if there are any."""
    if not plan.scratch:
        return None, None
    scratch = array_module(x).empty(plan.scratch, np.float32)
    return scratch, launcher.tickets(x, plan.tickets)


def window(geometry):
    (top, _), (left, _) = geometry.pads
    return *geometry.kernel, *geometry.stride, top, left, *geometry.dilation


def struct(values):
    """A kernel's struct of ints."""
    shape = np.empty(1, [(f"f{i}", np.int32) for i in range(len(values))])
    shape[0] = tuple(values)
    return shape
