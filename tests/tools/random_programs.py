"""Random expression graphs as programs: the same computation for minigrad and for PyTorch.

Only NumPy and PyTorch take part in making one: a fault of minigrad cannot change which programs
are made.
"""

import contextlib
import math
import re
from collections import Counter
from dataclasses import dataclass, replace

import numpy as np
from random_indices import has_a_tuple_or_range
from random_operations import NothingFits, constant_source, operations

LARGEST = 10.0  # results are kept below, so that derivatives do not grow out of hand
SHAPES = [(), (), (1,), (3,), (4,), (2, 3), (3, 2), (4, 1), (1, 3), (2, 3, 4), (3, 1, 2),
          (2, 1, 3), (3, 3), (1, 3, 4, 2)]  # fmt: skip
# The results of these are the same to the last bit in both, so that ties and kinks are as well.
ROUNDED = re.compile(
    r"exp|log|sqrt|tanh|sigmoid|softplus|pow|\*\*|sum|mean|var|@|matmul|conv|softmax|losses|placed"
)

HEADER = '''\
import math

import numpy as np
import torch
import torch.nn.functional as F

import minigrad as mg


def leaf(array):
    """A leaf that keeps the layout of the array."""
    x = mg.Tensor(np.array(array, order="K", subok=False))
    x.requires_grad = True
    return x


def t(array):
    """A constant for PyTorch."""
    return torch.tensor(np.array(array, order="C"))


def weights(x):
    """Numbers that are all different, as many as `x` has."""
    return np.cos(np.arange(math.prod(x.shape))).reshape(tuple(x.shape))


def chosen(x, index):
    """``x[index]`` in PyTorch, where NumPy says which elements are meant."""
    places = np.arange(x.numel()).reshape(tuple(x.shape))[index]
    return x.reshape(-1)[torch.tensor(np.array(places))]


def placed(x, index, shape):
    """Zeros of `shape` with `x` added at `index`, where NumPy says what is meant."""
    places = np.array(np.arange(math.prod(shape)).reshape(shape)[index]).reshape(-1)
    flat = torch.zeros(math.prod(shape)).double().index_add(0, torch.tensor(places), x.reshape(-1))
    return flat.reshape(shape)


def nchw(x):
    return x.permute(0, 3, 1, 2).contiguous()


def nhwc(x):
    return x.permute(0, 2, 3, 1)


def oihw(w):
    return w.permute(3, 2, 0, 1).contiguous()
'''

FOOTER = """
x = [leaf(a) for a in leaves]
y = [t(a).requires_grad_() for a in leaves]
print(mine(*x), theirs(*y), sep="\\n")
mine(*x).backward()
theirs(*y).backward()
for a, b in zip(x, y):
    print(a.grad, b.grad, sep="\\n")
v = weights(leaves[{k}])
print(mg.hvp(lambda a: mine(*x[:{k}], a, *x[{next}:]), leaves[{k}], v))
hvp = torch.autograd.functional.hvp
print(hvp(lambda a: theirs(*y[:{k}], a, *y[{next}:]), t(leaves[{k}]), t(v))[1])
"""


@dataclass(frozen=True)
class Program:
    """A graph as source code."""

    seed: int
    leaves: dict  # name -> source of its array
    constants: dict  # name -> source
    lines: tuple  # (name, source for minigrad, source for PyTorch), ...
    outputs: tuple  # the names whose sum of x (x + weights(x)) is the result
    repeats: bool  # whether an index repeats elements by a tuple or range

    def definitions(self):
        """The source of ``leaves``, ``mine`` and ``theirs``."""
        arguments = ", ".join(self.leaves)
        sides = []
        for side, total in ((1, "mg.sum({0} * ({0} + weights({0})))"),
                            (2, "torch.sum({0} * ({0} + t(weights({0}))))")):  # fmt: skip
            result = " + ".join(total.format(name) for name in self.outputs)
            body = [f"{line[0]} = {line[side]}" for line in self.lines] + [f"return {result}"]
            sides.append(f"def {('mine', 'theirs')[side - 1]}({arguments}):\n    ")
            sides[-1] += "\n    ".join(body)
        arrays = "".join(f"    {source},\n" for source in self.leaves.values())
        used = {word for line in self.lines for word in re.findall(r"\w+", line[1])}
        constants = "".join(f"{k} = {v}\n" for k, v in self.constants.items() if k in used)
        return f"{constants}leaves = [\n{arrays}]\n\n\n" + "\n\n\n".join(sides) + "\n"

    def source(self):
        """The whole program, which prints the gradients and Hessian-vector products of both."""
        k = self.differentiated()
        return f"{HEADER}\n\n{self.definitions()}{FOOTER.format(k=k, next=k + 1)}"

    def only(self, output):
        """The program whose only result is `output`, without the lines that it does not need."""
        needed, lines = {output}, []
        for line in reversed(self.lines):
            if line[0] in needed:
                lines.insert(0, line)
                needed |= set(re.findall(r"\w+", line[1]))
        return replace(self, lines=tuple(lines), outputs=(output,))

    def differentiated(self):
        """The number of the leaf that the Hessian is taken of."""
        return self.seed % len(self.leaves)


# ---------------------------------------------------------------------- making a graph
class Graph:
    """A graph that grows by random operations; PyTorch tells the values as it does."""

    def __init__(self, seed):
        self.seed, self.rng = seed, np.random.default_rng([2024, seed])
        self.names = {}
        exec(HEADER, self.names)
        self.leaves, self.constants, self.lines, self.values = {}, {}, [], {}
        self.exact, self.repeats, self.used = set(), False, Counter()
        for name in "abc"[: self.rng.integers(2, 4)]:
            shape = SHAPES[self.rng.integers(0, len(SHAPES))]
            self.leaves[name] = constant_source(self.rng, shape, few=self.rng.random() < 0.3)
            self.values[name] = self.names["t"](eval(self.leaves[name], self.names))
            self.exact.add(name)

    def grow(self, steps):
        """Add so many operations."""
        names = list(operations)
        kinds = [name for name in names if ":" not in name]  # not the many of one operand
        while len(self.lines) < steps:
            among = (names, kinds, ["indexing"])[self.rng.choice(3, p=[0.4, 0.4, 0.2])]
            name = str(self.rng.choice(among))
            with contextlib.suppress(NothingFits):
                self.add(*map(str, operations[name](self)))
                self.used[name] += 1

    def add(self, mine, theirs):
        """Add a line; NothingFits where its result would be too large."""
        value = eval(theirs, self.names, dict(self.values))
        if value.numel() > 60 or value.ndim > 5 or (value.abs() > LARGEST).any():
            raise NothingFits("the result is too large")
        name = f"v{len(self.lines)}"
        self.lines.append((name, mine, theirs))
        self.values[name] = value
        operands = {word for word in re.findall(r"\w+", theirs) if word in self.values}
        if operands <= self.exact and not ROUNDED.search(theirs):
            self.exact.add(name)

    def program(self):
        ends = [line[0] for line in self.lines[-3:]]
        return Program(
            self.seed, self.leaves, self.constants, tuple(self.lines), ("a", *ends), self.repeats
        )

    # ------------------------------------------------------------------ what operations ask for
    def pick(self, fits=lambda x: x.numel(), default=NothingFits):
        """The name of a leaf or result whose value fits, the later the likelier."""
        names = [name for name, value in self.values.items() if fits(value)]
        if names:
            return names[max(self.rng.integers(0, len(names), 2))]
        if default is NothingFits:
            raise NothingFits("no operand")
        return default

    def shape(self, name):
        return tuple(self.values[name].shape)

    def size(self, name):
        return self.values[name].numel()

    def is_exact(self, value):
        return any(value is self.values[name] for name in self.exact)

    def fits(self, value, shape):
        """Whether a value can be broadcast to `shape`."""
        try:
            return np.broadcast_shapes(tuple(value.shape), shape) == shape
        except ValueError:
            return False

    def broadcasts(self, name, value):
        try:
            return math.prod(np.broadcast_shapes(self.shape(name), tuple(value.shape))) < 60
        except ValueError:
            return False

    def some_shape(self):
        return SHAPES[self.rng.integers(0, len(SHAPES))]

    def indexed(self, shape, index):
        """The shape of an array of `shape` at an index; remembers whether the index means an
        element twice and has a tuple or range in it."""
        try:
            places = eval(f"np.arange({math.prod(shape)}).reshape({shape})[{index}]", self.names)
        except IndexError as error:
            raise NothingFits("NumPy refuses the index") from error
        if places.size != np.unique(places).size:
            self.repeats |= has_a_tuple_or_range(eval(f"np.s_[{index}]", self.names))
        return places.shape

    def constant(self, shape, few=False):
        """The name of a new constant array."""
        name = f"k{len(self.constants)}"
        self.constants[name] = constant_source(self.rng, shape, few)
        self.names[name] = eval(self.constants[name], self.names)
        return name

    def constant_pair(self, shape):
        name = self.constant(shape)
        return name, f"t({name})"

    def pair(self):
        """An operand, and a second that broadcasts with it: (x, y for minigrad, y for PyTorch)."""
        x = self.pick()
        kind = self.rng.integers(0, 5)
        if kind == 0:
            numbers = [("2", "2"), ("-0.5", "-0.5"), ("True", "1.0"), ("np.float32(0.5)", "0.5")]
            return x, *numbers[self.rng.integers(0, len(numbers))]
        if kind == 1:
            shape = [n if self.rng.random() < 0.7 else 1 for n in self.shape(x)]
            return x, *self.constant_pair(tuple(shape[self.rng.integers(0, len(shape) + 1) :]))
        y = self.pick(lambda y: self.broadcasts(x, y), x)
        return x, y, y


def random_program(seed):
    """Program number `seed`, and how often it uses each operation."""
    graph = Graph(seed)
    graph.grow(graph.rng.integers(3, 13))
    return graph.program(), graph.used
