"""Big result arrays in memory that was used before.

The pages of a fresh array are made, and cleared, by the operating system when they are first
touched: writing 26 MB takes 7 ms then and 2 ms afterwards. `empty` hands out views of buffers that
it keeps. A view holds a reference to its buffer, so a buffer that only this file refers to is in
nobody's use any more: no caller ever has to give an array back.
"""

from __future__ import annotations

import itertools
import math
import os
import sys
import threading
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from .backend import Array

_SMALL = 1 << 16  # bytes: the C library recycles smaller blocks well
_LIFETIME = 512  # calls of `empty` after which an unused buffer is given back

_buffers: list[list[Any]] = []  # [buffer, time of last use]
_clock, _lock = itertools.count(), threading.Lock()


def _references(entry: list[Any]) -> int:
    return sys.getrefcount(entry[0])


_IDLE = _references([np.empty(0), 0])


def empty(shape: tuple[int, ...], dtype: DTypeLike) -> Array:
    """An array like ``np.empty(shape, dtype)``, from recycled memory if it is large."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if size < _SMALL:
        return np.empty(shape, dtype)
    size += -size % (1 << max(16, size.bit_length() - 4))  # classes at most 1/8 apart
    with _lock:
        now = next(_clock)
        for entry in _buffers:
            if entry[0].nbytes == size and _references(entry) == _IDLE:
                entry[1] = now
                return np.ndarray(shape, dtype, entry[0])
        clear(now - _LIFETIME)
        _buffers.append([np.empty(size, np.uint8), now])
        return np.ndarray(shape, dtype, _buffers[-1][0])


def clear(before: float = math.inf) -> None:
    """Give unused buffers back to the system (those last handed out `before` a time)."""
    _buffers[:] = [e for e in _buffers if e[1] >= before or _references(e) != _IDLE]


def _after_fork() -> None:
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
