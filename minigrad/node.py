"""Node: how an array came to be. Nodes form the graph that is walked backward.

A Tensor knows its Node and a Node never knows its Tensor, so the graph has no cycles: it is freed
as soon as the last Tensor that leads to it is.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from types import CodeType
from typing import TYPE_CHECKING, Any, TypeAlias

from .state import taping

if TYPE_CHECKING:
    import numpy as np

    from .backend import Array
    from .engine import Plan, Primitive
    from .tensor import Tensor

Place: TypeAlias = tuple[CodeType, int]  # a line of the user: code and instruction

_serial = itertools.count()


class Node:
    """How an array came to be: a leaf that the user made, or one call of a primitive.

    Nodes are numbered as they are made. An operation can only use what exists already, so falling
    numbers are a topological order of any graph: walking backward needs no recursion and no sort
    of its own.
    """

    __slots__ = (
        "primitive",  # None for a leaf
        "parents",  # for each argument its Node, or None where no gradient is wanted
        "plan",  # which VJPs to run and what they need (engine.Plan)
        "saved",  # the values that the plan asked for; None once released
        "seals",  # what is needed to notice that a saved array was changed
        "where",  # (code, instruction) of the user's line, see engine.call_site
        "serial",
        "shape",
        "dtype",
        "leaf",  # for leaves, and for views of a leaf's memory, the Leaf; else None
    )

    primitive: Any
    plan: Any
    saved: Any
    seals: Any
    leaf: Any

    def __init__(
        self,
        primitive: Primitive | None,
        parents: Sequence[Node | None],
        plan: Plan | None,
        where: Place | None,
        shape: tuple[int, ...],
        dtype: np.dtype[Any] | None,
    ) -> None:
        self.primitive = primitive
        self.parents = parents
        self.plan = plan
        self.saved = self.seals = ()
        self.where = where
        self.serial = next(_serial)
        self.shape = shape
        self.dtype = dtype
        self.leaf = None


class Leaf:
    """What only leaves have: the gradient, and how to notice changes of the array."""

    __slots__ = (
        "grad",  # the accumulated gradient, a Tensor
        "version",  # counts the in-place updates made by optimizers
        "handed_out",  # (array, checksum) from when a user first took hold of the array
    )

    grad: Tensor | None
    handed_out: tuple[Array, int] | None

    def __init__(self) -> None:
        self.grad = self.handed_out = None
        self.version = 0

    def set_grad(self, grad: Tensor | None) -> None:
        """Replace the gradient; in a captured step at each replay."""
        tape = taping()
        if tape is not None:
            tape.sets_gradient(self, grad)
        self.grad = grad
        if tape is not None:
            made = type(grad) if grad is not None else None
            tape.note(_set_grad, (self, made, None if grad is None else grad._array), None)


def _set_grad(leaf: Leaf, made: Any, array: Any) -> None:
    leaf.grad = made if made is None else made(array)


def leaf_node(array: Array) -> Node:
    """A Node without a past: gradients end here and are kept."""
    node = Node(None, (), None, None, array.shape, array.dtype)
    node.leaf = Leaf()
    return node


def at(node: Node) -> str:
    """Where a node was made, as `` at file:line``; empty when that is not known."""
    return at_place(node.where)


def at_place(where: Place | None) -> str:
    """A place in the user's code, as `` at file:line``; empty when it is not known."""
    if where is None:
        return ""
    code, instruction = where
    lines = itertools.islice(code.co_positions(), instruction // 2, None)
    line = next(lines, (code.co_firstlineno,))[0]
    return f" at {code.co_filename}:{line}"
