"""The maximum mean discrepancy: the sum over pairs, its expectation where that is known, and codes
that it brings to the prior."""

import numpy as np
import pytest
from scipy.stats import sem
from sklearn.base import clone

import autoencoder as ae
from autoencoder.networks import Sizes, build
from autoencoder.parts import MMDPenalty, PointCode
from autoencoder.parts.mmd import KERNELS, squared_mmd
from autoencoder.parts.penalty import Batch
from minigrad import tensor
from minigrad.testing import gradcheck

N, K = 7, 3


def samples(n=N, shift=0.0, seed=0):
    rng = np.random.default_rng(seed)
    return shift + rng.standard_normal((n, K)), rng.standard_normal((n, K))


def by_pairs(z, p, kernel, weight):
    """One pair after the other, as A. Gretton et al. (2012), equation 3, has them."""
    c = 2 * K

    def k(a, b):
        d = np.sum((a - b) ** 2)
        return c / (c + d) if kernel == "inverse_multiquadratic" else np.exp(-d / c)

    within = of_pairs = between = prior = 0.0
    for i in range(len(z)):
        for j in range(len(z)):
            if i != j:
                within += weight[i] * weight[j] * k(z[i], z[j])
                of_pairs += weight[i] * weight[j]
                prior += k(p[i], p[j]) / (len(z) * (len(z) - 1))
            between += weight[i] * k(z[i], p[j]) / (weight.sum() * len(z))
    return within / of_pairs + prior - 2 * between


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("weight", [None, np.arange(N) + 0.5], ids=["", "weighted"])
def test_it_is_the_sum_over_pairs(kernel, weight):
    z, p = samples(shift=0.5)
    expected = by_pairs(z, p, kernel, np.ones(N) if weight is None else weight)
    given = None if weight is None else tensor(weight)
    assert squared_mmd(tensor(z), tensor(p), kernel, given).item() == pytest.approx(expected)
    gradcheck(lambda z: squared_mmd(z, tensor(p), kernel, given), [z], order=2)


@pytest.mark.parametrize("shift", [0.0, 0.4])
def test_its_expectation_is_known_for_normal_codes(shift):
    """0 for N(0, I); for N(m, I) and the kernel exp(-d / c), integrals of Gaussians."""
    values = [squared_mmd(*map(tensor, samples(60, shift, s)), "rbf").item() for s in range(200)]
    c, m = 2 * K, K * shift**2
    expected = 2 * (1 + 4 / c) ** (-K / 2) * (1 - np.exp(-m / (c + 4)))
    assert abs(np.mean(values) - expected) < 4 * sem(values)
    assert min(values) < 0 or shift  # unbiased, and so below 0 at times
    biased = np.mean(values) + 2 / 60 * (1 - (1 + 4 / c) ** (-K / 2))  # with the pairs i = j
    assert abs(biased - expected) > 8 * sem(values)


def test_the_other_kernel_has_expectation_0_too():
    kernel = "inverse_multiquadratic"
    values = [squared_mmd(*map(tensor, samples(40, 0, seed)), kernel).item() for seed in range(200)]
    assert abs(np.mean(values)) < 4 * sem(values) < 0.01


def test_the_penalty_is_of_the_codes_that_the_decoder_reads():
    z, p = samples()
    network = build(Sizes(5, K), PointCode("linear"), np.random.default_rng(0), np.float64)
    batch = Batch(network, PointCode(), np.zeros((N, 5)), None, tensor(z), None, {})
    batch = batch._replace(rng=np.random.default_rng(3))
    p = np.random.default_rng(3).standard_normal((N, K))
    one = squared_mmd(tensor(z), tensor(p), "inverse_multiquadratic").item()
    assert MMDPenalty()(batch).item() == pytest.approx(5 * one, rel=1e-13)  # the features
    batch = batch._replace(rng=np.random.default_rng(3))
    assert MMDPenalty(2.0, "rbf")(batch).item() == pytest.approx(
        2 * squared_mmd(tensor(z), tensor(p), "rbf").item(), rel=1e-13
    )
    alone = batch._replace(z=tensor(z[:1], requires_grad=True), rng=np.random.default_rng(0))
    assert MMDPenalty()(alone).item() == 0  # the last batch of an epoch can have one row


def test_codes_come_to_be_like_the_prior(tmp_path):
    """A curve in the plane of two of four columns, whose linear code would keep its own shape."""
    rng = np.random.default_rng(0)
    u = rng.random((400, 1))
    X = np.hstack([3 * u, np.sin(6 * u), 0.1 * rng.standard_normal((400, 2))])
    params = dict(hidden=(16,), max_epochs=20, learning_rate=0.005, random_state=0, scale=None)
    model = ae.Autoencoder(2, penalty=MMDPenalty(weight=50.0), **params)
    with_it, without = clone(model).fit(X), clone(model).set_params(penalty=None).fit(X)

    def off(model):  # from the mean and the covariance of the prior
        return abs(model.code_mean_).max() + abs(model.code_covariance_ - np.eye(2)).max()

    assert off(with_it) < 0.5 < 2 * off(with_it) < off(without)
    new = with_it.sample(500, prior="standard_normal", random_state=0)
    assert abs(new[:, :2].mean(axis=0) - X[:, :2].mean(axis=0)).max() < 0.3
    with_it.save(tmp_path / "model.npz")
    again = ae.load(tmp_path / "model.npz")
    assert again.penalty.weight == 50
    np.testing.assert_array_equal(again.transform(X), with_it.transform(X))
    assert clone(model).set_params(max_epochs=2).fit(X, sample_weight=u[:, 0]).n_iter_ == 2


def test_mistakes_get_a_sentence():
    with pytest.raises(ValueError, match="unknown kernel 'gauss': use 'inverse_multiquadratic', "):
        ae.Autoencoder(2, penalty=MMDPenalty(kernel="gauss")).fit(samples()[0])
    with pytest.raises(ValueError, match="MMDPenalty: weight must be a number of at least 0"):
        ae.Autoencoder(2, penalty=MMDPenalty(-1)).fit(samples()[0])
    model = ae.Autoencoder(2, penalty="mmd", max_epochs=1).fit(samples(20)[0])
    with pytest.raises(ValueError, match='"standard_normal" where a penalty brought the codes'):
        model.sample(2)
