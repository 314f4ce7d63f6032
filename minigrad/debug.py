"""Looking inside: what was recorded, where a NaN came from, where the time goes.

Everything here is a hook on the engine or a walk over its graph, and costs nothing while unused.
"""

from __future__ import annotations

import contextlib
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from .backend import Array, array_module, is_array
from .gradient import reachable
from .node import Node, Place, at
from .state import call_site, hook
from .tensor import Tensor, describe

if TYPE_CHECKING:
    from .engine import Primitive
__all__ = ["explain", "nan_trace", "profile"]


def explain(y: Tensor) -> str:
    """The recorded computation of the Tensor `y`, one line per operation, in the order it ran.

    Each line: a number, the operation with the numbers of its operands, the shape of the result,
    what it keeps for the backward pass in kilobytes, and the line of code.

    Parameters
    ----------
    y : Tensor

    Returns
    -------
    str

    Examples
    --------
    >>> from minigrad import tensor
    >>> x = tensor([[1.0] * 3] * 2, requires_grad=True)
    >>> print(explain((x * x).sum()).partition("  at ")[0])
    %1 = leaf  (2, 3)
    %2 = multiply(%1, %1)  (2, 3)  keeps 0.1 kB
    """
    if not isinstance(y, Tensor) or y.node is None:
        raise ValueError(f"explain: {describe(y)} has no recorded computation to show")
    order = reachable([y])[::-1]
    number: dict[Node | None, str] = {node: f"%{k}" for k, node in enumerate(order, 1)}
    lines = []
    for node in order:
        if node.primitive is None:
            lines.append(f"{number[node]} = leaf  {node.shape}")
            continue
        operands = ", ".join(number.get(p, "_") for p in node.parents)
        kept = "released" if node.saved is None else f"keeps {_kilobytes(node):.1f} kB"
        call = f"{node.primitive.name}({operands})"
        lines.append(f"{number[node]} = {call}  {node.shape}  {kept} {at(node)}".rstrip())
    return "\n".join(lines)


def _kilobytes(node: Node) -> float:
    return sum(v.nbytes for v in node.saved if is_array(v)) / 1000


@contextlib.contextmanager
def nan_trace() -> Iterator[None]:
    """Within the block the first operation that makes a NaN or infinity out of finite numbers,
    forward or backward, raises FloatingPointError with its name and line.

    Yields
    ------
    None

    Examples
    --------
    >>> import numpy as np
    >>> from minigrad import log, tensor
    >>> with np.errstate(divide="ignore"), nan_trace():
    ...     log(tensor([1.0, 0.0]))
    Traceback (most recent call last):
        ...
    FloatingPointError: forward of log at <doctest minigrad.debug.nan_trace[2]>:2 made 1 of 2 \
numbers not finite out of finite ones: a (2,) float64 array with values from 0 to 1
    """

    def around(
        primitive: Primitive,
        where: Place | None,
        phase: str,
        function: Callable[..., Any],
        args: Any,
    ) -> Any:
        out = function(*args)
        values = _values(out[0] if isinstance(out, tuple) else out)
        if values is None or _finite(values) or not all(map(_finite, args)):
            return out
        node = Node(primitive, (), None, where or call_site(), (), None)
        inputs = "; ".join(_range(a) for a in args if _values(a) is not None)
        bad = int(values.size - array_module(values).isfinite(values).sum())
        raise FloatingPointError(
            f"{phase} of {primitive.name}{at(node)} made {bad} of {values.size} numbers not finite "
            f"out of finite ones: {inputs}"
        )

    with hook(around):
        yield


@contextlib.contextmanager
def profile() -> Iterator[Callable[[], str]]:
    """Within the block every operation is timed; yields a function that returns the table.

    The time of an operation does not include that of the operations it is made of.

    Yields
    ------
    a function that returns the table

    Examples
    --------
    >>> from minigrad import exp, tensor
    >>> with profile() as table:
    ...     y = exp(tensor([1.0]))
    >>> print(table().splitlines()[0])
    operation                 phase     calls        ms  share
    """
    seconds: dict[tuple[str, str], float] = defaultdict(float)
    calls: dict[tuple[str, str], int] = defaultdict(int)
    inside = [0.0]  # the time spent in operations within the one that runs, and those around it

    def around(
        primitive: Primitive,
        where: Place | None,
        phase: str,
        function: Callable[..., Any],
        args: Any,
    ) -> Any:
        inside.append(0.0)
        began = time.perf_counter()
        try:
            return function(*args)
        finally:
            spent = time.perf_counter() - began
            seconds[primitive.name, phase] += spent - inside.pop()
            calls[primitive.name, phase] += 1
            inside[-1] += spent

    def table() -> str:
        total = sum(seconds.values()) or 1.0
        lines = [f"{'operation':25} {'phase':9} {'calls':>5} {'ms':>9}  share"]
        for name, phase in sorted(seconds, key=seconds.__getitem__, reverse=True):
            spent, count = seconds[name, phase], calls[name, phase]
            lines.append(f"{name:25} {phase:9} {count:5} {spent * 1e3:9.2f} {spent / total:6.1%}")
        return "\n".join(lines)

    with hook(around):
        yield table


def _values(x: Any) -> Array | None:
    x = x._data if isinstance(x, Tensor) else x
    return x if is_array(x) and x.dtype.kind == "f" else None


def _finite(x: Any) -> bool:
    values = _values(x)
    return values is None or bool(array_module(values).isfinite(values).all())


def _range(x: Any) -> str:
    values: Any = _values(x)
    if not values.size:
        return describe(values)
    return f"{describe(values)} with values from {values.min():.6g} to {values.max():.6g}"
