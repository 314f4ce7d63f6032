"""Binary cross-entropy of logits and its slope, block by block, compiled."""

import numpy as np

from ..cpu.elementwise import compiled
from .library import address, library, usable


def _loss(in_numpy, x, t, out):
    if usable(x, t, out) and x.size == t.size == out.size:
        library.bernoulli_nll(address(x), address(t), address(out), out.size)
    else:
        in_numpy(x, t, out=out)


def _slope(in_numpy, s, x, t, out):
    single = np.ndim(s) == 0
    arrays = (x, t, out) if single else (s, x, t, out)
    if usable(*arrays) and all(a.size == out.size for a in arrays):
        s, number = (None, s) if single else (address(s), 0)
        library.bernoulli_slope(s, number, address(x), address(t), address(out), out.size)
    else:
        in_numpy(s, x, t, out=out)


compiled |= {"bernoulli_nll_of_logits": _loss, "bernoulli_slope": _slope}
