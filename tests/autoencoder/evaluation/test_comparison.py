"""Every number in an evaluation is the metric that its row says, and known models get known rows.

The known models are PCA in the clothes of an autoencoder, whose rows must equal the baselines'.
"""

import io
import json
import sys

import numpy as np
import pytest
from scipy.stats import multivariate_normal
from sklearn.base import BaseEstimator
from sklearn.decomposition import PCA

from autoencoder.datasets import load_digits, make_faces
from autoencoder.estimator import Autoencoder
from autoencoder.evaluation import comparison, evaluate, metrics, table, wiener
from autoencoder.parts import GaussianNoise, MaskingNoise
from autoencoder.variants import DenoisingAutoencoder, VariationalAutoencoder

SHAPE = (8, 8, 1)
DIGITS = load_digits()
ROWS = DIGITS.images.reshape(len(DIGITS.images), -1)  # (1797, 64) float32
TRAIN, TEST = ROWS[:600], ROWS[600:800]
LABELS = DIGITS.labels[:600], DIGITS.labels[600:800]


class Linear(BaseEstimator):
    """PCA as the interface of the estimators has it; with max_epochs=0, random directions."""

    def __init__(self, n_components=8, noise=None, image_shape=None, max_epochs=1, callbacks=None):
        self.n_components = n_components
        self.noise = noise
        self.image_shape = image_shape
        self.max_epochs = max_epochs
        self.callbacks = callbacks

    def fit(self, X):
        for callback in self.callbacks or ():
            callback(self, {})
        self.pca_ = PCA(self.n_components, svd_solver="full").fit(X.astype(np.float64))
        if self.max_epochs == 0:
            random = np.random.default_rng(0).normal(size=(X.shape[1], self.n_components))
            self.pca_.components_ = np.linalg.qr(random)[0].T
        return self

    def transform(self, X):
        return self.pca_.transform(X.astype(np.float64))

    def reconstruct(self, X):
        return self.pca_.inverse_transform(self.transform(X))


class ProbabilisticPCA(Linear):
    """The exact linear VAE: posterior means and variances from Tipping & Bishop 1999."""

    likelihood = "gaussian"

    def fit(self, X):
        X = X.astype(np.float64)
        super().fit(X)
        values, vectors = np.linalg.eigh(np.cov(X, rowvar=False, bias=True))
        values, vectors = values[::-1], vectors[:, ::-1][:, : self.n_components]
        self.noise_ = values[self.n_components :].mean()
        self.mean_ = X.mean(axis=0)
        self.W_ = vectors * np.sqrt(values[: self.n_components] - self.noise_)  # (D, k)
        return self

    def posterior(self, X):
        M = self.W_.T @ self.W_ + self.noise_ * np.eye(self.n_components)  # diagonal
        means = (X - self.mean_) @ self.W_ @ np.linalg.inv(M)
        return means, np.broadcast_to(np.log(self.noise_ / np.diag(M)), means.shape)

    def elbo(self, X, n_draws=16):
        covariance = self.W_ @ self.W_.T + self.noise_ * np.eye(len(self.mean_))
        return multivariate_normal(self.mean_, covariance).logpdf(X)

    def log_likelihood(self, X, n_draws=64):
        return self.elbo(X)


def check_equal(row, expected):
    assert row.keys() == expected.keys()
    for name, value in row.items():
        assert value == pytest.approx(expected[name], rel=1e-6), name


def plain(results):
    for rows in results.values():
        for row in rows.values():
            assert all(type(value) in (float, int) for value in row.values())
    assert json.loads(json.dumps(results, allow_nan=False)) == results


# Known models


def test_pca_in_disguise_has_the_row_of_pca():
    results = evaluate(Linear().fit(TRAIN), TRAIN, TEST, image_shape=SHAPE, labels=LABELS)
    assert list(results) == ["reconstruction", "codes"]
    assert list(results["reconstruction"]) == ["model", "PCA 8", "untrained network", "mean image"]
    assert list(results["codes"]) == ["model", "PCA 8", "untrained network", "raw pixels"]
    for section in results.values():
        check_equal(section["model"], section["PCA 8"])
    mse = {name: row["MSE"] for name, row in results["reconstruction"].items()}
    assert mse["model"] < mse["mean image"] < mse["untrained network"] * 1.5
    assert mse["untrained network"] > 2 * mse["model"]
    plain(results)


def test_reconstruction_rows_are_the_metrics():
    model = Linear(5).fit(TRAIN)
    rows = evaluate(model, TRAIN, TEST, image_shape=SHAPE)["reconstruction"]
    mean = np.broadcast_to(TRAIN.mean(axis=0, dtype=np.float64), TEST.shape)
    untrained = Linear(5, max_epochs=0).fit(TRAIN)
    for name, rebuilt in {
        "model": model.reconstruct(TEST),
        "untrained network": untrained.reconstruct(TEST),
        "mean image": mean,
    }.items():
        images = TEST.reshape(-1, *SHAPE), rebuilt.reshape(-1, *SHAPE)
        expected = {"MSE": np.square(TEST - rebuilt).mean(), "PSNR": metrics.psnr(*images)}
        check_equal(rows[name], expected | {"SSIM": metrics.ssim(*images)})


def test_code_rows_are_the_metrics():
    model = Linear(3).fit(TRAIN)
    rows = evaluate(model, TRAIN, TEST, labels=LABELS)["codes"]
    for name, codes in {
        "model": (model.transform(TRAIN), model.transform(TEST)),
        "raw pixels": (TRAIN, TEST),
    }.items():
        sides = codes[0], LABELS[0], codes[1], LABELS[1]
        check_equal(
            rows[name],
            {
                "linear probe": metrics.linear_probe(*sides),
                "kNN": metrics.knn_accuracy(*sides),
                "trustworthiness": metrics.trustworthiness(TEST, codes[1]),
            },
        )
    assert rows["raw pixels"]["trustworthiness"] == pytest.approx(1, abs=1e-4)  # ties
    assert rows["model"]["linear probe"] < rows["raw pixels"]["linear probe"]


def test_the_exact_linear_vae_has_the_evidence_of_probabilistic_pca():
    varying = TRAIN.std(axis=0) > 0.02
    train, test = TRAIN[:, varying], TEST[:, varying]
    results = evaluate(ProbabilisticPCA(6).fit(train), train, test)
    assert list(results["likelihood"]) == ["model", "untrained network", "probabilistic PCA 6"]
    model, exact = (results["likelihood"][name] for name in ("model", "probabilistic PCA 6"))
    assert model["ELBO"] == pytest.approx(exact["ELBO"], rel=1e-9)
    assert exact["importance-weighted bound"] == exact["ELBO"]
    assert model["active units"] == 6
    units = results["units"]
    divergences = [row["KL"] for row in units.values()]
    assert divergences == sorted(divergences, reverse=True)
    assert sum(divergences) == pytest.approx(model["KL"])
    assert sorted(units) == [f"unit {i}" for i in range(6)]
    means, _ = ProbabilisticPCA(6).fit(train).posterior(test)
    assert units["unit 2"]["variance of mean"] == pytest.approx(means[:, 2].var())
    plain(results)


def test_denoising_is_scored_against_the_clean_images():
    noise = GaussianNoise(std=0.3)
    model = Linear(8, noise=noise).fit(TRAIN)
    rows = evaluate(model, TRAIN, TEST, rng=np.random.default_rng(7))["reconstruction"]
    assert list(rows) == [
        "model", "PCA 8", "untrained network", "Wiener filter", "noisy input", "mean image"
    ]  # fmt: skip
    noisy = noise.corrupt(TEST, np.random.default_rng(7))
    check_equal(rows["model"], rows["PCA 8"])
    for name, rebuilt in {
        "model": model.reconstruct(noisy),
        "noisy input": noisy,
    }.items():
        assert rows[name]["MSE"] == pytest.approx(np.square(TEST - rebuilt).mean(), rel=1e-6)
    # the strength of the noise is measured, and found
    filtered = wiener(TRAIN, 0.3)(noisy)
    assert rows["Wiener filter"]["MSE"] == pytest.approx(
        np.square(TEST - filtered).mean(), rel=1e-3
    )
    assert rows["noisy input"]["MSE"] == pytest.approx(0.09, rel=0.03)
    order = ["Wiener filter", "model", "noisy input"]
    assert sorted(order, key=lambda name: rows[name]["MSE"]) == order
    assert evaluate(model, TRAIN, TEST) == evaluate(model, TRAIN, TEST)  # the same noise each time


def test_every_kind_of_noise_and_none_at_all_can_be_evaluated():
    for noise in ("masking", "salt_and_pepper", "heteroscedastic", MaskingNoise(0.5)):
        rows = evaluate(Linear(4, noise=noise).fit(TRAIN), TRAIN, TEST)["reconstruction"]
        assert rows["Wiener filter"]["MSE"] < rows["noisy input"]["MSE"]
    rows = evaluate(Linear(4, noise=GaussianNoise(0.0)).fit(TRAIN), TRAIN, TEST)["reconstruction"]
    assert "Wiener filter" not in rows
    assert rows["noisy input"]["PSNR"] == np.inf


def test_new_people_are_asked_with_few_labels():
    faces = make_faces(people=8, variations=6, size=12)
    X = faces.images.reshape(48, -1)
    test = faces.labels >= 5
    model = Linear(6, image_shape=(12, 12, 1)).fit(X[~test])
    results = evaluate(model, X[~test], X[test], labels=(faces.labels[~test], faces.labels[test]))
    assert "SSIM" in results["reconstruction"]["model"]  # the model's own image_shape
    rows = results["codes"]
    assert list(rows["model"]) == ["probe with 5 labels each", "its spread", "trustworthiness"]
    check_equal(rows["model"], rows["PCA 6"])  # asked with the same draws
    assert 0.4 < rows["raw pixels"]["probe with 5 labels each"] <= 1
    plain(results)


def test_measuring_shows_bars_only_on_request_and_on_a_terminal(monkeypatch):
    model = Linear(4, max_epochs=1).fit(TRAIN)

    def shown(terminal, **more):
        monkeypatch.setattr(sys, "stderr", io.StringIO())
        sys.stderr.isatty = lambda: terminal
        evaluate(model, TRAIN, TEST, labels=LABELS, **more)
        return sys.stderr.getvalue()

    assert shown(True) == shown(False, progress=True) == ""
    assert "measuring codes: 100%" in shown(True, progress=True)


def test_large_sets_are_sampled(monkeypatch):
    sizes = {"probe": set(), "trust": set()}

    def probe(train, labels, test, answers):
        sizes["probe"].add((len(train), len(labels), len(test), len(answers)))
        return 0.5

    def trust(X, codes, n_neighbors):
        sizes["trust"].add((len(X), len(codes)))
        np.testing.assert_array_equal(codes[:, :3], X[:, :3])  # the same examples on both sides
        return 0.5

    class FirstThree(Linear):
        def transform(self, X):
            return X[:, :3]

        def reconstruct(self, X):
            return X

    monkeypatch.setattr(metrics, "linear_probe", probe)
    monkeypatch.setattr(metrics, "trustworthiness", trust)
    monkeypatch.setattr("autoencoder.evaluation.comparison.MAX_TRUSTWORTHINESS", 40)
    monkeypatch.setattr(
        "autoencoder.evaluation.comparison.principal_components", lambda X, k: Identity(X)
    )
    evaluate(FirstThree(max_epochs=1).fit(TRAIN), TRAIN, TEST, labels=LABELS, max_probe=100)
    assert sizes == {"probe": {(100, 100, 100, 100)}, "trust": {(40, 40)}}


class Identity:
    """Instead of PCA: the first three pixels."""

    def __init__(self, X):
        self.directions = np.eye(X.shape[1])[:3]

    def _replace(self, directions):
        return self

    def transform(self, X):
        return X[:, :3]

    def reconstruct(self, X):
        return X


def test_fitting_the_untrained_network_calls_nobody_back():
    called = []
    model = Linear(3, callbacks=[lambda *arguments: called.append(1)]).fit(TRAIN)
    before = model.get_params(), model.pca_.components_.copy(), len(called)
    evaluate(model, TRAIN, TEST)
    assert len(called) == before[2] == 1
    assert model.get_params() == before[0]  # and the model is left as it was
    assert (model.pca_.components_ == before[1]).all()


def test_a_code_longer_than_the_rank_is_compared_with_all_components():
    few = TRAIN[:6].astype(np.float64)
    rows = evaluate(Linear(5).fit(few), few, few)["reconstruction"]
    assert rows["PCA 5"]["MSE"] == pytest.approx(0, abs=1e-25)
    model = Autoencoder(20, max_epochs=0, random_state=0).fit(few)
    assert "PCA 5" in evaluate(model, few, few)["reconstruction"]


def test_the_untrained_network_has_the_weights_that_the_training_began_with():
    few = TRAIN[:40].astype(np.float64)
    settings = dict(max_epochs=3, random_state=0)
    rows = evaluate(Autoencoder(3, **settings).fit(few), few, few)["reconstruction"]
    began = Autoencoder(3, **{**settings, "max_epochs": 0}).fit(few)
    expected = np.mean((few - began.reconstruct(few)) ** 2)
    assert rows["untrained network"]["MSE"] == pytest.approx(expected, rel=1e-12)


# The real estimators


def test_a_trained_autoencoder_beats_its_untrained_self():
    model = Autoencoder(
        16, code="linear", learning_rate=1e-2, max_epochs=15, verbose=0, random_state=0
    ).fit(TRAIN)
    results = evaluate(model, TRAIN, TEST, image_shape=SHAPE, labels=LABELS)
    rows = results["reconstruction"]
    assert rows["PCA 16"]["MSE"] < rows["model"]["MSE"]  # it is linear, so PCA is its limit
    assert rows["model"]["MSE"] < 0.5 * rows["untrained network"]["MSE"]
    begin = Autoencoder(16, code="linear", max_epochs=0, random_state=0).fit(TRAIN)
    expected = metrics.mse(TEST, begin.reconstruct(TEST))
    assert rows["untrained network"]["MSE"] == pytest.approx(expected, rel=1e-9)
    plain(results)


@pytest.mark.parametrize("likelihood", ["gaussian", "bernoulli"])
def test_a_variational_autoencoder_has_its_bounds(likelihood):
    model = VariationalAutoencoder(4, likelihood=likelihood, max_epochs=3, random_state=0)
    results = evaluate(model.fit(TRAIN), TRAIN, TEST, n_draws=8)
    rows = results["likelihood"]
    # a Bernoulli's probabilities and a Gaussian's densities cannot be compared
    assert ("probabilistic PCA 4" in rows) == (likelihood == "gaussian")
    assert rows["model"]["ELBO"] == pytest.approx(model.elbo(TEST).mean(), rel=1e-9)
    expected = model.log_likelihood(TEST, 8).mean()
    assert rows["model"]["importance-weighted bound"] == pytest.approx(expected, rel=1e-9)
    means, log_variances = model.posterior(TEST)
    kl = 0.5 * (means**2 + np.exp(log_variances) - 1 - log_variances).sum(axis=1).mean()
    assert rows["model"]["KL"] == pytest.approx(kl, rel=1e-4)
    assert rows["model"]["ELBO"] > rows["untrained network"]["ELBO"]
    assert len(results["units"]) == 4
    plain(results)


def test_a_denoising_autoencoder_is_shown_its_noise():
    model = DenoisingAutoencoder(8, max_epochs=2, random_state=0).fit(TRAIN)
    rows = evaluate(model, TRAIN, TEST, rng=np.random.default_rng(1))["reconstruction"]
    noisy = GaussianNoise().corrupt(TEST, np.random.default_rng(1))
    expected = metrics.mse(TEST, model.reconstruct(noisy))
    assert rows["model"]["MSE"] == pytest.approx(expected, rel=1e-9)


# The table


def test_the_table_is_aligned_and_complete():
    results = evaluate(Linear().fit(TRAIN), TRAIN, TEST, image_shape=SHAPE, labels=LABELS)
    text = table(results)
    first, second = text.split("\n\n")
    assert first.startswith("Reconstruction of the test samples (PSNR in dB)\n")
    for part, section in ((first, "reconstruction"), (second, "codes")):
        _, header, *lines = part.split("\n")
        assert {len(line) for line in lines} == {len(header)}
        for line, (name, row) in zip(lines, results[section].items(), strict=True):
            assert line.startswith(name)
            shown = [float(cell) for cell in line.removeprefix(name).split()]
            np.testing.assert_allclose(shown, list(row.values()), rtol=0.01)


def test_cells_have_the_decimals_of_their_column():
    rows = {"a": {"small": 0.0182837, "db": 27.694, "n": 3, "huge": -12345.678, "inf": np.inf},
            "b": {"small": 0.00003, "n": 12, "huge": 1.0, "inf": 2.0}}  # fmt: skip
    assert table({"anything": rows}).split("\n") == [
        "anything",
        "     small     db   n       huge     inf",
        "a  0.01828  27.69   3  -12345.68     inf",
        "b  0.00003      -  12       1.00  2.0000",
    ]


@pytest.mark.parametrize(
    ("values", "decimals"),
    [([1, 2], 0), ([0.0999], 5), ([0.1], 4), ([9.99, 9.98], 4), ([10.0], 2), ([10.5], 2),
     ([9999.0], 2), ([1e4], 1), ([-0.05, np.inf, np.nan], 5), ([np.nan], 5), ([1, 2.5], 4),
     ([0.01, 20.0, 30.0], 2)],
)  # fmt: skip
def test_a_column_has_the_decimals_of_its_middle_number(values, decimals):
    assert comparison._decimals(values) == decimals


# Refusals


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((TRAIN, TEST.reshape(-1, *SHAPE)), r"flat samples .*\(200, 8, 8, 1\) to score"),
        ((TRAIN, TEST[:, :5]), r"\(600, 64\) to learn from and \(200, 5\) to score"),
    ],
)
def test_arrays_that_do_not_fit_are_one_sentence(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        evaluate(Linear().fit(TRAIN), *arguments)


def test_labels_and_shapes_that_do_not_fit_are_one_sentence():
    model = Linear().fit(TRAIN)
    with pytest.raises(ValueError, match=r"image_shape \(8, 9, 1\) has 72 pixels, .* have 64"):
        evaluate(model, TRAIN, TEST, image_shape=(8, 9, 1))
    with pytest.raises(ValueError, match=r"600 and 200 samples, got \(200,\) and \(600,\)"):
        evaluate(model, TRAIN, TEST, labels=LABELS[::-1])
