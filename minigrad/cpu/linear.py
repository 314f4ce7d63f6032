"""Matrix products of large arrays, and sums over all axes but the last, split over the pool.

Small arrays go the plain way at once: handing work to threads costs more than they do. A product
is split along its longest axis. Along the summed axis that makes partial sums, of fixed pieces and
added in a fixed order, so the result does not depend on the number of threads.
"""

import numpy as np

from ..backend import FLOATS
from ..engine import override, registry
from ..memory import empty
from .blas import one_blas_thread
from .pool import parallel, pieces

_SERIAL = 1 << 13  # multiplications: below OpenBLAS uses one thread by itself
_PARALLEL = 1 << 25  # multiplications: below, it takes longer to wake a thread than to do its share
_LARGE = 1 << 18  # elements: the same for sums
_BLOCK = 1 << 17  # elements summed at a time
_PIECES, _SHORTEST = 16, 128  # of a split axis: how many at most, how long at least


@override("matmul", "cpu")
def matmul(a, b):
    """See `minigrad.ops.matmul`."""
    work = a.size * b.shape[-1]
    if work < _SERIAL:
        return np.matmul(a, b)
    plain = a.ndim == b.ndim == 2 and a.shape[1] == b.shape[0] and a.dtype == b.dtype
    if not plain or work < _PARALLEL or a.dtype not in FLOATS:
        return one_blas_thread(np.matmul, a, b)
    (m, k), n = a.shape, b.shape[1]
    y = empty((m, n), a.dtype)
    if k > 8 * max(m, n):
        parts = _pieces(k)
        sums = empty((len(parts), m, n), a.dtype)
        parallel(lambda i: np.matmul(a[:, parts[i]], b[parts[i]], out=sums[i]), range(len(parts)))
        sums.sum(axis=0, out=y)
    elif m >= n:
        parallel(lambda rows: np.matmul(a[rows], b, out=y[rows]), _pieces(m))
    else:
        parallel(lambda columns: np.matmul(a, b[:, columns], out=y[:, columns]), _pieces(n))
    return y


def _pieces(length):
    return pieces(length, max(_SHORTEST, -(-length // _PIECES)))


@override("sum_to", "cpu")
def sum_to(x, shape):
    """See `minigrad.shapes.sum_to`: the sum over all axes but the last, a bias's gradient, as
    products with ones, which are up to three times as fast as NumPy's sum."""
    if x.size < _LARGE or not (
        x.flags.c_contiguous and x.dtype in FLOATS and shape == x.shape[-1:]
    ):
        if x.ndim == 2 and shape == x.shape[1:]:  # as the reference, which asks for more
            return np.add.reduce(x, axis=0)
        return registry["sum_to"].forward(x, shape)
    pixels = x.reshape(-1, *shape)
    blocks = pieces(len(pixels), max(1, _BLOCK // shape[0]))
    ones, sums = np.ones(blocks[0].stop, x.dtype), np.empty((len(blocks), *shape), x.dtype)

    def work(k):
        rows = pixels[blocks[k]]
        np.matmul(ones[: len(rows)], rows, out=sums[k])

    parallel(work, range(len(blocks)))
    return sums.sum(axis=0)


@override("sum", "cpu")
def sum(x, axis=None, keepdims=False):
    """See `minigrad.ops.sum`: what ``x.sum`` calls in the end."""
    if type(x) is not np.ndarray:
        return registry["sum"].forward(x, axis, keepdims)
    return np.add.reduce(x, axis, None, None, keepdims)
