"""Proves that every experiment of benchmarks/uses runs, that what is exact in them comes out, and
that docs/uses/README.md shows the numbers of its results.json and keeps the promises they bear."""

import importlib
import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from minigrad import jacobian, sigmoid

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "uses"
NAMES = (
    "dimension_reduction", "denoising", "sparse_contractive", "generation", "anomalies",
    "compressing", "pretraining", "kinds", "same_in_pytorch",
)  # fmt: skip


@pytest.fixture(scope="module")
def module():
    """Import a file of benchmarks/uses as its command does."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "benchmarks")
        patch.syspath_prepend(ROOT / "benchmarks" / "uses")
        yield importlib.import_module
    for name in (*NAMES, "page", "shared", "writing", "mnist"):
        sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def results():
    return json.loads((FOLDER / "results.json").read_text())


@pytest.mark.parametrize("name", NAMES)
def test_a_use_runs_and_says_what_it_found(name, module, tmp_path):
    if name == "same_in_pytorch":
        pytest.importorskip("torch")
    page, use = module("page"), module(name)
    found = use.run(module("shared").Job(fast=True, folder=tmp_path))
    page.keep(tmp_path, name, {**found, "seconds": 1.0})
    page.write(tmp_path)
    words = (tmp_path / "README.md").read_text()
    assert f"## {use.TITLE}" in words
    assert not re.search(r"\b(nan|inf)\b", words)
    shown = set(re.findall(r"!\[.*?\]\((.*?)\)", words))
    assert shown == {path.name for path in tmp_path.glob("*.png")}


def test_the_page_is_made_of_the_results(module, results):
    """A number changed by hand on either side makes them differ."""
    page = module("page")
    assert tuple(results) == NAMES == tuple(page.USES)
    text = (FOLDER / "README.md").read_text()
    assert text == page.render(results)
    changed = json.loads(json.dumps(results))
    changed["denoising"]["rows"]["network"]["mean"] *= 1.1
    assert text != page.render(changed)


def test_every_figure_is_there_and_small():
    shown = re.findall(r"!\[.*?\]\((.*?)\)", (FOLDER / "README.md").read_text())
    assert sorted(shown) == sorted(path.name for path in FOLDER.glob("*.png"))
    assert max((FOLDER / name).stat().st_size for name in shown) <= 120_000


def test_the_jacobian_norm_is_that_of_automatic_derivatives(module):
    from autoencoder import ContractiveAutoencoder

    X = np.random.default_rng(0).random((6, 5))
    model = ContractiveAutoencoder(3, max_epochs=2, random_state=0).fit(X)
    layer = model.network_.encoder[0]
    W, b = layer.weight.numpy(), layer.bias.numpy()
    centred = X - model.network_.center.numpy()
    squares = [
        np.square(jacobian(lambda x: sigmoid(x @ W + b), x[None]).numpy()).sum() for x in centred
    ]
    norm = module("sparse_contractive").jacobian_norm(model, X)
    assert norm == pytest.approx(np.sqrt(np.mean(squares)), rel=1e-12)


def test_the_promises_of_the_issue(results):
    """Denoising beats the Wiener filter of the same photographs by four standard errors; sparse
    codes are on target; the Jacobian falls; linear VAEs keep the units that they should."""
    rows = results["denoising"]["rows"]
    gain = results["denoising"]["differences"]["Wiener filter"]
    assert rows["network"]["mean"] < rows["Wiener filter"]["mean"] < rows["noisy"]["mean"]
    assert gain["mean"] < -4 * gain["std"]
    for row in results["sparse_contractive"]["sparse"]:
        assert row["activation"]["mean"] == pytest.approx(row["target"], rel=0.25)
        assert row["mse"]["mean"] < 0.6 * results["sparse_contractive"]["mean image"]
    norms = [row["jacobian"]["mean"] for row in results["sparse_contractive"]["contractive"]]
    assert all(np.diff(norms) < 0) and norms[-1] < norms[0] / 2
    predicted = {1.0: 3, 0.1: 27, 0.03: 61, 0.01: 131}
    for row in results["generation"]["linear"]:
        assert row["predicted"] == predicted[row["variance"]]
        # The last units carry almost nothing, and of many some have not quite died yet.
        assert abs(row["measured"] - row["predicted"]) <= 0.08 * row["predicted"]
        assert row["nats"] == pytest.approx(row["predicted nats"], rel=0.01)


def test_what_the_page_bears_of_pretraining_and_of_anomalies(results):
    """On digits, fine-tuned networks are above those from scratch and above pixels with every
    number of labels, and on faces above those from scratch; detectors are above what they are
    compared with in the mean over six data sets."""
    for name in ("digits", "faces"):
        accuracies = results["pretraining"][name]["accuracies"]
        theirs = ("from scratch", "pixels") if name == "digits" else ("from scratch",)
        for other in theirs:
            for count, draws in accuracies["fine-tuned"].items():
                gain = np.subtract(draws, accuracies[other][count])
                assert len(draws) == 10
                assert gain.mean() > 2 * gain.std(ddof=1) / np.sqrt(10)
    sets = results["anomalies"]["sets"]
    assert len(sets) == 6
    means = {
        method: np.mean([found["areas"][method] for found in sets.values()])
        for method in next(iter(sets.values()))["areas"]
    }
    assert len(means) == 5
    assert max(means, key=means.get) == "VAE detector"


def test_codes_are_better_than_pca_where_the_page_says_so(results):
    for data in ("digits", "mnist"):
        rows = results["dimension_reduction"][data]
        assert [row["length"] for row in rows] == [2, 8, 16, 32]
        for row in rows:
            ours, pca = row["autoencoder"], row["PCA"]
            assert ours["mse"]["mean"] < pca["mse"]["mean"]


def test_moved_pictures_are_the_pictures_elsewhere_with_holes(module):
    shared = module("shared")
    x = np.random.default_rng(0).random((50, 30)).astype(np.float32) + 1
    moved = shared.Moved((6, 5, 1), reach=1, kept=0.5).corrupt(x, np.random.default_rng(1))
    assert moved.shape == x.shape and moved.dtype == np.float32
    assert 0.4 < (moved > 0).mean() < 0.6
    whole = shared.Moved((6, 5, 1), reach=1, kept=1.0).corrupt(x, np.random.default_rng(1))
    padded = np.pad(x.reshape(-1, 6, 5), ((0, 0), (1, 1), (1, 1)), mode="edge")
    for row, image in zip(whole, padded, strict=True):
        windows = [image[i : i + 6, j : j + 5].ravel() for i in range(3) for j in range(3)]
        assert any((row == window).all() for window in windows)
    np.testing.assert_array_equal(moved[moved > 0], whole[moved > 0])


def test_fine_tuning_begins_as_the_classifier_of_the_codes(module):
    """Without a step, the network and its layer name what the probe names."""
    from autoencoder import Autoencoder

    pretraining, shared = module("pretraining"), module("shared")
    digits = shared.Job(fast=True, folder=None).digits()
    model = Autoencoder(pretraining.UNITS, max_epochs=1, random_state=0).fit(digits.X)
    X, labels = digits.X[:60], digits.labels[:60]
    probe = pretraining._probe(model.transform(X), labels)
    guesses = pretraining._classify(
        model, X, labels, digits.X, digits.shape, np.random.default_rng(0), rate=0.1, steps=0
    )
    np.testing.assert_array_equal(guesses, probe.predict(model.transform(digits.X)))


def test_copies_are_the_pictures_themselves_mirrored_or_moved(module):
    shared = module("shared")
    pictures = shared.Job(fast=True, folder=None).faces()
    rows = shared.augmented(pictures, np.random.default_rng(0), copies=3)
    assert rows.shape == (3 * len(pictures.X), pictures.X.shape[1])
    images = pictures.X.reshape(-1, *pictures.shape[:2])
    mirrored = images[:, :, ::-1].reshape(pictures.X.shape)
    for row, plain, turned in zip(
        rows, np.tile(pictures.X, (3, 1)), np.tile(mirrored, (3, 1)), strict=True
    ):
        assert (row == plain).all() or (row == turned).all()
    train, test = pictures.split(seed=0)
    assert not set(train.labels) & set(test.labels)


def test_every_kind_does_what_it_is_for(results):
    """With every seed; what it costs is on the page."""
    kinds = results["kinds"]["kinds"]
    gains = {
        ("conditional", "lower bound (nats)"): 3,
        ("conditional", "digit read off the code"): 0.3,
        ("conditional", "samples that are the digit asked for (plain: by chance)"): 0.7,
        ("importance-weighted, 10 draws", "log-likelihood, 256 draws (nats)"): 0,
        ("free bits, 0.2", "live units of 32"): 1,
        ("total correlation, weight 2", "total correlation (nats)"): 2,
        ("MMD", "from samples to digits"): 0.02,
        ("vector-quantised", "MSE at 48 bits"): 0.002,
        ("U-shaped", "PSNR (dB)"): 0.2,
        ("masked patches", "MSE of hidden patches, plain with lost pixels"): 0.01,
    }
    assert {name for name, _ in gains} == set(kinds)
    for (name, measure), least in gains.items():
        found = kinds[name][measure]
        difference = np.subtract(found["kind"], found["plain"]) * (1 if found["higher"] else -1)
        assert len(difference) == 3 and min(difference) > least, (name, measure)


def test_pytorch_comes_to_the_same(results):
    """Within a twentieth, though order and noise are others."""
    for name, (ours, theirs) in results["same_in_pytorch"]["rows"].items():
        assert abs(ours["mean"] / theirs["mean"] - 1) < 0.05, name
