"""What simple methods reach, so that a loss can be read: a constant, the mean, PCA, Wiener.

Each is the best of its kind and has a closed form: PCA among linear autoencoders (Baldi & Hornik
1989), the Wiener filter among linear denoising ones, probabilistic PCA among linear variational
ones (Tipping & Bishop 1999, Lucas et al. 2019). Whoever trains a network should beat them.
"""

from numbers import Integral, Real
from typing import NamedTuple

import numpy as np

from ..checks import SEVERAL, as_numbers, check_whole


class PrincipalComponents(NamedTuple):
    """A linear code and its reconstruction; with no directions at all, the mean image.

    `mean` is (D,), `directions` (k, D) orthonormal. See `principal_components`.
    """

    mean: np.ndarray
    directions: np.ndarray

    def transform(self, X):
        """The codes (M, k) float64 of rows (M, D)."""
        return (X - self.mean) @ self.directions.T

    def reconstruct(self, X):
        """The nearest points (M, D) float64 that k directions can describe."""
        return self.mean + self.transform(X) @ self.directions


def principal_components(images, count):
    """The first `count` principal components of images (N, ...), or all when there are fewer.

    >>> line = principal_components(np.array([[0.0, 0.0], [2.0, 2.0], [4.0, 4.0]]), 5)
    >>> len(line.directions), line.reconstruct(np.array([[3.0, 1.0]]))
    (1, array([[2., 2.]]))
    """
    check_whole("principal_components: count", count, 0)
    rows = _as_rows("principal_components", images)
    if rows.size == 0:
        raise ValueError("principal_components: there are no images to learn from")
    return PrincipalComponents(rows.mean(axis=0), principal_directions(rows)[:count])


def ladder(images, components=(16, 64, 128, 256), *, test=None):
    """Compute the losses of simple methods, from the worst to the best: label -> loss per image.

    `images` is (N, ...), with any shape after N. The loss is the sum of squared differences over
    two, per image, as the networks' own. The methods learn from `images` and are scored on them,
    or on `test` (M, ...) when that is given. They are the best constant grey, the mean image, and
    PCA with each number of `components` that does not exceed the rank of the data.
    Raises ValueError when there are no images, the shapes differ or a component is below one.

    >>> corners = np.array([[0, 0], [0, 1], [4, 0], [4, 1]])
    >>> {label: round(loss, 6) for label, loss in ladder(corners, components=(1, 9)).items()}
    {'constant grey': 2.6875, 'mean image': 2.125, 'PCA 1': 0.125}
    """
    train = _as_rows("ladder", images)  # (N, D) float64
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
    mean = train.mean(axis=0)  # (D,)
    directions = principal_directions(train)  # (rank, D)
    losses = {
        "constant grey": half_squares(test - train.mean()),
        "mean image": half_squares(test - mean),
    }
    for count in sorted(components):
        if count <= len(directions):
            rebuilt = PrincipalComponents(mean, directions[:count]).reconstruct(test)  # (M, D)
            losses[f"PCA {count}"] = half_squares(test - rebuilt)
    return losses


def principal_directions(images):
    """Compute the orthonormal directions of largest variance, largest first: (rank, D) float64.

    `images` is (N, ...); D is the number of pixels of one image. They are the right singular
    vectors of the centred data, without those of singular value zero.

    >>> principal_directions(np.array([[0.0, 1.0], [0.0, 3.0]])).round(3) ** 2
    array([[0., 1.]])
    """
    rows = _as_rows("principal_directions", images)
    if rows.size == 0:
        raise ValueError("principal_directions: there are no images to learn from")
    return _principal(rows)[1]


def wiener(images, std):
    """The linear filter that best removes white noise of deviation `std` from images: a function.

    With the mean mu and the covariance S (over N) of `images` (N, ...), the returned function maps
    noisy images x, (M, ...), to ``mu + S (S + std^2 I)^-1 (x - mu)``, float64 of the same shape: no
    linear map has a smaller expected squared error on `images` with such noise, and for Gaussian
    images nothing has. A linear denoising autoencoder can do as well and no better.
    Raises ValueError when there are no images, std is not above zero, or sizes differ.

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
    mean = rows.mean(axis=0)  # (D,)
    variances, directions = _principal(rows)  # (rank,), (rank, D)
    gains = variances / (variances + std**2)  # S is diagonal in its principal directions

    def denoise(noisy):
        noisy = as_numbers("wiener", "the noisy images", noisy)
        if noisy[:1].size != mean.size:
            raise ValueError(
                f"wiener: the filter is for images of {mean.size} pixels, got {noisy.shape}"
            )
        codes = (_as_rows("wiener", noisy) - mean) @ directions.T  # (M, rank)
        return (mean + codes * gains @ directions).reshape(noisy.shape)

    return denoise


def probabilistic_pca(images, count, test):
    """The log-density of probabilistic PCA with `count` components, in nats: (M,) float64.

    A Gaussian whose covariance W W^T + s^2 I is the most likely one for `images` (N, ...), at the
    images `test` (M, ...): the left-out variance is spread evenly, s^2 = its sum / (D - count)
    (Tipping & Bishop 1999). No linear variational autoencoder of `count` units and shared variance
    has a higher evidence lower bound on `images`; the best one's equals it.
    Raises ValueError unless some variance is left out.

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
    centred = test - rows.mean(axis=0)  # (M, D)
    codes = centred @ directions[:count].T  # (M, k)
    rest = (centred**2).sum(axis=1) - (codes**2).sum(axis=1)  # squared distance from the subspace
    squares = (codes**2 / variances[:count]).sum(axis=1) + rest / noise
    log_determinant = np.log(variances[:count]).sum() + left * np.log(noise)
    return -(squares + log_determinant + rows.shape[1] * np.log(2 * np.pi)) / 2


def _principal(rows):
    """The variances (over N) and orthonormal principal directions of (N, D): (rank,), (rank, D)."""
    centred = rows - rows.mean(axis=0)
    if len(rows) > rows.shape[1]:  # R has the same values and directions, and is small
        centred = np.linalg.qr(centred, mode="r")  # (D, D)
    _, values, directions = np.linalg.svd(centred, full_matrices=False)
    # Rounding leaves about this much in place of a zero, as in numpy.linalg.matrix_rank.
    dust = np.abs(rows).max() * np.sqrt(rows.size) * max(rows.shape) * np.finfo(np.float64).eps
    kept = values > dust
    return values[kept] ** 2 / len(rows), directions[kept]


def half_squares(differences):
    """Compute half the sum of squares per image of (N, D) differences."""
    return float((differences**2).sum() / 2 / len(differences))


def _as_rows(name, images):
    """Flatten (N, ...) images to (N, D) float64; ValueError unless they are finite numbers."""
    images = as_numbers(name, "the images", images)
    if images.ndim < 2 or not np.isfinite(images).all():
        raise ValueError(
            f"{name}: the images must be finite numbers (N, ...), got shape {images.shape}, "
            f"{np.isfinite(images).sum()} of {images.size} of them finite"
        )
    return images.reshape(len(images), -1) if images.size else images.reshape(0, 0)
