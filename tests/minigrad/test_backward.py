"""`backward` accumulates into `grad`, releases the graph, and refuses a second pass over it."""

import numpy as np
import pytest
from graphs import here, vector

import minigrad as mg


def test_backward_accumulates():
    x = vector(1, 2)
    for k in (1, 2, 3):
        (x * x).sum().backward()
        assert x.grad.data.tolist() == [2 * k, 4 * k]
    first = x.grad
    (x * x).sum().backward()
    assert first.data.tolist() == [6, 12]  # what was handed out does not change
    x.grad = None
    (3 * x).sum().backward()
    assert x.grad.data.tolist() == [3, 3]


def test_backward_with_a_given_gradient():
    x = vector(1, 2)
    for g in (np.array([1.0, 10.0]), mg.tensor([1.0, 10.0])):
        x.grad = None
        (x * x).backward(g)
        assert x.grad.data.tolist() == [2, 40]


def test_a_second_backward_is_refused_with_the_line():
    x = vector(1, 2)
    y = x * x
    line = here(1)
    y.backward(np.ones(2))
    with pytest.raises(RuntimeError) as caught:
        y.backward(np.ones(2))
    message = str(caught.value)
    assert line in message and "multiply" in message and "retain_graph=True" in message
    assert x.grad.data.tolist() == [2, 4]


def test_retain_graph():
    x = vector(1, 2)
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.data.tolist() == [6, 12]
    with pytest.raises(RuntimeError, match="second time"):
        y.backward()


def test_parts_of_a_graph_that_were_not_released_still_work():
    x = vector(2)
    shared = x * 3.0
    a, b = mg.exp(shared), mg.tanh(shared)
    a.backward()
    with pytest.raises(RuntimeError, match="multiply"):
        b.backward()
