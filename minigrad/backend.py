"""The only file that knows NumPy from CuPy.

Everything else asks here which array module an array belongs to. CuPy is never imported to answer:
an array can only be CuPy's if somebody has imported CuPy already.
"""

import sys
import warnings

import numpy as np

from .memory import empty

FLOATS = (np.dtype(np.float32), np.dtype(np.float64))


def is_array(x):
    """True for a NumPy or CuPy array (scalars, lists and Tensors are not arrays)."""
    return isinstance(x, np.ndarray) or ("cupy" in sys.modules and _is_cupy(x))


def device_of(x):
    """The device that holds an array: ``"cpu"`` or ``"cuda"``.

    >>> device_of(np.zeros(3))
    'cpu'
    """
    return "cuda" if _is_cupy(x) else "cpu"


def any_cuda(values):
    """True if any of `values` is a CuPy array."""
    return "cupy" in sys.modules and any(_is_cupy(v) for v in values)


def array_module(x):
    """The module (``numpy`` or ``cupy``) whose functions work on the array `x`."""
    return sys.modules["cupy"] if _is_cupy(x) else np


def as_array(x):
    """`x` as an array of its own module: NumPy's scalars become 0-d arrays."""
    return x if is_array(x) else np.asarray(x)


def type_name(x):
    """The name of the type of `x`, with its package where it is not Python's own.

    >>> type_name({}), type_name(np.float32(1))
    ('dict', 'numpy.float32')
    """
    package = type(x).__module__.partition(".")[0]
    return type(x).__name__ if package == "builtins" else f"{package}.{type(x).__name__}"


def plain(x):
    """`x`, but as a plain array where it is of a subclass such as np.matrix or np.memmap, whose
    operators may mean something else. Masked arrays, whose mask a gradient would ignore, raise
    TypeError."""
    if type(x) is np.ndarray or not isinstance(x, np.ndarray) or _is_cupy(x):
        return x
    if isinstance(x, np.ma.MaskedArray):
        raise TypeError(
            f"a {x.shape} masked array: its mask has no meaning for a gradient. Use where(mask, "
            "...) with x.filled(...) and x.mask instead"
        )
    return x.view(np.ndarray)


def own_copy(x, dtype=None):
    """A contiguous copy of the array `x`, which nobody else can change."""
    x = x if type(x) is np.ndarray else plain(x)
    if _is_cupy(x):
        return x.astype(x.dtype if dtype is None else dtype, order="C", copy=True)
    copy = empty(x.shape, x.dtype if dtype is None else np.dtype(dtype))
    np.copyto(copy, x, casting="unsafe")
    return copy


def to_numpy(x):
    """The array `x` in main memory: itself on the CPU, a copy from the GPU."""
    return x.get() if _is_cupy(x) else x


def fetch(scalars):
    """0-d arrays, all on one device, as a list of Python's numbers: from the GPU in one copy."""
    if not any_cuda(scalars):
        return [x.item() for x in scalars]
    xp = array_module(scalars[0])
    return xp.stack([x.astype(np.float64) for x in scalars]).get().tolist()


def to_device(x, device):
    """The array `x` on `device` ("cpu" or "cuda"); itself when it is there already."""
    if device == "cpu":
        return to_numpy(x)
    if device == "cuda":
        return x if _is_cupy(x) else _cupy().asarray(x)
    raise ValueError(f'unknown device {device!r}: use "cpu" or "cuda"')


def gpu_status():
    """Whether device "cuda" can be used here and, in a sentence, what was found: (bool, str).

    CuPy is imported to find out, and a small kernel compiled and run: CuPy itself says that a GPU
    is available when the driver is there but the compiler is not. Nothing is printed or raised.
    Ask only where a GPU is wanted: CUDA, once begun, does not survive a fork.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import cupy  # here and not above: CPU users never pay for it
        if _proven.get("cupy") is not cupy:
            if not cupy.is_available():
                return False, "CuPy finds no CUDA driver or no GPU"
            kernel = cupy.RawModule(code=_PROBE).get_function("probe")
            answer = cupy.zeros(1, np.int32)
            kernel((1,), (1,), (answer,))
            if int(answer[0]) != 42:
                return False, "a small test kernel gave a wrong answer"
            _proven["cupy"] = cupy
        name = cupy.cuda.runtime.getDeviceProperties(0)["name"]
        return True, f"the GPU is a {name.decode()}"
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


_proven = {}  # the CuPy module that has passed the probe
_PROBE = 'extern "C" __global__ void probe(int* answer) { answer[0] = 42; }'


def _is_cupy(x):
    cupy = sys.modules.get("cupy")
    return cupy is not None and isinstance(x, cupy.ndarray)


def _cupy():
    cupy = sys.modules.get("cupy")
    if cupy is None or _proven.get("cupy") is not cupy:
        usable, found = gpu_status()
        if not usable:
            raise RuntimeError(f'device "cuda" cannot be used: {found}. Use device="cpu"')
    return sys.modules["cupy"]
