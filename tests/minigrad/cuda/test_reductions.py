"""Proves, on the simulator, that the GPU's sums are those of the reference: the same bits where
the numbers are exact, in one launch, in any order of the threads, and so also in any other run."""

import numpy as np
import pytest
from kernel_checks import integers, misaligned, mistake, one_launch, quarters, same_bits
from simulator import SimulatorError, in_every_order, launches, simulated

from minigrad import fused
from minigrad.cuda import reductions
from minigrad.engine import registry

ACTIVATIONS = [None, "relu", "sigmoid", "tanh"]
PLACES = [np.copy, misaligned]
# what each shape is for: splits, whole rows of float4, folded rows, wide tiles, single floats
LAYERS = {
    "three splits": (300, 64),
    "one row": (1, 8),
    "two tiles": (9, 132),
    "two tiles and splits": (70, 2, 132),
    "two rows folded": (30, 2),
    "four rows folded": (4, 3),
    "four rows folded, splits": (9000, 1),
    "odd": (7, 5),
    "odd with splits": (600, 5),
    "odd and wide": (3, 257),
    "image": (2, 3, 5, 6),
    "vector": (6,),
}


@pytest.fixture(autouse=True)
def _simulator():
    with simulated():
        yield


def reference(name, *operands):
    return registry[name].forward(*operands)


def override(name, *operands):
    return one_launch(lambda: registry[name].cuda(*operands))


# ---------------------------------------------------------------------- gradients of layers
@pytest.mark.parametrize("shape", LAYERS.values(), ids=LAYERS.keys())
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("place", [np.copy, misaligned], ids=["aligned", "misaligned"])
def test_layer_slope(shape, activation, place):
    g, y = place(integers(*shape)), place(quarters(*shape))
    dz, sums = one_launch(lambda: reductions.layer_slope(g, y, activation))
    expected = reductions._slope(g, y, activation)
    same_bits(dz, expected)
    same_bits(sums, expected.reshape(-1, shape[-1]).sum(axis=0))
    assert activation or dz is g


def test_layer_slope_in_the_layers(monkeypatch):
    g, y = integers(9, 8), quarters(9, 8)
    monkeypatch.setitem(fused.slope_kernels, "cpu", fused.slope_kernels["cuda"])
    for activation in ACTIVATIONS:
        dz, sums = fused._slopes(g, y, activation)
        expected = reductions._slope(g, y, activation)
        same_bits(dz, expected)
        same_bits(sums, expected.sum(axis=0))
    assert len(launches) == len(ACTIVATIONS)


def test_layer_slope_of_real_numbers():
    rng = np.random.default_rng(2)
    g = rng.standard_normal((500, 12), dtype=np.float32)
    y = rng.standard_normal((500, 12), dtype=np.float32)
    for activation in ACTIVATIONS:
        dz, sums = reductions.layer_slope(g, y, activation)
        same_bits(dz, reductions._slope(g, y, activation))  # nothing fused, nothing reordered
        exact = dz.sum(axis=0, dtype=np.float64)
        bound = np.abs(dz).sum(axis=0, dtype=np.float64) * 2.0**-24 * 20  # 20 additions deep
        assert (np.abs(sums - exact) <= bound).all()


def test_relu_passes_on_what_is_no_number():
    y = np.array([[np.nan, -np.inf, np.inf, -0.0]], np.float32)
    g = np.array([[1, 2, 3, 4], [np.nan, np.nan, np.inf, np.inf]], np.float32)
    dz, sums = reductions.layer_slope(g, np.repeat(y, 2, axis=0), "relu")
    np.testing.assert_array_equal(dz, [[1, 0, 3, 0], [np.nan, 0, np.inf, 0]])
    np.testing.assert_array_equal(sums, [np.nan, 0, np.inf, 0])


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_layer_slope_of_what_the_kernel_does_not_take(activation):
    g, y = integers(5, 6), quarters(5, 6)
    expected = reductions._slope(g, y, activation)
    for these in [
        (g.astype(np.float64), y.astype(np.float64)),
        (np.asfortranarray(g), y),
        (g[:0], y[:0]),
    ]:
        dz, sums = reductions.layer_slope(*these, activation)
        np.testing.assert_array_equal(dz, expected[: len(these[0])])
        np.testing.assert_array_equal(sums, expected[: len(these[0])].sum(axis=0))
    assert not launches


# ---------------------------------------------------------------------- sums
@pytest.mark.parametrize("shape", [(1,), (3,), (4,), (511,), (37, 23), (20_001,), (2, 3, 5001)])
@pytest.mark.parametrize("place", PLACES)
def test_sum_and_squared_distance(shape, place):
    x, t = place(integers(*shape)), place(integers(*shape, seed=5))
    same_bits(override("sum", x, None, False), reference("sum", x))
    same_bits(override("sum", x, None, True), reference("sum", x, None, True))
    same_bits(override("squared_distance", x, t), reference("squared_distance", x, t))


@pytest.mark.parametrize("axis", [0, -3, (0, 1), (1, 0), (0, -1, 1), np.int64(0)])
@pytest.mark.parametrize("keepdims", [False, True])
def test_sum_over_leading_axes(axis, keepdims):
    x = integers(5, 6, 7)
    axis = axis if isinstance(axis, tuple) else int(axis)
    same_bits(override("sum", x, axis, keepdims), reference("sum", x, axis, keepdims))


@pytest.mark.parametrize(
    "shape", [(7,), (1, 7), (6, 7), (1, 6, 7), (), (1,), (1, 1, 1), (1, 1, 7)], ids=str
)
def test_sum_to(shape):
    x = integers(5, 6, 7)
    same_bits(override("sum_to", x, shape), reference("sum_to", x, shape))


def test_sums_that_go_to_the_reference():
    x = integers(5, 6, 7)
    for axis in (1, 2, -1, (0, 2), (1, 2), ()):
        y = registry["sum"].cuda(x, axis, False)
        np.testing.assert_array_equal(y, reference("sum", x, axis))
    for shape in [(6, 1), (5, 6, 1), (5, 1, 7), (5, 6, 7)]:
        same_bits(registry["sum_to"].cuda(x, shape), reference("sum_to", x, shape))
    same_bits(registry["sum"].cuda(x.T, None, False), reference("sum", x.T))
    same_bits(registry["sum"].cuda(x[:0], None, False), reference("sum", x[:0]))
    exact = x.astype(np.float64)
    same_bits(registry["squared_distance"].cuda(exact, exact + 1), np.asarray(105.0))
    assert not launches
    for shape in [(4, 7), (2, 5, 6, 7), (2, 1, 5, 6, 7)]:
        with pytest.raises(ValueError):
            registry["sum_to"].cuda(x, shape)
    for axis in (3, (0, 0), (0, -3)):
        with pytest.raises(ValueError):
            registry["sum"].cuda(x, axis, False)


def test_sum_is_as_good_as_numpys():
    x = np.random.default_rng(6).standard_normal(30_000, dtype=np.float32)
    exact = x.sum(dtype=np.float64)
    assert abs(override("sum", x, None, False) - exact) < 2e-4 * np.sqrt(x.size / 1e3)
    with_nan = x.copy()
    with_nan[17] = np.nan
    assert np.isnan(override("sum", with_nan, None, False))
    assert np.isnan(override("squared_distance", with_nan, x))


@pytest.mark.parametrize("size", [1, 50, 1301])
def test_accumulate(size):
    x, scale = integers(size), 0.1  # no float: the scale must stay a double

    def run():
        total = np.array([3.0])
        reductions.accumulate(total, x, scale)
        reductions.accumulate(total, x.reshape(-1, 1), 50)
        return total

    expected = (3.0 + scale * x.sum(dtype=np.float64)) + 50 * x.sum(dtype=np.float64)
    same_bits(in_every_order(run), np.array([expected]))


def test_accumulate_elsewhere():
    total = np.zeros(1)
    reductions.accumulate(total, np.array([0.1, 0.2]), 2)
    assert total[0] == 2 * np.array([0.1, 0.2]).sum() and not launches
    reductions.accumulate(total, np.array(np.float32(2)), 1)
    assert len(launches) == 1
    with pytest.raises(ValueError, match=r"total of shape \(1,\) and dtype float64"):
        reductions.accumulate(np.zeros(1, np.float32), np.ones(1, np.float32), 1)


# ---------------------------------------------------------------------- the tests would notice
MISTAKES = {
    "a barrier is missing": (
        "        __syncthreads();\n        if (at.lane < n - half) {",
        "        if (at.lane < n - half) {",
    ),
    "the ticket is kept": ("if (*arrived == count - 1) *ticket = 0;", ""),
    "the first block ends": ("return *arrived == count - 1;", "return *arrived == 0;"),
    "summed in order of arrival": (
        "partial[blockIdx.x] = sum;",
        "partial[*ticket] = sum;",
    ),
    "a row is left out": ("* at.lanes + at.lane;", "* at.lanes + at.lane + 1;"),
    "fused": ("__fadd_rn(1.0f, -__fmul_rn(y, y))", "fmaf(-y, y, 1.0f)"),
    "half": ("ticket, n, quads, 0.5f", "ticket, n, quads, 1.0f"),
    "in float": ("__dmul_rn(scale.value, sum)", "(float)scale.value * sum"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_noticed(name):
    x = integers(100_000, low=-(2**22), high=2**22)  # whose sum is rounded differently each time
    with pytest.raises((AssertionError, SimulatorError)), mistake(*MISTAKES[name]):
        test_layer_slope((300, 64), "relu", np.copy)
        test_layer_slope_of_real_numbers()
        in_every_order(lambda: registry["sum"].cuda(x, None, False))
        test_sum_and_squared_distance((20_001,), np.copy)
        test_accumulate(50)


def sanitized_runs():
    """Every kernel, on arrays that are no multiple of anything."""
    g, y, odd = integers(602, 6), quarters(602, 6), misaligned(integers(3, 5))
    for activation in ACTIVATIONS:
        yield f"layer_slope {activation}", lambda a=activation: reductions.layer_slope(g, y, a)
    yield "layer_slope, single floats", lambda: reductions.layer_slope(odd, odd, "relu")
    for name, *operands in [
        ("sum", integers(20_001), None, False), ("sum", odd, None, False),
        ("squared_distance", g, y), ("squared_distance", odd, odd), ("sum_to", g, (6,)),
    ]:  # fmt: skip
        yield name, lambda n=name, o=operands: registry[n].cuda(*o)
    yield "accumulate", lambda: reductions.accumulate(np.zeros(1), odd, 0.5)
