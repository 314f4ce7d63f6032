"""Walking the graph backward: `grad`, the basic operation, and ``Tensor.backward``.

The whole of it is the chain rule, applied from the output down::

    def walk(output, g):
        gradient = {output.node: g}
        for node in reachable(output):               # in topological order, newest first
            if node is a leaf:
                keep gradient[node]
            for parent, vjp in node:                 # one VJP for each argument
                gradient[parent] += unbroadcast(vjp(gradient[node], *node.saved), parent.shape)

Nodes are numbered as they are made, so falling numbers are a topological order: when a node's turn
comes, all its users have been visited and its gradient is complete. Each VJP runs exactly once and
nothing recurses. The rest of this file checks what is handed in and what comes out.
"""

from __future__ import annotations

import operator
import os
import threading
from collections.abc import Callable, Collection, Iterable, Sequence
from operator import attrgetter
from typing import Any

import numpy as np

from .backend import Array, array_module, as_array, is_array, plain
from .node import Node, at
from .seals import check_seals
from .shapes import unbroadcast
from .state import Around, Block, mode, taping
from .tape import opaque
from .tensor import Operand, Tensor, describe


def grad(
    output: Tensor | Sequence[Tensor],
    inputs: Tensor | Iterable[Tensor],
    grad_output: Any = None,
    create_graph: bool = False,
    retain_graph: bool | None = None,
    allow_unused: bool = False,
) -> Any:
    """The gradient of `output` (a Tensor) with respect to `inputs` (a Tensor or a sequence).

    `grad_output` has the shape of `output` and may be left out for one element. Sequences of
    outputs and of their gradients are summed over. With ``create_graph=True`` the results can be
    differentiated again. The graph is released unless ``retain_graph`` (default: `create_graph`).
    Returns a Tensor, or a list in the order of a sequence `inputs`. An input that `output` does
    not depend on raises ValueError, or gives None with ``allow_unused=True``.

    >>> from minigrad import tensor
    >>> x = tensor(2.0, requires_grad=True)
    >>> first = grad(x**3, x, create_graph=True)
    >>> first.item(), grad(first, x).item()
    (12.0, 12.0)
    """
    outputs, grads = _pair(output, grad_output)
    single = isinstance(inputs, Tensor)
    wanted: list[Any] = [inputs] if single else list(inputs)
    for i, x in enumerate(wanted):
        if not isinstance(x, Tensor) or x.node is None:
            raise ValueError(
                f"grad: input {i}, {describe(x)}, does not require a gradient: "
                "make it with tensor(..., requires_grad=True)"
            )
    found = _walk(outputs, grads, {x.node for x in wanted}, create_graph, retain_graph)
    results, taken = [], {id(_owner(g)) for g in grads}
    for i, x in enumerate(wanted):
        g = found.get(x.node)
        if g is None and not allow_unused:
            raise ValueError(
                f"grad: the output does not depend on input {i}, {describe(x)}: "
                "check that the computation uses it, or pass allow_unused=True to get None"
            )
        results.append(g if g is None or isinstance(g, Tensor) else Tensor(_own(g, taken)))
    return results[0] if single else results


def backward(
    self: Tensor,
    grad: Operand | None = None,
    create_graph: bool = False,
    retain_graph: bool | None = None,
) -> None:
    """Add the gradient of this Tensor to ``.grad`` of every leaf that it was computed from.

    `grad` has this Tensor's shape and may be left out for one element. Gradients add up over
    calls: clear them with ``optimizer.zero_grad()`` or ``x.grad = None``.
    """
    outputs, grads = _pair(self, grad)
    found = _walk(outputs, grads, None, create_graph, retain_graph)
    taken = {id(_owner(g)) for g in grads}
    with _adding:
        for node, g in found.items():
            if not isinstance(g, Tensor):
                g = Tensor(_own(g, taken))
            leaf = node.leaf
            tape = taping()
            if tape is not None and leaf.grad is not None and not tape.knows(leaf.grad._data):
                tape.refuse(
                    "the step adds to gradients of an earlier call: clear them in the step, by "
                    "optimizer.zero_grad()"
                )
            leaf.set_grad(g if leaf.grad is None else leaf.grad + g)


_adding = threading.RLock()  # threads add up their gradients in one leaf: none may be lost


def _after_fork() -> None:
    global _adding
    _adding = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def _own(g: Any, taken: set[int]) -> Array:
    """The array `g`, or a copy where it is a view of something larger or of another's gradient:
    every leaf owns its gradient, and changing one must not change another."""
    if type(g) is not np.ndarray:
        g = opaque(as_array, g)  # NumPy makes numbers of 0-d arrays
    owner = _owner(g)
    whole = g.flags.c_contiguous and getattr(owner, "nbytes", 0) <= 2 * g.nbytes
    if not whole or not getattr(g.flags, "writeable", True) or id(owner) in taken:
        return opaque(_copy, g)
    taken.add(id(owner))
    return g


def _copy(g: Array) -> Array:
    return g.copy()


def _plus(a: Any, b: Any) -> Any:
    """The sum of two gradients, Tensors or arrays."""
    tape = taping()
    return a + b if tape is None or isinstance(a, Tensor) else tape.call(operator.add, a, b)


def _owner(g: Any) -> Any:
    """The array whose memory `g` uses."""
    g = g._data if isinstance(g, Tensor) else g
    return g if g.base is None else g.base


Tensor.backward = backward  # type: ignore[assignment, method-assign]


def _pair(output: Any, grad_output: Any) -> tuple[list[Tensor], list[Any]]:
    """Outputs and the gradients to start from, as two lists, checked."""
    several = isinstance(output, list | tuple)
    outputs = list(output) if several else [output]
    grads = list(grad_output) if several and grad_output is not None else [grad_output]
    grads = grads * len(outputs) if grad_output is None else grads
    if len(grads) != len(outputs):
        raise ValueError(f"grad: {len(outputs)} outputs need as many gradients, got {len(grads)}")
    for k, (y, g) in enumerate(zip(outputs, grads, strict=True)):
        if not isinstance(y, Tensor) or y.node is None:
            raise ValueError(
                f"backward: {describe(y)} was not computed from anything that requires a "
                "gradient: make an input with requires_grad=True, and do not detach() it or "
                "compute under no_grad()"
            )
        if g is None:
            if y.size != 1:
                raise ValueError(
                    f"backward: {describe(y)} is not a scalar, so the gradient to start from must "
                    f"be given: y.backward(g) with g of shape {y.shape}, or reduce y with sum()"
                )
            g = array_module(y._data).ones_like(y._data)
        elif isinstance(g, int | float | np.generic) and not y.ndim:
            g = array_module(y._data).asarray(g, dtype=y.dtype)
        else:
            g = plain(g)
        value = g._data if isinstance(g, Tensor) else g
        if not is_array(value) or (value.shape, value.dtype) != (y.shape, y.dtype):
            raise ValueError(
                f"backward: the gradient given is {describe(g)}, "
                f"but the output is {describe(y)}: shape and dtype must be the same"
            )
        grads[k] = g
    return outputs, grads


def _walk(
    outputs: Sequence[Tensor],
    grads: Sequence[Any],
    wanted: set[Node] | None,
    create_graph: bool,
    retain_graph: bool | None,
) -> dict[Node, Any]:
    """Gradients of the nodes `wanted` (None: of all leaves), as a dict node -> gradient."""
    if create_graph and not mode.get().recording:  # within no_grad
        with Block(recording=True):
            return _walk(outputs, grads, wanted, create_graph, retain_graph)
    retain = create_graph if retain_graph is None else retain_graph
    order, around = reachable(outputs), mode.get().around
    needed = set(order) if wanted is None else _leading_to(wanted, order)
    pending: dict[Node, Any] = {}
    found: dict[Node, Any] = {}
    for y, g in zip(outputs, grads, strict=True):
        if not create_graph and isinstance(g, Tensor):
            g = g._data
        elif create_graph and not isinstance(g, Tensor):
            g = Tensor(g)
        pending[y.node] = _plus(pending[y.node], g) if y.node in pending else g  # type: ignore[index]
    for node in order:
        g = pending.pop(node, None)
        if g is None or node not in needed:
            continue
        leaf = node.primitive is None
        if leaf or (wanted is not None and node in wanted):
            found[node] = g
        if leaf:
            continue
        for parent, gp in _pull_back(node, g, needed, create_graph, around):
            before = pending.get(parent)
            pending[parent] = gp if before is None else _plus(before, gp)
        if not retain and node.plan.fetch:
            node.saved = None
            node.seals = ()
    return found


def reachable(outputs: Iterable[Tensor]) -> list[Node]:
    """The nodes of the `outputs` and all that they were computed from, newest first: a topological
    order, in which every node comes before its parents."""
    seen = {y.node for y in outputs if y.node is not None}
    stack = list(seen)
    while stack:
        for parent in stack.pop().parents:
            if parent is not None and parent not in seen:
                seen.add(parent)
                stack.append(parent)
    return sorted(seen, key=attrgetter("serial"), reverse=True)


def _leading_to(wanted: Collection[Node], order: Sequence[Node]) -> set[Node]:
    """Those of the nodes `order` that are in `wanted` or were computed from one that is."""
    needed: set[Node] = set()
    for node in reversed(order):
        if node in wanted or any(parent in needed for parent in node.parents):
            needed.add(node)
    return needed


def _pull_back(
    node: Node, g: Any, needed: Collection[Node], create_graph: bool, around: Around | None
) -> list[tuple[Node, Any]]:
    """The gradients of a node's parents: [(parent, gradient), ...] in the order of arguments."""
    if node.saved is None:
        raise RuntimeError(
            f"backward a second time through {node.primitive.name}{at(node)}: what it had saved "
            "was released by the first. Compute the forward pass again, or pass retain_graph=True "
            "to the first backward()"
        )
    if node.seals:
        check_seals(node)
    plan, known = node.plan, [g, *node.saved]
    if create_graph:
        known[1:] = [
            _as_tensor(node, kind, i, v)
            for (kind, i), v in zip(plan.fetch, node.saved, strict=True)
        ]

    if plan.shared is not None:
        function, positions = plan.shared
        known += _call(function, positions, known, node, around)
    results = []
    for i, vjp, positions in plan.steps:
        parent = node.parents[i]
        if parent not in needed:
            continue
        gi = _call(vjp, positions, known, node, around)
        if type(gi) is not np.ndarray and not isinstance(gi, Tensor) and not is_array(gi):
            if not isinstance(gi, np.generic | int | float):
                raise TypeError(
                    f"the VJP of {node.primitive.name}{at(node)} for "
                    f"{node.primitive.argument(i)} gave {describe(gi)}: it must return one array"
                )
            gi = np.asarray(gi)
        if gi.shape != parent.shape:
            gi = unbroadcast(gi, parent.shape)
        if gi.dtype != parent.dtype:
            raise TypeError(
                f"the VJP of {node.primitive.name}{at(node)} for {node.primitive.argument(i)} gave "
                f"a {gi.dtype} gradient for a {parent.dtype} argument: it must keep the dtype"
            )
        results.append((parent, gi))
    return results


def _call(
    function: Callable[..., Any],
    positions: Iterable[int],
    known: Sequence[Any],
    node: Node,
    around: Around | None,
) -> Any:
    args = [known[p] for p in positions]
    if around is None:
        return function(*args)
    return around(node.primitive, node.where, "backward", function, args)


def _as_tensor(node: Node, kind: str, i: int, value: Any) -> Any:
    """A saved array with its place in the graph, for a VJP that is itself recorded."""
    if kind == "y":
        return Tensor(value, node)
    if kind == "value" and node.parents[i] is not None:
        return Tensor(value, node.parents[i])
    return value
