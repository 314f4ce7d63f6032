"""Units in which an autoencoder works: the data as they are, or standardised.

A table with a column of thousands beside one of thousandths has no sensible squared error, and no
learning rate suits it. Standardised, every column has mean 0 and variance 1; noise, likelihood and
penalties then count in standard deviations, and results are given back in the data's own units.
"""

import numpy as np
from scipy import sparse

from minigrad import add, astype, multiply

from .rows import Rows, blocks, column_moments


class Scaling:
    """The affine map ``(X - mean) / std`` of each column, and its inverse.

    `mean` and `std` are (D,) float64, `std` above 0.

    >>> scaling = Scaling.of(np.array([[0.0, 7.0], [200.0, 7.0]]))
    >>> scaling.apply(np.array([[300.0, 8.0]])), scaling.undo(np.array([[2.0, 1.0]]))
    (array([[2., 1.]]), array([[300.,   8.]]))
    """

    def __init__(self, mean, std):
        self.mean, self.std = mean, std

    @classmethod
    def of(cls, X):
        """The one that standardises the columns of `X` (N, D); a constant one is only centred.

        Columns of sparse data are not centred, so that zeros stay zeros.
        """
        mean, variance = column_moments(X)  # (D,) each
        std = np.sqrt(variance)
        # a column of equal numbers has a deviation of some ulps of its mean
        constant = std <= 10 * np.finfo(X.dtype).eps * np.abs(mean)
        is_sparse = isinstance(X, Rows) and sparse.issparse(X.X)
        return cls(np.zeros_like(mean) if is_sparse else mean, np.where(constant, 1.0, std))

    def apply(self, X):
        """Data in standard deviations from the mean: (N, D) -> (N, D) of the same dtype."""
        if isinstance(X, Rows):
            return Rows(self.apply(X.X), X.weight, X.observed)
        if sparse.issparse(X):  # in CSR format, and never centred
            scaled = X.copy()
            scaled.data = (X.data / self.std[X.indices]).astype(X.dtype)
            return scaled
        return _by_blocks(lambda x: (x - self.mean) / self.std, X)

    def undo(self, Y):
        """Data in their own units: (N, D) -> (N, D) of the same dtype, as hooks see."""
        data = add(multiply(astype(Y, np.float64), self.std), self.mean)
        return astype(data, Y.dtype)

    def log_volume(self, X):
        """What is to be subtracted from log-densities of standardised rows: a number or (N,).

        It is the sum of ``log(std)`` over the numbers of a row that are known.
        """
        observed = X.observed if isinstance(X, Rows) else None
        log_std = np.log(self.std)  # (D,)
        if observed is None:
            return float(log_std.sum())
        starts = range(0, len(observed), 1024)
        return np.concatenate([observed[start : start + 1024] @ log_std for start in starts])


def choose(scale, X, likelihood):
    """The `Scaling` that the parameter `scale` asks for with data `X` (N, D), or None for none.

    "auto" standardises data that leave [0, 1] or stay below 1/2, under a likelihood that is for all
    numbers: a code costs the same nats however small the errors are that it could avoid, so a
    variational autoencoder of small numbers learns nothing.
    """
    if scale is None or (scale == "auto" and _fills_unit_interval(X)):
        return None
    if not getattr(likelihood, "any_numbers", False):  # one of your own may not say
        if scale == "auto":
            return None
        raise ValueError(
            f"scale={scale!r} does not go with {likelihood!r}, which is not for any numbers: use "
            'scale=None, or likelihood="gaussian"'
        )
    return Scaling.of(X)


def _by_blocks(function, X):
    result, start = np.empty_like(X), 0
    for x, *_ in blocks(X):
        result[start : start + len(x)] = function(x)
        start += len(x)
    return result


def _fills_unit_interval(X):
    numbers = X.X if isinstance(X, Rows) else X
    slack = 4 * np.finfo(X.dtype).eps  # what MinMaxScaler may leave above 1
    return bool(numbers.min() >= -slack and 0.5 <= numbers.max() <= 1 + slack)
