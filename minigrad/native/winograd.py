"""3x3 convolution with stride 1 by Winograd's algorithm, compiled: `minigrad.cpu.winograd` in C.

The blocks are runs of tiles, counted through the whole batch. They depend on nothing but shapes:
the same numbers come out for any number of threads.
"""

import math

import numpy as np

from ..cpu.pool import parallel, pieces
from ..cpu.winograd import matrices
from ..memory import empty
from .library import FLOAT, address, aligned, library, workspace

_CACHE = 3 << 19  # bytes of transformed tiles in a block
_PARTS = 16  # partial sums of a weight gradient at most, and at least two where there are tiles
_RUNS = 4  # blocks for a partial sum: with fewer it takes long to add up so many


def conv_y(x, w, geometry, bias=None, relu=False):
    """See `minigrad.conv.conv_y`; with a bias and relu it is `minigrad.fused.conv_layer`."""
    (top, _), (left, _) = geometry.pads
    return _convolve(x, w, (top, left), geometry.out, bias, relu)


def conv_x(y, w, geometry, bias=None, relu=False):
    """See `minigrad.conv.conv_x`: with stride 1 it is convolution by the reversed kernel."""
    (top, _), (left, _) = geometry.pads
    w = w[::-1, ::-1].transpose(0, 1, 3, 2)
    return _convolve(y, w, (2 - top, 2 - left), geometry.size, bias, relu)


def _convolve(x, w, corner, out, bias, relu):
    c, f = w.shape[2:]
    x, w, g = np.ascontiguousarray(x), np.ascontiguousarray(w), matrices(FLOAT)[2]
    y, u = empty((len(x), *out, f), FLOAT), _transformed(c, f)
    library.winograd_kernel(address(w), c, f, address(g), address(u))
    tiles, run = _tiles(len(x), out, c, f)
    floats = library.winograd_scratch(run, c, f)
    where = address(x), *x.shape[1:3], c, address(u), address(y), *out, f, address(bias), relu

    def work(block):
        space = workspace("winograd", floats)
        library.winograd_convolve(*where, *corner, block.start, block.stop, address(space))

    parallel(work, pieces(tiles, run))
    return y


def conv_w(x, y, geometry):
    """See `minigrad.conv.conv_w`: the adjoint of the same products."""
    (top, _), (left, _) = geometry.pads
    x, y, g = np.ascontiguousarray(x), np.ascontiguousarray(y), matrices(FLOAT)[2]
    c, f = x.shape[3], y.shape[3]
    tiles, run = _tiles(len(x), geometry.out, c, f)
    shares = pieces(tiles, -(-tiles // min(max(tiles // (_RUNS * run), 2), _PARTS)))
    parts = np.empty((len(shares), 3, 3, c, f), FLOAT)
    floats = library.winograd_scratch(run, c, f)
    where = address(x), *x.shape[1:3], c, address(y), *geometry.out, f, top, left

    def work(share):
        du, space = _transformed(c, f), workspace("winograd", floats)
        first, last = shares[share].start, shares[share].stop
        for t in range(first, last, run):
            ends = t, min(t + run, last)
            library.winograd_gradient(*where, *ends, address(du), t > first, address(space))
        library.winograd_kernel_gradient(address(du), c, f, address(g), address(parts[share]))

    parallel(work, range(len(shares)))
    return parts.sum(axis=0)


def _tiles(n, out, c, f):
    """The number of tiles, and of those of a block."""
    tiles = n * math.prod(-(-p // 4) for p in out)
    most = _CACHE // (36 * FLOAT.itemsize * (c + f))
    return tiles, max(12, most - most % 12)


def _transformed(c, f):
    """Memory for a transformed kernel: 36 matrices (c, f), f padded to whole panels."""
    panel = library.panel()
    return aligned(empty((36 * c * (f + -f % panel) + 16,), FLOAT))
