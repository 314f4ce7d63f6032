"""Winograd's tiles: from images to the 36 matrices of transformed tiles, and back to outputs.

Tiles of 4x4 outputs are made from tiles of 6x6 pixels that overlap by 2. Rows are transformed for
the full width of the image, columns tile by tile. Both are matrix products between strided views,
so there is no gather and no scatter, and blocks of tiles stay in a core's second-level cache.
"""

import numpy as np
from numpy.lib.stride_tricks import as_strided

from .pool import pieces, scratch

_CACHE = 5 << 20  # bytes of transformed inputs and outputs in a block
_TILES = 64  # but at least about so many tiles, so that the products with U are efficient


def blocks(n, out, bytes_per_value):
    """(images, tile rows): runs of whole images, or of tile rows of one image, that fit the cache.

    They depend on nothing but shapes: the same numbers come out for any number of threads.
    """
    rows, columns = -(-out[0] // 4), -(-out[1] // 4)
    tiles = max(_CACHE // (36 * bytes_per_value), _TILES)
    images = max(1, tiles // (rows * columns))
    images = -(-n // max(-(-n // images), min(n, 2)))  # equal shares, for two threads at least
    step = max(1, min(rows, tiles // columns))
    return [(i, t) for i in pieces(n, images) for t in pieces(rows, step)]


def input_tiles(x, block, corner, out, bt):
    """V = B^T d B of the 6x6 tiles d of the block: (36, tiles, C)."""
    images, tile_rows = block
    x, dtype = x[images], x.dtype
    (n, h, width, c), (top, left) = x.shape, corner
    t, columns = tile_rows.stop - tile_rows.start, -(-out[1] // 4)
    # Rows first, straight from the image: the transform of each run of 6 rows, full width.
    z = scratch("z", (n, t, 6, 4 * columns + 2, c), dtype)
    inside = min(width, z.shape[3] - left)
    z[:, :, :, :left] = z[:, :, :, left + inside :] = 0
    target = z[:, :, :, left : left + inside].reshape(n, t, 6, inside * c)
    for tiles, first, rows in _rows_inside(tile_rows, top, h):
        sn, sh = x.strides[:2]
        source = as_strided(
            x[:, max(first, 0) :],
            (n, tiles.stop - tiles.start, rows.stop - rows.start, inside * c),
            (sn, 4 * sh, sh, x.itemsize),
        )
        np.matmul(bt[:, rows], source, out=target[:, tiles])
    # Then columns: each tile's 6 of them, from where they lie to where the products want them.
    v = scratch("v", (6, 6, n, t, columns, c), dtype)
    sn, st, si, sj, sc = z.strides
    tiles = as_strided(z, (6, n, t, columns, 6, c), (si, sn, st, 4 * sj, sj, sc))
    np.matmul(bt, tiles, out=v.transpose(0, 2, 3, 4, 1, 5))
    return v.reshape(36, -1, c)


def _rows_inside(tile_rows, top, height):
    """Runs of tile rows that meet the image alike: (tile rows, first image row, rows inside)."""
    runs = []
    for t in range(tile_rows.start, tile_rows.stop):
        first, k = 4 * t - top, t - tile_rows.start
        rows = slice(max(0, -first), min(6, height - first))
        if runs and rows == runs[-1][2] == slice(0, 6):
            runs[-1] = slice(runs[-1][0].start, k + 1), runs[-1][1], rows
        else:
            runs.append((slice(k, k + 1), first, rows))
    return runs


def output_tiles(m, y, block, at):
    """The outputs A^T M A of the block's tiles, written to `y`; what lies outside is cut off."""
    m, strips, pairs = _strips(m, y, block)
    np.matmul(at, m, out=strips)
    for strip, pixels in pairs:
        np.matmul(at[: pixels.shape[-2]], strip, out=pixels)


def output_gradient(y, block, tiles, a):
    """The adjoint of `output_tiles`, A y A^T: (36, tiles, F)."""
    m = scratch("m", (36, tiles, y.shape[3]), y.dtype)
    target, strips, pairs = _strips(m, y, block)
    strips[:, :, :, -1, y.shape[2] % 4 or 4 :] = 0  # outside
    for strip, pixels in pairs:
        np.matmul(a[:, : pixels.shape[-2]], pixels, out=strip)
    np.matmul(a, strips, out=target)
    return m


def _strips(m, y, block):
    """Three views of a block between `m` (36, tiles, F) and `y`: m by columns (6, n, t, columns,
    6, F); the same tiles with rows done but columns not, (6, n, t, columns, 4, F), a buffer; and
    pairs of its rows (..., 6, Q * F) and the rows of y that they become (..., 4 or fewer, Q * F).
    """
    images, tile_rows = block
    y = y[images, 4 * tile_rows.start : 4 * tile_rows.stop]
    (n, p, q, f), t, columns = y.shape, tile_rows.stop - tile_rows.start, -(-y.shape[2] // 4)
    strips = scratch("strips", (n, t, 6, columns, 4, f), y.dtype)
    rows = strips.reshape(n, t, 6, columns * 4 * f)[..., : q * f]
    full, rest = divmod(p, 4)
    pairs = [(rows[:, :full], y[:, : 4 * full].reshape(n, full, 4, q * f))]
    if rest:
        pairs.append((rows[:, full], y[:, 4 * full :].reshape(n, rest, q * f)))
    m = m.reshape(6, 6, n, t, columns, f).transpose(0, 2, 3, 4, 1, 5)
    return m, strips.transpose(2, 0, 1, 3, 4, 5), pairs
