"""07  The walk that goes along

Idea: forward mode carries one direction along; which mode is cheap, the Jacobian's shape decides.
You write: tangent(operation, y, inputs, tangents), jacobian(push, pull, m, n).
You get: the slope of a whole training by its learning rate; Jacobians by columns and by rows.
Needs: 03, 05, 06.
Read: Griewank and Walther, Evaluating Derivatives (2008), chapters 3 and 4.
Uses: minigrad/derivatives.py.
Time: fast 3 s, default 5 s (2 cores).
"""

import time

from lessons import Lesson, Todo

import numpy as np

import minigrad as mg

lesson = Lesson(7)  # float64
rng = np.random.default_rng(7)
FORWARD = lesson.earlier(5, "FORWARD")  # the eight operations

# %% [markdown]
# Backpropagation starts at the end and needs everything that was computed before. The chain rule
# can be followed in the other direction as well, along with the computation: let the inputs move,
# each along an array of its own shape, its tangent, and ask of every operation how far its result
# moves. That is the **Jacobian-vector product** J v: nothing is stored, nothing is visited again.
# For a product, (a + da)(b + db) is a b + da b + a db and something small of second order, which is
# left out. And broadcasting? On the way forward NumPy does it, for tangents too.


# %%
@lesson.exercise("7.1")
def tangent(operation, y, inputs, tangents):  # y = FORWARD[operation](*inputs)
    """How far y moves, to first order, when the inputs (a tuple) move along `tangents`."""
    raise Todo('if operation == "add": da, db = tangents; return da + db    and so on')


# %% [markdown]
# A value and its tangent together are a **dual number**. The class is lesson 5's Node without its
# parents, and the same formulas work with it. The test of lesson 3, which cannot be fooled: the
# product with a direction and the product with g meet in one number, <g, J v> = <g J, v>. The first
# comes from your forward mode, the second from backpropagation.


# %%
class Dual:
    """An array that moves: its value and its tangent."""

    def __init__(self, data, tangent=None):
        self.data = np.asarray(data, float)
        self.tangent = np.zeros_like(self.data) if tangent is None else tangent


def along(operation, *inputs):
    """The Dual that the operation makes of Duals or numbers."""
    duals = [x if isinstance(x, Dual) else Dual(x) for x in inputs]
    values = tuple(d.data for d in duals)
    y = FORWARD[operation](*values)
    return Dual(y, tangent(operation, y, values, tuple(d.tangent for d in duals)))


def softmax_rows(apply, x, w, ones):  # (N, D), (D, k), (k, 1) -> (N, k)
    """Rows of probabilities, by six operations."""
    e = apply("exp", apply("matmul", x, w))
    return apply("divide", e, apply("matmul", e, ones))


x, w, v = (rng.standard_normal(s) for s in ((5, 4), (4, 3), (4, 3)))
g, ones = rng.standard_normal((5, 3)), np.ones((3, 1))
moved = softmax_rows(along, x, Dual(w, v), ones).tangent  # (5, 3): J v
leaf = mg.tensor(w, requires_grad=True)
e = mg.exp(x @ leaf)
back = mg.grad(e / (e @ ones), leaf, mg.tensor(g)).numpy()  # (4, 3): g J
lesson.report("<g, J v> and <g J, v>", [np.sum(g * moved), np.sum(back * v)], "exact")

# %% [markdown]
# The library has `mg.jvp`, and not one rule like yours. Its trick (Townsend, 2017): a
# vector-Jacobian product is linear in g, so it has a Jacobian of its own, the transpose; walking
# back through the walk back gives J v. It costs a few times as much as your walk along, but no
# rule of its own.

# %%
_, theirs = mg.jvp(lambda w: mg.softmax(x @ w, axis=1), [w], [v])
apart = np.abs(theirs.numpy() - moved).max()
lesson.report("largest distance to mg.jvp", apart, "+-1e-12", predicted=0.0)

# %% [markdown]
# When is which cheaper? One walk along gives J v, the column of J for an input if v is 1 there and
# 0 elsewhere. One walk back gives g J, a row. A loss has one output and perhaps a million inputs:
# one row, hence backpropagation. `push(v)` and `pull(g)` are the two walks; of which do you need
# how many for all of J?


# %%
@lesson.exercise("7.2")
def jacobian(push, pull, m, n):  # push: (n,) -> (m,), J v;  pull: (m,) -> (n,), g J
    """The matrix J (m, n) of m outputs by n inputs, with as few walks as possible."""
    raise Todo("columns push(v) or rows pull(g), for v or g from np.eye; whichever are fewer")


# %% [markdown]
# Two layers between n inputs and m outputs, with n m = 3,600 slopes each time. Guess how many walks
# it takes for 3 inputs, for 60, for 1,200.

# %%
lesson.guess("walks for 1,200 inputs and 3 outputs", "How many walks for 1,200 inputs, 3 outputs?")


def measured(n, m, hidden=60):
    """(walks, seconds by columns, seconds by rows, whether J is right) for n inputs, m outputs."""
    w1, w2 = rng.standard_normal((n, hidden)) / n, rng.standard_normal((hidden, m))
    x, walks = rng.standard_normal((1, n)), []
    leaf = mg.tensor(x, requires_grad=True)
    y = mg.exp(leaf @ w1) @ w2  # (1, m)

    def push(v):
        walks.append("along")
        return along("matmul", along("exp", along("matmul", Dual(x, v[None]), w1)), w2).tangent[0]

    def pull(g):
        walks.append("back")
        return mg.grad(y, leaf, mg.tensor(g[None]), retain_graph=True).numpy()[0]

    found, counted, seconds = jacobian(push, pull, m, n), len(walks), []
    right = np.allclose(found, ((w1 * np.exp(x @ w1)) @ w2).T)
    for walk, size in ((push, n), (pull, m)):
        began, some = time.perf_counter(), np.eye(size)[: 20 if lesson.fast else 100]
        for direction in some:
            walk(direction)
        seconds.append((time.perf_counter() - began) / len(some) * size)
    return counted, *seconds, right


sizes = [3, 12, 60, 300, 1200]
walks, by_columns, by_rows, right = zip(*(measured(n, 3600 // n) for n in sizes), strict=True)
for n, count in zip(sizes, walks, strict=True):
    name = f"walks for {n:,} inputs and {3600 // n:,} outputs"
    lesson.report(name, count, "exact", predicted=min(n, 3600 // n))
lesson.report("right Jacobians", sum(right), "exact", predicted=5)

# %% [markdown]
# One input and a long computation, then, is what the walk along is for. Here the input is the
# learning rate, and the computation is a whole training: T steps of lesson 6's descent for a line,
#
#     w <- w - lr 2/N X^T (X w - y)
#
# with lr as a Dual whose tangent is 1. The weights then carry how they would have moved with
# another lr, and so does the last loss: the slope of a training. Backpropagation would have to
# store all the steps. (Of the loss of a bowl everything is known: each direction of it shrinks by
# 1 - lr * curvature a step, which gives the slope on paper.)

# %%
n, T = 64, 20
t = np.sort(rng.uniform(-1, 1, n))  # (64,)
X = np.stack([t, np.ones(n)], axis=1)  # (64, 2)
y = (2 * t + 1 + 0.1 * rng.standard_normal(n))[:, None]  # (64, 1)


def trained(lr):
    """The loss after T steps, a Dual; lr is one."""
    w = Dual(np.zeros((2, 1)))
    for _ in range(T):
        error = along("add", along("matmul", X, w), -y)  # (64, 1)
        slope = along("multiply", along("matmul", X.T, error), -2 / n)  # (2, 1), downhill
        w = along("add", w, along("multiply", lr, slope))
    error = along("add", along("matmul", X, w), -y)
    return along("multiply", along("sum", along("multiply", error, error)), 1 / n)


curvatures, axes = np.linalg.eigh(2 / n * X.T @ X)  # (2,), (2, 2)
best = np.linalg.lstsq(X, y)[0]  # (2, 1)
distance = (axes.T @ best)[:, 0]  # (2,): from the start, 0, along each direction of the bowl
at = 0.2
shrunk = (1 - at * curvatures) ** (2 * T - 1)  # (2,)
theory = -np.sum(curvatures**2 * distance**2 * T * shrunk)
end = trained(Dual(at, np.ones(())))
lesson.report("slope of the last loss by lr, at 0.2", end.tangent, "close", predicted=theory)

rates = np.linspace(0.005, 0.3, 60)
losses = [trained(Dual(lr)).data.item() for lr in rates]
tangents = [(lr, trained(Dual(lr, np.ones(())))) for lr in (0.03, 0.08, 0.14, 0.22)]
claim = "One walk along gives the slope of a whole training"
lesson.draw("along", claim, rates, losses, tangents, sizes, by_columns, by_rows)

# %%
lesson.finish()
