"""With `create_graph=True` gradients are differentiable themselves, and the same to the bit."""

import numpy as np
import pytest
from graphs import vector

import minigrad as mg


def test_create_graph():
    x = vector(0.7)
    y = mg.sigmoid(x)
    derivatives = []
    for _ in range(4):
        (y,) = mg.grad(y, [x], create_graph=True)
        derivatives.append(y.item())
    s = 1 / (1 + np.exp(-0.7))
    d1 = s * (1 - s)
    d2 = d1 * (1 - 2 * s)
    d3 = d1 * (1 - 6 * s + 6 * s * s)
    d4 = d1 * (1 - 2 * s) * (1 - 12 * s + 12 * s * s)
    assert derivatives == pytest.approx([d1, d2, d3, d4], rel=1e-13)


def test_backward_with_create_graph():
    x = vector(3)
    (x * x * x).backward(create_graph=True)
    first = x.grad
    assert first.item() == 27 and first.requires_grad
    x.grad = None
    first.backward()
    assert x.grad.item() == 18


def test_create_graph_keeps_the_graph_and_its_absence_does_not():
    x = vector(3)
    y = x * x
    mg.grad(y, x, create_graph=True)
    mg.grad(y, x, retain_graph=True)
    mg.grad(y, x)
    with pytest.raises(RuntimeError, match="second time"):
        mg.grad(y, x)


def test_the_gradient_given_is_differentiated_too():
    """grad is linear in grad_output: that is what jvp is made of."""
    x, u = vector(1, 2), vector(3, 4)
    (g,) = mg.grad(mg.exp(x), [x], u, create_graph=True)
    (gu,) = mg.grad(g, [u], np.array([1.0, 10.0]))
    np.testing.assert_allclose(gu.data, np.exp([1.0, 2.0]) * [1, 10], rtol=1e-15)


def test_recorded_and_unrecorded_backward_agree_to_the_bit():
    rng = np.random.default_rng(0)
    x = mg.tensor(rng.standard_normal((2, 5, 5, 1)), requires_grad=True)
    w = mg.tensor(rng.standard_normal((3, 3, 1, 2)), requires_grad=True)

    def loss():
        return mg.softmax(mg.conv2d(x, w, stride=2, activation="tanh"), (1, 2)).max()

    plain = mg.grad(loss(), [x, w])
    recorded = mg.grad(loss(), [x, w], create_graph=True)
    assert [g.data.tobytes() for g in plain] == [g.data.tobytes() for g in recorded]
