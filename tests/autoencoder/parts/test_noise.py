"""Each noise has the distribution that it promises, and leaves the input and its dtype alone."""

import numpy as np
import pytest
from scipy import stats
from sklearn.base import clone

from autoencoder.parts import GaussianNoise, HeteroscedasticNoise, MaskingNoise, SaltAndPepperNoise

N = 200_000
NOISES = [
    GaussianNoise(std=0.3),
    GaussianNoise(std=0.3, clip=(0.0, 1.0)),
    HeteroscedasticNoise(floor=0.05, gain=0.2),
    HeteroscedasticNoise(clip=(0, 1)),
    MaskingNoise(rate=0.4),
    SaltAndPepperNoise(rate=0.3),
]
each_noise = pytest.mark.parametrize("noise", NOISES, ids=repr)


def rng(seed=0):
    return np.random.default_rng(seed)


def z_scores(draws, mean, variance):
    """Mean and variance of normal `draws` (n, levels), in standard errors from the right ones."""
    n = len(draws)
    of_mean = (draws.mean(axis=0) - mean) / np.sqrt(variance / n)
    of_variance = (draws.var(axis=0, ddof=1) / variance - 1) / np.sqrt(2 / (n - 1))
    return np.abs([of_mean, of_variance])


def share_error(hit, p):
    """How many standard errors the share of `hit` is from the probability `p`."""
    return abs(hit.mean() - p) / np.sqrt(p * (1 - p) / hit.size)


# ---------------------------------------------------------------------- what holds for all
@each_noise
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_new_array_of_the_same_dtype_from_the_generator_alone(noise, dtype):
    x = rng(1).random((20, 30)).astype(dtype)
    x.flags.writeable = False
    before, settings = x.copy(), dict(vars(noise))
    first, same, other = (noise.corrupt(x, rng(seed)) for seed in (2, 2, 3))
    assert first.dtype == dtype and first.shape == x.shape
    assert not np.shares_memory(first, x)
    np.testing.assert_array_equal(x, before)
    np.testing.assert_array_equal(first, same)
    assert (first != other).any() and (first != x).any()
    assert vars(noise) == settings


@each_noise
def test_a_numpy_number_as_a_setting_does_not_decide_the_dtype(noise):
    """GridSearchCV over np.linspace sets np.float64, which is not weak as a Python float is."""
    numbers = {k: np.float64(v) for k, v in noise.get_params().items() if isinstance(v, float)}
    x = np.ones((4, 5), np.float32)
    given = clone(noise).set_params(**numbers)
    np.testing.assert_array_equal(given.corrupt(x, rng()), noise.corrupt(x, rng()))
    assert given.corrupt(x, rng()).dtype == np.float32


@pytest.mark.parametrize(
    "noise", [GaussianNoise(0), HeteroscedasticNoise(0, 0), MaskingNoise(0), SaltAndPepperNoise(0)]
)
def test_no_noise_is_no_change(noise):
    x = rng().random((3, 4))
    np.testing.assert_array_equal(noise.corrupt(x, rng()), x)


@each_noise
def test_elements_are_independent(noise):
    """Neighbours in a row, and the same element of two rows, are not correlated."""
    change = noise.corrupt(np.full((N // 20, 20), 0.6), rng()) - 0.6
    for a, b in [(change[:, :-1], change[:, 1:]), (change[:-1], change[1:])]:
        assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 4 / np.sqrt(a.size)


# ---------------------------------------------------------------------- normal noise
def test_gaussian_noise_is_normal_of_the_given_std():
    change = GaussianNoise(std=0.3).corrupt(np.full(N, 0.25), rng()) - 0.25
    assert z_scores(change[:, None], 0, 0.3**2).max() < 4
    assert stats.kstest(change / 0.3, "norm").pvalue > 1e-3
    assert stats.kstest(change / 0.31, "norm").pvalue < 1e-3  # the test would have noticed


class Mistaken(HeteroscedasticNoise):
    """Adds the two standard deviations where the variances must be added."""

    def std(self, x):
        return self.floor + self.gain * np.sqrt(np.abs(x))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_variance_of_heteroscedastic_noise_follows_each_pixel(dtype):
    levels = np.array([-0.5, 0.0, 0.01, 0.3, 1.0, 4.0], dtype)
    x = np.tile(levels, (N, 1))
    variance = 0.1**2 + 0.2**2 * np.abs(levels)

    def worst(noise):
        return z_scores((noise.corrupt(x, rng()) - x).astype(np.float64), 0, variance).max()

    assert worst(HeteroscedasticNoise(floor=0.1, gain=0.2)) < 4
    assert worst(Mistaken(floor=0.1, gain=0.2)) > 20
    assert worst(GaussianNoise(std=0.1)) > 20


def test_heteroscedastic_noise_without_gain_is_gaussian_noise():
    x = rng(1).random(100)
    np.testing.assert_allclose(
        HeteroscedasticNoise(floor=0.2, gain=0.0).corrupt(x, rng()),
        GaussianNoise(std=0.2).corrupt(x, rng()),
        rtol=1e-14,
    )


@pytest.mark.parametrize("make", [GaussianNoise, HeteroscedasticNoise])
def test_clip_limits_the_noisy_values_and_changes_no_others(make):
    x = rng(1).random((50, 40))
    free, limited = make().corrupt(x, rng()), make(clip=(0.2, 0.7)).corrupt(x, rng())
    assert limited.min() == 0.2 and limited.max() == 0.7
    np.testing.assert_array_equal(limited, np.clip(free, 0.2, 0.7))
    assert free.min() < 0 and free.max() > 1


# ---------------------------------------------------------------------- lost and broken pixels
@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_masking_loses_the_given_share_and_keeps_the_rest(rate, dtype):
    x = rng(1).uniform(1, 2, N).astype(dtype)
    y = MaskingNoise(rate).corrupt(x, rng())
    lost = y == 0
    assert share_error(lost, rate) < 4
    np.testing.assert_array_equal(y[~lost], x[~lost])


@pytest.mark.parametrize("rate", [0.1, 0.6, 1.0])
def test_salt_and_pepper_are_equally_frequent_and_the_rest_is_kept(rate):
    x = rng(1).uniform(0.2, 0.8, N)
    y = SaltAndPepperNoise(rate, low=-1.0, high=2.0).corrupt(x, rng())
    low, high = y == -1, y == 2
    assert share_error(low, rate / 2) < 4 and share_error(high, rate / 2) < 4
    kept = ~(low | high)
    np.testing.assert_array_equal(y[kept], x[kept])
    assert kept.any() == (rate < 1)


def test_masking_everything_leaves_zeros():
    assert not MaskingNoise(1.0).corrupt(np.ones(1000, np.float32), rng()).any()


# ---------------------------------------------------------------------- refusals
@pytest.mark.parametrize(
    ("noise", "sentence"),
    [
        (GaussianNoise(std=-1), "GaussianNoise: std is a standard deviation .* got -1"),
        (GaussianNoise(std=float("nan")), "at least 0, got nan"),
        (GaussianNoise(clip=(1, 0)), r"clip must be None or \(low, high\) .* got \(1, 0\)"),
        (HeteroscedasticNoise(floor=-0.1), "HeteroscedasticNoise: floor is a standard deviation"),
        (HeteroscedasticNoise(gain=-0.1), "HeteroscedasticNoise: gain is a standard deviation"),
        (MaskingNoise(1.5), "MaskingNoise: rate is a probability .* got 1.5"),
        (SaltAndPepperNoise(-0.1), "SaltAndPepperNoise: rate is a probability .* got -0.1"),
    ],
    ids=repr,
)
def test_impossible_settings_are_refused_when_used(noise, sentence):
    with pytest.raises(ValueError, match=sentence):
        noise.corrupt(np.ones(3), rng())


@each_noise
def test_only_a_generator_will_do(noise):
    with pytest.raises(TypeError, match=f"{type(noise).__name__}: rng must be a numpy.random.Gen"):
        noise.corrupt(np.ones(3), 0)
