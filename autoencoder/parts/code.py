"""Codes: what the encoder's outputs `h` mean, and what they cost.

A point code is one vector for each sample. A Gaussian code is a normal distribution for each
sample, and its divergence from N(0, I) is what makes an autoencoder variational (D. Kingma and
M. Welling, 2014): the nats that the code carries.
"""

from sklearn.base import BaseEstimator

from minigrad import Tensor, exp, relu, sigmoid, tanh
from minigrad.backend import device_of, to_device
from minigrad.functional import check_rng
from minigrad.losses import gaussian_kl

_ACTIVATIONS = {"relu": relu, "sigmoid": sigmoid, "tanh": tanh, "linear": lambda h: h}


class PointCode(BaseEstimator):
    """One vector for each sample: ``activation(h)``, "relu", "sigmoid", "tanh" or "linear".

    >>> import numpy as np
    >>> PointCode("relu").mean(np.array([[-1.0, 2.0]]))
    array([[0., 2.]])
    """

    is_drawn = False  # `sample` is `mean`

    def __init__(self, activation="relu"):
        self.activation = activation

    def width(self, n_components):
        """How many outputs the encoder needs for `n_components` code units."""
        return n_components

    def check(self):
        """Raise ValueError for an unknown activation."""
        if not isinstance(self.activation, str) or self.activation not in _ACTIVATIONS:
            names = ", ".join(map(repr, _ACTIVATIONS))
            raise ValueError(f"PointCode: unknown activation {self.activation!r}: use {names}")

    def mean(self, h):
        """The code of each sample: (N, k) -> (N, k)."""
        self.check()
        return _ACTIVATIONS[self.activation](h)

    def sample(self, h, rng):
        """The code that the decoder reads while training: here `mean`, nothing is drawn."""
        return self.mean(h)

    def divergence(self, h):
        """None: a point has no divergence."""
        return None


class GaussianCode(BaseEstimator):
    """A normal distribution for each sample: the code of a variational autoencoder.

    The encoder's outputs are means (N, k) and, beside them, logarithms of variances (N, k).
    `beta` weighs the divergence in the objective: 1 is the evidence lower bound, more gives the
    beta-VAE (I. Higgins et al., 2017).

    >>> import numpy as np
    >>> code, h = GaussianCode(), np.array([[1.0, 0.0, 0.0, 0.0]])
    >>> code.mean(h), code.divergence(h)
    (array([[1., 0.]]), array([0.5]))
    """

    def __init__(self, beta=1.0):
        self.beta = beta

    def width(self, n_components):
        """How many outputs the encoder needs for `n_components` code units: two for each."""
        return 2 * n_components

    def mean(self, h):
        """The mean of each code: (N, 2k) -> (N, k)."""
        return h[:, : h.shape[1] // 2]

    def log_variance(self, h):
        """The logarithm of the variance of each code unit: (N, 2k) -> (N, k)."""
        return h[:, h.shape[1] // 2 :]

    def sample(self, h, rng):
        """A draw from each code, differentiable in `h`: ``mean + exp(log_variance / 2) * noise``.

        (N, 2k) -> (N, k); the noise is standard normal, from the numpy Generator `rng`.
        """
        check_rng("GaussianCode", rng, or_philox=True)
        mean, log_variance = self.mean(h), self.log_variance(h)
        device = mean.device if isinstance(mean, Tensor) else device_of(mean)
        noise = to_device(rng.standard_normal(mean.shape), device).astype(mean.dtype, copy=False)
        return mean + exp(log_variance / 2) * noise

    def divergence(self, h):
        """The divergence of each code from N(0, I), in nats and not weighted: (N, 2k) -> (N,)."""
        return gaussian_kl(self.mean(h), self.log_variance(h), reduction="none")
