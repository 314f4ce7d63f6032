"""The ladder's losses are those of the best constant, the mean and scikit-learn's PCA."""

import os
from pathlib import Path

import numpy as np
import pytest
from sklearn.decomposition import PCA

from autoencoder.baselines import half_squares, ladder, principal_directions
from autoencoder.datasets import load_digits, load_olivetti, make_faces

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
