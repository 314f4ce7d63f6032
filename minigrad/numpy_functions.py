"""NumPy's own functions on Tensors: ``np.exp(x)`` is ``minigrad.exp(x)``, ``np.sum(x)`` its sum.

NumPy asks an argument that is no array what to do: ufuncs through ``__array_ufunc__``, the others
through ``__array_function__`` (NEP 13 and NEP 18). Where minigrad has a function of the same
meaning it is called. Constants may go to every function, as arrays. What would lose a gradient
raises TypeError.
"""

from __future__ import annotations

import functools
import inspect
from typing import Any

import numpy as np

from . import contraction, elementary, ops, reductions, shapes
from .tape import watched
from .tensor import Tensor, describe, refuse_while_taping

_ALIKE = {  # where: what has one name and one meaning here and in NumPy
    ops: "add subtract multiply divide negative power matmul exp log sqrt tanh sign maximum "
    "minimum sum mean var max min clip where",
    elementary: "sin cos log1p expm1 remainder",
    reductions: "prod cumsum std sort",
    shapes: "reshape transpose concatenate stack pad broadcast_to squeeze split",
    contraction: "einsum",
}
FUNCTIONS: dict[Any, Any] = {
    **{getattr(np, n): getattr(module, n) for module in _ALIKE for n in _ALIKE[module].split()},
    np.absolute: ops.abs,
    np.amax: ops.max,
    np.amin: ops.min,
    np.expand_dims: shapes.unsqueeze,
    np.ravel: shapes.flatten,
    np.linalg.norm: reductions.norm,
    np.linalg.matmul: ops.matmul,
}
# of these the result does not vary with the values, or only in jumps: nothing is lost
CONSTANT: set[Any] = {
    *(np.less, np.less_equal, np.equal, np.not_equal, np.greater, np.greater_equal),
    *(np.isnan, np.isfinite, np.isinf, np.signbit, np.logical_not, np.logical_and, np.logical_or),
    *(np.isclose, np.allclose, np.array_equal, np.any, np.all, np.count_nonzero, np.nonzero),
    *(np.argmax, np.argmin, np.argsort, np.shape, np.ndim, np.size, np.result_type),
    *(np.zeros_like, np.ones_like, np.empty_like, np.shares_memory, np.may_share_memory),
    *(np.logical_xor, np.argwhere, np.flatnonzero, np.argpartition, np.lexsort, np.searchsorted),
    *(np.array2string, np.array_repr, np.array_str, np.iscomplexobj, np.isrealobj),
}
_RENAMED = {"pad_width": "widths", "constant_values": "value"}  # arguments, NumPy's -> ours
_RENAMED |= {
    "indices_or_sections": "parts",
    "a_min": "low",
    "a_max": "high",
    "min": "low",
    "max": "high",
}


def _ufunc(self: Tensor, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
    mine = FUNCTIONS.get(ufunc)
    if mine and method == "__call__" and not options:
        return mine(*inputs)
    name = f"np.{ufunc.__name__}" + (f".{method}" if method != "__call__" else "")
    public = None if method == "at" else ufunc  # which writes to its first argument
    return _on_arrays(public, getattr(ufunc, method), name, mine and options, inputs, options)


def _function(
    self: Tensor, function: Any, types: object, args: tuple[Any, ...], options: dict[str, Any]
) -> Any:
    if function is np.where and len(args) == 1:
        function = np.nonzero
    mine, name = FUNCTIONS.get(function), f"{function.__module__}.{function.__name__}"
    name = name.replace("numpy", "np", 1)
    if mine is None:
        return _on_arrays(function, function, name, None, args, options)
    try:
        bound = inspect.signature(function).bind(*args, **options)
    except TypeError as error:
        raise TypeError(f"{name}: {error}") from None
    first, *rest = bound.signature.parameters.values()
    positional: Any = bound.arguments[first.name]
    given: dict[str, Any] = {}
    positional = [*positional] if first.kind is first.VAR_POSITIONAL else [positional]
    for p in rest:
        value = bound.arguments.get(p.name)
        if p.kind is p.VAR_KEYWORD:
            given |= value or {}
        elif p.kind is p.POSITIONAL_ONLY and p.name in bound.arguments:
            positional.append(value)
        elif p.name in bound.arguments and not _is_default(value, p, mine):
            given[_RENAMED.get(p.name, p.name)] = value
    given = {_RENAMED.get(key, key): value for key, value in given.items()}
    known = inspect.signature(mine).parameters
    if not set(given) <= set(known):
        extra = ", ".join(sorted(set(given) - set(known)))
        raise TypeError(
            f"{name} of a Tensor is minigrad.{mine.__name__}({', '.join(known)}), which has no "
            f"{extra}: leave it out, or take x.numpy() for a constant"
        )
    return mine(*positional, **given)


def _is_default(value: object, parameter: inspect.Parameter, mine: object) -> bool:
    if mine is ops.clip and value is None:  # no bound
        return True
    same = isinstance(value, str | bool | int) and value == parameter.default
    return same or value is parameter.default


def _on_arrays(
    public: object, function: Any, name: str, options: Any, args: Any, given: Any
) -> Any:
    """Call a NumPy function without a counterpart, if no gradient would be lost."""
    found: list[Tensor] = []
    written: list[Tensor] = []
    _unwrapped(given.get("out"), written)
    if written:
        raise TypeError(
            f"{name}: out= cannot be a Tensor, {describe(written[0])}: gradients would be wrong. "
            "Leave it out, the result is a new one"
        )
    whole, args, given = args, _unwrapped(args, found), _unwrapped(given, found)
    lost = [x for x in found if x.requires_grad]
    if lost and public not in CONSTANT:
        why = f"with {', '.join(options)}" if options else "has no derivative here"
        names = sorted({f.__name__ for f in FUNCTIONS.values()})
        raise TypeError(
            f"{name} {why}, and {describe(lost[0])} requires a gradient, which would be lost: use "
            f"x.detach() for the values, or minigrad's functions ({', '.join(names)}, ...)"
        )
    args = [w if isinstance(w, Tensor) else a for w, a in zip(whole, args, strict=True)]
    return watched(functools.partial(function, **given), *args)


def _unwrapped(x: Any, found: list[Tensor]) -> Any:
    """`x` with arrays in place of the Tensors in it, which are appended to `found`."""
    if isinstance(x, Tensor):
        found.append(x)
        return x._data
    if isinstance(x, list | tuple):
        return type(x)(_unwrapped(v, found) for v in x)
    return {k: _unwrapped(v, found) for k, v in x.items()} if isinstance(x, dict) else x


def _array(self: Tensor, dtype: Any = None, copy: Any = None) -> np.ndarray[Any, Any]:
    if self.requires_grad:
        raise TypeError(
            f"{describe(self)} requires a gradient; NumPy would lose it without a word. "
            "Use minigrad's function of the same name, or x.numpy() for the values"
        )
    if self.device != "cpu":
        raise TypeError(f"{describe(self)} is on the GPU: use x.numpy() to copy it")
    refuse_while_taping("np.asarray(x)", "compute with the Tensor itself")
    return np.array(self._data, dtype=dtype, copy=copy)


def _mask(
    self: Tensor,
) -> None:  # numpy.ma takes the attributes _data and _mask of any operand for its own
    raise TypeError(
        "a masked array cannot meet a Tensor: its mask has no meaning for a gradient. Use "
        "where(mask, ...) with x.filled(...) and x.mask instead"
    )


Tensor.__array__ = _array
Tensor._mask = property(_mask)
Tensor.__array_ufunc__ = _ufunc
Tensor.__array_function__ = _function
