"""Proves, on the simulator, that the GPU's elementwise functions are those of the reference: the
same bits where the numbers are exact, in one launch, in any order of the threads."""

import numpy as np
import pytest
from kernel_checks import SUBNORMAL, integers, misaligned, mistake, one_launch, quarters, same_bits
from simulator import launches, simulated

from minigrad.engine import registry


@pytest.fixture(autouse=True)
def _simulator():
    with simulated():
        yield


def reference(name, *operands):
    return registry[name].forward(*operands)


def override(name, *operands):
    return one_launch(lambda: registry[name].cuda(*operands))


SIZES = [(1,), (3,), (4,), (5, 7), (2, 3, 341)]  # less than a float4, one, a rest of 3; two blocks
PLACES = [np.copy, misaligned]


@pytest.mark.parametrize("shape", SIZES)
@pytest.mark.parametrize("place", PLACES)
def test_gate_and_scaled_difference(shape, place):
    x, y, s = place(integers(*shape)), place(quarters(*shape)), place(integers(*shape, seed=3))
    same_bits(override("gate", x, y), reference("gate", x, y))
    same_bits(override("scaled_difference", s, x, y), reference("scaled_difference", s, x, y))


@pytest.mark.parametrize("shape", SIZES)
@pytest.mark.parametrize("place", PLACES)
def test_one_number_for_all_places(shape, place):
    x, y = place(integers(*shape)), place(quarters(*shape))
    number = np.array(np.float32(0.7))
    for s in (number, number.reshape(1), np.broadcast_to(number, shape)):
        same_bits(override("gate", s, y), reference("gate", s, y))
        same_bits(override("scaled_difference", s, x, y), reference("scaled_difference", s, x, y))
        slope = override("bernoulli_slope", s, x, y)
        np.testing.assert_allclose(
            slope, reference("bernoulli_slope", s, x, y), rtol=3e-7, atol=1e-7
        )


@pytest.mark.parametrize("shape", SIZES)
@pytest.mark.parametrize("place", PLACES)
def test_bernoulli(shape, place):
    rng = np.random.default_rng(4)
    x = place((10 * rng.standard_normal(shape)).astype(np.float32))
    t, s = place(rng.random(shape, dtype=np.float32)), place(integers(*shape))
    nll, slope = override("bernoulli_nll_of_logits", x, t), override("bernoulli_slope", s, x, t)
    exact = [a.astype(np.float64) for a in (s, x, t)]
    np.testing.assert_allclose(nll, reference("bernoulli_nll_of_logits", *exact[1:]), 1e-6, 4e-6)
    np.testing.assert_allclose(slope, reference("bernoulli_slope", *exact), rtol=1e-6, atol=2e-6)


def test_bernoulli_far_out():
    x = np.array([-1000, -90, -20, 0, 20, 90, 1000, np.inf, -np.inf, np.nan], np.float32)
    near = dict(rtol=2e-7, atol=SUBNORMAL)
    for t in (np.zeros_like(x), np.full_like(x, 0.5)):
        s = np.ones_like(x)
        with np.errstate(invalid="ignore"):
            expected = reference("bernoulli_nll_of_logits", x, t)
            slope = reference("bernoulli_slope", s, x, t)
        np.testing.assert_allclose(override("bernoulli_nll_of_logits", x, t), expected, **near)
        np.testing.assert_allclose(override("bernoulli_slope", s, x, t), slope, **near)


def test_gate_keeps_what_is_no_number():
    x = np.array([np.nan, np.inf, 1, 2, np.nan], np.float32)
    y = np.array([1, -1, np.nan, -0.0, 0], np.float32)
    same_bits(override("gate", x, y), reference("gate", x, y))


def test_operands_that_go_to_the_reference():
    x, y = integers(4, 6), quarters(4, 6)
    cases = [
        ("gate", x.astype(np.float64), y.astype(np.float64)),
        ("gate", x, y.T.copy().T),
        ("gate", x[:1], y),
        ("gate", 2.0, y),
        ("gate", np.ones((1, 1, 1), np.float32), y),
        ("scaled_difference", 2.0, x, y),
        ("scaled_difference", np.float32(2), x, y),
        ("scaled_difference", np.ones(1), x.astype(np.float64), y.astype(np.float64)),
        ("scaled_difference", np.ones((4, 1), np.float32), x, y),
        ("scaled_difference", np.ones(1, np.float32), x, y[0]),
        ("bernoulli_nll_of_logits", x, 0.5),
        ("bernoulli_slope", np.ones((2, 4, 6), np.float32), x, y),
        ("gate", x[:0], y[:0]),
    ]
    for name, *operands in cases:
        same_bits(np.asarray(registry[name].cuda(*operands)), reference(name, *operands))
    assert not launches


MISTAKES = [
    ("b <= 0.0f ? 0.0f : a", "b > 0.0f ? a : 0.0f"),  # of a NaN
    ("i + 3u * quads", "i + 4u * quads"),
    ("__ldg(data + (one ? 0 : i))", "__ldg(data + i)"),
    ("__fmul_rn(a, __fadd_rn(b, -c))", "__fadd_rn(__fmul_rn(a, b), -__fmul_rn(a, c))"),
    ("log1pf(expf(-fabsf(a)))", "logf(1.0f + expf(a)) - positive"),
]


@pytest.mark.parametrize(("right", "wrong"), MISTAKES)
def test_mistakes_are_noticed(right, wrong):
    with pytest.raises(AssertionError), mistake(right, wrong):
        test_gate_keeps_what_is_no_number()
        test_gate_and_scaled_difference((5, 7), np.copy)
        test_one_number_for_all_places((5, 7), misaligned)
        test_bernoulli_far_out()


def sanitized_runs():
    """Every kernel, on arrays that are no multiple of anything."""
    x, y, odd = integers(67, 6), quarters(67, 6), misaligned(integers(3, 5))
    number = np.array(np.float32(2))
    for name, *operands in [
        ("gate", x, y), ("gate", odd, odd), ("gate", number, odd),
        ("scaled_difference", number, x, y), ("scaled_difference", odd, odd, odd),
        ("bernoulli_nll_of_logits", x, y), ("bernoulli_nll_of_logits", odd, odd),
        ("bernoulli_slope", number, x, y), ("bernoulli_slope", odd, odd, odd),
    ]:  # fmt: skip
        yield name, lambda n=name, o=operands: registry[n].cuda(*o)
