"""Rows that are more than an array: weighted, with missing numbers, or sparse.

A training and a network take rows as arrays (N, D). Where each row counts by itself, where numbers
are missing, or where the data are sparse, `Rows` take their place: they are cut like arrays, and
`unpacked` gives a block of them as dense arrays.
"""

from numbers import Real

import numpy as np
from scipy import sparse
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import _check_sample_weight, check_consistent_length, column_or_1d

_NUMBERS = 2**17  # of a block, so that dense copies are small however large the data are


class Rows:
    """Data `X` (N, D), an array or a sparse matrix in CSR format.

    `weight` (N,) has the mean 1, or is None; `observed` (N, D) is 1 where a number is known and 0
    where it is missing (and `X` has something in its place), or None; as they are kept, True or
    False. The others have one dtype.

    >>> rows = Rows(sparse.csr_array(np.eye(3)), weight=np.array([0.0, 1.0, 2.0]))
    >>> unpacked(rows[1:])
    (array([[0., 1., 0.],
           [0., 0., 1.]]), array([1., 2.]), None)
    """

    def __init__(self, X, weight=None, observed=None):
        self.X, self.weight, self.observed = X, weight, observed
        self.shape, self.dtype = X.shape, X.dtype

    def __len__(self):
        return self.shape[0]

    def astype(self, dtype, copy=False):
        """The same rows in another dtype."""
        arrays = (None if a is None else a.astype(dtype, copy=copy) for a in (self.X, self.weight))
        return Rows(*arrays, self.observed)

    def __getitem__(self, index):
        weight, observed = (None if a is None else a[index] for a in (self.weight, self.observed))
        return Rows(self.X[index], weight, observed)


def unpacked(rows):
    """The data of `rows` as an array, their weights and what is observed (or None)."""
    if not isinstance(rows, Rows):
        return rows, None, None
    observed = None if rows.observed is None else rows.observed.astype(rows.dtype)
    return rows.X.toarray() if sparse.issparse(rows.X) else rows.X, rows.weight, observed


def packed(X, fill=None, weight=None):
    """`X` (N, D) with the `weight` (N,) of its rows: the array itself where that is enough.

    NaN in it is missing, and `fill` (D,) takes its place; not in a sparse matrix, which has none.
    """
    observed = None
    if fill is not None and not sparse.issparse(X) and np.isnan(X).any():
        missing, X = np.isnan(X), X.copy()
        np.copyto(X, fill.astype(X.dtype), where=missing)
        observed = np.logical_not(missing, out=missing)
    plain = weight is None and observed is None and not sparse.issparse(X)
    return X if plain else Rows(X, weight, observed)


def classes_of(y):
    """The classes of the labels `y` (N,), in their order; ValueError unless they are classes.

    >>> classes_of(["b", "a", "b"])
    array(['a', 'b'], dtype='<U1')
    """
    y = column_or_1d(y)
    if (kind := type_of_target(y, input_name="y")) not in ("binary", "multiclass"):
        raise ValueError(
            f"y must hold a class for each row, such as 3 or 'cat', got {kind} numbers: put ranges "
            "of them into classes, as sklearn.preprocessing.KBinsDiscretizer does"
        )
    return np.unique(y)


def one_hot(y, classes, n_rows, dtype):
    """Labels `y` (n_rows,), or one for all rows, as columns: (n_rows, number of classes)."""
    y = np.full(n_rows, y) if isinstance(y, str | Real | np.generic) else column_or_1d(y)
    check_consistent_length(np.empty(n_rows), y)
    column = {label: k for k, label in enumerate(classes.tolist())}
    columns = [column.get(label, -1) for label in y.tolist()]
    if -1 in columns:
        label, known = y.tolist()[columns.index(-1)], ", ".join(map(repr, classes.tolist()))
        raise ValueError(
            f"y has the label {label!r}, which was not among those of the fit: {known}"
        )
    return np.eye(len(classes), dtype=dtype)[columns]


def beside(rows, labels):
    """`rows` (N, D), an array or `Rows`, with the columns `labels` (N, n) or None beside them."""
    if labels is None:
        return rows
    if not isinstance(rows, Rows):
        return np.hstack([rows, labels.astype(rows.dtype, copy=False)])
    stack = sparse.hstack if sparse.issparse(rows.X) else np.hstack
    X = stack([rows.X, labels.astype(rows.dtype, copy=False)])
    return Rows(X.tocsr() if sparse.issparse(X) else X, rows.weight, rows.observed)


def stacked(several):
    """One array or `Rows` of all that `several`, a list of them, hold."""
    if len(several) == 1:
        return several[0]
    if not any(isinstance(rows, Rows) for rows in several):
        return np.concatenate(several)
    several = [rows if isinstance(rows, Rows) else Rows(rows) for rows in several]
    matrices, weight, observed = [rows.X for rows in several], None, None
    is_sparse = any(map(sparse.issparse, matrices))
    X = sparse.vstack(matrices, format="csr") if is_sparse else np.concatenate(matrices)
    if any(rows.weight is not None for rows in several):
        weight = [
            np.ones(len(rows), rows.dtype) if rows.weight is None else rows.weight
            for rows in several
        ]
    if any(rows.observed is not None for rows in several):
        width = next(rows.observed.shape[1] for rows in several if rows.observed is not None)
        observed = [
            np.ones((len(rows), width), bool) if rows.observed is None else rows.observed
            for rows in several
        ]
    return Rows(X, *(None if a is None else np.concatenate(a) for a in (weight, observed)))


def blocks(rows, size=None):
    """`unpacked` blocks of at most `size` rows, or of about 130,000 numbers."""
    size = size or max(1, _NUMBERS // rows.shape[1])
    for start in range(0, len(rows), size):
        yield unpacked(rows[start : start + size])


def numbers_per_row(rows, n_features):
    """How many of its `n_features` numbers a row has on average, with its weight: a float."""
    if not isinstance(rows, Rows) or rows.observed is None:
        return n_features
    counts, weight = rows.observed.sum(axis=1, dtype=np.float64), rows.weight  # (N,)
    some = weight is not None and weight.any()  # not in every part of weighted rows
    return float(np.average(counts, weights=weight if some else None))


def element_weights(weight, observed, shape):
    """What each number of a block counts, (N, D): its row's weight, or 0 where it is missing."""
    if weight is None:
        return observed
    weight = np.broadcast_to(weight[:, None], shape)
    return weight.copy() if observed is None else weight * observed


def column_means(X):
    """The mean of what is known of each column: (N, D) -> (D,) float64."""
    if sparse.issparse(X):
        return np.asarray(X.mean(axis=0), np.float64).ravel()
    total, counts = np.zeros(X.shape[1]), np.zeros(X.shape[1], int)  # (D,)
    for x, *_ in blocks(X):
        known = ~np.isnan(x)
        counts += known.sum(axis=0)
        total += np.where(known, x, 0).sum(axis=0, dtype=np.float64)
    if not counts.all():
        raise ValueError(
            f"column {counts.argmin()} of X has no number at all: leave it out, or give it some"
        )
    return total / counts


def column_moments(rows):
    """The weighted mean and variance of what is known of each column: (D,) float64 both."""
    mean = _weighted_mean(rows, lambda x: x)
    return mean, _weighted_mean(rows, lambda x: np.square(x - mean, dtype=np.float64))


def _weighted_mean(rows, function):
    """The mean of ``function(x)`` over the rows, of each column: (D,) float64."""
    total = counts = 0.0
    for x, *more in blocks(rows):
        weight, values = element_weights(*more, x.shape), function(x)  # (n, D)
        if weight is not None:
            values = weight * values
        total = total + values.sum(axis=0, dtype=np.float64)
        counts = counts + (len(x) if weight is None else weight.sum(axis=0, dtype=np.float64))
    # a column without a known number, or of weight 0 only, counts as 0
    return total / np.maximum(counts, np.finfo(np.float64).tiny)


def row_weights(sample_weight, X):
    """The weights of the rows of `X` as an array (N,) of mean 1."""
    weight = _check_sample_weight(sample_weight, X, dtype=X.dtype, ensure_non_negative=True)
    total = weight.sum(dtype=np.float64)
    if not 0 < total < np.inf:
        raise ValueError(f"sample_weight must have a sum above 0, got {total:g}")
    return (weight * (len(weight) / total)).astype(X.dtype)
