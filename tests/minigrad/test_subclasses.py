"""Subclasses of ndarray: plain arrays at the door; masked arrays, which a gradient would ignore,
are refused."""

import operator

import numpy as np
import pytest

import minigrad as mg
from minigrad import losses

A = np.array([[1.0, 2.0], [3.0, 4.0]])
B = np.array([[5.0, 6.0], [7.0, 8.0]])


class Loud(np.ndarray):
    """Its operators mean something else."""

    def __mul__(self, other):
        raise AssertionError("the subclass was asked")

    __rmul__ = __add__ = __mul__


def memmap(a, tmp_path):
    made = np.memmap(tmp_path / f"{a.sum()}", a.dtype, "w+", shape=a.shape)
    made[...] = a
    return made


SUBCLASSES = {
    "matrix": lambda a, _: np.asmatrix(a),
    "memmap": memmap,
    "own": lambda a, _: a.view(Loud),
    "read only": lambda a, _: np.broadcast_to(a, a.shape).view(Loud),
}
OPERATIONS = {
    "x * a": lambda x, a: x * a,
    "a * x": lambda x, a: mg.multiply(a, x),
    "x - a": lambda x, a: x - a,
    "x / a": lambda x, a: x / a,
    "x ** a": lambda x, a: x**a,
    "x @ a": lambda x, a: x @ a,
    "maximum": lambda x, a: mg.maximum(x, a),
    "where": lambda x, a: mg.where(a > 6, x, a),
    "concatenate": lambda x, a: mg.concatenate([x, a]),
    "mse_loss": lambda x, a: losses.mse_loss(x, a),
    "dense": lambda x, a: mg.dense(x, a),
}


@pytest.mark.parametrize("make", SUBCLASSES.values(), ids=SUBCLASSES.keys())
@pytest.mark.parametrize("f", OPERATIONS.values(), ids=OPERATIONS.keys())
@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
def test_they_count_as_plain_arrays(make, f, tmp_path):
    odd = make(B, tmp_path)
    plain, found = (mg.tensor(A, requires_grad=True) for _ in range(2))
    expected, y = f(plain, B), f(found, odd)
    assert type(y.data) is np.ndarray
    np.testing.assert_array_equal(y.data, expected.data)
    g = np.ones(expected.shape)
    expected.backward(g)
    y.backward(make(g, tmp_path) if g.ndim else g)
    assert type(found.grad.data) is np.ndarray
    np.testing.assert_array_equal(found.grad.data, plain.grad.data)


@pytest.mark.parametrize("make", SUBCLASSES.values(), ids=SUBCLASSES.keys())
@pytest.mark.parametrize("f", [mg.multiply, mg.add, mg.matmul, mg.maximum, mg.power, mg.subtract])
@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
def test_also_where_nothing_is_recorded(make, f, tmp_path):
    found = f(A, make(B, tmp_path))
    assert type(found) is np.ndarray
    np.testing.assert_array_equal(found, f(A, B))


@pytest.mark.parametrize("make", SUBCLASSES.values(), ids=SUBCLASSES.keys())
@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
def test_a_tensor_of_one_holds_a_plain_array(make, tmp_path):
    odd = make(A, tmp_path)
    for x in (mg.tensor(odd, requires_grad=True), mg.Tensor(odd)):
        assert type(x.data) is np.ndarray and type((x * x).data) is np.ndarray
    x = mg.tensor(np.zeros((2, 2)), requires_grad=True)
    x.data = odd
    x.grad = odd
    assert type(x.data) is np.ndarray and type(x.grad.data) is np.ndarray
    for derivative in (mg.jacobian(mg.tanh, odd), mg.hvp(lambda x: (x**3).sum(), odd, odd)):
        assert type(derivative.data) is np.ndarray
    for name in ("lt", "eq", "ge"):
        assert type(getattr(operator, name)(mg.tensor(A), odd)) is np.ndarray


MASKED = np.ma.masked_array(B, mask=[[True, False], [False, False]])


@pytest.mark.parametrize("f", OPERATIONS.values(), ids=OPERATIONS.keys())
def test_masked_arrays_are_refused(f):
    for x in (mg.tensor(A, requires_grad=True), mg.tensor(A)):
        with pytest.raises(TypeError, match=r"a \(2, 2\) masked array: its mask has no meaning"):
            f(x, MASKED)


def test_masked_arrays_are_refused_everywhere():
    x = mg.tensor(A, requires_grad=True)
    refused = pytest.raises(TypeError, match=r"masked array.*: its mask has no meaning")
    for use in (
        lambda: mg.tensor(MASKED),
        lambda: mg.Tensor(MASKED),
        lambda: mg.exp(MASKED),
        lambda: MASKED * x,
        lambda: MASKED - x,
        lambda: x < MASKED,
        lambda: x.backward(MASKED),
        lambda: setattr(x, "data", MASKED),
        lambda: setattr(x, "grad", MASKED),
        lambda: mg.jacobian(mg.tanh, MASKED),
    ):
        with refused:
            use()


@pytest.mark.parametrize(
    "data", [[1, None], ["a"], [1j], np.array(["2020-01-01"], "M8[D]"), [b"a"]]
)
def test_what_is_no_array_of_numbers_is_refused(data):
    for given in (data, np.array(data)):
        with pytest.raises(TypeError, match=r"tensor: cannot make a Tensor of .* data: convert it"):
            mg.tensor(given)


def test_nor_is_what_is_made_one():
    with pytest.raises(TypeError, match="cannot make a Tensor of complex128 data"):
        mg.tensor([1.0], dtype=complex)
    with pytest.raises(TypeError, match=r"cannot make a Tensor of .* data"):
        mg.tensor(np.zeros(1, [("a", int), ("b", float)]))


@pytest.mark.parametrize("number", [np.longdouble(2), np.float16(2), np.float64(2), np.int8(2), 2])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_numbers_of_every_kind_are_weak(number, dtype):
    x = mg.tensor(np.ones(2, dtype), requires_grad=True)
    for y in (x * number, number * x, x - number, number / x, x**number, mg.maximum(x, number)):
        assert y.dtype == dtype
        x.grad = None
        y.sum().backward()
        assert x.grad.dtype == dtype
