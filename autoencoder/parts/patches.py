"""A noise that hides whole patches of images: that of masked autoencoders."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from minigrad import Tensor, tensor
from minigrad.backend import Array, array_module
from minigrad.functional import check_rng

from ..checks import check_floats, check_number, check_whole


class PatchMasking(BaseEstimator):
    """Square patches hidden, the same number in every image: a masked autoencoder (K. He, 2022).

    Neighbouring pixels know each other, so single lost pixels are filled in without knowing what
    the image shows; whole patches are not.

    Parameters
    ----------
    patch : int, default=2
        The side of a patch in pixels, of which height and width are multiples.
    rate : float, default=0.75
        The part of the patches that is hidden, rounded to a whole number of them.
    image_shape : (H, W, C) or None, default=None
        Of the rows; None is for square images of one channel.
    scored : {"all", "hidden"}, default="all"
        What the network is scored on. "hidden" is the paper's: nothing is asked of what is seen, so
        that of an image without holes the reconstruction says nothing.
    fill : float, default=0.0
        What is put in the place of hidden pixels, in the network's units.

    Examples
    --------
    >>> x = np.arange(1.0, 17.0).reshape(1, 16)
    >>> noise = PatchMasking(patch=2, rate=0.5)
    >>> noise.corrupt(x, np.random.default_rng(3)).reshape(4, 4)
    array([[ 0.,  0.,  0.,  0.],
           [ 0.,  0.,  0.,  0.],
           [ 9., 10., 11., 12.],
           [13., 14., 15., 16.]])
    """

    def __init__(
        self,
        patch: int = 2,
        rate: float = 0.75,
        image_shape: tuple[int, int, int] | None = None,
        scored: str = "all",
        fill: float = 0.0,
    ) -> None:
        self.patch = patch
        self.rate = rate
        self.image_shape = image_shape
        self.scored = scored
        self.fill = fill

    def check(self) -> None:
        """Raise ValueError unless the parameters can be used."""
        check_whole("PatchMasking: patch", self.patch, 1)
        check_number("PatchMasking: rate", self.rate, "from 0 to 1", lambda v: 0 <= v <= 1)
        check_number("PatchMasking: fill", self.fill, "that is finite", math.isfinite)
        if not isinstance(self.scored, str) or self.scored not in ("all", "hidden"):
            raise ValueError(f"PatchMasking: scored must be 'all' or 'hidden', got {self.scored!r}")

    def corrupt(self, x: Any, rng: np.random.Generator) -> Array:
        """A copy of the images `x` (N, D) with holes, of its shape and dtype."""
        return array_module(x).where(self._hidden(x, rng), x.dtype.type(self.fill), x)

    def marked(self, x, rng):
        """What the training takes for `corrupt`: where only what is hidden is scored, that is NaN,
        until `found` has taken note of it."""
        if self.scored == "all":
            return self.corrupt(x, rng)
        return array_module(x).where(self._hidden(x, rng), x.dtype.type(np.nan), x)

    def found(self, x):
        """Rows (N, D) that were `marked`, as the network reads them, and 1 where they were marked,
        else 0: Tensors."""
        x = x.data if isinstance(x, Tensor) else x
        xp = array_module(x)
        hidden = xp.isnan(x)
        return tensor(xp.where(hidden, x.dtype.type(self.fill), x)), tensor(hidden.astype(x.dtype))

    def share_scored(self, n_features):
        """The part of the `n_features` that is scored."""
        if self.scored == "all":
            return 1.0
        patches, hidden, _ = self._counts(n_features)
        return hidden / patches

    def _counts(self, n_features):
        """How many patches an image has, how many of them are hidden, and its (H, W, C)."""
        self.check()
        shape, side = self.image_shape, math.isqrt(n_features)
        if shape is None and side * side != n_features:
            raise ValueError(
                f"PatchMasking: rows of {n_features} numbers are no square images of one channel: "
                "say PatchMasking(image_shape=(height, width, channels))"
            )
        shape = (side, side, 1) if shape is None else tuple(int(n) for n in shape)
        height, width = shape[:2]
        if len(shape) != 3 or math.prod(shape) != n_features:
            raise ValueError(
                f"PatchMasking: image_shape must be (height, width, channels) with a product of "
                f"the {n_features} features, got {self.image_shape!r}"
            )
        if height % self.patch or width % self.patch:
            raise ValueError(
                f"PatchMasking: images of {height} x {width} pixels are not made of patches of "
                f"{self.patch} x {self.patch}: choose a patch that divides both"
            )
        patches = height * width // self.patch**2
        return patches, round(float(self.rate) * patches), shape

    def _hidden(self, x, rng):
        """Which elements of `x` (N, D) are hidden."""
        check_rng("PatchMasking", rng, or_philox=True)
        check_floats("PatchMasking", "x", x)
        patches, count, (height, width, channels) = self._counts(x.shape[1])
        rank = _ranks(rng.random((len(x), patches), dtype=x.dtype))
        rows, columns, side = height // self.patch, width // self.patch, int(self.patch)
        hidden = (rank < count).reshape(-1, rows, 1, columns, 1, 1)
        shape = (len(x), rows, side, columns, side, channels)
        return array_module(x).broadcast_to(hidden, shape).reshape(x.shape)


def _ranks(u):
    """The rank of each number in its row: (N, n) -> whole numbers (N, n) from 0."""
    if isinstance(u, np.ndarray):
        return u.argsort(axis=1, kind="stable").argsort(axis=1)
    return _ranks_by_pairs(u)  # a sort is no part of a CUDA graph


def _ranks_by_pairs(u):
    place = array_module(u).arange(u.shape[1])
    earlier = place[None, :] < place[:, None]  # (n, n)
    a, b = u[:, :, None], u[:, None, :]
    return ((b < a) | ((b == a) & earlier)).sum(axis=2)
