"""Losses equal PyTorch's, also at extreme logits and at probabilities of 0 and 1."""

from typing import NamedTuple

import numpy as np
import pytest
from second_opinion import TOLERANCE, close, compare

import minigrad as mg
from minigrad import losses, tensor

torch = pytest.importorskip("torch", reason="PyTorch, the second opinion, is not installed")
F = torch.nn.functional
DTYPES = [np.float64, np.float32]
RNG = np.random.default_rng(2025)


def uniform(*shape):
    return RNG.uniform(0.05, 0.95, shape)


def distribution(*shape):
    p = RNG.uniform(0.1, 1.0, shape)
    return p / p.sum(axis=-1, keepdims=True)


def normal(*shape):
    return RNG.standard_normal(shape)


def bernoulli(p):
    return torch.distributions.Bernoulli(p, validate_args=False)


def gaussian_kl(mean, log_variance):
    one = torch.distributions.Normal(torch.zeros_like(mean), torch.ones_like(mean))
    two = torch.distributions.Normal(mean, torch.exp(log_variance / 2))
    return torch.distributions.kl_divergence(two, one)


class Loss(NamedTuple):
    """A loss, the same in PyTorch without any reduction, and how both arguments are drawn."""

    mine: object
    theirs: object
    draw: tuple
    shapes: tuple = ((4, 3), (3,), (2, 3, 2, 2))
    default: str = "mean"
    order: int = 2  # of the derivatives to compare


LOSSES = [
    Loss(
        losses.l2_loss,
        lambda a, b: F.mse_loss(a, b, reduction="none") / 2,
        (normal, normal),
        default="sum",
    ),
    Loss(
        losses.binary_cross_entropy,
        lambda p, t: F.binary_cross_entropy(p, t, reduction="none"),
        (uniform, uniform),
        order=1,  # PyTorch's second derivative adds 1e-12 to p (1 - p), and is 3e-11 off
    ),
    Loss(
        losses.binary_cross_entropy,
        lambda p, t: -(t * torch.log(p) + (1 - t) * torch.log(1 - p)),
        (uniform, uniform),
    ),
    Loss(
        losses.binary_cross_entropy_with_logits,
        lambda x, t: F.binary_cross_entropy_with_logits(x, t, reduction="none"),
        (normal, uniform),
    ),
    Loss(
        losses.cross_entropy,
        lambda x, t: F.cross_entropy(x, t, reduction="none"),
        (normal, distribution),
        shapes=((4, 5), (1, 3), (3, 1)),
    ),
    Loss(
        losses.kl_divergence,
        lambda p, q: F.kl_div(q.log(), p, reduction="none"),
        (distribution, distribution),
    ),
    Loss(losses.gaussian_kl, gaussian_kl, (normal, normal)),
    Loss(
        losses.bernoulli_kl,
        lambda p, q: torch.distributions.kl_divergence(bernoulli(p), bernoulli(q)),
        (uniform, uniform),
        default="sum",
    ),
]


def per_example(terms):
    return terms.reshape(len(terms), -1).sum(1)


REDUCTIONS = {
    "none": per_example,
    "sum": lambda terms: per_example(terms).sum(),
    "mean": lambda terms: per_example(terms).mean(),  # over the batch: "nats per example"
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("reduction", [*REDUCTIONS, "default"])
@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.mine.__name__)
def test_losses(loss, reduction, dtype):
    options = {} if reduction == "default" else {"reduction": reduction}
    reduce = REDUCTIONS[options.get("reduction", loss.default)]
    for shape in loss.shapes:
        arrays = [draw(*shape).astype(dtype) for draw in loss.draw]
        # the terms cancel: float32 rounds relative to them and not to their sum
        tolerance = TOLERANCE[dtype] * (16 if dtype == np.float32 else 1)
        compare(
            lambda a, b: loss.mine(a, b, **options),
            lambda a, b: reduce(loss.theirs(a, b)),
            arrays,
            tolerance=tolerance,
            order=loss.order,
        )


OVER_ELEMENTS = [
    (losses.mse_loss, F.mse_loss, {}),
    (losses.l1_loss, F.l1_loss, {}),
    (losses.huber_loss, F.huber_loss, {}),
    (losses.huber_loss, F.huber_loss, {"delta": 0.5}),
    (losses.smooth_l1_loss, F.smooth_l1_loss, {}),
    (losses.smooth_l1_loss, F.smooth_l1_loss, {"beta": 2.5}),
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("mine", "theirs", "options"),
    OVER_ELEMENTS,
    ids=[f"{mine.__name__} {options}" for mine, _, options in OVER_ELEMENTS],
)
def test_losses_over_elements(mine, theirs, options, dtype):
    """The mean is over all elements, as PyTorch's; the other reductions are like the others."""
    for shape in ((4, 3), (5,), (2, 3, 2, 2)):
        arrays = [2 * normal(*shape).astype(dtype), normal(*shape).astype(dtype)]
        check = dict(arrays=arrays, tolerance=TOLERANCE[dtype])
        compare(lambda a, b: mine(a, b, **options), lambda a, b: theirs(a, b, **options), **check)
        for reduction in ("mean", "sum"):
            compare(
                lambda a, b, r=reduction: mine(a, b, r, **options),
                lambda a, b, r=reduction: theirs(a, b, reduction=r, **options),
                **check,
            )
        compare(
            lambda a, b: mine(a, b, "none", **options),
            lambda a, b: per_example(theirs(a, b, reduction="none", **options)),
            **check,
        )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
def test_cross_entropy_of_class_numbers(reduction, dtype):
    for n, k in ((6, 4), (1, 1), (5, 2)):
        labels = RNG.integers(0, k, n)
        compare(
            lambda x, r=reduction, t=labels: losses.cross_entropy(x, t, r),
            lambda x, r=reduction, t=labels: F.cross_entropy(x, torch.tensor(t), reduction=r),
            [normal(n, k).astype(dtype)],
            tolerance=2 * TOLERANCE[dtype],
        )


@pytest.mark.parametrize("dtype", DTYPES)
def test_binary_cross_entropy_at_probabilities_0_and_1(dtype):
    """The logarithms stop at -100, the divisor of the gradient at 1e-12, as in PyTorch (whose
    1e-12 is a float32, 4e-9 off). The targets are constants here: PyTorch's gradient for them has
    no such stop and is infinite."""
    p, t = (a.astype(dtype) for a in np.meshgrid([0.0, 1.0, 1e-30, 1e-7, 0.5], [0.0, 1.0, 0.25]))
    mine, theirs = tensor(p, requires_grad=True), torch.tensor(p, requires_grad=True)
    y = losses.binary_cross_entropy(mine, tensor(t), "none")
    z = per_example(F.binary_cross_entropy(theirs, torch.tensor(t), reduction="none"))
    close(y, z, TOLERANCE[dtype])
    u = np.random.default_rng(9).standard_normal(y.shape).astype(dtype)
    y.backward(u)
    z.backward(torch.tensor(u))
    for k in np.ndindex(p.shape):  # one by one: they differ by twelve orders of magnitude
        close(mine.grad[k], theirs.grad[k], max(TOLERANCE[dtype], 5e-9), f"gradient at {k}")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("logit", [-1000.0, -100.0, -30.0, 0.0, 30.0, 100.0, 1000.0])
@pytest.mark.parametrize("target", [0.0, 0.3, 1.0])
def test_binary_cross_entropy_with_extreme_logits(target, logit, dtype):
    logits, targets = np.array([logit], dtype), np.array([target], dtype)
    xs, ts = tensor(logits, requires_grad=True), torch.tensor(logits, requires_grad=True)
    y = losses.binary_cross_entropy_with_logits(xs, tensor(targets), "sum")
    z = F.binary_cross_entropy_with_logits(ts, torch.tensor(targets), reduction="sum")
    y.backward()
    z.backward()
    for ours, their in ((y.item(), z.item()), (xs.grad.item(), ts.grad.item())):
        assert ours == pytest.approx(their, rel=TOLERANCE[dtype], abs=TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", DTYPES)
def test_cross_entropy_with_extreme_logits(dtype):
    logits = np.array([[100, -100, 0], [-100, -100, 100], [1000, 1000, -1000]], dtype)
    labels = np.array([1, 2, 0])
    compare(
        lambda x: losses.cross_entropy(x, labels, "none"),
        lambda x: F.cross_entropy(x, torch.tensor(labels), reduction="none"),
        [logits],
        tolerance=TOLERANCE[dtype],
    )


def test_kl_divergence_where_p_is_0():
    """0 log 0 is 0. The derivative for p is -inf there; PyTorch says so, here it is left out."""
    p, q = np.array([[0.0, 0.25, 0.75], [1.0, 0.0, 0.0]]), distribution(2, 3)
    compare(
        lambda q: losses.kl_divergence(tensor(p), q, "none"),
        lambda q: per_example(F.kl_div(q.log(), torch.tensor(p), reduction="none")),
        [q],
    )


@pytest.mark.parametrize("p", [0.0, 0.05, 0.5, 1.0])
def test_bernoulli_kl_of_a_number(p):
    """The sparsity penalty: one target for all units."""
    compare(
        lambda q: losses.bernoulli_kl(p, q),
        lambda q: torch.distributions.kl_divergence(
            bernoulli(torch.tensor(p, dtype=torch.float64).expand(q.shape)), bernoulli(q)
        ).sum(),
        [uniform(7)],
    )


def test_losses_of_single_numbers():
    x, t = tensor(2.0, requires_grad=True), np.array(0.5)
    assert losses.l2_loss(x, t, "mean").item() == losses.l2_loss(x, t, "sum").item() == 1.125
    q = tensor([0.0, 0.25])
    assert losses.bernoulli_kl(0.0, q, "none").data.tolist() == [0.0, -np.log(0.75)]
    assert losses.bernoulli_kl(1, tensor([1.0]), "none").item() == 0.0


@pytest.mark.parametrize(
    "loss",
    [losses.binary_cross_entropy, losses.binary_cross_entropy_with_logits, losses.mse_loss],
)
def test_truth_values_are_targets(loss):
    """And float32 stays float32."""
    x = tensor(np.array([[0.25, 0.5]], np.float32), requires_grad=True)
    truth = np.array([[True, False]])
    y, z = loss(x, truth), loss(x, truth.astype(np.float32))
    assert y.dtype == np.float32 and y.item() == z.item()
    np.testing.assert_array_equal(mg.grad(y, x).data, mg.grad(z, x).data)
