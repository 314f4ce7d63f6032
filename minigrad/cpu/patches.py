"""The patches of an image under output pixels, in buffers that fit a core's cache."""

from numpy.lib.stride_tricks import as_strided

from .pool import pieces, scratch

_CACHE = 1 << 17  # numbers in a block of patches
_FEW = 8  # channels: fewer are laid out plane by plane


def blocks(n, rows, numbers_per_row, groups=1):
    """(images, rows, group): runs of whole images, or of rows of one image, that fit the cache.

    They depend on nothing but shapes: the same numbers come out for any number of threads.
    """
    step = max(1, _CACHE // max(1, numbers_per_row))
    images = max(1, step // max(1, rows))
    return [(i, r, k) for i in pieces(n, images) for r in pieces(rows, step) for k in range(groups)]


def gather(x, block, geometry):
    """The patches of x under the block's output pixels: (n, p, q, kh * kw * C)."""
    (kh, kw), (s, t), (d, e) = geometry.kernel, geometry.stride, geometry.dilation
    window = _window(x, block, geometry)
    n, c, pixels = len(window), window.shape[3], (block[1].stop - block[1].start, geometry.out[1])
    sn, sh, sw, sc = window.strides
    patches = buffer("patches", (n, *pixels), (kh, kw, c), x.dtype)
    patches[...] = as_strided(window, patches.shape, (sn, s * sh, t * sw, d * sh, e * sw, sc))
    return patches.reshape(n, *pixels, -1)


def buffer(name, pixels, channels, dtype):
    """Scratch memory of shape ``(*pixels, *channels)``, kept as planes if the channels are few:
    then NumPy copies and adds longer runs."""
    if channels[-1] >= _FEW:
        return scratch(name, pixels + channels, dtype)
    planes, few = scratch(name, channels + pixels, dtype), len(channels)
    return planes.transpose(*range(few, planes.ndim), *range(few))


def _window(x, block, geometry):
    """The part of x that the block's output rows see, with zeros where there is no image."""
    images, rows, k = block
    (top, _), (left, _) = geometry.pads
    (kh, kw), (s, t), (d, e) = geometry.kernel, geometry.stride, geometry.dilation
    c, up = x.shape[3] // geometry.groups, rows.start * s - top
    height = (rows.stop - rows.start - 1) * s + (kh - 1) * d + 1
    width = (geometry.out[1] - 1) * t + (kw - 1) * e + 1
    a, b = (min(max(v, 0), x.shape[1]) for v in (up, up + height))
    start, stop = (min(max(v, 0), x.shape[2]) for v in (-left, width - left))
    inside = x[images, a:b, start:stop, k * c : (k + 1) * c]
    if inside.shape[1:3] == (height, width):
        return inside
    window = scratch("window", (len(inside), height, width, c), x.dtype)
    window[:, : a - up] = window[:, b - up :] = 0
    window[:, :, : start + left] = window[:, :, stop + left :] = 0
    window[:, a - up : b - up, start + left : stop + left] = inside
    return window


def meet(first, last, stride, offset, low, high):
    """The outputs k in [first, last) whose pixel ``k * stride + offset`` lies in [low, high): a
    slice of the pixels, counted from `low`, and one of the outputs, counted from `first`."""
    a = max(first, -((offset - low) // stride))
    b = max(a, min(last, (high - 1 - offset) // stride + 1))
    start = a * stride + offset - low
    return slice(start, start + (b - a) * stride, stride), slice(a - first, b - first)


def is_matrix(y):
    """Can `y` (n, p, q, f) be seen as (n * p * q, f) without a copy?"""
    n, p, q, _ = y.shape
    sn, sp, sq, sf = y.strides
    return sf == y.itemsize and (p == 1 or sp == q * sq) and (n == 1 or sn == p * q * sq)
