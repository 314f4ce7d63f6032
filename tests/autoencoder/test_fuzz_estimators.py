"""Proves that every estimator, given any data and parameters, is right or refuses in a sentence."""

import copy
from fractions import Fraction

import numpy as np
import pytest
from fuzzing import JUNK, REFUSED, answer, arrays, between, fuzz, whole
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone

import autoencoder as ae
from minigrad import optim

ROWS = st.sampled_from([1, 2, 3, 5, 9, 5, 9, 9, 0, 130])
TABLES = arrays(st.tuples(ROWS, st.integers(1, 5))) | arrays()
GOOD = {  # values that each parameter may have
    "n_components": whole(1, 2, 3),
    "hidden": st.sampled_from([(), (3,), [4, 2], np.array([2]), (np.uint8(200),)]),
    "activation": st.sampled_from(["relu", "sigmoid", "tanh", "softplus", "linear"]),
    "image_shape": st.sampled_from([None, None, (2, 2, 1), [1, 3, 1], np.array([1, 1, 5])]),
    "tied": st.sampled_from([False, True, np.bool_(True), 1]),
    "dropout": between(0.0, 0.5) | st.just(Fraction(1, 4)),
    "noise": st.sampled_from(
        [
            *(None, "gaussian", "heteroscedastic", "masking", "salt_and_pepper"),
            ae.GaussianNoise(np.float64(0.5), clip=[0, np.float32(1)]),
            ae.HeteroscedasticNoise(np.float64(0.1), np.float32(0.1), clip=(np.int8(0), 1)),
            *(ae.MaskingNoise(np.float64(0.5)), ae.SaltAndPepperNoise(1, np.float64(-1), 2)),
        ]
    ),
    "code": st.sampled_from(
        ["linear", "relu", "sigmoid", "tanh", "gaussian", ae.GaussianCode(np.float64(2))]
    ),
    "likelihood": st.sampled_from(
        [
            *("gaussian", "bernoulli", "continuous_bernoulli", ae.GaussianLikelihood("optimal")),
            *(ae.GaussianLikelihood(np.float64(0.5)), ae.GaussianLikelihood(Fraction(1, 2))),
        ]
    ),
    "penalty": st.sampled_from(
        [
            *(None, "l1", "contractive", ("weight_decay",), ae.WeightDecay(np.float64(1), "l1")),
            *(ae.KLSparsity(np.float64(0.1), np.float32(1)), ae.L1Penalty(np.float64(0.1))),
            *(["l1", "kl_sparsity"], ae.ContractivePenalty(np.float64(1), "hutchinson")),
        ]
    ),
    "solver": st.sampled_from(["adam", "adamw", "sgd", "rmsprop"]),
    "learning_rate": between(0.001, 0.01) | st.just(Fraction(1, 1000)),
    "schedule": st.sampled_from(
        [None, "step", "exponential", "cosine", optim.StepDecay(np.float64(0.01), 2)]
    ),
    "batch_size": whole(1, 3, 100),
    "max_epochs": whole(0, 1, 2),
    "validation_fraction": between(0.0, 0.3) | st.just(Fraction(1, 2)),
    "patience": st.none() | whole(1, 2),
    "warm_start": st.booleans(),
    "callbacks": st.sampled_from([None, (), [lambda model, record: True]]),
    "random_state": whole(0, 7),
}
PARTS = {  # the parameters of the parts
    "noise": [
        *((ae.GaussianNoise, name) for name in ("std", "clip")),
        *((ae.HeteroscedasticNoise, name) for name in ("floor", "gain", "clip")),
        *((ae.SaltAndPepperNoise, name) for name in ("rate", "low", "high")),
        (ae.MaskingNoise, "rate"),
    ],
    "code": [(ae.GaussianCode, "beta")],
    "likelihood": [(ae.GaussianLikelihood, "variance")],
    "penalty": [
        *((ae.KLSparsity, name) for name in ("target", "weight", "momentum")),
        *((ae.WeightDecay, name) for name in ("weight", "norm")),
        *((ae.ContractivePenalty, name) for name in ("weight", "method")),
        (ae.L1Penalty, "weight"),
    ],
}
KINDS = [ae.Autoencoder, ae.DenoisingAutoencoder, ae.SparseAutoencoder]
KINDS += [ae.ContractiveAutoencoder, ae.VariationalAutoencoder]
USUAL = {"n_components": 2, "max_epochs": 1, "random_state": 0}
X6 = np.random.default_rng(1).random((6, 3))


def said(model, X):
    """What a fitted model says of `X` (N, D) by all its methods, each of which must answer."""
    score = answer(model.score, X)
    results = {
        "transform": answer(model.transform, X),
        "reconstruct": answer(model.reconstruct, X),
        "score": score if score is REFUSED else np.float64(score),
        "score_samples": answer(model.score_samples, X),
        "sample": answer(model.sample, 3, prior="gaussian", random_state=0),
    }
    if hasattr(model, "elbo") and isinstance(model._code, ae.GaussianCode):
        results["elbo"] = answer(model.elbo, X, n_draws=2)
        results["log_likelihood"] = answer(model.log_likelihood, X, n_draws=2)
        results["means"], results["log_variances"] = answer(model.posterior, X)
    return results


def bits(results):
    return {
        name: a if a is REFUSED else (a.shape, a.dtype.str, a.tobytes())
        for name, a in results.items()
    }


def check_fitted(model, X, path):
    """What must be true of every model and rows `X` that it was fitted to."""
    plain = np.array(X)
    plain = plain if plain.dtype == np.float32 else plain.astype(np.float64)
    n, d, k = *plain.shape, int(model.n_components)
    results = said(model, X)
    extreme = np.abs(plain).max() > 1e3
    for name, result in results.items():
        if result is REFUSED and extreme:
            continue  # what overflows is no answer
        per_row = {"score": (), "transform": (n, k), "reconstruct": (n, d), "sample": (3, d)}
        shape = (n, k) if name in ("means", "log_variances") else per_row.get(name, (n,))
        assert result.shape == shape, name
        assert result.dtype == (np.float64 if shape in ((), (n,)) else plain.dtype), name
        assert np.isfinite(result).all() or (extreme and not np.isnan(result).any()), name
    if results["transform"] is not REFUSED:
        back = bits({"reconstruct": answer(model.inverse_transform, results["transform"])})
        assert back == bits({"reconstruct": results["reconstruct"]})
    if answer(model.save, path) is not REFUSED:
        assert bits(said(answer(ae.load, path), plain)) == bits(results)
    return plain, bits(results)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz") / "model.npz"


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("kind", KINDS)
@fuzz(20)
@given(data=st.data())
def test_rows_of_any_kind(kind, method, path, data):
    """A fit is refused, or the model is right, and the one of a contiguous copy of the rows."""
    names = data.draw(st.lists(st.sampled_from(sorted(GOOD)), unique=True, max_size=5))
    params = USUAL | {name: data.draw(GOOD[name], label=name) for name in names}
    X, model = data.draw(TABLES, label="X"), kind(**params)
    before = np.array(X)
    if answer(getattr(model, method), X) is REFUSED:
        assert not hasattr(model, "network_")
        return
    plain, expected = check_fitted(model, X, path)
    np.testing.assert_array_equal(np.array(X), before)
    other = clone(model)
    answer(getattr(other, method), plain)
    assert bits(said(other, plain)) == expected


@pytest.mark.parametrize("kind", KINDS)
@fuzz(60)
@given(data=st.data())
def test_a_parameter_of_any_kind(kind, path, data):
    part = data.draw(st.sampled_from([None, None, *PARTS]))
    if part is None:
        name = data.draw(st.sampled_from(sorted(kind().get_params(deep=False))))
        value = data.draw(JUNK, label=name)
        if callable(value) and name in ("callbacks", "schedule"):
            return  # a function that is called, and fails by itself
        if name == "max_epochs" and type(value) is int and value > 99:
            return  # they would be made
        params = {name: value}
    else:
        cls, name = data.draw(st.sampled_from(PARTS[part]))
        value = data.draw(JUNK, label=f"{cls.__name__} {name}")
        params = {part: cls(**{name: value}), **({"code": "sigmoid"} if part != "code" else {})}
    model = kind(**USUAL | params)
    if answer(model.fit, X6) is REFUSED:
        assert not hasattr(model, "network_")
        return
    results = said(model, X6)
    if answer(model.save, path) is not REFUSED:
        assert bits(said(answer(ae.load, path), X6)) == bits(results)


OTHERS = st.sampled_from(sorted({*GOOD} - {"batch_size"}))  # it decides how rounding goes
STEPS = st.sampled_from(["fit", "partial_fit", "set_params", "reload"])


@fuzz(40)
@given(data=st.data())
def test_nothing_that_is_refused_changes_a_model(path, data):
    kind = data.draw(st.sampled_from(KINDS))
    model = kind(**USUAL).fit(X6)
    known = X6
    for step in data.draw(st.lists(STEPS, min_size=1, max_size=4)):
        before = bits(said(model, known))
        if step == "set_params":
            names = data.draw(st.lists(OTHERS, unique=True, max_size=2))
            answer(model.set_params, **{n: data.draw(GOOD[n] | JUNK, label=n) for n in names})
        elif step == "reload":
            if answer(model.save, path) is not REFUSED:
                model = answer(ae.load, path)
        else:
            X = data.draw(st.just(X6[:5]) | TABLES, label=step)
            if answer(getattr(model, step), X) is not REFUSED:
                known = np.array(X).astype(np.float64)
                continue
        assert bits(said(model, known)) == before


@pytest.mark.parametrize("kind", [ae.Autoencoder, ae.AutoencoderAnomalyDetector])
def test_a_refused_fit_leaves_a_fitted_model_as_it_was(kind):
    model = copy.deepcopy(MODELS[kind])
    before = model.score_samples(X6)
    model.set_params(**{"likelihood": "none"} if kind is ae.Autoencoder else {"criterion": 3})
    assert answer(model.fit, X6[:, :2]) is REFUSED
    np.testing.assert_array_equal(model.score_samples(X6), before)


ROWS_OF_3 = arrays(st.tuples(ROWS, st.just(3)))
METHODS = {  # of each method, what its arguments are when they are right
    **dict.fromkeys(["transform", "reconstruct", "score", "score_samples", "posterior"], "X"),
    **dict.fromkeys(["predict", "decision_function", "explain", "p_values", "partial_fit"], "X"),
    **{"inverse_transform": "Z", "sample": ("n_samples", "prior", "random_state")},
    **dict.fromkeys(["elbo", "log_likelihood"], ("X", "n_draws")),
    **{"get_feature_names_out": "names", "set_output": ("transform",), "load": "path"},
}
RIGHT = {
    "X": ROWS_OF_3,
    "Z": arrays(st.tuples(ROWS, st.just(2))),
    **{"n_samples": whole(1, 2), "n_draws": whole(1, 2)},
    "prior": st.sampled_from([None, "gaussian"]),
    "random_state": st.sampled_from([None, 0]),
    "names": st.sampled_from([None, ["x0", "x1", "x2"]]),
    "transform": st.just("default"),
    "path": st.just("nowhere.npz"),
}


MODELS = {kind: kind(**USUAL).fit(X6) for kind in KINDS}
MODELS[ae.AutoencoderAnomalyDetector] = ae.AutoencoderAnomalyDetector(
    ae.Autoencoder(**USUAL), calibration_fraction=0.5, contamination=0.5
).fit(X6)


@pytest.mark.parametrize("kind", MODELS)
@fuzz(60)
@given(data=st.data())
def test_a_method_with_anything(kind, data):
    model = copy.deepcopy(MODELS[kind])
    method = data.draw(st.sampled_from([name for name in METHODS if hasattr(model, name)]))
    values = {}
    for name in [METHODS[method]] if isinstance(METHODS[method], str) else METHODS[method]:
        right = data.draw(st.integers(0, 2), label="right?")
        values[name] = data.draw(RIGHT[name] if right else arrays() | JUNK, label=name)
    if type(values.get("n_draws")) is int and values["n_draws"] > 99:
        return  # they would be drawn
    first = [] if method == "set_output" else [values.pop(next(iter(values)))]
    y = answer(getattr(model, method), *first, **values)
    if method == "sample" and y is not REFUSED:
        assert y.shape == (*first, 3) and np.isfinite(y).all()


@fuzz(60)
@given(data=st.data())
def test_the_detector(path, data):
    params = {
        "autoencoder": st.sampled_from([None, *(kind(**USUAL) for kind in KINDS)]),
        "criterion": st.sampled_from(["likelihood", "reconstruction", "code"]),
        "contamination": between(0.1, 0.5) | st.just(Fraction(1, 4)),
        "calibration_fraction": between(0.0, 0.5) | st.just(Fraction(1, 4)),
        "random_state": whole(0, 7),
    }
    values = {name: data.draw(good, label=name) for name, good in params.items()}
    if data.draw(st.booleans()):
        values[data.draw(st.sampled_from(sorted(params)))] = data.draw(JUNK, label="junk")
    X = data.draw(TABLES, label="X")
    detector = ae.AutoencoderAnomalyDetector(**values)
    if answer(detector.fit, X) is REFUSED:
        assert not hasattr(detector, "offset_")
        return
    plain = np.array(X)
    plain = plain if plain.dtype == np.float32 else plain.astype(np.float64)

    def verdicts(detector, X):
        results = {
            "scores": answer(detector.score_samples, X),
            "predict": answer(detector.predict, X),
            "explain": answer(detector.explain, X),
        }
        if detector.calibration_fraction:
            results["p_values"] = p = answer(detector.p_values, X)
            assert ((p > 0) & (p <= 1)).all()
        return bits(results)

    results = verdicts(detector, X)
    assert {name: shape for name, (shape, *_) in results.items()} == {
        name: plain.shape if name == "explain" else (len(plain),) for name in results
    }
    answer(detector.save, path)
    loaded = answer(ae.AutoencoderAnomalyDetector.load, path)
    assert verdicts(loaded, plain) == results
