"""A Tensor behaves as a Python object should: operators, methods, conversions, repr, copies."""

import copy
import pickle

import numpy as np
import pytest
from graphs import vector

import minigrad as mg


def test_operators_are_the_functions():
    x, y = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[0.5, 1.5], [2.5, 3.5]])
    a, b = mg.tensor(x), mg.tensor(y)
    for left, right in ((a, b), (a, y), (x, b)):
        for mine, theirs in (
            (left + right, x + y),
            (left - right, x - y),
            (left * right, x * y),
            (left / right, x / y),
            (left**right, x**y),
            (left @ right, x @ y),
        ):
            assert isinstance(mine, mg.Tensor)
            np.testing.assert_array_equal(mine.data, theirs)
        for mine, theirs in (
            (left < right, x < y),
            (left >= right, x >= y),
            (left == right, x == y),
        ):
            assert isinstance(mine, np.ndarray) and mine.dtype == bool
            np.testing.assert_array_equal(mine, theirs)
    assert ((2 - a).data == 2 - x).all() and ((2 / a).data == 2 / x).all()
    assert ((-a).data == -x).all() and (abs(-a).data == x).all() and ((2**a).data == 2**x).all()
    assert (a != b).all() and not (a != a).any() and (a > b).all() and (b <= a).all()
    np.testing.assert_array_equal(a.T.data, x.T)
    assert a.reshape(4).shape == a.reshape((4,)).shape == a.reshape(-1).shape == (4,)
    assert a.transpose(1, 0).data[0, 1] == a.transpose((1, 0)).data[0, 1] == 3
    assert a[mg.tensor([1, 0])].data[0, 0] == 3 and a[mg.tensor([0]), mg.tensor([1])].item() == 2


def test_methods_are_the_functions():
    x = np.random.default_rng(0).uniform(0.2, 2, (2, 3))
    t = mg.tensor(x)
    words = "abs exp log logsumexp max mean min relu sigmoid softmax sqrt sum tanh var"
    for name in words.split():
        expected = getattr(mg, name)(x)
        np.testing.assert_array_equal(getattr(t, name)().data, expected, err_msg=name)
    assert t.sum(0, keepdims=True).shape == (1, 3) and t.max(axis=1).shape == (2,)
    assert t.clip(0.5, 1).data.max() == 1 and t.mean(1).data.tolist() == x.mean(1).tolist()
    np.testing.assert_allclose(t.var(0, ddof=1).data, x.var(0, ddof=1), rtol=1e-14)


def test_conversions():
    x = vector(2.5)
    assert x.item() == 2.5 and bool(x) and x.detach().item() == 2.5
    assert float(x.detach()) == 2.5 and int(x.detach()) == 2
    assert len(vector(1, 2)) == 2 and [v.item() for v in vector(1, 2)] == [1, 2]
    assert np.asarray(mg.tensor([1.0])).tolist() == [1]
    assert np.from_dlpack(mg.tensor([1.0, 2.0])).tolist() == [1, 2]
    with pytest.raises(TypeError, match="NumPy would lose it"):
        np.asarray(x)
    with pytest.raises(TypeError, match=r"x.detach\(\)"):
        np.from_dlpack(x)
    with pytest.raises(ValueError, match="exactly one element"):
        vector(1, 2).item()
    with pytest.raises(ValueError, match="no single truth value"):
        bool(vector(1, 2))
    with pytest.raises(TypeError, match="0-d Tensor has no length"):
        len(mg.tensor(1.0))
    assert len({x, x, vector(2.5)}) == 2


def test_repr():
    assert repr(mg.tensor([1.0])) == "tensor([1.])"
    assert repr(vector(1, dtype=np.float32)) == "tensor([1.], dtype=float32, requires_grad=True)"
    assert repr(mg.exp(vector(0))) == "tensor([1.], made by exp)"


def test_copies_carry_values_and_not_graphs():
    x = vector(1, 2)
    y = x * x
    y.backward(np.ones(2))
    for other in (copy.copy(x), copy.deepcopy(x), pickle.loads(pickle.dumps(x))):
        assert other.is_leaf and other.data.tolist() == [1, 2]
    p = mg.nn.Parameter(np.ones(2, np.float32))
    assert isinstance(copy.deepcopy(p), mg.nn.Parameter)
    deep = copy.deepcopy(x)
    deep.data[0] = 9
    assert x.data.tolist() == [1, 2]
