"""What does a code know? Simple classifiers and neighbours on top of frozen codes.

The protocols are fixed, so that numbers of different codes can be compared: a probe standardises
with the training codes and fits scikit-learn's logistic regression of strength C = 1. It learns
little of its own, so its accuracy says how plainly the code carries the label (Alain & Bengio
2016). Trustworthiness needs no labels: Venna & Kaski 2001.
"""

from __future__ import annotations

from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
from sklearn import manifold
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ..checks import as_numbers, check_whole
from ..datasets.splits import as_labels, within_group


class Accuracy(NamedTuple):
    """The mean and the standard deviation (of a single draw, ddof = 1) of repeated accuracies."""

    mean: float
    std: float


def linear_probe(train_codes: Any, train_labels: Any, test_codes: Any, test_labels: Any) -> float:
    """The test accuracy of a logistic regression on codes: (N, k), (N,), (M, k), (M,) -> float.

    Parameters
    ----------
    train_codes : array (N, k)
    train_labels : array (N,)
    test_codes : array (M, k)
    test_labels : array (M,)

    Returns
    -------
    float

    Examples
    --------
    >>> codes, labels = np.array([[0.0], [1.0], [10.0], [11.0]]), np.array([0, 0, 1, 1])
    >>> linear_probe(codes, labels, np.array([[2.0], [9.0]]), np.array([0, 1]))
    1.0
    """
    train, test = _labelled("linear_probe", train_codes, train_labels, test_codes, test_labels)
    return float(_probe(train[0]).fit(*train).score(*test))


def knn_accuracy(
    train_codes: Any, train_labels: Any, test_codes: Any, test_labels: Any, *, n_neighbors: int = 5
) -> float:
    """The share of test codes whose nearest training codes vote for the right label: a float.

    Euclidean distance between the codes as they are: (N, k), (N,), (M, k), (M,).

    Parameters
    ----------
    train_codes : array (N, k)
    train_labels : array (N,)
    test_codes : array (M, k)
    test_labels : array (M,)
    n_neighbors : int, default=5

    Returns
    -------
    float

    Examples
    --------
    >>> codes, labels = np.array([[0.0], [1.0], [10.0], [11.0]]), np.array([0, 0, 1, 1])
    >>> knn_accuracy(codes, labels, np.array([[2.0]]), np.array([0]), n_neighbors=1)
    1.0
    """
    train, test = _labelled("knn_accuracy", train_codes, train_labels, test_codes, test_labels)
    check_whole("knn_accuracy: n_neighbors", n_neighbors, 1)
    if n_neighbors > len(train[0]):
        raise ValueError(
            f"knn_accuracy: {n_neighbors} neighbours cannot be had among {len(train[0])} codes"
        )
    return float(KNeighborsClassifier(n_neighbors).fit(*train).score(*test))


def few_shot_accuracy(
    codes: Any, labels: Any, per_class: int, rng: np.random.Generator, repeats: int = 10
) -> Accuracy:
    """The accuracy of a linear probe that sees `per_class` labels of each class: an `Accuracy`.

    Each of `repeats` (at least 2) times the labelled samples are drawn anew by the NumPy
    Generator `rng` and all others are the test. With people as classes it answers how many labelled
    photographs of each a code needs.

    Parameters
    ----------
    codes : array (N, k)
    labels : array (N,)
    per_class : int
    rng : numpy.random.Generator
    repeats : int, default=10

    Returns
    -------
    Accuracy
        The mean and the standard deviation of the accuracies.

    Raises
    ------
    ValueError
        When a class has none to spare.

    Examples
    --------
    >>> codes = np.concatenate([np.full((9, 1), 0.0), np.full((9, 1), 1.0)])
    >>> few_shot_accuracy(codes, np.repeat([0, 1], 9), 1, np.random.default_rng(0))
    Accuracy(mean=1.0, std=0.0)
    """
    if not isinstance(repeats, Integral) or repeats < 2:
        raise ValueError(f"few_shot_accuracy: a spread needs at least 2 repeats, got {repeats!r}")
    (codes, labels), _ = _labelled("few_shot_accuracy", codes, labels, codes, labels)
    accuracies = []
    for _ in range(repeats):
        test, train = within_group(labels, per_class, rng)  # the few are held out: they train
        probe = _probe(codes[train]).fit(codes[train], labels[train])
        accuracies.append(probe.score(codes[test], labels[test]))
    return Accuracy(float(np.mean(accuracies)), float(np.std(accuracies, ddof=1)))


def trustworthiness(X: Any, codes: Any, *, n_neighbors: int = 5) -> float:
    """How far neighbours in the code are neighbours in the data: (N, ...), (N, k) -> 0 to 1.

    Every one of the `n_neighbors` nearest codes that is not among as many nearest samples costs
    its rank beyond them; 1 means that none does. Time and memory grow with N squared.

    Parameters
    ----------
    X : array (N, ...)
    codes : array (N, k)
    n_neighbors : int, default=5

    Returns
    -------
    float

    Examples
    --------
    >>> X = 2.0 ** np.arange(20.0)[:, None]
    >>> trustworthiness(X, 3 * X)
    1.0
    """
    X, codes = (
        as_numbers("trustworthiness", name, values)
        for name, values in (("X", X), ("the codes", codes))
    )
    check_whole("trustworthiness: n_neighbors", n_neighbors, 1)
    for name, values in (("X", X), ("the codes", codes)):
        if values.ndim < 2 or values.size == 0 or not np.isfinite(values).all():
            raise ValueError(
                f"trustworthiness: {name} must be finite numbers (N, ...), got shape {values.shape}"
            )
    X, codes = X.reshape(len(X), -1), codes.reshape(len(codes), -1)
    if len(X) != len(codes) or n_neighbors >= len(X) / 2:
        raise ValueError(
            f"trustworthiness: as many codes as samples, and fewer neighbours than half of them, "
            f"are needed, got {len(X)} samples, {len(codes)} codes, {n_neighbors} neighbours"
        )
    return float(manifold.trustworthiness(X, codes, n_neighbors=n_neighbors))


def _probe(codes):
    """The classifier for training codes (N, k).

    Where k is above N the best weights lie in the span of the N rows, so the codes are rotated into
    it: the penalty, and so the solution, stays the same, and N columns are left of 4,096 pixels.
    """
    rotation = [PCA(svd_solver="full")] if codes.shape[1] > len(codes) else []
    return make_pipeline(StandardScaler(), *rotation, LogisticRegression(C=1.0, max_iter=5000))


def _labelled(name, train_codes, train_labels, test_codes, test_labels):
    """(codes, labels) of both sides as arrays (codes float64), or a sentence on what is wrong."""
    train, test = (
        (as_numbers(name, "the codes", codes), as_labels(name, labels))
        for codes, labels in ((train_codes, train_labels), (test_codes, test_labels))
    )
    for codes, labels in (train, test):
        if codes.ndim != 2 or len(codes) == 0 or labels.shape != codes.shape[:1]:
            raise ValueError(
                f"{name}: codes (samples, units) with one label each are needed, "
                f"got {codes.shape} and labels {labels.shape}"
            )
        if not np.isfinite(codes).all():
            raise ValueError(f"{name}: the codes hold NaN or infinity")
    if len(np.unique(train[1])) < 2:
        raise ValueError(f"{name}: at least two classes are needed to learn from, got one")
    return train, test
