"""Proves, on the simulator, that the GPU's Adam is that of minigrad.optim, bit for bit, and that it
counts its own steps."""

import itertools

import numpy as np
import pytest
from kernel_checks import misaligned, mistake, same_bits
from simulator import SimulatorError, in_every_order, launches, simulated

import minigrad.cpu
from minigrad import optim, tensor
from minigrad.cuda import adam

SHAPES = [(1,), (3, 5), (64,), (4097,), (3, 3, 1, 2), (2, 4100)]  # 1, 2 and 3 blocks
BETAS = (0.9, 0.999)
SETTINGS = {
    "Adam": {},
    "epsilon hat": {"epsilon_hat": True, "epsilon": 1e-4},
    "other betas": {"betas": (0.5, 0.9), "epsilon": 1e-3},
    "no momentum": {"betas": (0.0, 0.0)},
    "L2": {"weight_decay": 0.1},
    "AdamW": {"weight_decay": 0.1, "decoupled": True},
    "AdamW without decay": {"weight_decay": 0.0, "decoupled": True},
}


@pytest.fixture(autouse=True)
def _simulator(monkeypatch):
    monkeypatch.setattr(
        minigrad.cpu, "native", False
    )  # whose multiplications and additions are one
    with simulated():
        yield


def problem(shapes, steps=3):
    """Parameters, and for each step their gradients, of very different sizes."""
    rng = np.random.default_rng(len(shapes))
    parameters = [rng.standard_normal(s, dtype=np.float32) for s in shapes]
    gradients = [
        [(rng.standard_normal(s) * 10.0 ** rng.integers(-6, 3)).astype(np.float32) for s in shapes]
        for _ in range(steps)
    ]
    return parameters, gradients


def on_gpu(parameters, gradients, lr=0.01, place=np.copy, **settings):
    """(parameters, ms, vs, state) after one step of the kernel with each of the gradients.

    A gradient that is None leaves its parameter out of that step.
    """
    parameters = [place(p) for p in parameters]
    ms, vs = ([place(np.zeros_like(p)) for p in parameters] for _ in range(2))
    state = np.array([[0.0, 1.0, 1.0, lr]] * len(parameters))
    for gradient in gradients:
        rows = [k for k, g in enumerate(gradient) if g is not None]
        lists = [[of[k] for k in rows] for of in (parameters, gradient, ms, vs)]
        lists[1] = [place(g) for g in lists[1]]
        adam.step(*lists, rows, state, **{"betas": BETAS, "epsilon": 1e-8, **settings})
    return parameters, ms, vs, state


def on_cpu(parameters, gradients, lr=0.01, decoupled=False, **settings):
    """The same by minigrad.optim."""
    leaves = [tensor(p, requires_grad=True) for p in parameters]
    kind = optim.AdamW if decoupled else optim.Adam
    optimizer = kind(leaves, lr=lr, **settings)
    for gradient in gradients:
        for leaf, g in zip(leaves, gradient, strict=True):
            leaf.grad = None if g is None else tensor(g)
        optimizer.step()
    beta1, beta2 = settings.get("betas", BETAS)
    states = [optimizer.state[leaf] for leaf in leaves]
    ms, vs = ([state[name] for state in states] for name in "mv")
    rows = [[s["t"], beta1 ** s["t"], beta2 ** s["t"], lr] for s in states]
    return [leaf.data for leaf in leaves], ms, vs, np.array(rows)


def all_same(a, b):
    *lists, state = a
    *others, expected = b
    for x, y in zip(itertools.chain(*lists), itertools.chain(*others), strict=True):
        same_bits(x, y)
    np.testing.assert_allclose(state, expected, rtol=1e-15)


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("place", [np.copy, misaligned], ids=["aligned", "misaligned"])
def test_the_bits_of_the_cpu(name, place):
    parameters, gradients = problem(SHAPES)
    result = in_every_order(lambda: on_gpu(parameters, gradients, place=place, **SETTINGS[name]))
    all_same(result, on_cpu(parameters, gradients, **SETTINGS[name]))
    assert [launch for launch, *_ in launches] == ["adam"] * 9  # 3 steps in 3 orders


def test_each_parameter_counts_its_own_steps():
    """At most 3 each: then the powers are the same by multiplication."""
    parameters, gradients = problem(SHAPES, steps=5)
    seen = [[0, 3], [0, 1, 3], [1, 5], [0, 1, 2, 5], [2]]
    for gradient, some in zip(gradients, seen, strict=True):
        for k in set(range(len(SHAPES))) - set(some):
            gradient[k] = None
    result = in_every_order(lambda: on_gpu(parameters, gradients))
    all_same(result, on_cpu(parameters, gradients))
    assert result[3][:, 0].tolist() == [3, 3, 2, 2, 0, 2]


def test_more_parameters_than_a_table_holds():
    shapes = [(1 + k % 5,) for k in range(2 * adam.TENSORS + 1)]
    parameters, gradients = problem(shapes)
    all_same(on_gpu(parameters, gradients), on_cpu(parameters, gradients))
    assert len(launches) == 9  # 3 steps in 3 parts
    launches.clear()
    result = on_gpu(parameters[: adam.TENSORS], [g[: adam.TENSORS] for g in gradients])
    all_same(result, on_cpu(parameters[: adam.TENSORS], [g[: adam.TENSORS] for g in gradients]))
    assert len(launches) == 3


def test_a_single_number_is_a_parameter_too():
    """`ascontiguousarray` would make an array of shape (1,) of its gradient."""
    parameters, gradients = problem([(), (3,)])
    w, ms, vs, state = on_gpu(parameters, gradients)
    all_same((w, ms, vs, state), on_cpu(parameters, gradients))
    assert w[0].shape == ()


def test_empty_and_strided_arrays():
    parameters, gradients = problem([(5, 7), (3,)])
    expected = on_cpu(parameters, gradients)
    gradients = [[np.asfortranarray(a), b] for a, b in gradients]
    state = np.array([[0.0, 1.0, 1.0, 0.01]] * 2)
    empty = np.zeros((0, 4), np.float32)
    ms, vs = ([np.zeros_like(p) for p in parameters] for _ in range(2))
    for gradient in gradients:
        adam.step(
            [empty, *parameters], [empty, *gradient], [empty, *ms], [empty, *vs], [0, 0, 1],
            state,
            betas=BETAS, epsilon=1e-8,
        )  # fmt: skip
    all_same((parameters, ms, vs, state), expected)


def test_what_is_no_number_stays_where_it_is():
    parameters, gradients = problem([(4097,)])
    expected = on_cpu(parameters, gradients)[0][0]
    gradients[0][0][[0, 4096]] = np.nan, np.inf
    w, _, v, _ = on_gpu(parameters, gradients)
    assert np.isnan(w[0][[0, 4096]]).all() and np.isnan(v[0][0]) and np.isinf(v[0][4096])
    same_bits(w[0][1:-1], expected[1:-1])


def test_learning_rate_of_the_device():
    parameters, gradients = problem([(9,)], steps=2)
    ms, vs = ([np.zeros_like(p) for p in parameters] for _ in range(2))
    leaf = tensor(parameters[0], requires_grad=True)
    rates = 0.1, 0.003
    optimizer = optim.Adam([leaf], lr=lambda t: rates[t])
    state = np.array([[0.0, 1.0, 1.0, np.nan]])
    for gradient, rate in zip(gradients, rates, strict=True):
        state[:, 3] = rate
        adam.step(parameters, gradient, ms, vs, [0], state, betas=BETAS, epsilon=1e-8)
        leaf.grad = tensor(gradient[0])
        optimizer.step()
    same_bits(parameters[0], leaf.data)


def test_errors_are_sentences():
    w, state = np.zeros(4, np.float32), np.array([[0.0, 1.0, 1.0, 0.1]])
    settings = {"betas": BETAS, "epsilon": 1e-8}
    for wrong in (w[:3], w.astype(np.float64), np.zeros(8, np.float32)[::2]):
        with pytest.raises(ValueError, match="contiguous float32 arrays of one shape"):
            adam.step([w], [w], [w], [wrong], [0], state, **settings)
    for wrong in (state[:, :3], state.astype(np.float32), state[0]):
        with pytest.raises(ValueError, match=r"a row \[t, beta1\*\*t, beta2\*\*t, lr\]"):
            adam.step([w], [w], [w], [w], [0], wrong, **settings)
    with pytest.raises(ValueError, match=r"no row 1 in a state \(1, 4\)"):
        adam.step([w], [w], [w], [w], [1], state, **settings)
    with pytest.raises(ValueError, match="no parameters"):
        adam.step([], [], [], [], [], state, **settings)


def test_table_fits_into_the_arguments_of_a_kernel():
    assert adam.TABLE.itemsize + 2 * 8 + 2 * 4 <= 4096


MISTAKES = {
    "fused": ("__fadd_rn(__fmul_rn(m, a.beta1), __fmul_rn(a.rest1, g))",
              "fmaf(m, a.beta1, __fmul_rn(a.rest1, g))"),
    "the count stays": ("row[0] += 1.0;", ""),
    "each block counts": ("if (is_last(ticket, gridDim.x, threadIdx.x, &arrived)) advance",
                          "is_last(ticket, gridDim.x, threadIdx.x, &arrived); advance"),
    "one row for all": ("state + 4 * table.row[k]", "state"),
    "the first row is counted": ("state + 4 * table.row[i]", "state"),
    "a row is left out": ("i = threadIdx.x; i < table", "i = threadIdx.x + 1; i < table"),
    "a wrong parameter": ("table.first[middle] <= block", "table.first[middle] < block"),
    "no barrier": ("if (is_last(ticket, gridDim.x, threadIdx.x, &arrived)) advance",
                   "if (threadIdx.x == 0 && atomicAdd(ticket, 1) == (int)gridDim.x - 1) advance"),
    "an element is left out": ("i = 4 * quads + threadIdx.x", "i = 4 * quads + threadIdx.x + 1"),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_noticed(name):
    with pytest.raises((AssertionError, SimulatorError)), mistake(*MISTAKES[name]):
        test_the_bits_of_the_cpu("Adam", np.copy)
        test_each_parameter_counts_its_own_steps()
        test_more_parameters_than_a_table_holds()


def sanitized_runs():
    """The kernel on aligned and misaligned arrays, with both kinds of decay."""
    parameters, gradients = problem([(3, 5), (4097,), (1,)], steps=1)
    for name in ("L2", "AdamW"):
        for place in (np.copy, misaligned):
            yield (
                f"{name} {place.__name__}",
                lambda n=name, p=place: on_gpu(parameters, gradients, place=p, **SETTINGS[n]),
            )
