"""Checks of lesson 14. The reference is the naive formula with 400 digits: the formula is good, and
16 digits are too few for it."""

import decimal
import math
from functools import cache
from importlib import import_module

from lessons import Check, Judge

import numpy as np

LOGITS = (-800.0, -40.0, -20.0, -3.0, -0.5, 0.0, 0.7, 2.0, 9.0, 25.0, 50.0, 750.0)
TARGETS = (0.0, 1.0, 0.3)


# ---------------------------------------------------------------------- with 400 digits
@cache
def exactly(t, x):
    """(loss, sigmoid(t) - x) at one logit, by the textbook formulas."""
    with decimal.localcontext(decimal.Context(prec=400, Emin=-(10**6), Emax=10**6)):
        t, x = decimal.Decimal(t), decimal.Decimal(x)
        p = 1 / (1 + (-t).exp())
        return -x * p.ln() - (1 - x) * (1 - p).ln(), p - x


def cases():
    """All logits for each target, as arrays (2, 6), and some that are drawn."""
    t = np.array(LOGITS).reshape(2, 6)
    rng = np.random.default_rng(91)
    drawn = rng.uniform(-8, 8, (2, 3)), rng.random((2, 3))
    return [*((t, np.full(t.shape, x)) for x in TARGETS), drawn]


def exact_loss(t, x):
    values = [float(exactly(a, b)[0]) for a, b in zip(t.flat, x.flat, strict=True)]
    return np.array(values).reshape(t.shape)


def exact_slope(g, t, x):
    values = [float(exactly(a, b)[1]) for a, b in zip(t.flat, x.flat, strict=True)]
    return g * np.array(values).reshape(t.shape)


# ---------------------------------------------------------------------- 14.1 bce_from_logits
def small(loss, t, x):
    """The logarithms of the losses of right answers, where digits are lost first."""
    with np.errstate(all="ignore"):
        return np.log(np.asarray(loss, float)[(t < 0) & (x == 0)])


def loss_of_torch(t, x):
    torch = import_module("torch")
    loss = torch.nn.functional.binary_cross_entropy_with_logits
    return loss(torch.tensor(t), torch.tensor(x), reduction="none").numpy()


def library_bce(t, x):
    return np.maximum(t, 0) - t * x + np.log1p(np.exp(-np.abs(t)))


def through_sigmoid(t, x):
    """You went through p = sigmoid(t), which is exactly 0 or 1 far out: cancel log and exp on
    paper."""
    p = 1 / (1 + np.exp(-t))
    return -x * np.log(p) - (1 - x) * np.log(1 - p)


def clips(t, x):
    """You clipped p: no loss can then be larger than that of the bound, and its slope is 0."""
    p = np.clip(1 / (1 + np.exp(-t)), 1e-15, 0.999)
    return -x * np.log(p) - (1 - x) * np.log(1 - p)


def overflows(t, x):
    """exp(t) is infinite for large t: take exp(-|t|), which is never above 1, and add max(t, 0)."""
    return np.log(1 + np.exp(t)) - t * x


def log_of_one_plus(t, x):
    """1 + exp(-|t|) is 1 for large |t|, and its logarithm 0: np.log1p(exp(-|t|)) keeps the small
    number."""
    return np.maximum(t, 0) - t * x + np.log(1 + np.exp(-np.abs(t)))


def black_for_white(t, x):
    """Black and white are exchanged: large t is right for x = 1, so t x is subtracted."""
    return library_bce(t, 1 - x)


def white_only(t, x):
    """You left out (1 - x) log(1 - p): a pixel of 0 has a loss as well."""
    return x * library_bce(t, 1)


bce_from_logits = Check(
    library=library_bce,
    source="minigrad/losses.py::bernoulli_nll_of_logits",
    returns="array",
    cases=cases,
    judges=[
        Judge("the naive formula with 400 digits", exact_loss, 1e-12),
        Judge("its small values", lambda t, x: small(exact_loss(t, x), t, x), 1e-12, small),
        Judge("PyTorch", loss_of_torch, 1e-12, needs="torch"),
    ],
    mistakes=[through_sigmoid, clips, overflows, log_of_one_plus, black_for_white, white_only],
)


# ---------------------------------------------------------------------- 14.2 bce_slope
def slope_cases():
    rng = np.random.default_rng(9)
    return [(rng.standard_normal(t.shape), t, x) for t, x in cases()]


def direction(t):
    return np.random.default_rng(90).standard_normal(t.shape)


def along(slope, g, t, x):
    return float(np.sum(np.asarray(slope) * direction(t)))


def measured(g, t, x, h=1e-4):
    v = direction(t)
    return float(np.sum(g * (library_bce(t + h * v, x) - library_bce(t - h * v, x))) / (2 * h))


def slope_of_torch(g, t, x):
    torch = import_module("torch")
    loss = torch.nn.functional.binary_cross_entropy_with_logits
    leaf = torch.tensor(t, requires_grad=True)
    loss(leaf, torch.tensor(x), reduction="none").backward(torch.tensor(g))
    return leaf.grad.numpy()


def p_of(t):
    return 1 / (1 + np.exp(-t))


def library_slope(g, t, x):
    return g * (p_of(t) - x)


def wrong_way(g, t, x):
    """The sign is wrong: with p above x the loss rises with t."""
    return g * (x - p_of(t))


def forgets_g(g, t, x):
    """You left out g: the rules of lesson 3 multiply by the slope that comes from behind."""
    return p_of(t) - x


def step_by_step(g, t, x):
    """You computed both factors, and 0 / 0 where p is 0 or 1: cancel p (1 - p) on paper."""
    p = p_of(t)
    return g * (p - x) / (p * (1 - p)) * (p * (1 - p))


def with_respect_to_p(g, t, x):
    """This is the slope with respect to p: multiply by that of the sigmoid, p (1 - p), on paper."""
    p = p_of(t)
    return g * (p - x) / (p * (1 - p))


def square_loss(g, t, x):
    """You multiplied by p (1 - p), as for the squared error: here the loss's own slope cancels
    it."""
    p = p_of(t)
    return g * (p - x) * p * (1 - p)


def overflowing_sigmoid(g, t, x):
    """exp(t) / (1 + exp(t)) is inf / inf for large t: 1 / (1 + exp(-t)) is the same, and is 1."""
    return g * (np.exp(t) / (1 + np.exp(t)) - x)


bce_slope = Check(
    library=library_slope,
    source="minigrad/losses.py::bernoulli_slope",
    returns="array",
    cases=slope_cases,
    judges=[
        Judge("the formula with 400 digits", exact_slope, 1e-12),
        Judge("a slope along a random direction", measured, 1e-6, along),
        Judge("PyTorch", slope_of_torch, 1e-12, needs="torch"),
    ],
    mistakes=[
        wrong_way,
        forgets_g,
        step_by_step,
        with_respect_to_p,
        square_loss,
        overflowing_sigmoid,
    ],
)


# ---------------------------------------------------------------------- 14.3 entropy
def grey_cases():
    return [(np.array([0.0, 1.0, 0.5, 0.1, 0.9]),), (np.random.default_rng(93).random((2, 3)),)]


def one_at_a_time(x):
    def term(p):
        return -p * math.log(p) if p else 0.0

    return np.array([term(p) + term(1 - p) for p in x.flat]).reshape(x.shape)


def lowest_loss(x):
    """Thirds of an interval of logits, until it is a point."""
    low, high = np.full(x.shape, -60.0), np.full(x.shape, 60.0)
    for _ in range(120):
        a, b = low + (high - low) / 3, high - (high - low) / 3
        left = library_bce(a, x) < library_bce(b, x)
        low, high = np.where(left, low, a), np.where(left, b, high)
    return library_bce(low, x)


def library_entropy(x):
    grey = (x > 0) & (x < 1)
    p = np.where(grey, x, 0.5)
    return np.where(grey, -p * np.log(p) - (1 - p) * np.log(1 - p), 0.0)


def nan_at_the_ends(x):
    """0 * log(0) is nan: give the logarithm another number where x is 0 or 1, and let the result be
    0 there."""
    return -x * np.log(x) - (1 - x) * np.log(1 - x)


def in_bits(x):
    """You measured in bits: with the natural logarithm, np.log, it is in nats, like the loss."""
    return library_entropy(x) / np.log(2)


def negative(x):
    """The sign is wrong: an entropy is never negative."""
    return -library_entropy(x)


def white_term_only(x):
    """The second half is missing: -(1 - x) log(1 - x)."""
    return np.where(x > 0, -x * np.log(np.where(x > 0, x, 1)), 0.0)


def added_up(x):
    """You returned one number: one for each element of x is wanted."""
    return library_entropy(x).sum()


entropy = Check(
    library=library_entropy,
    source="autoencoder/parts/likelihood.py::BernoulliLikelihood",
    returns="array",
    cases=grey_cases,
    judges=[
        Judge("one element at a time", one_at_a_time, 1e-9),
        Judge("a search for the lowest loss", lowest_loss, 1e-9),
    ],
    mistakes=[nan_at_the_ends, in_bits, negative, white_term_only, added_up],
)
