"""`grad` gives the gradients it is asked for, and leaves `.grad` alone."""

import numpy as np
import pytest
from graphs import vector

import minigrad as mg


def test_grad_leaves_grad_alone():
    x = vector(1, 2)
    g = mg.grad((x * x).sum(), x)
    assert g.data.tolist() == [2, 4] and not g.requires_grad
    assert x.grad is None


def test_grad_with_respect_to_results_in_between():
    x = vector(3)
    y = x * x
    z = mg.exp(y) + x
    gx, gy, gz = mg.grad(z, [x, y, z])
    assert gz.item() == 1
    assert gy.item() == pytest.approx(np.exp(9))
    assert gx.item() == pytest.approx(6 * np.exp(9) + 1)


def test_grad_of_several_outputs():
    x = vector(2, 3)
    a, b = x * x, x * x * x
    (g,) = mg.grad([a, b], [x], [np.array([1.0, 1.0]), np.array([10.0, 10.0])])
    assert g.data.tolist() == [4 + 120, 6 + 270]
    a, b = (x * x).sum(), x.sum()
    assert mg.grad([a, b], x).data.tolist() == [5, 7]
    s = (x * x).sum()
    assert mg.grad([s, s], x).data.tolist() == [8, 12]
    with pytest.raises(ValueError, match="2 outputs need as many gradients, got 1"):
        mg.grad([a, b], [x], [None])


def test_allow_unused():
    x, unused = vector(1), vector(2)
    y = x * x
    with pytest.raises(
        ValueError, match=r"does not depend on input 1, a \(1,\) float64 leaf.*None"
    ):
        mg.grad(y, [x, unused])
    y = x * x
    g, nothing = mg.grad(y, [x, unused], allow_unused=True)
    assert g.item() == 2 and nothing is None
