"""Checks of lesson 19."""

from lessons import Check, Judge

import numpy as np
from scipy.optimize import minimize_scalar


# ---------------------------------------------------------------------- 19.1 corrupt
def image_cases():
    rng = np.random.default_rng(13)
    return [(rng.random(shape), std, 5) for shape, std in (((3, 4), 0.2), ((2, 3, 3, 1), 0.5))]


def two_draws(f, x, std, seed):
    """(a noisy copy, another one, what became of x itself)."""
    rng = np.random.default_rng(seed)
    first = np.array(f(x, std, rng))
    return first, f(x, std, rng), x


def pixel_by_pixel(x, std, seed):
    rng, copies = np.random.default_rng(seed), []
    for _ in range(2):
        noise = rng.standard_normal(x.shape).ravel()
        values = [min(1.0, max(0.0, p + std * n)) for p, n in zip(x.ravel(), noise, strict=True)]
        copies.append(np.reshape(values, x.shape))
    return *copies, x


def library_corrupt(x, std, rng):
    return np.clip(x + std * rng.standard_normal(x.shape), 0, 1)


def not_limited(x, std, rng):
    """Some pixels are below 0 or above 1: limit the result with np.clip."""
    return x + std * rng.standard_normal(x.shape)


def one_number(x, std, rng):
    """All pixels got the same number: every one has noise of its own, so draw x.shape of them."""
    return np.clip(x + std * rng.standard_normal(), 0, 1)


def variance(x, std, rng):
    """You multiplied by std squared: that is the variance, noise is multiplied by std itself."""
    return np.clip(x + std**2 * rng.standard_normal(x.shape), 0, 1)


def one_for_all(x, std, rng):
    """All images have the same noise: draw x.shape numbers, not those of one image."""
    return np.clip(x + std * rng.standard_normal(x.shape[1:]), 0, 1)


def always_the_same(x, std, rng):
    """The noise is the same at every call: draw from the rng that is given, not from a new one."""
    return library_corrupt(x, std, np.random.default_rng(5))


def in_place(x, std, rng):
    """You changed x itself, and with it the clean image that the network is scored on: copy it."""
    x += std * rng.standard_normal(x.shape)
    return np.clip(x, 0, 1, out=x)


corrupt = Check(
    library=library_corrupt,
    source="autoencoder/parts/noise.py::GaussianNoise",
    returns="array",
    cases=image_cases,
    observe=two_draws,
    judges=[Judge("two copies and then x, pixel by pixel", pixel_by_pixel, 1e-12)],
    mistakes=[not_limited, one_number, variance, one_for_all, always_the_same, in_place],
)


# ---------------------------------------------------------------------- 19.2 gains
def gain_cases():
    rng = np.random.default_rng(13)
    return [(np.sort(rng.exponential(size=k))[::-1], std) for k, std in ((3, 0.2), (5, 1.3))]


def by_search(variances, std):
    """Try shares until none is better."""
    return np.array(
        [
            minimize_scalar(
                lambda g, v=v: (1 - g) ** 2 * v + g**2 * std**2,
                bounds=(0, 1),
                method="bounded",
                options={"xatol": 1e-10},
            ).x
            for v in variances
        ]
    )


def by_matrices(variances, std):
    """The diagonal of S (S + std**2 I)**-1."""
    s = np.diag(variances)
    return np.diag(s @ np.linalg.inv(s + std**2 * np.eye(len(s))))


def library_gains(variances, std):
    return variances / (variances + std**2)


def std_not_squared(variances, std):
    """You added a variance and a standard deviation: square std."""
    return variances / (variances + std)


def share_of_noise(variances, std):
    """This is the share of the noise: keep much where the faces vary much."""
    return std**2 / (variances + std**2)


def of_deviations(variances, std):
    """You took the roots: it is the variances that add, and whose share counts."""
    return np.sqrt(variances) / (np.sqrt(variances) + std)


def all_or_nothing(variances, std):
    """You keep a direction or drop it: a share between 0 and 1 has a smaller error than both."""
    return (variances > std**2).astype(float)


def error_left(variances, std):
    """This is the error that the best share leaves: return the share itself."""
    return variances * std**2 / (variances + std**2)


def ratio(variances, std):
    """This is the ratio of faces to noise: a share is the faces' part of the sum of both."""
    return variances / std**2


gains = Check(
    library=library_gains,
    source="autoencoder/evaluation/baselines.py::wiener",
    returns="array",
    cases=gain_cases,
    judges=[
        Judge("a search for the least error", by_search, 1e-6),
        Judge("Wiener's matrix", by_matrices, 1e-12),
    ],
    mistakes=[std_not_squared, share_of_noise, of_deviations, all_or_nothing, error_left, ratio],
)


# ---------------------------------------------------------------------- 19.3 p_values
def error_cases():
    """Whole numbers, so that some are equal; in the last case all are beyond the calibration."""
    rng = np.random.default_rng(13)
    cases = [(rng.integers(0, 12, m) / 2, rng.integers(0, 12, n) / 2) for m, n in ((4, 9), (6, 3))]
    return [*cases, (np.array([9.5, -1.0]), rng.integers(0, 12, 4) / 2)]


def one_by_one(errors, calibration):
    found = []
    for error in errors:
        as_large = 1  # itself
        for other in calibration:
            as_large += other >= error
        found.append(as_large / (len(calibration) + 1))
    return np.array(found)


def by_sorting(errors, calibration):
    smaller = np.searchsorted(np.sort(calibration), errors, side="left")
    return 1 - smaller / (1 + len(calibration))


def library_p_values(errors, calibration):
    return (1 + (calibration >= errors[:, None]).sum(axis=1)) / (1 + len(calibration))


def without_itself(errors, calibration):
    """You did not count the new one among them: p would be 0 for a large error, a certainty that
    n faces cannot give."""
    return (calibration >= errors[:, None]).mean(axis=1)


def one_too_few(errors, calibration):
    """The new one is counted above but not below: there are n + 1 errors."""
    return (1 + (calibration >= errors[:, None]).sum(axis=1)) / len(calibration)


def other_side(errors, calibration):
    """You counted the smaller errors: p is small where few normal faces have so large an error."""
    return (1 + (calibration <= errors[:, None]).sum(axis=1)) / (1 + len(calibration))


def without_equals(errors, calibration):
    """Equal errors were left out: they are at least as large too."""
    return (1 + (calibration > errors[:, None]).sum(axis=1)) / (1 + len(calibration))


def among_themselves(errors, calibration):
    """You ranked the new errors among themselves: compare each with the calibration."""
    return (errors >= errors[:, None]).mean(axis=1)


p_values = Check(
    library=library_p_values,
    source="autoencoder/detector.py::AutoencoderAnomalyDetector.p_values",
    returns="array",
    cases=error_cases,
    judges=[
        Judge("counting one by one", one_by_one, 1e-12),
        Judge("sorting", by_sorting, 1e-12),
    ],
    mistakes=[without_itself, one_too_few, other_side, without_equals, among_themselves],
)
