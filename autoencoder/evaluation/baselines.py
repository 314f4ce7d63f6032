"""What simple methods reach, so that a loss can be read: a constant, the mean, PCA, Wiener.

Each is the best of its kind and has a closed form: PCA among linear autoencoders (Baldi & Hornik
1989), the Wiener filter among linear denoising ones, probabilistic PCA among linear variational
ones (Tipping & Bishop 1999, Lucas et al. 2019). Whoever trains a network should beat them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from numbers import Integral, Real
from typing import Any, NamedTuple

import numpy as np

from minigrad.backend import Array

from ..checks import SEVERAL, as_numbers, check_whole
from ..rows import blocks

ROWS = 256  # that are computed with at a time


class PrincipalComponents(NamedTuple):
    """A linear code and its reconstruction; with no directions at all, the mean image.

    `mean` is (D,), `directions` (k, D) orthonormal. See `principal_components`.
    """

    mean: np.ndarray
    directions: np.ndarray

    def transform(self, X: Any) -> Array:
        """The codes (M, k) float64 of rows (M, D)."""
        return _by_blocks(lambda x: (x - self.mean) @ self.directions.T, X)

    def reconstruct(self, X: Any) -> Array:
        """The nearest points (M, D) float64 that k directions can describe."""
        return _by_blocks(lambda z: self.mean + z @ self.directions, self.transform(X))


def principal_components(images: Any, count: int) -> PrincipalComponents:
    """The first `count` principal components of images (N, ...), or all when there are fewer.

    Parameters
    ----------
    images : array (N, ...)
    count : int

    Returns
    -------
    PrincipalComponents

    Examples
    --------
    >>> line = principal_components(np.array([[0.0, 0.0], [2.0, 2.0], [4.0, 4.0]]), 5)
    >>> len(line.directions), line.reconstruct(np.array([[3.0, 1.0]]))
    (1, array([[2., 2.]]))
    """
    check_whole("principal_components: count", count, 0)
    rows = _as_rows("principal_components", images)
    if rows.size == 0:
        raise ValueError("principal_components: there are no images to learn from")
    return PrincipalComponents(_mean(rows), principal_directions(rows)[:count])


def ladder(
    images: Any, components: Sequence[int] = (16, 64, 128, 256), *, test: Any = None
) -> dict[str, float]:
    """Compute the losses of simple methods, from the worst to the best: label -> loss per image.

    `images` is (N, ...), with any shape after N. The loss is the sum of squared differences over
    two, per image, as the networks' own. The methods learn from `images` and are scored on them,
    or on `test` (M, ...) when that is given. They are the best constant grey, the mean image, and
    PCA with each number of `components` that does not exceed the rank of the data.

    Parameters
    ----------
    images : array (N, ...)
    components : sequence of ints, default=(16, 64, 128, 256)
    test : array (M, ...), default=None

    Returns
    -------
    dict of floats

    Raises
    ------
    ValueError
        When there are no images, the shapes differ or a component is below one.

    Examples
    --------
    >>> corners = np.array([[0, 0], [0, 1], [4, 0], [4, 1]])
    >>> {label: round(loss, 6) for label, loss in ladder(corners, components=(1, 9)).items()}
    {'constant grey': 2.6875, 'mean image': 2.125, 'PCA 1': 0.125}
    """
    train = _as_rows("ladder", images)  # (N, D)
    test = train if test is None else _as_rows("ladder", test)  # (M, D)
    if train.size == 0 or test.size == 0 or train.shape[1] != test.shape[1]:
        raise ValueError(
            f"A ladder needs images of one size, but their pixels are {train.shape} "
            f"to learn from and {test.shape} to score (images, pixels)"
        )
    if not isinstance(components, SEVERAL) or getattr(components, "ndim", 1) != 1:
        raise ValueError(f"ladder: components must be a tuple of numbers, got {components!r}")
    if not all(isinstance(count, Integral) and count > 0 for count in components):
        raise ValueError(f"PCA components are whole numbers above zero, but got {components}")
    mean = _mean(train)  # (D,)
    directions = principal_directions(train)  # (rank, D)
    losses = {
        "constant grey": _half_squares(test, lambda x: mean.mean()),
        "mean image": _half_squares(test, lambda x: mean),
    }
    for count in sorted(components):
        if count <= len(directions):
            linear = PrincipalComponents(mean, directions[:count])
            losses[f"PCA {count}"] = _half_squares(test, linear.reconstruct)
    return losses


def principal_directions(images: Any) -> Array:
    """Compute the orthonormal directions of largest variance, largest first: (rank, D) float64.

    `images` is (N, ...); D is the number of pixels of one image. They are the right singular
    vectors of the centred data, without those of singular value zero.

    Parameters
    ----------
    images : array (N, ...)

    Returns
    -------
    array (rank, D)

    Examples
    --------
    >>> principal_directions(np.array([[0.0, 1.0], [0.0, 3.0]])).round(3) ** 2
    array([[0., 1.]])
    """
    rows = _as_rows("principal_directions", images)
    if rows.size == 0:
        raise ValueError("principal_directions: there are no images to learn from")
    return _principal(rows)[1]


def wiener(images: Any, std: float) -> Callable[[Any], Array]:
    """The linear filter that best removes white noise of deviation `std` from images: a function.

    With the mean mu and the covariance S (over N) of `images` (N, ...), the returned function maps
    noisy images x, (M, ...), to ``mu + S (S + std^2 I)^-1 (x - mu)``, float64 of the same shape: no
    linear map has a smaller expected squared error on `images` with such noise, and for Gaussian
    images nothing has. A linear denoising autoencoder can do as well and no better.

    Parameters
    ----------
    images : array (N, ...)
    std : float

    Returns
    -------
    a function of noisy images (M, ...)

    Raises
    ------
    ValueError
        When there are no images, std is not above zero, or sizes differ.

    Examples
    --------
    >>> denoise = wiener(np.array([[0.0, 1.0], [4.0, 1.0]]), std=2.0)  # variances 4 and 0
    >>> denoise(np.array([[5.0, 9.0]]))
    array([[3.5, 1. ]])
    """
    rows = _as_rows("wiener", images)  # (N, D)
    if rows.size == 0 or not isinstance(std, Real) or not std > 0:
        raise ValueError(
            f"wiener: images and a standard deviation above zero are needed, "
            f"got images (images, pixels) of {rows.shape} and std={std}"
        )
    std = float(std)
    mean = _mean(rows)  # (D,)
    variances, directions = _principal(rows)  # (rank,), (rank, D)
    gains = variances / (variances + std**2)  # S is diagonal in its principal directions

    def denoise(noisy):
        noisy = as_numbers("wiener", "the noisy images", noisy, None)
        if noisy[:1].size != mean.size:
            raise ValueError(
                f"wiener: the filter is for images of {mean.size} pixels, got {noisy.shape}"
            )

        def restored(x):
            codes = (x - mean) @ directions.T  # (n, rank)
            return mean + codes * gains @ directions

        return _by_blocks(restored, _as_rows("wiener", noisy)).reshape(noisy.shape)

    return denoise


def probabilistic_pca(images: Any, count: int, test: Any) -> Array:
    """The log-density of probabilistic PCA with `count` components, in nats: (M,) float64.

    A Gaussian whose covariance W W^T + s^2 I is the most likely one for `images` (N, ...), at the
    images `test` (M, ...): the left-out variance is spread evenly, s^2 = its sum / (D - count)
    (Tipping & Bishop 1999). No linear variational autoencoder of `count` units and shared variance
    has a higher evidence lower bound on `images`; the best one's equals it.

    Parameters
    ----------
    images : array (N, ...)
    count : int
    test : array (M, ...)

    Returns
    -------
    array (M,)

    Raises
    ------
    ValueError
        Unless some variance is left out.

    Examples
    --------
    >>> images = np.array([[2.0, 0.0], [-2.0, 0.0], [0.0, 1.0], [0.0, -1.0]])  # variances 2, 1/2
    >>> probabilistic_pca(images, 1, np.zeros((1, 2))).round(6)  # -log(2 pi) - log(2 / 2) / 2
    array([-1.837877])
    """
    rows, test = (_as_rows("probabilistic_pca", each) for each in (images, test))
    check_whole("probabilistic_pca: count", count, 0)
    count = int(count)
    if rows.size == 0 or test.size == 0 or rows.shape[1] != test.shape[1]:
        raise ValueError(
            f"probabilistic_pca: images of one size are needed, got {rows.shape} to learn from and "
            f"{test.shape} to score (images, pixels)"
        )
    variances, directions = _principal(rows)
    if count >= len(variances):
        raise ValueError(
            f"probabilistic_pca: {count} components leave out none of the {len(variances)} "
            f"directions in which the images vary: take fewer"
        )
    left = rows.shape[1] - count
    noise = variances[count:].sum() / left
    mean = _mean(rows)

    def distances(x):
        centred = x - mean  # (n, D)
        codes = centred @ directions[:count].T  # (n, k)
        rest = (centred**2).sum(axis=1) - (codes**2).sum(axis=1)  # from the subspace, squared
        return (codes**2 / variances[:count]).sum(axis=1) + rest / noise

    squares = _by_blocks(distances, test)
    log_determinant = np.log(variances[:count]).sum() + left * np.log(noise)
    return -(squares + log_determinant + rows.shape[1] * np.log(2 * np.pi)) / 2


def _principal(rows):
    """The variances (over N) and orthonormal principal directions of (N, D): (rank,), (rank, D)."""
    mean, centred = _mean(rows), np.empty((0, rows.shape[1]))
    if len(rows) > rows.shape[1]:  # R has the same values and directions, and is small
        for x, *_ in blocks(rows, max(ROWS, 2 * rows.shape[1])):
            centred = np.linalg.qr(np.concatenate([centred, x - mean]), mode="r")  # (D, D)
    else:
        centred = rows - mean
    _, values, directions = np.linalg.svd(centred, full_matrices=False)
    # Rounding leaves about this much in place of a zero, as in numpy.linalg.matrix_rank.
    largest = max(-float(rows.min()), float(rows.max()))
    dust = largest * np.sqrt(rows.size) * max(rows.shape) * np.finfo(np.float64).eps
    kept = values > dust
    return values[kept] ** 2 / len(rows), directions[kept]


def half_squares(differences: Any) -> float:
    """Compute half the sum of squares per image of (N, D) differences.

    Parameters
    ----------
    differences : array (N, D)

    Returns
    -------
    float
    """
    return float((differences**2).sum() / 2 / len(differences))


def _half_squares(rows, predict):
    """Half the squared distance of the `rows` (N, D) from what is predicted of them, per image."""
    squares = _by_blocks(lambda x: ((x - predict(x)) ** 2).sum(axis=1), rows)
    return float(squares.sum() / 2 / len(rows))


def _mean(rows):
    return rows.mean(axis=0, dtype=np.float64)


def _by_blocks(function, rows):
    """``function(x)`` of float64 blocks (n, D) of the `rows` (N, D), as one array."""
    results, start = None, 0
    for x, *_ in blocks(rows, ROWS):
        result = function(x.astype(np.float64, copy=False))
        if results is None:
            results = np.empty((len(rows), *result.shape[1:]))
        results[start : start + len(x)] = result
        start += len(x)
    return np.empty((0, rows.shape[1])) if results is None else results


def _as_rows(name, images):
    """Flatten (N, ...) images to (N, D) of floats; ValueError unless they are finite numbers."""
    images = as_numbers(name, "the images", images, None)
    finite = 0 if images.ndim < 2 else sum(np.isfinite(x).sum() for x, *_ in blocks(images, ROWS))
    if images.ndim < 2 or finite < images.size:
        raise ValueError(
            f"{name}: the images must be finite numbers (N, ...), got shape {images.shape}, "
            f"{finite} of {images.size} of them finite"
        )
    return images.reshape(len(images), -1) if images.size else images.reshape(0, 0)
