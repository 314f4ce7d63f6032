"""Split matrix products, elementwise functions and updates equal the plain ones, bit for bit."""

import numpy as np
import pytest

import minigrad as mg
import minigrad.cpu
from minigrad import registry
from minigrad.conv import Geometry
from minigrad.cpu import linear
from minigrad.fused import finish

rng = np.random.default_rng(0)


@pytest.fixture
def threads():
    before = minigrad.cpu.get_num_threads()
    yield minigrad.cpu.set_num_threads
    minigrad.cpu.set_num_threads(before)


def integers(*shape, dtype=np.float32):
    return rng.integers(-4, 5, shape).astype(dtype)


@pytest.mark.parametrize(
    "m, k, n", [(1, 1, 1), (3, 5, 4), (200, 300, 257), (700, 90, 100), (20, 9000, 30), (9, 1, 9000)]
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_products_are_exact_on_integers(m, k, n, dtype, monkeypatch):
    monkeypatch.setattr(linear, "_PARALLEL", 1 << 14)
    a, b = integers(m, k, dtype=dtype), integers(k, n, dtype=dtype)
    expected = registry["matmul"].forward(a, b)
    for left in (a, np.asfortranarray(a), np.repeat(a, 2, axis=1)[:, ::2]):
        for right in (b, np.asfortranarray(b), b[:, ::-1][:, ::-1]):
            got = mg.matmul(left, right)
            assert got.dtype == dtype
            np.testing.assert_array_equal(got, expected)


def test_products_of_other_shapes():
    for a, b in (((40, 50), (50,)), ((50,), (50, 60)), ((50,), (50,)), ((3, 40, 50), (50, 60))):
        a, b = integers(*a), integers(*b)
        np.testing.assert_array_equal(mg.matmul(a, b), a @ b)
    a, b = integers(4, 200, 300), integers(4, 300, 100)
    np.testing.assert_array_equal(mg.matmul(a, b), a @ b)
    np.testing.assert_array_equal(mg.matmul(a.astype(int), b.astype(int)), a @ b)
    with pytest.raises(ValueError, match=r"^matmul: expected the last axis of a"):
        mg.matmul(integers(300, 400), integers(300, 400))


@pytest.mark.parametrize(
    "shape", [(50, 65536, 16), (9000, 65, 66), (65, 66, 9000), (600, 300, 300)]
)
def test_products_do_not_depend_on_the_number_of_threads(shape, threads):
    m, k, n = shape
    assert m * k * n >= linear._PARALLEL  # or one thread would do it all
    a = rng.standard_normal((m, k)).astype(np.float32)
    b = rng.standard_normal((k, n)).astype(np.float32)
    results = set()
    for count in (1, 2, 3, 2):
        threads(count)
        results.add(mg.matmul(a, b).tobytes())
    assert len(results) == 1


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sums_over_pixels(dtype, threads):
    for shape in ((9, 31, 17, 16), (70_001, 1), (3, 70_001), (50, 32, 32, 33)):
        x = integers(*shape, dtype=dtype)
        got = registry["sum_to"](x, shape[-1:])
        assert got.dtype == dtype
        np.testing.assert_array_equal(got, registry["sum_to"].forward(x, shape[-1:]))
    x, results = rng.standard_normal((50, 32, 32, 33)).astype(dtype), set()
    for count in (1, 2, 3):
        threads(count)
        results.add(registry["sum_to"](x, (33,)).tobytes())
    assert len(results) == 1
    x = integers(300, 400)
    np.testing.assert_array_equal(registry["sum_to"](x, (300, 1)), x.sum(1, keepdims=True))
    np.testing.assert_array_equal(registry["sum_to"](x.T, (300,)), x.sum(1))


@pytest.fixture(autouse=True)
def compiled_kernels_are_off(monkeypatch):  # tests/minigrad/native is about these
    monkeypatch.setattr(minigrad.cpu, "native", False)


LARGE = (9, 31, 17, 16)  # 75,888 elements
CASES = {
    "add": [(LARGE, LARGE), (LARGE, (16,)), ((17, 16), LARGE), (LARGE, 2.5), (LARGE, ())],
    "subtract": [(LARGE, LARGE), (1.0, LARGE), (LARGE, (31, 17, 16)), (LARGE, (31, 1, 16))],
    "multiply": [(LARGE, LARGE), (LARGE, 0.5), ((9, 1, 1, 1), LARGE)],
    "gate": [(LARGE, LARGE)],
    "relu": [(LARGE,)],
    "sigmoid": [(LARGE,)],
    "normal_cdf": [(LARGE,)],
    "leaky_relu": [(LARGE, 0.2)],
    "softplus": [(LARGE,)],
    "tanh": [(LARGE,)],
    "exp": [(LARGE,)],
    "bernoulli_nll_of_logits": [(LARGE, LARGE)],
    "bernoulli_slope": [(LARGE, LARGE, LARGE), ((9, 1, 1, 1), LARGE, LARGE)],
    "scaled_difference": [(LARGE, LARGE, LARGE), ((), LARGE, LARGE)],
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_elementwise_functions_are_the_reference(name, dtype):
    primitive = registry[name]
    assert primitive.cpu is not primitive.forward
    for shapes in CASES[name]:
        operands = [
            s if isinstance(s, float) else rng.standard_normal(s).astype(dtype) for s in shapes
        ]
        for view in (lambda x: x, np.asfortranarray, lambda x: x[..., ::2]):
            arguments = [v if np.ndim(v) < 4 else view(v) for v in operands]
            try:
                expected = primitive.forward(*arguments)
            except ValueError:  # the view does not go with a bias
                continue
            got = primitive(*arguments)
            assert got.dtype == dtype
            near = dtype == np.float32 and name in ("softplus", "bernoulli_nll_of_logits")
            # log(1 + exp(-|x|)) is within 2e-7, and what it is added to is rounded
            tolerance = 4e-7 if near else 0
            np.testing.assert_allclose(got, expected, rtol=tolerance, atol=tolerance)


def test_the_gradient_of_a_sum_is_one_number_in_all_places():
    x, t = (rng.standard_normal(LARGE).astype(np.float32) for _ in range(2))
    everywhere = np.broadcast_to(np.float32(0.3), LARGE)
    for name, operands in {
        "multiply": (everywhere, x),
        "add": (x, everywhere),
        "gate": (everywhere, x),
        "bernoulli_slope": (everywhere, x, t),
        "scaled_difference": (everywhere, x, t),
    }.items():
        got, expected = registry[name](*operands), registry[name].forward(*operands)
        assert got.dtype == np.float32
        np.testing.assert_array_equal(got, expected)
    np.testing.assert_array_equal(registry["add"](everywhere, everywhere), np.float32(0.6))


def test_gate_lets_no_nan_through_a_closed_gate():
    a, y = (rng.standard_normal(LARGE).astype(np.float32) for _ in range(2))
    a[0], y[1] = np.nan, np.nan  # it must not multiply; a NaN in y does not close the gate
    got = registry["gate"](a, y)
    assert got.dtype == np.float32
    np.testing.assert_array_equal(got, np.where(y <= 0, np.float32(0), a))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_where_takes_the_very_bits(dtype):
    a, b = (rng.standard_normal(LARGE).astype(dtype) for _ in range(2))
    a[0], b[1], a[2], b[3] = np.nan, np.nan, np.inf, -0.0
    tail = rng.random(LARGE[-1]) < 0.5
    everywhere = np.broadcast_to(np.array(True), LARGE)
    for condition in (rng.random(LARGE) < 0.5, tail, everywhere, a, True, (a > 0).astype(int)):
        for x, y in ((a, b), (a, 0.0), (-0.5, b), (a, b[0, 0, 0]), (a, np.nan)):
            got, expected = registry["where"](condition, x, y), np.where(condition, x, y)
            assert got.dtype == dtype and got.tobytes() == expected.tobytes()


def test_mixed_types_go_to_the_reference():
    a = rng.standard_normal(LARGE).astype(np.float32)
    forward = registry["add"].cpu
    for x in (a, a.astype(int), a > 0):
        for y in (a.astype(float), a.astype(int), np.float64(2), True):
            expected = registry["add"].forward(x, y)
            assert forward(x, y).dtype == expected.dtype
            np.testing.assert_array_equal(forward(x, y), expected)


@pytest.mark.parametrize("activation", [None, "relu", "sigmoid", "tanh"])
def test_large_fused_layers_are_finished_everywhere(activation):
    """More than one block on more than one thread: every element gets its bias once."""
    x, w, b = integers(9, 64, 64, 3), integers(3, 3, 3, 16), integers(16)
    layers = {
        "conv_layer": ("conv_y", (x, w)),
        "conv_transpose_layer": ("conv_x", (x, integers(3, 3, 16, 3))),
        "dense_layer": ("matmul", (integers(5000, 30), integers(30, 16))),
    }
    for name, (linear_name, arrays) in layers.items():
        geometry = () if name == "dense_layer" else (Geometry.of((64, 64), (3, 3)),)
        y = registry[linear_name].forward(*arrays, *geometry)
        got = registry[name](*arrays, b, *geometry, activation)
        assert got.dtype == np.float32 and got.size > 1 << 16
        np.testing.assert_array_equal(got, finish(y, b, activation))
        with pytest.raises(ValueError, match=f"^{name}: expected"):
            registry[name](*arrays, integers(7), *geometry, activation)


@pytest.mark.parametrize("shape", [(16,), (1, 16), (64, 1), (1, 1), (1, 64, 16)])
def test_large_arrays_are_summed_to_any_shape(shape):
    x = rng.standard_normal((300, 64, 16))
    expected = x
    for axis, n in enumerate((1,) * (3 - len(shape)) + shape):
        expected = expected.sum(axis=axis, keepdims=True) if n == 1 else expected
    got = registry["sum_to"](x, shape)
    assert got.shape == shape
    np.testing.assert_allclose(got, expected.reshape(shape), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("shape", [(1, 1 << 15), (1 << 15, 1), (1, 1, 1 << 15)])
def test_one_number_in_all_places_of_an_array_with_axes_of_length_1(shape):
    x = rng.standard_normal(shape)
    same = np.broadcast_to(np.float64(3), shape)
    np.testing.assert_array_equal(registry["multiply"](same, x), 3 * x)
