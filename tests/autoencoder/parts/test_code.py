"""Codes: activations, and the Gaussian code's draws and divergence against integrals and chance."""

import numpy as np
import pytest
from scipy import integrate, stats

from autoencoder import VariationalAutoencoder
from autoencoder.parts import GaussianCode, PointCode
from minigrad import Tensor, exp, tensor
from minigrad.testing import gradcheck

DTYPES = [np.float32, np.float64]


def rng(seed=0):
    return np.random.default_rng(seed)


# ---------------------------------------------------------------------- point codes
@pytest.mark.parametrize(
    ("activation", "formula"),
    [
        ("relu", lambda h: np.maximum(h, 0)),
        ("sigmoid", lambda h: 1 / (1 + np.exp(-h))),
        ("tanh", np.tanh),
        ("linear", lambda h: h),
    ],
)
def test_a_point_code_is_its_activation_and_costs_nothing(activation, formula):
    code, h = PointCode(activation), rng().standard_normal((5, 3))
    assert code.width(3) == 3
    assert code.divergence(h) is None
    np.testing.assert_allclose(code.mean(h), formula(h), rtol=1e-15)
    np.testing.assert_array_equal(code.sample(h, None), code.mean(h))  # nothing is drawn
    np.testing.assert_array_equal(code.mean(tensor(h)).numpy(), code.mean(h))
    gradcheck(code.mean, [h], order=2)


def test_an_unknown_activation_is_refused_when_used():
    with pytest.raises(ValueError, match="unknown activation 'swish': use 'relu', 'sigmoid'"):
        PointCode("swish").mean(np.ones((1, 1)))


# ---------------------------------------------------------------------- Gaussian codes
def test_the_outputs_are_means_and_then_log_variances():
    code, h = GaussianCode(), np.arange(-2.0, 10.0).reshape(2, 6)
    assert code.width(3) == 6
    np.testing.assert_array_equal(code.mean(h), h[:, :3])
    np.testing.assert_array_equal(code.log_variance(h), h[:, 3:])
    np.testing.assert_array_equal(code.log_variance(tensor(h)).numpy(), h[:, 3:])


def test_log_variances_bend_beyond_ten_and_stay_below_twenty():
    code, a = GaussianCode(), np.array([[0.0, 9.9, -9.9, 11.0, -11.0, 15.0, 1e9, -1e9]]).T
    h = np.concatenate([0 * a, a], axis=1)  # (8, 2)
    bent = code.log_variance(h)[:, 0]
    np.testing.assert_array_equal(bent[:3], a[:3, 0])
    np.testing.assert_allclose(
        bent[3:6], 10 * np.array([1, -1, 1]) * (1 + np.tanh([0.1, 0.1, 0.5]))
    )
    np.testing.assert_array_equal(bent[6:], [20, -20])
    gradcheck(code.log_variance, [h[:6]], order=2)
    assert np.isfinite(code.divergence(h[:, :])).all()


def test_a_warm_up_weighs_the_divergence_by_the_part_of_the_fit_that_is_over():
    """The training of a warm-up is that of a code whose beta a callback raises by hand."""
    assert [GaussianCode(warm_up=0.5).warmth(p) for p in (0, 0.25, 0.5, 0.9)] == [0, 0.5, 1, 1]
    with pytest.raises(ValueError, match="warm_up must be a number from 0 to 1, got 2"):
        VariationalAutoencoder(2, code=GaussianCode(warm_up=2)).fit(np.ones((3, 4)))

    class ByHand(GaussianCode):
        def divergence(self, h):
            if not hasattr(h, "requires_grad"):  # an estimate after the training
                return super().divergence(h)
            return min(next(made) / 8, 1.0) * super().divergence(h)

    X = rng().normal(size=(64, 4))
    made = iter([8, 8, 8, 8, *range(16)])  # four blocks are evaluated before the first step
    params = dict(batch_size=16, max_epochs=4, random_state=0)  # 16 steps
    model = VariationalAutoencoder(2, code=GaussianCode(warm_up=0.5), **params).fit(X)
    other = VariationalAutoencoder(2, code=ByHand(), **params).fit(X)
    for name, array in model.network_.state_dict().items():
        np.testing.assert_allclose(other.network_.state_dict()[name], array, rtol=1e-9)
    whole = model.history_["reconstruction"][0] + model.history_["divergence"][0]
    assert model.history_["loss"][0] == pytest.approx(whole)  # what is recorded is the objective


def test_draws_have_the_mean_and_variance_that_the_encoder_says():
    n, mean, variance = 200_000, np.array([-1.0, 0.5]), np.array([0.09, 4.0])
    h = np.tile([*mean, *np.log(variance)], (n, 1))
    z = GaussianCode().sample(h, rng())
    assert (np.abs(z.mean(axis=0) - mean) < 4 * np.sqrt(variance / n)).all()
    assert (np.abs(z.var(axis=0) / variance - 1) < 4 * np.sqrt(2 / n)).all()
    assert abs(np.corrcoef(z.T)[0, 1]) < 4 / np.sqrt(n)
    for unit in range(2):
        standard = (z[:, unit] - mean[unit]) / np.sqrt(variance[unit])
        assert stats.kstest(standard, "norm").pvalue > 1e-3


def test_the_divergence_is_the_integral():
    """Not the formula again: the integral of q log(q / p) over each unit."""
    h = np.array([[0.7, -1.2, np.log(0.3), np.log(2.5)], [0.0, 0.0, 0.0, 0.0]])
    expected = []
    for row in h:
        total = 0.0
        for mean, log_variance in zip(row[:2], row[2:], strict=True):
            q, p = stats.norm(mean, np.exp(log_variance / 2)), stats.norm()
            total += integrate.quad(lambda z: q.pdf(z) * (q.logpdf(z) - p.logpdf(z)), -15, 15)[0]  # noqa: B023
        expected.append(total)
    np.testing.assert_allclose(GaussianCode().divergence(h), expected, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(GaussianCode(beta=7.0).divergence(h), expected, atol=1e-9)


class MistakenCode(GaussianCode):
    """The common mistake: the variance where the standard deviation belongs."""

    def sample(self, h, rng):
        return self.mean(h) + exp(self.log_variance(h)) * rng.standard_normal(self.mean(h).shape)


def errors_of_the_divergence(code, draws=50_000):
    """How many standard errors a Monte-Carlo estimate from ``code.sample`` is from the formula."""
    mean, log_variance = np.array([0.8, -0.3, 0.0]), np.array([-1.0, 0.5, 1.5])
    h = np.tile([*mean, *log_variance], (draws, 1))
    z = code.sample(h, rng())
    log_q = stats.norm(mean, np.exp(log_variance / 2)).logpdf(z).sum(axis=1)
    estimates = log_q - stats.norm().logpdf(z).sum(axis=1)
    return abs(estimates.mean() - code.divergence(h[:1])[0]) / stats.sem(estimates)


def test_draws_and_divergence_belong_to_one_distribution():
    assert errors_of_the_divergence(GaussianCode()) < 4
    assert errors_of_the_divergence(MistakenCode()) > 40


def test_draws_and_divergence_are_differentiable():
    h = rng().standard_normal((4, 6))
    gradcheck(lambda h: GaussianCode().sample(h, rng(1)), [h], order=2)
    gradcheck(GaussianCode().divergence, [h], order=2)


@pytest.mark.parametrize("dtype", DTYPES)
def test_arrays_and_tensors_give_the_same_and_keep_the_dtype(dtype):
    code, h = GaussianCode(beta=np.float64(2)), rng().standard_normal((4, 6)).astype(dtype)
    for call in (lambda h: code.sample(h, rng(1)), code.divergence, code.mean):
        of_array, of_tensor = call(h), call(tensor(h, requires_grad=True))
        assert isinstance(of_array, np.ndarray) and isinstance(of_tensor, Tensor)
        assert of_array.dtype == of_tensor.dtype == dtype
        np.testing.assert_array_equal(of_tensor.numpy(), of_array)


def test_the_generator_decides_and_only_a_generator_will_do():
    h = rng().standard_normal((4, 6))
    a, b, c = (GaussianCode().sample(h, rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(a, b)
    assert (a != c).all()
    with pytest.raises(TypeError, match="GaussianCode: rng must be"):
        GaussianCode().sample(h, None)
