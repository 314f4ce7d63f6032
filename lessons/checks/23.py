"""Checks of lesson 23."""

import math

from lessons import Check, Judge

import numpy as np


def spectrum(rng, n):
    """Falling eigenvalues over three orders of magnitude, none near a power of ten."""
    return np.sort(10 ** rng.uniform(-2.5, 0.8, n))[::-1]


# ---------------------------------------------------------------------- 23.1 live_units
def live_cases():
    rng = np.random.default_rng(17)
    return [
        (np.array([4.0, 2.0, 0.5]), 1.0, 3),
        (np.array([0.9, 0.5]), 1.0, 2),
        (spectrum(rng, 12), 0.1, 12),
        (spectrum(rng, 40), 0.03, 10),
        (spectrum(rng, 40), 0.01, 50),
    ]


def bound(eigenvalue, variance, weight):
    """What a unit gains, in nats: its decoder weight is `weight`, encoder and cloud at their best.

    The marginal log-likelihood along the direction: a normal of variance weight^2 + variance.
    """
    total = weight**2 + variance
    return -(eigenvalue / total + math.log(total)) / 2


def by_gain(eigenvalues, variance, k):
    """Try every unit with many weights: does any gain more than weight 0?"""
    alive = 0
    for eigenvalue in eigenvalues[:k]:
        tried = max(bound(eigenvalue, variance, w) for w in np.geomspace(1e-3, 10, 400))
        alive += tried > bound(eigenvalue, variance, 0.0)
    return alive


def library_live(eigenvalues, variance, k):
    return int(min(np.sum(eigenvalues > variance), k))


def without_limit(eigenvalues, variance, k):
    """There are only k units: more than k cannot live."""
    return np.sum(eigenvalues > variance)


def dead_ones(eigenvalues, variance, k):
    """You counted the directions below the variance: those are left to the decoder's noise."""
    return min(np.sum(eigenvalues < variance), k)


def deviation_for_variance(eigenvalues, variance, k):
    """You compared with the root of the variance: an eigenvalue is a variance, too."""
    return min(np.sum(eigenvalues > np.sqrt(variance)), k)


def deviations_of_faces(eigenvalues, variance, k):
    """You took the root of the eigenvalues: they are variances, like what they are compared
    with."""
    return min(np.sum(np.sqrt(eigenvalues) > variance), k)


def share_of_total(eigenvalues, variance, k):
    """You compared each eigenvalue's share of the total: it is the eigenvalue itself that counts,
    whatever the others are."""
    return min(np.sum(eigenvalues / eigenvalues.sum() > variance), k)


def above_one(eigenvalues, variance, k):
    """You compared with 1, the prior's variance: the border is the decoder's variance."""
    return min(np.sum(eigenvalues > 1), k)


live_units = Check(
    library=library_live,
    source="autoencoder/evaluation/metrics.py::active_units",
    returns="whole number",
    cases=live_cases,
    judges=[Judge("trying weights, unit by unit", by_gain)],
    mistakes=[
        without_limit,
        dead_ones,
        deviation_for_variance,
        deviations_of_faces,
        share_of_total,
        above_one,
    ],
)


# ---------------------------------------------------------------------- 23.2 unit_kl
def kl_cases():
    rng = np.random.default_rng(172)
    drawn = [(spectrum(rng, n), variance) for n, variance in ((7, 0.1), (30, 0.02))]
    return [(np.array([4.0, 2.0, 0.5]), 1.0), *((clear_of(v, e), v) for e, v in drawn)]


def clear_of(variance, eigenvalues):
    """The eigenvalues that are not near `variance`, where descent would take for ever."""
    return eigenvalues[np.abs(np.log(eigenvalues / variance)) > 0.2]


def from_clouds(eigenvalues, variance):
    """Lesson 22's price of the clouds at the optimum, each term written out."""
    prices = []
    for eigenvalue in eigenvalues:
        alive = eigenvalue > variance
        cloud = variance / eigenvalue if alive else 1.0
        mean_square = 1 - variance / eigenvalue if alive else 0.0
        prices.append((mean_square + cloud - 1 - math.log(cloud)) / 2)
    return np.array(prices)


def by_descent(eigenvalues, variance):
    """One unit at a time: best encoder and cloud for the weight, best weight for those, in turn."""
    prices = []
    for eigenvalue in eigenvalues:
        w = math.sqrt(eigenvalue)
        for _ in range(3000):
            v, s = w / (w * w + variance), variance / (w * w + variance)
            w = v * eigenvalue / (v * v * eigenvalue + s)
        v, s = w / (w * w + variance), variance / (w * w + variance)
        prices.append((v * v * eigenvalue + s - 1 - math.log(s)) / 2)
    return np.array(prices)


def library_unit_kl(eigenvalues, variance):
    return np.maximum(np.log(eigenvalues / variance), 0) / 2


def twice(eigenvalues, variance):
    """This is twice the price: the half of lesson 22's formula is missing."""
    return 2 * library_unit_kl(eigenvalues, variance)


def below_zero(eigenvalues, variance):
    """Dead units come out below 0: a divergence cannot, and a dead unit is the prior itself."""
    return np.log(eigenvalues / variance) / 2


def in_bits(eigenvalues, variance):
    """This is in bits: take the natural logarithm for nats."""
    return np.maximum(np.log2(eigenvalues / variance), 0) / 2


def upside_down(eigenvalues, variance):
    """The ratio is upside down: the price grows with the eigenvalue, and the smaller the decoder's
    variance is."""
    return np.maximum(np.log(variance / eigenvalues), 0) / 2


def without_variance(eigenvalues, variance):
    """You compared with 1: a unit pays for the precision it needs, which the decoder's variance
    sets."""
    return np.maximum(np.log(eigenvalues), 0) / 2


def channel(eigenvalues, variance):
    """You added 1 inside the logarithm, the capacity of a noisy channel, in which no unit ever
    dies; here signal and noise together are the eigenvalue."""
    return np.log1p(eigenvalues / variance) / 2


unit_kl = Check(
    library=library_unit_kl,
    source="autoencoder/evaluation/metrics.py::kl_per_unit",
    returns="array",
    cases=kl_cases,
    judges=[
        Judge("the clouds' terms", from_clouds, 1e-12),
        Judge("a unit trained by itself", by_descent, 1e-6),
    ],
    mistakes=[twice, below_zero, in_bits, upside_down, without_variance, channel],
)
