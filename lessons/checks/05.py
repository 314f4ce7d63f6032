"""Checks of lesson 05. Graphs are built here, by functions whose names appear in the messages."""

import contextlib
from importlib import import_module

from lessons import Check, Judge, Wrong

import numpy as np

import minigrad as mg
from minigrad import sum_to

FORWARD = {
    "add": lambda a, b: a + b,
    "multiply": lambda a, b: a * b,
    "divide": lambda a, b: a / b,
    "matmul": lambda a, b: a @ b,
    "exp": mg.exp,
    "log": mg.log,
    "relu": mg.relu,
    "sum": mg.sum,
}


# ---------------------------------------------------------------------- 5.1 rule
def rule_cases():
    rng = np.random.default_rng(5)
    shapes = {
        "add": [((3, 4), (3, 4)), ((3, 1), (4,))],
        "multiply": [((3, 4), (4,)), ((2, 3), (2, 3))],
        "divide": [((3, 4), (3, 1)), ((2, 3), (2, 3)), ((), (3,))],
        "matmul": [((3, 2), (2, 4)), ((1, 5), (5, 3))],
        "exp": [((3, 4),), ((2,),)],
        "log": [((3, 4),), ((2,),)],
        "relu": [((3, 4),), ((6,),)],
        "sum": [((3, 4),), ((5,),)],
    }
    cases = []
    for operation, pairs in shapes.items():
        for pair in pairs:
            inputs = [np.array(rng.uniform(0.5, 2, s) * rng.choice([-1, 1], s)) for s in pair]
            if operation == "log":
                inputs = [np.abs(a) for a in inputs]
            y = np.asarray(FORWARD[operation](*inputs))
            cases.append((operation, np.array(rng.standard_normal(y.shape)), y, *inputs))
    return cases


def brought_back(f, operation, g, y, *inputs):
    """The gradients, each in the shape of its input, as the walk brings them there."""
    answer = f(operation, g, y, *inputs)
    if isinstance(answer, np.ndarray | float) and len(inputs) == 1:
        raise Wrong(
            f"{operation} has one input: return a tuple of one gradient, with a comma: (..,)"
        )
    if not isinstance(answer, tuple | list) or len(answer) != len(inputs):
        raise Wrong(
            f"{operation} has {len(inputs)} inputs: return a tuple with a gradient for each"
        )
    gradients = []
    for gradient, x in zip(answer, inputs, strict=True):
        gradient = np.asarray(gradient)
        if gradient.dtype.kind != "f" or gradient.dtype != np.float64:
            raise Wrong(f"the gradients of {operation} are {gradient.dtype}, expected float64")
        with contextlib.suppress(Exception):  # a wrong shape is said below
            gradient = sum_to(gradient, x.shape)
        gradients.append(gradient)
    return tuple(gradients)


def element_by_element(operation, g, y, *inputs, h=1e-6):
    """Push each element of each input up and down."""
    f, found = FORWARD[operation], []
    for k, x in enumerate(inputs):
        slopes = np.zeros(x.shape)
        for at in np.ndindex(x.shape):
            ends = []
            for step in (h, -h):
                moved = [a.copy() for a in inputs]
                moved[k][at] += step
                ends.append(np.sum(g * f(*moved)))
            slopes[at] = (ends[0] - ends[1]) / (2 * h)
        found.append(slopes)
    return tuple(found)


def by_library(operation, g, y, *inputs):
    leaves = [mg.tensor(a, requires_grad=True) for a in inputs]
    return tuple(v.numpy() for v in mg.grad(FORWARD[operation](*leaves), leaves, mg.tensor(g)))


def by_torch(operation, g, y, *inputs):
    torch = import_module("torch")
    leaves = [torch.tensor(a, requires_grad=True) for a in inputs]
    f = getattr(torch, operation, None) or FORWARD[operation]
    f(*leaves).backward(torch.tensor(g))
    return tuple(leaf.grad.numpy() for leaf in leaves)


def library_rule(operation, g, y, *inputs, **spoilt):
    a, b = inputs if len(inputs) == 2 else (*inputs, None)
    rules = {
        "add": lambda g, y, a, b: (g, g),
        "multiply": lambda g, y, a, b: (g * b, g * a),
        "divide": lambda g, y, a, b: (g / b, -g * y / b),
        "matmul": lambda g, y, a, b: (g @ b.T, a.T @ g),
        "exp": lambda g, y, a, b: (g * y,),
        "log": lambda g, y, a, b: (g / a,),
        "relu": lambda g, y, a, b: (g * (a > 0),),
        "sum": lambda g, y, a, b: (g * np.ones_like(a),),
    }
    return (rules | spoilt)[operation](g, y, a, b)


def factors_exchanged(*case):
    """multiply: the gradient of a is g times the OTHER factor, b, and that of b is g times a."""
    return library_rule(*case, multiply=lambda g, y, a, b: (g * a, g * b))


def no_minus(*case):
    """divide: when b grows, a / b shrinks (if both are positive): b's gradient has a minus."""
    return library_rule(*case, divide=lambda g, y, a, b: (g / b, g * y / b))


def not_squared(*case):
    """divide: the slope of 1 / b is -1 / b**2; your b has the wrong power."""
    return library_rule(*case, divide=lambda g, y, a, b: (g / b, -g * a / b))


def exp_of_input(*case):
    """exp: its slope is exp(a), which is y, and not a itself."""
    return library_rule(*case, exp=lambda g, y, a, b: (g * a,))


def log_of_output(*case):
    """log: its slope is 1 over the input a, not over the result y."""
    return library_rule(*case, log=lambda g, y, a, b: (g / y,))


def mask_of_g(*case):
    """relu: what passes is decided by the input, not by the sign of g."""
    return library_rule(*case, relu=lambda g, y, a, b: (g * (g > 0),))


def no_mask(*case):
    """relu: where the input is below 0 the result stays 0, so nothing of g goes on."""
    return library_rule(*case, relu=lambda g, y, a, b: (g,))


def sum_not_spread(*case):
    """sum: every element gets the slope g, so the gradient is an array of the input's shape."""
    return library_rule(*case, sum=lambda g, y, a, b: (g,))


def ignores_g(*case):
    """You left out g: the local slopes are multiplied by what comes from behind."""
    operation, g, *rest = case
    return library_rule(operation, np.ones_like(g), *rest)


rule = Check(
    library=library_rule,
    source="minigrad/ops.py::multiply",
    cases=rule_cases,
    observe=brought_back,
    judges=[
        Judge("measured slopes", element_by_element, 1e-7),
        Judge("the library", by_library, 1e-12),
        Judge("PyTorch", by_torch, 1e-12, needs="torch"),
    ],
    mistakes=[
        factors_exchanged,
        no_minus,
        not_squared,
        exp_of_input,
        log_of_output,
        mask_of_g,
        no_mask,
        sum_not_spread,
        ignores_g,
    ],
)


# ---------------------------------------------------------------------- graphs
class Node:
    """As in the lesson."""

    def __init__(self, data, operation=None, parents=()):
        self.data, self.operation, self.parents = np.asarray(data, float), operation, parents
        self.grad = None

    def __repr__(self):
        return f"{self.operation or 'leaf'} {self.data.shape}"


class Maker:
    """Makes Nodes in order; node `k` has `pushed` added to its data."""

    def __init__(self, k=None, pushed=0.0):
        self.nodes, self.k, self.pushed = [], k, pushed
        self.rng = np.random.default_rng(50)

    def keep(self, node):
        if len(self.nodes) == self.k:
            node.data = node.data + self.pushed
        self.nodes.append(node)
        return node

    def leaf(self, *shape):
        return self.keep(Node(self.rng.uniform(0.5, 1.5, shape)))

    def __call__(self, operation, *parents):
        data = FORWARD[operation](*(p.data for p in parents))
        return self.keep(Node(data, operation, parents))


def square(make):
    """One leaf, used twice by one node."""
    a = make.leaf(3)
    return make("sum", make("multiply", a, a))


def bias(make):
    """A row is added to each row of a matrix."""
    x, w, b = make.leaf(4, 2), make.leaf(2, 3), make.leaf(3)
    return make("sum", make("exp", make("add", make("matmul", x, w), b)))


def table(make):
    """A column times a row, and a number."""
    column, row, number = make.leaf(3, 1), make.leaf(1, 4), make.leaf()
    return make("sum", make("divide", make("multiply", column, row), make("add", row, number)))


def waits(make):
    """b is used at once and at the end of a longer path, and passes on to a."""
    a = make.leaf(2, 2)
    b = make("exp", a)
    c = make("log", make("add", b, a))
    d = make("multiply", c, b)
    return make("sum", make("add", d, make("divide", b, c)))


def network(make):
    """Two layers and a mean of squares."""
    x, y = make.leaf(5, 2), make.leaf(5, 1)
    w, v, minus = make.leaf(2, 3), make.leaf(3, 1), make.leaf()
    h = make("relu", make("matmul", x, w))
    error = make("add", make("matmul", h, v), make("multiply", y, minus))
    return make("sum", make("multiply", error, error))


def graphs():
    return [(graph,) for graph in (square, bias, table, waits, network)]


def in_order(f, graph):
    """The gradients of all nodes, in the order in which they were made."""
    make = Maker()
    last = graph(make)
    answer = f(last)
    again = f(last)
    if not isinstance(answer, dict):
        raise Wrong("a dictionary was asked for: {node: gradient, ...}")
    if any(n.grad is not None for n in make.nodes):
        raise Wrong("the walk keeps nothing in .grad: that is left to backward(), below")
    if not all(isinstance(n, Node) for n in answer):
        raise Wrong("the keys of the dictionary are not nodes: {node: gradient, ...} was asked for")
    for n, g in answer.items():
        if not isinstance(g, np.ndarray | np.generic | float):
            raise Wrong(f"the gradient of a node is a {type(g).__name__}, expected an array")
        if not np.array_equal(g, again.get(n)):
            raise Wrong("right at the first walk, other gradients at the second one through the "
                        "same graph: something of the first has been kept")  # fmt: skip
    return tuple(np.asarray(answer.get(n, np.nan)) for n in make.nodes)


def pushed_nodes(graph, h=1e-6):
    """Push each element of each node up and down, and see what the last node does."""
    made = Maker()
    graph(made)
    found = []
    for k, node in enumerate(made.nodes):
        slopes = np.zeros(node.data.shape)
        for at in np.ndindex(node.data.shape):
            push = np.zeros(node.data.shape)
            push[at] = h
            ends = [graph(Maker(k, sign * push)).data for sign in (1, -1)]
            slopes[at] = (ends[0] - ends[1]) / (2 * h)
        found.append(slopes)
    return tuple(found)


class Tensors(Maker):
    """The same graphs of the library's Tensors."""

    def leaf(self, *shape):
        return self.keep(mg.tensor(self.rng.uniform(0.5, 1.5, shape), requires_grad=True))

    def __call__(self, operation, *parents):
        return self.keep(FORWARD[operation](*parents))


def walk_of_library(graph):
    make = Tensors()
    last = graph(make)
    return tuple(g.numpy() for g in mg.grad(last, make.nodes))


def order_of(last):
    done, seen = [], set()

    def visit(node):
        if node not in seen:
            seen.add(node)
            for parent in node.parents:
                visit(parent)
            done.append(node)

    visit(last)
    return done[::-1]


def walk(last, order=None, add=True, back=sum_to, seed=1.0):
    """The right walk, with ways to spoil it."""
    found = {last: np.full(last.data.shape, seed)}
    for node in order or order_of(last):
        if node.parents:
            values = [p.data for p in node.parents]
            arrived = found.get(node, np.zeros(node.data.shape))
            shares = library_rule(node.operation, arrived, node.data, *values)
            for parent, share in zip(node.parents, shares, strict=True):
                share = back(share, parent.data.shape)
                found[parent] = found[parent] + share if add and parent in found else share
    return found


def library_gradients(last):
    return walk(last)


def overwrites(last):
    """You replaced what a parent had received (=) instead of adding to it: a node that is used
    twice then hears of one of its users only."""
    return walk(last, add=False)


def not_brought_back(last):
    """A gradient does not have the shape of its node: what was broadcast has to be summed by
    unbroadcast(share, parent.data.shape)."""
    return walk(last, back=lambda share, shape: share)


def mean_of_copies(last):
    """You took the mean of the copies that broadcasting made: unbroadcast sums them."""
    return walk(last, back=lambda share, shape: sum_to(share, shape) / max(1, share.size
                // max(1, int(np.prod(shape)))))  # fmt: skip


def too_early(last):
    """Nodes passed on before they had received anything: visiting_order(last) starts at the end."""
    return walk(last, order=order_of(last)[::-1])


def at_once(last):
    """Nodes passed on before all their users had reported: walk through visiting_order(last)."""
    order = [last]
    for node in order:  # grows while we go
        order += [p for p in dict.fromkeys(node.parents) if p not in order]
    return walk(last, order=order)


def leaves_only(last):
    """Only the leaves are in the dictionary: keep the gradients of the other nodes too."""
    return {n: g for n, g in walk(last).items() if not n.parents}


def no_seed(last):
    """Everything is 0 because the last node starts with 0: its gradient by itself is 1."""
    return walk(last, seed=0.0)


gradients = Check(
    library=library_gradients,
    source="minigrad/gradient.py::grad",
    returns="dict",
    cases=graphs,
    observe=in_order,
    judges=[
        Judge("measured slopes", pushed_nodes, 1e-6),
        Judge("the library", walk_of_library, 1e-12),
    ],
    mistakes=[
        overwrites,
        not_brought_back,
        mean_of_copies,
        too_early,
        at_once,
        leaves_only,
        no_seed,
    ],
)
