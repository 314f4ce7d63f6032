"""The double of `cupy.ndarray`: its memory, its attributes, and every way back to the host.

Not a subclass of NumPy's: NumPy must not be able to look inside. The values lie in `_a`, a NumPy
array over a block of device memory; only this package touches it. What CuPy answers with a hidden
copy or a wait for the device is counted, and what it refuses is refused with a sentence. The
operators and the other methods are put on the class in ``methods.py``.
"""

import math

import numpy as np

from . import ledger, memory, streams
from .names import lacks


class Flags:
    """CuPy's flags: there is no ``writeable``."""

    def __init__(self, array):
        flags = array._a.flags
        self.c_contiguous, self.f_contiguous = flags.c_contiguous, flags.f_contiguous
        self.fnc, self.forc = flags.fnc, flags.forc
        self.owndata = array.base is None

    def __getitem__(self, name):
        return getattr(self, {"C_CONTIGUOUS": "c_contiguous", "F_CONTIGUOUS": "f_contiguous",
                              "OWNDATA": "owndata"}[name])  # fmt: skip


def _on_host(name, convert):
    def method(self):
        streams.sync(name, allocations=[self._allocation])
        return convert(self._a)

    return method


class ndarray:
    """``ndarray(shape, dtype)`` is unwritten memory, as in CuPy; `memptr` places it in a block."""

    __slots__ = ("__weakref__", "_a", "_allocation", "_offset", "base")
    __array_priority__ = 100
    __hash__ = None

    def __init__(self, shape, dtype=float, memptr=None, strides=None, order="C"):
        shape = (int(shape),) if isinstance(shape, int | np.integer) else tuple(map(int, shape))
        dtype = np.dtype(dtype)
        if dtype.kind not in "biufc":
            raise TypeError(f"CuPy has no arrays of {dtype}")
        memptr = memptr or memory.alloc(math.prod(shape) * dtype.itemsize)
        buffer = memptr.mem.block.buffer
        self._a = np.ndarray(shape, dtype, buffer, memptr._offset, strides, order)
        self._allocation = memptr.mem
        self.base = None

    def _view(self, values):
        """An array on the same memory; `values` is a view of this one's."""
        view = ndarray.__new__(ndarray)
        view._a, view._allocation = values, self._allocation
        view.base = self if self.base is None else self.base
        return view

    shape = property(lambda self: self._a.shape)
    dtype = property(lambda self: self._a.dtype)
    ndim = property(lambda self: self._a.ndim)
    size = property(lambda self: self._a.size)
    strides = property(lambda self: self._a.strides)
    nbytes = property(lambda self: self._a.nbytes)
    itemsize = property(lambda self: self._a.itemsize)
    flags = property(Flags)
    T = property(lambda self: self._view(self._a.T))
    mT = property(lambda self: self._view(self._a.mT))

    @property
    def data(self):
        start = self._allocation.block.buffer.ctypes.data
        return memory.MemoryPointer(self._allocation, self._a.ctypes.data - start)

    @property
    def device(self):
        from .namespace import Device  # built from this class

        return Device(self._allocation.block.device)

    def __getattr__(self, name):
        raise AttributeError(lacks("cupy.ndarray", name))

    # ------------------------------------------------------------------ back to the host
    def __array__(self, *args, **options):
        raise ledger.ImplicitHostError(
            f"a {self.shape} {self.dtype} device array would be converted to NumPy in silence: "
            "use .get(), or the array module of the array instead of numpy"
        )

    __float__ = _on_host("float", float)
    __int__ = _on_host("int", int)
    __bool__ = _on_host("bool", bool)
    __complex__ = _on_host("complex", complex)
    __repr__ = _on_host("print", repr)
    __str__ = _on_host("print", str)
    item = _on_host("item", lambda values: values.item())
    tolist = _on_host("tolist", lambda values: values.tolist())
    tobytes = _on_host("tobytes", lambda values: values.tobytes())

    def __format__(self, how):
        streams.sync("print", allocations=[self._allocation])
        return format(self._a if self.ndim else self._a[()], how)

    def get(self, stream=None, order="C", out=None, blocking=True):
        """A copy in main memory."""
        streams.sync("get", stream, [self._allocation])
        ledger.count("d2h")
        if out is None:
            return np.array(self._a, order=order, copy=True)
        np.copyto(out, self._a, casting="no")
        return out

    def set(self, arr, stream=None):
        """Copy a NumPy array of the same shape and dtype to the device."""
        streams.refuse_capture("a copy from the host")
        if not isinstance(arr, np.ndarray):
            raise TypeError("only numpy.ndarray can be set to cupy.ndarray")
        if (arr.shape, arr.dtype) != (self.shape, self.dtype):
            raise ValueError(f"set: a {arr.shape} {arr.dtype} array for {self.shape}")
        ledger.count("h2d")
        streams.use([self._allocation], "set")
        np.copyto(self._a, arr)

    def __reduce__(self):
        from .creation import array

        return array, (self.get(),)

    # ------------------------------------------------------------------ Python
    def __len__(self):
        if not self.ndim:
            raise TypeError("len() of unsized object")
        return self.shape[0]

    def __iter__(self):
        return (self[i] for i in range(len(self)))


def check_operand(x, what):
    """Raise unless `x` is something that a CuPy function takes beside device arrays."""
    if isinstance(x, np.ndarray):
        raise ledger.ImplicitHostError(
            f"{what}: a {x.shape} {x.dtype} NumPy array beside device arrays: "
            "copy it to the device once, with cupy.asarray"
        )
    if not isinstance(x, ndarray) and hasattr(x, "__array__") and not isinstance(x, np.generic):
        raise TypeError(f"{what}: unsupported type {type(x)}")
