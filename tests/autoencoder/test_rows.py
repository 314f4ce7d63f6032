"""Proves that weighted rows are repeated rows, that missing numbers and sparse zeros change nothing
but what they should, and that a validation set of one's own is measured and not trained on."""

import numpy as np
import pytest
from scipy import sparse
from sklearn import clone, config_context
from sklearn.impute import SimpleImputer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import autoencoder as ae
from autoencoder.inference import mean_squared_error
from autoencoder.networks import Sizes, build
from autoencoder.objective import loss_terms
from autoencoder.parts import Likelihood, assemble
from autoencoder.rows import Rows, numbers_per_row
from minigrad import tensor

RNG = np.random.default_rng(0)
COUNTS = RNG.integers(0, 4, 30)  # how often each row is there


def data(n=30, d=6):
    rng = np.random.default_rng(1)
    return rng.random((n, 2)) @ rng.random((2, d)) / 2


def quick(kind=ae.Autoencoder, **params):
    """A model whose steps see all rows, so that nothing depends on their order but rounding."""
    settings = dict(n_components=2, max_epochs=6, batch_size=1000, random_state=0)
    # Adam makes a whole step of a gradient that is 0 but for rounding, as a centred bias has one
    how = dict(solver="sgd", schedule=None, learning_rate=0.01)
    return kind(**settings | how | params)


def with_holes(X, rate=0.3):
    X = X.copy()
    X[np.random.default_rng(2).random(X.shape) < rate] = np.nan
    return X


def weights(model):
    return np.concatenate([a.ravel() for a in model.network_.state_dict().values()])


# ---------------------------------------------------------------------- sample_weight
@pytest.mark.parametrize(
    "params",
    [
        dict(),
        dict(likelihood=ae.GaussianLikelihood("optimal")),
        dict(likelihood=ae.GaussianLikelihood(0.3), penalty="l1"),
        dict(likelihood="bernoulli", penalty=("contractive", "weight_decay"), code="sigmoid"),
        dict(likelihood="continuous_bernoulli", hidden=(4,), penalty="contractive", code="tanh"),
        dict(code="sigmoid", penalty=ae.KLSparsity(weight=1.0)),
        dict(hidden=(4,), code="linear"),
    ],
    ids=repr,
)
def test_a_weight_is_how_often_a_row_is_there(params):
    X = data()
    repeated = np.repeat(X, COUNTS, axis=0)
    whole = quick(**params).fit(repeated)
    model = quick(**params).fit(X, sample_weight=7.0 * COUNTS)  # only their ratios count
    np.testing.assert_allclose(weights(model), weights(whole), atol=1e-9)
    np.testing.assert_allclose(model.history_["loss"], whole.history_["loss"], rtol=1e-9)
    np.testing.assert_allclose(model.code_mean_, whole.code_mean_, atol=1e-9)
    np.testing.assert_allclose(model.code_covariance_, whole.code_covariance_, atol=1e-9)
    if isinstance(model._likelihood, ae.GaussianLikelihood):
        assert model.noise_variance_ == pytest.approx(whole.noise_variance_, rel=1e-9)
    unweighted = quick(**params).fit(X)
    assert np.abs(weights(unweighted) - weights(whole)).max() > 1e-4  # it can fail


def test_the_divergence_is_weighted_too():
    """Codes are drawn for each row, so the terms are compared for one draw, twice the same."""
    X, parts = data(), assemble(code="gaussian", penalty="l1")
    network = quick(ae.VariationalAutoencoder, max_epochs=0).fit(X).network_

    draws = RNG.normal(size=(30, 2))
    code = parts.code

    class Same(type(code)):
        def sample(self, h, rng):
            return self.mean(h) + tensor(draws[rng]) * 1.0

    parts = parts._replace(code=Same())
    index = np.repeat(np.arange(30), COUNTS)
    expected, _ = loss_terms(network, parts, tensor(X[index]), tensor(X[index]), index, {})
    weight = COUNTS * 30 / COUNTS.sum()
    found, _ = loss_terms(network, parts, tensor(X), tensor(X), np.arange(30), {}, weight)
    assert set(found) == {"reconstruction", "divergence", "l1"}
    for name in found:
        assert found[name].item() == pytest.approx(expected[name].item(), rel=1e-12)


def test_equal_weights_are_none_and_wrong_ones_are_refused():
    X = data()
    for likelihood in ("gaussian", ae.GaussianLikelihood("optimal"), "bernoulli"):
        plain = quick(likelihood=likelihood).fit(X)
        model = quick(likelihood=likelihood).fit(X, sample_weight=np.full(30, 5.0))
        np.testing.assert_allclose(weights(model), weights(plain), atol=1e-9)
        np.testing.assert_allclose(model.history_["loss"], plain.history_["loss"], rtol=1e-9)
    with pytest.raises(ValueError, match=r"sample_weight\.shape == \(4,\), expected \(30,\)"):
        quick().fit(X, sample_weight=np.ones(4))
    with pytest.raises(ValueError, match=r"at least one non-zero number|a sum above 0"):
        quick().partial_fit(X, sample_weight=np.zeros(30))
    with pytest.raises(ValueError, match=r"[Nn]egative"):
        quick().fit(X, sample_weight=-np.ones(30))


@pytest.mark.parametrize("n", [1, 5])
@pytest.mark.parametrize(
    "params",
    [dict(code="sigmoid", penalty=p) for p in ("l1", "kl_sparsity", "contractive", "mmd")]
    + [dict(code="tanh", penalty=ae.ContractivePenalty(method="hutchinson"))]
    + [dict(code="gaussian", penalty=p) for p in ("total_correlation", "mmd", "l1")]
    + [dict(code=c) for c in (ae.GaussianCode(free_bits=0.1), ae.GaussianCode(n_draws=3))]
    + [dict(code=ae.VectorQuantisedCode(n_vectors=3)), dict(likelihood="optimal_gaussian")]
    + [dict(likelihood=x) for x in ("bernoulli", "continuous_bernoulli")]
    + [dict(likelihood=ae.ColumnLikelihood([("gaussian", 4), ("bernoulli", 2)]))],
    ids=repr,
)
def test_a_batch_in_which_no_row_counts_teaches_nothing(params, n):
    parts, x = assemble(**params), data(n)
    network = build(Sizes(6, 2), parts.code, np.random.default_rng(0), np.float64).train()
    memory = {"kl_sparsity": np.array([0.3, 0.4])}
    given = tensor(x), tensor(x), np.random.default_rng(0), memory, np.zeros(n)
    terms, _ = loss_terms(network, parts, *given)
    free = 2 * getattr(parts.code, "free_bits", 0.0)  # nats that no unit is spared
    assert sum(term.item() for term in terms.values()) == free
    sum(terms.values()).backward()
    for p in network.parameters():
        assert p.grad is None or not p.grad.numpy().any()
    assert memory["kl_sparsity"].tolist() == [0.3, 0.4]


def test_numbers_of_rows_none_of_which_counts():
    observed = np.array([[True, True], [True, False]])
    rows = Rows(np.ones((2, 2)), np.array([0.0, 2.0]), observed)
    assert numbers_per_row(rows, 2) == 1.0 and numbers_per_row(rows[:1], 2) == 2.0


def test_the_first_batch_may_be_one_in_which_no_row_counts():
    parts, memory = assemble(code="sigmoid", penalty="kl_sparsity"), {}
    network = build(Sizes(6, 2), parts.code, np.random.default_rng(0), np.float64).train()
    x = tensor(data())
    loss_terms(network, parts, x, x, RNG, memory, np.zeros(30))
    assert not memory
    _, codes = loss_terms(network, parts, x, x, RNG, memory, np.ones(30))
    np.testing.assert_allclose(memory["kl_sparsity"], codes.numpy().mean(axis=0), rtol=1e-12)


@pytest.mark.parametrize(
    ("kind", "params"),
    [
        (ae.Autoencoder, dict(code="sigmoid", penalty="kl_sparsity")),
        (ae.VariationalAutoencoder, dict(penalty="total_correlation")),
        (ae.VariationalAutoencoder, dict(penalty="mmd", missing="mask", validation_fraction=0.4)),
    ],
    ids=repr,
)
def test_a_row_of_weight_0_alone_in_a_batch(kind, params):
    weight = np.array([1.0, 1.0, 0.0, 1.0, 1.0])
    for batch_size in (1, 4):
        model = quick(kind, batch_size=batch_size, solver="adam", max_epochs=20, **params)
        model.fit(with_holes(data(5)) if "missing" in params else data(5), sample_weight=weight)
        assert model.n_iter_ == 20 and np.isfinite(model.history_["loss"]).all()


def test_weights_in_small_batches_by_partial_fit_and_in_a_validation_split():
    X, weight = data(), RNG.random(30)
    params = dict(batch_size=7, validation_fraction=0.2, patience=3)
    model = quick(**params).fit(X, sample_weight=weight)
    assert np.isfinite(model.history_["validation_loss"]).all()
    steps = quick(batch_size=7)
    for _ in range(6):
        steps.partial_fit(X, sample_weight=weight)
    whole = quick(batch_size=7).fit(X, sample_weight=weight)
    np.testing.assert_array_equal(weights(steps), weights(whole))


class LogProbOnly(Likelihood):
    """Somebody's own likelihood, that knows no single numbers."""

    def check(self, X):
        pass

    def loss(self, t, x):
        return ((t - x) ** 2).sum() / len(t)

    def mean(self, t):
        return t.numpy() if hasattr(t, "numpy") else t


def test_a_likelihood_that_knows_no_single_numbers_refuses_weights():
    X = data()
    model = quick(likelihood=LogProbOnly()).fit(X)
    for how in (dict(sample_weight=np.ones(30)), dict()):
        with pytest.raises(ValueError, match=r"LogProbOnly has no elements\(t, x\)"):
            model.set_params(missing="mask").fit(X if how else with_holes(X), **how)


# ---------------------------------------------------------------------- X_val
def test_a_validation_set_of_ones_own_is_measured_and_not_trained_on():
    X, new, measured = data(), data(50)[30:], []
    plain = quick().fit(X)
    model = quick(validation_fraction=0.5)  # whose place it takes
    model.set_params(callbacks=lambda model, record: measured.append(-model.score(new)))
    losses = model.fit(X, X_val=new).history_["validation_loss"]
    np.testing.assert_allclose(losses, measured, rtol=1e-9)
    assert model.history_["loss"] == plain.history_["loss"]
    kept = quick(learning_rate=3.0).fit(X, X_val=X)  # the best epoch's weights are kept
    assert kept.score(X) >= quick(max_epochs=0).fit(X).score(X)
    with pytest.raises(ValueError, match="5 features, but Autoencoder is expecting 6"):
        quick().fit(X, X_val=new[:, :5])
    with pytest.raises(ValueError, match="must lie in"):
        quick(likelihood="bernoulli").fit(X, X_val=new + 9)


# ---------------------------------------------------------------------- sparse
@pytest.mark.parametrize("make", [sparse.csr_array, sparse.csc_matrix, sparse.coo_array])
@pytest.mark.parametrize("kind", [ae.Autoencoder, ae.VariationalAutoencoder])
def test_sparse_rows_are_the_dense_ones(make, kind):
    X = np.where(RNG.random((40, 6)) < 0.3, RNG.random((40, 6)), 0.0)
    params = dict(kind=kind, likelihood="bernoulli", batch_size=7, validation_fraction=0.2)
    dense, model = quick(**params).fit(X), quick(**params).fit(make(X))
    np.testing.assert_array_equal(weights(model), weights(dense))
    assert model.history_ == dense.history_
    for method in ("transform", "reconstruct", "score_samples"):
        np.testing.assert_array_equal(getattr(model, method)(make(X)), getattr(dense, method)(X))
    optimal = quick(kind, likelihood=ae.GaussianLikelihood("optimal"))
    assert optimal.fit(make(X)).noise_variance_ == optimal.fit(X).noise_variance_
    with pytest.raises(ValueError, match="must lie in"):
        quick(likelihood="bernoulli").fit(make(X * 9))


def test_sparse_rows_are_made_dense_block_by_block(monkeypatch):
    seen, original = [], sparse.csr_array.toarray
    monkeypatch.setattr(
        sparse.csr_array, "toarray", lambda self: (seen.append(len(self.indptr)), original(self))[1]
    )
    X = sparse.random_array((1500, 4000), density=0.01, format="csr", rng=RNG)
    quick(batch_size=16, likelihood="optimal_gaussian", max_epochs=1).fit(X).transform(X)
    assert max(seen) - 1 == 750  # the rows that are diagnosed: every second one


# ---------------------------------------------------------------------- missing numbers
def test_missing_numbers_are_refused_unless_asked_for():
    X = with_holes(data())
    with pytest.raises(ValueError, match=r"X contains NaN: .* fit with missing=\"mask\""):
        quick().fit(X)
    model = quick(missing="mask").fit(data())
    assert np.isfinite(model.transform(X)).all()
    with pytest.raises(ValueError, match="unknown missing 'drop': use 'refuse', 'mask'"):
        quick(missing="drop").fit(data())
    X[:, 2] = np.nan
    with pytest.raises(ValueError, match="column 2 of X has no number at all"):
        quick(missing="mask").fit(X)


@pytest.mark.parametrize("likelihood", ["gaussian", "optimal", "bernoulli"])
def test_what_stands_in_the_place_of_a_missing_number_is_not_in_the_loss(likelihood):
    """The loss by hand over what is known, and its gradient by other values in the holes."""
    likelihood = ae.GaussianLikelihood("optimal") if likelihood == "optimal" else likelihood
    X = with_holes(data())
    known = ~np.isnan(X)
    model = quick(likelihood=likelihood, missing="mask", learning_rate=1e-300, max_epochs=1).fit(X)
    filled = SimpleImputer().fit_transform(X)  # what the network reads
    np.testing.assert_allclose(model.transform(X), model.transform(filled), rtol=1e-12)
    rebuilt = model.reconstruct(X)
    assert np.isfinite(rebuilt).all()  # so it also fills in
    squares = ((X - rebuilt) ** 2)[known]
    if likelihood == "bernoulli":
        nats = -(X * np.log(rebuilt) + (1 - X) * np.log(1 - rebuilt))[known].sum()
    elif likelihood == "gaussian":
        nats = (squares + np.log(2 * np.pi)).sum() / 2
    else:
        assert model.noise_variance_ == pytest.approx(squares.mean(), rel=1e-9)
        nats = known.sum() / 2 * (np.log(2 * np.pi * squares.mean()) + 1)
    assert model.history_["loss"][0] == pytest.approx(nats / 30, rel=1e-9)
    assert model.score(X) == pytest.approx(-nats / 30, rel=1e-9)


def test_networks_learn_from_what_is_known():
    """On rows of rank 2 with a third of the numbers missing, new holes are filled better than by
    the means, and better than by a network that was taught the means."""
    X, new = np.split(4 * data(500, 8), [400])
    params = dict(code="linear", max_epochs=150, batch_size=50, n_components=2)
    holes = with_holes(X)
    model = quick(**params, missing="mask").fit(holes)
    taught_means = quick(**params).fit(SimpleImputer().fit_transform(holes))
    test = with_holes(new, 0.15)
    missing = np.isnan(test)
    filled = SimpleImputer().fit(holes).transform(test)

    def error(values):
        return ((values - new)[missing] ** 2).mean()

    masked, naive = error(model.reconstruct(test)), error(taught_means.reconstruct(filled))
    assert masked < 0.8 * naive < 0.8 * error(filled)


def test_missing_numbers_with_weights_in_files_and_by_partial_fit(tmp_path):
    X = with_holes(data())
    model = quick(ae.VariationalAutoencoder, missing="mask", batch_size=7)
    model.fit(X, sample_weight=RNG.random(30)).partial_fit(X)
    model.save(tmp_path / "model.npz")
    loaded = ae.load(tmp_path / "model.npz")
    for method in ("transform", "score_samples", "elbo", "log_likelihood"):
        np.testing.assert_array_equal(getattr(loaded, method)(X), getattr(model, method)(X))
    np.testing.assert_array_equal(weights(loaded.partial_fit(X)), weights(model.partial_fit(X)))
    assert mean_squared_error(model._model, model._checked(X)) > 0


def test_a_search_hands_the_weights_on():
    X = data()
    search = GridSearchCV(quick(code="linear"), {"n_components": [1, 2]}, cv=2)
    assert search.fit(X, sample_weight=RNG.random(30)).best_params_["n_components"] in (1, 2)
    model = quick().fit(X)
    weighted = model.score(X, sample_weight=COUNTS)
    assert weighted == pytest.approx(model.score(np.repeat(X, COUNTS, axis=0)), rel=1e-12)


# ---------------------------------------------------------------------- through scikit-learn
def test_weights_and_validation_rows_reach_it_through_a_pipeline():
    X, new, weight = data(), data(50)[30:], RNG.random(30)
    for final in (quick(), ae.AutoencoderAnomalyDetector(quick(), random_state=0)):
        scaler = StandardScaler()
        step = "autoencoder" if isinstance(final, ae.Autoencoder) else "autoencoderanomalydetector"
        by_name = make_pipeline(scaler, clone(final))
        by_name.fit(X, **{f"{step}__sample_weight": weight})
        with config_context(enable_metadata_routing=True):
            asks = clone(final).set_fit_request(sample_weight=True, X_val=True)
            unweighted = clone(scaler).set_fit_request(sample_weight=False)
            routed = make_pipeline(unweighted, asks, transform_input=["X_val"])
            routed.fit(X, sample_weight=weight, X_val=new)
        expected = clone(final).fit(scaler.fit_transform(X), sample_weight=weight)
        measured = clone(final).fit(
            scaler.transform(X), sample_weight=weight, X_val=scaler.transform(new)
        )
        for pipeline, alone in ((by_name, expected), (routed, measured)):
            rows = scaler.transform(X)
            scores = pipeline[-1].score_samples(rows)
            np.testing.assert_allclose(scores, alone.score_samples(rows), rtol=1e-12)
        inner = getattr(routed[-1], "autoencoder_", routed[-1])
        assert "validation_loss" in inner.history_
