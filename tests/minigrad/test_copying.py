"""Copies and pickles: of leaves and constants; results of operations cannot be copied."""

import copy
import io
import pickle

import numpy as np
import pytest

import minigrad as mg
from minigrad.engine import registry

COPY = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda x: pickle.loads(pickle.dumps(x)),
    "in a list": lambda x: copy.deepcopy([x])[0],
    "pickle 2": lambda x: pickle.loads(pickle.dumps({"x": x}, 2))["x"],
}


def leaf():
    x = mg.tensor([1.0, 2.0], requires_grad=True)
    (x * x * x).sum().backward()
    return x


@pytest.mark.parametrize("make", COPY.values(), ids=COPY.keys())
def test_results_of_operations_are_refused(make):
    """As in PyTorch: a fresh leaf in its place would cut the graph without a word."""
    x = leaf()
    for result in (x * x, x[:1], x.T, (x * 1).sum()):
        with pytest.raises(TypeError, match=r"result of an operation; .*take detach\(\)"):
            make(result)
        assert make(result.detach()).data.tolist() == result.data.tolist()


@pytest.mark.parametrize("make", COPY.values(), ids=COPY.keys())
@pytest.mark.parametrize("requires_grad", [False, True])
def test_a_copy_is_its_own_leaf(make, requires_grad):
    x = mg.tensor([1.0, 2.0], requires_grad=requires_grad)
    other = make(x)
    assert type(other) is mg.Tensor and other.requires_grad is requires_grad
    other.data[0] = 9.0
    assert x.data.tolist() == [1.0, 2.0]
    y = mg.tensor([1.0], requires_grad=True) * x[:1]
    copied = make(x)
    copied.data[...] = 0.0  # changes what the graph knows of x in no way
    y.sum().backward()


def test_deepcopy_takes_the_gradient_along():
    x = leaf()
    other = copy.deepcopy(x)
    np.testing.assert_array_equal(other.grad.data, [3.0, 12.0])
    other.grad.data[0] = 0.0
    np.testing.assert_array_equal(x.grad.data, [3.0, 12.0])
    p = mg.nn.Parameter(np.ones(2, np.float32))
    p.grad = np.ones(2, np.float32)
    both = copy.deepcopy([p, p])
    assert both[0] is both[1] and type(both[0]) is mg.nn.Parameter
    assert both[0].grad.dtype == np.float32 and both[0].grad is not p.grad


def test_deepcopy_of_a_gradient_that_has_a_graph():
    x = mg.tensor([1.0, 2.0], requires_grad=True)
    (x * x * x).sum().backward(create_graph=True)
    assert x.grad.requires_grad
    other = copy.deepcopy(x)
    np.testing.assert_array_equal(other.grad.data, [3.0, 12.0])
    assert not other.grad.requires_grad


def test_a_model_is_copied_with_its_gradients():
    model = mg.nn.Dense(2, 3, rng=np.random.default_rng(0))
    model(mg.tensor(np.ones((4, 2), np.float32))).sum().backward()
    other = copy.deepcopy(model)
    for p, q in zip(model.parameters(), other.parameters(), strict=True):
        assert p is not q
        np.testing.assert_array_equal(p.grad.data, q.grad.data)
    file = io.BytesIO()
    pickle.dump(model, file)
    assert pickle.loads(file.getvalue()).weight.data.tolist() == model.weight.data.tolist()


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_primitives_are_copied_as_themselves(copied):
    own = mg.primitive("x", x=lambda g: g)(lambda x: x + 1)
    for function in (*registry.values(), own):
        assert copied(function) is function


def test_primitives_are_pickled_by_name():
    for function in registry.values():
        assert pickle.loads(pickle.dumps(function)) is function, function.name
    with pytest.raises((pickle.PicklingError, AttributeError), match="lambda"):
        pickle.dumps(mg.primitive("x", x=lambda g: g)(lambda x: x + 1))
