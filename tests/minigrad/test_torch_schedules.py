"""Schedules of the learning rate are PyTorch's, alone and within an optimizer."""

import numpy as np
import pytest
from torch_pairs import same, start

from minigrad import optim, tensor

torch = pytest.importorskip("torch", reason="PyTorch, the second opinion, is not installed")


def their_rates(make, lr, steps):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr)
    schedule = make(optimizer)
    for _ in range(steps):
        yield optimizer.param_groups[0]["lr"]
        optimizer.step()
        schedule.step()


SCHEDULES = [
    (optim.StepDecay(0.3, every=7, factor=0.5), lambda o: sch().StepLR(o, 7, 0.5)),
    (optim.StepDecay(0.3, every=3), lambda o: sch().StepLR(o, 3)),
    (optim.ExponentialDecay(0.3, 0.9), lambda o: sch().ExponentialLR(o, 0.9)),
    (optim.CosineDecay(0.3, steps=40), lambda o: sch().CosineAnnealingLR(o, 40)),
    (optim.CosineDecay(0.3, 40, floor=0.1), lambda o: sch().CosineAnnealingLR(o, 40, 0.1)),
    (optim.Warmup(0.3, 8), lambda o: sch().LinearLR(o, 1 / 8, total_iters=7)),
    (optim.StepLR(0.3, 7, 0.5), lambda o: sch().StepLR(o, 7, 0.5)),
    (optim.StepLR(0.3, step_size=3), lambda o: sch().StepLR(o, 3)),
    (optim.MultiStepLR(0.3, [5, 9, 30], 0.5), lambda o: sch().MultiStepLR(o, [5, 9, 30], 0.5)),
    (optim.MultiStepLR(0.3, (4, 4)), lambda o: sch().MultiStepLR(o, [4, 4])),
    (optim.ExponentialLR(0.3, gamma=0.9), lambda o: sch().ExponentialLR(o, 0.9)),
    (optim.LinearLR(0.3), lambda o: sch().LinearLR(o)),
    (optim.LinearLR(0.3, 0.1, 0.5, 20), lambda o: sch().LinearLR(o, 0.1, 0.5, 20)),
    (optim.CosineAnnealingLR(0.3, 9), lambda o: sch().CosineAnnealingLR(o, 9)),
    (optim.CosineAnnealingLR(0.3, 9, 0.1), lambda o: sch().CosineAnnealingLR(o, 9, 0.1)),
    (optim.CosineAnnealingWarmRestarts(0.3, 9), lambda o: sch().CosineAnnealingWarmRestarts(o, 9)),
    (
        optim.CosineAnnealingWarmRestarts(0.3, 4, 2, 0.1),
        lambda o: sch().CosineAnnealingWarmRestarts(o, 4, 2, 0.1),
    ),
    (
        optim.SequentialLR(
            [optim.LinearLR(0.3, 0.1, 0.5, 5), optim.ExponentialLR(0.3, 0.9), optim.StepLR(0.3, 3)],
            [5, 17],
        ),
        lambda o: sch().SequentialLR(
            o,
            [sch().LinearLR(o, 0.1, 0.5, 5), sch().ExponentialLR(o, 0.9), sch().StepLR(o, 3)],
            [5, 17],
        ),
    ),
]


def sch():
    return torch.optim.lr_scheduler


@pytest.mark.parametrize(("mine", "theirs"), SCHEDULES, ids=lambda s: type(s).__name__)
def test_schedules(mine, theirs):
    expected = list(their_rates(theirs, 0.3, 41))  # one period of the cosine
    assert [mine(step) for step in range(41)] == pytest.approx(expected, rel=1e-12, abs=1e-15)


def test_what_pytorch_has_otherwise():
    cosine = optim.CosineDecay(0.3, steps=40, floor=0.1)
    assert cosine(40) == cosine(55) == cosine(4000) == pytest.approx(0.1)  # PyTorch's rises again
    warm = optim.Warmup(optim.ExponentialDecay(0.3, 0.9), 4)
    rates = [0.3 * 0.9**t * min((t + 1) / 4, 1) for t in range(10)]
    assert [warm(t) for t in range(10)] == pytest.approx(rates, rel=1e-15)


@pytest.mark.parametrize("kind", ["SGD", "Adam", "AdamW"])
def test_schedules_within_an_optimizer(kind):
    mine_p, their_p = start(np.float64)
    options = dict(weight_decay=0.1) if kind == "AdamW" else {}
    mine = getattr(optim, kind)(mine_p, lr=optim.CosineDecay(0.05, 40, floor=0.01), **options)
    their = getattr(torch.optim, kind)(their_p, lr=0.05, **options)
    schedule = sch().CosineAnnealingLR(their, 40, 0.01)
    rng = np.random.default_rng(10)
    for _ in range(40):
        for p, t in zip(mine_p, their_p, strict=True):
            g = rng.standard_normal(p.shape)
            p.grad, t.grad = tensor(g), torch.tensor(g)
        mine.step()
        their.step()
        schedule.step()
    same(mine_p, their_p, 1e-12)


def test_every_schedule_is_compared():
    scheduled = {*(type(schedule).__name__ for schedule, _ in SCHEDULES), "StepLR", "ExponentialLR"}
    exported = {
        name for name in optim.__all__ if name.endswith(("LR", "Decay", "Warmup", "Restarts"))
    }
    assert exported == scheduled
