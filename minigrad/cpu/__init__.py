"""Fast NumPy kernels: each replaces the forward function of a primitive, never a derivative.

`pool.py` has the threads (and `blas.py` stops BLAS from having its own), `memory.py` recycles big
arrays. `winograd.py` (with `tiles.py`) and `direct.py` (with `patches.py` and `phases.py`) are two
ways to convolve, `convolution.py` picks one. `linear.py` splits matrix products, `elementwise.py`
and `fused.py` the rest, `optim.py` the steps of optimizers.

>>> import minigrad.cpu
>>> minigrad.cpu.convolution.method = "direct"  # or "winograd", or "auto": the faster as measured
>>> minigrad.cpu.convolution.method = "auto"
"""

from .. import conv, losses, ops  # noqa: F401 (what is overridden must be there first)
from . import convolution, elementwise, fused, linear, optim  # noqa: F401 (they register)
from .capture import Captured
from .pool import get_num_threads, set_num_threads

__all__ = ["Captured", "convolution", "get_num_threads", "set_num_threads"]
