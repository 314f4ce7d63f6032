"""The calls of a tape as the text of a Python function, which is run and can be read."""

from __future__ import annotations

import itertools
import keyword
import re
from typing import Any, NamedTuple

import numpy as np

from ..backend import plain
from ..tensor import Tensor, describe
from .alike import same
from .calls import Tape

_CONSTANTS = type(None), bool, int, float, str, np.generic


class _At(NamedTuple):
    """A value that a replay computes or reads; `tensor` says to wrap it in one."""

    place: int
    tensor: bool


def written(tape: Tape, rebuild: Any, names: dict[str, Any]) -> str:
    """The source of a function ``step()`` that makes the calls; what it uses goes into `names`.

    Its variables are called x and the place of the value, constants c and the place. Each is
    deleted after its last use, so that its memory can be used again.
    """
    names["Tensor"] = Tensor
    kept, variable, lines = set(_places(rebuild)), {}, ["def step():"]
    for place, value, tensor in tape.inputs:
        variable[place] = f"x{place}" if tensor is not None else _constant(place, value, names)
        if tensor is not None:
            names[f"t{place}"] = tensor
            lines.append(f"x{place} = t{place}._array")
    last = {i: k for k, call in enumerate(tape.calls) for i in (*call.arguments, call.result)}
    gone: list[list[int]] = [[] for _ in tape.calls]
    for i, k in last.items():
        if i not in kept and variable.get(i, "x")[0] == "x":
            gone[k].append(i)
    known: dict[int, str] = {}
    for k, call in enumerate(tape.calls):
        function = known.get(id(call.function))
        if function is None:
            function = known[id(call.function)] = _named(call.name, names)
            names[function] = call.function
        arguments = ", ".join(variable[i] for i in call.arguments)
        variable[call.result] = f"x{call.result}"
        unused = call.result in gone[k]
        lines.append(f"{'' if unused else variable[call.result] + ' = '}{function}({arguments})")
        over = [f"x{i}" for i in gone[k] if i != call.result]
        if over:
            lines.append("del " + ", ".join(over))
    lines.append(f"return {_expression(rebuild, variable, names)}")
    return "\n    ".join(lines) + "\n"


def _constant(place: int, value: Any, names: dict[str, Any]) -> str:
    """How a constant is written: a simple one as it is, every other as a name."""
    if type(value) in (int, bool, str, type(None)):
        return repr(value)
    names[f"c{place}"] = value
    return f"c{place}"


def _named(name: str, names: dict[str, Any]) -> str:
    """A name for a function, after what it computes, that is not in `names`."""
    name = re.sub(r"\W", "_", name.replace("backward of ", "vjp of ")).strip("_")
    name = f"{name}_" if keyword.iskeyword(name) or name in ("step", "Tensor") else name
    taken = itertools.chain([name], (f"{name}_{k}" for k in itertools.count(2)))
    return next(n for n in taken if n not in names)


def _expression(rebuild: Any, variable: dict[int, str], names: dict[str, Any]) -> str:
    """The source of what the step returns."""
    kind = type(rebuild)
    if kind is _At:
        value = variable[rebuild.place]
        return f"Tensor({value})" if rebuild.tensor else value
    if kind is dict:
        pairs = (
            f"{_expression(k, variable, names)}: {_expression(v, variable, names)}"
            for k, v in rebuild.items()
        )
        return "{" + ", ".join(pairs) + "}"
    if kind is tuple or kind is list:
        parts = [_expression(v, variable, names) for v in rebuild]
        return f"[{', '.join(parts)}]" if kind is list else f"({''.join(p + ', ' for p in parts)})"
    names[f"r{len(names)}"] = rebuild
    return f"r{len(names) - 1}"


def rebuilt(result: Any, then: Any, tape: Tape) -> Any:
    """`result` with an `_At` in place of each array; `then` is what the call before returned."""
    if isinstance(result, Tensor):
        if result.is_leaf and result is then:
            return result
        place = tape.known(result._array)
    else:
        result = plain(result)  # not `Watched` any more
        place = tape.known(result)
    if place is not None:
        return _At(place, isinstance(result, Tensor))
    several = type(result) in (tuple, list, dict) and type(then) is type(result)
    if several and len(result) == len(then):
        if type(result) is not dict:
            pairs = zip(result, then, strict=True)
            return type(result)(rebuilt(*pair, tape) for pair in pairs)
        if result.keys() == then.keys():
            return {k: rebuilt(v, then[k], tape) for k, v in result.items()}
    if isinstance(result, _CONSTANTS) and same(result, then):
        return result
    raise TypeError(
        f"it returns {describe(result)} that the operations in it have not computed: return "
        "Tensors, arrays and numbers that stay the same, in tuples, lists and dicts"
    )


def _places(rebuild: Any) -> list[int]:
    if isinstance(rebuild, _At):
        return [rebuild.place]
    parts = rebuild.values() if type(rebuild) is dict else rebuild
    return [i for v in parts for i in _places(v)] if type(rebuild) in (tuple, list, dict) else []
