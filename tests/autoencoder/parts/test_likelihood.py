"""Likelihoods are log densities: they integrate to one, and equal SciPy's and PyTorch's."""

import numpy as np
import pytest
from scipy import integrate, optimize, stats

from autoencoder.parts.likelihood import (
    BernoulliLikelihood,
    ContinuousBernoulliLikelihood,
    GaussianLikelihood,
    log_normaliser,
    truncated_mean,
)
from minigrad import grad, tensor
from minigrad.testing import assert_close_to_torch, gradcheck

torch = pytest.importorskip("torch", reason="PyTorch, the second opinion, is not installed")

LIKELIHOODS = [
    GaussianLikelihood(),
    GaussianLikelihood(variance=0.1),
    GaussianLikelihood(variance="optimal"),
    BernoulliLikelihood(),
    ContinuousBernoulliLikelihood(),
]
each_likelihood = pytest.mark.parametrize("likelihood", LIKELIHOODS, ids=repr)
# Near 0, on both sides of where the series ends, and far out.
LOGITS = [0.0, 1e-300, 1e-8, 0.01, 0.3, 0.4999999, 0.5, 0.5000001, 1.0, 4.0, 30.0, 700.0]
LOGITS = np.array([-t for t in LOGITS[:0:-1]] + LOGITS)


def some(shape=(6, 5), seed=0, dtype=np.float64):
    """Decoder outputs and data in [0, 1]."""
    rng = np.random.default_rng(seed)
    return rng.standard_normal(shape).astype(dtype), rng.random(shape).astype(dtype)


# ---------------------------------------------------------------------- what holds for all
@each_likelihood
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_one_number_for_each_example_of_the_dtype_of_the_data(likelihood, dtype):
    t, x = some(dtype=dtype)
    of_array, of_tensor = likelihood.log_prob(t, x), likelihood.log_prob(tensor(t), tensor(x))
    assert of_array.shape == (6,) and of_array.dtype == of_tensor.dtype == dtype
    np.testing.assert_array_equal(of_tensor.numpy(), of_array)
    means = likelihood.mean(tensor(t))
    assert isinstance(means, np.ndarray) and means.shape == t.shape and means.dtype == dtype
    np.testing.assert_array_equal(likelihood.mean(t), means)


@each_likelihood
def test_gradients_are_those_measured(likelihood):
    t, x = some()
    gradcheck(lambda t: likelihood.log_prob(t, x), [t], order=2)


@each_likelihood
def test_the_mean_is_where_the_likelihood_of_many_data_is_flat(likelihood):
    """d log p / dt vanishes on average over data of mean ``mean(t)``: t describes its own data."""
    t = np.array([[-2.0, -0.2, 0.0, 0.7, 3.0]])
    leaf = tensor(t, requires_grad=True)
    offsets = np.array([[-0.01], [0.01]])  # so that the optimal variance is not 0
    x = likelihood.mean(t) + offsets
    both = sum(likelihood.log_prob(leaf, x[k : k + 1], *extra(likelihood)).sum() for k in (0, 1))
    np.testing.assert_allclose(grad(both, leaf).numpy(), 0, atol=1e-12)


def extra(likelihood):
    return (0.3,) if isinstance(likelihood, GaussianLikelihood) else ()


# ---------------------------------------------------------------------- normal
@pytest.mark.parametrize("variance", [0.01, 1, 2.5, np.float32(0.5), np.float64(3)])
def test_the_gaussian_is_scipys(variance):
    t, x = some()
    expected = stats.norm(t, np.sqrt(float(variance))).logpdf(x).sum(axis=1)
    np.testing.assert_allclose(GaussianLikelihood(variance).log_prob(t, x), expected, rtol=1e-13)
    np.testing.assert_allclose(GaussianLikelihood().log_prob(t, x, variance), expected, rtol=1e-13)


def test_a_numpy_variance_does_not_decide_the_dtype():
    t, x = some(dtype=np.float32)
    assert GaussianLikelihood(np.float64(0.5)).log_prob(t, x).dtype == np.float32
    assert GaussianLikelihood().log_prob(t, x, variance=np.float64(0.5)).dtype == np.float32


def test_the_optimal_variance_is_the_best_of_all_and_the_mean_squared_error():
    t, x = some()

    def loss(log_variance):
        return -GaussianLikelihood().log_prob(t, x, variance=np.exp(log_variance)).mean()

    best = optimize.minimize_scalar(loss, tol=1e-10)
    mse = ((t - x) ** 2).mean()
    optimal = -GaussianLikelihood("optimal").log_prob(t, x).mean()
    assert np.exp(best.x) == pytest.approx(mse, rel=1e-6)
    assert optimal == pytest.approx(best.fun, rel=1e-12)
    assert optimal == pytest.approx(t.shape[1] / 2 * (np.log(2 * np.pi * mse) + 1), rel=1e-13)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_perfect_reconstruction_has_a_finite_optimal_likelihood(dtype):
    x = some(dtype=dtype)[1]
    t = tensor(x, requires_grad=True)
    log_p = GaussianLikelihood("optimal").log_prob(t, x).mean()
    assert np.isfinite(log_p.item())
    assert np.isfinite(grad(log_p, t).numpy()).all()


@pytest.mark.parametrize("variance", [0, -1.0, float("nan"), "best", None, [1.0]])
def test_an_impossible_variance_is_refused(variance):
    with pytest.raises(ValueError, match="variance must be a number above 0 or 'optimal', got "):
        GaussianLikelihood(variance).log_prob(*some())
    with pytest.raises(ValueError, match="variance must be a number above 0 or 'optimal', got "):
        GaussianLikelihood(variance).check(some()[1])


# ---------------------------------------------------------------------- Bernoulli
def test_the_bernoulli_is_scipys():
    t, x = some()
    binary = (x > 0.5).astype(np.float64)
    p = 1 / (1 + np.exp(-t))
    expected = stats.bernoulli(p).logpmf(binary).sum(axis=1)
    np.testing.assert_allclose(BernoulliLikelihood().log_prob(t, binary), expected, rtol=1e-12)
    np.testing.assert_allclose(BernoulliLikelihood().mean(t), p, rtol=1e-15)


def test_the_floor_of_grey_data_is_their_entropy():
    x = some()[1]
    floor = stats.bernoulli(x).entropy().sum(axis=1)
    at_best = -BernoulliLikelihood().log_prob(np.log(x / (1 - x)), x)
    np.testing.assert_allclose(at_best, floor, rtol=1e-12)
    for seed in range(5):
        assert (-BernoulliLikelihood().log_prob(some(seed=seed)[0], x) > floor).all()


# ---------------------------------------------------------------------- continuous Bernoulli
def density(t):
    return lambda x: np.exp(
        ContinuousBernoulliLikelihood().log_prob(np.array([[t]]), np.array([[x]]))[0]
    )


@pytest.mark.parametrize("t", [t for t in LOGITS if abs(t) < 100])
def test_the_continuous_bernoulli_is_a_density_with_the_stated_mean(t):
    p, few = density(t), dict(epsabs=1e-13, epsrel=1e-12, points=[0.05, 0.95])
    assert integrate.quad(p, 0, 1, **few)[0] == pytest.approx(1, abs=1e-11)
    mean = integrate.quad(lambda x: x * p(x), 0, 1, **few)[0]
    assert ContinuousBernoulliLikelihood().mean(np.array([t]))[0] == pytest.approx(mean, abs=1e-11)


def test_it_is_the_form_of_the_paper():
    """``p**x (1 - p)**(1 - x) C(p)`` with ``C = 2 artanh(1 - 2 p) / (1 - 2 p)``."""
    t = LOGITS[(np.abs(LOGITS) > 0.1) & (np.abs(LOGITS) < 20)]
    x = np.linspace(0, 1, len(t))
    p = 1 / (1 + np.exp(-t))
    c = 2 * np.arctanh(1 - 2 * p) / (1 - 2 * p)
    expected = x * np.log(p) + (1 - x) * np.log1p(-p) + np.log(c)
    got = ContinuousBernoulliLikelihood().log_prob(t[:, None], x[:, None])
    np.testing.assert_allclose(got, expected, atol=3e-10)


def test_value_and_gradient_are_pytorchs():
    t, x = some((40, 3))
    t *= 3
    leaf = tensor(t, requires_grad=True)
    theirs = torch.tensor(t, requires_grad=True)
    mine = ContinuousBernoulliLikelihood().log_prob(leaf, x)
    other = torch.distributions.ContinuousBernoulli(logits=theirs).log_prob(torch.tensor(x))
    other = other.sum(dim=1)
    assert_close_to_torch(mine, other.detach(), tolerance=1e-10)
    other.sum().backward()
    assert_close_to_torch(grad(mine.sum(), leaf), theirs.grad, tolerance=1e-7)  # theirs clips


def exactly(t):
    """Normaliser and mean with 64 bits of mantissa, from formulas that divide by t."""
    t = np.asarray(t, np.longdouble)
    t = np.where(np.abs(t) < 1e-9, np.longdouble(1e-9), t)
    a = np.abs(t)
    normaliser = np.maximum(t, 0) + np.log(-np.expm1(-a) / a)
    return normaliser, np.where(t > 0, -1 / np.expm1(-a), 1 + 1 / np.expm1(-a)) - 1 / t


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_normaliser_and_mean_are_right_to_the_last_digits(dtype):
    t = np.concatenate([LOGITS[np.abs(LOGITS) > 0.005], np.linspace(-2, 2, 401)]).astype(dtype)
    normaliser, mean = exactly(t)
    small = np.abs(t) < 0.005  # where `exactly` is not
    normaliser[small] = np.longdouble(t[small]) / 2 + np.longdouble(t[small]) ** 2 / 24
    mean[small] = 0.5 + np.longdouble(t[small]) / 12
    rounding = 4 * np.finfo(dtype).eps
    np.testing.assert_allclose(log_normaliser(t), normaliser, rtol=rounding, atol=rounding)
    np.testing.assert_allclose(truncated_mean(t), mean, rtol=0, atol=2 * rounding)


@pytest.mark.parametrize("centre", [0.0, 0.5, -0.5, 3.0])
def test_all_derivatives_hold_across_zero_and_across_the_end_of_the_series(centre):
    """The steps of the check reach over both sides of each centre, and points beside it."""
    t = centre + np.array([-2e-3, -1e-4, 0.0, 1e-9, 1e-3])
    gradcheck(log_normaliser, [t], order=3)
    gradcheck(truncated_mean, [t], order=2)


def test_derivatives_exactly_at_zero():
    """The uniform density: mean 1/2, variance 1/12, no skew."""
    t = tensor([0.0, -0.0], requires_grad=True)
    first = grad(log_normaliser(t).sum(), t, create_graph=True)
    second = grad(first.sum(), t, create_graph=True)
    third = grad(second.sum(), t)
    for derivative, value in [(first, 0.5), (second, 1 / 12), (third, 0.0)]:
        np.testing.assert_allclose(derivative.numpy(), value, rtol=1e-15, atol=0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_nothing_overflows_or_leaks_a_nan(dtype):
    """Warnings are errors in this suite."""
    t = np.array([-3e38, -1e4, -100, -1, -1e-30, 0, 1e-30, 1, 100, 1e4, 3e38], dtype)
    leaf = tensor(t, requires_grad=True)
    first = grad(log_normaliser(leaf).sum(), leaf, create_graph=True)
    second = grad(first.sum(), leaf)
    for y in (log_normaliser(t), first.numpy(), second.numpy()):
        assert y.dtype == dtype and np.isfinite(y).all()
    assert (np.diff(first.numpy()) >= 0).all() and first.numpy()[0] == 0 and first.numpy()[-1] == 1


# ---------------------------------------------------------------------- data out of range
@pytest.mark.parametrize("likelihood", LIKELIHOODS[3:], ids=repr)
def test_data_outside_of_0_to_1_are_refused_with_the_range_and_the_cure(likelihood):
    likelihood.check(np.array([[0.0, 0.3, 1.0]]))
    sentence = (
        f"{type(likelihood).__name__}: the data must lie in .* from -0.5 to 16: .*MinMaxScaler"
    )
    with pytest.raises(ValueError, match=sentence):
        likelihood.check(np.array([[-0.5, 16.0]]))
    with pytest.raises(ValueError, match="MinMaxScaler"):
        likelihood.check(np.array([[0.0, 1.0001]]))


@pytest.mark.parametrize("likelihood", LIKELIHOODS[3:], ids=repr)
def test_what_scaling_leaves_of_0_and_1_is_accepted_and_other_numbers_have_no_density(likelihood):
    """One rule for both: some units in the last place of float32 beside the interval."""
    x = np.array([[-2e-16, 0.5], [1 + 2e-16, 0.5], [0.0, np.nextafter(np.float32(1), 2)]])
    likelihood.check(x)
    likelihood.check(x.astype(np.float32))
    t = np.full((3, 2), 0.7)
    at_the_ends = likelihood.log_prob(t, np.clip(x, 0, 1))
    np.testing.assert_allclose(likelihood.log_prob(t, x), at_the_ends, atol=1e-6)
    for wrong in (-1e-3, 1.001, 7.0):
        x[1, 1] = wrong
        with pytest.raises(ValueError, match="MinMaxScaler"):
            likelihood.check(x)
        values = likelihood.log_prob(t, x)
        assert values[1] == -np.inf and np.isfinite(values[[0, 2]]).all()


def test_any_data_can_be_normal():
    GaussianLikelihood().check(np.array([[-1e9, 1e9]]))


@pytest.mark.parametrize("variance", [0.25, 1.0, 3.0])
def test_loss_and_constant_are_the_gaussians_log_density(variance):
    likelihood = GaussianLikelihood(variance)
    rng = np.random.default_rng(0)
    t, x = rng.normal(size=(2, 5, 3))
    whole = likelihood.loss(tensor(t), tensor(x)).item() + likelihood.constant(3)
    np.testing.assert_allclose(whole, -likelihood.log_prob(t, x).mean(), rtol=1e-12)


@each_likelihood
def test_means_are_of_floats_only(likelihood):
    for t in (np.array([[1, 2]]), [[0.5]], np.array([[True]])):
        with pytest.raises(TypeError, match="mean: t must be an array of float32 or float64, got"):
            likelihood.mean(t)
