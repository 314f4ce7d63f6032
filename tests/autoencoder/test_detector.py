"""Proves that the detector finds what is planted, that its threshold and its p-values hold what
they promise on new normal data, and that explanations point at the feature that was changed."""

import numpy as np
import pytest
from sklearn.base import is_classifier, is_outlier_detector
from sklearn.calibration import CalibratedClassifierCV
from sklearn.exceptions import NotFittedError
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import GridSearchCV, TunedThresholdClassifierCV

import autoencoder as ae
from minigrad import checkpoint, nn


def normal(n=300, seed=0, d=8):
    """Rows near a 2-dimensional plane in d dimensions."""
    plane = np.random.default_rng(42).normal(size=(2, d))
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 2)) @ plane + 0.1 * rng.normal(size=(n, d))


def linear(**params):
    return ae.Autoencoder(
        2,
        **{"code": "linear", "learning_rate": 0.02, "max_epochs": 60, "random_state": 0, **params},
    )


@pytest.mark.parametrize("criterion", ["likelihood", "reconstruction"])
def test_planted_anomalies_are_found_and_the_untrained_network_does_not_find_them(criterion):
    X = normal()
    X[:15, 3] += 2.0
    detector = ae.AutoencoderAnomalyDetector(linear(), criterion=criterion, contamination=0.05)
    labels = detector.fit_predict(X)
    assert (labels == -1).sum() == 15
    assert (labels[:15] == -1).mean() > 0.9
    untrained = ae.AutoencoderAnomalyDetector(linear(max_epochs=0), contamination=0.05).fit(X)
    assert (untrained.predict(X)[:15] == -1).mean() < 0.5


def test_codes_far_from_the_others_are_found_by_their_distance():
    """Rows on the plane, but far out: rebuilt as well as others, and yet unknown."""
    X = normal()
    detector = ae.AutoencoderAnomalyDetector(linear(), criterion="code").fit(X)
    assert (detector.predict(6 * X[np.square(X).sum(axis=1) > 5]) == -1).all()
    codes = detector.autoencoder_.transform(X)
    inverse = np.linalg.inv(np.cov(codes.T, bias=True))
    expected = [-(z @ inverse @ z) for z in codes - codes.mean(axis=0)]
    np.testing.assert_allclose(detector.score_samples(X), expected, rtol=1e-8)


def test_scores_decisions_and_labels_agree():
    X = normal()
    detector = ae.AutoencoderAnomalyDetector(linear(max_epochs=5), contamination=0.2).fit(X)
    scores = detector.score_samples(X)
    np.testing.assert_array_equal(scores, detector.autoencoder_.score_samples(X))
    np.testing.assert_array_equal(detector.decision_function(X), scores - detector.offset_)
    np.testing.assert_array_equal(detector.predict(X) == -1, scores < detector.offset_)
    assert (detector.predict(X) == -1).sum() == 60


def test_an_explanation_points_at_the_feature_that_was_changed():
    detector = ae.AutoencoderAnomalyDetector(linear()).fit(normal(d=20))
    X = normal(50, seed=1, d=20)
    changed = np.arange(50) % 20
    X[np.arange(50), changed] += 3.0
    errors = detector.explain(X)
    assert (errors.shape, errors.dtype) == (X.shape, np.float64)
    difference = (X - detector.autoencoder_.reconstruct(X)) / normal(d=20).std(axis=0)
    np.testing.assert_allclose(errors, difference**2, rtol=1e-6)
    assert (errors.argmax(axis=1) == changed).mean() > 0.95


def test_p_values_of_new_normal_rows_are_uniform_and_of_anomalies_small():
    """On average over calibrations P(p <= a) = floor(a (m + 1)) / (m + 1); over 20 of them with 100
    rows the error of the mean is about 0.008 at a = 0.1."""
    rates, flagged = [], []
    for seed in range(20):
        detector = ae.AutoencoderAnomalyDetector(
            linear(max_epochs=2), calibration_fraction=0.5, random_state=seed
        ).fit(normal(200, seed))
        new = normal(500, 1000 + seed)
        p = detector.p_values(new)
        assert p.min() >= 1 / 101
        assert p.max() <= 1
        rates.append([(p <= a).mean() for a in (0.1, 0.3, 0.5)])
        flagged.append((detector.predict(new) == -1).mean())
        np.testing.assert_array_equal(detector.predict(new) == -1, p <= 0.1)
        new[:, 0] += 30
        assert (detector.p_values(new) == 1 / 101).all()
    np.testing.assert_allclose(np.mean(rates, axis=0), np.array([10, 30, 50]) / 101, atol=0.035)
    assert np.mean(flagged) < 0.12


@pytest.mark.parametrize("contamination", [0.05, 0.07, 0.29, 0.33, 0.5])
@pytest.mark.parametrize("rows", [40, 60, 198])
def test_an_anomaly_is_a_row_whose_p_value_is_at_most_the_contamination(rows, contamination):
    """Also where it is one of the p-values there can be, and for a row with the very score."""
    model = linear(max_epochs=1)
    how = dict(contamination=contamination, calibration_fraction=0.5, random_state=0)
    try:
        detector = ae.AutoencoderAnomalyDetector(model, **how).fit(normal(rows))
    except ValueError as error:  # no p-value is so small
        assert "holds out" in str(error) and 1 / (rows / 2 + 1) > contamination
        return
    X = np.concatenate([normal(rows), normal(60, seed=1), 3 * normal(60, seed=2)])
    assert (detector.score_samples(X) == detector.offset_).any()
    expected = np.where(detector.p_values(X) <= contamination, -1, 1)
    np.testing.assert_array_equal(detector.predict(X), expected)


def test_calibration_rows_are_not_trained_on(monkeypatch):
    seen = []
    original = ae.Autoencoder.fit
    monkeypatch.setattr(
        ae.Autoencoder, "fit", lambda self, X, y=None: (seen.append(X), original(self, X))[1]
    )
    X = normal(100)
    detector = ae.AutoencoderAnomalyDetector(
        linear(max_epochs=1), calibration_fraction=0.3, random_state=0
    ).fit(X)
    trained = {tuple(row) for row in seen[0]}
    assert len(trained) == 70
    rest = np.array([row for row in X if tuple(row) not in trained])
    np.testing.assert_allclose(np.sort(detector.score_samples(rest)), detector.calibration_scores_)


def test_any_kind_can_be_inside_and_parameters_are_nested():
    X = normal()
    vae = ae.VariationalAutoencoder(2, max_epochs=2)
    detector = ae.AutoencoderAnomalyDetector(vae, random_state=0)
    detector.set_params(autoencoder__max_epochs=1, autoencoder__code__beta=0.5).fit(X)
    assert detector.autoencoder_.n_iter_ == 1
    assert detector.autoencoder_ is not vae
    assert not hasattr(vae, "network_")
    first = detector.score_samples(X)
    np.testing.assert_array_equal(detector.fit(X).score_samples(X), first)
    usual = ae.AutoencoderAnomalyDetector(random_state=0).fit(X)
    assert usual.autoencoder_.transform(X).shape[1] == 2


def test_a_search_over_parameters_of_an_autoencoder_that_was_not_named():
    X, y = normal(100), np.where(np.arange(100) % 10, 1, -1)
    X[y == -1, 3] += 2.0
    grid = {"autoencoder__max_epochs": [0, 1], "autoencoder__n_components": [2]}
    detector = ae.AutoencoderAnomalyDetector(random_state=0)
    search = GridSearchCV(detector, grid, scoring="roc_auc", cv=2).fit(X, y)
    assert search.best_estimator_.autoencoder_.n_components == 2
    assert detector.autoencoder is None  # a clone was searched with
    vae = ae.VariationalAutoencoder(2)
    detector.set_params(autoencoder=vae, autoencoder__max_epochs=3)
    assert (detector.autoencoder, vae.max_epochs) == (vae, 3)


@pytest.mark.parametrize("calibration_fraction", [0.0, 0.4])
def test_partial_fit_goes_on_and_sets_the_threshold_anew(calibration_fraction):
    blocks = [normal(100, seed) for seed in range(6)]
    how = dict(contamination=0.1, calibration_fraction=calibration_fraction, random_state=0)
    detector = ae.AutoencoderAnomalyDetector(linear(), **how)
    for X in blocks:
        detector.partial_fit(X)
    assert detector.autoencoder_.n_iter_ == 6
    first = ae.AutoencoderAnomalyDetector(linear(max_epochs=1), **how).fit(blocks[0])
    np.testing.assert_array_equal(
        ae.AutoencoderAnomalyDetector(linear(), **how).partial_fit(blocks[0]).predict(blocks[1]),
        first.predict(blocks[1]),
    )
    if calibration_fraction:
        assert len(detector.calibration_scores_) == 40
        assert (detector.predict(normal(500, 9)) == -1).mean() < 0.25
    else:
        assert (detector.predict(blocks[-1]) == -1).sum() == 10
    assert detector.score_samples(blocks[0]).mean() > first.score_samples(blocks[0]).mean()
    with pytest.raises(ValueError, match=r"7 features, but .* expecting 8"):
        detector.partial_fit(normal(50, d=7))
    assert detector.autoencoder_.n_iter_ == 6


def test_tools_that_ask_for_classes():
    """Those that ask for a classifier say that it is none, as of scikit-learn's own detectors; one
    calibrated by labels is."""
    X, y = normal(200), np.where(np.arange(200) % 10, 1, -1)
    X[y == -1, 3] += 3.0
    detector = ae.AutoencoderAnomalyDetector(linear()).fit(X)
    np.testing.assert_array_equal(detector.classes_, np.unique(detector.predict(X)))
    with pytest.raises(ValueError, match="binary classifier"):
        TunedThresholdClassifierCV(detector).fit(X, y).predict(X)
    calibrated = CalibratedClassifierCV(detector, cv=2)
    assert calibrated.fit(X, y).predict_proba(X).shape == (200, 2)
    tuned = TunedThresholdClassifierCV(calibrated, cv=2).fit(X, y)
    assert balanced_accuracy_score(y, tuned.predict(X)) > 0.8
    assert not is_classifier(detector)
    assert is_outlier_detector(detector)


def test_an_interrupted_first_fit_is_none():
    def interrupt(model, record):
        raise KeyboardInterrupt

    detector = ae.AutoencoderAnomalyDetector(linear(callbacks=interrupt))
    with pytest.raises(KeyboardInterrupt):
        detector.fit(normal(100))
    with pytest.raises(NotFittedError, match="is not fitted yet"):
        detector.predict(normal(5))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        (dict(contamination=0.0), r"contamination must be a number in \(0, 0.5\], got 0.0"),
        (dict(contamination=0.6), r"in \(0, 0.5\], got 0.6"),
        (dict(contamination="auto"), r"in \(0, 0.5\], got 'auto'"),
        (dict(criterion="distance"), "unknown criterion 'distance': use 'likelihood'"),
        (dict(calibration_fraction=1.0), r"in \[0, 1\), got 1.0"),
        (dict(calibration_fraction=0.02), "of 100 rows holds out 2, .* at least 9"),
        (dict(autoencoder="vae"), "must be None or an Autoencoder of any kind, got 'vae'"),
    ],
)
def test_wrong_parameters_get_a_sentence(params, message):
    with pytest.raises(ValueError, match=message):
        ae.AutoencoderAnomalyDetector(**params).fit(normal(100))


def test_p_values_need_calibration():
    detector = ae.AutoencoderAnomalyDetector(linear(max_epochs=1)).fit(normal(100))
    with pytest.raises(ValueError, match="fit with calibration_fraction above 0"):
        detector.p_values(normal(5))


@pytest.mark.parametrize("calibration_fraction", [0.0, 0.4])
def test_a_saved_detector_says_the_same(tmp_path, calibration_fraction):
    X = np.random.default_rng(3).normal(size=(80, 6))
    model = ae.Autoencoder(2, code="linear", max_epochs=3)
    detector = ae.AutoencoderAnomalyDetector(
        model,
        criterion="code",
        contamination=0.2,
        calibration_fraction=calibration_fraction,
        random_state=1,
    ).fit(X)
    detector.save(tmp_path / "detector.npz")
    loaded = ae.AutoencoderAnomalyDetector.load(tmp_path / "detector.npz")
    for method in ["predict", "score_samples", "explain"] + ["p_values"] * bool(
        calibration_fraction
    ):
        np.testing.assert_array_equal(getattr(loaded, method)(X), getattr(detector, method)(X))
    assert loaded.get_params(deep=False).keys() == detector.get_params(deep=False).keys()
    assert (loaded.criterion, loaded.contamination, loaded.random_state) == ("code", 0.2, 1)
    np.testing.assert_array_equal(loaded.fit(X).predict(X), detector.predict(X))


def test_a_loaded_detector_knows_its_columns(tmp_path):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(normal(80), columns=list("abcdefgh"))
    detector = ae.AutoencoderAnomalyDetector(linear(max_epochs=1)).fit(frame)
    detector.save(tmp_path / "detector.npz")
    loaded = ae.AutoencoderAnomalyDetector.load(tmp_path / "detector.npz")
    np.testing.assert_array_equal(loaded.feature_names_in_, detector.feature_names_in_)
    np.testing.assert_array_equal(loaded.predict(frame), detector.predict(frame))
    for method in ("predict", "score_samples", "decision_function", "explain"):
        with pytest.raises(ValueError, match="feature names should match"):
            getattr(loaded, method)(frame[frame.columns[::-1]])


def test_load_gives_back_what_was_saved(tmp_path):
    path, X = tmp_path / "detector.npz", normal(80)
    for own in (linear(max_epochs=1), None):
        detector = ae.AutoencoderAnomalyDetector(own, random_state=0).fit(X)
        detector.save(path)
        loaded = ae.load(path)
        assert type(loaded) is ae.AutoencoderAnomalyDetector
        assert (loaded.autoencoder is None) == (own is None)
        assert loaded.__dict__.keys() == detector.__dict__.keys()
        np.testing.assert_array_equal(loaded.score_samples(X), detector.score_samples(X))
    with pytest.raises(ValueError, match=r"holds an anomaly detector: use autoencoder\.load"):
        ae.Autoencoder.load(path)


def test_a_detector_with_a_network_of_ones_own_comes_back(tmp_path):
    def network(sizes, code, rng, dtype):
        make = dict(dtype=dtype, rng=rng)
        return nn.Dense(sizes.n_features, sizes.n_components, **make), nn.Dense(
            sizes.n_components, sizes.n_features, **make
        )

    path, X = tmp_path / "detector.npz", normal(80)
    model = linear(max_epochs=1, network=network, callbacks=lambda model, record: False)
    detector = ae.AutoencoderAnomalyDetector(model).fit(X)
    with pytest.warns(UserWarning, match="callbacks is code") as warned:
        detector.save(path)
    assert warned[0].filename == __file__
    for load in (ae.load, ae.AutoencoderAnomalyDetector.load):
        with pytest.raises(ValueError, match="files hold no code"):
            load(path)
        scores = load(path, network=network).score_samples(X)
        np.testing.assert_array_equal(scores, detector.score_samples(X))


def test_files_that_hold_no_detector(tmp_path):
    X = np.random.default_rng(3).normal(size=(40, 4))
    detector = ae.AutoencoderAnomalyDetector(ae.Autoencoder(2, max_epochs=1)).fit(X)
    detector.autoencoder_.save(tmp_path / "model.npz")
    with pytest.raises(ValueError, match="holds no detector"):
        ae.AutoencoderAnomalyDetector.load(tmp_path / "model.npz")
    detector.save(tmp_path / "good.npz")
    arrays, about = checkpoint.load(tmp_path / "good.npz")
    for nonsense in ({}, None, [], {"params": {"criterion": "x"}, "offset": 0.0}):
        checkpoint.save(tmp_path / "bad.npz", arrays, {**about, "detector": nonsense})
        with pytest.raises(ValueError, match="does not describe a whole detector"):
            ae.AutoencoderAnomalyDetector.load(tmp_path / "bad.npz")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda about: about["detector"].update(feature_names=["a", "b"]), "2 names of 4 columns"),
        (lambda about: about["fitted"].update(n_features_in_=7), "it was fitted to 7 features"),
        (lambda about: about["fitted"].update(n_features_in_=True), "no fitted estimator has such"),
    ],
)
def test_a_file_of_other_columns_than_its_weights_have(tmp_path, change, words):
    path = tmp_path / "detector.npz"
    ae.AutoencoderAnomalyDetector(linear(max_epochs=1)).fit(normal(40, d=4)).save(path)
    arrays, about = checkpoint.load(path)
    change(about)
    checkpoint.save(path, arrays, about)
    with pytest.raises(ValueError, match=words):
        ae.load(path)


def test_a_threshold_is_found_among_finite_scores_only():
    from autoencoder.detector import _finite

    assert _finite(np.array([1.0, -2.0])).tolist() == [1.0, -2.0]
    for bad in (-np.inf, np.nan):
        with pytest.raises(ValueError, match="are not finite, because the data are too large or"):
            _finite(np.array([1.0, bad]))
