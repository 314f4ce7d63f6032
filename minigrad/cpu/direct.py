"""Convolution with any kernel, stride, dilation and groups, as matrix products of patches.

Gather the patch of x under each output pixel, X (pixels, kh * kw * C): then the trilinear form of
`minigrad.conv` is T(x, w, y) = <X W, Y>, and its partial adjoints are matrix products, ``Y = X W``,
``W = X^T Y`` and ``X = Y W^T``, the last one scattered (added) back to the pixels of x. This is the
method of K. Chellapilla, S. Puri and P. Simard, "High performance convolutional neural networks
for document processing", 2006; here X is made in blocks that never leave a core's cache.

The form is nearly symmetric: with stride 1, x and y exchange places when the kernel is reversed,
and a stride only splits x into phases (see `phases.py`). So the patches may also be taken from y.
The side with fewer channels makes the smaller patches: nine numbers a pixel for a grey image.
"""

import math

import numpy as np

from ..memory import empty
from .patches import blocks, buffer, gather, is_matrix, meet
from .phases import column_taps, folded, phases
from .pool import parallel, pieces

_SCATTER = 4  # adding a patch back costs about so much more than gathering it
_SMALL = 10**6  # multiplications: OpenBLAS is several times slower on larger skinny products
_PARTS = 16  # partial sums of a weight gradient: a fixed number, so that threads do not matter


# ---------------------------------------------------------------------- the triple
def conv_y(x, w, geometry):
    """See `minigrad.conv.conv_y`."""
    y = empty((len(x), *geometry.out, w.shape[3]), x.dtype)
    w = _by_group(w, geometry.groups)
    if w.shape[3] <= _SCATTER * w.shape[4]:
        _multiply(x, w, y, geometry)
        return y
    y[...] = 0
    x, w, geometry = folded(x, w, geometry)
    for pixels, taps, part in phases(geometry):
        _scatter(x[pixels], _reversed(w[taps]), y, part)
    return y


def conv_x(y, w, geometry):
    """See `minigrad.conv.conv_x`."""
    x = empty((len(y), *geometry.size, w.shape[2] * geometry.groups), y.dtype)
    w = _by_group(w, geometry.groups)
    if w.shape[4] > _SCATTER * w.shape[3]:
        x[...] = 0
        _scatter(y, w, x, geometry)
        return x
    view, w, geometry = folded(x, w, geometry)
    parts = phases(geometry)
    if len(parts) < math.prod(geometry.stride):  # some pixels meet no tap
        x[...] = 0
    for pixels, taps, part in parts:
        _multiply(y, _reversed(w[taps]), view[pixels], part)
    return x


def conv_w(x, y, geometry):
    """See `minigrad.conv.conv_w`."""
    groups, kernel = geometry.groups, geometry.kernel
    c, f = x.shape[3] // groups, y.shape[3] // groups
    if c <= f:
        w = _correlate(x, y, geometry)
    else:
        w = np.zeros((groups, *kernel, c, f), x.dtype)
        x, wide, unstrided = folded(x, w, geometry)
        for pixels, taps, part in phases(unstrided):
            _reversed(wide[taps])[...] = _correlate(y, x[pixels], part)
        if wide is not w:
            for j, (tap, channels) in enumerate(column_taps(geometry, c)):
                w[:, :, j] = wide[:, :, tap, channels]
    return w.transpose(1, 2, 3, 0, 4).reshape(*kernel, c, groups * f)


def _by_group(w, groups):
    """(kh, kw, C, groups * F) -> (groups, kh, kw, C, F)."""
    return w.reshape(*w.shape[:3], groups, -1).transpose(3, 0, 1, 2, 4)


def _reversed(w):
    """The kernel (groups, kh, kw, C, F) with x and y exchanged (a view)."""
    return w[:, ::-1, ::-1].transpose(0, 1, 2, 4, 3)


# ---------------------------------------------------------------------- the three products
def _multiply(x, w, y, geometry):
    """``Y = X W``, written to the array `y`."""
    groups, f = w.shape[0], w.shape[4]
    matrices = w.reshape(groups, -1, f)  # (kh * kw * C, F)

    def work(block):
        images, rows, k = block
        patches = gather(x, block, geometry)
        pixels = y[images, rows, :, k * f : (k + 1) * f]
        if is_matrix(pixels):
            patches, pixels = (a.reshape(-1, a.shape[3]) for a in (patches, pixels))
        np.matmul(patches, matrices[k], out=pixels)

    (p, q), size = geometry.out, matrices.shape[1]
    # pixels of y take space as well, but are only written
    parallel(work, blocks(len(x), p, q * max(size, f // 8), groups))


def _correlate(x, y, geometry):
    """``W = X^T Y``: (groups, kh, kw, C, F)."""
    groups, (p, q) = geometry.groups, geometry.out
    c, f = x.shape[3] // groups, y.shape[3] // groups
    size = math.prod(geometry.kernel) * c
    all_blocks = blocks(len(x), p, q * size)
    shares = pieces(len(all_blocks), -(-len(all_blocks) // _PARTS))
    sums = np.zeros((len(shares), groups, size, f), x.dtype)

    def work(part):
        share, k = part
        for images, rows, _ in all_blocks[shares[share]]:
            patches = gather(x, (images, rows, k), geometry)
            pixels = y[images, rows, :, k * f : (k + 1) * f]
            if size * f < q * (size + f):  # small sums: row by row, without copying y
                by_row = np.matmul(patches.transpose(0, 1, 3, 2), pixels)
                sums[share, k] += by_row.sum(axis=(0, 1))
            else:
                sums[share, k] += patches.reshape(-1, size).T @ pixels.reshape(-1, f)

    parallel(work, [(share, k) for share in range(len(shares)) for k in range(groups)])
    return sums.sum(axis=0).reshape(groups, *geometry.kernel, c, f)


def _scatter(y, w, x, geometry):
    """``X = Y W^T``, its patches added to the pixels of `x` that they come from."""
    groups, kh, kw, c, f = w.shape
    matrices = w.reshape(groups, -1, f)  # (kh * kw * C, F)
    (s, t), (d, e), ((top, _), (left, _)) = geometry.stride, geometry.dilation, geometry.pads
    (p, q), (height, width) = geometry.out, x.shape[1:3]

    def work(block):
        images, rows, k = block  # rows of x: every block owns its part of the sum
        first = max(0, -((kh * d - d - top - rows.start) // s))
        last = min(p, (rows.stop - 1 + top) // s + 1)
        if first >= last:
            return
        pixels = y[images, first:last, :, k * f : (k + 1) * f]
        patches = buffer("patches", pixels.shape[:3], (kh, kw, c), x.dtype)
        product = patches.reshape(*pixels.shape[:3], -1)
        if q * product.shape[3] * f > _SMALL:
            pixels, product = (a.reshape(-1, a.shape[3]) for a in (pixels, product))
        np.matmul(pixels, matrices[k].T, out=product)
        window = buffer("window", (len(patches), rows.stop - rows.start, width), (c,), x.dtype)
        window[...] = 0
        for i in range(kh):
            to_rows, from_rows = meet(first, last, s, i * d - top, rows.start, rows.stop)
            for j in range(kw):
                to, source = meet(0, q, t, j * e - left, 0, width)
                window[:, to_rows, to] += patches[:, from_rows, source, i, j]
        x[images, rows, :, k * c : (k + 1) * c] += window

    parallel(work, blocks(len(x), height, width * matrices.shape[1] // (s * t), groups))
