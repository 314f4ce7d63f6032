"""Operators and methods of Tensor, put on the class in this one place.

Comparisons give plain boolean arrays: they have no derivative, and are used to index and select.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from . import elementary, ops, reductions, shapes
from .backend import plain
from .engine import Primitive
from .tape import watched
from .tensor import Tensor, describe, refuse_while_taping


def _binary(name: str, function: Callable[..., Any]) -> None:
    # one of the operands is a Tensor: the primitive need not look whether to record
    if isinstance(function, Primitive):
        record = function._record
        setattr(Tensor, f"__{name}__", lambda self, other: record((self, other)))
        setattr(Tensor, f"__r{name}__", lambda self, other: record((other, self)))
        return
    setattr(Tensor, f"__{name}__", lambda self, other: function(self, other))
    setattr(Tensor, f"__r{name}__", lambda self, other: function(other, self))


def _in_place(name: str, sign: str, function: Callable[..., Any]) -> None:
    def update(self: Tensor, other: Any) -> Any:
        if self.is_leaf:
            raise TypeError(
                f"x {sign}= ... on {describe(self)}: a leaf that requires a gradient is not "
                f"updated in place, write x.data {sign}= ... (after backward) or x = x {sign} ..."
            )
        return function(self, other)

    setattr(Tensor, f"__i{name}__", update)


def _comparison(name: str) -> None:
    compare = getattr(operator, name)

    def method(self: Tensor, other: Any) -> Any:
        return watched(compare, self, other if isinstance(other, Tensor) else _raw(other))

    setattr(Tensor, f"__{name}__", method)


def _method(function: Callable[..., Any]) -> None:
    def method(self: Tensor, *args: Any, **options: Any) -> Any:
        return function(self, *args, **options)

    method.__name__, method.__doc__ = function.__name__, function.__doc__
    setattr(Tensor, function.__name__, method)


_ARRAYS = Tensor, np.ndarray


def _raw(x: Any) -> Any:
    if isinstance(x, Tensor):
        return x._data
    return plain(x) if isinstance(x, np.ndarray) else x


def _getitem(self: Tensor, index: Any) -> Tensor:
    if isinstance(index, tuple):
        for part in index:
            if isinstance(part, _ARRAYS):
                index = tuple(map(_raw, index))
                break
    return shapes.getitem(self, index)


def _one_or_many(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """``f(2, 3)`` and ``f((2, 3))`` mean the same."""
    return tuple(values[0]) if len(values) == 1 and hasattr(values[0], "__len__") else values


def _tolist(self: Tensor) -> Any:
    refuse_while_taping("x.tolist()", "return the Tensor, and look at it after the call")
    return self._data.tolist()


for _name, _sign, _function in (
    ("add", "+", ops.add),
    ("sub", "-", ops.subtract),
    ("mul", "*", ops.multiply),
    ("truediv", "/", ops.divide),
    ("pow", "**", ops.power),
    ("mod", "%", elementary.remainder),
    ("matmul", "@", ops.matmul),
):
    _binary(_name, _function)
    _in_place(_name, _sign, _function)

for _name in ("lt", "le", "eq", "ne", "gt", "ge"):
    _comparison(_name)

for _module, _names in (
    (ops, "abs clip exp log logsumexp max mean min relu sigmoid softmax sqrt sum tanh var"),
    (elementary, "cos expm1 log1p sin"),
    (reductions, "argmax argmin cumsum norm prod sort std"),
    (shapes, "astype flatten split squeeze unsqueeze"),
):
    for _name in _names.split():
        _method(getattr(_module, _name))

Tensor.__neg__ = lambda self: ops.negative(self)
Tensor.__abs__ = lambda self: ops.abs(self)
Tensor.__getitem__ = _getitem
Tensor.reshape = lambda self, *shape: shapes.reshape(self, _one_or_many(shape))
Tensor.transpose = lambda self, *axes: shapes.transpose(self, _one_or_many(axes) if axes else None)
Tensor.tolist = _tolist
Tensor.T = property(lambda self: shapes.transpose(self), doc="The axes reversed.")
