"""Compares random expression graphs with PyTorch: value, gradient and Hessian-vector product.

``python tests/tools/random_graphs.py --graphs 5000`` compares 5,000 graphs and prints each that
differs, cut down to what is needed, as a program that can be pasted and run. A graph has two or
three leaves of any shape and layout, and up to a dozen operations (``random_operations.py``) whose
operands are any earlier results, so that subexpressions are shared. Compared in float64 are the
value, the gradient (`Tensor.backward`), the Hessian-vector product by a second walk
(`minigrad.grad` with ``create_graph=True``), and the one of `minigrad.hvp`.
"""

import argparse
import sys
import time
import warnings
from collections import Counter

import numpy as np
from random_programs import HEADER, random_program

import minigrad as mg

try:
    import torch
except ImportError:  # pytest looks for examples in this file, with or without it
    torch = None

TOLERANCE = 1e-9  # of the largest number of its kind, and at least of 1; rounding makes some 1e-13


def difference(program, nested=False):
    """What minigrad computes differently from PyTorch, as a sentence; None if nothing.

    With `nested` the second derivative is `minigrad.jvp` of `minigrad.jvp` as well.
    """
    names = {}
    exec(f"{HEADER}\n\n{program.definitions()}", names)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            mine = list(_mine(names, program.differentiated(), nested))
    except Exception as error:  # whatever it is, PyTorch had an answer
        return f"{type(error).__name__}: {error}"
    theirs = _theirs(names, program.differentiated(), nested)
    for (what, a), (_, b) in zip(mine, theirs, strict=True):
        scale = max([1.0, *(np.abs(y).max(initial=0) for y in b)])
        for k, (x, y) in enumerate(zip(a, b, strict=True)):
            if x.shape != y.shape:
                return f"{what} {k}: the shape is {x.shape}, PyTorch's {y.shape}"
            error = np.abs(x - y).max(initial=0)
            if not error <= TOLERANCE * scale:
                return f"{what} {k}: an error of {error:.2g}, in {scale:.2g}"
    return None


def _mine(names, k, nested):
    """(what it is, arrays) of all that is compared, by minigrad."""
    function, values = names["mine"], names["leaves"]
    leaves = [names["leaf"](value) for value in values]
    y = function(*leaves)
    yield "value", [y.numpy()]
    if y.requires_grad:
        y.backward()
    yield "gradient", [_array(x.grad, x) for x in leaves]
    y, slopes = function(*leaves), []
    if y.requires_grad:
        slopes = mg.grad(y, leaves, create_graph=True, allow_unused=True)
    slopes = [slope for slope in slopes if slope is not None and slope.requires_grad]
    directions = [names["weights"](slope) for slope in slopes]
    curved = [None] * len(leaves)
    if slopes:
        curved = mg.grad(slopes, leaves, directions, allow_unused=True)
    yield "Hessian-vector product", [_array(x, y) for x, y in zip(curved, leaves, strict=True)]

    def alone(x):
        return function(*leaves[:k], x, *leaves[k + 1 :])

    v = names["weights"](values[k])
    yield "hvp", [mg.hvp(alone, values[k], v).numpy()]
    if nested:
        along = mg.jvp(lambda x: mg.jvp(alone, [x], [v])[1], [values[k]], [v])[1]
        yield "jvp of jvp", [along.numpy()]


def _theirs(names, k, nested):
    """The same by PyTorch."""
    function, values = names["theirs"], names["leaves"]
    leaves = [names["t"](value).requires_grad_() for value in values]
    y = function(*leaves)
    yield "value", [y.numpy(force=True)]
    slopes = [None] * len(leaves)
    if y.requires_grad:
        slopes = torch.autograd.grad(y, leaves, create_graph=True, allow_unused=True)
    yield "gradient", [_array(x, y) for x, y in zip(slopes, leaves, strict=True)]
    directions = [None if s is None else names["t"](names["weights"](s)) for s in slopes]

    def product(chosen):
        """The derivative of the chosen slopes, each times its direction."""
        total = sum((slopes[j] * directions[j]).sum() for j in chosen if slopes[j] is not None)
        if not isinstance(total, torch.Tensor) or not total.requires_grad:
            return [None] * len(leaves)
        return torch.autograd.grad(total, leaves, allow_unused=True, retain_graph=True)

    curved = product(range(len(leaves)))
    yield "Hessian-vector product", [_array(x, y) for x, y in zip(curved, leaves, strict=True)]
    alone = _array(product([k])[k], leaves[k])
    yield "hvp", [alone]
    if nested:
        yield "jvp of jvp", [np.array((alone * names["weights"](values[k])).sum())]


def _array(x, like):
    """A result of either library as an array, zeros where there is none."""
    if x is None:
        return np.zeros(tuple(like.shape))
    return x.numpy(force=True) if isinstance(x, torch.Tensor) else x.numpy()


def cut_down(program):
    """The program of one result that still differs, with no more lines than that result needs."""
    for name in [*program.leaves, *(line[0] for line in program.lines)]:
        smaller = program.only(name)
        if difference(smaller):
            return smaller
    return program


def main(arguments=None):
    if torch is None:
        sys.exit("PyTorch, the second opinion, is not installed: pip install -e '.[parity]'")
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--graphs", type=int, default=5000, help="how many to compare")
    parser.add_argument("--first", type=int, default=0, help="the number of the first")
    parser.add_argument("--nested", action="store_true", help="compare jvp of jvp as well")
    parser.add_argument("--show", type=int, default=5, help="how many that differ to print")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    used, reached, wrong, started = Counter(), set(), 0, time.perf_counter()

    def reach(primitive, where, phase, function, values):
        reached.add(primitive.name)
        return function(*values)

    for seed in range(options.first, options.first + options.graphs):
        program, operations = random_program(seed)
        used += operations
        with mg.hook(reach):
            found = difference(program, options.nested)
        if found:
            wrong += 1
            print(f"# ---- graph {seed}: {found}")
            if wrong <= options.show:
                print(cut_down(program).source())
    seconds = time.perf_counter() - started
    print(f"{options.graphs} graphs, {used.total()} operations, {seconds:.0f} s: {wrong} differ")
    print(f"primitives that none of them reached: {sorted(set(mg.registry) - reached)}")
    return wrong


if __name__ == "__main__":
    sys.exit(bool(main()))
