"""3x3 convolution with stride 1 by Winograd's algorithm, as batched matrix products.

Four outputs of a three-tap filter need 12 multiplications, but as the product of two polynomials
they need 6: evaluate both at 6 points, multiply there, interpolate (Toom and Cook). In matrices,
``y = A^T [(G w) * (B^T x)]``. Applied to rows and columns, F(4x4, 3x3) takes 36 multiplications
where the definition takes 144, and for many channels the multiplications become 36 matrix products
over channels: ``M[k] = V[k] U[k]``. Source: A. Lavin and S. Gray, "Fast algorithms for
convolutional neural networks", CVPR 2016.

The transforms are matrix products as well (see `tiles.py`). The points are 0, +-3/4, +-3/2 and
infinity: exact in binary, with entries nearer to 1 than those of the usual 0, +-1, +-2, which
halves the rounding error (on the choice of points: B. Barabasz et al., "Error analysis and
improving the accuracy of Winograd convolution for deep neural networks", 2020).
"""

import functools

import numpy as np

from ..memory import empty
from .blas import one_blas_thread
from .pool import parallel, pieces, scratch
from .tiles import blocks, input_tiles, output_gradient, output_tiles

POINTS = (0, 3 / 4, -3 / 4, 3 / 2, -3 / 2)  # and infinity
_PARTS = 16  # partial sums of a weight gradient: a fixed number, so that threads do not matter


@functools.cache
def matrices(dtype):
    """A^T (4, 6), B^T (6, 6) and G (6, 3) of F(4, 3) at `POINTS` and infinity."""
    points = np.array(POINTS)
    at, bt, g = np.zeros((4, 6)), np.zeros((6, 6)), np.zeros((6, 3))
    for i, p in enumerate(points):
        others = np.delete(points, i)
        at[:, i], g[i] = p ** np.arange(4), p ** np.arange(3) / np.prod(p - others)
        bt[i, :5] = np.poly(others)[::-1]
    at[3, 5], bt[5], g[5, 2] = 1, np.poly(points)[::-1], 1
    return at.astype(dtype), bt.astype(dtype), g.astype(dtype)


def takes(geometry):
    """Is this a convolution that the kernels of this file compute?"""
    return (
        geometry.kernel == (3, 3)
        and geometry.stride == geometry.dilation == (1, 1)
        and geometry.groups == 1
        and all(0 <= pad <= 2 for pads in geometry.pads for pad in pads)
    )


# ---------------------------------------------------------------------- the triple
def conv_y(x, w, geometry, matrices=matrices):
    """See `minigrad.conv.conv_y`."""
    (top, _), (left, _) = geometry.pads
    return _convolve(x, w, (top, left), geometry.out, *matrices(x.dtype))


def conv_x(y, w, geometry, matrices=matrices):
    """See `minigrad.conv.conv_x`: with stride 1 it is convolution by the reversed kernel."""
    (top, _), (left, _) = geometry.pads
    reversed_w = w[::-1, ::-1].transpose(0, 1, 3, 2)
    return _convolve(y, reversed_w, (2 - top, 2 - left), geometry.size, *matrices(y.dtype))


def _convolve(x, w, corner, out, at, bt, g):
    y, x = empty((len(x), *out, w.shape[3]), x.dtype), np.ascontiguousarray(x)
    one_blas_thread(_tile_by_tile, x, w, y, corner, at, bt, g)
    return y


def _tile_by_tile(x, w, y, corner, at, bt, g):
    c, f, out = x.shape[3], w.shape[3], y.shape[1:3]
    u = np.matmul(g, np.matmul(g, w.reshape(3, -1)).reshape(6, 3, -1)).reshape(36, c, f)

    def work(block):
        v = input_tiles(x, block, corner, out, bt)
        m = scratch("m", (36, v.shape[1], f), x.dtype)
        np.matmul(v, u, out=m)
        output_tiles(m, y, block, at)

    parallel(work, blocks(len(x), out, (c + f) * x.itemsize))


def conv_w(x, y, geometry, matrices=matrices):
    """See `minigrad.conv.conv_w`: the adjoint of the same products, ``dU[k] = V[k]^T dM[k]``."""
    (top, _), (left, _) = geometry.pads
    c, f = x.shape[3], y.shape[3]
    x, y = np.ascontiguousarray(x), np.ascontiguousarray(y)
    all_blocks = blocks(x.shape[0], geometry.out, (c + f) * x.itemsize)
    shares = pieces(len(all_blocks), -(-len(all_blocks) // _PARTS))
    parts = np.empty((len(shares), 3, 3, c * f), x.dtype)
    at, bt, g = matrices(x.dtype)

    def work(share):
        total = scratch("du", (36, c, f), x.dtype)
        for k, block in enumerate(all_blocks[shares[share]]):
            v = input_tiles(x, block, (top, left), geometry.out, bt)
            m = output_gradient(y, block, v.shape[1], at.T)
            du = scratch("du of a block", (36, c, f), x.dtype) if k else total
            np.matmul(v.transpose(0, 2, 1), m, out=du)
            if k:
                total += du
        half = np.matmul(g.T, total.reshape(6, 6, -1))  # columns: (6, 3, C * F)
        np.matmul(g.T, half.reshape(6, -1), out=parts[share].reshape(3, -1))

    parallel(work, range(len(shares)))
    return parts.sum(axis=0).reshape(3, 3, c, f)


def error_bound(kernel, a, b, geometry):
    """How far each number of ``kernel(a, b, geometry)``, one of the triple, can be from its exact
    value: the same sums of absolute values, times (1 + u)^k - 1 for the k roundings that a term
    passes through at most. (N. Higham, "Accuracy and Stability of Numerical Algorithms", ch. 3.)
    """
    if kernel is conv_w:
        tiles = a.shape[0] * -(-geometry.out[0] // 4) * -(-geometry.out[1] // 4)
        roundings = 6 + 6 + 4 + 4 + tiles + 6 + 6 + 2  # B^T x B, A y A^T, products, G^T dU G
    else:
        roundings = 6 + 6 + 3 + 3 + 2 + a.shape[3] + 6 + 6  # B^T x B, G w G^T, products, A^T M A
    sizes = [np.abs(v.astype(np.float64)) for v in (a, b)]
    total = kernel(*sizes, geometry, lambda dtype: [np.abs(m) for m in matrices(dtype)])
    return np.expm1(roundings * np.log1p(np.finfo(a.dtype).eps / 2)) * total
