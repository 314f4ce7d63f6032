"""Optimizers equal PyTorch's in random settings: groups, late gradients, any option and layout.

Each seed draws an optimizer, its options, up to three groups with options of their own, parameters
of several shapes and layouts, and which of them have a gradient at which step. Half of the runs are
saved and go on in a new optimizer.
"""

import numpy as np
import pytest

from minigrad import optim, tensor
from minigrad.testing import assert_close_to_torch

torch = pytest.importorskip("torch", reason="PyTorch, the second opinion, is not installed")

SEEDS = range(120)
STEPS = 12
SHAPES = [(), (3,), (4, 3), (2, 3, 2), (0, 2), (1, 1)]
TRANSLATED = {"epsilon": "eps"}


def options(kind, rng):
    """Random options of `kind`, each of them there or left to its default."""
    choices = {
        optim.SGD: {
            "momentum": [0.0, 0.5, 0.9],
            "dampening": [0.0, 0.3, 1.0],
            "nesterov": [False, True],
            "weight_decay": [0.0, 0.1],
        },
        optim.RMSprop: {
            "alpha": [0.3, 0.5, 0.99],
            "epsilon": [1e-8, 1e-3],
            "momentum": [0.0, 0.9],
            "centered": [False, True],
            "weight_decay": [0.0, 0.1],
        },
        optim.Adam: {
            "betas": [(0.9, 0.999), (0.0, 0.9), (0.8, 0.5)],
            "epsilon": [1e-8, 1e-3],
            "amsgrad": [False, True],
            "weight_decay": [0.0, 0.1],
        },
    }
    choices[optim.AdamW] = choices[optim.Adam]
    drawn = {"lr": float(rng.choice([0.001, 0.02, 0.1]))}
    for name, values in choices[kind].items():
        if rng.random() < 0.6:
            drawn[name] = values[rng.integers(len(values))]
    if drawn.get("nesterov"):
        drawn |= {"momentum": 0.9, "dampening": 0.0}
    if drawn.get("centered"):
        drawn["epsilon"] = 1e-3  # else a variance of nearly 0 decides, which rounding changes
    return drawn


def parameters(rng, dtype):
    """[(mine, PyTorch's), ...] from the same numbers, some transposed."""
    pairs = []
    for k in rng.integers(len(SHAPES), size=rng.integers(1, 5)):
        values = np.asarray(rng.standard_normal(SHAPES[k]), dtype)
        mine = tensor(values)
        mine = mine.T if rng.random() < 0.3 else mine
        mine.requires_grad = True
        pairs.append((mine, torch.tensor(mine.numpy().copy(), requires_grad=True)))
    return pairs


def configuration(seed):
    """(optimizer's class, options, groups of mine, groups of PyTorch's, pairs, generator, dtype)"""
    rng = np.random.default_rng(seed)
    kind = [optim.SGD, optim.RMSprop, optim.Adam, optim.AdamW][seed % 4]
    dtype = np.float64 if seed % 3 else np.float32
    common = options(kind, rng)
    groups = [(parameters(rng, dtype), {})]
    for _ in range(rng.integers(3)):
        own = options(kind, rng)
        if own.get("dampening") and "nesterov" not in own and common.get("nesterov"):
            own["nesterov"] = False
        if own.get("nesterov") is None and common.get("nesterov"):
            own["nesterov"] = False
        groups.append((parameters(rng, dtype), own))
    return kind, common, groups, rng, dtype


def translated(settings):
    return {TRANSLATED.get(name, name): value for name, value in settings.items()}


def mine_of(kind, common, groups):
    return kind([{"params": [p for p, _ in pairs], **own} for pairs, own in groups], **common)


@pytest.mark.parametrize("seed", SEEDS)
def test_random_configurations(seed):
    kind, common, groups, rng, dtype = configuration(seed)
    mine = mine_of(kind, common, groups)
    their_kind = getattr(torch.optim, kind.__name__)
    theirs = their_kind(
        [{"params": [t for _, t in pairs], **translated(own)} for pairs, own in groups],
        **translated(common),
    )
    schedule = optim.CosineDecay(0.05, STEPS) if seed % 5 == 0 else None
    if schedule:
        mine.param_groups[-1]["lr"] = schedule
    pairs = [pair for some, _ in groups for pair in some]
    first = rng.integers(0, STEPS - 1, size=len(pairs)) * (rng.random(len(pairs)) < 0.5)
    for step in range(STEPS):
        for (p, t), begins in zip(pairs, first, strict=True):
            g = np.asarray(0.1 + rng.standard_normal(p.shape), dtype)
            seen = step >= begins and rng.random() < 0.8
            p.grad, t.grad = (tensor(g), torch.tensor(g)) if seen else (None, None)
        if schedule:
            theirs.param_groups[-1]["lr"] = schedule(step)
        mine.step()
        theirs.step()
        if step == STEPS // 2 and seed % 2:
            saved, mine = mine.state_dict(), mine_of(kind, common, groups)
            mine.load_state_dict(saved)
            if schedule:
                mine.param_groups[-1]["lr"] = schedule
    tolerance = 1e-11 if dtype == np.float64 else 2e-5
    for k, (p, t) in enumerate(pairs):
        assert_close_to_torch(p.detach(), t, tolerance=tolerance, what=f"parameter {k}")


def test_the_configurations_have_everything():
    """Every option of every optimizer, in a group of its own too; late gradients and layouts."""
    seen, in_groups, layouts = set(), set(), set()
    for seed in SEEDS:
        kind, common, groups, *_ = configuration(seed)
        seen |= {(kind, name) for name in common}
        for pairs, own in groups:
            in_groups |= {(kind, name) for name in own}
            layouts |= {p.data.flags.c_contiguous for p, _ in pairs}
    ours = {
        (kind, name)
        for kind in (optim.SGD, optim.RMSprop, optim.Adam, optim.AdamW)
        for name in kind([tensor([1.0], requires_grad=True)], lr=0.1).defaults
    }
    hat = {(kind, "epsilon_hat") for kind in (optim.Adam, optim.AdamW)}  # PyTorch has none
    assert seen == in_groups == ours - hat
    assert layouts == {True, False}
