"""gradcheck catches every deliberate fault at the order that shows it, and never cries wolf."""

import mutants
import numpy as np
import pytest
import specs

import minigrad as mg
from minigrad.testing import GradientError, assert_close_to_torch, check_adjoint, gradcheck


@pytest.mark.parametrize(
    "fault",
    [pytest.param(f, id=f.name) for f in mutants.faults],
)
def test_every_fault_is_caught_at_its_order(fault):
    order, message = mutants.verdict(fault)
    assert order == fault.order, f"{fault.name}: {message}"
    assert message.startswith(f"order {order}: the derivative along a random direction is ")
    assert "kink" not in message


@pytest.mark.parametrize("fault", [pytest.param(f, id=f.name) for f in mutants.faults])
def test_the_right_function_passes_at_the_same_point(fault):
    xs = [x.copy() for x in fault.inputs]
    assert gradcheck(fault.right, xs, order=max(2, fault.order)) < 1e-8
    np.testing.assert_allclose(fault.wrong(*xs), fault.right(*xs), rtol=1e-14)
    for x, before in zip(xs, fault.inputs, strict=True):
        np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize("seed", range(5))
def test_no_fault_depends_on_luck(seed):
    """Whatever the random cotangent and direction are: all faults are found."""
    missed = [
        f.name
        for k, f in enumerate(mutants.faults)
        if mutants.verdict(f, np.random.default_rng((seed, k)))[0] != f.order
    ]
    assert missed == []


def test_the_score(capsys):
    assert mutants.main()
    table = capsys.readouterr().out
    names = [f.name for f in mutants.faults]
    assert len(names) == len(set(names)) >= 60
    assert {f.order for f in mutants.faults} == {1, 2, 3}
    assert (
        table.splitlines()[-1] == f"gradcheck caught {len(names)} of {len(names)} deliberate faults"
    )
    with capsys.disabled():
        print(f"\n{table.splitlines()[-1]}")


def test_the_score_counts_what_is_missed(capsys, monkeypatch):
    """The score itself can fall: a function without a fault is reported as not caught."""
    innocent = mutants.faults[0]._replace(wrong=mg.exp)
    monkeypatch.setattr(mutants, "faults", [innocent, *mutants.faults[1:3]])
    assert not mutants.main()
    assert capsys.readouterr().out.endswith("gradcheck caught 2 of 3 deliberate faults\n")


# ---------------------------------------------------------------------- no false alarms
SMOOTH = {
    "products": (lambda a, b: a * mg.exp(b) / (2 + a * a), (3, 2), (3, 2)),
    "large values": (lambda a: 1e6 * mg.tanh(a) + 1e6, (3, 2)),
    "tiny values": (lambda a: 1e-9 * mg.sigmoid(a), (5,)),
    "cancellation": (lambda a: (1e3 + a) - 1e3, (4,)),
    "softmax": (lambda a: mg.softmax(a, 1), (3, 4)),
    "logsumexp": (lambda a: mg.logsumexp(5 * a, 0), (4, 2)),
    "matmul": (lambda a, b: a @ b, (2, 5), (5, 3)),
    "convolution": (lambda a, b: mg.conv2d(a, b, stride=2), (1, 4, 5, 2), (3, 3, 2, 1)),
    "repeated index": (lambda a: a[[0, 0, 2]] ** 2, (3, 2)),
    "several outputs": (lambda a: (mg.exp(a), a * a), (3, 1)),
    "unused input": (lambda a, b: mg.tanh(a), (3,), (2,)),
    "linear": (lambda a: 3 * a, (4,)),
    "constant": (lambda a: mg.sign(a) * 2.0, (4,)),
}


@pytest.mark.parametrize("name", SMOOTH)
def test_no_false_alarm_in_200_runs(name):
    f, *shapes = SMOOTH[name]
    for seed in range(200):
        rng = np.random.default_rng(seed)
        inputs = [rng.standard_normal(shape) for shape in shapes]
        if name == "constant":
            inputs = [specs.off_zero(rng, *shapes[0])]
        gradcheck(f, inputs, order=1 + seed % 2, rng=rng)


def test_inputs_of_every_kind():
    def f(x):
        return mg.exp(x) * x

    read_only = np.broadcast_to(np.array([0.5, 1.0]), (3, 2))
    for x in (
        np.array([[0.5, -1.0]])[:, ::-1],
        np.asfortranarray(np.ones((2, 3))),
        read_only,
        np.zeros((0, 3)),
        np.ones(3, np.float32),
        mg.tensor([0.5, 1.0]),
        mg.tensor([0.5, 1.0], requires_grad=True),
    ):
        assert gradcheck(f, [x], order=2) < 1e-8


def test_scalars_of_every_kind():
    for x in (0.5, np.array(0.5), mg.tensor(0.5, requires_grad=True)):
        assert gradcheck(lambda x: mg.exp(x) * x, [x], order=3) < 1e-8
    assert gradcheck(lambda x: (x * x).sum(), [np.ones((2, 3))], order=3) < 1e-8


def test_integers_and_settings_are_passed_on():
    seen = []

    def f(x, index, word):
        seen.append((index.dtype, word))
        return x[index] ** 2

    gradcheck(f, [np.arange(3.0), np.array([0, 0, 2]), "word"], order=2)
    assert set(seen) == {(np.dtype(int), "word")}


def test_the_same_seed_gives_the_same_error():
    errors = {gradcheck(mg.tanh, [np.ones(3)], rng=np.random.default_rng(7)) for _ in range(3)}
    assert len(errors) == 1 and 0 < errors.pop() < 1e-10
    assert gradcheck(mg.tanh, [np.ones(3)], rng=np.random.default_rng(8)) not in errors


def test_the_tolerance_is_the_limit():
    slightly = next(f for f in mutants.faults if f.name == "one part in a million")
    assert 1e-7 < gradcheck(slightly.wrong, slightly.inputs, tolerance=1e-5) < 1e-5
    with pytest.raises(GradientError):
        gradcheck(slightly.wrong, slightly.inputs, tolerance=1e-7)


def test_the_input_to_blame_is_named():
    @mg.primitive("", a=lambda g: g, b=lambda g: 2 * g, c=lambda g: g)
    def second_wrong(a, b, c):
        return a + b + c

    with pytest.raises(GradientError, match=r"due to input 1$"):
        gradcheck(second_wrong, [np.ones(3), np.ones(3), np.ones(3)])


def test_nan_is_an_error():
    @mg.primitive("", x=lambda g: g * np.nan)
    def lost(x):
        return x + 0

    with pytest.raises(GradientError):
        gradcheck(lost, [np.ones(3)])


# ---------------------------------------------------------------------- kinks
KINKS = {
    "relu at 0": (mg.relu, [0.0, 1.0]),
    "relu within the step": (mg.relu, [1e-4, 1.0]),
    "relu just below 0": (mg.relu, [-1e-4, 1.0]),
    "abs within the step": (mg.abs, [3e-4, 1.0]),
    "clip at its bound": (lambda x: mg.clip(x, -2.0, 1.0), [0.5, 1.0]),
    "max almost tied": (mg.max, [1.0, 1.0001, 0.2]),
    "minimum almost tied": (lambda x: mg.minimum(x, 1.0), [0.9999, 2.0]),
    "product with relu": (lambda x: x * mg.relu(x - 0.5), [0.5, 1.0]),
}


@pytest.mark.parametrize(
    "name",
    KINKS,
)
def test_kinks_are_called_kinks(name):
    f, x = KINKS[name]
    x = np.array(x)
    with pytest.raises(GradientError, match=r"^order [12]: the function has a kink at this point"):
        gradcheck(f, [x], order=2)
    assert gradcheck(f, [x + 0.13 * (1 + np.arange(x.size))], order=2) < 1e-8  # away from it


def test_a_wrong_derivative_is_no_kink():
    for f in mutants.faults[:12]:
        assert "kink" not in mutants.verdict(f)[1]


# ---------------------------------------------------------------------- the other checks
def test_check_adjoint():
    rng = np.random.default_rng(0)
    w, x, y = rng.standard_normal((4, 3)), rng.standard_normal(3), rng.standard_normal(4)
    assert check_adjoint(lambda x: w @ x, lambda y: w.T @ y, x, y) < 1e-15
    assert check_adjoint(lambda x: mg.tensor(w) @ x, lambda y: y @ w, x, y) < 1e-15
    for wrong in (lambda y: -(w.T @ y), lambda y: w.T @ y * (1 + 1e-9), lambda y: np.nan * x):
        with pytest.raises(GradientError, match="not adjoint"):
            check_adjoint(lambda x: w @ x, wrong, x, y)


class FakeTorch:
    """As much of a torch.Tensor as assert_close_to_torch uses."""

    def __init__(self, array):
        self.array = np.array(array)

    def detach(self):
        return self

    cpu = detach

    def numpy(self, force=False):
        return self.array


def test_assert_close_to_torch():
    x = np.array([1.0, -2.0, 3.0])
    assert assert_close_to_torch(x, FakeTorch(x)) == 0
    assert assert_close_to_torch(mg.tensor(x), FakeTorch(x + [0, 0, 3e-13])) < 1e-12
    assert assert_close_to_torch(np.zeros((0, 2)), FakeTorch(np.zeros((0, 2)))) == 0
    infinite = np.array([np.inf, -np.inf, np.nan])
    assert assert_close_to_torch(infinite, FakeTorch(infinite)) == 0
    for mine, theirs in (
        (x, x + [0, 1e-11, 0]),
        (x, x.astype(np.float32)),
        (x, x[:, None]),
        (x, [1.0, -2.0, np.nan]),
        ([1.0, np.inf], [1.0, -np.inf]),
    ):
        with pytest.raises(AssertionError):
            assert_close_to_torch(np.array(mine), FakeTorch(theirs))
    with pytest.raises(AssertionError, match=r"weight at \(1,\): minigrad .*-2.0.*PyTorch .*-2.5"):
        assert_close_to_torch(x, FakeTorch([1.0, -2.5, 3.0]), what="weight")


def test_inputs_that_the_function_does_not_use_have_derivative_0():
    for order in (1, 2):
        assert gradcheck(lambda x, unused: x**3, [np.ones(3), np.ones(2)], order) < 1e-5


def test_as_many_directions_are_tried_as_asked_for():
    calls = []

    def f(x):
        calls.append(1)
        return mg.sum(x**3)

    counts = []
    for directions in (1, 4):
        calls.clear()
        gradcheck(f, [np.ones(3)], directions=directions)
        counts.append(len(calls))
    assert counts[1] == 4 * counts[0]
