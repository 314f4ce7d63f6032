"""Threads that share leaves: no gradient is lost."""

import sys
import threading

import numpy as np
import pytest

import minigrad as mg


@pytest.fixture(autouse=True)
def _switch_often():
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def in_threads(function, count=8):
    together, errors = threading.Barrier(count), []

    def run(k):
        try:
            together.wait()
            function(k)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(k,)) for k in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors, errors


def test_gradients_of_all_threads_add_up_in_one_leaf():
    w = mg.tensor(np.ones(3), requires_grad=True)

    def train(k):
        for _ in range(200):
            (w * np.full(3, k + 1.0)).sum().backward()

    in_threads(train)
    np.testing.assert_array_equal(w.grad.data, np.full(3, 200.0 * 36))


def test_addition_is_one_step(monkeypatch):
    """A thread that is interrupted between reading the old gradient and writing the new one."""
    w, first_is_adding, second_is_done = (
        mg.tensor([1.0], requires_grad=True),
        *(threading.Event() for _ in range(2)),
    )
    (w * 1.0).backward()

    def around(primitive, where, phase, function, args):
        if primitive.name == "add" and phase == "forward":
            first_is_adding.set()
            second_is_done.wait(0.2)  # it cannot be: it waits for this thread
        return function(*args)

    def first():
        with mg.hook(around):
            (w * 10.0).backward()

    def second():
        assert first_is_adding.wait(5)
        (w * 100.0).backward()
        second_is_done.set()

    in_threads(lambda k: (first, second)[k](), 2)
    assert w.grad.data.tolist() == [111.0]


def test_a_hook_may_call_backward():
    """The lock that a thread holds while it adds does not keep out the thread itself."""
    w, inner = mg.tensor([1.0], requires_grad=True), mg.tensor([2.0], requires_grad=True)
    (w * 1.0).backward()

    def around(primitive, where, phase, function, args):
        if primitive.name == "add":
            (inner * 3.0).backward()
        return function(*args)

    with mg.hook(around):
        (w * 1.0).backward()
    assert w.grad.data.tolist() == [2.0] and inner.grad.data.tolist() == [3.0]


def test_threads_record_graphs_of_their_own():
    w, found = mg.tensor(np.arange(1.0, 4.0), requires_grad=True), {}

    def walk(k):
        for _ in range(50):
            found[k] = mg.grad((w**2 * (k + 1.0)).sum(), w).data

    in_threads(walk)
    for k, g in found.items():
        np.testing.assert_array_equal(g, 2.0 * (k + 1) * np.arange(1.0, 4.0))
