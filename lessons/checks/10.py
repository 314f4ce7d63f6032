"""Checks of lesson 10."""

import itertools
import math

from lessons import Check, Judge

import numpy as np


# ---------------------------------------------------------------------- 10.1 growth
def layers():
    rng = np.random.default_rng(101)
    fan_in, depth = map(int, rng.integers((20, 2), (100, 5)))
    drawn = float(rng.uniform(0.8, 1.2) * math.sqrt(2 / fan_in)), fan_in, depth
    return [(0.1, 50, 1), (0.05, 300, 4), (0.3, 40, 3), (0.2, 50, 10), drawn]


def layer_by_layer(deviation, fan_in, depth):
    square = 1.0
    for _ in range(depth):
        of_a_sum = sum(deviation**2 * square for _ in range(fan_in))
        square = of_a_sum / 2
    return square


def simulated(deviation, fan_in, depth):
    """Rows with weights of their own, so that every sum is a new draw."""
    rng, square, rows = np.random.default_rng(10), 1.0, 900_000 // fan_in
    for _ in range(depth):  # a layer's inputs: normal draws cut at 0, scaled to the mean square
        x = rng.standard_normal((rows, fan_in))  # (rows, fan_in)
        x *= math.sqrt(square / np.mean(x**2))
        y = np.sum(x * deviation * rng.standard_normal(x.shape), axis=1)  # (rows,)
        square = np.mean(np.maximum(y, 0) ** 2)
    return square


def library_growth(deviation, fan_in, depth):
    return (fan_in * deviation**2 / 2) ** depth


def without_relu(deviation, fan_in, depth):
    """This is without the relu, which leaves half of the mean square."""
    return (fan_in * deviation**2) ** depth


def one_layer(deviation, fan_in, depth):
    """This is the factor of one layer: each of the `depth` layers multiplies by it."""
    return fan_in * deviation**2 / 2


def added_up(deviation, fan_in, depth):
    """You multiplied by the depth: the factor of one layer is applied again and again, a power."""
    return fan_in * deviation**2 / 2 * depth


def not_squared(deviation, fan_in, depth):
    """The mean square grows with the square of the deviation."""
    return (fan_in * deviation / 2) ** depth


def root(deviation, fan_in, depth):
    """This is the factor of the deviation, the root of that of the mean square."""
    return (fan_in * deviation**2 / 2) ** (depth / 2)


def quarter(deviation, fan_in, depth):
    """You halved before squaring: half of the squares are left, so the mean square is halved."""
    return (fan_in * deviation**2 / 4) ** depth


growth = Check(
    library=library_growth,
    source="minigrad/init.py::he_normal",
    returns="number",
    cases=layers,
    judges=[
        Judge("layer by layer", layer_by_layer, 1e-10, floor=0.0),
        Judge("random layers, to a third", simulated, 0.35, floor=0.0),
    ],
    mistakes=[without_relu, one_layer, added_up, not_squared, root, quarter],
)


# ---------------------------------------------------------------------- 10.2 he_deviation
def halving(fan_in):
    """The deviation at which growth passes 1, by halving an interval."""
    low, high = 0.0, 4.0
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if layer_by_layer(middle, fan_in, 1) < 1 else (low, middle)
    return low


def library_deviation(fan_in):
    return math.sqrt(2 / fan_in)


def forgets_relu(fan_in):
    """This keeps the mean square without the relu: with it, twice the variance is needed."""
    return math.sqrt(1 / fan_in)


def the_variance(fan_in):
    """This is the variance: the deviation is its root."""
    return 2 / fan_in


def upside_down(fan_in):
    """The more inputs, the smaller each weight: the fraction is upside down."""
    return math.sqrt(fan_in / 2)


def half(fan_in):
    """relu halves the mean square, so the variance has to be doubled, not halved."""
    return math.sqrt(1 / (2 * fan_in))


he_deviation = Check(
    library=library_deviation,
    source="minigrad/init.py::he_normal",
    returns="number",
    cases=lambda: [(50,), (300,), (7,), (1,), (int(np.random.default_rng(102).integers(9, 99)),)],
    judges=[Judge("growth passes 1", halving, 1e-10, floor=0.0)],
    mistakes=[forgets_relu, the_variance, upside_down, half],
)


# ---------------------------------------------------------------------- 10.3 first_move
def rows():
    rng = np.random.default_rng(103)
    return [
        (np.abs(rng.standard_normal((3, 4))), 0.1),
        (rng.standard_normal((4, 6)), 0.01),
        (rng.standard_normal((1, 2)), 1.0),
    ]


def all_signs(x, lr):
    """Every way to move every weight up or down, and the farthest of them."""
    found = []
    for row in x:
        ways = itertools.product((lr, -lr), repeat=len(row))
        found.append(max(abs(sum(d * v for d, v in zip(way, row, strict=True))) for way in ways))
    return np.array(found)


def library_move(x, lr):
    return lr * np.abs(x).sum(axis=1)


def signs_cancel(x, lr):
    """All weights moved the same way: where an input is negative its weight goes down, and the sum
    grows all the same."""
    return lr * x.sum(axis=1)


def abs_of_sum(x, lr):
    """You took the absolute value after the sum: each weight chooses its own way, so it belongs to
    each input."""
    return np.abs(lr * x.sum(axis=1))


def length(x, lr):
    """That is for a step of length lr in all: Adam's first step is lr in every weight."""
    return lr * np.sqrt((x**2).sum(axis=1))


def per_input(x, lr):
    """This is the mean over the inputs: the unit sums them."""
    return lr * np.abs(x).mean(axis=1)


def along_rows(x, lr):
    """You summed over the rows: each row has a sum of its own, over axis 1."""
    return lr * np.abs(x).sum(axis=0)


def without_lr(x, lr):
    """You left out lr: every weight moves by that much."""
    return np.abs(x).sum(axis=1)


def all_together(x, lr):
    """This is the sum over everything: one number for each row was asked for."""
    return lr * np.abs(x).sum()


first_move = Check(
    library=library_move,
    source="minigrad/optim.py::Adam",
    returns="array",
    cases=rows,
    judges=[Judge("all ways to move the weights", all_signs, 1e-12)],
    mistakes=[signs_cancel, abs_of_sum, length, per_input, along_rows, without_lr, all_together],
)
