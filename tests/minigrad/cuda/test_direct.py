"""Proves, on the simulator, that convolutions with one channel on one side are those of the
reference: bit for bit on whole numbers, in one launch, in any order of threads and blocks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_checks import SUBNORMAL, integers, misaligned, mistake, one_launch, same_bits
from simulator import SimulatorError, launches, simulated

from minigrad.conv import Geometry
from minigrad.cuda import direct
from minigrad.cuda.launch import launcher
from minigrad.engine import registry
from minigrad.fused import finish

# (height, width), kernel, stride, padding, dilation, images, channels of the side with many
CASES = {
    "the first layer": ((8, 8), (3, 3), 2, "same", 1, 2, 16),
    "the last layer": ((6, 7), (3, 3), 1, "same", 1, 2, 32),
    "one to one": ((6, 5), (7, 3), 1, 3, 1, 3, 1),  # a tile of 1024 pixels: taps in batches
    "single floats": ((9, 7), (3, 2), (3, 2), ((1, 2), (0, 3)), (1, 2), 2, 5),
    "many channels": ((5, 4), (2, 3), (1, 2), "same", 1, 1, 132),  # more than the block has
    "many single channels": ((5, 4), (2, 2), 2, "valid", 1, 1, 37),
    "a large kernel": ((6, 5), (5, 5), 1, "same", 1, 1, 3),
    "gaps": ((9, 8), (2, 2), 3, ((0, 2), (3, 0)), 2, 2, 4),  # pixels that no window meets
    "a point": ((1, 1), (1, 1), 1, 0, 1, 1, 8),
    "two levels of parts": ((20, 22), (3, 3), 1, "same", 1, 3, 32),
}
OPERATIONS = ["conv_y", "conv_x", "conv_w"]


@pytest.fixture(autouse=True, scope="module")
def _simulator():
    with simulated():
        yield


def normal(*shape):
    return np.random.default_rng(shape).standard_normal(shape, dtype=np.float32)


def made(case, one_in_x, draw=integers):
    """The geometry of a case, and its images x, kernel w and outputs y."""
    size, kernel, stride, padding, dilation, n, many = case
    c, f = (1, many) if one_in_x else (many, 1)
    geometry = Geometry.of(size, kernel, stride, padding, dilation)
    return geometry, draw(n, *size, c), draw(*kernel, c, f), draw(n, *geometry.out, f)


def operands(name, x, w, y):
    return {"conv_y": (x, w), "conv_x": (y, w), "conv_w": (x, y)}[name]


def checked(name, geometry, *arrays):
    """Compare with the reference, in every order of the threads and with one launch each."""
    result = one_launch(lambda: getattr(direct, name)(*arrays, geometry))
    same_bits(result, registry[name].forward(*arrays, geometry))
    return result


@pytest.mark.parametrize("one_in_x", [True, False])
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", OPERATIONS)
def test_as_the_reference(name, case, one_in_x):
    geometry, *arrays = made(CASES[case], one_in_x)
    arrays = operands(name, *arrays)
    checked(name, geometry, *arrays)
    if case in ("the first layer", "gaps"):  # the same from single floats
        checked(name, geometry, *map(misaligned, arrays))


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.data())
def test_any_geometry(data):
    pair = st.tuples(st.integers(1, 3), st.integers(1, 3))
    size = data.draw(st.tuples(st.integers(5, 8), st.integers(5, 8)))
    padding = data.draw(st.sampled_from(["same", "valid", 2, ((0, 3), (2, 1))]))
    kernel, stride, n = data.draw(pair), data.draw(pair), data.draw(st.integers(1, 3))
    dilation = data.draw(st.tuples(st.integers(1, 2), st.integers(1, 2)))
    many = data.draw(st.sampled_from([1, 2, 3, 4, 8, 12]))
    one_in_x = data.draw(st.booleans())
    geometry, x, w, y = made((size, kernel, stride, padding, dilation, n, many), one_in_x)
    results = [checked(name, geometry, *operands(name, x, w, y)) for name in OPERATIONS]
    # each is the adjoint of the others: T(x, w, y), whichever of the three is left out
    totals = {float((a * b).sum()) for a, b in zip(results, (y, x, w), strict=True)}
    assert len(totals) == 1


@pytest.mark.parametrize("one_in_x", [True, False])
@pytest.mark.parametrize("name", OPERATIONS)
def test_real_numbers(name, one_in_x):
    geometry, *arrays = made(CASES["two levels of parts"], one_in_x, normal)
    arrays = [a.astype(np.float64) for a in operands(name, *arrays)]
    result = getattr(direct, name)(*(a.astype(np.float32) for a in arrays), geometry)
    reference = registry[name].forward
    off = np.abs(result - reference(*arrays, geometry))
    terms = 400  # of the longest chain of additions, some of them in float32 before the next
    assert (off <= terms * 2.0**-24 * reference(*map(np.abs, arrays), geometry)).all()
    assert off.any()  # float32, not something exact by accident


@pytest.mark.parametrize("activation", [None, "relu", "sigmoid", "tanh"])
@pytest.mark.parametrize("one_in_x", [True, False])
@pytest.mark.parametrize("case", ["the first layer", "single floats"])
def test_bias_and_activation(case, one_in_x, activation):
    geometry, x, w, y = made(CASES[case], one_in_x)
    for name, arrays, channels in [("conv_y", (x, w), w.shape[3]), ("conv_x", (y, w), w.shape[2])]:
        for b in (None, integers(channels, seed=5), misaligned(integers(channels, seed=6))):
            before = len(launches)
            result = getattr(direct, name)(*arrays, geometry, b, activation)
            assert len(launches) == before + 1
            z = registry[name].forward(*arrays, geometry)
            expected = finish(z, np.float32(0) if b is None else b, activation)
            np.testing.assert_allclose(result, expected, rtol=3e-7, atol=SUBNORMAL)
            if activation in (None, "relu"):
                np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize("one_in_x", [True, False])
@pytest.mark.parametrize("name", OPERATIONS)
def test_what_is_no_number_stays_where_it_belongs(name, one_in_x):
    geometry, *arrays = made(CASES["single floats"], one_in_x)
    image, other = operands(name, *arrays)
    image = image.copy()
    image[0, 1, 2, 0], image[1, 0, 0, -1] = np.nan, np.inf
    other = np.abs(other) + 1  # no 0 times inf, which zeros outside the image make or do not make
    with np.errstate(invalid="ignore"):
        expected = registry[name].forward(image, other, geometry)
    result = getattr(direct, name)(image, other, geometry)
    if name == "conv_w":  # walking x, the taps that miss a NaN multiply it by 0
        assert not np.isfinite(result[~np.isfinite(expected)]).any()
        finite = np.isfinite(expected).all(axis=(0, 1))
        np.testing.assert_array_equal(result[:, :, finite], expected[:, :, finite])
        return
    np.testing.assert_array_equal(result, expected)
    activated = getattr(direct, name)(image, other, geometry, None, "relu")
    np.testing.assert_array_equal(activated, np.maximum(expected, 0))


def test_few_multiprocessors(monkeypatch):
    """Fewer blocks than tiles: each goes over several."""
    monkeypatch.setattr(direct, "multiprocessors", lambda: 1)
    geometry, x, _, y = made(CASES["two levels of parts"], True)
    checked("conv_w", geometry, x, y)
    assert launches[-1][1] == (2, 1, 1)
    monkeypatch.setattr(direct, "multiprocessors", lambda: 6)
    checked("conv_w", geometry, x, y)
    assert launches[-1][1] == (11, 1, 1)  # in groups of 4, 4 and 3


def test_what_the_kernels_do_not_take(monkeypatch):
    geometry, x, w, y = made(CASES["the first layer"], True)
    before = len(launches)
    for a, b, c in [[v.astype(np.float64) for v in (x, w, y)], (x[:0], w, y[:0])]:
        for name in OPERATIONS:
            result = getattr(direct, name)(*operands(name, a, b, c), geometry)
            np.testing.assert_array_equal(
                result, registry[name].forward(*operands(name, a, b, c), geometry)
            )
    bias = integers(16).astype(np.float64)
    z = direct.conv_y(*(v.astype(np.float64) for v in (x, w)), geometry, bias, "relu")
    np.testing.assert_array_equal(
        z, np.maximum(registry["conv_y"].forward(x, w, geometry) + bias, 0)
    )
    with pytest.raises(ValueError):
        direct.conv_y(x, w, geometry, integers(7))
    assert len(launches) == before
    monkeypatch.setattr(direct, "MOST", 100)  # too large for an int
    np.testing.assert_array_equal(
        direct.conv_y(x, w, geometry), registry["conv_y"].forward(x, w, geometry)
    )
    assert len(launches) == before


def test_views_are_made_contiguous():
    geometry, x, w, y = made(CASES["single floats"], False)
    x, w, y = np.asfortranarray(x), w[::-1], y[:, ::-1]
    for name in OPERATIONS:
        checked(name, geometry, *operands(name, x, w, y))


def test_takes():
    one, two = Geometry.of((5, 5), (3, 3)), Geometry.of((5, 5), (3, 3), groups=2)
    assert direct.takes(one, 1, 7) and direct.takes(one, 7, 1) and direct.takes(one, 1, 1)
    assert not direct.takes(one, 2, 2) and not direct.takes(two, 2, 1)


# ---------------------------------------------------------------------- the tests would notice
MISTAKES = {
    "the table is read before it is full": (
        "        __syncthreads();\n        if (channel < channels) {",
        "        if (channel < channels) {",
    ),
    "the table is overwritten too early": (
        "        if (first) __syncthreads();  // the batch before has been used\n        join(",
        "        join(",
    ),
    "sums overwrite the table too early": (
        "        __syncthreads();  // before the next table, or the sums below, take its place\n",
        "",
    ),
    "stride ignored": ("h * g.stride_down != down ||", ""),
    "right edge": ("|| v >= g.other_width", ""),
    "a lane is left out": ("int apart = lanes / 2;", "int apart = lanes / 4;"),
    "the ticket is kept": ("if (*arrived == count - 1) *ticket = 0;", ""),
    "nobody waits for the last": ("return *arrived == count - 1;", "return true;"),
    "only one level": ("left = (left + fan - 1) / fan;", "left = 1;"),
    "relu of NaN": ("y <= 0.f ? 0.f : y", "y > 0.f ? y : 0.f"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_noticed(name, monkeypatch):
    with simulated(), mistake(*MISTAKES[name]):
        with pytest.raises((AssertionError, SimulatorError)):
            for operation in OPERATIONS:
                for case in ("one to one", "single floats", "two levels of parts"):
                    test_as_the_reference(operation, case, True)
                    test_as_the_reference(operation, case, False)
                test_what_is_no_number_stays_where_it_belongs(operation, True)
            test_few_multiprocessors(monkeypatch)
        for tickets in launcher._tickets.values():
            tickets[...] = 0  # or else simulated() would complain of them, too


def sanitized_runs():
    """Every kernel once or more, on small arrays that are no multiple of anything."""
    for case in ("one to one", "single floats", "gaps", "many channels", "two levels of parts"):
        for one_in_x in (True, False):
            geometry, *arrays = made(CASES[case], one_in_x)
            for name in OPERATIONS:
                these = operands(name, *arrays)
                yield (
                    f"{name}, {case}, one channel in {'x' if one_in_x else 'y'}",
                    lambda n=name, t=these, g=geometry: getattr(direct, n)(*t, g),
                )
