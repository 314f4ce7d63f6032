"""Proves that the GPU's convolutions, simulated, are the reference's bit for bit, in one launch."""

import functools

import numpy as np
import pytest
from convolution_checks import CASES, OPERATIONS, checked, error, integers, made, normal, operands
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_checks import SUBNORMAL, misaligned, mistake
from simulator import SimulatorError, launches, simulated

import minigrad.cuda
from minigrad.conv import Geometry
from minigrad.cuda import convolution, tile, weight_gradient
from minigrad.engine import registry
from minigrad.fused import finish


@pytest.fixture(autouse=True, scope="module")
def _simulator():
    with simulated():
        yield


@pytest.mark.parametrize("precision", ["float32", "3xtf32"])
@pytest.mark.parametrize("case", CASES)
def test_as_the_reference(case, precision, monkeypatch):
    monkeypatch.setattr(minigrad.cuda, "precision", precision)
    geometry, x, w, y = made(CASES[case])
    results = [checked(name, geometry, *operands(name, x, w, y)) for name in OPERATIONS]
    # each is the adjoint of the others: T(x, w, y), whichever of the three is left out
    totals = {float((a * b).sum(dtype=float)) for a, b in zip(results, (y, x, w), strict=True)}
    assert len(totals) == 1


def test_views():
    """What does not begin at 16 bytes is loaded one by one; what has strides is copied."""
    geometry, *arrays = made(CASES["strides"])
    for name in OPERATIONS:
        checked(name, geometry, *map(misaligned, operands(name, *arrays)))
        checked(name, geometry, *(a[..., ::-1] for a in operands(name, *arrays)))


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.data())
def test_any_geometry(data):
    numbers = {n: st.tuples(st.integers(1, n), st.integers(1, n)) for n in (2, 3)}
    size = data.draw(st.tuples(st.integers(5, 8), st.integers(5, 8)))
    padding = data.draw(st.sampled_from(["same", "valid", 2, ((0, 3), (2, 1))]))
    kernel, stride, dilation = (data.draw(numbers[n]) for n in (3, 3, 2))
    channels = st.sampled_from([2, 3, 16, 20, 32])
    n, c, f = data.draw(st.integers(1, 2)), data.draw(channels), data.draw(channels)
    geometry, *arrays = made((size, kernel, stride, padding, dilation, n, c, f))
    for name in OPERATIONS:
        checked(name, geometry, *operands(name, *arrays))


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("case", ["strides", "gaps", "any channels"])
def test_bias_and_activation(case, transposed):
    geometry, x, w, y = made(CASES[case])
    name, layer = ("conv_x", "conv_transpose_layer") if transposed else ("conv_y", "conv_layer")
    images, channels = (y, w.shape[2]) if transposed else (x, w.shape[3])
    b = integers(channels, seed=5)
    for activation in (None, "relu", "sigmoid", "tanh"):
        before = len(launches)
        result = getattr(convolution, layer)(images, w, b, geometry, activation)
        assert len(launches) == before + 1
        z = registry[name].forward(images, w, geometry)
        expected = finish(z, b, activation)
        np.testing.assert_allclose(result, expected, rtol=3e-7, atol=SUBNORMAL)
        if activation in (None, "relu"):
            np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize("name", OPERATIONS)
def test_real_numbers(name):
    geometry, *arrays = made(CASES["a layer"], normal)
    off, bound = error(name, geometry, operands(name, *arrays))
    assert (off <= 400 * 2.0**-24 * bound).all()  # 400: the longest chain of additions
    assert off.any()  # float32, not something exact by accident


def test_what_is_no_number_stays_where_it_belongs(monkeypatch):
    monkeypatch.setattr(minigrad.cuda, "precision", "float32")
    for case in ("a layer", "any channels"):
        geometry, x, w, y = made(CASES[case])
        for name, images in (("conv_y", x), ("conv_x", y)):
            images = images.copy()
            images[0, 1, 1, 0], images[1, 0, 0, -1] = np.nan, np.inf
            weights = np.abs(w) + 1  # no 0 times inf
            with np.errstate(invalid="ignore"):
                expected = registry[name].forward(images, weights, geometry)
            assert not np.isfinite(expected).all()
            result = registry[name].cuda(images, weights, geometry)
            np.testing.assert_array_equal(result, expected)
            result = getattr(convolution, name)(images, weights, geometry, None, "relu")
            np.testing.assert_array_equal(result, np.maximum(expected, 0))


def test_the_primitives_use_them():
    for name in ("conv_y", "conv_x", "conv_layer", "conv_transpose_layer"):
        assert registry[name].cuda is getattr(convolution, name)
    assert registry["conv_w"].cuda is weight_gradient.conv_w


@pytest.mark.parametrize("c, f", [(1, 5), (5, 1)])
def test_one_channel_is_left_to_the_direct_kernels(c, f):
    geometry, x, w, y = made(((5, 4), (3, 3), 1, "same", 1, 1, c, f))
    for name in OPERATIONS:
        checked(name, geometry, *operands(name, x, w, y))
        assert launches[-1][0] in ("spread", "gather", "weight")


def test_what_the_kernels_do_not_take(monkeypatch):
    """Goes to the reference, which knows it or complains."""
    geometry, x, w, y = made(CASES["any channels"])
    before = len(launches)
    for a, b, c in [[v.astype(np.float64) for v in (x, w, y)], (x[:0], w, y[:0])]:
        for name in OPERATIONS:
            arrays = operands(name, a, b, c)
            result = registry[name].cuda(*arrays, geometry)
            expected = registry[name].forward(*arrays, geometry)
            assert result.dtype == expected.dtype
            np.testing.assert_array_equal(result, expected)
    bias = integers(3).astype(np.float64)
    result = convolution.conv_layer(x.astype(float), w.astype(float), bias, geometry, "relu")
    np.testing.assert_array_equal(
        result, finish(registry["conv_y"].forward(x, w, geometry), bias, "relu")
    )
    grouped = Geometry.of((6, 6), (3, 3), groups=2)
    a, b = integers(2, 6, 6, 4), integers(3, 3, 2, 6)
    np.testing.assert_array_equal(
        convolution.conv_y(a, b, grouped), registry["conv_y"].forward(a, b, grouped)
    )
    for size, kernel, stride in (((5, 3), (16, 1), 1), ((257, 1), (1, 1), 256)):
        extreme = Geometry.of(size, kernel, stride)
        a, b = integers(1, *size, 2), integers(*kernel, 2, 2)
        np.testing.assert_array_equal(
            convolution.conv_y(a, b, extreme), registry["conv_y"].forward(a, b, extreme)
        )
    with pytest.raises(ValueError):
        convolution.conv_y(x, w[:, :, :4], geometry)
    with pytest.raises(ValueError):
        convolution.conv_x(y, w, geometry, integers(4))
    with pytest.raises(ValueError):
        weight_gradient.conv_w(x, y[:1], geometry)
    monkeypatch.setattr(tile, "LIMIT", 100)  # offsets that are too large for an int
    np.testing.assert_array_equal(
        convolution.conv_y(x, w, geometry), registry["conv_y"].forward(x, w, geometry)
    )
    monkeypatch.undo()
    monkeypatch.setattr(weight_gradient, "MOST_FILTERS", 2)  # more blocks than a grid has
    np.testing.assert_array_equal(
        weight_gradient.conv_w(x, y, geometry), registry["conv_w"].forward(x, y, geometry)
    )
    assert len(launches) == before


# ---------------------------------------------------------------------- the tests would notice
MISTAKES = {
    "stored while others read": (
        "        store(buffer ^ 1);  // all have passed the barrier after reading it\n"
        "        __syncthreads();\n",
        "        store(buffer ^ 1);\n",
    ),
    "phases without padding": ("(phase - pad) % stride", "phase % stride"),
    "right edge": ("< (unsigned)s.width;\n            inside", "< 99u;\n            inside"),
    "relu of NaN": ("t[c] <= 0.f ? 0.f : t[c]", "fmaxf(t[c], 0.f)"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_noticed(name, monkeypatch):
    with simulated(), mistake(*MISTAKES[name]), pytest.raises((AssertionError, SimulatorError)):
        test_as_the_reference("any channels", "float32", monkeypatch)
        test_what_is_no_number_stays_where_it_belongs(monkeypatch)


def sanitized_runs():
    """Both kernels, loading 16 bytes and one by one, on arrays that are no multiple of a tile."""
    for case in ("a layer", "phases", "any channels", "any channels, many"):
        geometry, *arrays = made(CASES[case])
        for name in OPERATIONS:
            run = registry[name].cuda
            yield f"{name}, {case}", functools.partial(run, *operands(name, *arrays), geometry)
    geometry, x, w, _ = made(CASES["any channels"])
    for activation in ("relu", "tanh"):
        arguments = x, w, integers(w.shape[3]), geometry, activation
        yield f"conv_layer, {activation}", functools.partial(convolution.conv_layer, *arguments)


@pytest.mark.parametrize("capability, three", [("75", 0), ("80", 3), ("86", 0), ("90", 3)])
def test_the_precision_is_chosen_by_the_gpu(capability, three, monkeypatch):
    monkeypatch.setattr(tile, "compute_capability", lambda: capability)
    assert minigrad.cuda.precision == "auto"
    assert tile.products_wanted() == three
    for precision, products in (("float32", 0), ("3xtf32", 3), ("tf32", 1)):
        monkeypatch.setattr(minigrad.cuda, "precision", precision)
        assert tile.products_wanted() == products


def test_an_unknown_precision(monkeypatch):
    monkeypatch.setattr(minigrad.cuda, "precision", "fp16")
    x, w = np.ones((1, 4, 4, 4), np.float32), np.ones((3, 3, 4, 4), np.float32)
    geometry = Geometry.of((4, 4), (3, 3))
    with pytest.raises(ValueError, match=r"""must be "auto" or one of "float32", .*, got 'fp16'"""):
        convolution.conv_y(x, w, geometry)
