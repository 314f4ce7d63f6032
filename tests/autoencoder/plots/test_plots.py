"""Figures show what they were given, clip nothing, stay small and touch no global state."""

import itertools
import subprocess
import sys
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from figure_checks import boxes, read, texts, watch
from matplotlib.transforms import Bbox

from autoencoder import plots
from autoencoder.datasets import make_faces
from autoencoder.plots import code_distribution, image_rows, training_curve

LADDER = {"constant grey": 15.19, "mean face": 9.86, "PCA 16": 2.64}
SHORT = {"epoch": np.array([1, 2, 3]), "loss": np.array([12.02, 10.34, 10.14])}


@pytest.fixture
def figures(monkeypatch):
    return watch(monkeypatch)


def contains(pixels, picture):
    """Whether the (h, w) grey picture occurs somewhere in the figure, pixel by pixel."""
    grey = pixels[..., 0].astype(int)
    windows = np.lib.stride_tricks.sliding_window_view(grey, picture.shape)
    # Look closely only where the first corners agree.
    sample = np.abs(windows[:, :, ::40, ::40] - picture[::40, ::40])
    candidates = np.argwhere(sample.max(axis=(2, 3)) < 2)
    return any(np.abs(windows[y, x] - picture).max() < 2 for y, x in candidates)


# Rows of images


def test_image_rows_show_every_pixel_on_a_fixed_scale(tmp_path):
    rng = np.random.default_rng(0)
    first = rng.uniform(0.3, 0.6, (4, 32, 32, 1))  # neither black nor white: not to be stretched
    second = rng.uniform(0, 1, (4, 64, 64, 1))
    path = image_rows([("32", first), ("64", second)], tmp_path / "a.png", title="noise")
    pixels = read(path)
    for images in (first, second):
        zoom = 128 // images.shape[1]
        for image in images:
            expected = np.kron(np.floor(image[..., 0] * 256), np.ones((zoom, zoom)))
            assert contains(pixels, expected)


def test_image_rows_clip_what_leaves_the_scale(tmp_path):
    wide = np.linspace(-1, 2, 8 * 8).reshape(1, 8, 8, 1)
    pixels = read(image_rows([("a", wide)], tmp_path / "a.png", title="wide"))
    expected = np.kron(np.clip(np.floor(wide[0, ..., 0] * 256), 0, 255), np.ones((14, 14)))
    assert contains(pixels, expected)


def test_image_rows_keep_colours(tmp_path):
    red = np.zeros((2, 16, 16, 3), np.float32)
    red[..., 0] = 1
    pixels = read(image_rows([("red", red)], tmp_path / "a.png", title="red"))
    assert (pixels == (255, 0, 0)).all(axis=2).sum() == 2 * 112 * 112


def test_denoising_rows_of_real_size_stay_small(tmp_path, figures):
    faces = make_faces(people=10, variations=1).images
    noisy = faces + np.random.default_rng(0).normal(0, 0.2, faces.shape)
    notes = [f"PSNR {20 + i / 3:.1f}" for i in range(10)]
    path = image_rows(
        [("originals", faces), ("noisy inputs", noisy), ("reconstructions", faces)],
        tmp_path / "a.png", title="generated faces: denoising, 64x64", notes=notes, columns=8,
    )  # fmt: skip
    read(path)
    shown = [text.get_text() for text in texts(figures[0])]
    assert shown[0] == "generated faces: denoising, 64x64"
    assert shown[1:4] == ["originals", "noisy inputs", "reconstructions"]
    assert shown[4:] == notes[:8]


def test_long_titles_labels_and_notes_are_not_clipped_and_do_not_meet(tmp_path, figures):
    images = np.full((2, 8, 8, 1), 0.5)
    path = image_rows(
        [("a label that is far longer than one would expect", images), ("b", images)],
        tmp_path / "a.png", title="a title of very many words " * 6,
        notes=["PSNR 24.1 dB, SSIM 0.91, and more", "PSNR 19.0 dB, SSIM 0.55, and less"],
    )  # fmt: skip
    read(path)
    extents = boxes(figures[0], texts(figures[0]))
    assert not any(a.overlaps(b) for a, b in itertools.combinations(extents, 2))
    places = [image.get_extent() for image in figures[0].images]
    pictures = [Bbox.from_extents(x0, y0, x1, y1) for x0, x1, y0, y1 in places]
    assert len(pictures) == 4
    assert not any(a.overlaps(b) for a in extents for b in pictures)


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([], "needs rows of equally many images"),
        ([("a", np.ones((2, 8, 8)))], r"but got \[\(2, 8, 8\)\]"),
        ([("a", np.ones((2, 8, 8, 1))), ("b", np.ones((3, 8, 8, 1)))], "equally many"),
        ([("a", np.ones((0, 8, 8, 1)))], r"but got \[\(0, 8, 8, 1\)\]"),
        ([("a", np.ones((2, 8, 8, 4)))], "1 or 3"),
    ],
)
def test_rows_that_do_not_fit_are_refused(tmp_path, rows, sentence):
    with pytest.raises(ValueError, match=sentence):
        image_rows(rows, tmp_path / "a.png", title="t")
    assert not (tmp_path / "a.png").exists()


def test_too_few_notes_are_refused(tmp_path):
    with pytest.raises(ValueError, match="draws 2 images, but got 1 notes"):
        image_rows([("a", np.ones((2, 8, 8, 1)))], tmp_path / "a.png", title="t", notes=["x"])


# Codes


def test_code_distribution_counts_the_dead_units(tmp_path, figures):
    rng = np.random.default_rng(0)
    codes = rng.beta(2, 3, (400, 256))
    codes[:, :12] = 0.25
    codes[:, 12] = 0.25 + 0.01 * codes[:, 12]  # moves little, but moves
    read(code_distribution(codes, tmp_path / "a.png", title="olivetti: codes"))
    shown = [text.get_text() for text in texts(figures[0])]
    assert "olivetti: codes" in shown
    assert "12 constant (dead)" in shown
    assert f"400 codes of 256 units, mean {codes.mean():.3g}" in shown
    values, units = figures[0].axes
    assert values.get_xlim() == (0, 1)
    heights = [bar.get_height() for bar in values.patches]
    expected = np.histogram(codes, bins=40, range=(0, 1))[0] * 100 / codes.size
    np.testing.assert_allclose(heights, expected)
    np.testing.assert_allclose(units.lines[0].get_ydata(), np.sort(codes.mean(axis=0)))


@pytest.mark.parametrize(
    ("codes", "dead"),
    [
        (np.random.default_rng(0).normal(0, 20, (50, 7)), 0),
        (np.zeros((5, 1)), 1),
        (np.full((5, 3), 0.7), 3),
        (np.random.default_rng(0).uniform(0, 1e-3, (50, 100)), 0),
    ],
)
def test_codes_of_any_scale_give_a_figure(tmp_path, figures, codes, dead):
    read(code_distribution(codes, tmp_path / "a.png", title="t"))
    shown = [text.get_text() for text in texts(figures[0])]
    assert f"{dead} constant (dead)" in shown
    total = sum(bar.get_height() for bar in figures[0].axes[0].patches)
    assert total == pytest.approx(100)  # no value falls outside the histogram


@pytest.mark.parametrize("codes", [np.ones(3), np.ones((0, 3)), np.full((2, 2), np.nan)])
def test_impossible_codes_are_refused(tmp_path, codes):
    with pytest.raises(ValueError, match="code_distribution needs finite codes"):
        code_distribution(codes, tmp_path / "a.png", title="t")


# All figures


def draw_all(folder):
    images = np.random.default_rng(0).random((3, 16, 16, 1))
    return [
        image_rows([("a", images)], folder / "1.png", title="t"),
        training_curve(SHORT, LADDER, folder / "2.png", title="t"),
        code_distribution(images.reshape(3, -1), folder / "3.png", title="t"),
    ]


def test_no_global_state_is_touched(tmp_path):
    settings = dict(matplotlib.rcParams)
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    draw_all(tmp_path)
    assert dict(matplotlib.rcParams) == settings
    assert (np.random.get_state()[1] == state).all()  # noqa: NPY002


def test_equal_figures_are_equal_files(tmp_path):
    (tmp_path / "again").mkdir()
    for first, second in zip(draw_all(tmp_path), draw_all(tmp_path / "again"), strict=True):
        assert first.read_bytes() == second.read_bytes()


def test_pyplot_is_never_imported(tmp_path):
    program = (
        "import sys, numpy as np; from autoencoder.plots import code_distribution\n"
        "assert 'matplotlib' not in sys.modules, 'matplotlib is imported before it is needed'\n"
        "code_distribution(np.eye(3), sys.argv[1], title='t')\n"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    root = Path(plots.__file__).parents[1]
    subprocess.run([sys.executable, "-c", program, tmp_path / "a.png"], cwd=root, check=True)
    read(tmp_path / "a.png")
