"""Curves show every finite loss they were given, term by term, and no label hides another."""

import itertools

import numpy as np
import pytest
from figure_checks import boxes, read, texts, watch, written
from matplotlib.text import Annotation, Text

from autoencoder.plots import loss_curves, training_curve

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
    return watch(monkeypatch)


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


# Losses, term by term

VAE = {
    "epoch": [1, 2, 3, 4],
    "loss": [300.0, 100.0, 40.0, 30.0],
    "reconstruction": [299.0, 98.0, 30.0, 19.0],
    "divergence": [1.0, 2.0, 10.0, 11.0],
    "validation_loss": [290.0, 110.0, 60.0, 65.0],
    "learning_rate": [1e-3] * 4,
}


def test_loss_curves_draw_the_loss_and_each_term(tmp_path, figures):
    read(loss_curves(VAE, tmp_path / "a.png", title="a VAE"))
    whole, *small = figures[0].axes
    training, validation, best = whole.lines
    for line, name in ((training, "loss"), (validation, "validation_loss")):
        assert line.get_xdata().tolist() == VAE["epoch"]
        assert line.get_ydata().tolist() == VAE[name]
    assert (best.get_xdata().tolist(), best.get_ydata().tolist()) == ([3], [60])
    assert best.get_label() == "best, epoch 3"
    assert [axes.get_title(loc="left") for axes in small] == ["reconstruction", "divergence"]
    for axes, name in zip(small, ("reconstruction", "divergence"), strict=True):
        (line,) = axes.lines
        assert line.get_ydata().tolist() == VAE[name]
    assert "Each panel has its own scale." in written(figures[0])
    assert "learning_rate" not in " ".join(written(figures[0]))


def test_a_loss_below_zero_is_on_a_linear_scale(tmp_path, figures):
    history = {"epoch": [1, 2, 3], "loss": [50.0, -300.0, -600.0]}
    read(loss_curves(history, tmp_path / "a.png", title="a Gaussian likelihood"))
    (axes,) = figures[0].axes
    assert axes.get_yscale() == "linear"
    read(loss_curves({"epoch": [1, 2], "loss": [50.0, 1]}, tmp_path / "b.png", title="positive"))
    assert figures[1].axes[0].get_yscale() == "log"


def test_one_term_is_the_loss_itself(tmp_path, figures):
    history = {"epoch": [1, 2], "loss": [5.0, 4.0], "reconstruction": [5.0, 4.0]}
    loss_curves(history, tmp_path / "a.png", title="t")
    assert len(figures[0].axes) == 1


def test_losses_that_are_not_finite_are_left_out_and_counted(tmp_path, figures):
    history = VAE | {"loss": [5.0, np.nan, 4.0, np.inf], "divergence": [np.nan] * 4}
    read(loss_curves(history, tmp_path / "a.png", title="t"))
    whole, _, empty = figures[0].axes
    assert whole.lines[0].get_ydata().tolist() == [5, 4]
    assert [text.get_text() for text in empty.texts] == ["no finite value"]
    assert any("6 values are not finite" in text for text in written(figures[0]))


def test_many_terms_and_a_long_title_do_not_collide(tmp_path, figures):
    terms = {name: VAE["loss"] for name in ("l1", "kl_sparsity", "contractive", "weight_decay")}
    read(loss_curves(VAE | terms, tmp_path / "a.png", title="a title of many words " * 9))
    assert not meetings(figures[0])


def meetings(figure):
    """Pairs of texts that overlap; tick labels may be drawn outside the limits and do not count."""
    some = [text for text in texts(figure) if text.get_text().strip()]
    some = [t for t in some if not (t.axes and t in t.axes.xaxis.get_ticklabels())]
    some = [t for t in some if not (t.axes and t in t.axes.yaxis.get_ticklabels())]
    pairs = itertools.combinations(zip(some, boxes(figure, some), strict=True), 2)
    return [(a.get_text(), b.get_text()) for (a, x), (b, y) in pairs if x.overlaps(y)]


@pytest.mark.parametrize(
    ("history", "sentence"),
    [
        ({"loss": [1.0]}, r"needs the lists 'epoch' and 'loss', but got \['loss'\]"),
        ({"epoch": [1, 2], "loss": [1.0]}, "lists of one length, but got {'epoch': 2, 'loss': 1}"),
        ({"epoch": [1], "loss": [np.nan]}, "the training diverged"),
        ({"epoch": [], "loss": []}, "needs a finite loss"),
    ],
)
def test_histories_that_cannot_be_drawn_are_refused(tmp_path, history, sentence):
    with pytest.raises(ValueError, match=sentence):
        loss_curves(history, tmp_path / "a.png", title="t")
    assert not list(tmp_path.iterdir())


def test_the_held_out_loss_is_drawn_beside_the_training_loss(tmp_path, figures):
    more = {"validation_loss": [5.2, 4.6, 4.4, 4.5], "held_out_loss": [5.3, 4.7, 4.5, 4.6]}
    read(loss_curves(VAE | more, tmp_path / "a.png", title="t"))
    drawn = {line.get_label(): line for line in figures[0].axes[0].get_lines()}
    assert list(drawn) == ["training", "validation", "held out", "best, epoch 3"]
    np.testing.assert_array_equal(drawn["held out"].get_ydata(), more["held_out_loss"])
    assert drawn["held out"].get_linestyle() == ":"
