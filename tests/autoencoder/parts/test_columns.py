"""Proves that mixed tables have, column by column, the likelihoods of their kinds."""

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.compose import make_column_transformer
from sklearn.metrics import log_loss
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import autoencoder as ae
from autoencoder.objective import loss_terms
from autoencoder.parts import assemble
from minigrad import tensor
from minigrad.testing import gradcheck

COLUMNS = [("gaussian", 2), ("categorical", 3), ("bernoulli", 1), ("categorical", 2)]
RNG = np.random.default_rng(0)


def table(n=40):
    rng = np.random.default_rng(1)
    classes, others = rng.integers(0, 3, n), rng.integers(0, 2, n)
    numbers = rng.normal(size=(n, 2)) + classes[:, None]
    yes = (rng.random((n, 1)) < 0.3).astype(float)
    return np.hstack([numbers, np.eye(3)[classes], yes, np.eye(2)[others]])


def test_the_log_likelihood_is_the_sum_of_the_kinds():
    """Normal densities by SciPy, classes and yes or no by scikit-learn's log_loss."""
    X, t = table(), RNG.normal(size=(40, 8))
    likelihood = ae.ColumnLikelihood(COLUMNS, variance=0.4)
    likelihood.check(X)
    each = likelihood.elements(t, X)
    assert each.shape == X.shape
    np.testing.assert_allclose(each[:, :2], norm(t[:, :2], np.sqrt(0.4)).logpdf(X[:, :2]))
    mean = likelihood.mean(t)
    np.testing.assert_array_equal(mean[:, :2], t[:, :2])
    for first, last in ((2, 5), (6, 8)):
        p = mean[:, first:last]
        np.testing.assert_allclose(p.sum(axis=1), 1)
        classes = X[:, first:last].argmax(axis=1)
        expected = log_loss(classes, p, labels=range(last - first))
        assert -each[:, first:last].sum(axis=1).mean() == pytest.approx(expected)
    expected = log_loss(X[:, 5], mean[:, 5])
    assert -each[:, 5].mean() == pytest.approx(expected)
    np.testing.assert_allclose(likelihood.log_prob(t, X), each.sum(axis=1))
    assert likelihood.loss(t, X) == pytest.approx(-each.sum() / 40)
    assert likelihood.constant(8) == 0


def test_one_kind_alone_is_the_likelihood_of_that_kind():
    x, t = RNG.random((5, 4)), RNG.normal(size=(5, 4))
    for kind, same in (
        ("gaussian", ae.GaussianLikelihood(0.5)),
        ("bernoulli", ae.BernoulliLikelihood()),
    ):
        mine = ae.ColumnLikelihood([(kind, 1), (kind, 3)], variance=0.5)
        np.testing.assert_allclose(mine.log_prob(t, x), same.log_prob(t, x), rtol=1e-14)
        np.testing.assert_array_equal(mine.mean(t), same.mean(t))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_loss_is_differentiable_and_keeps_its_dtype(dtype):
    X, likelihood = table(6).astype(dtype), ae.ColumnLikelihood(COLUMNS)
    t = tensor(RNG.normal(size=(6, 8)).astype(dtype), requires_grad=True)
    loss = likelihood.loss(t, tensor(X))
    loss.backward()
    assert (loss.dtype, t.grad.dtype, likelihood.mean(t).dtype) == (dtype,) * 3
    if dtype == np.float64:
        gradcheck(lambda t: likelihood.loss(t, X), [t], order=2)


def test_constant_outputs_are_best_at_the_frequencies_with_a_loss_of_the_entropy():
    X = np.eye(3)[np.repeat([0, 1, 2], [60, 30, 10])]
    frequencies = np.array([0.6, 0.3, 0.1])
    t = tensor(np.log(frequencies)[None], requires_grad=True)
    loss = ae.ColumnLikelihood([("categorical", 3)]).loss(t + np.zeros((100, 1)), X)
    loss.backward()
    np.testing.assert_allclose(t.grad.numpy(), 0, atol=1e-15)
    assert loss.item() == pytest.approx(-(frequencies * np.log(frequencies)).sum(), rel=1e-14)


def test_a_mixed_table_from_pandas_through_a_file(tmp_path):
    pandas = pytest.importorskip("pandas")
    people = pandas.DataFrame(
        {"age": [23.0, 51, 40, 33], "town": ["Ulm", "Kiel", "Ulm", "Bonn"], "smokes": [0, 1, 0, 1]}
    )
    encode = make_column_transformer(
        (StandardScaler(), ["age"]),
        (OneHotEncoder(sparse_output=False), ["town"]),
        ("passthrough", ["smokes"]),
    )
    X = encode.fit_transform(people)
    columns = (("gaussian", 1), ("categorical", 3), ("bernoulli", 1))
    model = ae.VariationalAutoencoder(
        2, likelihood=ae.ColumnLikelihood(columns), max_epochs=2, random_state=0
    ).fit(X)
    model.save(tmp_path / "model.npz")
    loaded = ae.load(tmp_path / "model.npz")
    assert loaded.likelihood.columns == columns
    np.testing.assert_array_equal(loaded.score_samples(X), model.score_samples(X))
    model.set_params(likelihood__variance=0.5).fit(X)


def test_a_missing_class_is_missing_in_all_of_its_columns():
    X = table()
    X[3, 2:5], X[5, 0], X[7, 5] = np.nan, np.nan, np.nan
    model = ae.Autoencoder(
        2, likelihood=ae.ColumnLikelihood(COLUMNS), missing="mask", max_epochs=2, random_state=0
    ).fit(X)
    t, known = model._likelihood.elements, ~np.isnan(X)
    filled = np.where(known, X, model._fill)
    decoded = model.network_.decode(tensor(model.transform(X))).numpy()
    expected = np.where(known, t(decoded, filled), 0).sum(axis=1)
    np.testing.assert_allclose(model.score_samples(X), expected, rtol=1e-9)
    np.testing.assert_allclose(model.reconstruct(X)[:, 2:5].sum(axis=1), 1)
    X[3, 2] = 1.0
    with pytest.raises(ValueError, match=r"columns 2 to 4 hold one class, .* row 3"):
        model.fit(X)


def test_weights_count_in_every_kind():
    X, parts = table(), assemble(likelihood=ae.ColumnLikelihood(COLUMNS))
    network = ae.Autoencoder(2, max_epochs=0).fit(X).network_
    counts = RNG.integers(0, 3, 40)
    repeated = np.repeat(X, counts, axis=0)
    expected, _ = loss_terms(network, parts, tensor(repeated), tensor(repeated), None, {})
    weight = counts * 40 / counts.sum()
    found, _ = loss_terms(network, parts, tensor(X), tensor(X), None, {}, weight)
    assert found["reconstruction"].item() == pytest.approx(expected["reconstruction"].item())


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ("gaussian", "columns must be pairs of a kind"),
        ([("gaussian",)], "columns must be pairs of a kind"),
        ([8], "columns must be pairs of a kind"),
        ([("normal", 8)], r"columns must be pairs of a kind \('gaussian', 'bernoulli'"),
        ([("gaussian", 0), ("gaussian", 8)], "number of gaussian columns must be a whole number"),
        ([("gaussian", 7)], "names 7 columns, and the data have 8"),
        ([("bernoulli", 8)], "must lie in"),
        ([("categorical", 8)], "columns 0 to 7 hold one class, .* but row 0 has"),
    ],
)
def test_wrong_columns_get_a_sentence(columns, message):
    with pytest.raises(ValueError, match=message):
        ae.Autoencoder(2, likelihood=ae.ColumnLikelihood(columns)).fit(table())


@pytest.mark.parametrize("variance", [0, -1.0, "optimal", np.inf])
def test_the_variance_is_a_number(variance):
    with pytest.raises(ValueError, match="variance must be a number above 0"):
        ae.ColumnLikelihood(COLUMNS, variance=variance).check(table())
