"""04  A check that can fail

Idea: a check is worth the mistakes that it rejects, so make mistakes and count.
You write: two_slopes(f, rule, x, g, v), accepts(f, rule, x, rng), slope_jump(f, x, v, h).
You get: six broken rules against four checks, three of them in wide use; what a kink looks like.
Needs: 01, 03.
Read: Gradcheck mechanics, a note in PyTorch's documentation.
Uses: minigrad/testing.py.
Time: fast 3 s, default 5 s (2 cores).
"""

from lessons import Lesson, Todo
from lessons._figures import COLOURS

import numpy as np

import minigrad as mg
from minigrad.testing import GradientError, gradcheck

lesson = Lesson(4)  # float64
rng = np.random.default_rng(4)

# %% [markdown]
# A rule takes g, the slopes with respect to the outputs of f, and the input x, and gives the slopes
# with respect to x. How do you know that it is right? Choose numbers g: then <g, f(x)> is a single
# number, and lesson 1 measures its slope along any direction v. The rule must say the same:
#
#     <rule(g, x), v> = slope of <g, f(x + t v)> at t = 0
#
# Two evaluations of f, however many inputs and outputs it has.


# %%
@lesson.exercise("4.1")
def two_slopes(f, rule, x, g, v, h=1e-5):  # x, v: (n,); g: (m,), like f(x)
    """The pair (slope along v by the rule, the same slope measured with steps of h)."""
    raise Todo("<a, b> is np.sum(a * b); measure it as in lesson 1, at x - h v and at x + h v")


# %% [markdown]
# The formula leaves g and v to you, and everything depends on that choice. Write the check that
# accepts every right rule and rejects every wrong one. Slopes may be tiny or huge, so compare them
# in proportion: they agree if they differ by less than a millionth of the larger one.


# %%
@lesson.exercise("4.2")
def accepts(f, rule, x, rng):
    """Whether the rule agrees with f at x, to 1e-6 of the slope."""
    raise Todo("two_slopes for a g of f(x)'s shape and a v of x's shape; what should they be?")


# %% [markdown]
# Six functions, each with its right rule and a broken one. They are the kinds of mistake
# that one makes: nothing passed on, a sign, a kernel not turned round on the way back, a constant
# that is slightly off, the last element forgotten, a transpose left out (the matrix is square).

# %%
n, kernel = 8, (0.5, 2.0, -1.0)
A, most = rng.standard_normal((n, n)), np.arange(n) < n - 1  # (n, n), (n,): all but the last


def softmax(x):
    return np.exp(x) / np.sum(np.exp(x))  # (n,)


def softmax_rule(g, x):
    y = softmax(x)  # (n,)
    return y * (g - np.sum(g * y))


def slide(x, sign=1):
    """Three neighbours on a ring, weighted by the kernel: y[i] = sum of kernel[k] x[i - k]."""
    return sum(w * np.roll(x, sign * k) for k, w in enumerate(kernel))


rules = {  # f, its right rule, a wrong rule
    "softmax: zeros": (softmax, softmax_rule, lambda g, x: np.zeros_like(x)),
    "softmax: the sign": (softmax, softmax_rule, lambda g, x: -softmax_rule(g, x)),
    "kernel not turned": (slide, lambda g, x: slide(g, -1), lambda g, x: slide(g)),
    "exp: 0.5 % off": (np.exp, lambda g, x: g * np.exp(x), lambda g, x: 0.995 * g * np.exp(x)),
    "square: last forgotten": (np.square, lambda g, x: 2 * g * x, lambda g, x: 2 * g * x * most),
    "matrix not transposed": (lambda x: x @ A, lambda g, x: A @ g, lambda g, x: g @ A),
}

# %% [markdown]
# Four checks. The first compares shapes. The second lets g be all ones, which checks the slope of
# the SUM of the outputs; that is what `backward()` without arguments does, and what DeZero's
# `gradient_check` tests. The third does so for a single input, drawn at random, to one per cent, as
# minitorch's `grad_check`. The fourth is yours. How many of the six will each of them reject?


# %%
def sum_of_outputs(f, rule, x, rng):
    computed, measured = two_slopes(f, rule, x, np.ones(n), rng.standard_normal(n))
    return np.isclose(computed, measured, rtol=1e-4, atol=1e-5)


def one_element(f, rule, x, rng):
    v = np.eye(n)[rng.integers(n)]  # (n,): 1 at one place, 0 elsewhere
    computed, measured = two_slopes(f, rule, x, np.ones(n), v)
    return np.isclose(computed, measured, rtol=1e-2, atol=1e-2)


checks = {
    "same\nshape": lambda f, rule, x, rng: rule(x, x).shape == x.shape,
    "sum of\noutputs": sum_of_outputs,
    "one\nelement": one_element,
    "yours": accepts,
}
question = "How many of the six do the four checks reject, one after the other?"
lesson.guess("rejected by each check, of 6", question)
runs = 100 if lesson.fast else 400


def rejected(check, f, rule):
    """The share of runs, each at another x, in which the check rejects the rule."""
    return np.mean([not check(f, rule, rng.standard_normal(n), rng) for _ in range(runs)])


killed = np.array([[rejected(c, f, bad) for c in checks.values()] for f, _, bad in rules.values()])
alarms = [rejected(accepts, f, right) for f, right, _ in rules.values()]  # (6,)
caught = (killed > 0.5).sum(axis=0)  # (4,)
lesson.report("rejected by each check, of 6", caught, "exact", predicted=[0, 3, 1, 6])
lesson.report("right rules that yours rejects", np.sum(alarms), "exact", predicted=0.0)
lesson.report("one element finds the forgotten one", killed[4, 2], "+-0.15", predicted=1 / n)

claim = "Only a random g and v reject all six broken rules"
lesson.draw("kill_matrix", claim, killed, checks, rules)

# %% [markdown]
# The sum of a softmax is 1 wherever you are, so with g of ones every slope is 0, measured and
# computed: zeros pass, and so do the wrong sign and any factor. A kernel's weights have one sum, in
# either order. Rules are linear in g. A wrong one can be right for a g that somebody chose, and all
# ones is where such coincidences live; that it is right for a random g has probability 0. So the
# checks of this course, and `minigrad.testing.gradcheck`, draw g at random. It refuses all six.

# %%
along = two_slopes(softmax, softmax_rule, A[0], np.ones(n), A[1])[1]  # A's rows are random
lesson.report("slope of the sum of a softmax", along, "+-1e-9", predicted=0.0)


def operation(f, rule):
    """f as an operation of the library, with the rule as its derivative."""
    return mg.primitive("an array", x=lambda g, x: rule(g, x))(lambda x: f(x))


refused = 0
for f, right, wrong in rules.values():
    gradcheck(operation(f, right), [rng.standard_normal(n)])  # raises if it is wrong
    try:
        gradcheck(operation(f, wrong), [rng.standard_normal(n)])
    except GradientError:
        refused += 1
lesson.report("broken rules that gradcheck refuses", refused, "exact", predicted=6)

# %% [markdown]
# A check can also cry wolf. At 0 relu has a kink: its slope is 0 on the left, 1 on the right, and a
# measurement from both sides says 1/2. The rule, which says 0, is not to blame, nor is the check:
# there is no slope to agree on. How to tell a kink from a mistake? Compare the slope ahead, from x
# to x + h v, with the slope behind, from x - h v to x. Where f is smooth they differ by h times the
# curvature, so ten times less when h is ten times smaller. At a kink the jump stays.


# %%
@lesson.exercise("4.3")
def slope_jump(f, x, v, h):  # f: (n,) -> a number
    """The slope of f from x to x + h v, less the slope from x - h v to x."""
    raise Todo("each of the two slopes needs f(x)")


# %%
v, steps = np.array([1.5]), np.logspace(-6, -1, 40)  # (1,), (40,)
curves = {
    "relu, at 0": (lambda x: np.maximum(x, 0).sum(), 0.0, COLOURS[1]),
    "relu, at 0.001": (lambda x: np.maximum(x, 0).sum(), 1e-3, COLOURS[4]),
    "tanh, at 0.5": (lambda x: np.tanh(x).sum(), 0.5, COLOURS[0]),
}
lesson.draw("kinks", "A jump that stays when h shrinks is a kink", curves, slope_jump, v, steps)

jumps = [slope_jump(f, np.array([at]), v, 1e-3) for f, at, _ in curves.values()]
curvature = -2 * np.tanh(0.5) * (1 - np.tanh(0.5) ** 2)
lesson.report("jump at the kink", jumps[0], "exact", predicted=1.5)
lesson.report("jump of tanh", jumps[2], "1%", predicted=1e-3 * curvature * 1.5**2)
try:
    gradcheck(mg.relu, [np.array([0.0, 1.0])])
except GradientError as error:
    print(f"  gradcheck says: {error}")
lesson.finish()
