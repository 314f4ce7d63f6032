"""Seals: noticing that an array was changed between the forward and the backward pass.

A node keeps arrays for its VJPs, and a changed one would give a wrong gradient without a word. Of a
constant the node therefore keeps a copy. A leaf's array stays its owner's: the node notes its
version, which optimizers count up, and its checksum once somebody has taken hold of it through
``x.data``. Results of operations are only ever given out read-only.
"""

from .backend import is_array, own_copy
from .node import at
from .tensor import checksum, describe


def save(node, values, out):
    """Keep in `node` what its plan asks for, of the arguments `values` and the result `out`."""
    saved, seals = [], []
    for kind, i in node.plan.fetch:
        if kind == "value":
            value = values[i]
            saved.append(value)
            if is_array(value):
                parent = node.parents[i]
                leaf = None if parent is None else parent.leaf
                if parent is None:  # a constant, which its owner may change: kept as it is now
                    saved[-1] = own_copy(value)
                elif leaf is not None and leaf.handed_out is not None:
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


def check_seals(node):
    """Raise RuntimeError if an array that `node` saved was changed since."""
    for i, value, leaf, version, seen in node.seals:
        if seen is not None:
            changed = checksum(value) != seen
        else:
            changed = leaf.version != version
            if leaf.handed_out is not None:
                array, then = leaf.handed_out
                changed |= checksum(array) != then
        if changed:
            name = node.primitive.name
            raise RuntimeError(
                f"backward of {name}{at(node)}: its saved argument {node.primitive.argument(i)}, "
                f"{describe(value)}, was changed after {name} had used it, so the gradient would "
                "be wrong: change arrays only after backward(), or give a copy"
            )
