"""Running a NumPy function on device memory as if it were a kernel.

A result that lies in the memory of an operand is a view and costs nothing. Any other goes to memory
from the allocator in force, C-contiguous as CuPy's results are, and is one launch on the current
stream. To know the shape of a result the function is run once on what lies in the memory, also
while a stream captures; then the values are thrown away, and computed again by the graph.
"""

import numpy as np

from . import ledger, streams
from .arrays import check_operand, ndarray


def apply(name, function, args, options):
    """``function(*args, **options)`` on the device; arrays in and out are doubles."""
    out = options.pop("out", None)
    if isinstance(out, tuple):
        (out,) = out
    arrays = []
    args = tuple(_values(a, name, arrays) for a in args)
    options = {k: v if k == "dtype" else _values(v, name, arrays) for k, v in options.items()}
    if not arrays:
        raise TypeError(f"{name}: expected a device array, got {[type(a) for a in args]}")
    if out is not None:
        return _into(out, name, lambda **o: function(*args, **options, **o), arrays)
    with np.errstate(all="ignore"):
        result = function(*args, **options)
    if isinstance(result, list | tuple):
        made = [_wrap(r, name, lambda i=i: function(*args, **options)[i], arrays)
                for i, r in enumerate(result)]  # fmt: skip
        return type(result)(made) if type(result) in (list, tuple) else tuple(made)
    return _wrap(result, name, lambda: function(*args, **options), arrays)


def _values(x, name, arrays):
    """What NumPy works on in the place of the operand `x`; `arrays` gathers the doubles."""
    if isinstance(x, ndarray):
        arrays.append(x)
        return x._a
    if isinstance(x, list | tuple):
        return type(x)(_values(v, name, arrays) for v in x)
    check_operand(x, name)
    return x


def _into(out, name, function, arrays):
    if not isinstance(out, ndarray):
        raise ledger.ImplicitHostError(f"{name}: out must be a device array, got {type(out)}")
    streams.submit(name, lambda: function(out=out._a), _memory([*arrays, out]))
    return out


def _wrap(result, name, function, arrays):
    result = np.asarray(result)
    for x in arrays:
        if result is x._a:
            return x
        if np.may_share_memory(result, x._allocation.block.buffer):
            return x._view(_writable(result, x))
    out = ndarray(result.shape, result.dtype)
    if result.size:
        fill(out, name, function, arrays, result)
    return out


def _writable(view, x):
    """NumPy protects what `broadcast_to` repeats, CuPy does not."""
    if view.flags.writeable:
        return view
    buffer = x._allocation.block.buffer
    offset = view.ctypes.data - buffer.ctypes.data
    return np.ndarray(view.shape, view.dtype, buffer, offset, view.strides)


def fill(out, name, function, arrays=(), result=None):
    """Launch the kernel that writes ``function()`` to `out`; `result` is its value, if known."""
    values = out._a

    def body():
        np.copyto(values, function(), casting="unsafe")

    def now():
        np.copyto(values, result, casting="unsafe")

    known = result is not None and not streams.capturing()
    streams.submit(name, now if known else body, _memory([*arrays, out]))
    return out


def copied(x, name, layout, function):
    """A copy of `x` by `function`, whose memory layout is NumPy's for `layout`."""
    result = function(x._a)
    if result is x._a:
        return x
    order = "F" if result.flags.f_contiguous and not result.flags.c_contiguous else "C"
    strides = result.strides if layout == "K" and result.size else None
    out = ndarray(result.shape, result.dtype, strides=strides, order=order)
    values = x._a
    return fill(out, name, lambda: function(values), [x], result) if result.size else out


def _memory(arrays):
    return [x._allocation for x in arrays]
