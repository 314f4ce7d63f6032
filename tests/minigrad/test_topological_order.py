"""The backward pass visits each node once, in topological order, at any depth, and only where a
gradient is asked for."""

import time

import numpy as np
import pytest
from graphs import vector

import minigrad as mg


def test_a_chain_of_20000_additions():
    x = vector(1, 2)
    y = x
    for _ in range(20_000):
        y = y + x
    assert y.data.tolist() == [20_001, 40_002]
    y.backward(np.ones(2))
    assert x.grad.data.tolist() == [20_001, 20_001]
    del y  # the deletion must not recurse either


def test_a_long_chain_is_deleted_unvisited():
    y = vector(1)
    for _ in range(20_000):
        y = mg.tanh(y)
    del y


def test_60_stacked_diamonds():
    """2**60 paths, walked once each node."""
    x = vector(1)
    y = x
    for _ in range(60):
        y = y + y
    start = time.perf_counter()
    y.backward()
    assert x.grad.item() == 2.0**60
    assert time.perf_counter() - start < 1


def test_every_vjp_runs_once():
    x = vector(2)
    a = x * x
    b, c = mg.exp(a), mg.tanh(a)
    y = b * c + a
    calls = []

    def watch(p, where, phase, function, args):
        calls.append((p.name, phase))
        return function(*args)

    with mg.hook(watch):
        y.backward()
    once_per_operand = {"add": 2, "multiply": 4, "exp": 1, "tanh": 1}
    assert {name: calls.count((name, "backward")) for name in once_per_operand} == once_per_operand
    e, t = np.exp(4), np.tanh(4)
    assert x.grad.item() == pytest.approx((e * t + e * (1 - t * t) + 1) * 4, rel=1e-13)


def test_a_node_used_before_and_after_others():
    """An early result used again late: its gradient is complete before it is passed on."""
    x = vector(3)
    early = x * x
    late = early
    for _ in range(5):
        late = late * early
    (late + early).backward()
    assert x.grad.item() == pytest.approx(12 * 3.0**11 + 6)


def test_inputs_that_need_no_gradient_cost_nothing():
    x, c = vector(1, 2), mg.tensor([3.0, 4.0])
    called = []

    @mg.primitive("", a=lambda g, b: g * b, b=lambda g, a: called.append("b") or g * a)
    def product(a, b):
        return a * b

    product(x, c).sum().backward()
    assert not called and c.grad is None
    assert product(c, c).node is None


def test_grad_runs_only_the_vjps_that_lead_to_its_inputs():
    x, w = vector(1, 2), vector(3, 4)
    y = mg.tanh(x * mg.exp(w)) + mg.sqrt(w)
    ran = []

    def watch(p, where, phase, function, args):
        ran.append(p.name)
        return function(*args)

    with mg.hook(watch):
        mg.grad(y, x, np.ones(2))
    assert ran == ["add", "tanh", "multiply"]
