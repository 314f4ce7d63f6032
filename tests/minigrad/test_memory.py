"""The graph and what it saved are freed by reference counting alone, once nobody needs them."""

import gc
import weakref

import numpy as np
import pytest
from graphs import vector

import minigrad as mg
from minigrad.node import Node


def live_nodes():
    return sum(type(o) is Node for o in gc.get_objects())


@pytest.fixture
def no_collector():
    """Reference counting alone: cycles would stay."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def test_a_graph_is_freed_by_reference_counting_alone(no_collector):
    before = live_nodes()
    x = vector(1, 2)
    loss = (mg.exp(x) * x + mg.tanh(x[::-1])).sum()
    assert live_nodes() > before + 5
    del loss
    assert live_nodes() == before + 1
    loss = (mg.exp(x) * x).sum()
    loss.backward()
    del loss
    assert live_nodes() == before + 1
    (g,) = mg.grad((mg.exp(x) * x).sum(), [x], create_graph=True)
    (h,) = mg.grad(g, [x], np.ones(2), create_graph=True)
    assert live_nodes() > before + 5
    del g, h
    assert live_nodes() == before + 1
    del x
    assert live_nodes() == before


def test_a_failed_backward_frees_the_graph(no_collector):
    before = live_nodes()
    x = vector(1, 2)
    with pytest.raises(ValueError, match="not a scalar") as caught:
        mg.exp(x).backward()
    del caught, x
    assert live_nodes() == before


def test_what_is_saved_lives_as_long_as_it_is_needed(no_collector):
    x = vector(*range(100))
    y = mg.exp(x)
    z = y * y
    held = weakref.ref(y._data)
    loss = z.sum()
    del y, z
    assert held() is not None
    loss.backward()
    assert held() is None  # released by backward, while the loss itself is still here
    assert loss.item() == pytest.approx(np.exp(2.0 * np.arange(100)).sum())


def test_what_is_not_saved_dies_at_once(no_collector):
    x = vector(*range(100))
    middle = x + 1
    held = weakref.ref(middle._data)
    loss = (middle + middle).sum()
    del middle
    assert held() is None
    loss.backward()
    assert x.grad.data.tolist() == [2] * 100


def test_retain_graph_keeps_what_is_saved(no_collector):
    x = vector(1)
    y = mg.exp(x)
    held = weakref.ref(y._data)
    loss = y * 1.0
    del y
    loss.backward(retain_graph=True)
    assert held() is not None
    loss.backward()
    assert held() is None and x.grad.item() == pytest.approx(2 * np.e)


def test_training_does_not_grow(no_collector):
    import tracemalloc

    w = mg.tensor(np.ones((50, 50)), requires_grad=True)
    optimizer = mg.optim.Adam([w])

    def step():
        optimizer.zero_grad()
        mg.tanh(w @ w).sum().backward()
        optimizer.step()

    step()
    step()
    tracemalloc.start()
    try:
        step()
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(10):
            step()
        assert tracemalloc.get_traced_memory()[0] - before < 100_000  # half an array a step
    finally:
        tracemalloc.stop()
