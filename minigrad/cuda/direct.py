"""Convolutions with one channel on one side: bound by memory, so they have kernels of their own.

`convolution.py` hands over to these where `takes` says so. With one channel the kernel w is a
matrix (taps, channels) whichever side it is on, and the three operations of the triple, two cases
each, come down to three kernels (``kernels/direct.cu``)::

                one channel in x (C == 1)      one channel in y (F == 1)
    conv_y      spread, walking y              gather, walking y
    conv_x      gather, walking x              spread, walking x
    conv_w      weight, walking y              weight, walking x

What is walked is the image whose pixels are the threads' work; `Windows` tells how its windows lie
in the other one.
"""

import functools
import math

import numpy as np

from ..backend import array_module, is_array
from ..engine import registry
from ..fused import finish
from .launch import (
    ACTIVATIONS,
    aligned,
    blocks,
    contiguous,
    launch,
    launcher,
    multiprocessors,
)

VARIANTS = {"direct": [("-DVECTOR=1",), ("-DVECTOR=4",)]}

MOST = 2**31 - 2**20  # elements: the indices are ints, and a loop may count a round too far
_THREADS, _PIXELS, _TAPS = 256, 4, 9  # as in kernels/direct.cu
_WINDOWS = np.dtype(
    {
        "names": [
            *("pixels", "height", "width", "other_height", "other_width"),
            *("kernel_height", "kernel_width", "stride_down", "stride_across", "top", "left"),
            *("dilation_down", "dilation_across", "transposed"),
        ],
        "formats": [np.int32] * 14,
    }
)


def takes(geometry, c, f):
    """Whether these kernels are for a convolution of `c` to `f` channels."""
    return geometry.groups == 1 and (c == 1 or f == 1)


def conv_y(x, w, geometry, b=None, activation=None):
    """``activation(conv_y(x, w) + b)`` where x or the result has one channel."""
    if not _fits(x, w, (geometry.size, geometry.out), (-2, -1), b):
        return _reference("conv_y", x, w, geometry, b, activation)
    run = _spread if w.shape[2] == 1 else _gather
    return run(x, w, _windows(geometry, x.shape[0], False), geometry.out, b, activation)


def conv_x(y, w, geometry, b=None, activation=None):
    """``activation(conv_x(y, w) + b)`` where y or the result has one channel."""
    if not _fits(y, w, (geometry.out, geometry.size), (-1, -2), b):
        return _reference("conv_x", y, w, geometry, b, activation)
    run = _gather if w.shape[2] == 1 else _spread
    return run(y, w, _windows(geometry, y.shape[0], True), geometry.size, b, activation)


def conv_w(x, y, geometry):
    """``conv_w(x, y)`` where x or y has one channel."""
    c, f = x.shape[-1], y.shape[-1]
    if not (
        x.dtype == y.dtype == np.float32
        and x.shape == (y.shape[0], *geometry.size, c)
        and y.shape == (x.shape[0], *geometry.out, f)
        and 1 in (c, f)
        and _countable(x.size, y.size)
        and _launchable(math.prod(geometry.kernel) * c * f)
    ):
        return registry["conv_w"].forward(x, y, geometry)
    many, one = (y, x) if c == 1 else (x, y)
    w = _weight(many, one, _windows(geometry, x.shape[0], c != 1))
    return w.reshape(*geometry.kernel, c, f)


# ---------------------------------------------------------------------- the launches
def _spread(one, w, windows, size, b, activation):
    one, w, b = map(contiguous, (one, w, b))
    channels = w.shape[2] * w.shape[3]
    many = array_module(one).empty((one.shape[0], *size, channels), one.dtype)
    vector = _vector(channels, w, b, many)
    across = blocks(channels, 32 * vector)
    x = blocks(blocks(channels, vector), across)  # 33 threads are 17 and 16, not 32 and 1
    y = _THREADS // x
    grid, block = (blocks(many.size // channels, _PIXELS * y), across), (x, y)
    arguments = (one, w, b, many, windows, channels, ACTIVATIONS[activation])
    launch("direct", "spread", grid, block, *arguments, options=(f"-DVECTOR={vector}",))
    return many


def _gather(many, w, windows, size, b, activation):
    many, w, b = map(contiguous, (many, w, b))
    channels = w.shape[2] * w.shape[3]
    one = array_module(many).empty((many.shape[0], *size, 1), many.dtype)
    vector = _vector(channels, many, w)
    lanes = _power_of_two(blocks(channels, vector), 32)
    grid, block = (blocks(one.size, _PIXELS * _THREADS // lanes),), (lanes, _THREADS // lanes)
    arguments = (many, w, b, one, windows, channels, ACTIVATIONS[activation])
    launch("direct", "gather", grid, block, *arguments, options=(f"-DVECTOR={vector}",))
    return one


def _weight(many, one, windows):
    many, one = contiguous(many), contiguous(one)
    xp, channels = array_module(many), many.shape[-1]
    taps = int(windows["kernel_height"][0] * windows["kernel_width"][0])
    w = xp.empty((taps, channels), many.dtype)
    vector = _vector(channels, many)
    lanes = _power_of_two(blocks(channels, vector), 8)
    across, batches = blocks(channels, vector * lanes), blocks(taps, _TAPS)
    parts = _parts(blocks(many.size // channels, _PIXELS * _THREADS // lanes), across * batches)
    group = parts if parts <= 8 else math.isqrt(parts - 1) + 1  # two levels of about as many
    scratch = tickets = None
    if parts > 1:
        scratch = xp.empty(across * batches * parts * _TAPS * lanes * vector, many.dtype)
        tickets = launcher.tickets(many, across * batches * (blocks(parts, group) + 1))
    grid, block = (parts, across, batches), (lanes, _THREADS // lanes)
    arguments = (many, one, w, scratch, tickets, windows, channels, group)
    launch("direct", "weight", grid, block, *arguments, options=(f"-DVECTOR={vector}",))
    return w


def _parts(tiles, results):
    """How many blocks share the `tiles` of one result: two for each multiprocessor, all alike."""
    most = min(tiles, max(1, 2 * multiprocessors() // results))
    return blocks(tiles, blocks(tiles, most))


# ---------------------------------------------------------------------- what the kernels need
@functools.lru_cache(1024)
def _windows(geometry, n, transposed):
    """The struct that tells a kernel where the windows lie, walking y or (transposed) x."""
    walked, other = geometry.out, geometry.size
    if transposed:
        walked, other = other, walked
    (top, _), (left, _) = geometry.pads
    values = (
        *(n * math.prod(walked), *walked, *other, *geometry.kernel, *geometry.stride),
        *(top, left, *geometry.dilation, transposed),
    )
    return np.array([values], _WINDOWS)


def _fits(image, w, sizes, axes, b):
    """Whether a kernel can be launched; if not the reference computes, or says what is wrong.

    `sizes` are those of the image given and of the one to make, `axes` the axes of w with their
    channels.
    """
    return (
        image.dtype == w.dtype == np.float32
        and w.ndim == 4
        and 1 in w.shape[2:]
        and image.shape[1:] == (*sizes[0], w.shape[axes[0]])
        and (b is None or is_bias(b, w.shape[axes[1]]))
        and _countable(image.size, image.shape[0] * math.prod(sizes[1]) * w.shape[axes[1]])
        and _launchable(w.size)
    )


def is_bias(b, channels):
    """Whether `b` is a float32 array with a number for each of `channels`."""
    return is_array(b) and b.dtype == np.float32 and b.shape == (channels,)


def _countable(*sizes):
    return all(0 < size < MOST for size in sizes)


def _launchable(weights):
    """Whether the kernel has few enough elements for the second and third axis of a grid."""
    return 0 < weights < 2**19


def _reference(name, image, w, geometry, b, activation):
    y = registry[name].forward(image, w, geometry)
    return y if b is None and activation is None else finish(y, 0 if b is None else b, activation)


def _vector(channels, *arrays):
    """How many channels a thread takes: four where they can be loaded at once."""
    return 4 if channels % 4 == 0 and aligned(*(a for a in arrays if a is not None)) else 1


def _power_of_two(n, most):
    return min(most, 1 << (n - 1).bit_length())
