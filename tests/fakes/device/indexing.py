"""``x[index]``, ``x[index] = v`` and ``add.at``, with CuPy's traps made visible.

A list or NumPy array as an index is copied to the device at every use: refused. A mask makes the
host wait until it is known how many elements it selects: counted. Numbers outside the array wrap
silently in CuPy, and assigning different values to one element has no defined result: refused.
"""

import numpy as np

from . import ledger, operations, streams
from .arrays import check_operand, ndarray


def _plain(index, arrays):
    """`index` as NumPy understands it; `arrays` gathers its device arrays."""
    parts = index if isinstance(index, tuple) else (index,)
    for part in parts:
        if isinstance(part, list | np.ndarray | bool | np.bool_):
            raise ledger.ImplicitHostError(
                "the index is on the host, CuPy would copy it to the device at every use: "
                "move it there once, with cupy.asarray"
            )
        if isinstance(part, ndarray):
            if part.dtype.kind not in "biu":
                raise IndexError("arrays used as indices must be of integer or boolean type")
            if part.dtype.kind == "b":
                streams.refuse_capture("indexing with a mask")
                streams.sync("mask")
            arrays.append(part)
    plain = tuple(part._a if isinstance(part, ndarray) else part for part in parts)
    if any(part is Ellipsis for part in plain):
        return plain
    return (*plain, Ellipsis)  # so that NumPy gives 0-d views where CuPy does


def getitem(x, index):
    arrays = []
    plain = _plain(index, arrays)
    if not arrays:
        return x._view(x._a[plain])
    values = x._a
    result = values[plain]
    out = ndarray(result.shape, result.dtype)
    if result.size:
        operations.fill(out, "take", lambda: values[plain], [x, *arrays], result)
    return out


def setitem(x, index, value):
    arrays = []
    plain = _plain(index, arrays)
    check_operand(value, "x[index] = value")
    source, target = value, x._a
    name = "scatter" if arrays else "copy"
    if isinstance(value, list | tuple):
        raise ledger.ImplicitHostError("x[index] = list: copy it to the device first")
    if isinstance(value, ndarray):
        arrays.append(value)
        source = value._a
        if value.size > 1:
            _no_element_twice(target, plain)

    def body():
        target[plain] = source

    if target[plain].size:
        uses = [a._allocation for a in (x, *arrays)]
        streams.submit(name, body, uses)


def _no_element_twice(target, index):
    if not any(isinstance(part, np.ndarray) and part.dtype.kind in "iu" for part in index):
        return
    places = np.arange(target.size).reshape(target.shape)[index]
    if not streams.capturing() and np.unique(places).size != places.size:
        raise IndexError(
            "x[index] = values with an element that is meant more than once: undefined on the "
            "GPU, use add.at"
        )


def add_at(x, index, value):
    """``cupy.add.at``: atomic additions, in an order that varies for float32."""
    arrays = []
    plain = _plain(index, arrays)
    check_operand(value, "add.at")
    source, target = value, x._a
    if isinstance(value, ndarray):
        arrays.append(value)
        source = value._a
    uses = [a._allocation for a in (x, *arrays)]
    streams.submit("add.at", lambda: np.add.at(target, plain, source), uses)
