"""Random expression graphs equal PyTorch's: value, gradient and Hessian-vector product; and the
comparison finds faults that are put in on purpose."""

import functools
from collections import Counter

import numpy as np
import pytest

import minigrad as mg

torch = pytest.importorskip("torch", reason="PyTorch, the second opinion, is not installed")

import random_programs  # noqa: E402
from random_graphs import cut_down, difference  # noqa: E402  (they need PyTorch)
from random_operations import operations  # noqa: E402

GRAPHS = range(200)
random_program = functools.cache(random_programs.random_program)


@pytest.mark.parametrize("seed", GRAPHS)
def test_graphs_equal_those_of_pytorch(seed):
    program, _ = random_program(seed)
    found = difference(program)
    assert not found, f"graph {seed}: {found}\n{cut_down(program).source()}"


def test_jvp_of_jvp_is_the_second_derivative():
    programs = [random_program(seed)[0] for seed in range(20)]
    found = [difference(program, nested=True) for program in programs]
    assert not any(found), found


def test_the_graphs_use_every_operation_and_their_number_makes_them():
    used = Counter()
    for seed in GRAPHS:
        used += random_program(seed)[1]
    assert min(used[name] for name in operations) >= 3
    assert random_programs.random_program(7) == random_program(7) != random_program(8)


# ---------------------------------------------------------------------- faults on purpose
def detached(x):
    return x.detach() if isinstance(x, mg.Tensor) else x


@mg.primitive("an array", x=lambda g, x: g * mg.sigmoid(x) * 1.001)
def softplus(x):
    return np.logaddexp(0, x)


@mg.primitive("an array", x=lambda g, y: g * (1 - detached(y) * y))
def tanh(x):
    return np.tanh(x)


@mg.primitive("an array", x=lambda g, y, axis: g - mg.exp(y) * mg.sum(g, axis, keepdims=True))
def log_softmax(x, axis=-1):
    return x - np.log(np.exp(x).sum(axis=-1, keepdims=True))


@mg.primitive("an index", x=lambda g, index, x_shape: assigned(g, index, x_shape))
def getitem(x, index):
    return x[index]


@mg.primitive("an index", x=lambda g, index: getitem(g, index))
def assigned(x, index, shape):
    out = np.zeros(shape)
    out[index] = x
    return out


FAULTS = {
    "a value: the axis is ignored": ("log_softmax", log_softmax, "value"),
    "a gradient: a factor of 1.001": ("softplus", softplus, "gradient"),
    "a second derivative: half of it is missing": ("tanh", tanh, "Hessian-vector product"),
    "an index: repeated elements get one gradient": ("getitem", getitem, "gradient"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found_and_shown_in_a_program_that_runs(fault, monkeypatch, capsys):
    name, wrong, what = FAULTS[fault]
    programs = [random_program(seed)[0] for seed in GRAPHS]
    monkeypatch.setattr(mg, name, wrong)
    found = ((p, difference(p)) for p in programs if not p.repeats)
    program = next(p for p, message in found if message and message.startswith(what))
    small = cut_down(program)
    assert difference(small).startswith(what)
    assert len(small.lines) <= len(program.lines)
    assert any(f"mg.{name}(" in line[1] for line in small.lines)
    exec(small.source(), {"__name__": "pasted"})
    assert "tensor(" in capsys.readouterr().out
    monkeypatch.undo()
    assert difference(small) is None


# ---------------------------------------------------------------------- what the graphs have found
def test_the_mixed_derivative_of_a_power_is_right_where_the_exponent_is_0():
    a, b = mg.tensor(1.7, requires_grad=True), mg.tensor(0.0, requires_grad=True)
    by_a, by_b = mg.grad(a**b, [a, b], create_graph=True)
    assert mg.grad(by_b, a, retain_graph=True).item() == pytest.approx(1 / 1.7)
    assert mg.grad(by_a, b).item() == pytest.approx(1 / 1.7)  # PyTorch has 0
