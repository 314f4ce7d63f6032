"""Proves that a notebook shows of a run what its folder holds, in bounded size and escaped."""

import base64
import re
import shutil

import numpy as np
import pytest

from autoencoder.datasets import load_digits
from autoencoder.runs import Config, notebook, open_run, start, train


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run of two epochs, whose data file has a name like markup, and three PNG files."""
    place = tmp_path_factory.mktemp("notebook")
    data = place / "<b>d.npz"
    np.savez(data, images=load_digits().images[:40])
    config = Config.of("dense", data=str(data), epochs=2, n_components=4)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(train.figures, "draw", lambda *a, **k: [])
        folder, _ = start(config, place / "run", progress=False, say=lambda text: None)
    (folder / "figures").mkdir(exist_ok=True)
    return folder


@pytest.fixture
def copy(folder, tmp_path):
    return shutil.copytree(folder, tmp_path / "run")


def test_losses_numbers_settings(folder):
    run = open_run(folder)
    text = run._repr_html_()
    assert f"{run.history()['loss'][-1]:.4g}" in text
    assert ">PCA 4<" in text and ">mean image<" in text
    assert ">n_components<" in text and ">learning_rate<" in text and ">0.002<" in text
    assert "&lt;b&gt;d" in text and "<b>" not in text
    assert text.count("<div") == text.count("</div>")
    assert "<img" not in text


def test_three_figures_that_are_small_pngs(copy):
    for name in ("reconstructions", "samples", "loss", "codes", "scatter"):
        (copy / "figures" / f"{name}.png").write_bytes(notebook.PNG + name.encode() + bytes(20))
    (copy / "figures" / "loss.png").write_bytes(notebook.PNG + bytes(notebook.LARGEST_FIGURE))
    (copy / "figures" / "codes.png").write_text("no picture")
    found = re.findall(r'src="data:image/png;base64,([^"]+)"', open_run(copy)._repr_html_())
    names = [base64.b64decode(data)[8:-20].decode() for data in found]
    assert names == ["reconstructions", "samples", "scatter"]


def test_damaged_metrics_are_a_sentence(copy):
    (copy / "metrics.json").write_text("[")
    text = open_run(copy)._repr_html_()
    assert "metrics.json is damaged" in text and ">learning_rate<" in text
