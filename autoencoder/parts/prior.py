"""Priors: where the codes of new data come from.

An autoencoder with a Gaussian code was trained towards N(0, I). To every other one a distribution
can be fitted afterwards, to the codes of its training data (P. Ghosh et al., "From variational to
deterministic autoencoders", 2020).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.backend import Array

from .code import GaussianCode


def draw_codes(
    prior: Any, n_samples: int, code: Any, mean: Any, covariance: Any, rng: np.random.Generator
) -> Array:
    """Codes (n_samples, k) from `prior`: None, a name or an object with ``sample(n)``.

    "gaussian" is fitted to the training codes, "standard_normal" is N(0, I), and so is None for
    Gaussian codes.

    `mean` (k,) and `covariance` (k, k) are those of the training codes.

    Parameters
    ----------
    prior : None, {"gaussian", "standard_normal"} or an object with ``sample``
    n_samples : int
    code : Code
    mean : array (k,)
    covariance : array (k, k)
    rng : numpy.random.Generator

    Returns
    -------
    array (n_samples, k)

    Raises
    ------
    ValueError
        Where the `code` (a part) has no prior, or the object gives codes of another shape.
    """
    k, is_standard = len(mean), isinstance(prior, str) and prior == "standard_normal"
    if hasattr(prior, "sample"):
        drawn = prior.sample(n_samples)
        Z = np.asarray(drawn[0] if isinstance(drawn, tuple) else drawn)  # mixtures add components
    elif isinstance(prior, str) and prior == "gaussian":
        covariance = covariance.astype(np.float64)
        if not np.isfinite(covariance).all():
            raise ValueError(
                "sample: the covariance of the training codes is not finite, because the data of "
                "the fit were too large: scale them"
            )
        # rounding may leave an eigenvalue below 0, which "eigh" takes for its absolute value
        options = dict(method="eigh", check_valid="ignore")
        Z = rng.multivariate_normal(mean, covariance, n_samples, **options)
    elif is_standard or (prior is None and isinstance(code, GaussianCode)):
        Z = rng.standard_normal((n_samples, k))
    else:
        raise ValueError(
            f'sample: there is no prior {prior!r} for codes of {code!r}: ask for prior="gaussian", '
            'a normal distribution fitted to the training codes, for "standard_normal" where a '
            "penalty brought the codes there, or pass an object with sample(n)"
        )
    if Z.shape != (n_samples, k):
        raise ValueError(
            f"sample: the prior gave codes of shape {Z.shape}, expected {(n_samples, k)}: fit it "
            "to what transform returns"
        )
    return Z
