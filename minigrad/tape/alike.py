"""Whether two values are alike: what two calls of a step were given, for ``calls.py``."""

from __future__ import annotations

import functools
import types
from typing import Any

import numpy as np

from ..node import Leaf
from ..tensor import Tensor


def same(a: Any, b: Any) -> bool:
    """Whether two values mean the same to a replay: one object, or equal in all that they hold."""
    if a is b:
        return True
    if type(a) is not type(b):
        return False
    if isinstance(a, np.ndarray):
        return (a.shape, a.dtype) == (b.shape, b.dtype) and a.tobytes() == b.tobytes()
    if isinstance(a, tuple | list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, slice):
        return same((a.start, a.stop, a.step), (b.start, b.stop, b.step))
    if isinstance(a, functools.partial):
        return same((a.func, a.args, a.keywords), (b.func, b.args, b.keywords))
    if isinstance(a, types.FunctionType):
        return a.__code__ is b.__code__ and same(_held(a), _held(b))
    if isinstance(a, Leaf):  # of a Tensor that the step makes: nobody else looks at its gradient
        return True
    if isinstance(a, Tensor) or type(a).__eq__ is object.__eq__:  # type: ignore[comparison-overlap]
        return False
    return bool(a == b) or (a != a and b != b)


def _held(f: types.FunctionType) -> tuple[Any, ...]:
    """What a function uses besides its code and its arguments."""
    return f.__defaults__, f.__kwdefaults__, [c.cell_contents for c in f.__closure__ or ()]
