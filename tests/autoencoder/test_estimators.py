"""Proves what every estimator promises: dtypes, shapes, repeatability, parts as nested parameters,
priors, and that a fit really trains all of the network."""

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

import autoencoder as ae

KINDS = (
    ae.Autoencoder,
    ae.DenoisingAutoencoder,
    ae.SparseAutoencoder,
    ae.ContractiveAutoencoder,
    ae.VariationalAutoencoder,
)


def data(n=60, d=8, dtype=np.float64):
    rng = np.random.default_rng(0)
    return (rng.normal(size=(n, 3)) @ rng.normal(size=(3, d)) / 3).astype(dtype)


def images(n=12):
    return np.random.default_rng(0).random((n, 7 * 6 * 2), np.float32)


def quick(kind=ae.Autoencoder, n_components=3, **params):
    return kind(n_components, **{"max_epochs": 3, "random_state": 0, **params})


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", KINDS)
def test_results_have_the_shape_and_dtype_of_the_data(kind, dtype):
    X = data(dtype=dtype)
    model = quick(kind).fit(X)
    Z = model.transform(X)
    assert {p.dtype for p in model.network_.parameters()} == {np.dtype(dtype)}
    assert (Z.shape, Z.dtype) == ((60, 3), dtype)
    assert (model.inverse_transform(Z).shape, model.inverse_transform(Z).dtype) == (X.shape, dtype)
    assert model.reconstruct(X).dtype == dtype
    np.testing.assert_allclose(model.reconstruct(X), model.inverse_transform(Z), rtol=1e-6)
    assert (model.score_samples(X).shape, model.score_samples(X).dtype) == ((60,), np.float64)
    assert type(model.score(X)) is float
    assert model.score(X) == model.score_samples(X).mean()


@pytest.mark.parametrize("likelihood", ["gaussian", "bernoulli", "continuous_bernoulli"])
@pytest.mark.parametrize("kind", KINDS)
def test_fit_changes_every_parameter_and_scores_differ_between_rows(kind, likelihood):
    X = MinMaxScaler(clip=True).fit_transform(data())
    model = quick(kind, hidden=(6,), activation="tanh", likelihood=likelihood)
    before = clone(model).set_params(max_epochs=0).fit(X).network_.state_dict()
    after = model.fit(X).network_.state_dict()
    assert before.keys() == after.keys()
    for name in before.keys() - {"center", "offset"}:  # where it begins
        assert (before[name] != after[name]).any(), name
    assert np.ptp(model.score_samples(X)) > 1e-3
    assert np.ptp(model.transform(X), axis=0).max() > 1e-3  # one relu may be off for all rows


@pytest.mark.parametrize("kind", KINDS)
def test_training_improves_on_the_untrained_network(kind):
    X = data()
    model = quick(kind, max_epochs=60, batch_size=20, learning_rate=0.01).fit(X)
    untrained = clone(model).set_params(max_epochs=0).fit(X)
    assert (untrained.n_iter_, untrained.best_epoch_, untrained.history_["loss"]) == (0, 0, [])
    assert model.score(X) > untrained.score(X)
    assert model.history_["loss"][-1] < model.history_["loss"][0]


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_random_state_gives_the_same_bits(kind):
    X = data()
    params = dict(hidden=(5,), dropout=0.2, noise="gaussian", batch_size=16)
    first, second = (quick(kind, **params).fit(X) for _ in range(2))
    other = quick(kind, **params, random_state=1).fit(X)
    np.testing.assert_array_equal(first.transform(X), second.transform(X))
    np.testing.assert_array_equal(first.score_samples(X), first.score_samples(X))
    assert first.history_ == second.history_
    assert other.history_["loss"] != first.history_["loss"]
    again = pickle.loads(pickle.dumps(first))
    np.testing.assert_array_equal(again.transform(X), first.transform(X))
    assert repr(clone(first)) == repr(first)
    again.partial_fit(X)  # optimizer, streams and network still belong together after a pickle
    first.partial_fit(X)
    np.testing.assert_array_equal(again.transform(X), first.transform(X))


@pytest.mark.parametrize("kind", KINDS)
def test_results_do_not_depend_on_the_other_rows(kind):
    X = data()
    model = quick(kind, batch_size=7).fit(X)
    rows = np.random.default_rng(1).permutation(60)[:20]
    for method in (model.transform, model.reconstruct, model.score_samples):
        np.testing.assert_allclose(method(X[rows]), method(X)[rows], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("code", ["sigmoid", "gaussian"])
@pytest.mark.parametrize("tied", [False, True])
def test_convolutions_on_images_of_odd_size(code, tied):
    X = images()
    params = dict(hidden=(4, 5), image_shape=(7, 6, 2), tied=tied, likelihood="bernoulli")
    model = quick(code=code, **params, penalty="weight_decay").fit(X)
    assert model.transform(X).shape == (12, 3)
    R = model.reconstruct(X)
    assert (R.shape, R.dtype) == (X.shape, np.float32)
    assert 0 < R.min() < R.max() < 1


def test_the_names_of_the_code():
    model = quick(ae.SparseAutoencoder, 2).fit(data())
    assert list(model.get_feature_names_out()) == ["sparseautoencoder0", "sparseautoencoder1"]


def test_noise_and_penalty_are_searched_by_their_own_parameters():
    X = data()
    model = quick(ae.DenoisingAutoencoder, penalty="l1", max_epochs=1)
    grid = {"noise__std": [0.1, 0.3], "penalty__weight": [0.0, 0.1]}
    search = GridSearchCV(model, grid, cv=2).fit(X)
    assert len(search.cv_results_["params"]) == 4
    assert np.ptp(search.cv_results_["mean_test_score"]) > 0
    assert search.best_estimator_.noise.std in grid["noise__std"]
    assert (model.noise, model.penalty) == ("gaussian", "l1")  # untouched


def test_a_name_becomes_its_part_when_a_parameter_of_it_is_set():
    model = ae.DenoisingAutoencoder()
    model.set_params(noise__std=0.4, code="gaussian", code__beta=2.0, likelihood__variance=0.5)
    assert (model.noise.std, model.code.beta, model.likelihood.variance) == (0.4, 2.0, 0.5)
    model.set_params(noise="masking", noise__rate=0.3)
    assert (type(model.noise), model.noise.rate) == (ae.MaskingNoise, 0.3)
    part = ae.GaussianNoise(0.1)
    assert model.set_params(noise=part, noise__std=0.2).noise is part
    with pytest.raises(ValueError, match="Invalid parameter 'sdt'"):
        model.set_params(noise__sdt=1)


def test_a_pipeline_scales_and_goes_back():
    X = 5 + 100 * data()
    pipeline = make_pipeline(
        MinMaxScaler(clip=True), quick(likelihood="continuous_bernoulli", code="linear")
    )
    back = pipeline.fit(X).inverse_transform(pipeline.transform(X))
    assert back.shape == X.shape
    assert (back >= X.min(axis=0)).all()
    assert (back <= X.max(axis=0)).all()


def test_samples_from_the_three_kinds_of_prior():
    X = data(400)
    vae = quick(ae.VariationalAutoencoder, max_epochs=1).fit(X)
    samples = vae.sample(5, random_state=3)
    np.testing.assert_array_equal(samples, vae.sample(5, random_state=3))
    codes = np.random.default_rng(np.random.RandomState(3).randint(2**31)).standard_normal((5, 3))
    np.testing.assert_allclose(samples, vae.inverse_transform(codes))

    plain = quick(code="linear").fit(X)
    with pytest.raises(ValueError, match='ask for prior="gaussian"'):
        plain.sample(5)
    codes = plain.transform(X)
    np.testing.assert_allclose(plain.code_mean_, codes.mean(axis=0))
    np.testing.assert_allclose(plain.code_covariance_, np.cov(codes.T, bias=True))
    drawn = plain.sample(20_000, prior="gaussian", random_state=0)
    R = plain.reconstruct(X)  # a linear decoder keeps first and second moments
    np.testing.assert_allclose(drawn.mean(axis=0), R.mean(axis=0), atol=0.05)
    np.testing.assert_allclose(np.cov(drawn.T), np.cov(R.T, bias=True), atol=0.05)

    mixture = GaussianMixture(2, random_state=0).fit(codes)
    assert plain.sample(4, prior=mixture).shape == (4, 8)
    with pytest.raises(ValueError, match=r"gave codes of shape \(4, 8\), expected \(4, 3\)"):
        plain.sample(4, prior=GaussianMixture(1).fit(X))
    with pytest.raises(ValueError, match="no prior 'normal'"):
        plain.sample(4, prior="normal")


def test_the_variance_of_the_gaussian_likelihood():
    X = data()
    X = (X - X.mean(axis=0)) / X.std(axis=0)  # in the units of the network
    assert quick().fit(X).noise_variance_ == 1.0
    assert quick(likelihood=ae.GaussianLikelihood(0.3)).fit(X).noise_variance_ == 0.3
    optimal = quick(likelihood=ae.GaussianLikelihood("optimal")).fit(X)
    error = np.square(X - optimal.reconstruct(X)).mean()
    assert optimal.noise_variance_ == pytest.approx(error)
    expected = -8 / 2 * (np.log(2 * np.pi * error) + 1)
    assert optimal.score(X) == pytest.approx(expected)
    assert not hasattr(quick(likelihood="bernoulli").fit(X > 0), "noise_variance_")


def test_importing_the_package_is_light_and_its_names_are_known():
    assert set(ae.__all__) <= set(dir(ae))
    for name in ae.__all__:
        assert getattr(ae, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'Autoencode'"):
        _ = ae.Autoencode
    code = "import sys, autoencoder; print({'numpy', 'sklearn', 'minigrad'} & set(sys.modules))"
    root = Path(ae.__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert done.stdout.strip() == "set()", done.stderr


def test_grey_images_without_a_channel_come_back_as_they_were_given():
    X = np.random.default_rng(0).random((20, 4, 6), np.float32)
    model = ae.Autoencoder(2, image_shape=(4, 6, 1), max_epochs=1, random_state=0).fit(X)
    assert model.reconstruct(X).shape == X.shape
    np.testing.assert_array_equal(model.reconstruct(X[..., None])[..., 0], model.reconstruct(X))
    rows = X.reshape(20, -1)
    np.testing.assert_array_equal(model.reconstruct(rows), model.reconstruct(X).reshape(20, -1))
