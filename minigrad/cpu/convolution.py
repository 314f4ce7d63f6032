"""Which kernel computes a convolution: Winograd, direct, or the reference for what neither takes.

Set ``minigrad.cpu.convolution.method`` to "direct" for results that are exact on integers, to
"winograd" to use it wherever it applies, or to "auto" (the default) for the measured rule below.
"""

import math

from ..backend import FLOATS
from ..engine import override, registry
from . import direct, winograd
from .blas import one_blas_thread

method = "auto"
_SMALL = 1 << 17  # multiplications: for fewer the reference takes less time than the preparations
_CHANNELS = 12  # with fewer in or out the transforms cost more than Winograd saves


def choose(geometry, n, c, f):
    """The module whose kernels take `n` images of `c` channels to `f`; None for the reference."""
    if method not in ("auto", "direct", "winograd"):
        raise ValueError(
            'minigrad.cpu.convolution.method must be "auto", "direct" or "winograd", '
            f"got {method!r}"
        )
    chosen = method
    if chosen == "auto":
        pixels = n * math.prod(geometry.out)
        if pixels * math.prod(geometry.kernel) * c // geometry.groups * f < _SMALL:
            return None
        filled = math.prod(p / (p + -p % 4) for p in geometry.out)  # of the 4x4 tiles
        chosen = "winograd" if min(c, f) * filled**2 >= _CHANNELS else "direct"
    return winograd if chosen == "winograd" and winograd.takes(geometry) else direct


def _register(name):
    reference = registry[name].forward

    def forward(a, b, geometry):
        c, f, fits = channels(name, a, b, geometry)
        module = choose(geometry, len(a), c, f) if fits else None
        if module is None:
            return one_blas_thread(reference, a, b, geometry)  # or the error that it raises
        return getattr(module, name)(a, b, geometry)

    override(name, "cpu")(forward)


def channels(name, a, b, geometry):
    """The channels of x and of y, and whether the fast kernels take these arrays."""
    n, g, kernel = a.shape[0], geometry.groups, geometry.kernel
    if name == "conv_w":
        c, f = a.shape[3], b.shape[3]
        expected = (n, *geometry.size, c), (n, *geometry.out, f)
    else:
        c, f = b.shape[2] * g, b.shape[3]
        image = (n, *geometry.size, c) if name == "conv_y" else (n, *geometry.out, f)
        expected = image, (*kernel, c // g, f)
    fits = (a.shape, b.shape) == expected and a.dtype == b.dtype and a.dtype in FLOATS
    return c, f, fits and a.size and b.size and c % g == f % g == 0


for _name in ("conv_y", "conv_x", "conv_w"):
    _register(_name)
