"""Proves that a fit of batches is `partial_fit` of one after the other, bit for bit, in constant
memory, from every source of batches, and that what cannot be read so is refused in a sentence."""

import gc
import itertools
import tracemalloc
import warnings

import numpy as np
import pytest
from scipy import sparse
from sklearn.mixture import GaussianMixture

import autoencoder as ae
from autoencoder import budget
from autoencoder.rows import Rows, stacked, unpacked

RNG = np.random.default_rng(0)
X = (RNG.random((600, 2)) @ RNG.random((2, 8)) / 2).astype(np.float32)
CUTS = [0, 130, 260, 261, 400, 600]
PARTS = [X[a:b] for a, b in itertools.pairwise(CUTS)]
Y = np.array(["a", "b", "c"])[RNG.integers(0, 3, 600)]
WEIGHT = RNG.random(600)


def quick(kind=ae.Autoencoder, **params):
    how = dict(n_components=2, max_epochs=3, random_state=0, schedule=None)
    return kind(**how | params)


def weights(model):
    return np.concatenate([a.ravel() for a in model.network_.state_dict().values()])


def one_by_one(model, batches, epochs=3):
    for _ in range(epochs):
        for batch, *more in batches:
            model.partial_fit(batch, *more[:1], sample_weight=more[1] if more[1:] else None)
    return model


def assert_same(model, other):
    np.testing.assert_array_equal(weights(model), weights(other))


# ---------------------------------------------------------------------- the same bits
@pytest.mark.parametrize(
    "params",
    [
        dict(),
        dict(batch_size=17, hidden=(5,), activation="tanh", scale="standard"),
        dict(kind=ae.VariationalAutoencoder, noise="gaussian", dropout=0.2, hidden=(5,)),
        dict(noise="masking", penalty=("l1", "kl_sparsity"), code="sigmoid", solver="rmsprop"),
        dict(image_shape=(4, 2, 1), hidden=(3,)),
    ],
    ids=repr,
)
def test_a_fit_of_batches_is_partial_fit_of_each(params):
    model = quick(**params).fit(ae.Batches(PARTS))
    assert_same(model, one_by_one(quick(**params), [(part,) for part in PARTS]))
    assert model.n_iter_ == 3 and model.history_["epoch"] == [1, 2, 3]
    assert np.abs(weights(model) - weights(quick(**params).fit(X))).max() > 1e-6  # it can fail


def test_one_batch_of_all_rows_is_the_array_and_its_record():
    model, array = quick(scale="standard").fit(ae.Batches([X])), quick(scale="standard").fit(X)
    assert_same(model, array)
    for name, values in array.history_.items():
        np.testing.assert_allclose(model.history_[name], values, rtol=1e-12, err_msg=name)
    cooled = quick(schedule="cooldown", max_epochs=8)
    assert_same(cooled.fit(ae.Batches([X])), ae.Autoencoder(**cooled.get_params()).fit(X))


def test_labels_weights_and_missing_numbers_come_with_the_batches():
    holes = np.where(np.random.default_rng(1).random(X.shape) < 0.2, np.float32(np.nan), X)
    holes[130:260] = X[130:260]  # one batch has all numbers
    cuts = list(itertools.pairwise(CUTS))
    batches = [(holes[a:b], Y[a:b], WEIGHT[a:b] if a != 400 else None) for a, b in cuts]
    params = dict(missing="mask", conditional=True)
    model = quick(**params).fit(ae.Batches(batches))
    assert_same(model, one_by_one(quick(**params), batches))
    assert list(model.classes_) == ["a", "b", "c"]
    plain = quick(missing="mask").fit(ae.Batches([(rows, None, w) for rows, _, w in batches]))
    assert_same(plain, one_by_one(quick(missing="mask"), [(r, None, w) for r, _, w in batches]))


def test_sparse_batches():
    batches = [sparse.csr_array(part * (part > 0.3)) for part in PARTS]
    model = quick(scale="standard").fit(iter_again(batches))
    assert_same(model, one_by_one(quick(scale="standard"), [(part,) for part in batches]))


def iter_again(batches):
    return ae.Batches(lambda: iter(batches))


# ---------------------------------------------------------------------- sources
def test_every_source_of_batches_gives_the_same():
    expected = weights(quick().fit(ae.Batches(PARTS)))

    class Again:
        def __iter__(self):
            return iter(PARTS)

    empty = X[:0]
    for source in (
        Again(),
        ae.Batches(lambda: (part for part in PARTS)),
        ae.Batches([empty, *PARTS[:2], empty, *PARTS[2:]]),
        ae.Batches([(part,) for part in PARTS]),
        ae.Batches([[part, None] for part in PARTS]),
    ):
        np.testing.assert_array_equal(weights(quick().fit(source)), expected)


def test_data_frames_in_batches_keep_the_names_of_columns():
    pandas = pytest.importorskip("pandas")
    frames = [pandas.DataFrame(part, columns=list("abcdefgh")) for part in PARTS]
    model = quick().fit(iter_again(frames))
    assert list(model.feature_names_in_) == list("abcdefgh")
    assert_same(model, quick().fit(ae.Batches(PARTS)))
    frames[2] = frames[2].rename(columns={"a": "z"})
    with pytest.raises(ValueError, match="batch 3 of X: The feature names should match"):
        quick().fit(iter_again(frames))


def test_a_dask_array_is_read_chunk_by_chunk():
    dask = pytest.importorskip("dask.array", reason="Dask is not installed")
    rows = dask.from_array(X, chunks=(150, 4))
    expected = quick().fit(ae.Batches([X[k : k + 150] for k in range(0, 600, 150)]))
    with __import__("dask").config.set(scheduler="single-threaded"):
        assert_same(quick().fit(rows), expected)
        detector = ae.AutoencoderAnomalyDetector(quick(), random_state=0).fit(rows)
    assert detector.predict(X).shape == (600,)


def test_a_data_loader_of_torch():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    from torch.utils.data import DataLoader, TensorDataset

    labels = torch.from_numpy((Y == "a").astype(int))
    data = TensorDataset(torch.from_numpy(X), labels)
    loader = DataLoader(data, batch_size=150)
    chunks = [(X[k : k + 150], labels[k : k + 150].numpy()) for k in range(0, 600, 150)]
    assert_same(quick().fit(loader), quick().fit(ae.Batches([rows for rows, _ in chunks])))
    assert_same(
        quick(conditional=True).fit(loader), quick(conditional=True).fit(iter_again(chunks))
    )


def test_a_generator_is_one_epoch_and_that_is_said():
    with pytest.warns(UserWarning, match=r"a generator can be read only once, .* one epoch .*=3"):
        model = quick().fit(part for part in PARTS)
    assert model.n_iter_ == 1
    assert_same(model, one_by_one(quick(), [(part,) for part in PARTS], epochs=1))
    with pytest.warns(UserWarning, match="a map can be read only once"):
        ae.Autoencoder(2, random_state=0).fit(map(np.copy, PARTS))
    quick(max_epochs=1).fit(part for part in PARTS)  # as asked for: filterwarnings is "error"
    vae = quick(ae.VariationalAutoencoder, code=ae.GaussianCode(warm_up=0.5), max_epochs=1)
    other = quick(ae.VariationalAutoencoder, code=ae.GaussianCode(warm_up=0.5))
    assert_same(vae.fit(iter(PARTS)), one_by_one(other, [(part,) for part in PARTS], epochs=1))


# ---------------------------------------------------------------------- what fit does besides
def test_what_is_measured_is_measured_on_all_batches():
    ordered = X[np.argsort(X[:, 0])]  # the last rows are like no others
    parts = [ordered[k : k + 60] for k in range(0, 600, 60)]
    for kind in (ae.Autoencoder, ae.VariationalAutoencoder):
        params = dict(likelihood="optimal_gaussian", max_epochs=2, scale=None)
        model = quick(kind, **params).fit(ae.Batches(parts))
        codes = model.transform(X).astype(np.float64)
        np.testing.assert_allclose(model.code_mean_, codes.mean(axis=0), atol=1e-5)
        covariance = np.cov(codes.T, bias=True)
        np.testing.assert_allclose(model.code_covariance_, covariance, rtol=1e-4, atol=1e-7)
        if kind is ae.Autoencoder:
            error = np.square(model.reconstruct(X) - X, dtype=np.float64).mean()
            assert model.noise_variance_ == pytest.approx(error, rel=1e-5)
        assert np.isfinite(model.score(X))
    assert model.sample(3, prior="gaussian", random_state=0).shape == (3, 8)
    assert model.sample(3, prior=GaussianMixture(2, random_state=0).fit(codes)).shape == (3, 8)


def test_the_length_that_is_auto_and_the_rate_that_falls(monkeypatch):
    monkeypatch.setattr(budget, "STEPS", 600)  # of a whole fit
    model = ae.Autoencoder(2, random_state=0).fit(ae.Batches(PARTS))
    array = ae.Autoencoder(2, random_state=0).fit(X)
    assert 20 <= model.n_iter_ <= 30  # of 20 steps; it may level off
    rates = model.history_["learning_rate"]
    assert rates[0] == rates[model.n_iter_ // 2] == 0.002 and rates[-1] < 0.0005
    assert model.score(X) > array.score(X) - 0.05


@pytest.mark.parametrize("schedule", ["cooldown", "cosine", "exponential"])
def test_a_schedule_comes_to_its_end_step_by_step(schedule):
    params = dict(schedule=schedule, max_epochs=4, batch_size=50)
    model = quick(**params).fit(ae.Batches([X[:300], X[300:]]))  # 48 steps
    array = quick(**params).fit(X)
    assert model._training.optimizer.lr == pytest.approx(array._training.optimizer.lr, rel=1e-12)
    rates = [m.history_["learning_rate"] for m in (model, array)]
    np.testing.assert_allclose(*rates, rtol=1e-12)


def test_validation_rows_patience_restarts_and_callbacks():
    seen = []
    model = quick(
        max_epochs=30,
        patience=2,
        learning_rate=0.05,
        restarts=2,
        callbacks=lambda model, record: seen.append((record["epoch"], model.score(X[:9]))),
    )
    model.fit(ae.Batches(PARTS), X_val=X[:50])
    losses = model.history_["validation_loss"]
    assert len(seen) == model.n_iter_ == len(losses) < 30
    assert model.best_epoch_ == 1 + int(np.argmin(losses)) and len(losses) - model.best_epoch_ == 2
    assert -model.score(X[:50]) == pytest.approx(min(losses), rel=1e-4)


def test_a_fit_that_goes_on(tmp_path):
    whole = quick(max_epochs=4).fit(ae.Batches(PARTS))
    half = quick(max_epochs=2).fit(ae.Batches(PARTS))
    half.save(tmp_path / "model.npz")
    for model in (half, ae.load(tmp_path / "model.npz")):
        model.set_params(warm_start=True).fit(ae.Batches(PARTS))
        assert_same(model, whole)
    half.partial_fit(PARTS[0])
    assert half.n_iter_ == 5


# ---------------------------------------------------------------------- memory
@pytest.mark.parametrize("detects", [False, True])
def test_memory_does_not_grow_with_the_data(detects):
    def peak(count):
        def batches():
            for k in range(count):
                yield np.random.default_rng(k).random((500, 64), np.float32)  # 128 kB

        model = ae.Autoencoder(4, max_epochs=1, random_state=0)
        model = ae.AutoencoderAnomalyDetector(model) if detects else model
        gc.collect()
        tracemalloc.start()
        model.fit(ae.Batches(batches))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    peak(2)
    few, many = peak(6), peak(16)  # 2 MB of rows
    assert many < few + 50_000, (few, many)


# ---------------------------------------------------------------------- sentences
@pytest.mark.parametrize(
    ("batches", "message"),
    [
        ([], "X has no batches, or only empty ones"),
        ([X[:0]], "X has no batches, or only empty ones"),
        (list(X), "batch 1 of X: Expected 2D array, got 1D array"),
        ([X[:9], X[:9, :3]], "batch 2 of X: X has 3 features"),
        ([X[:9], np.full((2, 8), np.nan)], "batch 2 of X: .*contains NaN"),
        ([{"x": X}], "batch 1 of X: "),
        ([X[:9], None], "batch 2 of X: "),
        (["abc"], "batch 1 of X: "),
    ],
)
def test_wrong_batches_are_a_sentence(batches, message):
    for model, source in (
        (quick(max_epochs=1), iter(batches)),
        (ae.AutoencoderAnomalyDetector(quick(max_epochs=1)), ae.Batches(batches)),
    ):
        with pytest.raises((ValueError, TypeError), match=message):
            model.fit(source)


def test_lists_of_arrays_and_what_comes_beside_batches_are_refused():
    with pytest.raises(ValueError, match=r"a list of batches fit\(autoencoder.Batches\(X\)\)"):
        quick().fit([X[:9], X[9:18]])
    for name, value in (("y", Y), ("sample_weight", WEIGHT)):
        with pytest.raises(ValueError, match=f"in batches, so {name} comes with them: give batch"):
            quick().fit(ae.Batches(PARTS), **{name: value})
    with pytest.raises(ValueError, match="so sample_weight comes with them"):
        ae.AutoencoderAnomalyDetector(quick()).fit(ae.Batches(PARTS), sample_weight=WEIGHT)


def test_what_needs_all_rows_at_once_is_refused():
    batches = ae.Batches(PARTS)
    for params in (dict(validation_fraction=0.1), dict(pretrain_epochs=2, hidden=(4,))):
        name = next(iter(params))
        with pytest.raises(ValueError, match=f"fit: {name}=.* needs all rows at once"):
            quick(**params).fit(batches)
    with pytest.raises(ValueError, match="fit_transform: X is read in batches"):
        quick().fit_transform(batches)
    with pytest.raises(ValueError, match=r"calibration_fraction=0\.3 needs all rows at once"):
        ae.AutoencoderAnomalyDetector(quick(), calibration_fraction=0.3).fit(batches)
    with pytest.raises(ValueError, match="needs generators a second time"):
        ae.AutoencoderAnomalyDetector(quick()).fit(part for part in PARTS)
    with pytest.raises(ValueError, match="Batches: source must be an iterable"):
        ae.Batches(3)
    with pytest.raises(ValueError, match="source is a single array of rows"):
        ae.Batches(X)
    with pytest.raises(ValueError, match="the function must return an iterable of batches"):
        quick().fit(ae.Batches(lambda: 3))
    with pytest.raises(ValueError, match="got a Batches"):
        quick().fit(X).transform(batches)
    with pytest.raises(ValueError, match="got a Batches"):
        quick().partial_fit(batches)
    with pytest.raises(ValueError, match="conditional=True requires y"):
        quick(conditional=True).fit(batches)


def test_batches_that_are_gone_the_second_time_are_a_sentence():
    class Once:
        def __init__(self):
            self.parts = iter(PARTS)

        def __iter__(self):
            return self.parts

    with pytest.raises(ValueError, match="gave its batches once and then none: give a function"):
        quick().fit(Once())
    gone = iter(PARTS)
    with pytest.raises(ValueError, match="max_epochs=1"):
        quick().fit(ae.Batches(lambda: gone))
    with (
        pytest.warns(UserWarning, match="X gave no batches when it was read once more, so the"),
        pytest.raises(ValueError, match="and the threshold needs them: give something"),
    ):
        ae.AutoencoderAnomalyDetector(quick(max_epochs=1)).fit(Once())


@pytest.mark.parametrize("epochs", [1, 2])
def test_one_epoch_of_batches_that_are_then_gone_is_kept(epochs):
    left = [PARTS[:1], PARTS][-epochs:]  # fewer each time
    with pytest.warns(UserWarning, match="X gave no batches when it was read once more, so the"):
        model = quick(max_epochs=epochs).fit(ae.Batches(lambda: left.pop() if left else []))
    assert model.n_iter_ == epochs and model.diagnosis_ is not None
    last = np.concatenate(PARTS if epochs == 1 else [*PARTS, PARTS[0]])
    np.testing.assert_allclose(model.code_mean_, model.transform(last).mean(axis=0), rtol=1e-4)


def test_a_batch_of_weight_0_is_passed_over():
    none = np.zeros(9)
    batches = [(part, None, None) for part in PARTS]
    at = [(X[:9], None, none), *batches[:2], (X[:9], None, none), *batches[2:]]
    assert_same(quick().fit(ae.Batches(at)), quick().fit(ae.Batches(batches)))
    detectors = [
        ae.AutoencoderAnomalyDetector(quick(), random_state=0).fit(ae.Batches(b))
        for b in (at, batches)
    ]
    assert detectors[0].offset_ == detectors[1].offset_
    with pytest.raises(ValueError, match="only empty ones or of weight 0"):
        quick().fit(ae.Batches([(X[:9], None, none)]))
    with pytest.raises(ValueError, match=r"batch 6 of X: sample_weight\.shape == \(9,\)"):
        quick().fit(ae.Batches([*batches, (X[:8], None, none)]))


def test_lists_of_images_are_batches():
    images = [x.reshape(4, 2) for x in X[:64]]
    batches = [images[:30], images[30:32], images[32:35], images[35:64]]
    how = dict(image_shape=(4, 2, 1), hidden=(3,))
    expected = quick(**how).fit(ae.Batches([X[:30], X[30:32], X[32:35], X[35:64]]))
    assert_same(quick(**how).fit(ae.Batches(batches)), expected)
    labels = np.ones((600, 1))  # and a list of rows and a column of labels is none of images
    rows = [[part, labels[: len(part)]] for part in PARTS]
    assert_same(quick().fit(ae.Batches(rows)), quick().fit(ae.Batches(PARTS)))


def test_a_fit_that_goes_on_for_no_epoch():
    model = quick(max_epochs=2, warm_start=True).fit(X)
    before = weights(model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ae.DiagnosisWarning)
        model.set_params(max_epochs=0).fit(np.ones_like(X))  # that something is to be said of
        model.fit(X)
    assert model.n_iter_ == 2
    np.testing.assert_array_equal(weights(model), before)


def test_an_error_of_the_source_is_its_own_and_the_network_can_be_used():
    def broken():
        yield PARTS[0]
        yield PARTS[1]
        raise OSError("the disk is gone")

    model = quick()
    with pytest.raises(OSError, match="the disk is gone"):
        model.fit(ae.Batches(broken))
    assert model.transform(X).shape == (600, 2) and model.n_iter_ == 0


# ---------------------------------------------------------------------- the detector
def test_a_detector_of_batches():
    model = ae.AutoencoderAnomalyDetector(quick(), contamination=0.2, random_state=0)
    model.fit(ae.Batches(PARTS), X_val=X[:20])
    assert (model.predict(X) == -1).mean() == pytest.approx(0.2, abs=0.01)
    assert model.n_features_in_ == 8 and "validation_loss" in model.autoencoder_.history_
    weighted = ae.AutoencoderAnomalyDetector(quick(), contamination=0.2, random_state=0)
    cuts = itertools.pairwise(CUTS)
    weighted.fit(ae.Batches([(X[a:b], None, WEIGHT[a:b]) for a, b in cuts]))
    below = WEIGHT[weighted.predict(X) == -1].sum() / WEIGHT.sum()
    assert below == pytest.approx(0.2, abs=0.02)


def test_weights_of_a_detector_of_batches_are_relative_to_their_batch():
    def threshold(*weights):
        batches = ae.Batches([(part, None, w) for part, w in zip(PARTS, weights, strict=True)])
        model = ae.AutoencoderAnomalyDetector(quick(), contamination=0.2, random_state=0)
        return model.fit(batches).offset_

    each = [WEIGHT[a:b] for a, b in itertools.pairwise(CUTS)]
    factors = (1, 100, 1e-3, 9, 1)
    scaled = [f * weight for f, weight in zip(factors, each, strict=True)]
    assert threshold(*scaled) == pytest.approx(threshold(*each), rel=1e-6)
    one = threshold(each[0], 3.0, each[2], 3.0, np.full(200, 7))  # 3: of all rows of the batch
    assert one == pytest.approx(threshold(each[0], None, each[2], None, None), rel=1e-6)


def test_weights_in_a_detector_count_as_repeated_rows():
    counts = RNG.integers(0, 4, 600)
    params = dict(batch_size=10_000, solver="sgd", learning_rate=0.01, max_epochs=2)
    for criterion in ("likelihood", "reconstruction", "code"):
        pair = [
            ae.AutoencoderAnomalyDetector(quick(**params), criterion=criterion, random_state=0)
            for _ in range(2)
        ]
        pair[0].fit(X.astype(np.float64), sample_weight=counts)
        pair[1].fit(np.repeat(X.astype(np.float64), counts, axis=0))
        assert pair[0].offset_ == pytest.approx(pair[1].offset_, rel=1e-9)
    calibrated = ae.AutoencoderAnomalyDetector(
        quick(), calibration_fraction=0.3, random_state=0
    ).fit(X, sample_weight=WEIGHT, X_val=X[:30])
    assert calibrated.p_values(X).shape == (600,)
    assert "validation_loss" in calibrated.autoencoder_.history_
    calibrated.partial_fit(X, sample_weight=WEIGHT)


# ---------------------------------------------------------------------- rows
def test_rows_of_several_kinds_are_stacked():
    parts = [X[:3], Rows(X[3:5], weight=np.float32([1, 3])), Rows(X[5:6], None, X[5:6] > 0)]
    dense, weight, observed = unpacked(stacked(parts))
    np.testing.assert_array_equal(dense, X[:6])
    assert weight.tolist() == [1, 1, 1, 1, 3, 1] and observed.shape == (6, 8)
    assert stacked(parts[:1]) is parts[0]
    matrix = stacked([Rows(sparse.csr_array(X[:2])), Rows(sparse.csr_array(X[2:4]))])
    np.testing.assert_array_equal(matrix.X.toarray(), X[:4])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert isinstance(stacked([X[:2], X[2:3]]), np.ndarray)
