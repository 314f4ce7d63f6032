"""Noise: what a denoising autoencoder has to undo (P. Vincent et al., JMLR 2010).

The network reads ``corrupt(x)`` and is scored against `x`. Each noise is a few numbers and one
method; the generator is passed in (a numpy Generator, or for data on the GPU a
`minigrad.random.Philox` of that device), so the object itself never changes.
"""

from __future__ import annotations

import math
from numbers import Real
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from minigrad.backend import Array, array_module, device_of
from minigrad.functional import check_rng

from ..checks import SEVERAL, check_floats, check_number

_BLOCK = 1 << 18  # numbers that are computed with at a time


class GaussianNoise(BaseEstimator):
    """Normal noise of one standard deviation `std`, in the units of the data, for every pixel.

    With ``clip=(low, high)`` the result is limited to that range, as pixels are.

    Parameters
    ----------
    std : float, default=0.2
    clip : (float, float) or None, default=None

    Examples
    --------
    >>> GaussianNoise(std=0.5, clip=(0, 1)).corrupt(np.ones(4), np.random.default_rng(0))
    array([1.        , 0.93394757, 1.        , 1.        ])
    """

    def __init__(self, std: float = 0.2, clip: tuple[float, float] | None = None) -> None:
        self.std = std
        self.clip = clip

    def check(self) -> None:
        """Raise ValueError unless the parameters can be used."""
        _at_least_zero(self, "std")
        _limits(self)

    def corrupt(self, x: Any, rng: np.random.Generator) -> Array:
        """A noisy copy of the array `x`, of its shape and dtype."""
        std = _at_least_zero(self, "std")
        return _combined(lambda n, x: _limited(x + std * n, self), _normal(self, x, rng), x)


class HeteroscedasticNoise(BaseEstimator):
    """Normal noise that grows with the signal, as a camera's: ``sqrt(floor**2 + gain**2 |x|)``.

    `floor` is the standard deviation of the sensor's own noise, `gain` that of counting photons
    at ``x = 1`` (A. Foi et al., "Practical Poissonian-Gaussian noise modeling", 2008).

    Parameters
    ----------
    floor, gain : float, default=0.05, 0.1
    clip : (float, float) or None, default=None
        The range that the result is limited to.
    """

    def __init__(
        self, floor: float = 0.05, gain: float = 0.1, clip: tuple[float, float] | None = None
    ) -> None:
        self.floor = floor
        self.gain = gain
        self.clip = clip

    def std(self, x: Any) -> Array:
        """The standard deviation of the noise of each element of `x`.

        >>> HeteroscedasticNoise(floor=0.3, gain=0.4).std(np.array([0.0, 1.0]))
        array([0.3, 0.5])
        """
        floor, gain = _at_least_zero(self, "floor"), _at_least_zero(self, "gain")
        return (floor**2 + gain**2 * abs(x)) ** 0.5

    def check(self) -> None:
        """Raise ValueError unless the parameters can be used."""
        _at_least_zero(self, "floor")
        _at_least_zero(self, "gain")
        _limits(self)

    def corrupt(self, x: Any, rng: np.random.Generator) -> Array:
        """A noisy copy of the array `x`, of its shape and dtype."""
        noise = _normal(self, x, rng)
        return _combined(lambda n, x: _limited(x + self.std(x) * n, self), noise, x)


class MaskingNoise(BaseEstimator):
    """Elements lost: each becomes 0 with probability `rate`, by itself.

    Parameters
    ----------
    rate : float in [0, 1], default=0.25

    Examples
    --------
    >>> MaskingNoise(rate=0.5).corrupt(np.ones(5), np.random.default_rng(0))
    array([1., 0., 0., 0., 1.])
    """

    def __init__(self, rate: float = 0.25) -> None:
        self.rate = rate

    def check(self) -> None:
        """Raise ValueError unless the rate is a probability."""
        _probability(self)

    def corrupt(self, x: Any, rng: np.random.Generator) -> Array:
        """A copy of the array `x` with holes, of its shape and dtype."""
        rate, u = _probability(self), _uniform(self, x, rng)
        where, zero = array_module(x).where, x.dtype.type(0)
        return _combined(lambda u, x: where(u < rate, zero, x), u, x)


class SaltAndPepperNoise(BaseEstimator):
    """Broken pixels: each becomes `low` or `high`, equally often, with probability `rate`.

    Parameters
    ----------
    rate : float in [0, 1], default=0.1
    low, high : float, default=0.0, 1.0

    Examples
    --------
    >>> SaltAndPepperNoise(rate=0.5).corrupt(np.full(5, 0.5), np.random.default_rng(0))
    array([0.5, 1. , 0. , 0. , 0.5])
    """

    def __init__(self, rate: float = 0.1, low: float = 0.0, high: float = 1.0) -> None:
        self.rate = rate
        self.low = low
        self.high = high

    def check(self) -> None:
        """Raise ValueError unless the parameters can be used."""
        _probability(self)
        for name in ("low", "high"):
            value, who = getattr(self, name), type(self).__name__
            check_number(f"{who}: {name}", value, "that is finite", math.isfinite)

    def corrupt(self, x: Any, rng: np.random.Generator) -> Array:
        """A copy of the array `x` with broken pixels, of its shape and dtype."""
        self.check()
        rate = _probability(self)
        u = _uniform(self, x, rng)
        low, high = x.dtype.type(self.low), x.dtype.type(self.high)
        where = array_module(x).where
        return _combined(lambda u, x: where(u < rate / 2, low, where(u < rate, high, x)), u, x)


# ---------------------------------------------------------------------- helpers
def _combined(function, drawn, x):
    """``function(drawn, x)``, which takes the place of the array `drawn` where that is large."""
    if x.size <= _BLOCK or x.ndim < 2:
        return function(drawn, x)
    step = max(1, _BLOCK // math.prod(x.shape[1:]))
    for start in range(0, len(x), step):
        rows = slice(start, start + step)
        drawn[rows] = function(drawn[rows], x[rows])
    return drawn


def _normal(noise, x, rng):
    _check(noise, x, rng)
    return rng.standard_normal(x.shape, dtype=x.dtype)


def _uniform(noise, x, rng):
    _check(noise, x, rng)
    return rng.random(x.shape, dtype=x.dtype)


def _check(noise, x, rng):
    name = type(noise).__name__
    check_rng(name, rng, or_philox=True)
    check_floats(name, "x", x)
    if device_of(x) != getattr(rng, "device", "cpu"):
        raise TypeError(
            f"{name}: the data are on {device_of(x)!r} and rng draws on "
            f"{getattr(rng, 'device', 'cpu')!r}: on the GPU it must be a minigrad.random.Philox "
            "of that device"
        )


def _limited(x, noise):
    """The new array `x` limited to ``noise.clip``, in place."""
    limits = _limits(noise)
    return x if limits is None else x.clip(*limits, out=x)


def _limits(noise):
    """``noise.clip`` as Python numbers (low, high), or None."""
    clip = noise.clip
    if clip is None:
        return None
    pair = isinstance(clip, SEVERAL) and getattr(clip, "ndim", 1) == 1 and len(clip) == 2
    if not pair or not all(isinstance(v, Real) for v in clip) or not clip[0] < clip[1]:
        raise ValueError(
            f"{type(noise).__name__}: clip must be None or (low, high) with low < high, "
            f"got {clip!r}"
        )
    return float(clip[0]), float(clip[1])


def _at_least_zero(noise, name):
    """The setting `name` as a Python number, which leaves the dtype of the data alone."""
    value = getattr(noise, name)
    if not isinstance(value, Real) or not 0 <= value < np.inf:
        raise ValueError(
            f"{type(noise).__name__}: {name} is a standard deviation and must be at least 0, "
            f"got {value!r}"
        )
    return float(value)


def _probability(noise):
    if not isinstance(noise.rate, Real) or not 0 <= noise.rate <= 1:
        raise ValueError(
            f"{type(noise).__name__}: rate is a probability and must be from 0 to 1, "
            f"got {noise.rate!r}"
        )
    return float(noise.rate)
