"""Walks through the codes decode exactly the codes they say, and draw what comes back, in order."""

import numpy as np
import pytest
from figure_checks import pictures, read, small, watch, written
from scipy.stats import norm

from autoencoder.plots import interpolations, latent_manifold, latent_traversals, slerp


@pytest.fixture
def figures(monkeypatch):
    return watch(monkeypatch)


def drawn(figure, shape=(8, 8)):
    """The images that were drawn, at their own size, in the order of drawing."""
    return [small(array, shape) for array, _ in pictures(figure)]


class Decoder:
    """Writes the code into the first pixels of a flat image, and keeps what it was asked."""

    def __init__(self, size=64):
        self.codes, self.size = [], size

    def __call__(self, codes):
        self.codes.append(codes)
        return np.pad(codes / 100 + 0.5, ((0, 0), (0, self.size - codes.shape[1])))


def test_the_manifold_is_at_the_quantiles_of_the_prior(tmp_path, figures):
    decode = Decoder()
    read(latent_manifold(decode, tmp_path / "a.png", title="t", image_shape=(8, 8), steps=5))
    (codes,) = decode.codes
    expected = norm.ppf([0.1, 0.3, 0.5, 0.7, 0.9])
    grid = codes.reshape(5, 5, 2)
    np.testing.assert_allclose(grid[..., 0], np.tile(expected, (5, 1)), atol=1e-12)
    np.testing.assert_allclose(grid[..., 1], np.tile(expected[::-1, None], (1, 5)), atol=1e-12)
    for array, image in zip(drawn(figures[0]), decode(codes), strict=True):
        np.testing.assert_allclose(array, image.reshape(8, 8))
    minus = "\N{MINUS SIGN}"
    steps = [f"{minus}1.3", f"{minus}0.5", "0", "0.5", "1.3"]
    assert [text for text in written(figures[0]) if text in steps] == steps[::-1] + steps


def test_the_manifold_can_follow_the_codes(tmp_path):
    decode, codes = Decoder(), np.random.default_rng(0).exponential(size=(999, 2))
    latent_manifold(decode, tmp_path / "a.png", title="t", image_shape=(8, 8), codes=codes, steps=4)
    asked = decode.codes[0].reshape(4, 4, 2)
    shares = [(codes[:, 0] <= value).mean() for value in asked[0, :, 0]]
    np.testing.assert_allclose(shares, [1 / 8, 3 / 8, 5 / 8, 7 / 8], atol=2e-3)


def test_traversals_move_one_unit_each_in_the_order_of_the_divergence(tmp_path, figures):
    decode, code, kl = Decoder(), np.array([0.1, 0.2, 0.3, 0.4]), [0.5, 3.0, 0.0, 1.0]
    read(
        latent_traversals(
            decode, code, kl, tmp_path / "a.png", title="t", image_shape=(8, 8), units=3,
            values=[-2, 0, 2],
        )
    )  # fmt: skip
    codes = decode.codes[0].reshape(3, 3, 4)
    for row, unit in zip(codes, (1, 3, 0), strict=True):
        np.testing.assert_array_equal(row[:, unit], [-2, 0, 2])
        others = np.delete(row, unit, axis=1)
        np.testing.assert_array_equal(others, np.tile(np.delete(code, unit), (3, 1)))
    labels = [text for text in written(figures[0]) if text.startswith("unit")]
    assert labels == ["unit 1\n3.00 nats", "unit 3\n1.00 nats", "unit 0\n0.50 nats"]


def test_both_ways_between_codes_are_drawn(tmp_path, figures):
    decode = Decoder()
    starts, ends = np.random.default_rng(0).normal(size=(2, 2, 5))
    read(
        interpolations(
            decode, starts, ends, tmp_path / "a.png", title="t", image_shape=(8, 8), steps=5
        )
    )
    straight, spherical = decode.codes[:2]
    np.testing.assert_allclose(straight[2], (starts[0] + ends[0]) / 2)
    for codes in (straight, spherical):
        np.testing.assert_allclose(codes[[0, -1]], [starts[0], ends[0]])
    assert [t for t in written(figures[0]) if t[0] == "s"] == ["straight", "spherical"] * 2
    assert len(drawn(figures[0])) == 20


def test_slerp_keeps_the_length_and_turns_evenly():
    start, end = np.random.default_rng(0).normal(size=(2, 6))
    end *= np.linalg.norm(start) / np.linalg.norm(end)
    way = slerp(start, end, np.linspace(0, 1, 7))
    lengths = np.linalg.norm(way, axis=1)
    np.testing.assert_allclose(lengths, lengths[0])
    angles = np.arccos((way @ start / lengths[0] ** 2).clip(-1, 1))
    np.testing.assert_allclose(angles, np.linspace(0, angles[-1], 7), atol=1e-7)


@pytest.mark.parametrize("end", [[2.0, 4.0], [-1.0, -2.0], [0.0, 0.0]])
def test_slerp_is_straight_where_there_is_no_single_arc(end):
    way = slerp(np.array([1.0, 2.0]), np.array(end), [0.0, 0.5, 1.0])
    np.testing.assert_allclose(way, np.linspace([1.0, 2.0], end, 3), atol=1e-12)


@pytest.mark.parametrize(
    ("draw", "sentence"),
    [
        (
            lambda p: latent_manifold(lambda z: z, p, title="t", image_shape=(8, 8)),
            r"the outputs of decode as images .* but got the shape \(121, 2\)",
        ),
        (
            lambda p: latent_manifold(lambda z: np.ones((12, 8, 8)), p, title="t"),
            "decode made 12 images of 121 codes",
        ),
        (
            lambda p: latent_manifold(Decoder(), p, title="t", codes=np.ones((4, 3))),
            r"codes of the shape \(N, 2\), but got the shape \(4, 3\)",
        ),
        (
            lambda p: latent_traversals(Decoder(), [0, 0], [1, 2, 3], p, title="t"),
            r"kl of the shape \(2,\), but got the shape \(3,\)",
        ),
        (
            lambda p: interpolations(Decoder(), np.ones((2, 3)), np.ones((2, 4)), p, title="t"),
            r"ends of the shape \(2, 3\), but got the shape \(2, 4\)",
        ),
        (
            lambda p: interpolations(Decoder(), [[np.inf]], [[1]], p, title="t"),
            "1 of the 1 values of starts are not",
        ),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_a_sentence(tmp_path, draw, sentence):
    with pytest.raises(ValueError, match=sentence):
        draw(tmp_path / "a.png")
    assert not list(tmp_path.iterdir())
