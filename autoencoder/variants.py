"""The named autoencoders: an `Autoencoder` with other defaults, and nothing more.

Every parameter can still be changed, so the kinds combine: a denoising sparse autoencoder is a
`SparseAutoencoder` with a noise.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from sklearn.base import DensityMixin

from minigrad.backend import Array

from . import inference
from .checks import check_whole
from .estimator import Autoencoder
from .parts import GaussianCode, importance_bound

C = TypeVar("C", bound=type)
ROWS = 1024  # whose bounds are computed at a time


def variant(**defaults: Any) -> Callable[[C], C]:
    """A class decorator: the parent's parameters, with other `defaults`.

    scikit-learn reads an estimator's parameters off the signature of ``__init__``, and Python lets
    a function state its signature, so none of them has to be written again.

    >>> @variant(n_components=2)
    ... class TwoNumbers(Autoencoder):
    ...     pass
    >>> TwoNumbers(), TwoNumbers(3), TwoNumbers().get_params()["n_components"]
    (TwoNumbers(), TwoNumbers(n_components=3), 2)
    """

    def decorate(cls):
        parent = super(cls, cls).__init__
        theirs = inspect.signature(parent)
        signature = theirs.replace(
            parameters=[
                p.replace(default=defaults.get(p.name, p.default))
                for p in theirs.parameters.values()
            ]
        )

        def __init__(self, *args, **params):
            bound = signature.bind(self, *args, **params)
            bound.apply_defaults()
            parent(*bound.args, **bound.kwargs)

        __init__.__signature__ = signature
        __init__.__qualname__ = f"{cls.__qualname__}.__init__"
        cls.__init__ = __init__
        return cls

    return decorate


@variant(noise="gaussian")
class DenoisingAutoencoder(Autoencoder):
    """An `Autoencoder` that reads noisy rows and is scored on the clean ones (P. Vincent, 2010).

    >>> DenoisingAutoencoder(8, noise="masking").noise
    'masking'
    """


@variant(code="sigmoid", penalty="kl_sparsity")
class SparseAutoencoder(Autoencoder):
    """An `Autoencoder` whose code units are rarely on: sigmoids with `KLSparsity` (A. Ng, 2011).

    >>> SparseAutoencoder().set_params(penalty__target=0.1).penalty
    KLSparsity(target=0.1)
    """


@variant(code="sigmoid", penalty="contractive")
class ContractiveAutoencoder(Autoencoder):
    """An `Autoencoder` whose code hardly moves when the data do (S. Rifai et al., 2011).

    >>> ContractiveAutoencoder().penalty
    'contractive'
    """


@variant(code="gaussian", likelihood="optimal_gaussian")
class VariationalAutoencoder(DensityMixin, Autoencoder):
    """An `Autoencoder` with a normal distribution for a code: a density model of the data.

    D. Kingma and M. Welling, 2014; with ``code__beta`` other than 1 the beta-VAE. `score_samples`
    is the evidence lower bound. All estimates use the same draws for every row and every call.

    >>> X = np.random.default_rng(0).normal(size=(40, 6))
    >>> model = VariationalAutoencoder(2, max_epochs=2, random_state=0).fit(X)
    >>> model.elbo(X).shape, model.posterior(X)[1].shape, model.sample(3).shape
    ((40,), (40, 2), (3, 6))
    """

    score = Autoencoder.score  # DensityMixin has one that does nothing

    def elbo(self, X: Any, n_draws: int = 16, y: Any = None) -> Array:
        """The evidence lower bound of every row, with beta = 1: (N, D) -> (N,) float64, in nats.

        Its expectation is estimated from `n_draws` codes, its divergence exact.
        """
        X, model = self._density("elbo", X, n_draws, y)
        return inference.elbo(model, X, n_draws) - self._log_volume(X)

    def log_likelihood(self, X: Any, n_draws: int = 64, y: Any = None) -> Array:
        """The importance-weighted bound on log p(x) of every row: (N, D) -> (N,) float64, in nats.

        In expectation it grows with `n_draws`, from the lower bound to log p(x) (Y. Burda et al.,
        "Importance weighted autoencoders", 2016).
        """
        X, model = self._density("log_likelihood", X, n_draws, y)
        starts = range(0, X.shape[0], ROWS)  # of all rows the weights could take more than the data
        bounds = [
            importance_bound(inference.log_weights(model, X[start : start + ROWS], n_draws))
            for start in starts
        ]
        return np.concatenate(bounds) - self._log_volume(X)

    def posterior(self, X: Any, y: Any = None) -> tuple[Array, Array]:
        """The codes' distributions: (N, D) -> means (N, k) and log-variances (N, k)."""
        X, model = self._density("posterior", X, 1, y)
        h = inference.encode(model, X).astype(X.dtype, copy=False)
        return model.code.mean(h), model.code.log_variance(h)

    def _density(self, who, X, n_draws, y):
        X = self._as_read(who, self._checked(X), y)
        check_whole("n_draws", n_draws, 1)
        if not isinstance(self._code, GaussianCode):
            raise ValueError(
                f"a VariationalAutoencoder with code={self._code!r} has no distribution of codes: "
                'fit it with code="gaussian"'
            )
        return X, self._model
