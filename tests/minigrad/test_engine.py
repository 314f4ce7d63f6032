"""The graph is walked rightly at any depth, freed at once, and never silently wrong."""

import ast
import copy
import gc
import inspect
import pickle
import re
import subprocess
import sys
import threading
import time
import types
import weakref
from pathlib import Path

import numpy as np
import pytest

import minigrad as mg
from minigrad.node import Node

ROOT = Path(mg.__file__).parents[1]


def vector(*values, dtype=None):
    return mg.tensor([float(v) for v in values], requires_grad=True, dtype=dtype)


def here(lines_up=0):
    """file:line of the caller, as errors write it."""
    frame = inspect.currentframe().f_back
    return f"{__file__}:{frame.f_lineno - lines_up}"


def live_nodes():
    return sum(type(o) is Node for o in gc.get_objects())


@pytest.fixture
def no_collector():
    """Reference counting alone: cycles would stay."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


# ---------------------------------------------------------------------- shapes of graphs
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


# ---------------------------------------------------------------------- backward and grad
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


def test_backward_with_a_given_gradient():
    x = vector(1, 2)
    for g in (np.array([1.0, 10.0]), mg.tensor([1.0, 10.0])):
        x.grad = None
        (x * x).backward(g)
        assert x.grad.data.tolist() == [2, 40]


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


# ---------------------------------------------------------------------- vjp, jvp, hvp, jacobian
def _f(x):
    """From 3 numbers to 4, with every element of the Jacobian its own."""
    return mg.concatenate([mg.exp(x[:2]) * x[2], (x * x).sum()[None], mg.tanh(x[1:2] * x[0])])


def _jacobian(x):
    a, b, c = x
    t = 1 - np.tanh(a * b) ** 2
    return np.array(
        [[np.exp(a) * c, 0, np.exp(a)], [0, np.exp(b) * c, np.exp(b)], 2 * x, [b * t, a * t, 0]]
    )


POINT = np.array([0.3, -0.8, 1.7])


def test_jacobian_is_the_dense_one():
    np.testing.assert_allclose(mg.jacobian(_f, POINT).data, _jacobian(POINT), rtol=1e-14)
    shape = mg.jacobian(lambda x: x[:, None] * x, POINT).shape
    assert shape == (3, 3, 3)
    assert mg.jacobian(lambda x: x[:0], POINT).shape == (0, 3)
    assert mg.jacobian(mg.exp, np.array(0.0)).shape == ()


def test_vjp_and_jvp_are_products_with_the_jacobian():
    rng = np.random.default_rng(0)
    u, v = rng.standard_normal(4), rng.standard_normal(3)
    y, pullback = mg.vjp(_f, POINT)
    np.testing.assert_allclose(pullback(u)[0].data, u @ _jacobian(POINT), rtol=1e-13)
    np.testing.assert_allclose(pullback(2 * u)[0].data, 2 * u @ _jacobian(POINT), rtol=1e-13)
    value, dy = mg.jvp(_f, [POINT], [v])
    np.testing.assert_allclose(dy.data, _jacobian(POINT) @ v, rtol=1e-13)
    np.testing.assert_array_equal(value.data, y.data)
    assert not dy.requires_grad and not value.requires_grad


def test_jvp_of_two_inputs():
    a, b, da, db = (np.random.default_rng(k).standard_normal((2, 2)) for k in range(4))
    _, dy = mg.jvp(mg.matmul, [a, b], [da, db])
    np.testing.assert_allclose(dy.data, da @ b + a @ db, rtol=1e-13)
    _, dy = mg.jvp(lambda a, b: mg.exp(a), [a, b], [mg.tensor(da), db])
    np.testing.assert_allclose(dy.data, np.exp(a) * da, rtol=1e-13)


def test_hvp_is_the_product_with_the_hessian():
    v = np.array([1.0, -2.0, 0.5])

    def f(x):
        return (x[0] * mg.exp(x[1]) + x[2] ** 3 * x[0]).sum()

    a, b, c = POINT
    e = np.exp(b)
    hessian = np.array([[0, e, 3 * c * c], [e, a * e, 0], [3 * c * c, 0, 6 * a * c]])
    np.testing.assert_allclose(mg.hvp(f, POINT, v).data, hessian @ v, rtol=1e-13)
    assert mg.hvp(lambda x: x.sum(), POINT, v).data.tolist() == [0, 0, 0]
    nested = mg.jacobian(lambda x: mg.grad(f(x), x, create_graph=True), POINT)
    np.testing.assert_allclose(nested.data, hessian, rtol=1e-13)


def test_derivatives_of_functions_leave_their_arguments_alone():
    x = vector(1, 2, 3)
    mg.vjp(_f, x)[1](np.ones(4))
    mg.jvp(_f, [x], [np.ones(3)])
    mg.jacobian(_f, x)
    mg.hvp(lambda x: _f(x).sum(), x, np.ones(3))
    assert x.grad is None


def test_derivatives_of_a_constant_are_zero():
    one = np.ones(2)
    assert not mg.vjp(mg.sign, one)[1](one)[0].data.any()
    assert not mg.jvp(mg.sign, [one], [one])[1].data.any()
    assert mg.jacobian(mg.sign, one).data.tolist() == [[0, 0], [0, 0]]
    assert not mg.hvp(lambda x: mg.sign(x).sum(), one, one).data.any()


# ---------------------------------------------------------------------- no_grad, detach, freezing
def recording():
    return (vector(1) * 2).requires_grad


def test_no_grad_as_context():
    with mg.no_grad():
        assert not recording()
        with mg.no_grad():
            assert not recording()
        assert not recording()
    assert recording()


def test_no_grad_as_decorator():
    @mg.no_grad()
    def inner(depth):
        return inner(depth - 1) if depth else recording()

    assert not inner(3)
    assert recording()


def test_no_grad_after_an_exception():
    @mg.no_grad()
    def fails():
        raise KeyError

    for _ in range(2):
        with pytest.raises(KeyError):
            fails()
        with pytest.raises(KeyError), mg.no_grad():
            raise KeyError
    assert recording()


def test_one_no_grad_used_twice():
    off = mg.no_grad()
    with off, off:
        assert not recording()
    with off:
        assert not recording()
    assert recording()


def in_thread(function):
    result = []
    thread = threading.Thread(target=lambda: result.append(function()))
    thread.start()
    thread.join()
    return result[0]


def test_no_grad_is_thread_local():
    with mg.no_grad():
        assert in_thread(recording)
    assert recording()
    hooked = []
    with mg.hook(lambda p, where, phase, function, args: hooked.append(p) or function(*args)):
        in_thread(recording)
    assert hooked == []


def test_a_decorated_function_in_two_threads():
    """Each of two calls that overlap must find its own thread's state again."""
    a_is_in, b_is_in, a_is_out = (threading.Event() for _ in range(3))
    states = {}

    @mg.no_grad()
    def call(arrived, until):
        arrived.set()
        assert until.wait(5)

    def a():
        with mg.no_grad():
            call(a_is_in, b_is_in)
            states["a"] = recording()
        a_is_out.set()

    def b():
        assert a_is_in.wait(5)
        call(b_is_in, a_is_out)
        states["b"] = recording()

    threads = [threading.Thread(target=f) for f in (a, b)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert states == {"a": False, "b": True}


def test_backward_within_no_grad():
    x = vector(2)
    y = x * x * x
    with mg.no_grad():
        (g,) = mg.grad(y, [x], create_graph=True)
        assert not recording()
    assert mg.grad(g, x).item() == 12
    assert recording()


def test_recording_comes_back_after_an_error_in_backward():
    @mg.primitive("", x=lambda g: 1 / 0)
    def broken(x):
        return x + 0

    y = broken(vector(1))
    with mg.no_grad():
        with pytest.raises(ZeroDivisionError):
            y.backward(create_graph=True)
        assert not recording()
    assert recording()


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


# ---------------------------------------------------------------------- memory
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
    optimiser = mg.optim.Adam([w])

    def step():
        optimiser.zero_grad()
        mg.tanh(w @ w).sum().backward()
        optimiser.step()

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


# ---------------------------------------------------------------------- a second backward
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


# ---------------------------------------------------------------------- changed arrays
def changed(y, name="multiply"):
    """Backward of `y` is refused, since a saved array was changed after `name` had used it."""
    with pytest.raises(RuntimeError) as caught:
        y.backward(np.ones(y.shape))
    message = str(caught.value)
    assert message.startswith(f"backward of {name} at {__file__}:")
    assert "was changed after" in message and "give a copy" in message
    return True


def test_a_leaf_changed_through_data():
    x = vector(1, 2)
    array = x.data  # taken hold of before
    y = x * x
    array[0] = 5
    assert changed(y)
    x = vector(1, 2)
    y = x * x
    x.data[0] = 5  # taken hold of after
    assert changed(y)
    x = vector(1, 2)
    y = x * x
    x.numpy()[0] = 5
    assert changed(y)
    x = vector(1, 2)
    y = x * x
    x.detach().data[0] = 5
    assert changed(y)


def test_one_bit_is_enough():
    x = mg.tensor(np.zeros((50, 50)), requires_grad=True)
    y = x * x
    x.data.view(np.uint64)[25, 25] = 1
    assert changed(y)


def test_a_leaf_updated_with_minus_equals():
    x = vector(1, 2)
    y = x * x
    x.data -= 0.5
    assert changed(y)


def test_an_optimiser_step_between_forward_and_backward():
    for make in (mg.optim.SGD, mg.optim.Adam, mg.optim.RMSprop, mg.optim.AdamW):
        x = vector(1, 2)
        y = x * x
        x.grad = mg.tensor([1.0, 1.0])
        make([x], lr=0.1).step()
        assert changed(y)


def test_a_step_seen_through_a_view():
    for view in (lambda x: x[1:], lambda x: x.reshape(2, 1), lambda x: x.T[:1].reshape(-1)):
        x = vector(1, 2)
        part = view(x)
        y = part * part
        x.grad = mg.tensor([1.0, 1.0])
        mg.optim.SGD([x], lr=0.1).step()
        assert changed(y)


def test_a_leaf_changed_below_a_view():
    for take in (lambda x: x.data, lambda x: x.numpy()):
        x = vector(1, 2)
        y = x[::-1] * x[1:]
        take(x)[0] = 9
        assert changed(y)


def backward_of(y, x):
    y.backward(np.ones(y.shape))
    return x.grad.data.tolist()


def test_a_constant_counts_as_it_was_when_it_was_used():
    x, c = vector(1, 2), np.array([3.0, 4.0])
    y = x * c
    c[0] = 5
    assert backward_of(y, x) == [3, 4]
    x, c = vector(1, 2), np.array([3.0, 4.0])
    y = x * c[::-1]
    c[0] = 5
    assert backward_of(y, x) == [4, 3]
    x, index = vector(1, 2), np.array([0, 0, 1])
    y = x[index]
    index[0] = 1
    assert backward_of(y, x) == [2, 1]
    x, mask = vector(1, 2), np.array([True, False])
    y = mg.where(mask, x, 0.0)
    mask[1] = True
    assert backward_of(y, x) == [1, 0]


def test_a_constant_tensor_counts_as_it_was_when_it_was_used():
    x, c = vector(1, 2), mg.tensor([3.0, 4.0])
    y = x * c
    c.data[0] = 5
    assert backward_of(y, x) == [3, 4]
    x, c = vector(1, 2), mg.tensor([3.0, 4.0])
    y = x * c.reshape(2)
    c.data[0] = 5
    assert backward_of(y, x) == [3, 4]
    x = vector(1, 2)
    (x * x).sum().backward()
    y = x * x.grad
    x.grad.data[0] = 5
    assert mg.grad(y, x, np.ones(2)).data.tolist() == [2, 4]


def test_a_change_below_a_recorded_backward():
    x = vector(1, 2)
    (g,) = mg.grad((x * x * x).sum(), [x], create_graph=True)
    x.data[0] = 7
    with pytest.raises(RuntimeError, match="was changed after"):
        mg.grad(g, [x], np.ones(2))


def right_or_refused(x, array):
    """Whoever changes the `array` that was given to `x` gets no wrong gradient."""
    expected = (2 * array).tolist()
    y = x * x
    array[0] = 5
    try:
        y.backward(np.ones(2))
    except RuntimeError as error:
        assert "was changed after" in str(error)
    else:
        assert x.grad.data.tolist() == expected


def test_the_array_that_replaced_a_leafs_changed():
    x, array = vector(1, 2), np.array([3.0, 4.0])
    x.data = array
    right_or_refused(x, array)


def test_an_array_taken_before_the_tensor_became_a_leaf():
    x = mg.tensor([1.0, 2.0])
    array = x.data
    x.requires_grad = True
    y = x * x
    array[0] = 5
    assert changed(y)


def test_a_leaf_frozen_and_then_changed():
    x, w = vector(1, 2), vector(3, 4)
    y = x * w
    w.requires_grad = False
    w.data[0] = 5
    assert changed(y)


def test_the_array_that_a_parameter_was_made_of():
    array = np.array([1.0, 2.0])
    p = mg.nn.Parameter(array)
    right_or_refused(p, array)


def test_tensor_copies():
    array = np.array([1.0, 2.0])
    x = mg.tensor(array, requires_grad=True)
    y = x * x
    array[0] = 5
    y.backward(np.ones(2))
    assert x.grad.data.tolist() == [2, 4]
    assert not np.shares_memory(mg.tensor(x).data, x.data)


def test_results_are_read_only():
    x = vector(1, 2)
    y = mg.exp(x)
    for array in (y.data, y.numpy(), y.detach().data, y.detach().numpy()):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 5
    with pytest.raises(TypeError, match="cannot be assigned"):
        y[0] = 5
    with pytest.raises(ValueError, match="its data cannot be replaced"):
        y.data = np.ones(2)


def test_what_is_not_saved_may_change():
    x, c = vector(1, 2), np.array([3.0, 4.0])
    y = x + c
    c[0] = 5
    x.data[0] = 7
    y.backward(np.ones(2))
    assert x.grad.data.tolist() == [1, 1]


def test_replacing_the_array_of_a_leaf_is_no_change_of_what_was_saved():
    x = vector(1, 2)
    y = x * x
    x.data = np.array([10.0, 20.0])
    y.backward(np.ones(2))
    assert x.grad.data.tolist() == [2, 4]


def test_a_changed_array_that_no_walk_reaches_is_no_matter():
    x, w, c = vector(1, 2), vector(3, 4), np.array([1.0, 1.0])
    y = x * x + w * c
    c[0] = 5
    assert mg.grad(y, x, np.ones(2)).data.tolist() == [2, 4]


@pytest.mark.parametrize("look", [False, True], ids=["", "looking at data on the way"])
def test_no_false_alarm_in_training(look):
    rng = np.random.default_rng(0)
    images = rng.standard_normal((6, 4)).astype(np.float32)
    model = mg.nn.Sequential(
        mg.nn.Dense(4, 3, activation="tanh", rng=rng), mg.nn.Dense(3, 4, rng=rng)
    )
    optimiser = mg.optim.Adam(model.parameters(), lr=0.05)
    history = []
    for _ in range(30):
        optimiser.zero_grad()
        loss = mg.losses.l2_loss(model(images), images)
        if look:
            [p.data.sum() for p in model.parameters()]
        loss.backward()
        mg.optim.clip_grad_norm(model.parameters(), 10.0)
        optimiser.step()
        history.append(loss.item())
        if look:
            model.load_state_dict(model.state_dict())
    assert history[-1] < history[0] / 2


def test_no_false_alarm_in_hand_written_descent():
    w = vector(3, -2)
    for _ in range(50):
        w.grad = None
        (w * w).sum().backward()
        w.data -= 0.1 * w.grad.data
    assert np.abs(w.data).max() < 1e-3
    for _ in range(50):
        w.grad = None
        (w * w).sum().backward()
        w.data[...] = w.data - 0.1 * w.grad.data
    buffer = np.empty(2)
    for k in range(3):  # a buffer used again after every backward
        buffer[...] = k
        w.grad = None
        (w * buffer).sum().backward()
        assert w.grad.data.tolist() == [k, k]


def test_no_false_alarm_for_several_losses_before_one_step():
    w = vector(1, 2)
    optimiser = mg.optim.SGD([w], lr=0.1, momentum=0.9)
    for _ in range(3):
        a, b = (w * w).sum(), (w * w * w).sum()
        b.backward()
        a.backward()
        optimiser.step()
        optimiser.zero_grad()


# ---------------------------------------------------------------------- provenance
def test_errors_of_the_forward_pass_say_where_the_operands_were_made():
    x = mg.tensor(np.ones((2, 3)), requires_grad=True)
    y = mg.exp(x)
    line = here(1)
    with pytest.raises(ValueError) as caught:
        y + np.ones(4)
    assert f"a (2, 3) float64 Tensor (made by exp at {line})" in str(caught.value)
    assert "b = a (4,) float64 array" in str(caught.value)


def test_errors_of_the_backward_pass_say_which_line_made_the_node():
    @mg.primitive("one array", x=lambda g: g.astype(np.float32))
    def forgetful(x):
        return x * 1

    y = forgetful(vector(1))
    line = here(1)
    with pytest.raises(TypeError) as caught:
        y.backward()
    assert f"the VJP of forgetful at {line} for x gave a float32 gradient" in str(caught.value)


def test_provenance_is_the_users_line_even_within_layers():
    layer = mg.nn.Dense(2, 2, activation="sigmoid", rng=np.random.default_rng(0))
    y = layer(np.ones((1, 2), np.float32))
    line = here(1)
    with pytest.raises(ValueError, match="not a scalar") as caught:
        y.backward()
    assert re.search(f"made by \\w+ at {re.escape(line)}\\)", str(caught.value))


# ---------------------------------------------------------------------- hooks and overrides
def test_hooks_nest_and_change_nothing():
    log = []

    def watch(name):
        def around(p, where, phase, function, args):
            log.append((name, p.name, phase))
            return function(*args)

        return around

    def f():
        x = vector(0.5)
        mg.exp(x).backward()
        return x.grad.item()

    plain = f()
    with mg.hook(watch("outer")), mg.hook(watch("inner")):
        assert f() == plain
    assert log == [
        (name, "exp", phase) for phase in ("forward", "backward") for name in ("inner", "outer")
    ]
    log.clear()
    f()
    assert log == []


def test_a_hook_sees_and_may_change_results():
    def doubled(p, where, phase, function, args):
        return 2 * function(*args) if phase == "forward" else function(*args)

    with mg.hook(doubled):
        assert mg.exp(vector(0)).item() == 2
    assert mg.exp(vector(0)).item() == 1


def test_a_hook_ends_with_its_block_also_after_an_error():
    def fails(p, where, phase, function, args):
        raise KeyError(p.name)

    with pytest.raises(KeyError, match="exp"), mg.hook(fails):
        mg.exp(vector(0))
    assert mg.exp(vector(0)).item() == 1


def test_a_hook_is_told_the_line_in_backward():
    y = mg.exp(vector(0))
    line = here(1)
    seen = []

    def look(p, where, phase, function, args):
        seen.append((phase, where))
        return function(*args)

    with mg.hook(look):
        y.backward()
    ((phase, (code, instruction)),) = seen
    made = list(code.co_positions())[instruction // 2][0]
    assert phase == "backward" and f"{code.co_filename}:{made}" == line


def test_override_replaces_only_the_forward(monkeypatch):
    p = mg.registry["exp"]
    monkeypatch.setattr(p, "cpu", p.cpu)  # put back afterwards
    vjps, forward = p.vjps, p.forward

    @mg.override("exp", "cpu")
    def kernel(x):
        return np.exp(x) * 3

    x = vector(0)
    y = mg.exp(x)
    y.backward()
    assert y.item() == 3 and x.grad.item() == 3  # the VJP is g * y
    assert p.cpu is kernel and p.forward is forward and p.vjps is vjps and p.cuda is not kernel


def test_a_primitive_of_ones_own():
    @mg.primitive("one array", x=lambda g, x: g * 3 * x * x)
    def cube(x):
        """x cubed."""
        return x**3

    assert "cube" not in mg.registry  # the library's list is the library's
    assert cube.__doc__ == "x cubed." and cube.name == "cube"
    assert cube(np.array(2.0)) == 8 and cube(x=vector(2)).item() == 8
    assert mg.jacobian(cube, np.array(2.0)).item() == 12


# ---------------------------------------------------------------------- dtypes and operands
def test_numbers_are_weak():
    x = vector(1, 2, dtype=np.float32)
    for number in (2, 2.5, np.float64(2.5), np.float32(2.5), np.int64(2), True, np.bool_(True)):
        for y in (x * number, number * x, x + number, number - x, x / 2, mg.maximum(x, number)):
            assert y.dtype == np.float32, number
            x.grad = None
            y.sum().backward()
            assert x.grad.dtype == np.float32
    for y in (x**2, x ** np.float64(2), mg.power(x, 0.5), mg.clip(x, 0, 1), x.clip(high=1.5)):
        assert y.dtype == np.float32


def test_the_bounds_of_clip_are_weak():
    x = vector(1, 2, dtype=np.float32)
    assert mg.clip(x, np.float64(0.0), np.float64(1.0)).dtype == np.float32


def test_a_number_to_the_power_of_a_float32_tensor():
    x = vector(1, 2, dtype=np.float32)
    y = 2.0**x
    assert y.dtype == np.float32
    y.sum().backward()
    assert x.grad.dtype == np.float32
    np.testing.assert_allclose(x.grad.data, np.log(2) * 2.0 ** np.arange(1, 3), rtol=1e-6)


def test_complex_numbers_are_refused():
    for number in (1j, np.complex128(1j)):
        with pytest.raises(TypeError, match="multiply"):
            vector(1) * number


def test_a_training_step_in_float32_makes_no_float64():
    def guard(p, where, phase, function, args):
        out = function(*args)
        arrays = [a._data if isinstance(a, mg.Tensor) else a for a in (*args, out)]
        for a in arrays:
            assert getattr(a, "dtype", None) != np.float64, f"{p.name} {phase}"
        return out

    rng = np.random.default_rng(0)
    model = mg.nn.Sequential(
        mg.nn.Conv2D(1, 2, stride=2, activation="relu", rng=rng),
        mg.nn.Conv2DTranspose(2, 1, stride=2, rng=rng),
        mg.nn.Dropout(0.2, rng=rng),
    )
    images = rng.random((2, 4, 4, 1)).astype(np.float32)
    optimiser = mg.optim.Adam(model.parameters())
    for loss in (
        lambda y: mg.losses.l2_loss(y, images),
        lambda y: mg.losses.binary_cross_entropy_with_logits(y, images),
        lambda y: mg.losses.binary_cross_entropy(mg.sigmoid(y), images),
        lambda y: mg.losses.bernoulli_kl(0.05, mg.sigmoid(y).mean(0)),
        lambda y: mg.losses.gaussian_kl(y, y) + mg.var(y) + mg.logsumexp(y) + y.max(),
        lambda y: (mg.resize_bicubic(y, 3) ** 2).mean(),
    ):
        with mg.hook(guard):
            optimiser.zero_grad()
            loss(model(images)).backward()
            optimiser.step()
        assert all(p.dtype == p.grad.dtype == np.float32 for p in model.parameters())
        assert all(a.dtype == np.float32 for state in optimiser.state for a in state)


def test_masks_are_welcome_as_constants():
    x = vector(1, 2)
    y = x * (x > 1.5)
    y.sum().backward()
    assert y.data.tolist() == [0, 2] and x.grad.data.tolist() == [0, 1]


def test_integers_travel_as_constants():
    """Reshaping or picking integers is no mathematics and works; arithmetic on them does not."""
    n = mg.tensor([[1, 2], [3, 4]])
    assert n.reshape(4)[1:].data.tolist() == [2, 3, 4]
    assert mg.concatenate([n, n]).shape == (4, 2) and n.T.dtype == n.dtype
    assert n.astype(np.float32).dtype == np.float32


# ---------------------------------------------------------------------- NumPy and CuPy
@pytest.fixture
def cupy(monkeypatch):
    """A module that looks like CuPy from where the engine stands; its arrays are NumPy's."""

    class ndarray(np.ndarray):
        def get(self):
            return np.array(self)

    def device(x):
        return np.asarray(x).view(ndarray) if isinstance(x, np.ndarray) else x

    def on_device(name):
        def function(*args, **options):
            return device(getattr(np, name)(*args, **options))

        return function

    fake = types.ModuleType("cupy")
    fake.ndarray = ndarray
    fake.asarray = lambda x, **options: device(np.array(x, **options))
    fake.is_available = lambda: True
    fake.cuda = types.SimpleNamespace(
        runtime=types.SimpleNamespace(getDeviceProperties=lambda k: {"name": b"make-believe"})
    )

    def compiled(code, options=()):
        def probe(grid, block, args):
            args[0][...] = 42

        return types.SimpleNamespace(get_function=lambda name: probe)

    fake.RawModule = compiled
    fake.__getattr__ = on_device
    monkeypatch.setitem(sys.modules, "cupy", fake)
    return fake


def test_numpy_and_cupy_do_not_mix(cupy):
    x = vector(1, 2)
    c = mg.tensor([1.0, 2.0]).to("cuda")
    assert (x.device, c.device) == ("cpu", "cuda")
    for pair in ((x, c), (c, x), (c, np.ones(2)), (x, c._data)):
        with pytest.raises(TypeError, match="multiply") as caught:
            mg.multiply(*pair)
        assert 'x.to("cuda")' in str(caught.value) and 'x.to("cpu")' in str(caught.value)
    assert "device=cuda" in repr(c)


def test_to_and_from_the_device(cupy):
    x = vector(1, 2)
    c = x.to("cuda")
    assert c.requires_grad and c.is_leaf and isinstance(c._data, cupy.ndarray)
    assert x.to("cpu") is x and c.to("cuda") is c
    assert type(c.numpy()) is np.ndarray and not np.shares_memory(c.numpy(), c._data)
    y = c * c
    y.backward(cupy.ones(2))
    assert isinstance(y._data, cupy.ndarray) and isinstance(c.grad._data, cupy.ndarray)
    with pytest.raises(TypeError, match=r"x.numpy\(\)"):
        np.asarray(c.detach())
    with pytest.raises(ValueError, match=r'unknown device .tpu.: use "cpu" or "cuda"'):
        x.to("tpu")


def test_kernels_are_chosen_by_device(cupy, monkeypatch):
    p = mg.registry["exp"]
    monkeypatch.setattr(p, "cuda", lambda x: x + 100)
    assert mg.exp(mg.tensor(0.0).to("cuda")).item() == 100
    assert mg.exp(mg.tensor(0.0)).item() == 1


def test_without_cupy(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(RuntimeError, match=r"CuPy is not installed.*Use device=.cpu"):
        vector(1).to("cuda")


def _raise(error):
    raise error


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("is_available", lambda: False, "CuPy finds no CUDA driver or no GPU"),
        (
            "RawModule",
            lambda code: _raise(OSError("libnvrtc.so.13: not found\nmore")),
            r"does not work here \(OSError: libnvrtc.so.13: not found\)",
        ),
        (
            "is_available",
            lambda: _raise(ImportError("\n=====\nFailed to import CuPy.\n\nmore")),
            r"does not work here \(ImportError: Failed to import CuPy.\)",
        ),
        ("zeros", lambda *a: np.zeros(1), "wrong answer"),
    ],
)
def test_without_a_gpu(cupy, name, value, why):
    setattr(cupy, name, value)
    if name == "zeros":
        kernel = types.SimpleNamespace(get_function=lambda name: lambda *a: None)
        cupy.RawModule = lambda code: kernel
    assert mg.cuda.status()[0] is False
    with pytest.raises(RuntimeError, match=rf"cannot be used: .*{why}.*Use device=.cpu"):
        vector(1).to("cuda")


def test_with_a_gpu(cupy):
    assert mg.cuda.status() == (True, "the GPU is a make-believe")


# ---------------------------------------------------------------------- Tensor as a Python object
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


# ---------------------------------------------------------------------- the house
LAYERS = [  # each module imports from the lines above its own
    {"memory", "schedules"},
    {"backend", "node", "state"},
    {"tensor"},
    {"seals"},
    {"engine"},
    {"shapes"},
    {"gradient"},
    {"derivatives"},
    {"ops"},
    {"operators", "numpy_functions", "conv", "penalties"},
    {"fused", "losses", "resize"},
    {"cpu", "cuda"},
    {"random"},
    {"functional"},
    {"init", "optim", "data", "checkpoint", "testing", "debug", "module"},
    {"nn"},
    {"__init__"},
]
LAZY = {"backend": {"cupy"}, "cuda": {"cupy"}, "cpu": {"threadpoolctl"}}  # slow to import
FOREIGN = {"autoencoder", "sklearn", "scipy", "matplotlib", "torch", "tqdm", "lessons"}


def sources():
    """The files of minigrad and their parse trees."""
    package = ROOT / "minigrad"
    for path in sorted(package.rglob("*.py")):
        yield path.relative_to(package).with_suffix("").parts, ast.parse(path.read_text())


def imports(parts, tree):
    """(minigrad's own modules, all others) that a file imports."""
    own, others = set(), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            others |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            others.add(node.module)
        elif isinstance(node, ast.ImportFrom):
            base = parts[: len(parts) - node.level]
            names = [node.module] if node.module else [alias.name for alias in node.names]
            own |= {(*base, *name.split(".")) for name in names}
    own |= {tuple(n.split(".")[1:]) for n in others if n.split(".")[0] == "minigrad"}
    return own, {n.split(".")[0] for n in others}


def test_imports_run_one_way():
    level = {name: k for k, names in enumerate(LAYERS) for name in names}
    uses = {}
    for parts, tree in sources():
        assert parts[0] in level, f"put {parts[0]} in its place in LAYERS"
        own, _ = imports(parts, tree)
        uses[parts[0]] = uses.get(parts[0], set()) | {target[0] for target in own if target}
    for module, used in uses.items():
        for target in used - {module}:
            assert level[target] < level[module], f"{module}.py must not import {target}.py"
    assert uses["tensor"] == {"backend", "node"}
    assert uses["engine"] == {"backend", "node", "seals", "state", "tensor"}


def test_no_file_imports_what_it_must_not():
    for parts, tree in sources():
        name = ".".join(parts)
        foreign = imports(parts, tree)[1]
        assert not foreign & FOREIGN, f"{name} imports {foreign & FOREIGN}"
        assert "cupy" not in foreign or parts[0] in ("backend", "cuda"), name
        for function in ast.walk(tree):
            if isinstance(function, ast.FunctionDef | ast.Lambda):
                own, late = imports(parts, function)
                assert not own and late <= LAZY.get(parts[0], set()), f"{name}:{function.lineno}"


def test_import_minigrad_is_light():
    code = (
        "import sys, minigrad; heavy = {'scipy', 'sklearn', 'matplotlib', 'cupy', 'torch', "
        "'autoencoder', 'tqdm', 'pandas'} & set(sys.modules); print(sorted(heavy))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=ROOT, capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_every_public_name_exists_once():
    assert len(set(mg.__all__)) == len(mg.__all__) and mg.__all__ == sorted(mg.__all__)
    assert all(hasattr(mg, name) for name in mg.__all__)
