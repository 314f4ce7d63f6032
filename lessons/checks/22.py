"""Checks of lesson 22. Draws come from a generator in a known state, so they can be compared."""

import math

from lessons import Check, Judge

import numpy as np

import minigrad as mg
from autoencoder.parts import GaussianCode
from minigrad.losses import gaussian_kl


def clouds(rng, shape):
    """Means and log-variances of unequal sizes, none of them special."""
    return rng.normal(size=shape), rng.uniform(-3.0, 1.5, shape)


# ---------------------------------------------------------------------- 22.1 sample
def sample_cases():
    rng = np.random.default_rng(16)
    arrays = [(*clouds(rng, (4, 3)), np.random.default_rng(0))]
    m, lv = clouds(rng, (5, 2))
    tensors = mg.tensor(m, requires_grad=True), mg.tensor(lv, requires_grad=True)
    return [*arrays, (*tensors, np.random.default_rng(7))]


def values(x):
    return x.numpy() if isinstance(x, mg.Tensor) else np.asarray(x)


def sample_reference(mean, log_variance, rng):
    """One number after the other."""
    mean, log_variance = values(mean), values(log_variance)
    drawn = np.empty(mean.shape)
    for i, j in np.ndindex(*mean.shape):
        drawn[i, j] = mean[i, j] + math.sqrt(math.exp(log_variance[i, j])) * rng.standard_normal()
    return drawn


def library_sample(mean, log_variance, rng):
    parts = mean, log_variance
    tensors = any(isinstance(a, mg.Tensor) for a in parts)
    both = mg.concatenate(parts, axis=1) if tensors else np.concatenate(parts, axis=1)
    return GaussianCode().sample(both, rng)


def normal(rng, mean, shape=None):
    return rng.standard_normal(mean.shape if shape is None else shape)


def exp_for_deviation(mean, log_variance, rng):
    """You multiplied the noise by exp(log_variance), the variance: the deviation is its root, the
    exponential of half the logarithm."""
    return mean + mg.exp(log_variance) * normal(rng, mean)


def logarithm_for_deviation(mean, log_variance, rng):
    """You multiplied the noise by the logarithm itself, which can be negative: take the exponential
    of half of it."""
    return mean + log_variance * normal(rng, mean)


def one_draw_per_batch(mean, log_variance, rng):
    """All examples of the batch got the same noise: draw a number for each example and unit."""
    return mean + mg.exp(log_variance / 2) * normal(rng, mean, mean.shape[1:])


def one_draw_per_example(mean, log_variance, rng):
    """All units of an example got the same noise, so that they move together: draw a number for
    each example and unit."""
    return mean + mg.exp(log_variance / 2) * normal(rng, mean, (mean.shape[0], 1))


def nothing_drawn(mean, log_variance, rng):
    """This is the mean: nothing is drawn, and the code is a point again."""
    return mean + 0 * log_variance


sample = Check(
    library=library_sample,
    source="autoencoder/parts/code.py::GaussianCode.sample",
    returns="same",
    trained=True,
    cases=sample_cases,
    judges=[Judge("number by number", sample_reference, 1e-12)],
    mistakes=[
        exp_for_deviation,
        logarithm_for_deviation,
        one_draw_per_batch,
        one_draw_per_example,
        nothing_drawn,
    ],
)


# ---------------------------------------------------------------------- 22.2 through_sample
def slope_cases():
    rng = np.random.default_rng(162)
    return [
        (rng.normal(size=s), *clouds(rng, s), rng.normal(size=s)) for s in ((1, 1), (4, 3), (2, 5))
    ]


def measured_slopes(g, mean, log_variance, noise, h=1e-5):
    """Each number pushed up and down, the noise frozen; elements do not mix."""

    def drawn(m, lv):
        return m + np.sqrt(np.exp(lv)) * noise

    to_mean = g * (drawn(mean + h, log_variance) - drawn(mean - h, log_variance)) / (2 * h)
    rise = drawn(mean, log_variance + h) - drawn(mean, log_variance - h)
    return to_mean, g * rise / (2 * h)


def library_slopes(g, mean, log_variance, noise):
    m, lv = mg.tensor(mean, requires_grad=True), mg.tensor(log_variance, requires_grad=True)
    return tuple(a.numpy() for a in mg.grad(m + mg.exp(lv / 2) * noise, [m, lv], g))


def without_half(g, mean, log_variance, noise):
    """A factor is missing in the second: the deviation is exp(log_variance / 2), and the slope of
    an exponential brings down what stands before the variable."""
    return g, g * np.exp(log_variance / 2) * noise


def without_noise(g, mean, log_variance, noise):
    """The second lacks the noise: a cloud that grows moves z the farther, the farther z is from the
    mean, and to its own side."""
    return g, g * np.exp(log_variance / 2) / 2


def without_deviation(g, mean, log_variance, noise):
    """The second lacks the deviation: the slope of exp(a / 2) contains exp(a / 2) again."""
    return g, g * noise / 2


def variance_for_deviation(g, mean, log_variance, noise):
    """In the second stands the variance, exp(log_variance), where the deviation should."""
    return g, g * np.exp(log_variance) * noise / 2


def noise_on_the_mean(g, mean, log_variance, noise):
    """The first needs no noise: when the mean moves by 1, z does, whatever was drawn."""
    return g * noise, g * np.exp(log_variance / 2) * noise / 2


def forgets_g(g, mean, log_variance, noise):
    """You left out g: these are the slopes of z, and the loss moves g times as far."""
    return np.ones_like(mean), np.exp(log_variance / 2) * noise / 2


through_sample = Check(
    library=library_slopes,
    source="minigrad/gradient.py::grad",
    returns=("array", "array"),
    cases=slope_cases,
    judges=[
        Judge("measured slopes", measured_slopes, 1e-8),
        Judge("minigrad's gradient", library_slopes, 1e-12),
    ],
    mistakes=[
        without_half,
        without_noise,
        without_deviation,
        variance_for_deviation,
        noise_on_the_mean,
        forgets_g,
    ],
)


# ---------------------------------------------------------------------- 22.3 kl
def kl_cases():
    rng = np.random.default_rng(163)
    tensors = [mg.tensor(a, requires_grad=True) for a in clouds(rng, (3, 2))]
    return [*(clouds(rng, shape) for shape in ((1, 1), (2, 5), (6, 3))), tuple(tensors)]


def kl_reference(mean, log_variance):
    """Unit by unit."""
    mean, log_variance = values(mean), values(log_variance)
    total = np.zeros(len(mean))
    for i, j in np.ndindex(*mean.shape):
        variance = math.exp(log_variance[i, j])
        total[i] += 0.5 * (mean[i, j] ** 2 + variance - 1.0 - math.log(variance))
    return total


def integral(mean, log_variance):
    """The definition: q(z) (log q(z) - log p(z)), summed over a fine grid of z."""
    mean, log_variance = values(mean)[..., None], values(log_variance)[..., None]
    deviation = np.exp(log_variance / 2)
    t = np.linspace(-10, 10, 2001)
    z = mean + deviation * t  # (N, k, 2001)
    log_q = -(t**2) / 2 - log_variance / 2
    q = np.exp(log_q) / np.sqrt(2 * np.pi)
    return np.sum(q * (log_q + z**2 / 2) * (deviation * (t[1] - t[0])), axis=(1, 2))


def library_kl(mean, log_variance):
    return gaussian_kl(mean, log_variance, reduction="none")


def log_of_deviation(mean, log_variance):
    """You took log_variance for the logarithm of the deviation: its exponential is the variance
    already."""
    return (mean * mean + mg.exp(2 * log_variance) - 1 - 2 * log_variance).sum(axis=1) / 2


def negative(mean, log_variance):
    """The sign is wrong: this is what one maximises, the divergence itself is never below 0."""
    return -library_kl(mean, log_variance)


def average_of_units(mean, log_variance):
    """You averaged over the units: their nats add up, and a mean makes the price k times too
    small."""
    return library_kl(mean, log_variance) / mean.shape[1]


def whole_batch(mean, log_variance):
    """You also summed over the examples: every example has a price of its own."""
    return library_kl(mean, log_variance).sum()


def twice(mean, log_variance):
    """This is twice the divergence: the half is missing."""
    return 2 * library_kl(mean, log_variance)


kl = Check(
    library=library_kl,
    source="minigrad/losses.py::gaussian_kl",
    returns="same",
    trained=True,
    cases=kl_cases,
    judges=[
        Judge("unit by unit", kl_reference, 1e-12),
        Judge("an integral of q log(q/p)", integral, 1e-9),
    ],
    mistakes=[log_of_deviation, negative, average_of_units, whole_batch, twice],
)
