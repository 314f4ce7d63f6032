"""Optimizers equal PyTorch's over 200 steps.

The conventions are PyTorch's: the first momentum is the gradient itself (no dampening), epsilon is
added to the root and not below it, `AdamW` takes `lr * weight_decay` off the weights before the
step. Adam's epsilon_hat, TensorFlow 1's convention, is
checked against the formula of its documentation.
"""

import copy
import math
import pickle

import numpy as np
import pytest
from torch_pairs import EPS, same, small_problem, start

from minigrad import optim, tensor
from minigrad.optimizer import faster
from minigrad.tensor import Tensor

torch = pytest.importorskip("torch", reason="PyTorch, the second opinion, is not installed")
DTYPES = [np.float64, np.float32]
STEPS = 200
OPTIMIZERS = [
    (optim.SGD, torch.optim.SGD, dict(lr=0.1), None),
    (optim.SGD, torch.optim.SGD, dict(lr=0.05, momentum=0.9), None),
    (optim.SGD, torch.optim.SGD, dict(lr=0.05, momentum=0.9, nesterov=True), None),
    (optim.SGD, torch.optim.SGD, dict(lr=0.1, weight_decay=0.1), None),
    (
        optim.SGD,
        torch.optim.SGD,
        dict(lr=0.05, momentum=0.5, nesterov=True, weight_decay=0.1),
        None,
    ),
    (optim.SGD, torch.optim.SGD, dict(lr=0.05, momentum=0.9, dampening=0.3), None),
    (optim.RMSprop, torch.optim.RMSprop, dict(lr=0.01), None),
    (optim.RMSprop, torch.optim.RMSprop, dict(centered=True, momentum=0.9), 1e-3),
    (optim.RMSprop, torch.optim.RMSprop, dict(), None),
    (optim.RMSprop, torch.optim.RMSprop, dict(lr=0.01, alpha=0.8, weight_decay=0.1), 1e-3),
    (optim.Adam, torch.optim.Adam, dict(), None),
    (optim.Adam, torch.optim.Adam, dict(lr=0.02), None),
    (optim.Adam, torch.optim.Adam, dict(lr=0.02, betas=(0.8, 0.99), weight_decay=0.1), 1e-3),
    (optim.Adam, torch.optim.Adam, dict(lr=0.02, betas=(0.0, 0.99)), 1e-3),
    (optim.Adam, torch.optim.Adam, dict(lr=0.02, amsgrad=True), 1e-3),
    (optim.AdamW, torch.optim.AdamW, dict(), None),
    (optim.AdamW, torch.optim.AdamW, dict(lr=0.02, amsgrad=True, weight_decay=0.2), 1e-3),
    (optim.AdamW, torch.optim.AdamW, dict(lr=0.02, betas=(0.8, 0.99), weight_decay=0.2), 1e-3),
]


def build(kind, theirs, options, epsilon, mine_parameters, their_parameters):
    mine_extra, their_extra = ({"epsilon": epsilon}, {"eps": epsilon}) if epsilon else ({}, {})
    return (
        kind(mine_parameters, **options, **mine_extra),
        theirs(their_parameters, **options, **their_extra),
    )


def name(value):
    return value.__name__ if isinstance(value, type) else str(value)


@pytest.mark.parametrize(("kind", "theirs", "options", "epsilon"), OPTIMIZERS, ids=name)
def test_200_steps_on_a_small_problem(kind, theirs, options, epsilon):
    if kind is optim.RMSprop:  # at the minimum it jumps to and fro, and rounding decides where
        options = options | {"lr": 0.001}
    mine_p, their_p = start(np.float64)
    mine, their = build(kind, theirs, options, epsilon, mine_p, their_p)
    my_loss, their_loss = small_problem(np.float64)
    for step in range(STEPS):
        mine.zero_grad()
        their.zero_grad()
        loss, expected = my_loss(*mine_p), their_loss(*their_p)
        assert loss.item() == pytest.approx(expected.item(), rel=1e-12), f"loss at step {step}"
        loss.backward()
        expected.backward()
        mine.step()
        their.step()
    same(mine_p, their_p, 1e-12)
    assert loss.item() < 0.95 * my_loss(*start(np.float64)[0]).item()  # it has gone somewhere


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("kind", "theirs", "options", "epsilon"), OPTIMIZERS, ids=name)
def test_200_steps_with_the_same_gradients(kind, theirs, options, epsilon, dtype):
    """Here the optimizer alone can differ: in float32 by its rounding, once for each step."""
    mine_p, their_p = start(dtype)
    mine, their = build(kind, theirs, options, epsilon, mine_p, their_p)
    rng = np.random.default_rng(2)
    for _ in range(STEPS):
        for p, t in zip(mine_p, their_p, strict=True):
            g = np.asarray(0.1 + rng.standard_normal(p.shape), dtype)
            p.grad, t.grad = tensor(g), torch.tensor(g)
        mine.step()
        their.step()
    same(mine_p, their_p, 1e-12 if dtype == np.float64 else 16 * EPS)


@pytest.mark.parametrize("epsilon", [1e-8, 1e-3])
@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
@pytest.mark.parametrize("kind", [optim.Adam, optim.AdamW])
def test_epsilon_hat_is_tensorflow_1(kind, weight_decay, epsilon):
    """``lr_t = lr sqrt(1 - beta2^t) / (1 - beta1^t)``, ``w -= lr_t m / (sqrt(v) + epsilon)``."""
    (w,), _ = start(np.float64, [(6, 7)])
    lr, beta1, beta2 = 0.02, 0.9, 0.999
    optimizer = kind([w], lr, epsilon=epsilon, epsilon_hat=True, weight_decay=weight_decay)
    expected, m, v = w.numpy().copy(), 0.0, 0.0
    rng = np.random.default_rng(3)
    for t in range(1, STEPS + 1):
        g = rng.standard_normal(w.shape) * 1e-3
        w.grad = tensor(g)
        optimizer.step()
        if kind is optim.AdamW:
            expected = expected - lr * weight_decay * expected
        else:
            g = g + weight_decay * expected
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        lr_t = lr * math.sqrt(1 - beta2**t) / (1 - beta1**t)
        expected = expected - lr_t * m / (np.sqrt(v) + epsilon)
    np.testing.assert_allclose(w.numpy(), expected, rtol=0, atol=1e-12 * np.abs(expected).max())
    other, _ = start(np.float64, [(6, 7)])
    optimizer = kind(other, lr, epsilon=epsilon, weight_decay=weight_decay)
    for g in np.random.default_rng(3).standard_normal((STEPS, *w.shape)) * 1e-3:
        other[0].grad = tensor(g)
        optimizer.step()
    assert np.abs(other[0].numpy() - expected).max() > 1e-8  # PyTorch's epsilon is another one


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", [32768, 32769, 100_003])
@pytest.mark.parametrize(
    ("kind", "theirs", "options"),
    [
        (optim.SGD, torch.optim.SGD, dict(lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.1)),
        (optim.RMSprop, torch.optim.RMSprop, dict(weight_decay=0.1)),
        (optim.Adam, torch.optim.Adam, dict(weight_decay=0.1)),
        (optim.AdamW, torch.optim.AdamW, dict(weight_decay=0.1)),
    ],
    ids=name,
)
def test_parameters_larger_than_a_block(kind, theirs, options, size, dtype):
    mine_p, their_p = start(dtype, [(size,), (3,), (2, size // 2)])
    mine, their = kind(mine_p, **options), theirs(their_p, **options)
    rng = np.random.default_rng(4)
    for _ in range(3):
        for p, t in zip(mine_p, their_p, strict=True):
            g = rng.standard_normal(p.shape).astype(dtype)
            p.grad, t.grad = tensor(g), torch.tensor(g)
        mine.step()
        their.step()
    same(mine_p, their_p, 1e-12 if dtype == np.float64 else 4 * EPS)


ALL = [
    lambda p: optim.SGD(p, lr=0.1),
    lambda p: optim.SGD(p, lr=0.1, momentum=0.9),
    lambda p: optim.RMSprop(p, lr=0.1),
    lambda p: optim.Adam(p, lr=0.1),
    lambda p: optim.AdamW(p, lr=0.1, weight_decay=0.1),
]
NAMES = ["SGD", "momentum", "RMSprop", "Adam", "AdamW"]


@pytest.mark.parametrize("make", ALL, ids=NAMES)
def test_the_cpu_steps_in_blocks_as_the_base_does(make, monkeypatch):
    """`Optimizer.apply` is the specification of what `cpu/optim.py` does faster, to the bit."""
    shapes, rng = [(200_000,), (3, 2), (), (0, 4)], np.random.default_rng(12)
    gradients = [[tensor(rng.standard_normal(s)) for s in shapes] for _ in range(3)]

    def trained():
        parameters, _ = start(np.float64, shapes)
        optimizer = make(parameters)
        for step in gradients:
            for p, g in zip(parameters, step, strict=True):
                p.grad = g
            optimizer.step()
        return [p.numpy() for p in parameters]

    in_blocks = trained()
    monkeypatch.delitem(faster, "cpu")
    for a, b in zip(in_blocks, trained(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("make", ALL, ids=NAMES)
def test_gradients_that_are_not_contiguous(make):
    shape, rng = (300, 200), np.random.default_rng(5)
    one, _ = start(np.float64, [shape])
    two, _ = start(np.float64, [shape])
    first, second = make(one), make(two)
    layouts = (
        np.asfortranarray,
        lambda g: np.repeat(g, 2, axis=1)[:, ::2],
        lambda g: g[::-1].copy()[::-1],
    )
    for layout in layouts:
        g = rng.standard_normal(shape)
        assert not layout(g).flags.c_contiguous
        one[0].grad, two[0].grad = Tensor(g), Tensor(layout(g))
        first.step()
        second.step()
    assert np.array_equal(one[0].numpy(), two[0].numpy())


@pytest.mark.parametrize("make", ALL, ids=NAMES)
@pytest.mark.parametrize("how", ["tensor", "data"])
def test_parameters_that_are_not_contiguous(make, how):
    """A Fortran-ordered parameter, made so or set so, trains like any other."""
    shape, rng = (3, 2), np.random.default_rng(6)
    one, _ = start(np.float64, [shape])
    w = one[0].numpy().copy()
    two = [tensor(np.asfortranarray(w) if how == "tensor" else w, requires_grad=True)]
    if how == "data":
        two[0].data = np.asfortranarray(w)
    first, second = make(one), make(two)
    for _ in range(3):
        g = rng.standard_normal(shape)
        one[0].grad, two[0].grad = tensor(g), tensor(g)
        first.step()
        second.step()
    assert np.array_equal(one[0].numpy(), two[0].numpy())


@pytest.mark.parametrize("make", ALL, ids=NAMES)
def test_parameters_without_a_gradient_are_skipped(make):
    mine, _ = start(np.float64, [(4,), (5,)])
    alone, _ = start(np.float64, [(4,), (5,)])
    before = mine[1].numpy().copy()
    optimizer, single = make(mine), make(alone[:1])
    for _ in range(3):
        g = np.random.default_rng(7).standard_normal(4)
        mine[0].grad, alone[0].grad = tensor(g), tensor(g)
        optimizer.step()
        single.step()
    assert np.array_equal(mine[1].numpy(), before)  # no decay and no momentum either
    assert np.array_equal(mine[0].numpy(), alone[0].numpy())
    assert not np.array_equal(mine[0].numpy(), start(np.float64, [(4,), (5,)])[0][0].numpy())
    optimizer.zero_grad()
    assert mine[0].grad is None


@pytest.mark.parametrize(
    ("kind", "options"),
    [("SGD", dict(momentum=0.9, dampening=0.5)), ("RMSprop", {}), ("Adam", {}), ("AdamW", {})],
)
def test_a_gradient_that_comes_late(kind, options):
    """It is the first step of its parameter, whatever the others have made by then."""
    mine_p, their_p = start(np.float64, [(4,), (5,)])
    mine = getattr(optim, kind)(mine_p, lr=0.05, weight_decay=0.1, **options)
    their = getattr(torch.optim, kind)(their_p, lr=0.05, weight_decay=0.1, **options)
    rng = np.random.default_rng(8)
    for step in range(1020):
        for k, (p, t) in enumerate(zip(mine_p, their_p, strict=True)):
            g = rng.standard_normal(p.shape)
            seen = k == 0 or (step >= 999 and step % 5 == 4)
            p.grad, t.grad = (tensor(g), torch.tensor(g)) if seen else (None, None)
        before = mine_p[1].numpy().copy()
        mine.step()
        their.step()
        if step == 999 and kind == "Adam":
            moved = np.abs(mine_p[1].numpy() - before)
            np.testing.assert_allclose(moved, 0.05, rtol=1e-5)  # one learning rate
    same(mine_p, their_p, 1e-11)


@pytest.mark.parametrize("make", ALL, ids=NAMES)
@pytest.mark.parametrize(
    "view",
    [lambda x: x.T, lambda x: x[:, ::2], lambda x: x[::-1], lambda x: x.transpose((1, 0))[1:]],
    ids=["transposed", "every other", "reversed", "part"],
)
def test_leaves_that_are_views(make, view):
    """They move, by as much as a copy would, and what they are a view of moves with them."""
    x = tensor(np.arange(12.0).reshape(3, 4))
    leaf = view(x)
    leaf.requires_grad = True
    assert not leaf.data.flags.c_contiguous
    other = tensor(leaf, requires_grad=True)
    first, second = make([leaf]), make([other])
    for _ in range(3):
        g = np.random.default_rng(13).uniform(1, 2, leaf.shape)
        leaf.grad, other.grad = tensor(g), tensor(g)
        first.step()
        second.step()
    np.testing.assert_array_equal(leaf.numpy(), other.numpy())
    np.testing.assert_array_equal(view(x).numpy(), other.numpy())
    assert np.abs(other.numpy() - view(tensor(np.arange(12.0).reshape(3, 4))).numpy()).min() > 0.01


@pytest.mark.parametrize("make", ALL, ids=NAMES)
def test_a_view_that_becomes_an_array_of_its_own(make):
    """Its state arrays were made for the view, and go on in the order of the new array."""
    leaf = tensor(np.arange(12.0).reshape(3, 4)).T
    leaf.requires_grad = True
    other = tensor(leaf, requires_grad=True)
    first, second = make([leaf]), make([other])
    leaf.data = leaf.data.copy()
    for _ in range(3):
        g = np.random.default_rng(13).uniform(1, 2, leaf.shape)
        leaf.grad, other.grad = tensor(g), tensor(g)
        first.step()
        second.step()
    np.testing.assert_array_equal(leaf.numpy(), other.numpy())


def test_a_constant_gradient_leaves_no_variance():
    """Centered RMSprop: rounding makes the variance negative, of which PyTorch takes the root."""
    (w,), _ = start(np.float32, [(50,)])
    optimizer = optim.RMSprop([w], lr=0.001, alpha=0.5, centered=True)
    g = np.random.default_rng(14).standard_normal(50).astype(np.float32)
    for _ in range(100):
        w.grad = tensor(g)
        optimizer.step()
    assert np.isfinite(w.numpy()).all()


# ---------------------------------------------------------------------- groups
def test_settings_are_of_the_groups():
    (a, b, c), _ = start(np.float64, [(2,), (3,), (4,)])
    optimizer = optim.SGD([{"params": [a, b]}, {"params": c, "lr": 0.5}], lr=0.1)
    assert optimizer.parameters == [a, b, c]
    assert [group["lr"] for group in optimizer.param_groups] == [0.1, 0.5]
    with pytest.raises(ValueError, match=r"its groups have different lr: read optimizer\.param_"):
        _ = optimizer.lr
    for group in optimizer.param_groups:
        group["lr"] *= 0.1
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.01, 0.05])
    optimizer.lr = 0.2
    assert optimizer.lr == 0.2 and [group["lr"] for group in optimizer.param_groups] == [0.2, 0.2]
    (d,), _ = start(np.float64, [()])
    optimizer.add_param_group({"params": [d]})
    assert optimizer.param_groups[2]["lr"] == 0.2
    for p in (a, d):
        p.grad = tensor(np.ones(p.shape))
    before = d.item()
    optimizer.step()
    assert d.item() == pytest.approx(before - 0.2)
    with pytest.raises(RuntimeError, match="need velocity, which it was made without"):
        optimizer.momentum = 0.9
        optimizer.step()


def test_a_refused_group_changes_nothing():
    (a, b), _ = start(np.float64, [(2,), (3,)])
    optimizer = optim.Adam([a])
    for group in ({"params": [b, a]}, {"params": [b], "lr": -1}, {"params": [b], "momentum": 0.9}):
        with pytest.raises((ValueError, TypeError)):
            optimizer.add_param_group(group)
    assert optimizer.parameters == [a] and list(optimizer.state) == [a]
    optimizer.add_param_group({"params": [b]})
    assert optimizer.parameters == [a, b]


def test_an_optimizer_is_copied_with_its_parameters():
    (a, b), _ = start(np.float64, [(2,), (3,)])
    optimizer = optim.Adam([{"params": [a]}, {"params": [b], "lr": 0.5}])
    for make in (copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))):
        twin = make(optimizer)
        for p in twin.parameters:
            p.grad = tensor(np.ones(p.shape))
        twin.step()
        assert twin.t == 1 and optimizer.t == 0
        moved = [p.numpy() - q.numpy() for p, q in zip(twin.parameters, (a, b), strict=True)]
        assert np.abs(moved[0]).max() < 0.002 and np.abs(moved[1]).min() > 0.4


def test_a_state_is_loaded_whole_or_not_at_all():
    parameters, _ = start(np.float64)
    optimizer, other = optim.Adam(parameters), optim.Adam(start(np.float64)[0])
    for p in parameters:
        p.grad = tensor(np.ones(p.shape))
    optimizer.step()
    mine, good = optimizer.state_dict(), other.state_dict()
    wrong = {
        "steps": [np.array([-1, 0, 0, 0]), np.zeros(3, int), np.zeros(4), None],
        "t": [np.array(-1), np.array(0.5), np.array([1]), "one"],
        "v.3": [np.zeros(1), np.array("a"), np.array(1), None, [[1.0], [2.0, 3.0]]],
    }
    for name, values in wrong.items():
        for value in values:
            with pytest.raises(ValueError, match=f"load_state_dict: {name} missing, unknown or"):
                optimizer.load_state_dict({**good, name: value})
            for key, array in optimizer.state_dict().items():
                np.testing.assert_array_equal(array, mine[key])


@pytest.mark.parametrize("kind", [optim.Adam, optim.AdamW, optim.SGD])
def test_an_older_state_has_one_count_for_all(kind):
    parameters, _ = start(np.float64)
    optimizer = kind(parameters, lr=0.1)
    for _ in range(3):
        for p in parameters:
            p.grad = tensor(np.ones(p.shape))
        optimizer.step()
    saved = optimizer.state_dict()
    del saved["steps"]
    again = kind([tensor(p, requires_grad=True) for p in parameters], lr=0.1)
    again.load_state_dict(saved)
    assert again.t == 3 and [again.state[p]["t"] for p in again.parameters] == [3] * 4
    for one in (optimizer, again):
        for p in one.parameters:
            p.grad = tensor(np.ones(p.shape))
        one.step()
    for p, q in zip(parameters, again.parameters, strict=True):
        np.testing.assert_array_equal(p.numpy(), q.numpy())


@pytest.mark.parametrize("make", ALL, ids=NAMES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_state_dict_resumes_bit_for_bit(make, dtype):
    shapes = [(5, 3), (40_000,), ()]
    gradients = [
        [np.asarray(np.random.default_rng(9 + k).standard_normal(s), dtype) for s in shapes]
        for k in range(8)
    ]

    def advance(parameters, optimizer, steps):
        for gs in steps:
            for p, g in zip(parameters, gs, strict=True):
                p.grad = tensor(g)
            optimizer.step()

    straight, _ = start(dtype, shapes)
    advance(straight, make(straight), gradients)
    first, _ = start(dtype, shapes)
    optimizer = make(first)
    advance(first, optimizer, gradients[:4])
    saved = optimizer.state_dict()
    resumed = [tensor(p.numpy(), requires_grad=True) for p in first]
    advance(first, optimizer, gradients[4:])  # what was saved is a copy
    again = make(resumed)
    again.load_state_dict(saved)
    advance(resumed, again, gradients[4:])
    for a, b, c in zip(straight, first, resumed, strict=True):
        assert np.array_equal(a.numpy(), b.numpy())
        assert np.array_equal(a.numpy(), c.numpy())
        assert c.dtype == dtype
    assert all(np.asarray(v).dtype in (dtype, int) for v in again.state_dict().values())


def test_state_of_another_optimizer_is_refused():
    parameters, _ = start(np.float64)
    with pytest.raises(ValueError, match="load it into the same optimizer"):
        optim.Adam(parameters).load_state_dict(optim.RMSprop(parameters).state_dict())
    with pytest.raises(ValueError, match="load it into the same optimizer"):
        optim.Adam(parameters).load_state_dict(optim.Adam(parameters[:2]).state_dict())


def test_every_optimizer_is_compared():
    exported = {
        value
        for value in vars(optim).values()
        if isinstance(value, type) and issubclass(value, optim.Optimizer)
    }
    compared = {kind for kind, *_ in OPTIMIZERS}
    assert exported == compared | {optim.Optimizer}
    settings = {setting for _, _, options, _ in OPTIMIZERS for setting in options}
    assert settings == {
        *("lr", "momentum", "dampening", "nesterov", "alpha", "centered", "betas", "amsgrad"),
        "weight_decay",
    }
