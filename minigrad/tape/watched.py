"""Arrays that a captured step makes without an operation: they may be used, but not looked at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..backend import plain
from ..state import taping
from ..tensor import refuse_while_taping
from .calls import opaque


class Watched(np.ndarray[Any, Any]):
    """An array that a step which is being noted has made of Tensors without an operation, such as
    ``x > 0``. It can be handed to operations. What Python makes of it nobody notes, and it would be
    the same in every replay: that is refused."""

    noted: Any = None  # the array itself

    def __array_finalize__(self, made_of: Any) -> None:
        if isinstance(made_of, Watched):
            _refuse_reading()

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        _refuse_reading()
        return getattr(ufunc, method)(*map(plain, inputs), **options)

    def __array_function__(self, function: Any, types: Any, args: Any, options: Any) -> Any:
        _refuse_reading()
        return super().__array_function__(function, types, args, options)


def _reading(name: str) -> Any:
    def method(self: Watched, *args: Any) -> Any:
        _refuse_reading()
        return getattr(np.ndarray, name)(self, *args)

    return method


_READING = "__bool__ __int__ __float__ __index__ __iter__ __contains__ item tolist"
for _name in _READING.split():
    setattr(Watched, _name, _reading(_name))


def watched(function: Callable[..., Any], *args: Any) -> Any:
    """`opaque`, for results that are handed to the user as arrays.

    Parameters
    ----------
    function : callable
    *args

    Returns
    -------
    what the function returns, arrays as `Watched` ones in a step that is being noted
    """
    return _watched(opaque(function, *args))


def _watched(out: Any) -> Any:
    if taping() is None:
        return out
    if isinstance(out, tuple):
        return tuple(map(_watched, out))
    if type(out) is not np.ndarray:
        _refuse_reading()
        return out
    shown = out.view(Watched)
    shown.noted = out
    return shown


def _refuse_reading() -> None:
    refuse_while_taping("Python", "hand it to an operation, as in where(x > 0, a, b)")
