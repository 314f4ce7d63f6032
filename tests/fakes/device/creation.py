"""Making arrays, copying them from and to the host. `empty` is full of NaN: nobody wrote it."""

import numpy as np

from . import ledger, operations, streams
from .arrays import ndarray


def empty(shape, dtype=float, order="C"):
    return ndarray(shape, dtype, order=order)


def full(shape, fill_value, dtype=None, order="C"):
    dtype = np.asarray(fill_value).dtype if dtype is None else dtype
    return _filled(ndarray(shape, dtype, order=order), fill_value, "fill")


def zeros(shape, dtype=float, order="C"):
    return _filled(ndarray(shape, dtype, order=order), 0, "memset")


def ones(shape, dtype=float, order="C"):
    return _filled(ndarray(shape, dtype, order=order), 1, "fill")


def empty_like(prototype, dtype=None, order="K", subok=None, shape=None):
    x = prototype
    dtype = x.dtype if dtype is None else dtype
    if shape is not None:
        return ndarray(shape, dtype)
    like = np.empty_like(x._a, dtype, order)
    return ndarray(like.shape, dtype, strides=like.strides if like.size else None)


def zeros_like(a, dtype=None, order="K", subok=None, shape=None):
    return _filled(empty_like(a, dtype, order, subok, shape), 0, "memset")


def ones_like(a, dtype=None, order="K", subok=None, shape=None):
    return _filled(empty_like(a, dtype, order, subok, shape), 1, "fill")


def full_like(a, fill_value, dtype=None, order="K", subok=None, shape=None):
    return _filled(empty_like(a, dtype, order, subok, shape), fill_value, "fill")


def arange(start, stop=None, step=1, dtype=None):
    start, stop = (0, start) if stop is None else (start, stop)
    return _written("arange", np.arange(start, stop, step, dtype))


def linspace(start, stop, num=50, endpoint=True, retstep=False, dtype=None, axis=0):
    return _written("linspace", np.linspace(start, stop, num, endpoint, False, dtype, axis))


def eye(N, M=None, k=0, dtype=float, order="C"):
    return _written("eye", np.eye(N, M, k, dtype))


def array(obj, dtype=None, copy=True, order="K", subok=False, ndmin=0, *, blocking=False):
    """A copy of a device array, or of anything on the host that NumPy can make an array of."""
    if isinstance(obj, ndarray):
        dtype = obj.dtype if dtype is None else np.dtype(dtype)
        layout = "C" if order is None else order
        return operations.copied(
            obj, layout, layout, lambda x: np.array(x, dtype, copy=copy or None, order=order)
        )
    if isinstance(obj, list | tuple) and any(isinstance(v, ndarray) for v in obj):
        raise TypeError("array: a list of device arrays: use stack")
    values = np.array(obj, dtype, copy=True, order="C" if order is None else order, ndmin=ndmin)
    if not values.ndim:  # CuPy writes a single number by a kernel, which holds it
        return _filled(empty(values.shape, values.dtype), values.item(), "fill")
    streams.refuse_capture("a copy from the host")
    ledger.count("h2d")
    made = ndarray(values.shape, values.dtype)
    streams.use([made._allocation], "a copy from the host")
    np.copyto(made._a, values)
    return made


def asarray(a, dtype=None, order=None, *, copy=None, blocking=False):
    if isinstance(a, ndarray) and not copy:
        same = dtype is None or a.dtype == dtype
        return a if same and order in (None, "K", "A") else array(a, dtype, False, order)
    return array(a, dtype, True, order or "K")


def ascontiguousarray(a, dtype=None):
    made = asarray(a, dtype, "C")
    return made if made.ndim else made.reshape(1)  # as CuPy's, and NumPy's


def asfortranarray(a, dtype=None):
    return asarray(a, dtype, "F")


def asnumpy(a, stream=None, order="C", out=None, *, blocking=True):
    return a.get(stream, order, out) if isinstance(a, ndarray) else np.asarray(a, order=order)


def as_strided(x, shape=None, strides=None):
    """A view with any shape and strides; outside the memory of the block it is refused."""
    view = np.lib.stride_tricks.as_strided(x._a, shape, strides)
    if view.size:
        low, high = np.lib.array_utils.byte_bounds(view)
        start = x._allocation.block.buffer.ctypes.data
        if low < start or high > start + x._allocation.block.buffer.nbytes:
            raise ValueError(f"as_strided: {shape}, {strides} leaves the memory of the array")
    return x._view(view)


def _filled(x, value, name):
    if x.size:
        operations.fill(x, name, lambda: np.asarray(value))
    return x


def _written(name, values):
    made = ndarray(values.shape, values.dtype)
    if values.size:
        operations.fill(made, name, lambda: values)
    return made


CREATION = {
    f.__name__: f
    for f in (empty, full, zeros, ones, empty_like, zeros_like, ones_like, full_like, arange,
              linspace, eye, array, asarray, ascontiguousarray, asfortranarray, asnumpy)
}  # fmt: skip
