"""Proves that untouched estimators are sensible models of real data: none ends worse than the mean,
each is near principal components of the same length or says that it is not.

Only their length is cut here, to a quarter; `benchmarks/defaults.py` has the whole table.
"""

import warnings

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.decomposition import PCA

import autoencoder as ae
from autoencoder import budget
from autoencoder.diagnosis import DiagnosisWarning

KINDS = (
    ae.Autoencoder,
    ae.DenoisingAutoencoder,
    ae.SparseAutoencoder,
    ae.ContractiveAutoencoder,
    ae.VariationalAutoencoder,
)


@pytest.fixture(autouse=True)
def _a_quarter_of_the_steps(monkeypatch):
    monkeypatch.setattr(budget, "STEPS", 1000)


def digits():
    return load_digits().data.astype(np.float32)[::2] / 16


def error_of_pca(X, k):
    pca = PCA(k).fit(X)
    return np.square(X - pca.inverse_transform(pca.transform(X))).mean()


def fitted(kind, X, **params):
    """An untouched model, and the names of what it warned of."""
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always", DiagnosisWarning)
        model = kind(random_state=0, **params).fit(X)
    assert len(seen) == sum(finding.is_warning for finding in model.diagnosis_)
    return model, [finding.name for finding in model.diagnosis_]


@pytest.mark.parametrize("kind", KINDS)
def test_digits_untouched(kind):
    """The mean image has 0.073, sixteen principal components 0.011."""
    X = digits()
    model, found = fitted(kind, X)
    assert model.transform(X).shape[1] == 16  # a quarter of 64
    error, least = np.square(model.reconstruct(X) - X).mean(), error_of_pca(X, 16)
    assert error < (3 if kind is ae.SparseAutoencoder else 2) * least
    assert ("worse than PCA" in found) == (error > 1.1 * least)
    assert set(found) <= {"worse than PCA"}
    if kind is ae.SparseAutoencoder:
        assert 0.05 < model.transform(X).mean() < 0.12


@pytest.mark.parametrize("load", [load_breast_cancer, load_wine])
@pytest.mark.parametrize("kind", [ae.Autoencoder, ae.VariationalAutoencoder])
def test_raw_tables_untouched(kind, load):
    """Columns of thousands beside columns of thousandths; the error is in standard deviations."""
    X = load().data
    model, found = fitted(kind, X)
    std, k = X.std(axis=0), model.transform(X).shape[1]
    error = np.square((model.reconstruct(X) - X) / std).mean()
    assert error < 1.4 * error_of_pca(X / std, k)
    assert "worse than the mean" not in found
    assert np.isfinite(model.score_samples(X)).all()


def test_a_variational_one_of_small_numbers():
    """Dark pictures: it reached the mean only, before they were put into units."""
    X = digits()
    model, found = fitted(ae.VariationalAutoencoder, X * 0.03)
    error = np.square(model.reconstruct(X * 0.03) / 0.03 - X).mean()
    assert error < 3 * error_of_pca(X, 16)  # the mean has more than six times as much
    assert "worse than the mean" not in found


def test_a_variational_one_of_large_numbers():
    """The loss was 2e195 before data were put into units."""
    X = np.random.default_rng(0).normal(100, 50, (500, 20))
    model, _ = fitted(ae.VariationalAutoencoder, X, n_components=5, max_epochs=30)
    assert abs(model.history_["loss"][-1]) < 100
    truth = -20 * (np.log(50) + np.log(2 * np.pi) / 2 + 0.5)  # minus the entropy of the data
    assert model.score(X) == pytest.approx(truth, abs=3)


def test_an_image_shape_alone_makes_a_convolutional_network():
    X = digits()[:100]
    model, _ = fitted(ae.Autoencoder, X, image_shape=(8, 8, 1), max_epochs=1)
    assert model._sizes.hidden == (16, 32)
    shapes = {name: a.shape for name, a in model.network_.state_dict().items()}
    assert (3, 3, 1, 16) in shapes.values()
