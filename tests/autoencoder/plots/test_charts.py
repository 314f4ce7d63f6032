"""Charts hold the numbers they were given, and refuse those that cannot be drawn in a sentence."""

import numpy as np
import pytest
from figure_checks import boxes, read, texts, watch, written
from sklearn.metrics import roc_auc_score

from autoencoder.evaluation import anomaly_metrics
from autoencoder.plots import (
    accuracy_by_labels,
    anomaly_scores,
    kl_per_unit,
    latent_scatter,
    rate_distortion,
    score_groups,
    spectrum,
)

RNG = np.random.default_rng(0)


@pytest.fixture
def figures(monkeypatch):
    return watch(monkeypatch)


def legend(axes):
    return [text.get_text() for text in axes.get_legend().get_texts()]


# Codes in two dimensions


def test_each_class_has_its_codes_a_look_of_its_own_and_a_name(tmp_path, figures):
    codes, labels = RNG.normal(size=(500, 2)), RNG.integers(0, 10, 500)
    read(latent_scatter(codes, labels, tmp_path / "a.png", title="t", names={3: "three"}))
    (axes,) = figures[0].axes
    for label, points in enumerate(axes.collections):
        np.testing.assert_array_equal(points.get_offsets(), codes[labels == label])
    looks = [
        (tuple(points.get_facecolor()[0]), points.get_paths()[0].vertices.tobytes())
        for points in axes.collections
    ]
    assert len({colour for colour, _ in looks}) == 10
    assert legend(axes) == ["0", "1", "2", "three", "4", "5", "6", "7", "8", "9"]
    medians = {text.get_text(): text.get_position() for text in axes.texts}
    np.testing.assert_allclose(medians["three"], np.median(codes[labels == 3], axis=0))


def test_forty_people_are_told_apart_without_a_legend(tmp_path, figures):
    labels = np.repeat(np.arange(40), 10)
    codes = RNG.normal(size=(40, 2))[labels] * 3 + RNG.normal(size=(400, 2)) / 3
    read(latent_scatter(codes, labels, tmp_path / "a.png", title="t", axis_names=("PC 1", "PC 2")))
    (axes,) = figures[0].axes
    assert axes.get_legend() is None
    looks = {
        (tuple(points.get_facecolor()[0]), points.get_paths()[0].vertices.tobytes())
        for points in axes.collections
    }
    assert len(looks) == 40
    assert len(axes.texts) == 40
    assert len(axes.lines) == 400  # from each code to its person
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("PC 1", "PC 2")


def test_ten_thousand_codes_stay_small(tmp_path):
    codes, labels = RNG.normal(size=(10_000, 2)), RNG.integers(0, 10, 10_000)
    read(latent_scatter(codes, labels, tmp_path / "a.png", title="t"))


def test_a_line_of_codes_is_not_squeezed(tmp_path, figures):
    codes = np.stack([np.linspace(0, 1000, 20), np.linspace(0, 1, 20)], axis=1)
    read(latent_scatter(codes, np.zeros(20), tmp_path / "a.png", title="t"))
    low, high = figures[0].axes[0].get_ylim()
    assert high - low < 2


# Units and spectra


def test_bars_are_the_divergences_largest_first(tmp_path, figures):
    read(kl_per_unit([0.004, 3.0, 0.0, 1.5, 0.12], tmp_path / "a.png", title="t"))
    (axes,) = figures[0].axes
    assert [bar.get_height() for bar in axes.patches] == [3.0, 1.5, 0.12, 0.004, 0.0]
    assert len({bar.get_facecolor() for bar in axes.patches[:3]}) == 1
    assert axes.patches[2].get_facecolor() != axes.patches[3].get_facecolor()
    assert axes.get_title(loc="left") == "3 of 5 units above 0.01 nats, together 4.62 nats"


def test_a_spectrum_is_sorted_with_its_levels(tmp_path, figures):
    values = {"data": [0.5, 4.0, 0.0, 2.0], "model": [3.0, 1.0]}
    read(spectrum(values, tmp_path / "a.png", title="t", levels={"variance 1": 1.0}))
    (axes,) = figures[0].axes
    data, model, level = axes.lines
    assert data.get_ydata().tolist() == [4, 2, 0.5]
    assert data.get_xdata().tolist() == [1, 2, 3]
    assert model.get_ydata().tolist() == [3, 1]
    assert level.get_ydata() == [1, 1]
    assert axes.get_yscale() == "log"
    assert legend(axes) == ["data", "model"]
    assert "variance 1" in written(figures[0])
    assert "Logarithmic scale. 1 value is 0 and not drawn." in written(figures[0])


def test_many_spectra_become_a_median_and_a_band(tmp_path, figures):
    values = RNG.lognormal(size=(200, 6))
    read(spectrum({"Jacobians": values}, tmp_path / "a.png", title="t"))
    (axes,) = figures[0].axes
    ordered = np.sort(values, axis=1)[:, ::-1]
    np.testing.assert_allclose(axes.lines[0].get_ydata(), np.median(ordered, axis=0))
    corners = axes.collections[0].get_paths()[0].vertices
    low, high = np.quantile(ordered, (0.1, 0.9), axis=0)
    for rank in range(6):
        ys = corners[corners[:, 0] == rank + 1, 1]
        np.testing.assert_allclose([ys.min(), ys.max()], [low[rank], high[rank]])


def test_a_spectrum_over_many_decades_has_few_ticks(tmp_path, figures):
    read(spectrum({"a": 10.0 ** -np.arange(17.0)}, tmp_path / "a.png", title="t"))
    assert 4 <= len(figures[0].axes[0].get_yticks()) <= 13


# Anomalies


def test_scores_and_roc_agree_with_the_metrics(tmp_path, figures):
    normal, anomalous = RNG.normal(0, 1, 400), RNG.normal(-2, 1.5, 60)
    read(anomaly_scores(normal, anomalous, tmp_path / "a.png", title="t", threshold=-1.5))
    scores, roc = figures[0].axes
    area = anomaly_metrics(normal, anomalous)["roc_auc"]
    assert roc.get_title(loc="left") == f"ROC, area {area:.3f}"
    curve, point = roc.lines[1:]
    drawn = np.trapezoid(curve.get_ydata(), curve.get_xdata()) / 1e4
    assert drawn == pytest.approx(area)
    np.testing.assert_allclose(point.get_xdata(), [100 * (normal < -1.5).mean()])
    np.testing.assert_allclose(point.get_ydata(), [100 * (anomalous < -1.5).mean()])
    assert scores.lines[0].get_xdata() == [-1.5, -1.5]
    assert legend(scores) == ["normal (400)", "anomalous (60)", "threshold"]
    for polygon in scores.patches:  # each group's bars sum up to 100 %
        steps = polygon.get_xy()
        heights = steps[1:61:2, 1]
        assert heights.sum() == pytest.approx(100)


def test_scores_may_grow_with_the_anomaly(tmp_path, figures):
    normal, anomalous = RNG.normal(0, 1, 50), RNG.normal(1, 1, 50)
    for larger in ("anomalous", "normal"):
        anomaly_scores(normal, anomalous, tmp_path / "a.png", title="t", larger=larger)
    area = roc_auc_score(np.repeat([0, 1], 50), np.concatenate([normal, anomalous]))
    first, second = (figure.axes[1].get_title(loc="left") for figure in figures)
    assert (first, second) == (f"ROC, area {area:.3f}", f"ROC, area {1 - area:.3f}")
    assert "exchanged?" in " ".join(written(figures[1]))
    assert "exchanged?" not in " ".join(written(figures[0]))


def test_far_scores_do_not_flatten_the_histogram(tmp_path, figures):
    normal = np.append(RNG.normal(0, 1, 2000), 1e6)
    read(anomaly_scores(normal, RNG.normal(-3, 1, 50), tmp_path / "a.png", title="t"))
    low, high = figures[0].axes[0].get_xlim()
    assert high - low < 20
    assert "scores beyond the axis" in " ".join(written(figures[0]))


def test_equal_scores_still_give_a_figure(tmp_path, figures):
    read(anomaly_scores(np.ones(5), np.ones(5), tmp_path / "a.png", title="t"))
    assert figures[0].axes[1].get_title(loc="left") == "ROC, area 0.500"


def test_groups_of_scores_have_no_roc(tmp_path, figures):
    groups = {"test": RNG.normal(0, 1, 50), "new, anomalous": [], "new": RNG.normal(-3, 1, 9)}
    read(score_groups(groups, tmp_path / "a.png", title="t", threshold=-20.0))
    (axes,) = figures[0].axes
    assert legend(axes) == ["test (50)", "new (9)", "threshold"]
    assert axes.get_xlim()[0] <= -20


# Rates and labels


def test_rates_are_drawn_in_order_with_a_curve_each(tmp_path, figures):
    curves = {"net": ([2.0, 0.1], [30.0, 20.0]), "PCA": ([1.0, 0.5], [25.0, np.inf])}
    read(rate_distortion(curves, tmp_path / "a.png", title="t"))
    (axes,) = figures[0].axes
    net, pca = axes.lines
    assert (net.get_xdata().tolist(), net.get_ydata().tolist()) == ([0.1, 2], [20, 30])
    assert (pca.get_xdata().tolist(), pca.get_ydata().tolist()) == ([1], [25])
    assert axes.get_xscale() == "log"
    assert legend(axes) == ["net", "PCA"]
    assert "Lossless, not drawn: 1 of the points." in " ".join(written(figures[0]))


def test_near_rates_are_on_a_linear_axis(tmp_path, figures):
    read(rate_distortion({"a": ([1.0, 2.0], [20.0, 22.0])}, tmp_path / "a.png", title="t"))
    assert figures[0].axes[0].get_xscale() == "linear"


def test_many_named_curves_keep_a_legend_that_fits(tmp_path, figures):
    curves = {f"a method with a long name, {i}": ([1, 2], [20 + i, 22 + i]) for i in range(9)}
    read(rate_distortion(curves, tmp_path / "a.png", title="a title of many words " * 8))
    (axes,) = figures[0].axes
    box = axes.get_legend().get_window_extent(figures[0].canvas.get_renderer())
    assert 0 < box.x0 < box.x1 < figures[0].bbox.width
    title = next(text for text in texts(figures[0]) if text.get_text().startswith("a title"))
    assert not box.overlaps(boxes(figures[0], [title])[0])
    styles = {(line.get_color(), line.get_linestyle(), line.get_marker()) for line in axes.lines}
    assert len(styles) == 9


def test_accuracies_have_their_mean_and_deviation(tmp_path, figures):
    draws = np.array([[0.8, 0.9, 0.7], [0.4, 0.5, 0.6]])
    results = {"code": ([10, 1], draws), "pixels": ([1, 10], [[0.3], [0.7]])}
    read(accuracy_by_labels(results, tmp_path / "a.png", title="t", chance=0.1))
    (axes,) = figures[0].axes
    code, pixels = axes.containers
    np.testing.assert_allclose(code.lines[0].get_ydata(), [50, 80])
    np.testing.assert_allclose(code.lines[0].get_xdata(), [1, 10], rtol=0.05)
    bars = np.array(code.lines[2][0].get_segments())[:, :, 1]  # (counts, [low, high])
    np.testing.assert_allclose(bars, [[40, 60], [70, 90]])
    assert np.ptp(np.array(pixels.lines[2][0].get_segments())[:, :, 1], axis=1).tolist() == [0, 0]
    assert not set(code.lines[0].get_xdata()) & set(pixels.lines[0].get_xdata())
    assert axes.get_xticks().tolist() == [1, 10]
    assert "1 or 3 draws" in " ".join(written(figures[0]))
    assert set(legend(axes)) == {"code", "pixels", "chance"}


# Bad input

PAIR = ([1.0, 2.0], [20.0, 21.0])


@pytest.mark.parametrize(
    ("draw", "sentence"),
    [
        (
            lambda p: latent_scatter(np.ones((4, 3)), np.ones(4), p, title="t"),
            r"codes of the shape \(N, 2\), but got the shape \(4, 3\)",
        ),
        (lambda p: latent_scatter(np.ones((4, 2)), [1], p, title="t"), "a label for each code"),
        (lambda p: latent_scatter([[0, np.nan]], [1], p, title="t"), "1 of the 2 values of codes"),
        (lambda p: kl_per_unit([[1.0]], p, title="t"), r"kl of the shape \(K,\)"),
        (lambda p: kl_per_unit([], p, title="t"), r"but got the shape \(0,\)"),
        (lambda p: spectrum({}, p, title="t"), "needs a value above 0, but got none"),
        (lambda p: spectrum({"a": [0.0]}, p, title="t"), "needs a value above 0, but got none"),
        (lambda p: spectrum({"a": [1, -1]}, p, title="t"), "0 or more, but 'a' has -1"),
        (lambda p: spectrum({"a": [1]}, p, title="t", levels={"b": 0}), "levels above 0"),
        (lambda p: score_groups({"a": [], "b": []}, p, title="t"), "all groups are empty"),
        (lambda p: score_groups({"a": [np.nan]}, p, title="t"), "1 of the 1 values of a"),
        (lambda p: anomaly_scores([], [1], p, title="t"), r"normal of the shape \(N,\)"),
        (lambda p: anomaly_scores([1], [np.nan], p, title="t"), "1 of the 1 values of anomalous"),
        (lambda p: anomaly_scores([1], [1], p, title="t", larger="x"), "but got 'x'"),
        (lambda p: rate_distortion({}, p, title="t"), "needs a curve, but got none"),
        (lambda p: rate_distortion({"a": ([1], [1, 2])}, p, title="t"), "rates and PSNR of 'a'"),
        (lambda p: rate_distortion({"a": ([0.0], [1])}, p, title="t"), "rates above 0, but 'a'"),
        (lambda p: rate_distortion({"a": ([1], [np.nan])}, p, title="t"), "the PSNR of 'a'"),
        (lambda p: accuracy_by_labels({}, p, title="t"), "needs a method, but got none"),
        (lambda p: accuracy_by_labels({"a": PAIR}, p, title="t"), r"of the shape \(2, R\)"),
        (
            lambda p: accuracy_by_labels({"a": ([1], [[80.0]])}, p, title="t"),
            "accuracies from 0 to 1, but 'a' has 1 labels, 80 to 80",
        ),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_a_sentence(tmp_path, draw, sentence):
    with pytest.raises(ValueError, match=sentence):
        draw(tmp_path / "a.png")
    assert not list(tmp_path.iterdir())
