"""Proves that names from users are shown as they are, in every figure: no formulas, no errors."""

import numpy as np
import pytest
from PIL import Image

from autoencoder import plots
from autoencoder.plots import canvas

NAMES = (
    r"$\frac$",
    "$x$",
    r"a $\sum_{ and $b$",
    r"\$",
    "a\x00b\x07",
    "\udcff\ud800",
    "<b>&amp;</b>",
)
NAMES += ("%s {} {0}", "a_{b}^c", "", " ", "x" * 300, "$" * 99)
history = {"epoch": [1, 2, 3], "loss": [3.0, 2.0, 1.0], "$\\frac$": [1.0, 0.5, 0.1]}
x = np.random.default_rng(0).random((12, 4, 4, 1))

DRAW = {
    "training_curve": lambda name, path: plots.training_curve(
        {name: history}, {name + "b": 2.0}, path, title=name, points={name: [(2, 2.0)]}
    ),
    "loss_curves": lambda name, path: plots.loss_curves(history, path, title=name, ylabel=name),
    "image_rows": lambda name, path: plots.image_rows(
        [(name, x)], path, title=name, notes=[name] * 12, footer=name
    ),
    "latent_scatter": lambda name, path: plots.latent_scatter(
        np.eye(2), [0, 1], path, title=name, names={0: name}, axis_names=(name, name)
    ),
    "many_classes": lambda name, path: plots.latent_scatter(
        x.reshape(-1, 2), np.arange(96) % 16, path, title=name, names={3: name}
    ),
    "rate_distortion": lambda name, path: plots.rate_distortion(
        {name: ([1, 2], [24, 27])}, path, title=name
    ),
    "anomaly_scores": lambda name, path: plots.anomaly_scores(
        [3, 4, 5], [1, 2, 3.5], path, title=name, threshold=2.0
    ),
    "code_distribution": lambda name, path: plots.code_distribution(np.eye(3), path, title=name),
    "kl_per_unit": lambda name, path: plots.kl_per_unit([0.0, 2.5], path, title=name),
    "error_maps": lambda name, path: plots.error_maps(x, x[::-1], path, title=name),
}


@pytest.mark.parametrize("figure", DRAW)
@pytest.mark.parametrize("name", [r"$\frac$ \udcff", "$x$"])
def test_every_figure_takes_names_literally(tmp_path, figure, name):
    DRAW[figure](name, tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.size[0] > 300


@pytest.mark.parametrize("name", NAMES)
def test_any_name_can_be_a_title(tmp_path, name):
    DRAW["image_rows"](name, tmp_path / "a.png")
    DRAW["loss_curves"](name, tmp_path / "a.png")


def test_dollar_signs_are_measured_and_drawn_as_such(tmp_path):
    figure = canvas.new_figure(2, 1)
    widths = [canvas.extent(figure, text, 10)[0] for text in ("$x$", "x", "$")]
    assert widths[0] == pytest.approx(widths[1] + 2 * widths[2], abs=2)
    pages = []
    for title in ("$x$", r"$x$ "):
        figure = canvas.page(title)
        canvas.save(figure, tmp_path / "a.png")
        (text,) = [
            t for t in figure.findobj(lambda t: hasattr(t, "get_text")) if "x" in t.get_text()
        ]
        assert not text.get_parse_math()
        pages.append((tmp_path / "a.png").read_bytes())
    figure = canvas.page("x")
    canvas.save(figure, tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes() not in pages
