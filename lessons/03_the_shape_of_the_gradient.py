"""03  The gradient has the shape of the thing

Idea: what was copied on the way forward is summed on the way back.
You write: unbroadcast(g, shape), matmul_vjp(g, a, b).
You get: gradients of 40 random pairs of shapes, and a picture of where the sums come from.
Needs: 01, 02.
Read: Giles, Collected matrix derivative results for forward and reverse mode (2008).
Uses: minigrad/engine.py, minigrad/shapes.py, minigrad/ops.py.
Time: fast 1 s, default 1 s (2 cores).
"""

from lessons import Lesson, Todo

import numpy as np

import minigrad as mg
from minigrad.testing import gradcheck

lesson = Lesson(3)  # float64
rng = np.random.default_rng(3)

# %% [markdown]
# Arrays change nothing about lesson 2, only the bookkeeping: the gradient g of an array has one
# slope for each element, so it has the array's shape. Always. That rule alone finds most mistakes.
#
# NumPy adds a column (3, 1) to a row (1, 4) by copying: the column four times, the row three times,
# so that the sum is (3, 4). An element that was copied four times has four users, and lesson 2 says
# what to do with what they report. Which shape does the gradient of the column have? Of the row? Of
# a single number, shape (), that was added as well?


# %%
@lesson.exercise("3.1")
def unbroadcast(g, shape):  # g: the shape of the result -> `shape`, that of the argument
    """The gradient g of a broadcast result, brought back to `shape`."""
    raise Todo("sum over axes that `shape` lacks (they are in front), and over those it has as 1")


# %% [markdown]
# The test that cannot be fooled: copying is linear, so however random the arrays are,
#
#     <g, broadcast(x)> = <unbroadcast(g), x>
#
# This is what it means to be the adjoint, and every rule for going back is one. Forty random pairs
# of shapes; how many will agree?


# %%
def random_pair():
    """A shape of up to four axes, and one that broadcasts to it."""
    full = tuple(int(n) for n in rng.integers(1, 5, rng.integers(0, 5)))
    shape = tuple(int(n) if rng.random() < 0.5 else 1 for n in full)
    return full, shape[rng.integers(0, len(shape) + 1) :]


lesson.guess("pairs of shapes that agree", "How many of the 40 pairs will agree?")
agree = 0
for _ in range(40):
    full, shape = random_pair()
    g, x = rng.standard_normal(full), rng.standard_normal(shape)
    forward = np.sum(g * np.broadcast_to(x, full))
    agree += bool(np.isclose(forward, np.sum(unbroadcast(g, shape) * x), rtol=1e-12, atol=1e-12))
lesson.report("pairs of shapes that agree", agree, "exact", predicted=40)

column, row = np.array([[1.0], [2.0], [3.0]]), np.array([[10.0, 20.0, 30.0, 40.0]])
g = rng.integers(-5, 6, (3, 4)).astype(float)  # (3, 4)


claim = "Copied on the way forward, summed on the way back"
lesson.draw("copies", claim, column, row, g, unbroadcast)

# %% [markdown]
# The other rule that networks are made of. In C = A @ B the element A[i, k] is used once for each
# column j of C, times B[k, j]. So its slope is the sum over j of g[i, j] * B[k, j]: a product of
# matrices again, but of which two, and which of them transposed? The shapes leave one choice only.
# That is why the rule can be found without thinking, and why square matrices hide a wrong one. (The
# slopes of all elements of C with respect to all of A are a matrix too, the **Jacobian**, far too
# large to write down. A rule multiplies it by g: a **vector-Jacobian product**, vjp for short.)
# Stacks of matrices, (5, 2, 3) @ (5, 3, 4), go the same way, one by one.


# %%
@lesson.exercise("3.2")
def matmul_vjp(g, a, b):  # (..., m, n), (..., m, k), (..., k, n) -> (..., m, k), (..., k, n)
    """The gradients with respect to a and b when that of a @ b is g."""
    raise Todo("two products with g as a factor, one of a's shape and one of b's")


# %%
a, b = rng.standard_normal((2, 3)), rng.standard_normal((3, 4))  # (2, 3), (3, 4)
g, v = rng.standard_normal((2, 4)), rng.standard_normal((2, 3))  # (2, 4), (2, 3)
along = np.sum(g * ((a + 1e-3 * v) @ b - (a - 1e-3 * v) @ b)) / 2e-3
lesson.report("slope along v", np.sum(matmul_vjp(g, a, b)[0] * v), "close", predicted=along)

# %% [markdown]
# A pitfall that needs no gradient at all: predictions (N,) minus targets (N, 1) are not N
# differences but N * N, without a word, and the loss is a plausible number. How large is it when
# every prediction is right? Each target meets every prediction: twice the variance, instead of 0.

# %%
lesson.guess("loss of perfect predictions", "The loss, if their variance is about 1?")
predictions = rng.standard_normal(200)  # (200,)
targets = predictions.reshape(200, 1)  # (200, 1): the same numbers, as a column
difference = predictions - targets  # (200, 200)
lesson.report("differences of 200 predictions", difference.size, "exact", predicted=200**2)
lesson.report(
    "loss of perfect predictions", np.mean(difference**2), "close", predicted=2 * predictions.var()
)

# %% [markdown]
# The library refuses such a pair in its losses. And its rules pass the check of lesson 1 at every
# order: the slope of a slope too.

# %%
try:
    mg.losses.mse_loss(mg.tensor(predictions), mg.tensor(targets))
except ValueError as error:
    print(f"  minigrad says: {error}")
error = gradcheck(lambda x, y: (x + y) @ mg.exp(x * y).T, [column, row], order=2)
lesson.report("largest relative error of two orders of slopes", error, "any")
lesson.finish()
