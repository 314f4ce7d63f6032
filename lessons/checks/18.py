"""Checks of lesson 18."""

from lessons import Check, Judge, Wrong

import numpy as np
from scipy.linalg import subspace_angles
from sklearn.decomposition import PCA


def rows_of(n, d, seed):
    """Rows around a point far from 0, with variances that differ."""
    rng = np.random.default_rng(seed)
    return 2 + rng.standard_normal(d) + rng.standard_normal((n, d)) * 0.7 ** np.arange(d)


# ---------------------------------------------------------------------- 18.1 pca
def pca_cases():
    return [(rows_of(9, 4, 1), 2), (rows_of(5, 7, 2), 3), (rows_of(8, 6, 3), 1)]


def plane(f, train, k):
    """(mean, shape of the directions, projection onto them), for which signs do not count."""
    answer = f(train, k)
    if not isinstance(answer, tuple | list) or [np.ndim(part) for part in answer] != [1, 2]:
        raise Wrong("return the mean, an array (D,), and the directions, an array (k, D)")
    mean, directions = map(np.asarray, answer)
    return mean, np.array(directions.shape), directions.T @ directions


def by_powers(train, k):
    """One direction after the other: multiply by the covariance until nothing turns any more."""
    mean = sum(train) / len(train)
    covariance = sum(np.outer(x - mean, x - mean) for x in train)
    projection = np.zeros_like(covariance)
    for _ in range(k):
        left = covariance - projection @ covariance
        v = np.linalg.matrix_power(left / np.trace(left), 400) @ np.ones(len(mean))
        v = v - projection @ v
        projection = projection + np.outer(v, v) / (v @ v)
    return mean, np.array([k, len(mean)]), projection


def by_sklearn(train, k):
    fitted = PCA(k).fit(train)
    directions = fitted.components_
    return fitted.mean_, np.array(directions.shape), directions.T @ directions


def library_pca(train, k):
    mean = train.mean(axis=0)
    return mean, np.linalg.svd(train - mean, full_matrices=False)[2][:k]


def not_centred(train, k):
    """The rows were not centred: the first direction then mostly points at the mean."""
    return train.mean(axis=0), np.linalg.svd(train, full_matrices=False)[2][:k]


def centred_rows(train, k):
    """You subtracted from each row its own mean: the mean is that of each column, over axis 0."""
    centred = train - train.mean(axis=1, keepdims=True)
    return train.mean(axis=0), np.linalg.svd(centred, full_matrices=False)[2][:k]


def smallest(train, k):
    """These are the directions of least variance: take those of the largest singular values."""
    mean, directions = library_pca(train, min(train.shape))
    return mean, directions[-k:]


def left_vectors(train, k):
    """You took U, which describes the pictures: the directions among the pixels are rows of Vt."""
    mean = train.mean(axis=0)
    return mean, np.linalg.svd(train - mean, full_matrices=False)[0].T[:k]


def as_columns(train, k):
    """The directions stand in the columns: give them as rows, shape (k, D)."""
    mean, directions = library_pca(train, k)
    return mean, directions.T


def scaled(train, k):
    """The directions are multiplied by the singular values: they should have length 1."""
    mean = train.mean(axis=0)
    _, values, vt = np.linalg.svd(train - mean, full_matrices=False)
    return mean, values[:k, None] * vt[:k]


pca = Check(
    library=library_pca,
    source="autoencoder/evaluation/baselines.py::principal_components",
    returns=("array", "array"),
    cases=pca_cases,
    observe=plane,
    judges=[
        Judge("mean, shape and plane by powers of the covariance", by_powers, 1e-8),
        Judge("sklearn", by_sklearn, 1e-9),
    ],
    mistakes=[not_centred, centred_rows, smallest, left_vectors, as_columns, scaled],
)


# ---------------------------------------------------------------------- 18.2 error_left
def error_cases():
    return [(rows_of(9, 4, 1), 2), (rows_of(5, 7, 2), 3), (rows_of(8, 6, 3), 0)]


def by_rebuilding(train, k):
    mean, directions = library_pca(train, k)
    total = 0.0
    for x in train - mean:
        total += ((x - sum((x @ v) * v for v in directions)) ** 2).sum()
    return total / 2 / len(train)


def by_variances(train, k):
    """sklearn's variances are over N - 1."""
    return PCA().fit(train).explained_variance_[k:].sum() * (1 - 1 / len(train)) / 2


def library_error(train, k, centred=True, power=2, per=2):
    rows = train - train.mean(axis=0) if centred else train
    return (np.linalg.svd(rows, compute_uv=False)[k:] ** power).sum() / per / len(train)


def whole_squares(train, k):
    """This is twice the loss: the sum of squares is divided by 2."""
    return library_error(train, k, per=1)


def not_squared(train, k):
    """You added the singular values themselves: variances are their squares."""
    return library_error(train, k, power=1)


def what_is_kept(train, k):
    """You added the first k: that is what the directions describe, the error is what they leave."""
    return library_error(train, 0) - library_error(train, k)


def per_pixel(train, k):
    """You took the mean over the columns too: the loss of a row is a sum over them."""
    return library_error(train, k) / train.shape[1]


def raw_rows(train, k):
    """The rows were not centred: the mean costs nothing, it is part of the reconstruction."""
    return library_error(train, k, centred=False)


def not_per_row(train, k):
    """This is the loss of all rows together: divide by their number N."""
    return library_error(train, k) * len(train)


error_left = Check(
    library=library_error,
    source="autoencoder/evaluation/baselines.py::ladder",
    returns="number",
    cases=error_cases,
    judges=[
        Judge("row by row", by_rebuilding, 1e-11),
        Judge("sklearn's variances", by_variances, 1e-11),
    ],
    mistakes=[whole_squares, not_squared, what_is_kept, per_pixel, raw_rows, not_per_row],
)


# ---------------------------------------------------------------------- 18.3 largest_angle
def angle_cases():
    rng = np.random.default_rng(12)
    pairs = [tuple(rng.standard_normal((2, k, d))) for k, d in ((1, 3), (2, 5), (3, 7))]
    mixed = rng.standard_normal((2, 2)) @ pairs[1][0]  # another basis of the same plane
    near = (pairs[1][0], mixed + 1e-3 * pairs[1][1])
    bases = rng.standard_normal((100, 4, 9))
    equal = [(a, rng.standard_normal((4, 4)) @ a) for a in bases]
    return [*pairs, near, *equal]  # of the equal ones some have a cosine of 1 + 1e-16


def by_projection(a, b):
    """The sine: how much of a unit vector of one span can be left outside the other."""
    onto_a, onto_b = np.linalg.pinv(a) @ a, np.linalg.pinv(b) @ b  # (D, D)
    outside = onto_a - onto_b @ onto_a
    return np.arcsin(min(1.0, np.linalg.norm(outside, 2)))


def by_scipy(a, b):
    return subspace_angles(a.T, b.T).max()


def if_large(angle):
    """Near 0 an arccos has half the digits; elsewhere all of them can be asked for."""
    return float(angle) if angle > 0.1 else 0.0


def library_angle(a, b, pick=np.min):
    p, q = np.linalg.qr(a.T)[0], np.linalg.qr(b.T)[0]
    return np.arccos(np.clip(pick(np.linalg.svd(p.T @ q, compute_uv=False)), 0, 1))


def not_clipped(a, b):
    """The spans are equal, and rounding made a cosine 1.0000000000000002, whose arccos is nan:
    limit the cosines to 1 before."""
    p, q = np.linalg.qr(a.T)[0], np.linalg.qr(b.T)[0]
    return np.arccos(np.linalg.svd(p.T @ q, compute_uv=False).min())


def smallest_angle(a, b):
    """This is the smallest angle: the largest belongs to the smallest cosine."""
    return library_angle(a, b, pick=np.max)


def cosine_itself(a, b):
    """You returned the cosine: take its arccos."""
    return np.cos(library_angle(a, b))


def in_degrees(a, b):
    """The angle is in degrees: radians were asked for."""
    return np.degrees(library_angle(a, b))


def unit_rows(a, b):
    """You made the rows unit vectors, but not perpendicular to one another: qr does both."""
    a, b = (m / np.linalg.norm(m, axis=1, keepdims=True) for m in (a, b))
    return np.arccos(np.clip(np.linalg.svd(a @ b.T, compute_uv=False).min(), 0, 1))


def row_by_row(a, b):
    """You compared the rows one by one: other bases of the same span have other rows."""
    cosines = (a * b).sum(axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    return np.arccos(np.clip(np.abs(cosines).min(), 0, 1))


def of_the_rows(a, b):
    """The qr was of a and b themselves: it makes columns orthonormal, so transpose first."""
    p, q = np.linalg.qr(a)[0], np.linalg.qr(b)[0]
    return np.arccos(np.clip(np.linalg.svd(p.T @ q, compute_uv=False).min(), 0, 1))


largest_angle = Check(
    library=library_angle,
    source="autoencoder/evaluation/baselines.py::principal_directions",
    returns="number",
    cases=angle_cases,
    judges=[
        Judge("what a projection leaves", by_projection, 1e-7),
        Judge("scipy", by_scipy, 1e-7),
        Judge(
            "scipy, where angles are large",
            lambda a, b: if_large(by_scipy(a, b)),
            1e-11,
            lambda angle, a, b: if_large(angle),
        ),
    ],
    mistakes=[
        not_clipped,
        smallest_angle,
        cosine_itself,
        in_degrees,
        unit_rows,
        row_by_row,
        of_the_rows,
    ],
)
