"""What is computed with a trained network: bounds are the formulas, for one draw and for many."""

import dataclasses

import numpy as np
import pytest

import autoencoder as ae
from autoencoder import datasets, inference, variants
from autoencoder.networks import Sizes, build
from autoencoder.parts import GaussianCode, GaussianLikelihood

X = np.random.default_rng(0).normal(size=(7, 5))


@pytest.fixture
def model():
    code = GaussianCode()
    network = build(Sizes(5, 2), code, np.random.default_rng(1), float)
    return inference.Model(network, code, GaussianLikelihood(0.5), 0.5, 3)


@pytest.mark.parametrize("n_draws", [1, 4])
def test_the_lower_bound_is_the_mean_likelihood_less_the_divergence(model, n_draws, monkeypatch):
    divergence = model.code.divergence(inference.encode(model, X))
    likelihoods = iter(np.arange(7.0) + 10 * k for k in range(n_draws))
    monkeypatch.setattr(inference, "_log_prob", lambda *_: next(likelihoods))
    expected = np.arange(7.0) + 10 * (n_draws - 1) / 2 - divergence
    np.testing.assert_allclose(inference.elbo(model, X, n_draws), expected)


def test_a_bound_that_is_no_number_is_the_lowest_there_is(model, monkeypatch):
    monkeypatch.setattr(inference, "_log_prob", lambda *_: np.full(7, np.nan))
    assert (inference.elbo(model, X, 2) == -np.inf).all()


def test_importance_weights_are_the_joint_density_over_that_of_the_draw(model):
    weights = inference.log_weights(model, X, 3)
    assert weights.shape == (3, 7)
    h = inference.encode(model, X)
    mean, log_variance = model.code.mean(h), model.code.log_variance(h)
    for found, z in zip(weights, inference.draws(model, h, 3), strict=True):
        rebuilt = inference.decode(model, z)
        log_p = -((X - rebuilt) ** 2).sum(axis=1) / (2 * 0.5) - 5 / 2 * np.log(2 * np.pi * 0.5)
        prior = -(z**2).sum(axis=1) / 2
        posterior = -((z - mean) ** 2 / np.exp(log_variance) + log_variance).sum(axis=1) / 2
        np.testing.assert_allclose(found, log_p + prior - posterior)


def test_blocks_change_nothing(model):
    whole = model._replace(block=100)
    for function in (inference.encode, inference.log_prob, inference.codes):
        np.testing.assert_allclose(function(model, X), function(whole, X), rtol=1e-12)
    assert inference.encode(model, X).shape == (7, 4)


def test_the_bounds_of_an_estimator_are_ordered():
    vae = ae.VariationalAutoencoder(2, max_epochs=2, random_state=0, scale=None).fit(X)
    elbo, evidence = vae.elbo(X, n_draws=64), vae.log_likelihood(X, n_draws=64)
    assert (elbo <= evidence + 0.5).all()


def test_all_rows_have_a_bound_however_few_are_computed_at_once(monkeypatch):
    vae = ae.VariationalAutoencoder(2, max_epochs=1, random_state=0).fit(X)
    whole = vae.log_likelihood(X, n_draws=2)
    monkeypatch.setattr(variants, "ROWS", 3)
    assert vae.log_likelihood(X, n_draws=2).shape == whole.shape == (7,)


def test_images_have_16_and_32_channels_unless_one_says_otherwise():
    images = np.random.default_rng(0).random((4, 64))
    model = ae.Autoencoder(2, image_shape=(8, 8, 1), hidden="auto", max_epochs=0).fit(images)
    shapes = [w.shape for name, w in model.network_.state_dict().items() if name.endswith("weight")]
    assert [shape[-1] for shape in shapes[:2]] == [16, 32]


def test_the_reference_model_has_the_published_settings():
    settings = ae.olivetti.settings(32, 50)
    names = ("learning_rate", "n_components", "batch_size", "max_epochs", "skip_last_batch")
    assert [settings[name] for name in names] == [0.001, 256, 50, 600, True]
    assert settings["solver_options"] == {"epsilon": 1e-8 / 50, "epsilon_hat": True}


# ---------------------------------------------------------------------- what fits leave behind
def test_lists_of_pictures_are_taken_as_pictures():
    pictures = list(np.random.default_rng(0).random((9, 4, 4)))
    model = ae.Autoencoder(2, image_shape=(4, 4, 1), max_epochs=1, random_state=0).fit(pictures)
    assert model.transform(pictures).shape == (9, 2)
    rows = ae.Autoencoder(2, max_epochs=1, random_state=0).fit(np.reshape(pictures, (9, 16)))
    assert rows.transform(np.reshape(pictures, (9, 16))).shape == (9, 2)


def test_a_fit_says_how_often_it_began_again():
    assert ae.Autoencoder(2, max_epochs=1, random_state=0).fit(X).n_restarts_ == 0


def test_a_length_that_was_asked_for_is_kept_however_level_the_loss_is():
    rows = np.random.default_rng(0).normal(size=(60, 3))
    settings = dict(batch_size=1, learning_rate=1e-12, scale=None, schedule=None, random_state=0)
    assert ae.Autoencoder(2, max_epochs=20, **settings).fit(rows).n_iter_ == 20


def test_the_detectors_own_autoencoder_keeps_its_random_state():
    rows = np.random.default_rng(0).normal(size=(30, 5))
    model = ae.Autoencoder(2, max_epochs=1, random_state=0)
    one, other = (ae.AutoencoderAnomalyDetector(model).fit(rows) for _ in range(2))
    np.testing.assert_array_equal(one.score_samples(rows), other.score_samples(rows))
    seeded = (ae.AutoencoderAnomalyDetector(model, random_state=k).fit(rows) for k in (1, 2))
    one, other = (detector.score_samples(rows) for detector in seeded)
    assert not np.array_equal(one, other)


def test_a_detector_that_would_train_on_nothing_is_refused():
    detector = ae.AutoencoderAnomalyDetector(calibration_fraction=0.99, contamination=0.5)
    with pytest.raises(ValueError, match=r"of 10 rows holds out 10, but .* and rows to train on"):
        detector.fit(np.random.default_rng(0).normal(size=(10, 3)))


def test_parts_have_their_documented_defaults():
    assert ae.WeightDecay().weight == 1e-4 and ae.WeightDecay().norm == "l2"


def test_a_data_set_is_what_it_is():
    data = datasets.make_faces(people=2, variations=1, size=8)
    assert data == data and data != dataclasses.replace(data)
    assert {data: 1}[data] == 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        data.name = "other"
