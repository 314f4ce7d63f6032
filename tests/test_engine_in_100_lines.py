"""Proves that docs/engine_in_100_lines.py is what it says: at most 100 lines of code, with the
gradients, the steps of Adam and the training of minigrad."""

import ast
import doctest
import importlib.util
from pathlib import Path

import numpy as np
import pytest

import minigrad as mg
from minigrad import losses, optim

PATH = Path(__file__).parent.parent / "docs" / "engine_in_100_lines.py"
SPEC = importlib.util.spec_from_file_location("engine_in_100_lines", PATH)
small = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(small)

NAMES = ["add", "multiply", "power", "exp", "log", "relu", "matmul", "total"]
SMALL = {name: getattr(small, name) for name in NAMES}
REAL = {name: getattr(mg, name) for name in NAMES[:-1]} | {"total": mg.sum}
SHAPES = [(), (1,), (3,), (2, 3), (2, 1), (1, 3), (4, 1, 1), (4, 2, 3)]  # broadcast together


def lines_of_code(source):
    """The lines that are neither empty, nor a comment, nor part of a docstring."""
    without = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(
            node
        ):
            without |= set(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    lines = enumerate(source.splitlines(), start=1)
    return sum(
        number not in without and not line.strip().startswith("#") and line.strip() != ""
        for number, line in lines
    )


def test_it_has_at_most_100_lines_of_code():
    assert lines_of_code(PATH.read_text()) <= 100
    assert lines_of_code('"""Title.\n\nText."""\n\n# why\nx = 1  # a number\n') == 1
    assert lines_of_code("def f(x):\n    '''Doc.'''\n    return (\n        x\n    )\n") == 4


def test_its_example_runs():
    result = doctest.testmod(small)
    assert result.attempted == 4
    assert not result.failed


# ---------------------------------------------------------------------- gradients
def random_program(rng):
    """A function of a library's operations and of leaves, and the values of those leaves."""
    shapes = [SHAPES[k] for k in rng.integers(0, len(SHAPES), 3)]
    leaves = [rng.uniform(-1, 1, shape) for shape in [*shapes, (3, 3)]]
    steps = [(rng.choice(NAMES), *rng.integers(0, 1 << 30, 3)) for _ in range(8)]

    def run(f, leaves):
        *made, square = leaves
        for name, i, j, k in steps:
            x, other = made[i % len(made)], made[j % len(made)]
            if name == "power":
                y = f["power"](1.5 + x * x, (-1.0, 0.5, 2, 3)[k % 4])
            elif name == "log":
                y = f["log"](2.0 + x * x)
            elif name == "matmul":  # (..., 2, 3) @ (..., 3, 3)
                y = f["matmul"](x + np.ones((2, 3)), square * f["total"](other))
            elif name == "total":
                axis = (None, *range(x.data.ndim))[k % (1 + x.data.ndim)]
                y = f["total"](f["power"](f["total"](x, axis), 2))
            else:
                y = f[name](x, other) if name in ("add", "multiply") else f[name](x)
            made.append(y / (1.0 + f["power"](y, 2)))  # near 0 again
        return f["total"](sum((n + 1) * f["total"](y) for n, y in enumerate([*made, square])))

    return run, leaves


def gradients(run, f, leaves):
    """The value of a program and its gradient by each leaf, zeros where it does not depend."""
    result = run(f, leaves)
    result.backward()
    grads = [np.zeros(x.data.shape) if x.grad is None else x.grad for x in leaves]
    return [float(result.data), *(np.array(getattr(g, "data", g)) for g in grads)]


@pytest.mark.parametrize("seed", range(100))
def test_gradients_of_random_programs_are_those_of_minigrad(seed):
    run, values = random_program(np.random.default_rng(seed))
    mine = gradients(run, SMALL, [small.Tensor(x) for x in values])
    theirs = gradients(run, REAL, [mg.tensor(x, requires_grad=True) for x in values])
    for a, b in zip(mine, theirs, strict=True):
        assert np.shape(a) == np.shape(b)
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)


def test_all_operators_and_constants_on_either_side():
    constant = np.array([[1.0, 2.0], [3.0, 5.0]])

    def run(f, leaves):
        (x,) = leaves
        y = 2 + x - constant + (3 - x) * constant + constant / (1 + x * x) - -x
        return f["total"](constant @ y @ constant - x / 4 + x**2)

    mine = gradients(run, SMALL, [small.Tensor(np.eye(2))])
    theirs = gradients(run, REAL, [mg.tensor(np.eye(2), requires_grad=True)])
    for a, b in zip(mine, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


def test_a_second_backward_adds_to_the_gradient():
    x = small.Tensor(3.0)
    (x * x).backward()
    (x * x).backward()
    assert x.grad == 12


# ---------------------------------------------------------------------- training
def test_steps_of_adam_are_those_of_minigrad():
    rng = np.random.default_rng(1)
    start = [rng.standard_normal(shape) for shape in [(3, 2), (2,), ()]]
    settings = dict(lr=0.03, betas=(0.8, 0.95), epsilon=1e-6)
    mine = [small.Tensor(w) for w in start]
    theirs = [mg.tensor(w, requires_grad=True) for w in start]
    pair = small.Adam(mine, **settings), optim.Adam(theirs, **settings)
    for _ in range(20):
        for a, b in zip(mine, theirs, strict=True):
            a.grad = rng.standard_normal(a.data.shape)
            b.grad = a.grad.copy()
        for optimizer in pair:
            optimizer.step()
        for a, b in zip(mine, theirs, strict=True):
            np.testing.assert_allclose(a.data, b.data, rtol=1e-12)
    assert all(p.grad is None for p in mine)


def test_its_autoencoder_trains_as_one_of_minigrad():
    rng = np.random.default_rng(2)
    images = rng.uniform(0, 1, (50, 12))
    weights = small.initial_weights(12, 4, rng)
    w1, b1, w2, b2 = parameters = [mg.tensor(w, requires_grad=True) for w in weights]
    optimizer = optim.Adam(parameters, lr=0.01)
    expected = []
    for _ in range(100):
        code = mg.dense(images, w1, b1, activation="relu")
        loss = losses.binary_cross_entropy_with_logits(mg.dense(code, w2, b2), images)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        expected.append(loss.item())
    found = list(small.train(images, weights, steps=100))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-10)
    assert found[-1] < found[0] - 0.1
