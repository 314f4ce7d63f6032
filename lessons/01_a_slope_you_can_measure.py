"""01  A slope is a number you can measure

Idea: two values of a function give its slope, with two errors that pull in opposite directions.
You write: slope(f, x, h), best_step(precision, order).
You get: the V of the error against the step, and its lowest point predicted before it is measured.
Needs: nothing.
Read: Press et al., Numerical Recipes (2007), section 5.7, Numerical Derivatives.
Uses: minigrad/testing.py.
Time: fast 1 s, default 1 s (2 cores).
"""

from lessons import Lesson, Todo

import numpy as np

import minigrad as mg

lesson = Lesson(1)  # float64 unless it says float32

# %% [markdown]
# The slope of `f` at `x` says how fast `f` changes there. Nobody needs calculus to measure it: move
# `x` a little to both sides, and divide the change of `f` by the distance moved. All gradients of
# this course, of networks with millions of weights too, are checked against this one idea.


# %%
@lesson.exercise("1.1")
def slope(f, x, h):
    """The slope of `f` at `x`, from its values at x - h and x + h."""
    raise Todo("the change of f from x - h to x + h, divided by the distance between the two")


# %% [markdown]
# How small should `h` be? The formula forgets the curvature of `f`: moving to both sides, an error
# of about h**2 times f'''/6 (moving to one side only, h times f''/2). Smaller is better, then. But
# the computer rounds each value of `f` to a relative `precision`, and dividing by 2 h magnifies the
# rounding: an error of about precision * f / h. Smaller is worse.
#
# Where the two errors are of one size their sum is smallest. Take all derivatives of `f` as 1, as
# for exp at 1 they are equal, and forget factors such as 6: which `h` makes h**order equal to
# precision / h?


# %%
@lesson.exercise("1.2")
def best_step(precision, order):
    """The h at which h**order = precision / h; `order` is 1 (one side) or 2 (both sides)."""
    raise Todo("solve h**order = precision / h for h")


# %% [markdown]
# Now measure. The slope of exp at 1 is e, so the error of every measured slope is known. Before you
# look: float32 keeps about 7 digits, float64 about 16. How many of them will survive?


# %%
def forward(f, x, h):
    """The slope from one side, for comparison: one value fewer, one order worse."""
    return (f(x + h) - f(x)) / h


def errors(measure, dtype, steps):
    """The relative error of exp's slope at 1, computed in `dtype`, for each step."""
    measured = [measure(np.exp, dtype(1), dtype(h)) for h in steps]  # rounded to dtype throughout
    return np.abs(np.array(measured, np.float64) / np.e - 1)


def typical(error, width=5):
    """The error about each step: single steps can be right by luck."""
    padded = np.pad(error, width, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * width + 1)
    return np.sqrt(np.mean(windows**2, axis=1))


steps = np.logspace(-14, 0, 15 * 20)  # (300,)
lesson.guess("error there, float32, both sides", "The smallest error in float32, from both sides?")
curves = {}
for dtype in (np.float32, np.float64):
    for order, measure in ((1, forward), (2, slope)):
        name = f"{dtype.__name__}, {'one side' if order == 1 else 'both sides'}"
        error = errors(measure, dtype, steps)  # (300,)
        curves[name] = error
        at = int(np.argmin(typical(error)))
        h = best_step(np.finfo(dtype).eps, order)
        lesson.report(f"best h, {name}", steps[at], "x3", predicted=h)
        lesson.report(f"error there, {name}", typical(error)[at], "x3", predicted=h**order)

# %% [markdown]
# The prediction is good to a factor of a few, which is all it promised. Note what it says about
# float32: at its very best five digits are right, so a gradient check in float32 that demands six
# fails on code that is correct. Many a bug report is just this (PaddlePaddle/Paddle#4283). And a
# step of 1e-8, which suits float64, gives in float32 not a poor answer but exactly 0: both points
# round to the same number.

# %%
tiny = slope(np.exp, np.float32(1), np.float32(1e-8))
lesson.report("float32 slope of exp at 1 with h = 1e-8", tiny, "exact", predicted=0.0)

claim = "A smaller step helps down to a point: two errors make a V"
lesson.draw("the_v", claim, curves, typical, steps)

# %% [markdown]
# A function of many numbers has a slope along every direction `v`, and one subtraction measures it,
# however many numbers there are. A gradient must agree: <gradient, v> is the slope along v. That is
# the check that the library offers for whatever you build (`minigrad.testing.gradcheck`).

# %%
rng = np.random.default_rng(1)
x, v = rng.standard_normal((2, 1000))  # (1000,), (1000,)
leaf = mg.tensor(x, requires_grad=True)
gradient = mg.grad(mg.sum(mg.tanh(leaf) * mg.exp(leaf)), [leaf])[0].numpy()  # (1000,)
along = slope(lambda t: np.sum(np.tanh(x + t * v) * np.exp(x + t * v)), 0.0, 1e-5)
lesson.report("slope along v, measured", along, "close", predicted=gradient @ v)

# %% [markdown]
# Threads named here:
#
# [PaddlePaddle/Paddle#4283](https://github.com/PaddlePaddle/Paddle/issues/4283).

# %%
lesson.finish()
