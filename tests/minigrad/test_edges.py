"""Values at the edges of a function's domain, and what a primitive or a user may hand over."""

import numpy as np
import pytest

import minigrad as mg

INF, NAN = np.inf, np.nan


# ---------------------------------------------------------------------- powers
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("zero", [0, 0.0, np.float64(0), "array"])
def test_the_zeroth_power_has_slope_0_everywhere(dtype, zero):
    x = mg.tensor([INF, -INF, NAN, 2.0, 0.0, -1.0], requires_grad=True, dtype=dtype)
    y = x ** (np.zeros(6, dtype) if isinstance(zero, str) else zero)
    y.sum().backward()
    assert y.data.tolist() == [1.0] * 6
    assert np.abs(x.grad.data).tolist() == [0.0] * 6 and x.grad.dtype == dtype


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_powers_of_zero_by_their_exponent(dtype):
    for base in (0, 0.0, np.zeros(3, dtype), mg.tensor(np.zeros(3), True, dtype)):
        b = mg.tensor([-1.0, 0.0, 2.0], requires_grad=True, dtype=dtype)
        with np.errstate(divide="ignore"):
            (base**b).sum().backward()
        assert b.grad.data.tolist() == [-INF, 0.0, 0.0] and b.grad.dtype == dtype


@pytest.mark.parametrize("a", [2.0, 0.5, 3, np.array([2.0, 0.5]), np.array(4.0)])
def test_powers_in_both_arguments_to_order_three(a):
    """Also at b = 0, where d/da d/db of a**b is 1 / a."""
    mg.testing.gradcheck(lambda b: mg.power(a, b), [np.array([0.0, 1.5])], order=3)
    first = np.broadcast_to(np.asarray(a, float), (2,))
    mg.testing.gradcheck(mg.power, [first, np.array([0.0, -0.7])], order=3)
    a, b = mg.tensor(first, requires_grad=True), mg.tensor(np.zeros(2), requires_grad=True)
    slope = mg.grad((a**b).sum(), a, create_graph=True)
    np.testing.assert_allclose(mg.grad(slope.sum(), b).data, 1 / first)


# ---------------------------------------------------------------------- variance
def test_variance_with_nothing_to_divide_by():
    x = mg.tensor(np.arange(6.0).reshape(2, 3), requires_grad=True)
    np.testing.assert_allclose(x.var(1, ddof=2).data, np.var(x.data, 1, ddof=2))
    for axis, ddof in ((None, 6), (None, 7), (1, 3), (0, 2), ((0, 1), 6.5), (0, np.nan)):
        with pytest.raises(ValueError, match=r"var: ddof=.* leaves nothing to divide by"):
            x.var(axis, ddof=ddof)


# ---------------------------------------------------------------------- what a primitive returns
@pytest.mark.parametrize("result", [(1.0, 2.0), [1.0], None, "y", mg.tensor(1.0)])
def test_a_primitive_returns_one_array(result):
    @mg.primitive("an array", x=lambda g: g)
    def several(x):
        return result

    for x in (np.ones(2), mg.tensor([1.0], requires_grad=True)):
        with pytest.raises(TypeError, match=r"several: its function returned .* returns one array"):
            several(x)


@pytest.mark.parametrize("result", [(1.0, 2.0), [1.0], None])
@pytest.mark.parametrize("create_graph", [False, True])
def test_a_vjp_returns_one_array(result, create_graph):
    @mg.primitive("an array", x=lambda g: result)
    def odd(x):
        return x * 1.0

    x = mg.tensor([1.0], requires_grad=True)
    with pytest.raises(TypeError, match=r"VJP of odd at .* for x gave .* must return one array"):
        odd(x).backward(create_graph=create_graph)


def test_numbers_are_arrays_without_axes():
    @mg.primitive("an array", x=lambda g, x_shape: np.float64(2))
    def first(x):
        return x[0]  # one of NumPy's scalars

    x = mg.tensor([3.0], requires_grad=True)
    assert first(x).shape == () and first(np.ones(2)).shape == ()


# ---------------------------------------------------------------------- what a user may hand over
LISTS = {
    "mean": lambda: mg.mean([1.0, 2.0]),
    "var": lambda: mg.var([1.0, 2.0]),
    "sum": lambda: mg.sum([1.0, 2.0]),
    "max": lambda: mg.max((1.0, 2.0)),
    "logsumexp": lambda: mg.logsumexp([1.0, 2.0]),
    "softmax": lambda: mg.softmax([1.0, 2.0]),
    "clip": lambda: mg.clip([1.0, 2.0], 0, 1),
    "reshape": lambda: mg.reshape([1.0, 2.0], (2, 1)),
    "getitem": lambda: mg.getitem([1.0, 2.0], (0, None)),
    "add": lambda: mg.tensor([1.0]) + [1.0],
    "matmul": lambda: mg.matmul([[1.0]], [[1.0]]),
}


@pytest.mark.parametrize("call", LISTS.values(), ids=LISTS.keys())
def test_lists_are_refused_in_a_sentence(call):
    with pytest.raises(
        (TypeError, ValueError), match=r"(is|got) a (list|tuple|float).*wrap it|expected two arrays"
    ):
        call()


def test_the_class_is_not_the_function():
    for data in ([1.0, 2.0], 1.0, None):
        with pytest.raises(TypeError, match=r"Tensor: expected an array, got .*tensor\(\.\.\.\)"):
            mg.Tensor(data)


def test_a_gradient_is_an_array_or_none():
    x = mg.tensor([1.0], requires_grad=True)
    for wrong in (0.0, [1.0], "none"):
        with pytest.raises(TypeError, match=r"cannot set the gradient .*or None to clear it"):
            x.grad = wrong
    x.grad = None


def test_an_axis_of_length_0_is_split_into_as_many_parts_as_asked_for():
    for parts in (1, 2, 5):
        pieces = mg.split(np.zeros((0, 3)), parts)
        assert [piece.shape for piece in pieces] == parts * [(0, 3)]


def test_batch_norm_trains_on_two_values_of_a_channel():
    layer = mg.nn.BatchNorm1D(3)
    x = np.array([[0, 1, 2], [2, 1, 0]], np.float32)
    np.testing.assert_allclose(layer(x).data, [[-1, 0, 1], [1, 0, -1]], atol=1e-4)
    np.testing.assert_allclose(layer.running_var.data, 0.9 + 0.1 * np.array([2, 0, 2]), rtol=1e-6)
    with pytest.raises(ValueError, match="one value for each channel"):
        layer(x[:1])
