"""Figures show what they were given, clip nothing, stay small and touch no global state."""

import itertools
import subprocess
import sys
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib.text import Annotation, Text
from PIL import Image

from autoencoder import plots
from autoencoder.datasets import make_faces
from autoencoder.plots import code_distribution, image_rows, training_curve

LADDER = {
    "constant grey": 15.19, "mean face": 9.86, "PCA 16": 2.64, "PCA 64": 0.98, "PCA 128": 0.42,
    "PCA 256": 0.078,
}  # fmt: skip
ARTICLE = {"the article": [(1, 11.933), (2, 10.294), (3, 9.918), (600, 0.4636)]}
EPOCHS = np.arange(1, 601)
LONG = {"epoch": EPOCHS, "loss": 0.45 + 11.5 * EPOCHS**-0.8}
SHORT = {"epoch": np.array([1, 2, 3]), "loss": np.array([12.02, 10.34, 10.14])}


@pytest.fixture
def figures(monkeypatch):
    """The figures that get saved, to look inside."""
    seen = []
    save = plots._save

    def keep(figure, path):
        seen.append(figure)
        return save(figure, path)

    monkeypatch.setattr(plots, "_save", keep)
    return seen


def read(path):
    """Decode a figure; check that it is a small PNG, not blank, with a free white border."""
    assert path.stat().st_size < 150_000
    with Image.open(path) as image:
        assert image.format == "PNG"
        pixels = np.asarray(image.convert("RGB"))
    assert 150 < pixels.shape[0] < 2000
    assert 300 < pixels.shape[1] < 2000
    assert (pixels != 255).any(axis=2).mean() > 0.005
    border = np.ones(pixels.shape[:2], bool)
    border[2:-2, 2:-2] = False
    assert (pixels[border] == 255).all(), "something reaches the edge of the figure"
    return pixels


def texts(figure):
    """All texts of a figure that are visible."""
    return [text for text in figure.findobj(Text) if text.get_text() and text.get_visible()]


def boxes(figure, some):
    return [text.get_window_extent(figure.canvas.get_renderer()) for text in some]


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
    labels, axes = extents[1:3], [axes.get_window_extent() for axes in figures[0].axes]
    assert not any(a.overlaps(b) for a in labels for b in axes)


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


# The training curve


def ladder_labels(figure):
    return [text for text in texts(figure) if isinstance(text, Annotation)]


def test_a_long_curve_shows_the_whole_ladder(tmp_path, figures):
    path = training_curve(
        LONG, LADDER, tmp_path / "a.png", title="olivetti: the loss", points=ARTICLE,
        reference={"TensorFlow": (EPOCHS, LONG["loss"] * 1.1)},
    )  # fmt: skip
    read(path)
    (figure,) = figures
    (axes,) = figure.axes
    assert axes.get_xscale() == axes.get_yscale() == "log"
    assert {text.get_text() for text in ladder_labels(figure)} == set(LADDER)
    drawn = [line.get_ydata()[0] for line in axes.lines if line.get_linestyle() == ":"]
    assert sorted(drawn) == sorted(LADDER.values())
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        "this run", "TensorFlow", "the article",
    ]  # fmt: skip
    own, reference, points = (line for line in axes.lines if len(line.get_xdata()) > 2)
    np.testing.assert_array_equal(own.get_ydata(), LONG["loss"])
    assert reference.get_linestyle() == "--"
    assert points.get_marker() == "D"
    assert points.get_xdata().tolist() == [1, 2, 3, 600]
    low, high = axes.get_ylim()
    assert low < 0.078
    assert high > 15.19


def test_a_short_curve_is_not_squeezed_by_a_far_ladder(tmp_path, figures):
    read(training_curve(SHORT, LADDER, tmp_path / "a.png", title="olivetti: three epochs"))
    (axes,) = figures[0].axes
    assert {text.get_text() for text in ladder_labels(figures[0])} == {"constant grey", "mean face"}
    low, high = np.log(axes.get_ylim())
    assert np.ptp(np.log(SHORT["loss"])) > 0.2 * (high - low)
    ticks = [text.get_text() for text in axes.get_xticklabels()]
    assert ticks == ["1", "2", "3"]


@pytest.mark.parametrize("history", [LONG, SHORT])
def test_axes_have_a_few_plain_ticks(tmp_path, figures, history):
    training_curve(history, LADDER, tmp_path / "a.png", title="t")
    (axes,) = figures[0].axes
    for axis, limits in ((axes.xaxis, axes.get_xlim()), (axes.yaxis, axes.get_ylim())):
        ticks = axis.get_majorticklocs()
        assert 3 <= len(ticks) <= 13
        assert (limits[0] <= ticks).all()
        assert (ticks <= limits[1]).all()
        assert [float(text.get_text()) for text in axis.get_ticklabels()] == pytest.approx(ticks)
        for a, b in itertools.pairwise(boxes(figures[0], axis.get_ticklabels())):
            assert not a.overlaps(b)


def test_close_ladder_labels_are_pushed_apart(tmp_path, figures):
    for level, edge in itertools.product((15, 3, 0.05), ({}, {"top": 16.0}, {"bottom": 0.04})):
        close = {f"method {i}": level + 0.01 * i for i in range(7)}
        read(training_curve(LONG, {**close, **edge}, tmp_path / "a.png", title="t"))
        labels = ladder_labels(figures[-1])
        assert len(labels) == 7 + len(edge)
        extents = [Text.get_window_extent(text) for text in labels]  # without the leader line
        heights = [(box.y0, box.y1) for box in extents]
        frame = figures[-1].axes[0].get_window_extent()
        middles = [(low + high) / 2 for low, high in heights]
        assert frame.y0 <= min(middles) <= max(middles) <= frame.y1 + 1
        for a, b in itertools.combinations(heights, 2):
            assert a[1] <= b[0] or b[1] <= a[0]
        losses = [{**close, **edge}[text.get_text()] for text in labels]
        assert np.argsort(losses).tolist() == np.argsort([low for low, _ in heights]).tolist()


def test_several_seeds_get_a_curve_and_a_name_each(tmp_path, figures):
    seeds = {f"seed {i}": {"epoch": EPOCHS, "loss": LONG["loss"] * (1 + i / 9)} for i in range(5)}
    read(training_curve(seeds, LADDER, tmp_path / "a.png", title="five seeds"))
    assert [text.get_text() for text in figures[0].legends[0].get_texts()] == list(seeds)
    curves = [line for line in figures[0].axes[0].lines if len(line.get_xdata()) == 600]
    assert len({line.get_color() for line in curves}) == 5


@pytest.mark.parametrize(
    "losses", [[np.nan, np.inf, np.nan], [5.0, np.nan, 4.0], [0.0, -1.0, 3.0], [2.0, 2.0, 2.0]]
)
def test_curves_that_logarithms_cannot_show_still_give_a_figure(tmp_path, figures, losses):
    history = {"epoch": [1, 2, 3], "loss": losses}
    read(training_curve(history, {"zero": 0.0, "nan": np.nan}, tmp_path / "a.png", title="t"))
    assert np.isfinite(figures[0].axes[0].get_ylim()).all()
    empty = any(text.get_text() == "no finite loss" for text in texts(figures[0]))
    assert empty == (not any(np.isfinite(loss) and loss > 0 for loss in losses))


def test_one_epoch_and_no_ladder_still_give_a_figure(tmp_path):
    read(training_curve({"epoch": [1], "loss": [12.0]}, None, tmp_path / "a.png", title="t"))
    read(training_curve({"epoch": [], "loss": []}, LADDER, tmp_path / "b.png", title="t"))


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
