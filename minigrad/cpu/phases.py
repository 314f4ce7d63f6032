"""Strides as phases: a transposed convolution as convolutions of y with stride 1.

With stride s the pixels of x fall into s phases, by their remainder. The pixels of one phase meet
every s-th tap of the kernel only, and these taps see y with stride 1: so x is made, phase by phase,
by unstrided convolutions of y with parts of the reversed kernel.
"""

import functools

import numpy as np

from ..conv import Geometry


@functools.lru_cache(256)
def phases(geometry):
    """The unstrided convolutions of y that make up x: a list of (index of the pixels of x, index
    of the taps, geometry of the part). The geometry's pads may be negative."""
    rows, columns = (list(_along(geometry, axis)) for axis in (0, 1))
    return [
        (
            (slice(None), pixels, pixel_columns),
            (slice(None), taps, tap_columns),
            Geometry(geometry.out, *zip(part, column_part, strict=True), geometry.groups),
        )
        for pixels, taps, part in rows
        for pixel_columns, tap_columns, column_part in columns
    ]


def _along(geometry, axis):
    """The same along one axis: (pixels, taps, (kernel, out, stride, pads, dilation))."""
    names = ("size", "kernel", "stride", "pads", "dilation")
    size, kernel, stride, (pad, _), dilation = (getattr(geometry, name)[axis] for name in names)
    for first in range(min(stride, size)):
        # Pixel first + a * stride meets tap i at output a - shift.
        shifts = {
            i: (i * dilation - pad - first) // stride
            for i in range(kernel)
            if (i * dilation - pad - first) % stride == 0
        }
        if shifts:
            taps, outputs = list(shifts), list(shifts.values())
            step, apart = (v[1] - v[0] if len(v) > 1 else 1 for v in (taps, outputs))
            yield (
                slice(first, None, stride),
                slice(taps[0], taps[-1] + 1, step),
                (len(taps), -(-(size - first) // stride), 1, (outputs[-1], 0), apart),
            )


def folded(x, w, geometry):
    """The same convolution with column stride 1, where image and kernel allow it.

    The stride t becomes channels: t neighbouring pixels are one pixel with t times the channels,
    which is the same memory. `x` is a view of what it was; `w` is (groups, kh, kw, C, F).
    """
    (height, width), (s, t), (d, e) = geometry.size, geometry.stride, geometry.dilation
    if t == 1 or width % t or e > 1 or geometry.groups > 1:
        return x, w, geometry
    c, f = w.shape[3:]
    taps = column_taps(geometry, c)
    wide = np.zeros((*w.shape[:2], taps[-1][0] + 1, t * c, f), w.dtype)  # of one group
    for j, (tap, channels) in enumerate(taps):
        wide[:, :, tap, channels] = w[:, :, j]
    rows, (left, _) = geometry.pads
    size, pads = (height, width // t), (rows, (-(-left // t), 0))
    geometry = Geometry(size, wide.shape[1:3], geometry.out, (s, 1), pads, (d, 1), 1)
    return x.reshape(len(x), *size, t * c), wide, geometry


def column_taps(geometry, c):
    """For each column of the kernel: the column, and the slice of channels, it has when folded."""
    t, (left, _) = geometry.stride[1], geometry.pads[1]
    places = [divmod(j - left, t) for j in range(geometry.kernel[1])]
    return [(tap - places[0][0], slice(k * c, (k + 1) * c)) for tap, k in places]
