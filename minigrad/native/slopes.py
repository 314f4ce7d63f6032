"""The gate of a relu's gradient and the sums of a bias's, compiled, in one pass."""

import math

import numpy as np

from ..cpu.pool import parallel, pieces
from ..fused import slope_kernels, slopes_by_parts
from ..memory import empty
from .library import FLOAT, address, library, usable

_LARGE = 1 << 14  # elements: for fewer a call from Python costs more than it saves
_BLOCK = 1 << 17  # elements: the sums are of fixed blocks, so that threads do not matter


def slopes(g, y, activation):
    """See `minigrad.fused.slopes_by_parts`."""
    gated = activation == "relu"
    if g.size < _LARGE or not usable(g, y) or not (gated or activation is None) or g.ndim < 2:
        return slopes_by_parts(g, y, activation)
    f, rows = g.shape[-1], math.prod(g.shape[:-1])
    dz = empty(g.shape, FLOAT) if gated else g
    blocks = pieces(rows, max(64, _BLOCK // f))
    sums = np.empty((len(blocks), f), FLOAT)
    arrays = [a.reshape(rows, f) for a in (g, y, dz)]

    def work(k):
        a, b, out = (address(v[blocks[k]]) for v in arrays)
        n = blocks[k].stop - blocks[k].start
        library.gate_and_sum(a, b if gated else None, out, address(sums[k]), n, f)

    parallel(work, range(len(blocks)))
    return dz, sums.sum(axis=0)


slope_kernels["cpu"] = slopes
