"""How coarsely to quantise codes when nobody says: so that it adds a tenth to the model's error."""

import numpy as np

from ..checks import as_numbers

SHARE = 0.1  # of the model's own squared error


def usual_step(model, X):
    """The quantiser's step for a fitted `model`, from training rows X (N, D).

    A step adds about step**2 / 12 to the squared error for each of the k units (see `Codec`), so
    it is sqrt(12 SHARE error / k).

    >>> from autoencoder import Autoencoder
    >>> X = np.random.default_rng(0).random((20, 6))
    >>> model = Autoencoder(2, max_epochs=5, random_state=0).fit(X)
    >>> 0.1 < usual_step(model, X) < 1
    True
    """
    X = as_numbers("usual_step", "X", X, None)
    error = np.square(X - model.reconstruct(X), dtype=np.float64).sum(axis=1).mean()
    units = model.transform(X[:1]).shape[1]
    step = np.sqrt(12 * SHARE * error / units)
    return float(max(step, 1e-3))
