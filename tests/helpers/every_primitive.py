"""What the tests of every primitive share: its cases, a run forward and back, what is below it."""

import zlib

import numpy as np
import pytest
import specs

import minigrad as mg

every_primitive = pytest.mark.parametrize("name", sorted(mg.registry))


def for_every_case(test):
    """A test of each primitive that runs `test` on all its cases; the last one printed failed."""

    @every_primitive
    def every(name):
        for case in specs.cases(name):
            print(f"{name}: {case.label}")
            test(case)

    every.__doc__ = test.__doc__
    return every


def leaf(array):
    """A Tensor on `array` itself, with whatever memory layout it has."""
    x = mg.Tensor(array)
    x.requires_grad = True
    return x


def cotangent(y, k=0):
    """A gradient to start from, of the shape and dtype of `y`."""
    seed = zlib.crc32(f"{y.shape}{k}".encode())
    return np.asarray(np.random.default_rng(seed).standard_normal(y.shape)).astype(y.dtype)


def nodes_below(y):
    """All Nodes that `y` was computed from, its own included."""
    seen, stack = set(), [y.node]
    while stack:
        node = stack.pop()
        if node is not None and node not in seen:
            seen.add(node)
            stack.extend(node.parents)
    return seen


def run(function, inputs, g=None):
    """The output of `function` and the gradients of its inputs, as arrays."""
    xs = [leaf(x) for x in inputs]
    y = function(*xs)
    y.backward(cotangent(y) if g is None else g)
    return y._data, [x.grad._data for x in xs]
