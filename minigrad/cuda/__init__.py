"""CUDA kernels for the GPU: each replaces the forward function of a primitive, not its derivative.

`launch.py` compiles and launches what lies in ``kernels/``: of ``x.cu`` the launches are in `x.py`.
`convolution.py` and `weight_gradient.py` (both with `tile.py`, and `direct.py` for a single
channel) and `matmul.py` have the products, `elementwise.py` and `reductions.py` the rest of a
training step, `adam.py` (called by `optim.py`) its last kernel; `rows.py` takes the batches and
`random.py` draws numbers. `capture.py` records a whole step as a CUDA graph.

>>> import minigrad.cuda
>>> usable, found = minigrad.cuda.status()  # found: in a sentence, the GPU or why there is none
>>> minigrad.cuda.precision = "tf32"  # of convolutions, see docs/gpu.md; captured steps keep theirs
>>> minigrad.cuda.precision = "auto"
"""

from .. import conv, fused, losses, ops  # noqa: F401 (what is overridden must be there first)
from ..gpu import status
from . import (  # noqa: F401 (they register the overrides)
    convolution,
    elementwise,
    matmul,
    optim,
    random,
    reductions,
    weight_gradient,
)
from .capture import Captured

precision = "auto"

__all__ = ["Captured", "status"]
