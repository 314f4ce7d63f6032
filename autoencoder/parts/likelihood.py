"""Likelihoods: what the decoder's outputs `t` say about the data `x`.

Each is log p(x | t), constants included, in nats and summed over the features of a sample. It
decides what the decoder's outputs are (means, or logits) and so its last activation, which is
never a setting of its own.

What is minimised is ``loss(t, x)``, the mean of -log p over a batch without its ``constant``. The
constant of a Gaussian of 1,024 pixels is 941 nats, which would leave a float32 loss of one nat
three digits fewer; whoever reports a loss adds the constant afterwards, in float64.
"""

from __future__ import annotations

import math
import numbers
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from minigrad import Tensor, log, maximum, primitive, sigmoid, tanh, where
from minigrad.backend import array_module
from minigrad.losses import bernoulli_nll_of_logits, l2_loss, mse_loss
from minigrad.whole_batch import whole_count, whole_mean, whole_sum

from ..checks import as_numbers, check_floats, outside_unit_interval

EDGE = 1e-3  # a pixel that is always black begins with a probability of this
_SMALLEST_VARIANCE = 1e-12  # where a perfect reconstruction stops to be rewarded


class Likelihood(BaseEstimator):
    """The base: subclasses write `check`, `mean`, and `elements` or `log_prob`.

    Weighted rows and missing numbers need `elements`. `any_numbers` says whether the data may be
    any numbers, and so be scaled.
    """

    any_numbers = False

    def log_prob(self, t: Any, x: Any, variance: Any = None) -> Any:
        """``log p(x | t)`` of each sample: (N, D), (N, D) -> (N,)."""
        return self.elements(t, x, variance).sum(axis=1)

    def weighted_loss(self, t: Any, x: Any, weight: Any) -> Any:
        """`loss` where each number counts by its `weight` (N, D), 0 where it is missing."""
        return -(weight * self.elements(t, x)).sum() / len(t)

    def loss(self, t: Any, x: Any) -> Any:
        """The mean of ``-log p(x | t)`` without the constant: (N, D), (N, D) -> a scalar."""
        return -self.log_prob(t, x).mean()

    def constant(self, n_features: int) -> float:
        """What `loss` leaves out, in nats per sample of `n_features`; a Python float."""
        return 0.0

    def inverse_mean(self, x: Any) -> Any:
        """Outputs t of which the means (D,) are `x`, or None where that is not known."""
        return None


class GaussianLikelihood(Likelihood):
    """Normal data of mean `t` and one `variance` for all features.

    `variance` is a number, or "optimal": the one that maximises the likelihood of the batch, which
    is its mean squared error (O. Rybkin et al., "Simple and effective VAE training with calibrated
    decoders", 2021).

    Parameters
    ----------
    variance : float or "optimal", default=1.0

    Examples
    --------
    >>> GaussianLikelihood(variance=1.0).log_prob(np.zeros((1, 1)), np.ones((1, 1)))
    array([-1.41893853])
    """

    any_numbers = True

    def __init__(self, variance: float | str = 1.0) -> None:
        self.variance = variance

    def check(self, X: Any) -> None:
        """Accept the data, every number has a normal likelihood; ValueError for the variance."""
        _variance(self.variance)

    def elements(self, t: Any, x: Any, variance: Any = None) -> Any:
        """``log p(x | t)`` of each number: (N, D), (N, D) -> (N, D).

        `variance` takes the place of the object's own, where it has been estimated from other data.
        """
        _check_pair("GaussianLikelihood", t, x)
        squares = (x - t) * (x - t)  # (N, D)
        variance = _variance(self.variance if variance is None else variance)
        if variance == "optimal":
            variance = maximum(whole_mean(squares.mean()), _SMALLEST_VARIANCE)
            log_variance = log(variance)
        else:
            log_variance = math.log(variance)
        return -squares / (2 * variance) - (log_variance + math.log(2 * math.pi)) / 2

    def loss(self, t: Any, x: Any) -> Any:
        """The mean of ``-log p(x | t)`` without the constant: (N, D), (N, D) -> a scalar.

        Of a fixed variance it is ``l2_loss / variance``, half the squared error summed over the
        features; of the "optimal" one ``D / 2 log(mean squared error)``.
        """
        _check_pair("GaussianLikelihood", t, x)
        variance = _variance(self.variance)
        if variance == "optimal":
            mean = whole_mean(mse_loss(t, x))
            return (t.shape[1] / 2) * log(maximum(mean, _SMALLEST_VARIANCE))
        loss = l2_loss(t, x, reduction="mean")
        return loss if variance == 1 else loss * (1 / variance)

    def weighted_loss(self, t: Any, x: Any, weight: Any) -> Any:
        """`loss` where each number counts by its `weight` (N, D), 0 where it is missing.

        The "optimal" variance is the weighted mean of the squared errors.
        """
        _check_pair("GaussianLikelihood", t, x)
        squares = (weight * ((x - t) * (x - t))).sum()
        variance, total = _variance(self.variance), weight.sum()
        if variance != "optimal":
            return squares / (2 * variance * len(t))
        squares, total = whole_sum(squares), whole_sum(total)
        mean = squares / maximum(total, _SMALLEST_VARIANCE)
        return total / (2 * whole_count(len(t))) * log(maximum(mean, _SMALLEST_VARIANCE))

    def constant(self, n_features: int) -> float:
        """What `loss` leaves out, in nats per sample of `n_features`; a Python float."""
        variance = _variance(self.variance)
        if variance == "optimal":
            return n_features / 2 * (math.log(2 * math.pi) + 1)
        return n_features / 2 * math.log(2 * math.pi * variance)

    def mean(self, t: Any) -> Any:
        """The expected data: `t` itself, as an array."""
        return _array(t)

    def inverse_mean(self, x: Any) -> Any:
        """Outputs t of which the means (D,) are `x`: `x` itself."""
        return x


class BernoulliLikelihood(Likelihood):
    """Data that are 0 or 1, with probability ``sigmoid(t)`` of a 1.

    Grey data in [0, 1] are accepted; ``-log p`` is then never below their entropy, and `log p` is
    no density. `ContinuousBernoulliLikelihood` is the density for them.

    >>> BernoulliLikelihood().log_prob(np.zeros((1, 2)), np.array([[0.0, 1.0]]))
    array([-1.38629436])
    """

    def check(self, X: Any) -> None:
        """Raise ValueError unless all data are in [0, 1]."""
        _check_unit_interval("BernoulliLikelihood", X)

    def elements(self, t: Any, x: Any, variance: Any = None) -> Any:
        """``log p(x | t)`` of each number, -inf outside [0, 1]: logits t (N, D) -> (N, D)."""
        _check_pair("BernoulliLikelihood", t, x)
        return _impossible_outside(-bernoulli_nll_of_logits(t, x), x)

    def loss(self, t: Any, x: Any) -> Any:
        """The mean of ``-log p(x | t)``, data in [0, 1]: (N, D), (N, D) -> a scalar."""
        _check_pair("BernoulliLikelihood", t, x)
        return bernoulli_nll_of_logits(t, x).sum() / len(t)

    def mean(self, t: Any) -> Any:
        """The probabilities of a 1, as an array."""
        return sigmoid(_array(t))

    def inverse_mean(self, x: Any) -> Any:
        """Outputs t of which the means (D,) are `x`, limited to 0.001 from 0 and 1."""
        x = np.clip(x, EDGE, 1 - EDGE)
        return np.log(x / (1 - x))


class ContinuousBernoulliLikelihood(Likelihood):
    """Data anywhere in [0, 1], with density proportional to ``exp(x t)``.

    It is the Bernoulli's formula with the constant that makes it a density (G. Loaiza-Ganem and
    J. Cunningham, "The continuous Bernoulli", 2019). Their parameter is ``sigmoid(t)``; written in
    `t` it is an exponential distribution cut off at 1, ``log p = x t - log_normaliser(t)``.

    >>> ContinuousBernoulliLikelihood().log_prob(np.zeros((1, 2)), np.array([[0.3, 1.0]]))
    array([0.])
    """

    def check(self, X: Any) -> None:
        """Raise ValueError unless all data are in [0, 1]."""
        _check_unit_interval("ContinuousBernoulliLikelihood", X)

    def elements(self, t: Any, x: Any, variance: Any = None) -> Any:
        """``log p(x | t)`` of each number, -inf outside [0, 1]: logits t (N, D) -> (N, D)."""
        return _impossible_outside(self._log_density(t, x), x)

    def loss(self, t: Any, x: Any) -> Any:
        """The mean of ``-log p(x | t)``, data in [0, 1]: (N, D), (N, D) -> a scalar."""
        return -self._log_density(t, x).sum(axis=1).mean()

    def _log_density(self, t, x):
        _check_pair("ContinuousBernoulliLikelihood", t, x)
        return x * t - log_normaliser(t)

    def mean(self, t: Any) -> Any:
        """The expected data, as an array: not ``sigmoid(t)``, but nearer to 1/2."""
        return expected_data(_array(t))

    def inverse_mean(self, x: Any) -> Any:
        """Outputs t of which the means (D,) are `x`, limited to 0.001 from 0 and 1."""
        x = np.clip(x, EDGE, 1 - EDGE)
        low, high = np.full(x.shape, -1 / EDGE), np.full(x.shape, 1 / EDGE)
        for _ in range(50):  # halve the interval: there is no formula
            t = (low + high) / 2
            below = truncated_mean(t) < x
            low, high = np.where(below, t, low), np.where(below, high, t)
        return t


# ------------------------------------------------------- the exponential distribution cut off at 1
# log(sinh(t/2) / (t/2)) = t**2 / 24 - t**4 / 2880 + ..., and of its derivative the coefficients:
SERIES = (1 / 24, -1 / 2880, 1 / 181440, -1 / 9676800, 1 / 479001600, -691 / 15692092416000)
SLOPES = tuple(2 * (k + 1) * c for k, c in enumerate(SERIES))
NEAR = 0.5  # where the series, exact to the last digit, takes over from formulas that divide by t


@primitive("logits t", t=lambda g, t: g * truncated_mean(t))
def log_normaliser(t):
    """``log(integral of exp(x t) for x from 0 to 1) = log((exp(t) - 1) / t)`` of each element.

    Computed as ``max(t, 0) + log((1 - exp(-|t|)) / |t|)``, which cannot overflow, and as a series
    near 0. Its derivative is the mean of the distribution, as in every exponential family.

    >>> log_normaliser(np.array([-1000.0, 0.0, 1000.0]))
    array([ -6.90775528,   0.        , 993.09224472])
    """
    xp = array_module(t)
    near = xp.abs(t) < NEAR
    size = xp.where(near, 1, xp.abs(t))
    far = xp.maximum(t, 0) + xp.log(-xp.expm1(-size) / size)
    small = xp.where(near, t, 0)
    square = small * small
    return xp.where(near, small / 2 + square * polynomial(square, SERIES), far)


def truncated_mean(t):
    """The mean of the density on [0, 1] proportional to ``exp(x t)``: 1 / (1 - exp(-t)) - 1 / t.

    Element by element, for Tensors or arrays; 1/2 at 0, and near it a series.

    >>> truncated_mean(np.array([-1000.0, 0.0, 1000.0]))
    array([0.001, 0.5  , 0.999])
    """
    near = abs(t) < NEAR  # a plain boolean array
    # Both branches must be finite everywhere: the gradient of the one not taken is 0 times its own.
    large = where(near, 1.0, t)
    small = where(near, t, 0.0)
    far = 1 / (2 * tanh(large / 2)) - 1 / large
    return 0.5 + where(near, small * polynomial(small * small, SLOPES), far)


@primitive("logits t")
def expected_data(t):
    """`truncated_mean` of an array as one operation, a constant for the derivative."""
    return truncated_mean(t)


def polynomial(x, coefficients):
    """``c[0] + c[1] x + c[2] x**2 + ...`` by Horner's rule."""
    total = coefficients[-1]
    for c in coefficients[-2::-1]:
        total = total * x + c
    return total


# ---------------------------------------------------------------------- helpers
def _array(t):
    if isinstance(t, Tensor):
        return t.numpy()
    check_floats("mean", "t", t)
    return t


def _variance(value):
    """The setting as "optimal" or a Python number, which leaves the dtype of the data alone."""
    if isinstance(value, str) and value == "optimal":
        return value
    if not isinstance(value, numbers.Real) or not 0 < value < math.inf:
        raise ValueError(
            f"GaussianLikelihood: variance must be a number above 0 or 'optimal', got {value!r}"
        )
    return float(value)


def _check_pair(name, t, x):
    """Raise unless the decoder's outputs and the data are (N, D) both, N and D above 0."""
    for what, array in (("t", t), ("x", x)):
        check_floats(name, what, array)
    if t.ndim != 2 or t.shape != x.shape or 0 in t.shape:
        raise ValueError(
            f"{name}: outputs t and data x of one shape (N, D) are needed, got {t.shape} and "
            f"{x.shape}"
        )


def _impossible_outside(log_probs, x):
    """The `log_probs` (N, D), or -inf where a number of `x` (N, D) is not in [0, 1]."""
    return where(impossible(x.data if isinstance(x, Tensor) else x), -math.inf, log_probs)


@primitive("data x")
def impossible(x):
    """`outside_unit_interval` of an array as an operation, which hooks see."""
    return outside_unit_interval(x)


def _check_unit_interval(name, X):
    X = as_numbers(name, "the data", X, None)
    if not X.size:
        raise ValueError(f"{name}: the data must be at least one number, got shape {X.shape}")
    low, high = np.min(X), np.max(X)
    if outside_unit_interval(np.array([low, high])).any():
        raise ValueError(
            f"{name}: the data must lie in [0, 1], got values from {low:.6g} to {high:.6g}: "
            "scale them with sklearn.preprocessing.MinMaxScaler, or choose likelihood='gaussian'"
        )
