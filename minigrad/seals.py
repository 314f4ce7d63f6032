"""Seals: noticing that an array was changed between the forward and the backward pass.

A node keeps arrays for its VJPs, and a changed one would give a wrong gradient without a word. Of a
constant the node therefore keeps a copy, or what a constant Tensor lends it (see ``tensor.py``),
both read-only. A leaf's array stays its owner's: the node notes its version, which optimizers count
up, and its checksum once somebody has taken hold of it through ``x.data``. Results of operations
are only ever given out read-only.
"""

from __future__ import annotations

import copy
from collections.abc import MutableMapping, MutableSequence, MutableSet, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .backend import Array, array_module, is_array, is_capturing, own_copy, share_memory
from .node import Node, at
from .state import taping
from .tensor import Tensor, checksum, describe

if TYPE_CHECKING:
    from .tape import Tape

_IMMUTABLE = {int, float, bool, str, type(None), type(Ellipsis), np.dtype}


def frozen(value: Any) -> Any:
    """A constant argument of an operation as it is now: of arrays, and of the containers that
    indices, shapes and options come in, a copy that its owner cannot change."""
    kind = type(value)
    if kind in _IMMUTABLE:
        return value
    if kind is np.ndarray:
        return own_copy(value)
    if kind is slice:
        start, stop, step = value.start, value.stop, value.step
        if type(start) in _IMMUTABLE and type(stop) in _IMMUTABLE and type(step) in _IMMUTABLE:
            return value
        return slice(frozen(start), frozen(stop), frozen(step))
    if kind is tuple or kind is list:
        return kind(map(frozen, value))
    if is_array(value):
        return own_copy(value)
    if isinstance(value, tuple) and hasattr(value, "_fields"):  # a NamedTuple
        return kind(*map(frozen, value))
    if isinstance(value, MutableSequence | MutableMapping | MutableSet | bytearray):
        return copy.deepcopy(value)
    return value


def seal_view(node: Node, out: Array, values: Sequence[Any]) -> None:
    """Note in `node`, of which `out` is the result, the leaf whose memory it uses, if it does:
    changes to the leaf would show through."""
    for i, parent in enumerate(node.parents):
        if parent is None or parent.leaf is None:
            continue
        if values[i] is out or np.may_share_memory(out, values[i]):
            node.leaf = parent.leaf


def read_only(out: Array, args: Sequence[Any]) -> Array:
    """`out`, but without permission to write where it uses the memory of a Tensor that gradients
    flow to: nobody would notice what is written. CuPy's arrays are always writable: a copy."""
    if not any(getattr(a, "node", None) and share_memory(out, a._data) for a in args):
        return out
    if array_module(out) is not np:
        return own_copy(out)
    shown = out.view()
    shown.flags.writeable = False
    tape = taping()
    return shown if tape is None else tape.note(np.ndarray.view, (out,), shown)


def save(node: Node, args: Sequence[Any], values: Sequence[Any], out: Array) -> None:
    """Keep in `node` what its plan asks for, of the arguments `args`, whose arrays and numbers are
    `values`, and of the result `out`."""
    saved: list[Any] = []
    seals: list[tuple[int, Array, Any, int, int | None]] = []
    for kind, i in node.plan.fetch:
        if kind == "value":
            value, parent = values[i], node.parents[i]
            if parent is None:  # a constant, which its owner may change: kept as it is now
                if type(value) not in _IMMUTABLE:
                    value = _kept(args[i], value)
                saved.append(value)
                continue
            saved.append(value)
            leaf = parent.leaf
            if leaf is not None and leaf.handed_out is not None and not is_capturing(value):
                seals.append((i, value, leaf, 0, checksum(value)))
            elif leaf is not None:
                seals.append((i, value, leaf, leaf.version, None))
        elif kind == "y":
            saved.append(out)
        elif kind == "i":
            saved.append(i)
        else:
            saved.append(getattr(values[i], kind))
    node.saved, node.seals = saved, seals


def _kept(arg: Any, value: Any) -> Any:
    """The constant `value` of the argument `arg` as it is now, and read-only: a VJP may return it,
    and gradients be changed."""
    tape = taping()
    if tape is not None:
        return _noted(tape, value)
    lent = arg._lend(value) if isinstance(arg, Tensor) else None
    value = frozen(value) if lent is None else lent
    if type(value) is np.ndarray:
        value.flags.writeable = False
    return value


def _noted(tape: Tape, value: Any) -> Any:
    """What a captured step keeps of a constant: the array itself, because it looks whether it was
    changed, but where a copy has another layout, with which the last bits may be others."""
    if type(value) is not np.ndarray:
        return value
    if not value.flags.c_contiguous:
        value = tape.call(own_copy, value)
    shown = value.view()
    shown.flags.writeable = False
    return tape.note(np.ndarray.view, (value,), shown)


def check_seals(node: Node) -> None:
    """Raise RuntimeError if an array that `node` saved was changed since."""
    for i, value, leaf, version, seen in node.seals:
        if seen is not None:
            changed = checksum(value) != seen
        else:
            changed = leaf.version != version
            if leaf.handed_out is not None and not is_capturing(value):
                array, then = leaf.handed_out
                changed |= checksum(array) != then
        if changed:
            name = node.primitive.name
            raise RuntimeError(
                f"backward of {name}{at(node)}: its saved argument {node.primitive.argument(i)}, "
                f"{describe(value)}, was changed after {name} had used it, so the gradient would "
                "be wrong: change arrays only after backward(), or give a copy"
            )
