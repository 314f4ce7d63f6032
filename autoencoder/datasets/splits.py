"""Training and test sets that ask an honest question: new pictures of known people, or new people?

Photographs of one person are near copies. Split at random, a model is tested on people it has
learnt by heart; `by_group` keeps whole people (patients, writers, scenes) on one side, and
`within_group` holds out pictures of everybody, where that is the question asked.
Both return two arrays of indices, in rising order: ``X[train], X[test]``.
"""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np

from minigrad.backend import Array

from ..checks import check_number


def by_group(
    labels: Any,
    *,
    test_fraction: float | None = None,
    test_groups: Any = None,
    rng: np.random.Generator | None = None,
) -> tuple[Array, Array]:
    """Split so that no group is on both sides: labels (N,) -> (train indices, test indices).

    Either `test_groups`, the labels that are held out, or `test_fraction`, the share of the groups
    (rounded, at least one and not all) that the NumPy Generator `rng` draws.

    Parameters
    ----------
    labels : array (N,)
    test_fraction : float in (0, 1), default=None
    test_groups : sequence of labels, default=None
    rng : numpy.random.Generator, default=None

    Returns
    -------
    train, test : arrays of integers

    Raises
    ------
    ValueError
        For an unknown group, and when a side would be empty.

    Examples
    --------
    >>> by_group([7, 8, 7, 9], test_groups=[7])
    (array([1, 3]), array([0, 2]))
    >>> labels = np.repeat(np.arange(40), 10)
    >>> train, test = by_group(labels, test_fraction=0.2, rng=np.random.default_rng(0))
    >>> len(train), len(test), set(labels[train]) & set(labels[test])
    (320, 80, set())
    """
    labels = as_labels("by_group", labels)
    groups = np.unique(labels)
    if (test_fraction is None) == (test_groups is None):
        raise ValueError("by_group: give either test_fraction or test_groups")
    if len(groups) < 2:
        raise ValueError("by_group: there is only one group, so one side would be empty")
    if test_groups is None:
        _generator("by_group", rng)
        inside = "between 0 and 1"
        check_number("by_group: test_fraction", test_fraction, inside, lambda v: 0 < v < 1)
        count = min(max(round(test_fraction * len(groups)), 1), len(groups) - 1)
        test_groups = rng.choice(groups, count, replace=False)
    chosen = np.unique(_array("by_group", test_groups))
    unknown = np.setdiff1d(chosen, groups)
    if len(unknown):
        raise ValueError(f"by_group: there are no samples of the groups {unknown.tolist()}")
    if not 0 < len(chosen) < len(groups):
        raise ValueError(
            f"by_group: {len(chosen)} of {len(groups)} groups for the test leave one side empty"
        )
    return _sides(np.isin(labels, chosen))


def within_group(labels: Any, k: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Hold out `k` samples of every group: labels (N,) -> (train indices, test indices).

    The NumPy Generator `rng` draws them.

    Parameters
    ----------
    labels : array (N,)
    k : int
    rng : numpy.random.Generator

    Returns
    -------
    train, test : arrays of integers

    Raises
    ------
    ValueError
        When a group has no more than `k`.

    Examples
    --------
    >>> train, test = within_group(np.repeat([0, 1], 5), 2, np.random.default_rng(0))
    >>> len(train), np.bincount(test // 5)
    (6, array([2, 2]))
    """
    labels = as_labels("within_group", labels)
    _generator("within_group", rng)
    groups, counts = np.unique(labels, return_counts=True)
    if not isinstance(k, Integral) or isinstance(k, bool) or not 1 <= k < counts.min():
        raise ValueError(
            f"within_group: {k} of each group cannot be held out, because group "
            f"{groups[counts.argmin()]} has {counts.min()} samples and one at least must stay"
        )
    held_out = np.zeros(len(labels), bool)
    for group in groups:
        held_out[rng.choice(np.flatnonzero(labels == group), k, replace=False)] = True
    return _sides(held_out)


def _sides(in_test):
    return np.flatnonzero(~in_test), np.flatnonzero(in_test)


def as_labels(name, labels):
    """Return the labels (N,) as an array of things that can be told apart and put in order."""
    labels = _array(name, labels)
    if labels.ndim != 1 or labels.size == 0:
        raise ValueError(f"{name}: one label for each sample is needed, got {labels.shape}")
    return labels


def _array(name, labels):
    try:
        labels = np.asarray(labels)
        np.unique(labels)
    except (TypeError, ValueError):
        raise ValueError(
            f"{name}: labels must be one list of numbers or one of strings, got {labels!r:.200}"
        ) from None
    return labels


def _generator(name, rng):
    if not isinstance(rng, np.random.Generator):
        raise ValueError(
            f"{name}: rng must be a numpy.random.Generator such as "
            f"numpy.random.default_rng(0), got {rng!r}"
        )
