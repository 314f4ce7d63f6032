"""The only file that knows NumPy from CuPy.

Everything else asks here which array module an array belongs to. CuPy is never imported to answer:
an array can only be CuPy's if somebody has imported CuPy already.
"""

import sys

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


def own_copy(x, dtype=None):
    """A contiguous copy of the array `x`, which nobody else can change."""
    if _is_cupy(x):
        return x.astype(x.dtype if dtype is None else dtype, order="C", copy=True)
    copy = empty(x.shape, x.dtype if dtype is None else np.dtype(dtype))
    np.copyto(copy, x, casting="unsafe")
    return copy


def to_numpy(x):
    """The array `x` in main memory: itself on the CPU, a copy from the GPU."""
    return x.get() if _is_cupy(x) else x


def to_device(x, device):
    """The array `x` on `device` ("cpu" or "cuda"); itself when it is there already."""
    if device == "cpu":
        return to_numpy(x)
    if device == "cuda":
        return x if _is_cupy(x) else _import_cupy().asarray(x)
    raise ValueError(f'unknown device {device!r}: use "cpu" or "cuda"')


def _is_cupy(x):
    cupy = sys.modules.get("cupy")
    return cupy is not None and isinstance(x, cupy.ndarray)


def _import_cupy():
    try:
        import cupy  # here and not above: CPU users never pay for it

        cupy.cuda.runtime.getDeviceCount()
    except ImportError:
        raise RuntimeError(
            'device "cuda" needs CuPy, which is not installed: '
            'pip install cupy-cuda12x, or use device="cpu"'
        ) from None
    except Exception as error:
        raise RuntimeError(
            f'device "cuda" cannot be used, CuPy finds no working GPU ({error}): use device="cpu"'
        ) from None
    return cupy
