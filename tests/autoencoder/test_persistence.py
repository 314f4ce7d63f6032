"""Proves that a file gives back the same estimator, that training goes on from it to the same bits,
and that what cannot be written or read is refused in a sentence."""

import json

import joblib
import numpy as np
import pytest
from sklearn.base import clone

import autoencoder as ae
from autoencoder import persistence
from minigrad import checkpoint, optim

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


def quick(kind=ae.Autoencoder, n_components=3, **params):
    return kind(n_components, **{"max_epochs": 5, "batch_size": 16, "random_state": 0, **params})


def same(first, second, X):
    for name, a in first.network_.state_dict().items():
        np.testing.assert_array_equal(a, second.network_.state_dict()[name])
    assert first.history_ == second.history_
    for name in ("n_iter_", "best_epoch_", "n_features_in_"):
        assert getattr(first, name) == getattr(second, name)
    np.testing.assert_array_equal(first.code_covariance_, second.code_covariance_)
    np.testing.assert_array_equal(first.score_samples(X), second.score_samples(X))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", KINDS)
def test_a_file_gives_back_the_same_estimator(kind, dtype, tmp_path):
    X = data(dtype=dtype)
    model = quick(kind, hidden=(6,), likelihood=ae.GaussianLikelihood("optimal")).fit(X)
    model.save(tmp_path / "model.npz")
    for loaded in (ae.load(tmp_path / "model.npz"), ae.Autoencoder.load(tmp_path / "model.npz")):
        assert type(loaded) is kind
        assert repr(loaded) == repr(model)
        same(model, loaded, X)
        np.testing.assert_array_equal(loaded.transform(X), model.transform(X))
        assert loaded.transform(X).dtype == dtype
        np.testing.assert_array_equal(
            loaded.sample(4, prior="gaussian", random_state=1),
            model.sample(4, prior="gaussian", random_state=1),
        )


@pytest.mark.parametrize(
    "params",
    [
        dict(
            kind=ae.SparseAutoencoder,
            noise=ae.MaskingNoise(0.3),
            hidden=[6],
            dropout=0.2,
            penalty=("kl_sparsity", ae.ContractivePenalty(method="hutchinson")),
            schedule="cosine",
        ),
        dict(kind=ae.VariationalAutoencoder, solver="rmsprop", tied=True, hidden=(5,)),
        dict(solver="sgd", schedule=optim.Warmup(optim.StepDecay(1e-3, 9), 4), dropout=0.1),
    ],
)
def test_three_epochs_a_file_and_two_more_are_five_to_the_last_bit(params, tmp_path):
    X = data()
    model = quick(**params)
    for epoch in range(5):
        model.partial_fit(X)
        if epoch == 2:
            model.save(tmp_path / "model.npz")
    loaded = ae.load(tmp_path / "model.npz")
    assert loaded.n_iter_ == 3
    loaded.partial_fit(X).partial_fit(X)
    same(model, loaded, X)
    forgetful = ae.load(tmp_path / "model.npz")
    forgetful._training.streams["order"] = np.random.default_rng(0)
    forgetful.partial_fit(X).partial_fit(X)
    with pytest.raises(AssertionError):  # the comparison can fail
        same(model, forgetful, X)


def test_a_fit_saved_by_a_callback_is_finished_from_the_file(tmp_path):
    """Six epochs are three, a file and three, with the best weights and the patience so far."""
    X = data()
    params = dict(
        max_epochs=6, validation_fraction=0.3, patience=2, schedule="cosine", learning_rate=0.1
    )
    whole = quick(**params).fit(X)

    def save(model, record):
        if record["epoch"] == 2:
            with pytest.warns(UserWarning, match="callbacks is code"):
                model.save(tmp_path / "model.npz")

    quick(**params, callbacks=save).fit(X)
    loaded = ae.load(tmp_path / "model.npz")
    assert loaded.callbacks is None
    loaded.set_params(warm_start=True).fit(X)
    same(whole, loaded, X)
    assert repr(loaded.set_params(warm_start=False)) == repr(whole)


def test_parameters_set_after_the_fit_do_not_spoil_the_file(tmp_path):
    X = data()
    model = quick().fit(X)
    codes = model.transform(X)
    model.set_params(n_components=7, hidden=(2,), code="gaussian").save(tmp_path / "model.npz")
    loaded = ae.load(tmp_path / "model.npz")
    assert loaded.n_components == 7
    np.testing.assert_array_equal(loaded.transform(X), codes)


def test_names_of_columns_and_a_convolutional_network_are_kept(tmp_path):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(np.abs(data(d=12)), columns=list("abcdefghijkl"))
    model = quick(hidden=(4,), image_shape=(3, 4, 1), activation="tanh").fit(frame)
    model.save(tmp_path / "model.npz")
    loaded = ae.load(tmp_path / "model.npz")
    assert list(loaded.feature_names_in_) == list("abcdefghijkl")
    np.testing.assert_array_equal(loaded.transform(frame), model.transform(frame))


def test_the_output_that_was_asked_for_is_kept(tmp_path):
    pandas = pytest.importorskip("pandas")
    model = quick().fit(data()).set_output(transform="pandas")
    model.save(tmp_path / "model.npz")
    codes = ae.load(tmp_path / "model.npz").transform(data())
    pandas.testing.assert_frame_equal(codes, model.transform(data()))


def test_the_file_is_data_with_a_readable_header(tmp_path):
    noise = ae.GaussianNoise(std=np.float64(0.3), clip=(0, 1))
    quick(ae.DenoisingAutoencoder, noise=noise).fit(data()).save(tmp_path / "model.npz")
    with np.load(tmp_path / "model.npz", allow_pickle=False) as file:
        about = json.loads(str(file["__minigrad__"]))["about"]
    assert about["estimator"] == "DenoisingAutoencoder"
    assert about["params"]["noise"] == {
        "part": "GaussianNoise",
        "params": {"clip": [0, 1], "std": 0.3},
    }
    loaded = ae.load(tmp_path / "model.npz").noise
    assert (loaded.std, loaded.clip) == (0.3, (0, 1))
    assert len(persistence.PARTS) == 18


def test_what_cannot_be_written_is_refused_or_left_out(tmp_path):
    X, path = data(), tmp_path / "model.npz"
    model = quick(schedule=lambda optimizer: 1e-3).fit(X)
    with pytest.raises(ValueError, match=r"save: schedule=<function .* but no code"):
        model.save(path)
    assert not path.exists()
    model = quick(random_state=np.random.RandomState(0)).fit(X)
    with pytest.warns(UserWarning, match="random_state is code or a generator") as warned:
        model.save(path)
    assert warned[0].filename == __file__
    assert ae.load(path).random_state is None
    with pytest.raises(ValueError, match="not fitted"):
        quick().save(path)


def test_what_cannot_be_read_is_refused(tmp_path):
    path = tmp_path / "model.npz"
    with pytest.raises(FileNotFoundError, match="there is no file"):
        ae.load(path)
    checkpoint.save(path, {"w": np.ones(3)})
    with pytest.raises(ValueError, match="holds weights, but not the estimator"):
        ae.load(path)
    quick(ae.VariationalAutoencoder).fit(data()).save(path)
    with pytest.raises(ValueError, match="holds a VariationalAutoencoder, not a SparseAuto"):
        ae.SparseAutoencoder.load(path)
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(ValueError, match="damaged"):
        ae.load(path)


class Own(ae.Autoencoder):
    """Somebody's own kind."""


def test_a_class_of_ones_own_is_found(tmp_path):
    quick(Own).fit(data()).save(tmp_path / "model.npz")
    assert type(ae.load(tmp_path / "model.npz")) is Own


@pytest.mark.parametrize(
    "model",
    [
        ae.Autoencoder(2, hidden=(4,), penalty="kl_sparsity", code="sigmoid"),
        ae.VariationalAutoencoder(2),
        ae.AutoencoderAnomalyDetector(ae.Autoencoder(2)),
        ae.Autoencoder(2, code="vector_quantised"),
    ],
    ids=lambda model: type(model).__name__,
)
@pytest.mark.parametrize("library", ["joblib", "skops"])
def test_others_ways_of_keeping_models_keep_all(model, library, tmp_path):
    """They go on training, too, as the original does."""
    X = np.random.default_rng(0).random((40, 6), dtype=np.float32)
    model = clone(model).set_params(random_state=0)
    inner = model.autoencoder if hasattr(model, "autoencoder") else model
    inner.set_params(max_epochs=2, schedule=None)
    model.fit(X)
    path = tmp_path / "model"
    if library == "joblib":
        joblib.dump(model, path)
        copy = joblib.load(path)
    else:
        skops = pytest.importorskip("skops.io")
        skops.dump(model, path)
        copy = skops.load(path, trusted=skops.get_untrusted_types(file=path))
    for _ in range(2):
        np.testing.assert_array_equal(copy.score_samples(X), model.score_samples(X))
        model.partial_fit(X)
        copy.partial_fit(X)


def test_histories_that_no_training_has_are_refused():
    good = {"epoch": [1, 2], "loss": [0.5, 0.25]}
    plan = dict(goal=2, start=0, best_epoch=2, waited=0, best_loss=0.25)
    persistence._check_history(good, {"epoch": 2}, plan)
    persistence._check_history(good, {"epoch": 2}, None)
    wide = {**good, **{str(k): [0, 0] for k in range(persistence.MOST_COLUMNS - 2)}}
    persistence._check_history(wide, {}, None)
    for history, words in (
        ({**wide, "more": [0, 0]}, "is no table"),
        ({**good, "loss": "ab"}, "is no table"),
        ({**good, "loss": [0.5]}, "differ in length"),
        ({"epoch": [1]}, "differ in length"),
        ({**good, "loss": [0.5, True]}, "something else than numbers"),
        ({**good, "loss": [0.5, "1"]}, "something else than numbers"),
        ({**good, "epoch": [1, 2.5]}, "no whole numbers"),
        ({**good, "epoch": [-1, 2]}, "no whole numbers"),
        ({**good, "epoch": [1, 2**63]}, "no whole numbers"),
    ):
        with pytest.raises(ValueError, match=words):
            persistence._check_history(history, {}, plan)
    for change, words in (({"best_loss": None}, "best loss is None"), ({"goal": 1.5}, "no whole"),
                          ({"waited": True}, "no whole")):  # fmt: skip
        with pytest.raises(ValueError, match=words):
            persistence._check_history(good, {}, plan | change)
    with pytest.raises(ValueError, match="no whole"):
        persistence._check_history(good, {"epoch": -1}, plan)


def test_settings_are_written_as_plain_numbers():
    plain = persistence._plain
    assert [type(plain(v, "x")) for v in (np.float32(0.5), np.array(3), np.bool_(True), 2)] == [
        float, int, bool, int,
    ]  # fmt: skip
    assert plain(np.array([1, 2]), "x") == [1, 2] and plain((1, None), "x") == [1, None]


def test_attributes_that_an_estimator_does_not_have_are_refused():
    mean, covariance = np.zeros(3), np.eye(3)
    persistence._check_fitted({"n_features_in_": 5}, {"code_mean_": mean}, 3)
    persistence._check_fitted({}, {"code_mean_": mean, "code_covariance_": covariance}, 3)
    for numbers, arrays, name in (
        ({"transform": 5}, {}, "transform"),
        ({"n_features_in_": "5"}, {}, "n_features_in_"),
        ({"n_features_in_": True}, {}, "n_features_in_"),
        ({}, {"fit": mean}, "fit"),
        ({}, {"code_mean_": covariance}, "code_mean_"),
        ({}, {"code_covariance_": mean}, "code_covariance_"),
        ({}, {"code_mean_": mean.astype(int)}, "code_mean_"),
    ):
        with pytest.raises(ValueError, match=f"no fitted estimator has such an attribute {name}"):
            persistence._check_fitted(numbers, arrays, 3)


@pytest.mark.parametrize("name", ["m.onnx", "m.SAFETENSORS"])
def test_an_export_is_called_one_and_not_damaged(name, tmp_path):
    (tmp_path / name).write_bytes(b"anything")
    for load in (ae.load, ae.Autoencoder.load, ae.AutoencoderAnomalyDetector.load):
        with pytest.raises(ValueError, match=r"exported for other programs, .* as \.npz"):
            load(tmp_path / name)
