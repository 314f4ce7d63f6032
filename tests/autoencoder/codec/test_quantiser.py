"""Levels are where the median and the step put them, and frequencies are sums of whole numbers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoencoder.codec.quantiser import (
    MAX_LEVELS,
    TOTAL,
    decoder_gains,
    fit_quantiser,
    whole_frequencies,
)


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=MAX_LEVELS))
def test_frequencies_are_positive_and_sum_to_the_total(counts):
    frequencies = whole_frequencies(np.array(counts))
    assert frequencies.dtype == np.int64
    assert frequencies.min() >= 1 and frequencies.sum() == TOTAL


def test_frequencies_are_krichevsky_and_trofimovs():
    rng = np.random.default_rng(0)
    counts = rng.integers(0, 50, 200)
    expected = (counts + 0.5) / (counts.sum() + 100)
    frequencies = whole_frequencies(counts)
    np.testing.assert_allclose(frequencies / TOTAL, expected, atol=400 / TOTAL)


def test_training_values_lie_within_half_a_step_of_their_level():
    rng = np.random.default_rng(1)
    codes = rng.normal(size=(500, 3)) * [0.1, 1, 10]
    steps = np.array([0.03, 0.3, 0.7])
    quantiser = fit_quantiser(codes, steps)
    symbols = quantiser.quantise(codes)
    middles = quantiser.edges + (symbols + 0.5) * steps
    assert (np.abs(codes - middles) <= steps / 2 * (1 + 1e-12)).all()
    assert (np.abs(codes - quantiser.dequantise(symbols)) <= steps).all()
    # The median is the middle of its level, so that a spike at zero comes back as zero exactly.
    np.testing.assert_allclose(
        (np.median(codes, axis=0) - quantiser.edges) / steps % 1, 0.5, atol=1e-9
    )


def test_a_spike_at_zero_stays_at_zero():
    codes = np.maximum(np.random.default_rng(2).normal(-0.5, 1, (400, 1)), 0)
    quantiser = fit_quantiser(codes, np.array([0.01]))
    assert (codes == 0).mean() > 0.5
    assert abs(quantiser.dequantise(quantiser.quantise(np.zeros((1, 1))))) < 0.01 / 100


def test_means_of_levels_beat_their_middles_where_steps_are_coarse():
    codes = np.random.default_rng(3).normal(size=(4000, 1))
    step = np.array([2.0])
    quantiser = fit_quantiser(codes[:2000], step)
    symbols = quantiser.quantise(codes[2000:])
    middles = quantiser.edges + (symbols + 0.5) * step
    error = ((codes[2000:] - quantiser.dequantise(symbols)) ** 2).mean()
    assert error < 0.97 * ((codes[2000:] - middles) ** 2).mean()


def test_a_level_without_training_values_is_rebuilt_as_its_middle():
    quantiser = fit_quantiser(np.array([[0.0], [0.0], [8.0]]), np.array([1.0]))
    np.testing.assert_allclose(quantiser.dequantise(np.arange(2, 6)[:, None])[:, 0], [0, 1, 2, 3])
    assert quantiser.levels[0] == 13  # a quarter of the range further on either side


def test_what_lies_outside_goes_to_the_outermost_level():
    quantiser = fit_quantiser(np.linspace(0, 1, 50)[:, None], np.array([0.1]))
    symbols = quantiser.quantise(np.array([[-1e300], [1e300]]))
    assert symbols.ravel().tolist() == [0, quantiser.levels[0] - 1]


def test_what_is_constant_or_without_effect_has_one_level():
    rng = np.random.default_rng(4)
    codes = np.stack([np.full(100, 7.25), rng.normal(3, 5, 100)], axis=1)
    quantiser = fit_quantiser(codes, np.array([0.1, np.inf]))
    assert quantiser.levels.tolist() == [1, 1]
    rebuilt = quantiser.dequantise(quantiser.quantise(codes[:1] + 100))
    np.testing.assert_allclose(rebuilt, codes.mean(axis=0, keepdims=True))


def test_the_dtype_of_codes_comes_back():
    for dtype in (np.float32, np.float64):
        codes = np.random.default_rng(5).normal(size=(50, 2)).astype(dtype)
        quantiser = fit_quantiser(codes, np.array([0.2, 0.2]))
        assert quantiser.dequantise(quantiser.quantise(codes)).dtype == dtype


def test_gains_of_a_linear_decoder_are_the_lengths_of_its_rows():
    rng = np.random.default_rng(6)
    codes, matrix = rng.normal(size=(30, 5)) * [1, 10, 1e-3, 1, 1], rng.normal(size=(5, 12))
    codes[:, 3] = 2.5  # never changes: nothing is known about it
    expected = np.linalg.norm(matrix, axis=1) * [1, 1, 1, 0, 1]
    np.testing.assert_allclose(decoder_gains(lambda z: z @ matrix + 3, codes), expected)


def test_gains_of_a_curved_decoder_are_those_of_its_jacobian():
    rng = np.random.default_rng(7)
    matrix = rng.normal(size=(4, 20))
    codes = 1e-4 * rng.normal(size=(8, 4)) + 0.3  # so close that the decoder is nearly linear
    slopes = 1 - np.tanh(codes @ matrix) ** 2  # (8, 20)
    jacobians = slopes[:, None, :] * matrix  # (8, 4, 20)
    expected = np.sqrt((jacobians**2).sum(axis=2).mean(axis=0))
    gains = decoder_gains(lambda z: np.tanh(z @ matrix), codes)
    np.testing.assert_allclose(gains, expected, rtol=1e-3)


def test_gains_are_measured_at_the_first_and_the_last_row_too():
    # Of z**2, moved by d, the gain is the root mean square of 2 z + d.
    codes = np.array([[0.0], [1.0], [5.0]])
    expected = np.sqrt(np.mean((2 * codes + codes.std()) ** 2))
    np.testing.assert_allclose(decoder_gains(np.square, codes), [expected])
    ends = np.sqrt(np.mean((2 * codes[[0, 2]] + codes.std()) ** 2))
    np.testing.assert_allclose(decoder_gains(np.square, codes, probes=2), [ends])


def test_codes_that_do_not_fit_are_refused():
    quantiser = fit_quantiser(np.random.default_rng(8).normal(size=(20, 3)), np.ones(3))
    with pytest.raises(ValueError, match=r"shape \(2, 4\), but the tables are for \(N, 3\)"):
        quantiser.quantise(np.ones((2, 4)))
    with pytest.raises(ValueError, match="NaN or infinity"):
        quantiser.quantise(np.array([[0, np.nan, 0]]))
    with pytest.raises(ValueError, match=r"at most 4096 are possible: use a step at least 3\.7"):
        fit_quantiser(np.linspace(0, 1, 11)[:, None], np.array([1e-4]))
