"""Proves that each thing that can be wrong with a fit is found, named and said with its cure, and
that a good fit is told nothing."""

import warnings

import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

import autoencoder as ae
from autoencoder import diagnosis
from autoencoder.diagnosis import DiagnosisWarning


def digits(n=300):
    return load_digits().data[:n].astype(np.float32) / 16


def names(model):
    return [finding.name for finding in model.diagnosis_]


def fitted(kind=ae.Autoencoder, X=None, **params):
    """The model, and what its fit warned of."""
    model = kind(**{"n_components": 8, "random_state": 0} | params)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always", DiagnosisWarning)
        model.fit(digits() if X is None else X)
    return model, [str(w.message) for w in seen if w.category is DiagnosisWarning]


def test_a_good_fit_is_told_nothing():
    model, said = fitted()
    assert (names(model), said) == ([], [])


@pytest.mark.parametrize(
    ("name", "sentence", "params"),
    [
        ("worse than the mean", "is not below that of the mean", dict(max_epochs=1)),
        ("worse than PCA", "of a principal component analysis of 8", dict(max_epochs=20)),
        ("loss still falling", "the loss was still falling", dict(max_epochs=10, schedule=None)),
        ("more code than data", "for 6 rows", dict(X=digits(6), max_epochs=5)),
        (
            "dead units",
            "hidden relu units are 0 for all rows",
            dict(hidden=(64,), learning_rate=1.0, max_epochs=3),
        ),
        (
            "codes all equal",
            "all rows have the same code",
            dict(penalty=ae.L1Penalty(1e6), code="relu", max_epochs=40, learning_rate=0.1),
        ),
        (
            "silent code units",
            "8 of the 8 code units carry less than 0.01 nats",
            dict(kind=ae.VariationalAutoencoder, code=ae.GaussianCode(beta=1e4), max_epochs=60),
        ),
        (
            "saturated outputs",
            "of the outputs are 0 or 1 where the data are not",
            dict(likelihood="bernoulli", learning_rate=30.0, max_epochs=2),
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 22 else "",
)
def test_what_is_wrong_is_found_and_warned_of(name, sentence, params):
    model, said = fitted(**params)
    assert name in names(model)
    assert [s for s in said if sentence in s], said
    assert len(said) == sum(finding.is_warning for finding in model.diagnosis_)
    order = [finding.is_warning for finding in model.diagnosis_]
    assert order == sorted(order, reverse=True)  # the worst first


def test_a_rising_validation_loss_is_found_and_no_reason_to_warn():
    X = np.random.default_rng(0).normal(size=(60, 30)).astype(np.float32)
    more = dict(X=X, n_components=20, validation_fraction=0.3, hidden=(64,), max_epochs=200)
    model, said = fitted(**more)
    assert "validation loss rising" in names(model)
    assert not [s for s in said if "validation" in s]
    sentence = next(f.sentence for f in model.diagnosis_ if f.name == "validation loss rising")
    assert f"lowest after epoch {model.best_epoch_} of 200" in sentence


def error_of_pca(X):
    pca = PCA(8, svd_solver="full").fit(X)
    return np.square(X - pca.inverse_transform(pca.transform(X))).mean()


def test_the_yardstick_is_the_error_of_principal_components():
    X = digits()
    least, tolerance = diagnosis.principal_error(X, X, 8)
    assert least == pytest.approx(error_of_pca(X), rel=1e-4) and tolerance == 1.1
    wide = np.random.default_rng(0).normal(size=(50, 2000))  # by the other product of the two
    assert diagnosis.principal_error(wide, wide, 8)[0] == pytest.approx(error_of_pca(wide))


def test_it_looks_at_rows_of_all_kinds():
    X = digits()
    for rows in (
        sparse.csr_array(X),
        np.where(np.random.default_rng(0).random(X.shape) < 0.1, np.nan, X),
    ):
        model, _ = fitted(X=rows, missing="mask", max_epochs=1, learning_rate=1e-6)
        assert names(model)[0] == "worse than the mean"


class OfTheirOwn:
    """A likelihood with nothing but what is asked for: no base, no inverse mean."""

    def get_params(self, deep=False):
        return {}

    def check(self, X):
        pass

    def loss(self, t, x):
        return ((t - x) ** 2).sum() / len(t)

    def constant(self, n_features):
        return 0.0

    def mean(self, t):
        return t.numpy() if hasattr(t, "numpy") else t


def test_outputs_of_a_likelihood_of_ones_own_are_not_taken_for_logits():
    X = 100 * digits()
    model, _ = fitted(X=X, likelihood=OfTheirOwn(), max_epochs=3)
    assert model._scaling is None and np.abs(model.reconstruct(X)).max() > 15
    assert "saturated outputs" not in names(model)


def test_equal_rows_have_equal_codes_and_nothing_is_wrong_with_that():
    _, said = fitted(X=np.ones((30, 4)), n_components=1)
    assert said == []


def test_an_interrupted_fit_has_no_verdict_of_an_earlier_one():
    model, _ = fitted(max_epochs=1)

    def stop(model, record):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        model.set_params(callbacks=stop).fit(digits())
    assert not hasattr(model, "diagnosis_")


def test_partial_fit_and_untrained_ones_are_not_judged_and_files_keep_the_verdict(tmp_path):
    X = digits()
    model = ae.Autoencoder(8, max_epochs=0).fit(X)
    assert model.diagnosis_ == []
    assert not hasattr(ae.Autoencoder(8).partial_fit(X), "diagnosis_")
    model, _ = fitted(max_epochs=1)
    model.save(tmp_path / "m.npz")
    assert ae.load(tmp_path / "m.npz").diagnosis_ == model.diagnosis_
