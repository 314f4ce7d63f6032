"""What the experiments share: their data; and what they write with, which is in ``writing.py``.

Faces are the Olivetti photographs at every second pixel, 32x32, split so that the people of the
test are new; digits are scikit-learn's 8x8. In fast mode both are small, and the faces are drawn
by this program, so that nothing is downloaded.
"""

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import mnist
import numpy as np
from sklearn.base import BaseEstimator
from writing import shown, spread, table

from autoencoder import datasets
from autoencoder.datasets import by_group

__all__ = ["Job", "Moved", "Pictures", "Sides", "augmented", "shown", "spread", "table"]
FOLDER = Path(__file__).parents[2] / "docs" / "uses"


class Pictures(NamedTuple):
    """Flat pictures with one label each: a person, or a digit."""

    name: str
    X: np.ndarray  # (N, H * W) float32 in [0, 1]
    labels: np.ndarray  # (N,)
    shape: tuple  # (H, W, 1)

    def part(self, indices):
        """Those of the given indices."""
        return self._replace(X=self.X[indices], labels=self.labels[indices])

    def split(self, seed, test_fraction=0.2):
        """Two parts with different people: the ones to learn from, and the test."""
        rng = np.random.default_rng(seed)
        return [
            self.part(side) for side in by_group(self.labels, test_fraction=test_fraction, rng=rng)
        ]


class Sides(NamedTuple):
    """Pictures to learn from, and others to test with."""

    name: str
    sides: tuple


class Job(NamedTuple):
    """How to run an experiment: quickly or well, and where its figures go."""

    fast: bool
    folder: Path
    digits_file: str | None = None  # other digits, for trials
    mnist_file: str | None = None  # digits to learn from where MNIST cannot be downloaded

    def epochs(self, count):
        """As many, or very few in fast mode."""
        return 3 if self.fast else count

    def seeds(self, count=3):
        """The seeds of repeated runs; error bars need two at least."""
        return range(2 if self.fast else count)

    def faces(self):
        """400 faces of 40 people, 32x32; in fast mode 75 of 15, 16x16."""
        if self.fast:
            return _flat(datasets.make_faces(people=15, variations=5, size=16))
        faces = datasets.load("olivetti")
        return _flat(replace(faces, images=faces.images[:, ::2, ::2]))

    def digits(self):
        """Digits in an order of their own, that is the same each time."""
        digits = datasets.load(self.digits_file or "digits")
        order = np.random.default_rng(0).permutation(len(digits.images))
        return _flat(digits).part(order[:400] if self.fast else order)

    def mnist(self):
        """MNIST's two sides, see ``benchmarks/mnist.py``; in fast mode scikit-learn's digits."""
        if self.fast:
            digits = self.digits()
            return Sides(digits.name, (digits.part(slice(300)), digits.part(slice(300, 400))))
        found = mnist.load(self.mnist_file)
        sides = [(found.train, found.train_labels), (found.test, found.test_labels)]
        return Sides(found.name, [Pictures(found.name, *s, (28, 28, 1)) for s in sides])


def _flat(data):
    images = np.ascontiguousarray(data.images)
    return Pictures(data.name, images.reshape(len(images), -1), data.labels, images.shape[1:])


def augmented(pictures, rng, copies, reach=0):
    """`copies` of all pictures, each mirrored or not and moved by up to `reach` pixels: rows.

    A face remains a face; the baselines that get these too are named so.
    """
    height, width, _ = pictures.shape
    images = pictures.X.reshape(-1, height, width)
    padded = np.pad(images, ((0, 0), (reach, reach), (reach, reach)), mode="edge")
    rows = []
    for _ in range(copies):
        down, across = rng.integers(0, 2 * reach + 1, (2, len(images)))
        for image, y, x, turn in zip(
            padded, down, across, rng.random(len(images)) < 0.5, strict=True
        ):
            moved = image[y : y + height, x : x + width]
            rows.append((moved[:, ::-1] if turn else moved).ravel())
    return np.stack(rows)


class Moved(BaseEstimator):
    """A noise of one's own: the picture moved by up to `reach` pixels, and with holes.

    The network is scored on the picture where it was, so its code has to be that of the thing and
    not of its place. A part of the pixels, `kept`, survives the holes.
    """

    def __init__(self, shape, reach=2, kept=0.75):
        self.shape = shape
        self.reach = reach
        self.kept = kept

    def corrupt(self, x, rng):
        """Rows (N, H * W) of moved pictures with holes."""
        height, width, _ = self.shape
        reach, edge = self.reach, [(self.reach, self.reach)] * 2
        padded = np.pad(x.reshape(-1, height, width), [(0, 0), *edge], mode="edge")
        places = np.lib.stride_tricks.sliding_window_view(padded, (height, width), axis=(1, 2))
        down, across = rng.integers(0, 2 * reach + 1, (2, len(x)))
        moved = places[np.arange(len(x)), down, across].reshape(x.shape)
        return moved * (rng.random(x.shape, dtype=np.float32) < self.kept)
