"""What the convolution kernels share: the tile of a block, and a launch that the shapes decide.

``kernels/tile.cuh`` has the device code of a tile; ``convolution.py`` and ``weight_gradient.py``
launch it. Here are the tiles that there are, what they cost, and which arrays the kernels take.
"""

import math
import sys
from typing import NamedTuple

import numpy as np

from ..backend import array_module, is_array
from .launch import ACTIVATIONS, blocks, launcher

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


def tf32_wanted():
    setting = sys.modules[__package__].precision
    if setting not in ("float32", "tf32"):
        raise ValueError(f'minigrad.cuda.precision must be "float32" or "tf32", got {setting!r}')
    return setting == "tf32"


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
