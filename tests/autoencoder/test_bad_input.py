"""Proves that wrong data and wrong parameters are refused in a sentence that says what to do."""

import datetime
import importlib.util
import warnings
from pathlib import Path

import numpy as np
import pytest
from sklearn import config_context
from sklearn.exceptions import NotFittedError
from sklearn.preprocessing import MinMaxScaler

import autoencoder as ae
import minigrad as mg
from autoencoder.diagnosis import DiagnosisWarning


def data(n=40, d=6):
    return np.random.default_rng(0).normal(size=(n, d))


def quick(**params):
    return ae.Autoencoder(**{"n_components": 2, "max_epochs": 1, "random_state": 0, **params})


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.full((3, 6), np.nan), "contains NaN"),
        (np.full((3, 6), np.inf), "contains infinity"),
        (np.zeros((0, 6)), "0 sample"),
        (np.zeros((3, 0)), r"0 feature\(s\)"),
        (np.zeros(6), "Expected 2D array, got 1D"),
        (np.zeros((3, 2, 3)), r"X has shape \(3, 2, 3\), and rows \(N, D\) are needed"),
        (np.zeros((3, 6), complex), "[Cc]omplex"),
        ([["a", "b"]], "could not convert"),
    ],
)
def test_data_that_no_estimator_takes(X, message):
    with pytest.raises((ValueError, TypeError), match=message):
        quick().fit(X)


@pytest.mark.parametrize("method", ["transform", "reconstruct", "score_samples", "score"])
def test_another_number_of_features(method):
    with pytest.raises(ValueError, match="X has 5 features, but Autoencoder is expecting 6"):
        getattr(quick().fit(data()), method)(data(d=5))


@pytest.mark.parametrize("method", ["transform", "inverse_transform", "score_samples", "sample"])
def test_before_the_fit(method):
    with pytest.raises(NotFittedError, match="is not fitted yet"):
        getattr(quick(), method)(data() if method != "sample" else 1)


def test_codes_of_another_length():
    with pytest.raises(ValueError, match="have 6 columns, this Autoencoder has codes of 2"):
        quick().fit(data()).inverse_transform(data())


@pytest.mark.parametrize("likelihood", ["bernoulli", "continuous_bernoulli"])
def test_data_outside_the_range_of_the_likelihood(likelihood):
    X = data()
    with pytest.raises(ValueError, match=rf"in \[0, 1\], got values from {X.min():.4g}") as error:
        quick(likelihood=likelihood).fit(X)
    assert "MinMaxScaler" in str(error.value)


@pytest.mark.parametrize("likelihood", ["bernoulli", "continuous_bernoulli"])
@pytest.mark.parametrize("kind", [ae.Autoencoder, ae.VariationalAutoencoder])
def test_scaled_data_and_new_rows_outside_the_range(kind, likelihood):
    """MinMaxScaler's 1 + 2e-16 can be fitted; a new row outside [0, 1] is impossible, no error."""
    X = MinMaxScaler().fit_transform(data(400) * 0.1 + 7)
    X[0, 0] = 1 + 2**-52
    model = kind(2, likelihood=likelihood, max_epochs=1, random_state=0).fit(X)
    model.partial_fit(X).set_params(validation_fraction=0.1).fit(X)
    new = X[:9].copy()
    new[3, 2], new[4, 1] = 1.01, -0.2
    scores = model.score_samples(new)
    assert (np.isinf(scores) == np.isin(np.arange(9), [3, 4])).all()
    assert np.isfinite(model.transform(new)).all()
    detector = ae.AutoencoderAnomalyDetector(model, random_state=0).fit(X)
    assert (detector.predict(new)[3:5] == -1).all()


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ({"a": data()}, "got a dict"),
        (np.full((5, 2), "2020-01-01", "M8[D]"), "holds dates or times, .* as .* gives days"),
        (np.ones((5, 2), "m8[s]"), "holds dates or times"),
        ([[datetime.date(2020, 1, 1), 3.0]], "holds dates or times"),
    ],
)
def test_dicts_and_dates_get_a_sentence(X, message):
    for model in (quick(), ae.AutoencoderAnomalyDetector(quick())):
        with pytest.raises(ValueError, match=message):
            model.fit(X)


def test_a_table_with_a_column_of_dates_gets_a_sentence():
    pandas = pytest.importorskip("pandas")
    for utc in (False, True):
        dates = pandas.to_datetime(["2020-01-01"] * 5, utc=utc)
        with pytest.raises(ValueError, match="holds dates or times"):
            quick().fit(pandas.DataFrame({"a": dates, "b": np.arange(5.0)}))


def test_images_are_taken_where_image_shape_says_so():
    grey = np.random.default_rng(0).random((12, 5, 4))
    colour = np.random.default_rng(0).random((12, 5, 4, 3))
    for X, shape in ((grey, (5, 4, 1)), (grey[..., None], (5, 4, 1)), (colour, (5, 4, 3))):
        model = quick(image_shape=shape, hidden=(3,)).fit(X)
        rows = X.reshape(12, -1)
        same = quick(image_shape=shape, hidden=(3,)).fit(rows)
        assert model.n_features_in_ == rows.shape[1]
        for method in ("transform", "score_samples"):
            np.testing.assert_array_equal(getattr(model, method)(X), getattr(same, method)(rows))
        assert model.reconstruct(X).shape == X.shape
        np.testing.assert_array_equal(model.reconstruct(list(X)), same.reconstruct(rows))
        np.testing.assert_array_equal(model.reconstruct(X).reshape(12, -1), same.reconstruct(rows))
        detector = ae.AutoencoderAnomalyDetector(model, random_state=0).fit(X)
        np.testing.assert_array_equal(detector.predict(X), detector.predict(rows))
        assert detector.explain(X).shape == X.shape
    vae = ae.VariationalAutoencoder(2, image_shape=(5, 4, 1), hidden=(3,), max_epochs=1).fit(grey)
    assert vae.elbo(grey).shape == (12,)


def test_images_of_another_order_or_shape_are_refused_with_the_cure():
    X = np.random.default_rng(0).random((12, 3, 8, 8))
    with pytest.raises(ValueError, match=r"channels come last, as X\.transpose\(0, 2, 3, 1\)"):
        quick(image_shape=(8, 8, 3)).fit(X)
    with pytest.raises(ValueError, match=r"\(3, 8, 8\) has the channels first, .* say \(8, 8, 3\)"):
        quick(image_shape=(3, 8, 8)).fit(X)
    model = quick(image_shape=(8, 8, 3)).fit(X.transpose(0, 2, 3, 1))
    with pytest.raises(ValueError, match="channels come last"):
        model.transform(X)
    with pytest.raises(ValueError, match=r"shape \(9, 8, 3\), image_shape says \(8, 8, 3\): bring"):
        model.transform(np.zeros((2, 9, 8, 3)))
    with pytest.raises(ValueError, match="for images say image_shape"):
        quick().fit(X)
    with pytest.raises(ValueError, match=r"images of the shapes \[\(8, 8, 3\), \(9, 8, 3\)\]"):
        quick(image_shape=(8, 8, 3)).fit([np.zeros((8, 8, 3)), np.zeros((9, 8, 3))])
    signal = np.random.default_rng(0).random((12, 1, 20, 12))  # of height 1, with 12 channels
    assert quick(image_shape=(1, 20, 12)).fit(signal).n_features_in_ == 240


def test_one_row_is_enough():
    model = quick(validation_fraction=0.5).fit(data(1))
    assert model.transform(data(1)).shape == (1, 2)
    np.testing.assert_array_equal(model.code_covariance_, np.zeros((2, 2)))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        (dict(n_components=0), "n_components must be a whole number of at least 1, got 0"),
        (dict(n_components=2.0), "n_components must be a whole number of at least 1, got 2.0"),
        (dict(n_components=True), "n_components must be a whole number .* got True"),
        (dict(hidden=64), r"hidden must be a tuple of widths, .* got 64: write \(64,\)"),
        (dict(hidden=(8, 0)), "every width in hidden must be a whole number of at least 1, got 0"),
        (dict(image_shape=(2, 2, 1)), r"image_shape .* the 6 features, got \(2, 2, 1\)"),
        (
            dict(image_shape=(3, 2)),
            r"image_shape must be None or \(height, width, channels\), got \(3",
        ),
        (dict(image_shape=(-3, -2, 1)), "every length in image_shape must be a whole number"),
        (dict(image_shape=6), "image_shape must be"),
        (dict(activation="rely"), "unknown activation 'rely': use 'relu'"),
        (dict(dropout=1.0), "dropout must be a number at least 0 and below 1, got 1.0"),
        (dict(noise="normal"), "unknown noise 'normal': use None, 'gaussian'"),
        (dict(code="point"), "unknown code 'point': use 'linear'"),
        (
            dict(likelihood="mse"),
            "unknown likelihood 'mse': use 'gaussian', 'optimal_gaussian', 'bernoulli'",
        ),
        (dict(penalty="l3"), "unknown penalty 'l3': use None, 'l1'"),
        (dict(penalty=("l1", "l1")), "each penalty can be given once"),
        (dict(penalty="kl_sparsity"), "between 0 and 1, .* use code='sigmoid'"),
        (dict(solver="lbfgs"), "unknown solver 'lbfgs': use 'adam', 'adamw', 'sgd', 'rmsprop'"),
        (dict(schedule="linear"), "unknown schedule 'linear': use 'step', 'exponential', .* None"),
        (dict(learning_rate=0), "learning_rate must be a number above 0, got 0"),
        (dict(learning_rate="auto"), "learning_rate must be a number above 0, got 'auto'"),
        (dict(batch_size=0), "batch_size must be a whole number of at least 1, got 0"),
        (dict(max_epochs=-1), "max_epochs must be a whole number of at least 0, got -1"),
        (dict(validation_fraction=1.0), "validation_fraction must be a number at least 0"),
        (dict(patience=0), "patience must be None or a whole number of at least 1, got 0"),
        (dict(callbacks=3), r"callbacks must be None, a function of \(estimator, record\)"),
        (dict(device="gpu"), "unknown device 'gpu': use 'cpu', 'cuda'"),
        (dict(random_state="seed"), "'seed' cannot be used to seed"),
    ],
)
def test_parameters_that_cannot_be_used(params, message):
    model = quick(**params)  # nothing is checked before the fit
    for method in (model.fit, model.partial_fit):
        with pytest.raises(ValueError, match=message):
            method(data())
    assert not hasattr(model, "network_")


def test_a_parameter_of_a_part_that_is_not_there():
    with pytest.raises(ValueError, match=r"noise__std cannot be set, noise=None is no single part"):
        quick().set_params(noise__std=0.3)
    with pytest.raises(ValueError, match=r"penalty=\('l1', 'weight_decay'\) is no single part"):
        quick(penalty=("l1", "weight_decay")).set_params(penalty__weight=0.3)


def test_a_code_longer_than_the_data_is_warned_of_unless_something_regularises_it():
    with pytest.warns(UserWarning, match="n_components=9 is more than the 6 features") as warned:
        quick(n_components=9).fit(data())
    assert warned[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", DiagnosisWarning)  # it is trained for a moment only
        quick(n_components=9, noise="masking").fit(data())
        quick(n_components=9, penalty="l1").fit(data())
        quick(n_components=6).fit(data())


def test_estimates_that_need_a_distribution_of_codes():
    model = ae.VariationalAutoencoder(2, code="relu", max_epochs=1).fit(data())
    for method in (model.elbo, model.log_likelihood, model.posterior):
        with pytest.raises(ValueError, match='fit it with code="gaussian"'):
            method(data())
    model = ae.VariationalAutoencoder(2, max_epochs=1).fit(data())
    with pytest.raises(ValueError, match="n_draws must be a whole number of at least 1, got 0"):
        model.elbo(data(), n_draws=0)
    with pytest.raises(ValueError, match="n_samples must be a whole number of at least 1"):
        model.sample(0)


@pytest.mark.parametrize("weight", [-1, float("nan"), "much", None])
def test_weights_that_would_pay_for_being_large(weight):
    for parameters in (
        {"penalty": ae.KLSparsity(weight=weight), "code": "sigmoid"},
        {"penalty": ae.L1Penalty(weight=weight)},
        {"code": ae.GaussianCode(beta=weight)},
    ):
        with pytest.raises(ValueError, match="must be a number of at least 0, got"):
            ae.Autoencoder(2, **parameters).fit(np.ones((4, 3)))


def others():
    """The same rows as NumPy's, and as other libraries hold them."""
    X = data().astype(np.float32)
    yield "list", X, X.tolist()
    yield "minigrad", X, mg.tensor(X)
    for name, make in (("pandas", "DataFrame"), ("torch", "tensor")):
        if importlib.util.find_spec(name):
            yield name, X, getattr(importlib.import_module(name), make)(X)


@pytest.mark.parametrize("dispatch", [False, True])
@pytest.mark.parametrize("kind", ["list", "minigrad", "pandas", "torch", "memmap"])
def test_rows_of_other_libraries_are_taken_everywhere(kind, dispatch, tmp_path, monkeypatch):
    """Results are NumPy arrays, with scikit-learn's array API dispatch as well."""
    monkeypatch.setenv("SCIPY_ARRAY_API", "1")  # scikit-learn asks for it
    found = {name: (X, theirs) for name, X, theirs in others()}
    if kind == "memmap":
        np.save(tmp_path / "x.npy", data())
        found[kind] = data(), np.load(tmp_path / "x.npy", mmap_mode="r")
    if kind not in found:
        pytest.skip(f"{kind} is not installed")
    X, theirs = found[kind]
    with config_context(array_api_dispatch=dispatch), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of names that a model was fitted without
        model, same = quick().fit(theirs), quick().fit(X)
        for method in ("transform", "reconstruct", "score_samples"):
            result = getattr(model, method)(theirs)
            assert type(result) is np.ndarray
            np.testing.assert_allclose(result, getattr(same, method)(X), rtol=1e-4, atol=1e-6)


def test_arrays_that_cannot_be_read_get_a_sentence():
    with pytest.raises(TypeError, match=r"X, a minigrad.Tensor, cannot be read as a NumPy array"):
        quick().fit(mg.tensor(data(), requires_grad=True))


@pytest.mark.parametrize(
    ("shape", "first"),
    [((3, 32, 48), True), ((3, 5, 5), True), ((3, 4, 5), False), ((3, 5, 4), False),
     ((1, 28, 28), True), ((1, 5, 5), True), ((1, 4, 4), False), ((1, 28, 27), False),
     ((1, 5, 6), False), ((28, 28, 1), False), ((32, 32, 3), False), ((4, 32, 32), False),
     ((3, 3, 3), False), ((2, 8, 8), False)],
)  # fmt: skip
def test_what_counts_as_channels_first(shape, first):
    from autoencoder.parameters import _is_channels_first

    assert _is_channels_first(*shape) is first


@pytest.mark.parametrize("options", [["weight_decay"], {1: 2}, {"a b": 1}, "weight_decay"])
def test_options_of_the_solver_are_named(options):
    with pytest.raises(ValueError, match="solver_options must be None or a dict of"):
        quick(solver_options=options).fit(data())
    quick(solver="adamw", solver_options={"weight_decay": 0.01}).fit(data())


def test_codes_that_are_not_finite_have_no_normal_distribution():
    from autoencoder.parts import PointCode
    from autoencoder.parts.prior import draw_codes

    arguments = (4, PointCode("linear"), np.zeros(2))
    rng = np.random.default_rng(0)
    assert draw_codes("gaussian", *arguments, np.eye(2), rng).shape == (4, 2)
    with pytest.raises(ValueError, match="the covariance of the training codes is not finite"):
        draw_codes("gaussian", *arguments, np.diag([1.0, np.inf]), rng)


def test_sparse_data_are_declared():
    from sklearn.utils import get_tags

    assert get_tags(quick()).input_tags.sparse is True


def test_the_variance_of_gaussian_codes_is_a_mean_over_thousands_of_draws(monkeypatch):
    from autoencoder import inference

    drawn, error = [], inference._mean_square
    monkeypatch.setattr(
        inference, "_mean_square", lambda m, z, X: drawn.append(len(z)) or error(m, z, X)
    )
    for rows in (40, 3):
        drawn.clear()
        kind = ae.VariationalAutoencoder(2, max_epochs=1, likelihood="optimal_gaussian")
        kind.fit(data(rows))
        assert 4000 <= sum(drawn) < 5000 and set(drawn) == {rows}


def test_there_is_no_network_before_the_fit():
    with pytest.raises(NotFittedError, match="not fitted yet"):
        quick().network_  # noqa: B018
    model = quick()
    with pytest.raises(NotFittedError, match="not fitted yet"):
        model.network_ = quick().fit(data()).network_


def test_columns_of_a_frame_that_are_no_numbers_are_named():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(
        {"a": [1.0, 2.0, 3.0], "kind": ["x", "y", "z"], "b": [True, False, True]}
    )
    with pytest.raises(
        ValueError, match=r"Autoencoder: X has columns .*\('kind'\): leave them out"
    ):
        ae.Autoencoder(1, max_epochs=1).fit(frame)


@pytest.mark.parametrize(
    ("X", "sentence"),
    [
        ("iris.csv", r"got the name 'iris.csv': read the file before"),
        (Path("folder") / "rows.npy", r"got the name 'folder.rows.npy'"),
        ((np.ones((5, 3)), np.ones(5)), r"shapes \[\(5, 3\), \(5,\)\]: give the rows alone"),
    ],
)
def test_what_stands_for_rows_but_is_none_is_named(X, sentence):
    with pytest.raises(ValueError, match=f"^Autoencoder: X .*{sentence}"):
        ae.Autoencoder(1, max_epochs=1).fit(X)
