"""Image figures draw exactly the images and differences given, on scales that are stated."""

import numpy as np
import pytest
from figure_checks import pictures, read, small, watch, written
from sklearn.neighbors import NearestNeighbors

from autoencoder.datasets import load_digits, make_faces
from autoencoder.evaluation import metrics
from autoencoder.plots import (
    canvas,
    error_maps,
    filters,
    reconstruction_grid,
    samples_and_neighbours,
)
from autoencoder.plots.grids import nearest_rows

RNG = np.random.default_rng(0)
IMAGES = RNG.uniform(0.2, 0.8, (12, 8, 8, 1))
REBUILT = IMAGES + RNG.normal(0, 0.05, IMAGES.shape)


@pytest.fixture
def figures(monkeypatch):
    return watch(monkeypatch)


def drawn(figure, shape=(8, 8)):
    """The images that were drawn, at their own size, in the order of drawing."""
    return [small(array, shape) for array, _ in pictures(figure)]


# Reconstructions


def test_pairs_are_drawn_in_lines_with_the_psnr_below_each(tmp_path, figures):
    read(reconstruction_grid(IMAGES, REBUILT, tmp_path / "a.png", title="t", columns=5, count=8))
    expected = [*IMAGES[:5], *REBUILT[:5], *IMAGES[5:8], *REBUILT[5:8]]
    for array, image in zip(drawn(figures[0]), expected, strict=True):
        np.testing.assert_array_equal(array, image[..., 0].clip(0, 1))
    assert {scale for _, scale in pictures(figures[0])} == {(0, 1)}
    ratios = metrics.psnr(IMAGES, REBUILT, reduction="none")[:8]
    notes = [text for text in written(figures[0]) if text.endswith("dB")]
    assert notes == [f"{ratio:.1f} dB" for ratio in ratios]
    assert any("from 0 (black) to 1 (white)" in text for text in written(figures[0]))


def test_rows_and_images_give_the_same_figure(tmp_path):
    flat = IMAGES.reshape(12, -1), REBUILT.reshape(12, -1)
    reconstruction_grid(IMAGES, REBUILT, tmp_path / "a.png", title="t")
    reconstruction_grid(*flat, tmp_path / "b.png", title="t", image_shape=(8, 8))
    reconstruction_grid(*flat, tmp_path / "c.png", title="t", image_shape=(8, 8, 1))
    first = (tmp_path / "a.png").read_bytes()
    assert (tmp_path / "b.png").read_bytes() == (tmp_path / "c.png").read_bytes() == first


def test_a_perfect_reconstruction_is_called_exact(tmp_path, figures):
    reconstruction_grid(IMAGES[:2], IMAGES[:2], tmp_path / "a.png", title="t")
    assert written(figures[0]).count("exact") == 2


def test_faces_stay_below_200_kilobytes(tmp_path):
    faces = make_faces(people=12, variations=2).images
    noisy = faces + np.random.default_rng(1).normal(0, 0.1, faces.shape)
    read(reconstruction_grid(faces, noisy, tmp_path / "a.png", title="t"))
    read(error_maps(faces, faces[::-1], tmp_path / "b.png", title="t"))
    read(filters((faces - faces.mean(0))[:16], tmp_path / "c.png", title="t"))
    read(samples_and_neighbours(faces[::-1], faces, tmp_path / "d.png", title="t"))


def test_error_maps_share_a_symmetric_scale_with_a_white_zero(tmp_path, figures):
    rebuilt = IMAGES.copy()
    rebuilt[0, 0, 0] += 0.1
    rebuilt[1, 3, 4] -= 0.4
    pixels = read(error_maps(IMAGES[:3], rebuilt[:3], tmp_path / "a.png", title="t"))
    signed = [array for array, scale in pictures(figures[0]) if scale == (-0.4, 0.4)]
    differences, bar = signed[:-1], signed[-1]
    np.testing.assert_allclose([bar.min(), bar.max()], [-0.4, 0.4])
    expected = (rebuilt - IMAGES)[..., 0]
    for array, difference in zip(differences, expected, strict=False):
        np.testing.assert_allclose(small(array, (8, 8)), difference)
    assert {"\N{MINUS SIGN}0.4", "0", "+0.4"} <= set(written(figures[0]))
    assert "RMSE 0.050" in written(figures[0])  # 0.4 / 8
    colours = canvas.signed_colours()
    assert colours(0.5) == (1, 1, 1, 1)
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 2


def test_equal_images_give_white_error_maps(tmp_path, figures):
    error_maps(IMAGES, IMAGES, tmp_path / "a.png", title="t", notes=["score 1"] * 12)
    assert written(figures[0]).count("score 1") == 8
    assert sum(scale == (-1, 1) for _, scale in pictures(figures[0])) == 9


def test_the_sign_is_seen_and_dark_ends_differ():
    colours = canvas.signed_colours()(np.linspace(0, 1, 65))[:, :3]
    brightness = colours @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(brightness[:33]) > 0).all()
    assert (np.diff(brightness[32:]) < 0).all()
    assert colours[5, 2] > colours[5, 0] + 0.2  # blue below
    assert colours[-6, 0] > colours[-6, 2] + 0.2  # red above


def test_filters_are_ordered_by_norm_on_the_scale_of_those_shown(tmp_path, figures):
    weights = np.random.default_rng(3).normal(size=(20, 8, 8)) * np.arange(1, 21)[:, None, None]
    read(filters(weights, tmp_path / "a.png", title="t", count=6, columns=4))
    *shown, bar = pictures(figures[0])
    order = np.argsort(-np.linalg.norm(weights.reshape(20, -1), axis=1))[:6]
    limit = np.abs(weights[order]).max()
    for (array, scale), index in zip(shown, order, strict=True):
        np.testing.assert_array_equal(small(array, (8, 8)), weights[index])
        assert scale == (-limit, limit)
    assert bar[1] == (-limit, limit)
    assert any("largest 6 of 20 units" in text for text in written(figures[0]))


def test_a_limit_can_be_given_to_compare_figures(tmp_path, figures):
    filters(IMAGES, tmp_path / "a.png", title="t", limit=2.5)
    assert {scale for _, scale in pictures(figures[0])} == {(-2.5, 2.5)}
    with pytest.raises(ValueError, match="limit above 0, but got 0"):
        filters(IMAGES, tmp_path / "b.png", title="t", limit=0)


# Samples


def test_nearest_rows_agree_with_scikit_learn():
    rows = np.random.default_rng(1).normal(3, 1, size=(40, 30))
    queries = np.random.default_rng(2).normal(3, 1, size=(150, 30))
    distances, indices = NearestNeighbors(n_neighbors=1).fit(rows).kneighbors(queries)
    found, apart = nearest_rows(queries, rows)
    np.testing.assert_array_equal(found, indices[:, 0])
    np.testing.assert_allclose(apart, distances[:, 0] / np.sqrt(30))
    _, others = nearest_rows(rows, rows, own=np.arange(40))
    second = NearestNeighbors(n_neighbors=2).fit(rows).kneighbors(rows)[0][:, 1]
    np.testing.assert_allclose(others, second / np.sqrt(30))


def test_samples_stand_above_their_neighbours_and_copies_show(tmp_path, figures):
    training = load_digits().images[:300].astype(np.float64)
    flat = training.reshape(300, -1)
    samples = training[[7, 3]] + [[[[0.0]]], [[[0.01]]]]
    read(samples_and_neighbours(samples, training, tmp_path / "a.png", title="copies"))
    one, two, first, second = drawn(figures[0])
    np.testing.assert_array_equal(one, samples[0, ..., 0])
    np.testing.assert_array_equal(two, samples[1, ..., 0].clip(0, 1))
    np.testing.assert_array_equal([first, second], training[[7, 3], ..., 0])
    assert {"0.000", "0.010"} <= set(written(figures[0]))
    some = np.arange(0, 300, 2)
    distances, _ = NearestNeighbors(n_neighbors=2).fit(flat).kneighbors(flat[some])
    said = " ".join(" ".join(written(figures[0])).split())
    assert f"are {np.median(distances[:, 1]) / 8:.3f} from their nearest (median)" in said


# Bad input

HOLES = np.where(np.arange(64).reshape(1, 8, 8) == 3, np.nan, 0.5)


@pytest.mark.parametrize(
    ("draw", "sentence"),
    [
        (
            lambda p: reconstruction_grid(IMAGES, IMAGES[:, :4], p, title="t"),
            r"originals and reconstructions of one shape, but got \(12, 8, 8, 1\) and",
        ),
        (
            lambda p: reconstruction_grid(np.ones((3, 5)), np.ones((3, 5)), p, title="t"),
            r"originals as images .* with their image_shape, but got the shape \(3, 5\)",
        ),
        (
            lambda p: filters(np.ones((3, 5)), p, title="t", image_shape=(2, 3)),
            r"rows \(N, 2 \* 3\), but got the shape \(3, 5\)",
        ),
        (lambda p: filters(np.ones((3, 4, 4, 3)), p, title="t"), "one channel at a time"),
        (lambda p: error_maps(HOLES, HOLES, p, title="t"), "1 of the 64 values of originals"),
        (lambda p: error_maps(IMAGES, IMAGES, p, title="t", notes=["a"]), "8 images, but got 1"),
        (
            lambda p: samples_and_neighbours(IMAGES, np.ones((2, 4, 4, 1)), p, title="t"),
            r"samples have \(8, 8, 1\) and training images \(4, 4, 1\)",
        ),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_a_sentence(tmp_path, draw, sentence):
    with pytest.raises(ValueError, match=sentence):
        draw(tmp_path / "a.png")
    assert not list(tmp_path.iterdir())
