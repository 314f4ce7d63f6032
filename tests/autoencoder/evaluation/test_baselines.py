"""Every baseline is the best of its kind: closed forms, scikit-learn, no better neighbour."""

import os
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import multivariate_normal
from sklearn.decomposition import PCA

from autoencoder.datasets import load_digits, load_olivetti, make_faces
from autoencoder.evaluation import (
    half_squares,
    ladder,
    principal_components,
    principal_directions,
    probabilistic_pca,
    wiener,
)

HOME = Path(os.environ.get("SCIKIT_LEARN_DATA", "~/scikit_learn_data")).expanduser()
needs_olivetti = pytest.mark.skipif(
    not (HOME / "olivetti_py3.pkz").exists(), reason="the Olivetti faces are not on this machine"
)


@needs_olivetti
def test_the_olivetti_ladder_has_the_known_values():
    olivetti = load_olivetti()
    small = olivetti.images[:, ::2, ::2]  # (400, 32, 32, 1)
    assert ladder(small) == pytest.approx(
        {"constant grey": 15.192, "mean image": 9.860, "PCA 16": 2.636, "PCA 64": 0.978,
         "PCA 128": 0.418, "PCA 256": 0.0777}, rel=1e-3,
    )  # fmt: skip
    unseen = olivetti.labels >= 35
    held_out = ladder(small[~unseen], test=small[unseen])
    assert held_out["PCA 256"] == pytest.approx(1.176, rel=1e-3)


@pytest.mark.parametrize("held_out", [False, True])
def test_pca_agrees_with_scikit_learn(held_out):
    faces = make_faces(people=12, variations=5, size=16).images  # (60, 16, 16, 1)
    train, test = (faces[:40], faces[40:]) if held_out else (faces, faces)
    losses = ladder(train, components=(1, 5, 20), test=test if held_out else None)
    rows = test.reshape(len(test), -1).astype(np.float64)
    for count in (1, 5, 20):
        pca = PCA(count, svd_solver="full").fit(train.reshape(len(train), -1).astype(np.float64))
        rebuilt = pca.inverse_transform(pca.transform(rows))
        expected = ((rows - rebuilt) ** 2).sum() / 2 / len(rows)
        assert losses[f"PCA {count}"] == pytest.approx(expected, rel=1e-9)


def test_directions_are_those_of_scikit_learn_up_to_sign():
    digits = load_digits().images
    ours = principal_directions(digits)
    theirs = PCA(20, svd_solver="full").fit(digits.reshape(1797, -1).astype(np.float64))
    assert ours.dtype == np.float64
    np.testing.assert_allclose(ours @ ours.T, np.eye(len(ours)), atol=1e-12)
    cosines = np.abs((ours[:20] * theirs.components_).sum(axis=1))
    np.testing.assert_allclose(cosines, 1, atol=1e-9)


def test_no_constant_is_better_than_the_constant_grey():
    digits = load_digits().images.reshape(1797, -1).astype(np.float64)
    loss = ladder(digits, components=())["constant grey"]
    assert loss == pytest.approx(half_squares(digits - digits.mean()))
    for step in (-0.01, 0.01):
        assert half_squares(digits - digits.mean() - step) > loss


def test_the_ladder_descends_and_ends_at_nothing():
    rng = np.random.default_rng(0)
    losses = ladder(rng.random((9, 4, 4)), components=(8, 1, 4))
    assert list(losses) == ["constant grey", "mean image", "PCA 1", "PCA 4", "PCA 8"]
    assert sorted(losses.values(), reverse=True) == list(losses.values())
    assert losses["PCA 8"] == pytest.approx(0, abs=1e-25)  # nine images span eight directions


def test_components_beyond_the_rank_are_left_out():
    rng = np.random.default_rng(1)
    flat = rng.random((50, 3)) @ rng.random((3, 30)) + 5  # rank three about its mean
    assert principal_directions(flat).shape == (3, 30)
    assert list(ladder(flat, components=(3, 4, 64))) == ["constant grey", "mean image", "PCA 3"]
    # Three columns of the digits are always zero.
    assert "PCA 64" not in ladder(load_digits().images)
    # Equal images have no directions at all, although float32 means round.
    equal = np.full((7, 5, 5, 1), 0.1, np.float32)
    assert list(ladder(equal, components=(1,))) == ["constant grey", "mean image"]


def test_sums_are_in_double_precision():
    # In float32 the mean of this many ones and the small differences would be lost.
    images = np.full((4000, 100), 1.0, np.float32)
    images[::2] += np.float32(1e-4)
    difference = float(images[0, 0]) - 1.0
    assert ladder(images, ())["mean image"] == pytest.approx(100 * difference**2 / 8, rel=1e-9)


def test_impossible_ladders_are_refused():
    with pytest.raises(ValueError, match=r"are \(3, 4\) to learn from and \(3, 9\) to score"):
        ladder(np.ones((3, 2, 2)), test=np.ones((3, 3, 3)))
    with pytest.raises(ValueError, match="A ladder needs images"):
        ladder(np.ones((0, 2, 2)))
    with pytest.raises(ValueError, match="whole numbers above zero"):
        ladder(np.ones((3, 2, 2)), components=(4, -1))


# Closed forms


def test_principal_components_are_scikit_learns():
    digits = load_digits().images.reshape(1797, -1).astype(np.float64)
    ours, theirs = principal_components(digits[:900], 8), PCA(8, svd_solver="full")
    theirs.fit(digits[:900])
    np.testing.assert_allclose(
        ours.reconstruct(digits[900:]),
        theirs.inverse_transform(theirs.transform(digits[900:])),
        atol=1e-10,
    )
    np.testing.assert_allclose(
        np.abs(ours.transform(digits)), np.abs(theirs.transform(digits)), atol=1e-9
    )
    assert principal_components(digits[:5], 99).directions.shape == (4, 64)


@pytest.mark.parametrize("shape", [(40, 6), (5, 8)])  # more images than pixels, and fewer
def test_wiener_is_its_formula(shape):
    rng = np.random.default_rng(0)
    X, noisy, std = rng.normal(2, 1, shape), rng.normal(2, 1, (7, shape[1])), 0.3
    mean = X.mean(axis=0)
    S = np.cov(X, rowvar=False, bias=True)
    gain = S @ np.linalg.inv(S + std**2 * np.eye(shape[1]))
    expected = mean + (noisy - mean) @ gain.T
    np.testing.assert_allclose(wiener(X, std)(noisy), expected, rtol=1e-10)


def test_no_linear_filter_is_better_than_wiener_on_its_images():
    # The expected error of x -> mu + A (x + noise - mu) is |(A - I) S^1/2|^2 + std^2 |A|^2.
    rng = np.random.default_rng(1)
    X, std = rng.normal(size=(50, 6)) @ rng.normal(size=(6, 6)), 0.8
    mean, S = X.mean(axis=0), np.cov(X, rowvar=False, bias=True)
    filtered = wiener(X, std)
    best = (filtered(np.eye(6) + mean) - mean).T

    def error(A):
        return np.trace((A - np.eye(6)) @ S @ (A - np.eye(6)).T) + std**2 * (A**2).sum()

    for _ in range(20):
        assert error(best + 1e-3 * rng.normal(size=(6, 6))) > error(best)
    assert error(best) < min(error(np.eye(6)), error(np.zeros((6, 6))))
    # and that is what it does to pictures with noise
    many = np.repeat(X, 2000, axis=0)
    noisy = many + rng.normal(0, std, many.shape)
    measured = ((filtered(noisy) - many) ** 2).sum(axis=1).mean()
    assert measured == pytest.approx(error(best), rel=0.01)


def test_wiener_keeps_shapes_and_refuses_others():
    images = make_faces(people=4, variations=3, size=8).images
    denoise = wiener(images, 0.1)
    assert denoise(images[:2]).shape == (2, 8, 8, 1)
    flat = images[:2].reshape(2, -1)
    np.testing.assert_array_equal(denoise(images[:2]).reshape(2, -1), denoise(flat))
    np.testing.assert_allclose(wiener(images, 1e-9)(images), images, atol=1e-6)
    with pytest.raises(ValueError, match=r"images of 64 pixels, got \(2, 9\)"):
        denoise(np.ones((2, 9)))
    with pytest.raises(ValueError, match=r"above zero are needed, .* std=0"):
        wiener(images, 0)
    with pytest.raises(ValueError, match=r"of \(0, 0\)"):
        wiener(images[:0], 1)


@pytest.mark.parametrize("shape", [(60, 7), (6, 9)])
@pytest.mark.parametrize("count", [0, 1, 4])
def test_probabilistic_pca_is_the_density_of_its_gaussian(shape, count):
    rng = np.random.default_rng(2)
    X, test = rng.normal(1, 1, shape), rng.normal(1, 1, (5, shape[1]))
    values, vectors = np.linalg.eigh(np.cov(X, rowvar=False, bias=True))
    values, vectors = values[::-1].copy(), vectors[:, ::-1]
    values[count:] = values[count:].mean()  # the left-out variance, spread evenly
    normal = multivariate_normal(X.mean(axis=0), vectors * values @ vectors.T)
    np.testing.assert_allclose(probabilistic_pca(X, count, test), normal.logpdf(test), rtol=1e-8)


def test_probabilistic_pca_is_scikit_learns_up_to_its_divisor():
    digits = load_digits().images.reshape(1797, -1).astype(np.float64)
    digits = digits[:, digits.std(axis=0) > 0]
    score = PCA(8, svd_solver="full").fit(digits).score(digits)  # 11.607828 nats, divisor N - 1
    ours = probabilistic_pca(digits, 8, digits).mean()
    assert ours == pytest.approx(score, abs=1e-4)
    assert ours > score  # the divisor N is the most likely


def test_probabilistic_pca_needs_something_left_out():
    with pytest.raises(ValueError, match="3 components leave out none of the 3 directions"):
        probabilistic_pca(np.eye(4), 3, np.eye(4))
