"""Convolution where the images of one side have one channel: grey images in or out, compiled.

Every pixel of one image meets a few of the other, through taps of the kernel. The compiled kernels
go through the result row by row, and tables say which rows and columns meet: so they serve any
kernel, stride, padding and dilation, and convolution as well as its transpose.
"""

import functools

import numpy as np

from ..cpu.pool import parallel, pieces
from ..memory import empty
from .library import FLOAT, address, library

_TAPS = 64  # as in kernels.c
_MANY = 64  # channels: for fewer NumPy's kernels are as fast or faster
_BLOCK = 1 << 17  # elements of the side with many channels


def takes(geometry, c, f):
    """Is this a convolution that the kernels of this file compute?"""
    taps = geometry.kernel[0] * geometry.kernel[1]
    return geometry.groups == 1 and min(c, f) == 1 and max(c, f) >= _MANY and taps <= _TAPS


@functools.lru_cache(256)
def _tables(geometry, to_y):
    """For rows and columns of y (of x unless `to_y`): which of the other image each tap meets, or
    -1: two arrays (length, taps)."""
    tables = []
    for axis in (0, 1):
        names = ("size", "out", "kernel", "stride", "dilation")
        size, out, kernel, stride, dilation = (getattr(geometry, name)[axis] for name in names)
        offset = np.arange(kernel) * dilation - geometry.pads[axis][0]
        x = np.arange(out)[:, None] * stride + offset
        if to_y:
            table = np.where((x >= 0) & (x < size), x, -1)
        else:
            table = np.full((size, kernel), -1)
            inside = (x >= 0) & (x < size)
            p, tap = np.nonzero(inside)
            table[x[p, tap], tap] = p
        tables.append(np.ascontiguousarray(table, "l"))
    return tables


def conv_y(x, w, geometry, bias=None, relu=False):
    """See `minigrad.conv.conv_y`; with a bias and relu it is `minigrad.fused.conv_layer`."""
    return _convolve(x, w, geometry, True, geometry.out, w.shape[3], bias, relu)


def conv_x(y, w, geometry, bias=None, relu=False):
    """See `minigrad.conv.conv_x`."""
    return _convolve(y, w, geometry, False, geometry.size, w.shape[2], bias, relu)


def _convolve(x, w, geometry, to_y, out, channels, bias, relu):
    x, w = np.ascontiguousarray(x), np.ascontiguousarray(w)
    y, many = empty((len(x), *out, channels), FLOAT), max(w.shape[2:])
    rows, columns = _tables(geometry, to_y)
    function = library.many_to_one if channels == 1 else library.one_to_many
    where = address(x), *x.shape[1:3], address(rows), address(columns), *geometry.kernel
    where += address(w), address(bias), relu, address(y), *out, many
    _, length = out

    def work(block):
        function(*where, block.start, block.stop)

    parallel(work, pieces(len(x) * out[0], max(1, _BLOCK // (length * many))))
    return y
