"""Whether a GPU can be used here and, where not, why: in a sentence that says what to do."""

from __future__ import annotations

import os
import warnings
from typing import Any

OLDEST = (7, 5)  # the compute capability of Turing: what the kernels are compiled and tried for

_proven: dict[str, Any] = {}  # "cupy": the module that has passed the probe; "process": in which
_PROBE = 'extern "C" __global__ void probe(int* answer) { answer[0] = 42; }'


def is_proven(cupy: Any) -> bool:
    """Whether this process has seen the module `cupy` work."""
    return _proven.get("cupy") is cupy and _proven["process"] == os.getpid()


def status() -> tuple[bool, str]:
    """Whether device "cuda" can be used here and, in a sentence, what was found: (bool, str).

    CuPy is imported to find out, and a small kernel compiled and run: CuPy itself says that a GPU
    is available when the driver is there but the compiler is not. Nothing is printed or raised.
    Ask only where a GPU is wanted: CUDA, once begun, does not survive a fork.

    Returns
    -------
    usable, found : bool, str
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import cupy  # here and not above: CPU users never pay for it
        found = None if is_proven(cupy) else _obstacle(cupy)
        if found:
            return False, found
        _proven.update(cupy=cupy, process=os.getpid())
        return True, f"the GPU is a {_properties(cupy)['name'].decode()}"
    except ModuleNotFoundError as error:
        if error.name != "cupy":  # something that CuPy needs
            return False, f"CuPy does not work here ({error})"
        return False, (
            'CuPy is not installed (pip install "cupy-cuda13x[ctk]", or 12x for older drivers)'
        )
    except Exception as error:  # of the driver, the compiler, the libraries they load
        lines = (line.strip() for line in str(error).splitlines())
        first = next((line for line in lines if line.strip("=")), "")  # CuPy draws lines, too
        return False, f"CuPy does not work here ({type(error).__name__}: {first})"


def _obstacle(cupy: Any) -> str | None:
    """Why the module `cupy` cannot be used, or None."""
    if _proven.get("cupy") is cupy:
        return (
            "this process was forked from one that used the GPU, which CUDA does not survive; "
            "start processes by multiprocessing's 'spawn', or joblib's loky"
        )
    driver = cupy.cuda.runtime.driverGetVersion()  # 12040 for CUDA 12.4, 0 without a driver
    built = cupy.cuda.runtime.runtimeGetVersion()
    if not driver:
        return "there is no NVIDIA driver"
    if driver // 1000 < built // 1000:
        return (
            f"the NVIDIA driver knows CUDA up to {driver // 1000}.{driver % 1000 // 10}, and this "
            f"CuPy is for CUDA {built // 1000}; update the driver, or install "
            f"cupy-cuda{driver // 1000}x in its place"
        )
    if not cupy.is_available():
        return "the NVIDIA driver finds no GPU (look at nvidia-smi and CUDA_VISIBLE_DEVICES)"
    properties = _properties(cupy)
    capability = properties["major"], properties["minor"]
    if capability < OLDEST:
        return (
            f"the {properties['name'].decode()} has compute capability {capability[0]}."
            f"{capability[1]}, and {OLDEST[0]}.{OLDEST[1]} is needed, that of the Turing "
            "generation of 2018"
        )
    kernel = cupy.RawModule(code=_PROBE).get_function("probe")
    answer = cupy.zeros(1, "int32")
    kernel((1,), (1,), (answer,))
    return None if int(answer[0]) == 42 else "a small test kernel gave a wrong answer"


def _properties(cupy: Any) -> dict[str, Any]:
    return cupy.cuda.runtime.getDeviceProperties(cupy.cuda.runtime.getDevice())
