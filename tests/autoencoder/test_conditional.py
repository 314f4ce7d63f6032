"""Conditional autoencoders: labels beside data and code. For linear-Gaussian data the end is known:
the conditional one is probabilistic PCA of the rows less the means of their classes."""

import warnings

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV

import autoencoder as ae
from autoencoder.networks import Sizes, build
from autoencoder.parts import GaussianCode
from minigrad.nn import Dense

D, K, N = 6, 2, 600
NAMES = np.array(["cat", "dog", "emu"])
EXACT = dict(
    scale=None, batch_size=N, learning_rate=0.02, schedule="cosine", max_epochs=1200, random_state=0
)


@pytest.fixture(scope="module")
def data():
    """Rows (N, D) around the means of three classes, in two more directions, and their labels."""
    rng = np.random.default_rng(0)
    y = np.tile([0, 1, 2], N // 3)
    means = 2 * rng.standard_normal((3, D))
    W = rng.standard_normal((K, D))
    X = means[y] + rng.standard_normal((N, K)) @ W + 0.3 * rng.standard_normal((N, D))
    return X, NAMES[y]


@pytest.fixture(scope="module")
def fitted(data):
    X, y = data
    return ae.VariationalAutoencoder(K, conditional=True, **EXACT).fit(X, y)


def class_means(X, y):
    return np.stack([X[y == name].mean(axis=0) for name in NAMES])


def within(X, y):
    """The rows less the mean of their class."""
    return X - class_means(X, y)[np.searchsorted(NAMES, y)]


def test_it_reaches_probabilistic_pca_of_the_rows_less_their_class_means(data, fitted):
    X, y = data
    rest = within(X, y)
    exact = PCA(K).fit(rest).score(rest)
    assert fitted.elbo(X, 200, y).mean() == pytest.approx(exact, abs=0.03)
    assert fitted.log_likelihood(X, 50, y).mean() == pytest.approx(exact, abs=0.02)
    assert fitted.score(X, y) == fitted.score_samples(X, y).mean()
    assert fitted.noise_variance_ == pytest.approx(PCA(K).fit(rest).noise_variance_, rel=0.02)
    plain = PCA(K).fit(X).score(X)  # what one of the same size reaches that does not know them
    assert exact - plain > 2


def test_a_class_that_is_asked_for_has_its_mean_and_the_code_does_not_carry_it(data, fitted):
    X, y = data
    for name, mean in zip(NAMES, class_means(X, y), strict=True):
        drawn = fitted.sample(4000, y=name, random_state=0)
        assert abs(drawn.mean(axis=0) - mean).max() < 0.15
        centre = fitted.inverse_transform(np.zeros((1, K)), [name])[0]
        np.testing.assert_allclose(centre, mean, atol=0.05)
    each = fitted.sample(3, y=NAMES, random_state=0)
    z = np.random.default_rng(np.random.RandomState(0).randint(2**31)).standard_normal((3, K))
    np.testing.assert_array_equal(each, fitted.inverse_transform(z, NAMES))
    of_classes = [fitted.transform(X, y)[y == name].mean(axis=0) for name in NAMES]
    assert abs(np.array(of_classes)).max() < 0.05
    plain = ae.VariationalAutoencoder(K, **EXACT).set_params(max_epochs=300).fit(X)
    of_classes = [plain.transform(X)[y == name].mean(axis=0) for name in NAMES]
    assert abs(np.array(of_classes)).max() > 0.5


def test_reconstruct_is_transform_and_back_and_labels_matter(data, fitted):
    X, y = data
    rebuilt = fitted.reconstruct(X, y)
    np.testing.assert_allclose(rebuilt, fitted.inverse_transform(fitted.transform(X, y), y))
    assert (
        np.square(X - rebuilt).mean() < np.square(X - fitted.reconstruct(X, np.roll(y, 1))).mean()
    )
    mean, log_variance = fitted.posterior(X, y)
    np.testing.assert_array_equal(mean, fitted.transform(X, y))
    assert log_variance.shape == (N, K)
    swapped = fitted.reconstruct(X, np.where(y == "cat", "dog", "cat"))
    assert np.square(X - rebuilt).mean() < 0.1 < np.square(X - swapped).mean()


QUICK = dict(max_epochs=3, random_state=0)


def images():
    digits = load_digits()
    return digits.data[:200].astype(np.float32) / 16, digits.target[:200]


@pytest.mark.parametrize(
    "params",
    [
        dict(hidden=(16,)),
        dict(image_shape=(8, 8, 1), hidden=(4, 8)),
        dict(code="linear", noise="gaussian", penalty=("kl_sparsity",)),
        dict(code="sigmoid", noise="patches", penalty=("kl_sparsity", "contractive", "mmd")),
        dict(code=ae.GaussianCode(n_draws=3), likelihood="bernoulli"),
        dict(noise=ae.PatchMasking(scored="hidden"), likelihood="gaussian", dropout=0.1),
        dict(code="vector_quantised", penalty="weight_decay", validation_fraction=0.3),
    ],
    ids=str,
)
def test_every_kind_can_be_conditional(params, tmp_path):
    X, y = images()
    if params.get("code") == "linear":
        params = {**params, "penalty": ("l1", "contractive")}
    model = ae.VariationalAutoencoder(4, conditional=True, **QUICK).set_params(**params)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a few epochs are found wanting
        model = clone(model).fit(X, y)
    model.save(tmp_path / "model.npz")
    again = ae.load(tmp_path / "model.npz")
    np.testing.assert_array_equal(again.classes_, np.arange(10))
    np.testing.assert_array_equal(again.reconstruct(X, y), model.reconstruct(X, y))
    for other in (model, again):
        other.partial_fit(X, y)
    assert again.history_["loss"] == model.history_["loss"]
    drawn = again.sample(5, y=3, prior="gaussian", random_state=0)
    assert drawn.shape == (5, 64) and drawn.dtype == np.float32


def test_labels_are_no_data():
    """The loss, the noise, the units and the penalties of a conditional autoencoder are those of
    its data: with labels that are all the same it is the plain one, but for the weights that the
    single label has."""
    X = np.random.default_rng(0).normal(5, 3, (80, D))
    params = dict(
        noise="masking", penalty="contractive", scale="standard", max_epochs=0, random_state=0
    )
    model = ae.Autoencoder(K, conditional=True, **params).fit(X, np.zeros(80))
    network = model.network_
    assert network.center.shape == (D + 1,) and network.offset.shape == (D,)
    assert [p.shape for p in network.parameters()] == [(D + 1, K), (K,), (K + 1, D), (D,)]
    state = network.state_dict()
    plain = ae.Autoencoder(K, **params).fit(X)
    own = {name: a[: len(b)] for (name, a), b in zip(
        state.items(), plain.network_.state_dict().values(), strict=True)}  # fmt: skip
    plain.network_ = _with_state(plain.network_, own)
    state["encoder.layers.0.weight"][-1] = state["decoder.layers.0.weight"][-1] = 0
    model.network_ = _with_state(network, state)
    for one in (model, plain):
        one.set_params(max_epochs=1, warm_start=True, learning_rate=1e-12)
    model.fit(X, np.zeros(80))
    plain.fit(X)
    for name in ("loss", "reconstruction", "contractive", "l2_loss"):
        np.testing.assert_allclose(model.history_[name], plain.history_[name], rtol=1e-9)
    np.testing.assert_allclose(model.score_samples(X, np.zeros(80)), plain.score_samples(X))


@pytest.mark.parametrize("hidden", [(), (4,)], ids=["one layer", "row by row"])
@pytest.mark.parametrize("method", ["exact", "hutchinson"])
def test_the_code_is_contractive_by_the_data_alone(hidden, method):
    """Of a linear encoder the Jacobian is the product of its weights, without those of labels."""
    penalty = ae.ContractivePenalty(1.0, method)
    given = dict(hidden=hidden, activation="linear", penalty=penalty, learning_rate=1e-12)
    X, y = np.random.default_rng(0).standard_normal((3000, D)), np.tile(NAMES, 1000)
    model = ae.Autoencoder(K, conditional=True, max_epochs=1, random_state=0, **given).fit(X, y)
    weights = [layer.weight.numpy() for layer in model.network_.encoder]
    J = weights[0] if len(weights) == 1 else weights[0] @ weights[1]  # (D + 3, K)
    expected = np.square(J[:D]).sum()
    rel = 1e-9 if method == "exact" else 0.1
    assert model.history_["contractive"][0] == pytest.approx(expected, rel=rel)
    assert np.square(J).sum() > 1.3 * expected


def _with_state(network, state):
    network.load_state_dict(state)
    return network


def test_weights_missing_numbers_and_sparse_rows_have_labels_too(data):
    X, y = data[0].copy(), data[1]
    model = ae.VariationalAutoencoder(K, conditional=True, **QUICK)
    X[0, 0] = np.nan
    holed = clone(model).set_params(missing="mask").fit(X, y, sample_weight=np.arange(N))
    assert np.isfinite(holed.score_samples(X, y)).all()
    rows = sparse.csr_array(np.where(data[0] > 1, data[0], 0))
    thin = clone(model).set_params(scale=None).fit(rows, y)
    full = clone(model).set_params(scale=None).fit(rows.toarray(), y)
    np.testing.assert_allclose(thin.transform(rows, y), full.transform(rows, y), rtol=1e-9)


def test_scikit_learns_tools_hand_on_the_labels(data):
    X, y = data
    model = ae.VariationalAutoencoder(K, conditional=True, **QUICK)
    search = GridSearchCV(model, {"learning_rate": [0.01, 0.001]}, cv=2).fit(X, y)
    assert search.best_estimator_.classes_.tolist() == NAMES.tolist()
    codes = clone(model).fit_transform(X, y)
    np.testing.assert_array_equal(codes, clone(model).fit(X, y).transform(X, y))
    plain = clone(model).set_params(conditional=False)  # y is then ignored
    np.testing.assert_array_equal(plain.fit(X, y).transform(X), clone(plain).fit_transform(X))
    assert not hasattr(plain, "classes_")


def own(sizes, code, rng, dtype):
    reads = [sizes.n_features + sizes.n_labels, sizes.n_components + sizes.n_labels]
    gives = [code.width(sizes.n_components), sizes.n_features]
    return [Dense(a, b, rng=rng, dtype=dtype) for a, b in zip(reads, gives, strict=True)]


def test_a_network_of_ones_own_reads_the_labels(data):
    X, y = data
    model = ae.VariationalAutoencoder(K, network=own, conditional=True, **QUICK).fit(X, y)
    assert model.sample(2, y="emu").shape == (2, D)
    with pytest.raises(ValueError, match=r"network deaf: its encoder cannot read .*\(1, 9\)"):
        ae.VariationalAutoencoder(K, network=deaf, conditional=True, **QUICK).fit(X, y)


def deaf(sizes, code, rng, dtype):
    return own(sizes._replace(n_labels=0), code, rng, dtype)


def test_mistakes_get_a_sentence(data, fitted):
    X, y = data
    model = ae.VariationalAutoencoder(K, conditional=True, **QUICK)
    for call, sentence in (
        (lambda: model.fit(X), r"conditional=True requires y to be passed, .*: give the label"),
        (lambda: model.fit(X, X[:, 0]), "y must hold a class for each row, .* got continuous"),
        (lambda: model.fit(X, y[:5]), "inconsistent numbers of samples"),
        (lambda: model.fit(X, y, X_val=X), "X_val has no labels"),
        (lambda: clone(model).set_params(hidden=(5,), pretrain_epochs=2).fit(X, y),
         "pretrain_epochs=2 .* conditional=True has labels that inner layers do not read"),
        (lambda: clone(model).set_params(tied=True).fit(X, y), "tied weights leave no place"),
        (lambda: fitted.transform(X), "transform: this VariationalAutoencoder is conditional"),
        (lambda: fitted.sample(2), "sample: .* needs labels: give y"),
        (lambda: fitted.sample(2, y="cow"), "the label 'cow', which was not among .* 'cat', 'dog'"),
        (lambda: fitted.sample(2, y=["cat"]), "inconsistent numbers of samples"),
        (lambda: fitted.score_samples(X, y[:3]), "inconsistent numbers of samples"),
        (lambda: clone(fitted).fit(X, y).set_params(warm_start=True).fit(X, "x" + y.astype(object)),
         "the label 'xcat'"),
        (lambda: ae.AutoencoderAnomalyDetector(model).fit(X), "conditional=True requires y"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=sentence):
            call()
    with pytest.raises(ValueError, match="tied weights leave no place"):
        build(Sizes(4, 2, tied=True, n_labels=2), GaussianCode(), np.random.default_rng(0))
