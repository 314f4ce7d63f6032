"""Batches on the GPU: rows of an array that lies there, in an order that lies there too."""

import math

import numpy as np

from ..backend import array_module, is_array
from .launch import LIMIT, aligned, blocks, launch, launcher

VARIANTS = {"rows": [()]}


def gather(data, order, cursor, count):
    """The next `count` rows of `data` (N, ...), float32 or float64: ``data[order[begin:][:count]]``
    with ``begin = cursor[0] * count``; then 1 is added to ``cursor[0]``.

    `order` (L,) and `cursor` (1,) are int32, all on one device and contiguous. A row that is not
    there, beyond the end of `order` or of an index outside 0 to N - 1, consists of NaNs.
    """
    _check(data, order, cursor, count)
    xp = array_module(data)
    out = xp.empty((count, *data.shape[1:]), data.dtype)
    if not out.size:
        return out
    width = math.prod(data.shape[1:]) * data.itemsize // 4  # words of 4 bytes
    words = data.view(np.float32), out.view(np.float32)
    wide = width % 4 == 0 and aligned(*words)
    width = width // 4 if wide else width
    launch(
        "rows", "gather_16" if wide else "gather_4", (blocks(count * width, 256),), (256,),
        words[0], order, cursor, launcher.tickets(data, 1), words[1],
        data.shape[0], order.size, count, width,
    )  # fmt: skip
    return out


def _check(data, order, cursor, count):
    for name, x, dtypes, ndim in (
        ("data", data, (np.float32, np.float64), None),
        ("order", order, (np.int32,), 1),
        ("cursor", cursor, (np.int32,), 1),
    ):
        if not is_array(x) or x.dtype not in dtypes or ndim not in (None, x.ndim):
            kinds = " or ".join(np.dtype(d).name for d in dtypes)
            got = f"{x.dtype} {tuple(x.shape)}" if is_array(x) else type(x).__name__
            raise TypeError(f"gather: {name} must be an array of {kinds}, got {got}")
        if not x.flags.c_contiguous:
            raise ValueError(f"gather: {name} must be contiguous: copy it once, before the epochs")
    if data.ndim < 1 or cursor.size != 1 or not 0 <= count * math.prod(data.shape[1:]) < LIMIT // 2:
        raise ValueError(
            f"gather: expected data (N, ...), a cursor of one number and batches of fewer than "
            f"{LIMIT // 2} elements, got data {tuple(data.shape)}, a cursor {tuple(cursor.shape)} "
            f"and {count} rows"
        )
