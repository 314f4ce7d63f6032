"""Checks of lesson 20."""

import math

from lessons import Check, Judge

import numpy as np

import minigrad as mg
from minigrad.losses import bernoulli_kl


def values(x):
    return x.numpy() if isinstance(x, mg.Tensor) else np.asarray(x)


# ---------------------------------------------------------------------- 20.1 kl_sparsity
def sparsity_cases():
    rng = np.random.default_rng(14)
    codes = [rng.uniform(0.02, 0.9, shape) ** 2 for shape in ((1, 1), (5, 3), (4, 6), (3, 2))]
    as_tensor = mg.tensor(codes[3], requires_grad=True)
    return [(codes[0], 0.1), (codes[1], 0.1), (codes[2], 0.3), (as_tensor, 0.05)]


def coin_by_coin(codes, target):
    codes, total = values(codes), 0.0
    for unit in codes.T:
        r = sum(unit) / len(unit)
        total += target * (math.log(target) - math.log(r))
        total += (1 - target) * (math.log(1 - target) - math.log(1 - r))
    return total


def library_sparsity(codes, target):
    return bernoulli_kl(target, codes.mean(axis=0))


def both_coins(t, r):
    return t * mg.log(t / r) + (1 - t) * mg.log((1 - t) / (1 - r))


def over_units(codes, target):
    """You averaged over the units (axis 1): r is the mean of one unit over all images."""
    return both_coins(target, codes.mean(axis=1)).sum()


def exchanged(codes, target):
    """The two coins are exchanged: the target stands before the logarithms, and above r in them."""
    return both_coins(codes.mean(axis=0), target).sum()


def image_by_image(codes, target):
    """You took the divergence of every activation and then the mean: average the activations first,
    since a unit may be fully on for one image if it is off for the others."""
    return both_coins(target, codes).mean(axis=0).sum()


def on_only(codes, target):
    """This is the half for "on": the unit is off in the rest of the images, with a term of its own
    for 1 - t and 1 - r."""
    r = codes.mean(axis=0)
    return (target * mg.log(target / r)).sum()


def mean_of_units(codes, target):
    """You averaged the price over the units: it is their sum, so that each pays in full."""
    return both_coins(target, codes.mean(axis=0)).mean()


kl_sparsity = Check(
    library=library_sparsity,
    source="minigrad/losses.py::bernoulli_kl",
    returns="same",
    trained=True,
    cases=sparsity_cases,
    judges=[Judge("coin by coin", coin_by_coin, 1e-12)],
    mistakes=[over_units, exchanged, image_by_image, on_only, mean_of_units],
)


# ---------------------------------------------------------------------- 20.2 contraction
def contraction_cases():
    rng = np.random.default_rng(142)
    shapes = ((1, 1, 1), (3, 5, 2), (4, 3, 6))  # N, D, k
    arrays = [(rng.uniform(0.05, 0.95, (n, k)), rng.normal(size=(d, k))) for n, d, k in shapes]
    tensors = [mg.tensor(a, requires_grad=True) for a in arrays[1]]
    return [*arrays, tuple(tensors)]


def slope_by_slope(h, W):
    h, W = values(h), values(W)
    totals = np.zeros(len(h))
    for n, i, j in np.ndindex(len(h), *W.shape):
        totals[n] += (h[n, j] * (1 - h[n, j]) * W[i, j]) ** 2
    return totals


def measured_contraction(h, W, step=1e-5):
    """Move each pixel i by step: every unit's input moves by step * W[i]."""
    h, W = values(h), values(W)
    inputs = np.log(h / (1 - h))  # (N, k)
    totals = np.zeros(len(h))
    for row in W:
        ahead, behind = (1 / (1 + np.exp(-(inputs + t * row))) for t in (step, -step))
        totals += np.sum(((ahead - behind) / (2 * step)) ** 2, axis=1)
    return totals


def library_contraction(h, W):
    return (h * (1 - h)) ** 2 @ (W * W).sum(axis=0)


def slope_not_squared(h, W):
    """The slope of the sigmoid is not squared: it belongs to J, whose elements are squared."""
    return (h * (1 - h)) @ (W * W).sum(axis=0)


def weights_not_squared(h, W):
    """The weights are summed, not their squares: positive and negative ones cancel."""
    return (h * (1 - h)) ** 2 @ W.sum(axis=0)


def square_of_sums(h, W):
    """You squared the sum of each column of W: square the weights first, then sum."""
    column = W.sum(axis=0)
    return (h * (1 - h)) ** 2 @ (column * column)


def without_slope(h, W):
    """This is the size of W alone: a unit near 0 or 1 hardly moves, because the sigmoid has the
    slope h (1 - h)."""
    return (h * 0 + 1) @ (W * W).sum(axis=0)


def mean_of_batch(h, W):
    """This is one number, the mean over the batch: each example has its own |J|^2."""
    return library_contraction(h, W).mean()


contraction = Check(
    library=library_contraction,
    source="autoencoder/parts/penalty.py::_one_layer",
    returns="same",
    trained=True,
    cases=contraction_cases,
    judges=[
        Judge("slope by slope", slope_by_slope, 1e-12),
        Judge("measured slopes", measured_contraction, 1e-8),
    ],
    mistakes=[
        slope_not_squared,
        weights_not_squared,
        square_of_sums,
        without_slope,
        mean_of_batch,
    ],
)
