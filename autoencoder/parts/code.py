"""Codes: what the encoder's outputs `h` mean, and what they cost.

A point code is one vector for each sample. A Gaussian code is a normal distribution for each
sample, and its divergence from N(0, I) is what makes an autoencoder variational (D. Kingma and
M. Welling, 2014): the nats that the code carries.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from minigrad import Tensor, clip, exp, logsumexp, maximum, primitive, relu, reshape, sigmoid, tanh
from minigrad.backend import Array, array_module, device_of, to_device
from minigrad.functional import check_rng
from minigrad.losses import gaussian_kl
from minigrad.tape import opaque
from minigrad.whole_batch import whole_mean

from ..checks import check_number, check_whole

BEND = 10.0  # logarithms of variances up to here are the encoder's own numbers

_ACTIVATIONS = {"relu": relu, "sigmoid": sigmoid, "tanh": tanh, "linear": lambda h: h}


class Code(BaseEstimator):
    """The base: subclasses write `width`, `mean`, `sample`, and `divergence` or `terms`."""

    def divergence(self, h: Any) -> Any:
        """None, where a code has no divergence."""
        return None

    def layer(self, n_components: int, rng: np.random.Generator, dtype: Any) -> Any:
        """A Module that follows the encoder, with weights of its own from `rng`; None for none."""
        return None

    def terms(self, h: Any, weight: Any = None, memory: Any = None) -> Any:
        """What the codes of a batch cost, each counting by its `weight` (N,): a dict of scalars.

        They are added to the objective, and are in the history under their names. `memory` is the
        training's dictionary of arrays, in which a code may keep something.
        """
        return {}

    def measures(self, memory: Any) -> dict[str, float]:
        """What else the history says of an epoch, from the `memory`: numbers by name."""
        return {}


class PointCode(Code):
    """One vector for each sample: ``activation(h)``, "relu", "sigmoid", "tanh" or "linear".

    Parameters
    ----------
    activation : {"relu", "sigmoid", "tanh", "linear"}, default="relu"

    Examples
    --------
    >>> import numpy as np
    >>> PointCode("relu").mean(np.array([[-1.0, 2.0]]))
    array([[0., 2.]])
    """

    is_drawn = False  # `sample` is `mean`

    def __init__(self, activation: str = "relu") -> None:
        self.activation = activation

    def width(self, n_components: int) -> int:
        """How many outputs the encoder needs for `n_components` code units."""
        return n_components

    def check(self) -> None:
        """Raise ValueError for an unknown activation."""
        if not isinstance(self.activation, str) or self.activation not in _ACTIVATIONS:
            names = ", ".join(map(repr, _ACTIVATIONS))
            raise ValueError(f"PointCode: unknown activation {self.activation!r}: use {names}")

    def mean(self, h: Any) -> Any:
        """The code of each sample: (N, k) -> (N, k)."""
        self.check()
        return _ACTIVATIONS[self.activation](h)

    def sample(self, h: Any, rng: np.random.Generator) -> Any:
        """The code that the decoder reads while training: here `mean`, nothing is drawn."""
        return self.mean(h)


class GaussianCode(Code):
    """A normal distribution for each sample: the code of a variational autoencoder.

    The encoder's outputs are means (N, k) and, beside them, logarithms of variances (N, k). Beyond
    -10 and 10 these bend smoothly towards -20 and 20, so that rows that are nothing like those of
    the training do not overflow.
    `beta` weighs the divergence in the objective: 1 is the evidence lower bound, more gives the
    beta-VAE (I. Higgins et al., 2017). Over the first part `warm_up` of a fit, from 0 to 1, the
    weight rises from 0 to `beta`, so that units are of use before they have to pay (C. Sønderby
    et al., 2016). With `free_bits` every unit costs at least so many nats, its divergence averaged
    over the batch, and below that it learns nothing from the price: a unit can be of use before it
    pays (D. Kingma et al., "Improved variational inference with inverse autoregressive flow",
    2016).

    `n_draws` above 1 trains an importance-weighted autoencoder (Y. Burda et al., 2016): what is
    maximised is the logarithm of the mean of p(x, z) / q(z | x) over so many draws, a bound on
    log p(x) that is the tighter the more there are. In the history "reconstruction" is then the
    mean over the draws, and "divergence" the rest. It has no other `beta`, `warm_up` or
    `free_bits`.

    Parameters
    ----------
    beta : float, default=1.0
    warm_up : float in [0, 1], default=0.0
    free_bits : float, default=0.0
        Nats for each unit.
    n_draws : int, default=1

    Examples
    --------
    >>> import numpy as np
    >>> code, h = GaussianCode(), np.array([[1.0, 0.0, 0.0, 0.0]])
    >>> code.mean(h), code.divergence(h)
    (array([[1., 0.]]), array([0.5]))
    """

    def __init__(
        self, beta: float = 1.0, warm_up: float = 0.0, free_bits: float = 0.0, n_draws: int = 1
    ) -> None:
        self.beta = beta
        self.warm_up = warm_up
        self.free_bits = free_bits
        self.n_draws = n_draws

    def check(self) -> None:
        """Raise ValueError for parameters that cannot be used, or not together."""
        check_number("GaussianCode: warm_up", self.warm_up, "from 0 to 1", lambda v: 0 <= v <= 1)
        check_number(
            "GaussianCode: free_bits", self.free_bits, "of at least 0", lambda v: 0 <= v < np.inf
        )
        check_whole("GaussianCode: n_draws", self.n_draws, 1)
        if self.n_draws > 1 and (self.beta != 1 or self.warm_up or self.free_bits):
            raise ValueError(
                "GaussianCode: with n_draws above 1 the divergence has no price of its own, so "
                f"beta must be 1, warm_up and free_bits 0, got {self!r}"
            )

    def warmth(self, progress: float) -> float:
        """The part of `beta` that counts when the part `progress`, from 0 to 1, of a fit is over.

        >>> GaussianCode(warm_up=0.5).warmth(0.25), GaussianCode().warmth(0.25)
        (0.5, 1.0)
        """
        return progress / self.warm_up if progress < self.warm_up else 1.0

    def width(self, n_components: int) -> int:
        """How many outputs the encoder needs for `n_components` code units: two for each."""
        return 2 * n_components

    def mean(self, h: Any) -> Any:
        """The mean of each code: (N, 2k) -> (N, k)."""
        return h[:, : h.shape[1] // 2]

    def log_variance(self, h: Any) -> Any:
        """The logarithm of the variance of each code unit: (N, 2k) -> (N, k)."""
        return bent(h[:, h.shape[1] // 2 :])

    def sample(self, h: Any, rng: np.random.Generator) -> Any:
        """A draw from each code, differentiable in `h`: ``mean + exp(log_variance / 2) * noise``.

        (N, 2k) -> (N, k); the noise is standard normal, from the numpy Generator `rng`.
        """
        check_rng("GaussianCode", rng, or_philox=True)
        mean, log_variance = self.mean(h), self.log_variance(h)
        device = mean.device if isinstance(mean, Tensor) else device_of(mean)
        noise = opaque(normal_numbers, rng, mean.shape, device, mean.dtype)
        return mean + exp(log_variance / 2) * noise

    def divergence(self, h: Any) -> Any:
        """The divergence of each code from N(0, I), in nats and not weighted: (N, 2k) -> (N,)."""
        return gaussian_kl(self.mean(h), self.log_variance(h), reduction="none")

    def terms(self, h: Any, weight: Any = None, memory: Any = None) -> Any:
        """The mean "divergence" of a batch, weighted by `beta`, with the `free_bits`."""
        if self.free_bits:
            mean, log_variance = self.mean(h), self.log_variance(h)
            nats = (mean * mean + exp(log_variance) - 1 - log_variance) / 2  # (N, k)
            nats = nats if weight is None else nats * reshape(weight, (-1, 1))
            cost = maximum(whole_mean(nats.mean(axis=0)), float(self.free_bits)).sum()
        else:
            nats = self.divergence(h)  # (N,)
            cost = (nats if weight is None else nats * weight).mean()
        return {"divergence": float(self.beta) * cost}

    def log_ratio(self, h: Any, z: Any) -> Any:
        """``log p(z) - log q(z | x)`` of codes `z`: (N, 2k), (N, k) -> (N,)."""
        log_variance, from_mean = self.log_variance(h), z - self.mean(h)  # (N, k)
        squares = from_mean * from_mean * exp(-log_variance)
        return (log_variance + squares - z * z).sum(axis=1) / 2


def normal_numbers(rng: Any, shape: Any, device: str, dtype: Any) -> Array:
    """Standard normal numbers from `rng`, drawn in its own precision, on the `device`."""
    return to_device(rng.standard_normal(shape), device).astype(dtype, copy=False)


def importance_bound(log_weights: Any) -> Array:
    """The logarithm of the mean of importance weights, given as logarithms: (draws, N) -> (N,).

    Of weights p(x, z) / q(z | x) it is a lower bound on log p(x), in expectation, that grows with
    the number of draws (Y. Burda et al., "Importance weighted autoencoders", 2016).

    Parameters
    ----------
    log_weights : array (draws, N)

    Returns
    -------
    array (N,)
    """
    return logsumexp(log_weights, axis=0) - math.log(log_weights.shape[0])


def _excess(a):
    """By how much numbers lie beyond `BEND` from 0, in units of it."""
    return (a - clip(a, -BEND, BEND)) / BEND


@primitive("outputs a", a=lambda g, a: g * (1 - tanh(_excess(a)) ** 2))
def bent(a):
    """`a` itself from -10 to 10, and beyond them smoothly towards -20 and 20."""
    xp = array_module(a)
    inside = xp.clip(a, -BEND, BEND)
    return inside + BEND * xp.tanh((a - inside) / BEND)
