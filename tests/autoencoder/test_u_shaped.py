"""The U-shaped denoiser begins as the identity, has the measured gradients, and is better than the
plain denoiser of as many parameters."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits

import autoencoder as ae
from autoencoder.networks import Sizes, build
from autoencoder.parts import GaussianCode, PointCode
from minigrad import tensor
from minigrad.testing import gradcheck

NOISE = ae.GaussianNoise(0.2)
PARAMS = dict(network="u_shaped", image_shape=(8, 8, 1), noise=NOISE, random_state=0)


def digits():
    X = load_digits().data.astype(np.float32) / 16
    X = X[np.random.default_rng(0).permutation(len(X))]
    return X[:1200], X[1200:]


def test_it_begins_as_the_identity():
    X, _ = digits()
    model = ae.Autoencoder(64, max_epochs=0, **PARAMS).fit(X)
    np.testing.assert_array_equal(model.reconstruct(X), X)
    np.testing.assert_array_equal(model.transform(X), X)


@pytest.mark.parametrize("shape", [(4, 4, 1), (3, 5, 2)], ids=str)
def test_its_gradients_are_the_measured_ones(shape):
    n, rng = int(np.prod(shape)), np.random.default_rng(0)
    sizes = Sizes(n, n, hidden=(2, 3), image_shape=shape, activation="tanh")
    whole = build(sizes, PointCode("linear"), rng, np.float64, network="u_shaped")
    x = rng.standard_normal((2, n))
    parameters = whole.parameters()
    assert len(parameters) == 10
    values = [p.numpy() + 0.3 * rng.standard_normal(p.shape) for p in parameters]

    def loss(x, *values):
        for p, value in zip(parameters, values, strict=True):
            p._data, p.node = value._data, value.node
        t = whole.decode(whole.encode(x))
        return (t * t).sum()

    gradcheck(loss, [x, *values], directions=2)
    seen = whole.encoder.first(whole.encoder.image(tensor(x)))
    assert seen.shape == (2, *shape[:2], 2) == whole.encoder.lower(seen).shape


def test_it_is_better_than_the_plain_denoiser_of_as_many_parameters(tmp_path):
    train, test = digits()
    noisy = test + 0.2 * np.random.default_rng(1).standard_normal(test.shape).astype(np.float32)
    params = dict(noise=NOISE, batch_size=64, max_epochs=10, learning_rate=0.005, random_state=0)
    model = ae.Autoencoder(64, **PARAMS, hidden=(8, 16)).set_params(**params).fit(train)
    plain = ae.Autoencoder(16, hidden=(40,), **params).fit(train)
    counts = [sum(p.size for p in m.network_.parameters()) for m in (model, plain)]
    assert counts[0] < counts[1] == 6560
    errors = [np.square(m.reconstruct(noisy) - test).mean() for m in (model, plain)]
    assert errors[0] < 0.75 * errors[1] < errors[1] < 0.04
    model.save(tmp_path / "model.npz")
    again = ae.load(tmp_path / "model.npz")
    np.testing.assert_array_equal(again.reconstruct(noisy), model.reconstruct(noisy))
    assert clone(model).network == "u_shaped"


def test_a_code_as_long_as_the_rows_is_no_code_too_long():
    X, _ = digits()
    model = ae.Autoencoder(64, max_epochs=1, **PARAMS).fit(X[:30])
    assert "more code than data" not in {finding.name for finding in model.diagnosis_}


def test_mistakes_get_a_sentence():
    X, _ = digits()
    for params, sentence in (
        (dict(image_shape=None), "is for images, got image_shape=None and rows of 64"),
        (dict(n_components=8), "has no code but the image without its noise: use n_components=64"),
        (dict(code=GaussianCode()), r"a point code and no labels, got .* GaussianCode\(\)"),
        (dict(hidden=(4,)), r"hidden must be the channels at full and at half size, .* got \(4,\)"),
    ):
        model = ae.Autoencoder(64, max_epochs=1, **PARAMS).set_params(**params)
        with pytest.raises(ValueError, match=sentence):
            model.fit(X)
