"""Checks of lesson 01."""

from lessons import Check, Judge

import numpy as np


# ---------------------------------------------------------------------- 1.1 slope
def cube(x):
    return x**3


def slope_cases():
    rng = np.random.default_rng(1)
    smooth = [
        (f, float(rng.uniform(0.5, 2)), h) for f in (np.exp, np.sin, cube) for h in (0.1, 0.02)
    ]
    return [*smooth, (np.exp, 1.0, 1e-5)]


def slope_reference(f, x, h):
    """The quotient in four steps; for a third opinion see `exact`."""
    right, left = x + h, x - h
    rise, run = f(right) - f(left), 2 * h
    return rise / run


def exact(f, x, h):
    """Calculus, with the h**2 error that the measurement must have: sinh(h)/h and so on."""
    return {
        np.exp: np.exp(x) * np.sinh(h) / h,
        np.sin: np.cos(x) * np.sin(h) / h,
        cube: 3 * x**2 + h**2,
    }[f]


def one_side(f, x, h):
    """You moved to one side only, from x to x + h: the error then falls with h, not with h**2."""
    return (f(x + h) - f(x)) / h


def other_side(f, x, h):
    """You moved to one side only, from x - h to x: the error then falls with h, not with h**2."""
    return (f(x) - f(x - h)) / h


def divided_by_h(f, x, h):
    """This is twice the slope: from x - h to x + h the distance is 2 h, not h."""
    return (f(x + h) - f(x - h)) / h


def precedence(f, x, h):
    """Python reads a / 2 * h as (a / 2) * h: put the 2 * h in brackets."""
    return (f(x + h) - f(x - h)) / 2 * h


def backwards(f, x, h):
    """The sign is wrong: take the value at x - h from the value at x + h, not the other way."""
    return (f(x - h) - f(x + h)) / (2 * h)


def half_precision(f, x, h):
    """You computed in float32: the difference of two close numbers keeps only a few digits."""
    x, h = np.float32(x), np.float32(h)
    return (f(x + h) - f(x - h)) / (2 * h)


slope = Check(
    library=slope_reference,
    source="minigrad/testing.py::gradcheck",
    returns="number",
    cases=slope_cases,
    judges=[
        Judge("the same in four steps", slope_reference, 1e-12),
        Judge("calculus", exact, 1e-8),
    ],
    mistakes=[one_side, other_side, divided_by_h, precedence, backwards, half_precision],
)


# ---------------------------------------------------------------------- 1.2 best_step
def step_cases():
    drawn = 10.0 ** np.random.default_rng(12).uniform(-9, -4)
    precisions = [*(float(np.finfo(t).eps) for t in (np.float32, np.float64)), float(drawn)]
    return [(precision, order) for precision in precisions for order in (1, 2)]


def step_by_search(precision, order):
    """Halve the interval in which the two errors cross."""
    low, high = -60.0, 0.0  # log10(h)
    for _ in range(200):
        middle = (low + high) / 2
        h = 10.0**middle
        low, high = (middle, high) if h**order < precision / h else (low, middle)
    return 10.0**low


def library_step(precision, order):
    return precision ** (1 / (order + 1))


def forgets_the_division(precision, order):
    """You solved h**order = precision: the rounding error is divided by h as well."""
    return precision ** (1 / order)


def always_both_sides(precision, order):
    """This is right for both sides only: use `order`."""
    return precision ** (1 / 3)


def always_one_side(precision, order):
    """This is right for one side only: use `order`."""
    return precision ** (1 / 2)


def not_the_root(precision, order):
    """You raised to the power order + 1: h**(order + 1) = precision asks for the root."""
    return precision ** (order + 1)


best_step = Check(
    library=library_step,
    source="minigrad/testing.py::gradcheck",
    returns="number",
    cases=step_cases,
    judges=[Judge("a search for the crossing", step_by_search, 1e-11, floor=0.0)],
    mistakes=[forgets_the_division, always_both_sides, always_one_side, not_the_root],
)
