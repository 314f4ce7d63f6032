"""A strict double of CuPy: the library's own GPU code runs on the CPU, and its costs are counted.

::

    with device.installed() as cupy:          # minigrad now finds a GPU
        x = minigrad.tensor(a).to("cuda")
        with device.region() as used:         # SyncError where the host waits for the device
            step(x)
        assert used["launches"] <= 30

Arrays are `cupy.ndarray` to everybody who asks, kernels run in the simulator, and what CuPy 14.2
lacks, refuses, or answers with a hidden copy is an error here. What is counted is listed in
``ledger.py``, how memory changes hands is in ``memory.py``, and what a capture is in
``streams.py``, when two streams race in ``order.py``. Not modelled: time and rounding.
"""

import contextlib
import importlib
import sys

from simulator import Module

from . import ledger, memory, streams
from .ledger import CaptureError, DeviceError, ImplicitHostError, SyncError, counts, region
from .namespace import MODULES, ndarray
from .order import RaceError
from .streams import recorded

__all__ = [
    "CaptureError",
    "DeviceError",
    "ImplicitHostError",
    "RaceError",
    "SyncError",
    "counts",
    "installed",
    "ndarray",
    "recorded",
    "region",
]

_NOTHING = 'extern "C" __global__ void nothing(int* unused) {}'


def forget(launch):
    """Have the library ask again what it has asked of a device."""
    for function in vars(launch).values():
        if hasattr(function, "cache_clear"):
            function.cache_clear()


@contextlib.contextmanager
def installed():
    """The double as ``sys.modules["cupy"]``, with fresh counts, memory pool and launcher."""
    if "cupy" in sys.modules:
        raise RuntimeError("there is a cupy already: the double cannot take its place")
    Module(_NOTHING)  # without a compiler the library would be told that there is no GPU
    launch = importlib.import_module("minigrad.cuda.launch")  # the file, whatever has its name
    kept = dict(vars(launch.launcher))
    launch.launcher.__init__()  # nothing compiled, no counters in the memory of another device
    forget(launch)
    ledger.reset(), memory.reset(), streams.reset()
    sys.modules.update(MODULES)
    try:
        yield MODULES["cupy"]
    finally:
        for name in MODULES:
            sys.modules.pop(name, None)
        vars(launch.launcher).clear()
        vars(launch.launcher).update(kept)
        forget(launch)
        streams.reset()
