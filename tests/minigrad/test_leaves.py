"""Leaves collect gradients and can be frozen; results of constants, and `detach`, are constants."""

import numpy as np
import pytest
from graphs import vector

import minigrad as mg


def test_backward_fills_leaves_only():
    x, y = vector(1), vector(2)
    z = x * y
    (z * z).backward()
    assert z.grad is None and x.grad.item() == 8 and y.grad.item() == 4


def test_backward_from_a_leaf():
    x = vector(1, 2)
    g = np.array([5.0, 6.0])
    x.backward(g)
    assert x.grad.data.tolist() == [5, 6]
    assert not np.shares_memory(x.grad.data, g)


def test_detach():
    x = vector(1, 2)
    y = x * x
    d = y.detach()
    assert not d.requires_grad and d.data.tolist() == [1, 4] and not d.is_leaf
    (y * d).sum().backward()
    assert x.grad.data.tolist() == [2 * 1 * 1, 2 * 2 * 4]
    assert np.shares_memory(d.data, y.data)


def test_freezing_and_unfreezing():
    x, w = vector(1, 2), vector(3, 4)
    w.requires_grad = False
    (x * w).sum().backward()
    assert w.grad is None and x.grad.data.tolist() == [3, 4]
    w.requires_grad = True
    w.requires_grad = True  # again: nothing happens
    (x * w).sum().backward()
    assert w.grad.data.tolist() == [1, 2]
    with pytest.raises(ValueError, match=r"result of an operation: use detach\(\)"):
        (x * w).requires_grad = False


def test_results_of_constants_are_constants():
    c = mg.tensor([1.0])
    assert not (c * c).requires_grad and not (c * 2 + np.ones(1)).requires_grad


def test_leaves_are_not_updated_in_place():
    x = vector(1)
    for update in ("x += 1", "x -= 1", "x *= 2", "x /= 2", "x **= 2"):
        with pytest.raises(
            TypeError, match="a leaf that requires a gradient is not updated in place"
        ):
            exec(update, {"x": x})
    y = x * 1
    y += 1
    assert y.item() == 2 and y.requires_grad


def test_setting_grad_is_checked():
    x = vector(1, 2)
    x.grad = np.array([1.0, 2.0])
    assert isinstance(x.grad, mg.Tensor)
    for wrong in (np.ones(3), np.ones(2, np.float32)):
        with pytest.raises(ValueError, match="cannot set a"):
            x.grad = wrong
    with pytest.raises(ValueError, match="cannot set a"):
        mg.tensor([1.0, 2.0]).grad = np.ones(2)
    with pytest.raises(ValueError, match="same shape and dtype"):
        x.data = np.ones(3)
    with pytest.raises(ValueError, match="got list"):
        x.data = [1.0, 2.0]
