"""Operators and methods, put on the double of `cupy.ndarray` in this one place."""

import numpy as np

from . import indexing, operations
from .arrays import ndarray
from .functions import FUNCTIONS
from .names import check_keywords

_BINARY = {
    "add": "add", "sub": "subtract", "mul": "multiply", "truediv": "true_divide",
    "floordiv": "floor_divide", "mod": "remainder", "pow": "power", "matmul": "matmul",
    "and": "bitwise_and", "or": "bitwise_or", "xor": "bitwise_xor",
    "lshift": "left_shift", "rshift": "right_shift",
}  # fmt: skip
_COMPARING = {
    "lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal", "eq": "equal",
    "ne": "not_equal",
}  # fmt: skip
_REDUCING = "sum mean max min prod any all argmax argmin var std ptp"
_MOVING = "ravel squeeze swapaxes repeat take diagonal cumsum cumprod argsort dot nonzero"


def _yields(other):
    """Whether an operator must leave the work to `other` (a Tensor, for one), as CuPy decides."""
    return getattr(other, "__array_ufunc__", 0) is None


def _is_foreign(x):
    """Whether `x` is no array, and says by itself what ufuncs do with it."""
    arrays = ndarray, np.ndarray, np.generic
    return not isinstance(x, arrays) and getattr(x, "__array_ufunc__", None) is not None


def _operator(function, swapped=False):
    def operate(self, other):
        if _yields(other):
            return NotImplemented
        pair = (other, self) if swapped else (self, other)
        if _is_foreign(other):  # NumPy's ufunc asks both operands in turn, as NEP 13 has it
            return getattr(np, function.__name__)(*pair)
        return function(*pair)

    return operate


def _in_place(function):
    def operate(self, other):
        return NotImplemented if _yields(other) else function(self, other, out=self)

    return operate


for _name, _function in _BINARY.items():
    _function = FUNCTIONS[_function]
    setattr(ndarray, f"__{_name}__", _operator(_function))
    setattr(ndarray, f"__r{_name}__", _operator(_function, swapped=True))
    if _name != "matmul":  # CuPy has no __imatmul__
        setattr(ndarray, f"__i{_name}__", _in_place(_function))
for _name, _function in _COMPARING.items():
    setattr(ndarray, f"__{_name}__", _operator(FUNCTIONS[_function]))
ndarray.__neg__ = lambda self: FUNCTIONS["negative"](self)
ndarray.__pos__ = lambda self: self.copy()
ndarray.__abs__ = lambda self: FUNCTIONS["absolute"](self)
ndarray.__invert__ = lambda self: FUNCTIONS["invert"](self)
ndarray.__getitem__ = indexing.getitem
ndarray.__setitem__ = indexing.setitem


def _method(name):
    function = FUNCTIONS[name]

    def method(self, *args, **options):
        check_keywords("cupy.ndarray", name, options)
        return function(self, *args, **options)

    method.__name__ = name
    return method


for _name in f"{_REDUCING} {_MOVING}".split():
    setattr(ndarray, _name, _method(_name))


def reshape(self, *shape, order="C", copy=None):
    return operations.apply("copy", lambda x: x.reshape(*shape, order=order), (self,), {})


def transpose(self, *axes):
    return self._view(self._a.transpose(*axes))


def astype(self, dtype, order="K", casting=None, subok=None, copy=True):
    order = "K" if order is None else order
    casting = "unsafe" if casting is None else casting
    return operations.copied(
        self, "astype", order, lambda x: x.astype(dtype, order, casting, copy=copy)
    )


def copy(self, order="C"):
    return operations.copied(self, "copy", order, lambda x: x.copy(order))


def view(self, dtype=None, type=None):
    return self._view(self._a.view() if dtype is None else self._a.view(dtype))


def fill(self, value):
    operations.fill(self, "fill", lambda: np.asarray(value))


def clip(self, min=None, max=None, out=None):
    return operations.apply("clip", lambda x, **o: x.clip(min, max, **o), (self,), {"out": out})


def flatten(self, order="C"):
    return operations.copied(self, "copy", "C", lambda x: x.flatten(order))


def round(self, decimals=0, out=None):
    return operations.apply("round", lambda x, **o: x.round(decimals, **o), (self,), {"out": out})


for _method_ in (reshape, transpose, astype, copy, view, fill, clip, flatten, round):
    setattr(ndarray, _method_.__name__, _method_)
ndarray.__copy__ = copy
ndarray.__deepcopy__ = lambda self, memo: copy(self)


# ---------------------------------------------------------------------- NumPy's functions
def __array_ufunc__(self, ufunc, method, *inputs, **options):
    """``np.exp(x)`` is CuPy's `exp`, if it has one: CuPy dispatches, and so does the double."""
    function = FUNCTIONS.get(ufunc.__name__)
    if any(map(_is_foreign, inputs)):
        return NotImplemented
    if function is None or method not in ("__call__", "at", "reduce"):
        return NotImplemented
    return (function if method == "__call__" else getattr(function, method))(*inputs, **options)


def __array_function__(self, function, types, args, options):
    """``np.where(x, ...)`` is CuPy's `where`."""
    from .namespace import device_function

    devices = device_function(function)
    return NotImplemented if devices is None else devices(*args, **options)


ndarray.__array_ufunc__ = __array_ufunc__
ndarray.__array_function__ = __array_function__
