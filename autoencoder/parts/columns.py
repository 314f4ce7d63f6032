"""A likelihood for tables whose columns are of several kinds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from minigrad import concatenate, getitem, log_softmax, softmax

from ..checks import ROUNDING, check_number, check_whole
from .likelihood import EDGE, BernoulliLikelihood, GaussianLikelihood, Likelihood

KINDS = ("gaussian", "bernoulli", "categorical")


class ColumnLikelihood(Likelihood):
    """Numbers, yes or no, and classes side by side, each with the likelihood of its kind.

    Parameters
    ----------
    columns : sequence of (kind, int)
        The kinds of the columns from left to right, and how many of each there are: "gaussian"
        (numbers, of one `variance`: standardise them), "bernoulli" (0 or 1), or "categorical", a
        single class in so many columns, of which one is 1 and the others 0.
        A ``ColumnTransformer`` with StandardScaler and OneHotEncoder gives such data.
    variance : float, default=1.0
        Of the Gaussian columns.

    Examples
    --------
    >>> import numpy as np
    >>> likelihood = ColumnLikelihood([("gaussian", 1), ("categorical", 3)])
    >>> t, x = np.zeros((1, 4)), np.array([[0.0, 0.0, 1.0, 0.0]])
    >>> likelihood.log_prob(t, x)  # -log(2 pi) / 2 - log 3
    array([-2.01755082])
    """

    def __init__(self, columns: Sequence[tuple[str, int]], variance: float = 1.0) -> None:
        self.columns = columns
        self.variance = variance

    def check(self, X: Any) -> None:
        """Raise ValueError unless the columns of `X` (N, D) are what `columns` says."""
        for kind, x, names in self._blocks(X):
            if kind == "bernoulli":
                BernoulliLikelihood().check(x)
            elif kind == "categorical":
                off = abs(x.sum(axis=1) - 1) > x.shape[1] * ROUNDING  # (N,)
                if x.min() < -ROUNDING or off.any():
                    row = int((off | (x < -ROUNDING).any(axis=1)).argmax())
                    raise ValueError(
                        f"ColumnLikelihood: the columns {names} hold one class, so one of them is "
                        f"1 and the others 0, but row {row} has {x[row].tolist()}: use "
                        "OneHotEncoder"
                    )

    def elements(self, t: Any, x: Any, variance: Any = None) -> Any:
        """``log p(x | t)`` of each number: (N, D), (N, D) -> (N, D)."""
        found = []
        for (kind, t_k, _), (_, x_k, _) in zip(self._blocks(t), self._blocks(x), strict=True):
            if kind == "categorical":
                found.append(x_k * log_softmax(t_k, axis=1))
            elif kind == "bernoulli":
                found.append(BernoulliLikelihood().elements(t_k, x_k))
            else:
                found.append(GaussianLikelihood(self.variance).elements(t_k, x_k))
        return concatenate(found, axis=1)

    def loss(self, t: Any, x: Any) -> Any:
        """The mean of ``-log p(x | t)``: (N, D), (N, D) -> a scalar."""
        return -self.elements(t, x).sum() / len(t)

    def mean(self, t: Any) -> Any:
        """The expected numbers, and probabilities of a 1 and of each class, as an array (N, D)."""
        means = {"gaussian": GaussianLikelihood().mean, "bernoulli": BernoulliLikelihood().mean}
        t = means["gaussian"](t)  # an array
        found = [
            softmax(t_k, axis=1) if kind == "categorical" else means[kind](t_k)
            for kind, t_k, _ in self._blocks(t)
        ]
        return concatenate(found, axis=1)

    def inverse_mean(self, x: Any) -> Any:
        """Outputs t of which the means (D,) are `x`; of a class log-probabilities."""
        inverse = {
            "gaussian": GaussianLikelihood().inverse_mean,
            "bernoulli": BernoulliLikelihood().inverse_mean,
            "categorical": lambda x_k: np.log(np.maximum(x_k, EDGE)),
        }
        return np.concatenate([inverse[k](x_k[0]) for k, x_k, _ in self._blocks(x[None])])

    def _blocks(self, a):
        """The kind, the columns of `a` (N, D) and their names, of each block of columns."""
        check_number("ColumnLikelihood: variance", self.variance, "above 0", _is_positive)
        first = 0
        for kind, width in self._checked_columns(a.shape[1]):
            last = first + width
            yield kind, getitem(a, (slice(None), slice(first, last))), f"{first} to {last - 1}"
            first = last

    def _checked_columns(self, n_features):
        columns = self.columns
        pairs = isinstance(columns, list | tuple) and all(
            isinstance(pair, list | tuple) and len(pair) == 2 for pair in columns
        )
        if not pairs or not all(kind in KINDS for kind, _ in columns):
            raise ValueError(
                "ColumnLikelihood: columns must be pairs of a kind "
                f"({', '.join(map(repr, KINDS))}) and a number of columns, got {columns!r}"
            )
        for kind, width in columns:
            check_whole(f"ColumnLikelihood: the number of {kind} columns", width, 1)
        total = sum(width for _, width in columns)
        if total != n_features:
            raise ValueError(
                f"ColumnLikelihood: columns names {total} columns, and the data have {n_features}"
            )
        return columns


def _is_positive(value):
    return 0 < value < math.inf
