"""What simple methods reach, so that a loss can be read: a constant, the mean, PCA."""

import numpy as np


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
    train = _as_rows(images)  # (N, D) float64
    test = train if test is None else _as_rows(test)  # (M, D)
    if train.size == 0 or test.size == 0 or train.shape[1] != test.shape[1]:
        raise ValueError(
            f"A ladder needs images of one size, but their pixels are {train.shape} "
            f"to learn from and {test.shape} to score (images, pixels)."
        )
    if min(components, default=1) < 1:
        raise ValueError(f"PCA components are whole numbers above zero, but got {components}.")
    mean = train.mean(axis=0)  # (D,)
    directions = principal_directions(train)  # (rank, D)
    losses = {
        "constant grey": half_squares(test - train.mean()),
        "mean image": half_squares(test - mean),
    }
    for count in sorted(components):
        if count <= len(directions):
            kept = directions[:count]  # (count, D)
            rebuilt = mean + (test - mean) @ kept.T @ kept  # (M, D)
            losses[f"PCA {count}"] = half_squares(test - rebuilt)
    return losses


def principal_directions(images):
    """Compute the orthonormal directions of largest variance, largest first: (rank, D) float64.

    `images` is (N, ...); D is the number of pixels of one image. They are the right singular
    vectors of the centred data, without those of singular value zero.

    >>> principal_directions(np.array([[0.0, 1.0], [0.0, 3.0]])).round(3) ** 2
    array([[0., 1.]])
    """
    rows = _as_rows(images)  # (N, D)
    centred = rows - rows.mean(axis=0)
    _, values, directions = np.linalg.svd(centred, full_matrices=False)
    # Rounding leaves about this much in place of a zero, as in numpy.linalg.matrix_rank.
    dust = np.abs(rows).max() * np.sqrt(rows.size) * max(rows.shape) * np.finfo(np.float64).eps
    return directions[values > dust]


def half_squares(differences):
    """Compute half the sum of squares per image of (N, D) differences."""
    return float((differences**2).sum() / 2 / len(differences))


def _as_rows(images):
    """Flatten (N, ...) images to (N, D) float64."""
    images = np.asarray(images, np.float64)
    return images.reshape(len(images), -1) if images.size else images.reshape(0, 0)
