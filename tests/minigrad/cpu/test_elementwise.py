"""Elementwise kernels of large arrays: what is computed otherwise than in the reference."""

import numpy as np
import pytest

import minigrad as mg
from minigrad.cpu import elementwise

N = 1 << 16  # more than a block of one thread, and more than the reference is asked for
LOSS = mg.registry["bernoulli_nll_of_logits"]


@pytest.fixture(autouse=True)
def compiled_kernels_are_off(monkeypatch):  # tests/minigrad/native is about these
    monkeypatch.setattr(mg.cpu, "native", False)


def logits(dtype=np.float32):
    small = np.geomspace(1e-30, 1, N // 4)
    x = np.concatenate([np.linspace(0, 20, N // 4), np.linspace(0, 86, N // 4), small])
    return np.concatenate([x, -x[: N - len(x)]]).astype(dtype)


def test_the_polynomial_is_that_of_the_series():
    def rest(s):
        z = np.sqrt(s)
        return (2 * np.arctanh(z) / z - 2) / s

    fit = np.polynomial.Chebyshev.interpolate(rest, 3, domain=[0, 1 / 9])
    found = fit.convert(kind=np.polynomial.Polynomial).coef
    np.testing.assert_allclose(elementwise.ARTANH, found, rtol=2e-7)


def test_log_1p_exp_in_float32_is_within_2e_7_of_that_of_a_rounded_exp():
    x = logits()
    e = np.exp(-np.abs(x))  # float32: its own error is not the polynomial's
    expected = np.log1p(e.astype(np.float64))
    found = mg.softplus(-np.abs(x))
    assert found.dtype == np.float32
    assert (np.abs(found - expected) <= 2e-7 * expected).all()
    loss = LOSS(-np.abs(x), np.zeros_like(x))
    assert (np.abs(loss - expected) <= 2e-7 * expected).all()


def test_log_1p_exp_in_float64_is_exact():
    x = logits(np.float64)
    expected = np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))
    assert mg.softplus(x).tobytes() == expected.tobytes()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_log_1p_exp_at_the_ends(dtype):
    x = np.resize(np.array([np.nan, np.inf, -np.inf, 0, -0.0, 3e38, -3e38, 90, -90], dtype), N)
    with np.errstate(all="raise", under="ignore"):
        found = mg.softplus(x)[:9]
    expected = [np.nan, np.inf, 0, np.log(2), np.log(2), 3e38, 0, 90, np.exp(-90.0)]
    np.testing.assert_allclose(found, expected, rtol=2e-7, atol=1e-44)
