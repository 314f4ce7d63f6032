"""Data in batches, of which only a few are in memory: what `fit` takes in place of an array.

A fit of batches is `partial_fit` of one after the other, `max_epochs` times: each is shuffled and
cut into steps by itself, so a batch should be as mixed as the whole. What depends on the data
before the first step (the units, the first biases, sizes that are "auto") is taken from the first
batch. What is wanted of the fitted network (spread of the codes, variance, diagnosis) is measured
on the last rows, and the first two on all of them where they can be read again.
"""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from .rows import numbers_per_row, stacked

ENOUGH = 1024  # rows that are kept, to look at
NO_BATCHES = (str, bytes, dict, set, frozenset, list, tuple, np.ndarray)


class Batches:
    """Batches of rows that `fit` reads one by one, as many times as there are epochs.

    Parameters
    ----------
    source : iterable, Dask array or data frame, or function
        Its items are batches: rows (n, D) of any kind that `fit` takes, or a tuple
        ``(rows, labels)`` or ``(rows, labels, sample_weight)``, whose labels and weights may be
        None; a batch of weight 0 is passed over. A list is such a tuple, too, as a DataLoader's,
        unless its first two arrays have one shape: then it is one of images. A function is called
        for every epoch, and returns an iterable.

    Notes
    -----
    `fit` takes most sources as they are: a DataLoader, a generator, a Dask array. `Batches` is
    for functions, and for lists of arrays, which could be lists of images as well.

    Examples
    --------
    >>> parts = [np.random.default_rng(seed).random((100, 8)) for seed in range(5)]
    >>> [rows.shape for rows, labels, weight in Batches(parts)][:2]
    [(100, 8), (100, 8)]
    >>> Batches(lambda: (part for part in parts)).is_read_again
    True
    >>> Batches(part for part in parts).is_read_again
    False
    """

    def __init__(self, source: Any) -> None:
        if not (callable(source) or _is_dask(source) or hasattr(source, "__iter__")):
            raise ValueError(
                "Batches: source must be an iterable of batches of rows, or a function that "
                f"returns one, got {type(source).__name__}"
            )
        if not _is_dask(source) and len(getattr(source, "shape", ())) == 2:
            raise ValueError(
                "Batches: source is a single array of rows, which fit takes as it is: give several"
            )
        self.source = source

    @property
    def is_read_again(self) -> bool:
        """Whether the batches can be read more than once, as those of an iterator cannot."""
        return callable(self.source) or not hasattr(self.source, "__next__")

    def __iter__(self) -> Iterator[tuple[Any, Any, Any]]:
        source = self.source
        if _is_dask(source):
            blocks = source.blocks if hasattr(source, "blocks") else source.partitions
            count = len(source.chunks[0]) if hasattr(source, "chunks") else source.npartitions
            source = (blocks[k].compute() for k in range(count))
        elif callable(source):
            source = source()
            if not hasattr(source, "__iter__"):
                raise ValueError(
                    "Batches: the function must return an iterable of batches of rows, got "
                    f"{type(source).__name__}"
                )
        return map(_three, source)


def as_batches(X):
    """`X` as `Batches`, or None where it is a single array of rows."""
    if isinstance(X, Batches):
        return X
    is_array = hasattr(X, "shape") or hasattr(X, "__array__") or isinstance(X, NO_BATCHES)
    return Batches(X) if _is_dask(X) or (hasattr(X, "__iter__") and not is_array) else None


class Stream:
    """The checked rows of `Batches`: every loop over it is a pass.

    `first` and `begin_with` come before all else, and set `check`, a function ``(X, y, weight) ->
    rows`` as a training reads them. `recent` are the last rows that were read, 1,024 or more where
    there are so many.
    """

    def __init__(self, batches):
        self.batches, self.check, self.n_labels = batches, None, 0
        self._begun, self._recent = None, []

    def first(self):
        """The number and the triple of the first batch that has rows; the next pass has it, too."""
        rest = enumerate(iter(self.batches), start=1)
        for k, batch in rest:
            if counts(batch):
                self._begun = itertools.chain([(k, batch)], rest)
                return k, batch
        raise ValueError("fit: X has no batches, or only empty ones or of weight 0: give some rows")

    def begin_with(self, rows, check, n_labels):
        """Take note of the checked rows of the first batch, with `n_labels` columns beside them."""
        self._recent, self.check, self.n_labels = [rows], check, n_labels

    def __iter__(self):
        begun, self._begun = self._begun, None
        self._rows = self._numbers = 0
        for k, batch in enumerate(iter(self.batches), start=1) if begun is None else begun:
            if counts(batch):
                with in_batch(k):
                    rows = self.check(*batch)
                if begun is not None and not self._rows:
                    self._recent = []  # it is the batch that was begun with
                self._keep(rows)
                yield rows

    def _keep(self, rows):
        self._rows += len(rows)
        self._numbers += len(rows) * numbers_per_row(rows, rows.shape[1] - self.n_labels)
        self._recent.append(rows)
        while sum(map(len, self._recent[1:])) >= ENOUGH:
            self._recent.pop(0)

    @property
    def recent(self):
        """The last rows that were read: an array or `Rows`."""
        return stacked(self._recent)

    @property
    def numbers_per_row(self):
        """How many numbers of a row are known on average, in the last pass."""
        return self._numbers / self._rows


class StreamPass:
    """A pass over a `Stream`: as a `HostEpoch`, but that it is called with a random generator.

    `begin` is called for every pass, and gives a function ``rows -> pass`` over one batch. `rate`
    is that of the first step.
    """

    def __init__(self, X, begin):
        self.X, self.begin, self.rate = X, begin, None

    def __call__(self, rng):
        sums, rows, code_sum, spread, make = {}, 0, 0.0, math.nan, self.begin()
        for k, batch in enumerate(self.X):
            one_pass = make(batch)
            more, count, (code_mean, spread) = one_pass(rng.permutation(len(batch)))
            self.rate = one_pass.rate if k == 0 else self.rate
            for name, value in more.items():
                sums[name] = sums.get(name, 0.0) + value
            rows, code_sum = rows + count, code_sum + count * code_mean
            if not math.isfinite(sums["loss"]):
                break
        if not rows:
            raise ValueError(
                "fit: X gave its batches once and then none: give a function that makes them anew, "
                "Batches(function), or ask for max_epochs=1"
            )
        return sums, rows, (code_sum / rows, spread)


@contextlib.contextmanager
def in_batch(k):
    """A block whose errors begin with the number of the batch that they are about."""
    try:
        yield
    except (ValueError, TypeError) as error:
        raise type(error)(f"batch {k} of X: {error}") from None


def counts(batch):
    """Whether any row of the batch ``(rows, labels, weights)`` counts: else it is passed over."""
    rows, _, weight = batch
    if weight is None or (np.ndim(weight) and len(weight) != _length(rows)):  # for which there is
        return _length(rows) > 0  # a sentence
    return _length(rows) > 0 and bool(np.any(weight))


# ---------------------------------------------------------------------- inside
def _is_dask(X):
    return hasattr(X, "__dask_graph__")


def _three(batch):
    """The rows of a batch, its labels and its weights, or None.

    A list of arrays of one shape is one of images, where a DataLoader's is of rows and labels.
    """
    several = isinstance(batch, list | tuple) and 1 <= len(batch) <= 3
    shapes = [getattr(given, "shape", None) for given in batch[:2]] if several else []
    images = isinstance(batch, list) and len(shapes) == 2 and shapes[0] == shapes[1]
    if shapes and not images and shapes[0] is not None and len(shapes[0]) > 1:
        X, y, weight = (*batch, None, None)[:3]
        return X, _plain(y), _plain(weight)
    return batch, None, None


def _plain(values):
    """Labels or weights of another library as an array."""
    return np.asarray(values) if hasattr(values, "__array__") else values


def _length(X):
    shape = getattr(X, "shape", None)
    return len(X) if shape is None and hasattr(X, "__len__") else shape[0] if shape else 1
