"""Free bits: every unit costs max(lambda, its mean divergence), and below that has no gradient."""

import numpy as np
import pytest
from sklearn.base import clone

import autoencoder as ae
from autoencoder.evaluation import kl_per_unit
from autoencoder.parts import GaussianCode
from minigrad import grad, tensor

N, K = 40, 3
SCALE = np.array([0.02, 0.3, 2.0])  # of the means: units that say nothing, a little, and much


def outputs():
    """What an encoder might say: (N, 2K), with log-variances near 0."""
    rng = np.random.default_rng(0)
    return np.hstack([SCALE * rng.standard_normal((N, K)), 0.1 * rng.standard_normal((N, K))])


def unit_divergences(h, weight):
    mean, log_variance = h[:, :K], h[:, K:]
    each = (mean**2 + np.exp(log_variance) - 1 - log_variance) / 2
    return np.average(each, axis=0, weights=weight)


@pytest.mark.parametrize("weight", [None, np.random.default_rng(1).random(N)], ids=["", "weighted"])
def test_every_unit_costs_at_least_so_much(weight):
    if weight is not None:
        weight *= N / weight.sum()  # of mean 1, as in a training
    h, nats = outputs(), unit_divergences(outputs(), weight)
    assert nats[0] < nats[1] < 0.2 < nats[2]
    cost = GaussianCode(beta=0.5, free_bits=0.2).terms(h, weight)["divergence"]
    assert cost == pytest.approx(0.5 * (0.2 + 0.2 + nats[2]), rel=1e-13)
    plain, none = (GaussianCode(0.5, free_bits=b).terms(h, weight) for b in (0, 1e-9))
    assert none["divergence"] == pytest.approx(plain["divergence"], rel=1e-13)


def test_below_there_is_no_gradient_and_above_it_is_the_usual_one():
    h = tensor(outputs(), requires_grad=True)
    free = grad(GaussianCode(free_bits=0.2).terms(h)["divergence"], h).numpy()
    usual = grad(GaussianCode().terms(h)["divergence"], h).numpy()
    below, above = [0, 1, 3, 4], [2, 5]  # the columns of two units, and of the third
    assert not free[:, below].any() and usual[:, below].all()
    np.testing.assert_allclose(free[:, above], usual[:, above], rtol=1e-12)


def test_free_units_are_of_use_to_data_that_would_not_pay_for_them():
    """Rows of variance 0.1 under a decoder of variance 1: probabilistic PCA leaves all units dead
    (T. Lucas et al., 2019), free bits let them carry what is free."""
    X = np.random.default_rng(0).normal(0, 0.1**0.5, (200, 4))
    params = dict(likelihood="gaussian", scale=None, batch_size=200, learning_rate=0.02)
    nats = []
    for code in ("gaussian", GaussianCode(free_bits=0.1)):
        model = ae.VariationalAutoencoder(2, code=code, max_epochs=300, random_state=0, **params)
        nats.append(kl_per_unit(*model.fit(X).posterior(X)))
    assert nats[0].max() < 0.01
    assert (nats[1] > 0.08).all() and (nats[1] < 0.13).all()


def test_it_is_a_parameter_like_others(tmp_path):
    X = np.random.default_rng(0).random((30, 4))
    model = ae.VariationalAutoencoder(2, max_epochs=2, random_state=0).set_params(code__free_bits=1)
    assert clone(model).fit(X).history_["divergence"] == [2, 2]  # two units, of no use yet
    model.fit(X, sample_weight=np.arange(30)).save(tmp_path / "model.npz")
    assert ae.load(tmp_path / "model.npz").code.free_bits == 1
    with pytest.raises(ValueError, match="free_bits must be a number of at least 0, got -1"):
        model.set_params(code__free_bits=-1).fit(X)
