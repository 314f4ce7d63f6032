"""05  Your own engine

Idea: arrays, eight operations with their rules, and one walk back: that is a whole engine.
You write: rule(operation, g, y, *inputs), gradients(last).
You get: an engine of your own, which trains the network of lesson 6 to the library's last digit.
Needs: 02, 03, 04.
Read: Baydin et al., Automatic differentiation in machine learning: a survey (JMLR, 2018).
Uses: minigrad/engine.py, minigrad/gradient.py, minigrad/ops.py.
Time: fast 3 s, default 3 s (2 cores).
"""

import time

from lessons import Lesson, Todo

import numpy as np

import minigrad as mg

lesson = Lesson(5)  # float64
rng = np.random.default_rng(5)

# %% [markdown]
# Lesson 2 walked through a graph of numbers, lesson 3 found the gradients of arrays. Put together
# they are an engine, and PyTorch, JAX and the library of this course are engines of this kind. Your
# answers to those lessons are used here wherever they are right.

# %%
visiting_order = lesson.earlier(2, "visiting_order")
unbroadcast, matmul_vjp = lesson.earlier(3, "unbroadcast", "matmul_vjp")

# %% [markdown]
# A Node holds an array, and remembers which operation made it, from which other Nodes. Eight
# operations are enough for every network of fully connected layers: `a - b` is a + b * -1, and a
# sigmoid is 1 / (1 + exp(-a)).

# %%
FORWARD = {
    "add": np.add,  # with broadcasting, as multiply and divide too
    "multiply": np.multiply,
    "divide": np.divide,
    "matmul": np.matmul,  # (m, k) @ (k, n) -> (m, n)
    "exp": np.exp,
    "log": np.log,
    "relu": lambda a: np.maximum(a, 0.0),
    "sum": np.sum,  # of all elements -> a number, shape ()
}


def apply(operation, *inputs):
    """The Node that the operation makes of Nodes or numbers."""
    parents = tuple(x if isinstance(x, Node) else Node(x) for x in inputs)
    return Node(FORWARD[operation](*(p.data for p in parents)), operation, parents)


# %% [markdown]
# Each operation needs one rule: given g, the gradient of its result y, the gradients of its inputs.
# Lesson 3 has that of a product of matrices. Leave broadcasting out of it: in `add`, g goes to both
# inputs as it is, and the walk will bring it back to their shapes. Only `sum` has to think of a
# shape: how far does the sum move when one element does?


# %%
@lesson.exercise("5.1")
def rule(operation, g, y, *inputs):  # arrays; y = FORWARD[operation](*inputs), g has y's shape
    """The gradients of the inputs, a tuple with one for each, when that of y is g."""
    raise Todo('if operation == "add": return g, g    and so on for the other seven')


# %% [markdown]
# Now the walk. It is lesson 2's, with two changes: the shares come from `rule`, and each is brought
# back to the shape of the parent that it is for. `last` is a single number, a loss. The dictionary
# is a new one at each walk, so inner nodes need no clearing. Only the leaves, which have no
# parents, keep a sum over several walks, in `.grad` (below); `zero_grad` is for those.


# %%
@lesson.exercise("5.2")
def gradients(last):
    """{node: gradient of `last` with respect to it}, each an array of the shape of node.data."""
    raise Todo("lesson 2's walk, with rule(node.operation, ..., node.data, ...) and unbroadcast")


# %%
def method(operation):
    return lambda *inputs: apply(operation, *inputs)


class Node:
    """An array, the operation that made it, and the Nodes that it was made from."""

    __array_ufunc__ = None  # of 2.0 * node, let NumPy leave the work to the Node

    def __init__(self, data, operation=None, parents=()):
        self.data, self.operation, self.parents = np.asarray(data, float), operation, parents
        self.grad = None  # of a leaf, after backward(): a Node

    def backward(self):
        for leaf, g in gradients(self).items():
            if not leaf.parents:
                leaf.grad = Node(g if leaf.grad is None else leaf.grad.data + g)

    def item(self):
        return self.data.item()

    __add__ = __radd__ = method("add")
    __mul__ = __rmul__ = method("multiply")
    __truediv__, __matmul__ = method("divide"), method("matmul")
    exp, log, relu, sum = method("exp"), method("log"), method("relu"), method("sum")

    def __rtruediv__(self, other):
        return apply("divide", other, self)

    def __neg__(self):
        return self * -1.0

    def __sub__(self, other):
        return self + other * -1.0

    def mean(self):
        return self.sum() * (1 / self.data.size)


def zero_grad(weights):
    """Forget what earlier walks have left."""
    for w in weights:
        w.grad = None


# %% [markdown]
# That is all of it. Before it trains anything, the check of lesson 4, on a formula with all eight
# operations in it. And the question of lesson 2's end: after two walks, what is in `.grad`?


# %%
def formula(a, b, w):  # (3, 4), (4,), (4, 2) -> a number
    return ((a * b + 1.0).exp() / (b * b + 2.0) @ w).relu().sum().log()


values = [rng.uniform(0.5, 1, shape) for shape in ((3, 4), (4,), (4, 2))]
leaves = [Node(v) for v in values]
last = formula(*leaves)
last.backward()
first = leaves[0].grad.data  # (3, 4)
v = rng.standard_normal((3, 4))  # (3, 4): a direction for a
up, down = (formula(Node(values[0] + h * v), *leaves[1:]).item() for h in (1e-5, -1e-5))
lesson.report("slope along v", np.sum(first * v), "close", predicted=(up - down) / 2e-5)
last.backward()
twice = np.sum(leaves[0].grad.data) / np.sum(first)
lesson.report("gradient after two walks / after one", twice, "exact", predicted=2.0)

# %% [markdown]
# The network of lesson 6: x times a row of weights, plus a bias, relu, and the same again to one
# number. The loop is a few lines: forget, compute, walk back, step downhill. A Node has the methods
# that it needs under the library's names, so the same lines train Tensors too. Guess: how many
# nodes does the graph of one step have, the constants counted? And how far apart are the losses of
# the two engines after the last step?

# %%
lesson.guess("nodes in the graph of one step", "How many nodes has the graph of one step?")
x = np.sort(rng.uniform(-1, 1, (128, 1)), axis=0)  # (128, 1)
y = np.sin(np.pi * x) + 0.2 * rng.standard_normal(x.shape)  # (128, 1)
w1 = rng.choice([-1.5, 1.5], (1, 30))  # (1, 30)
start = [w1, -w1[0] * np.linspace(-0.9, 0.9, 30), rng.normal(0, 0.1, (30, 1)), np.zeros(1)]


def predict(weights, x):  # (N, 1) -> (N, 1)
    w1, b1, w2, b2 = weights
    return (x @ w1 + b1).relu() @ w2 + b2


def mean_square(weights, x, y):
    error = predict(weights, x) - y  # (N, 1)
    return (error * error).mean()


def train(make, steps, lr=0.05):
    """Train on Nodes or Tensors, as `make` gives them: (losses, weights, seconds a step)."""
    weights, losses, began = [make(w.copy()) for w in start], [], time.perf_counter()
    for _ in range(steps):
        zero_grad(weights)
        loss = mean_square(weights, make(x), make(y))
        loss.backward()
        for w in weights:
            w.data -= lr * w.grad.data
        losses.append(loss.item())
    return np.array(losses), weights, (time.perf_counter() - began) / steps


steps = 150 if lesson.fast else 1000
mine, weights, seconds = train(Node, steps)
theirs, _, library_seconds = train(lambda a: mg.tensor(a, requires_grad=True), steps)
graph = visiting_order(mean_square(weights, Node(x), Node(y)))
lesson.report("nodes in the graph of one step", len(graph), "exact", predicted=18)
lesson.report("loss after the last step", mine[-1], "close", predicted=theirs[-1])
lesson.report("largest distance to the library", np.abs(mine - theirs).max(), "+-1e-10")
lesson.report("milliseconds a step, yours and its", [1e3 * seconds, 1e3 * library_seconds], "any")

# %% [markdown]
# What the library adds is comfort and economy. It does not go where no gradient is wanted (here
# x, y and the constants get theirs too), it forgets what no rule needs any more, its rules work on
# Tensors, so that gradients have gradients, and float32 stays float32. The ideas are these. And the
# graph is new at each step, so a program may take another way at each (karpathy/micrograd#92). Can
# it have a cycle (#67)? No: a Node's parents exist before it.

# %%
grid = np.linspace(-1, 1, 401)[:, None]  # (401, 1)
fit = predict(weights, Node(grid)).data  # (401, 1)
claim = "Your engine trains, and nothing tells it from the library"
lesson.draw("engine", claim, graph, mine, theirs, (x, y), (grid, fit))

# %% [markdown]
# Threads named here:
#
# [karpathy/micrograd#67](https://github.com/karpathy/micrograd/issues/67),
# [karpathy/micrograd#92](https://github.com/karpathy/micrograd/issues/92).

# %%
lesson.finish()
