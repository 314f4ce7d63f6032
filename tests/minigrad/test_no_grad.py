"""`no_grad` switches recording off in its own thread, and recording comes back after errors."""

import threading

import pytest
from graphs import vector

import minigrad as mg


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
