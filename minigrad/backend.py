"""The only file that knows NumPy from CuPy.

Everything else asks here which array module an array belongs to. CuPy is never imported to answer:
an array can only be CuPy's if somebody has imported CuPy already.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import numpy as np

from . import gpu
from .memory import empty

if TYPE_CHECKING:
    from numpy.typing import DTypeLike
    from typing_extensions import TypeIs

# of NumPy, or of CuPy, which type checkers know nothing of
Array: TypeAlias = "np.ndarray[tuple[Any, ...], np.dtype[Any]]"
X = TypeVar("X")

FLOATS = (np.dtype(np.float32), np.dtype(np.float64))


def is_array(x: object) -> TypeIs[Array]:
    """True for a NumPy or CuPy array (scalars, lists and Tensors are not arrays)."""
    return isinstance(x, np.ndarray) or ("cupy" in sys.modules and _is_cupy(x))


def device_of(x: object) -> str:
    """The device that holds an array: ``"cpu"`` or ``"cuda"``.

    >>> device_of(np.zeros(3))
    'cpu'
    """
    return "cuda" if _is_cupy(x) else "cpu"


def any_cuda(values: Iterable[object]) -> bool:
    """True if any of `values` is a CuPy array."""
    return "cupy" in sys.modules and any(_is_cupy(v) for v in values)


def array_module(x: object) -> Any:
    """The module (``numpy`` or ``cupy``) whose functions work on the array `x`."""
    return sys.modules["cupy"] if _is_cupy(x) else np


def as_array(x: Any) -> Array:
    """`x` as an array of its own module: NumPy's scalars become 0-d arrays."""
    return x if is_array(x) else np.asarray(x)


def type_name(x: object) -> str:
    """The name of the type of `x`, with its package where it is not Python's own.

    >>> type_name({}), type_name(np.float32(1))
    ('dict', 'numpy.float32')
    """
    package = type(x).__module__.partition(".")[0]
    return type(x).__name__ if package == "builtins" else f"{package}.{type(x).__name__}"


def plain(x: X) -> X:
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
    noted = getattr(x, "noted", None)  # see ``tape/watched.py``
    return x.view(np.ndarray) if noted is None else noted  # type: ignore[return-value]


def own_copy(x: Array, dtype: DTypeLike | None = None) -> Array:
    """A contiguous copy of the array `x`, which nobody else can change."""
    x = x if type(x) is np.ndarray else plain(x)
    if _is_cupy(x):
        return x.astype(x.dtype if dtype is None else dtype, order="C", copy=True)
    copy = empty(x.shape, x.dtype if dtype is None else np.dtype(dtype))
    np.copyto(copy, x, casting="unsafe")
    return copy


def to_numpy(x: Any) -> Array:
    """The array `x` in main memory: itself on the CPU, a copy from the GPU."""
    return x.get() if _is_cupy(x) else x


def fetch(scalars: Sequence[Array]) -> list[Any]:
    """0-d arrays, all on one device, as a list of Python's numbers: from the GPU in one copy."""
    if not any_cuda(scalars):
        return [x.item() for x in scalars]
    xp = array_module(scalars[0])
    return xp.stack([x.astype(np.float64) for x in scalars]).get().tolist()


def to_device(x: Any, device: str) -> Array:
    """The array `x` on `device` ("cpu" or "cuda"); itself when it is there already."""
    if device == "cpu":
        return to_numpy(x)
    if device == "cuda":
        return x if _is_cupy(x) else _cupy().asarray(x)
    raise ValueError(f'unknown device {device!r}: use "cpu" or "cuda"')


def share_memory(a: Array, b: Array) -> bool:
    """Whether two arrays of one device may lie in the same memory."""
    if _is_cupy(a):
        return a.data.mem is b.data.mem  # type: ignore[attr-defined]
    return np.may_share_memory(a, b)


def is_capturing(x: object) -> bool:
    """Whether the array `x` is on a GPU whose current stream is recording a CUDA graph, which
    neither waits nor copies to main memory."""
    return _is_cupy(x) and sys.modules["cupy"].cuda.get_current_stream().is_capturing()


def _is_cupy(x: object) -> bool:
    cupy = sys.modules.get("cupy")
    return cupy is not None and isinstance(x, cupy.ndarray)


def _cupy() -> Any:
    cupy = sys.modules.get("cupy")
    if cupy is None or not gpu.is_proven(cupy):
        usable, found = gpu.status()
        if not usable:
            raise RuntimeError(f'device "cuda" cannot be used: {found}. Use device="cpu"')
    return sys.modules["cupy"]
