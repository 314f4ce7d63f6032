"""Penalties on the weights and the clipping of gradients are PyTorch's, which
divides by the norm + 1e-6."""

import math

import numpy as np
import pytest
from torch_pairs import EPS, same, small_problem, start

import minigrad as mg
from minigrad import optim, tensor
from minigrad.testing import assert_close_to_torch

torch = pytest.importorskip("torch", reason="PyTorch, the second opinion, is not installed")
DTYPES = [np.float64, np.float32]


def test_penalties():
    mine, theirs = start(np.float64)
    for penalty, expected in (
        (optim.l1_penalty(mine, 0.3), 0.3 * sum(t.abs().sum() for t in theirs)),
        (optim.l2_penalty(mine, 0.3), 0.15 * sum(t.square().sum() for t in theirs)),
    ):
        assert_close_to_torch(penalty, expected)
        found, wanted = mg.grad(penalty, mine), torch.autograd.grad(expected, theirs)
        same(found, wanted, 1e-12, "gradient")


def test_the_l2_penalty_is_pytorchs_weight_decay():
    mine_p, their_p = start(np.float64)
    my_loss, their_loss = small_problem(np.float64)
    mine, their = optim.SGD(mine_p, 0.1), torch.optim.SGD(their_p, 0.1, weight_decay=0.05)
    for _ in range(50):
        mine.zero_grad()
        their.zero_grad()
        (my_loss(*mine_p) + optim.l2_penalty(mine_p, 0.05)).backward()
        their_loss(*their_p).backward()
        mine.step()
        their.step()
    same(mine_p, their_p, 1e-12)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("max_norm", [60.0, 0.1, 1.0, 40.0, 1e9])
@pytest.mark.parametrize("missing", [False, True])
def test_clip_grad_norm(max_norm, missing, dtype):
    mine, theirs = start(dtype, [(50, 40), (3,), (), (7,)])
    rng = np.random.default_rng(11)
    for k, (p, t) in enumerate(zip(mine, theirs, strict=True)):
        g = np.asarray(rng.standard_normal(p.shape), dtype)
        if not (missing and k == 1):
            p.grad, t.grad = tensor(g), torch.tensor(g)
    norm = optim.clip_grad_norm(mine, max_norm)
    expected = torch.nn.utils.clip_grad_norm_(theirs, max_norm)
    tolerance = 1e-12 if dtype == np.float64 else 8 * EPS
    assert norm == pytest.approx(expected.item(), rel=tolerance)
    for p, t in zip(mine, theirs, strict=True):
        if t.grad is None:
            assert p.grad is None
        else:
            assert_close_to_torch(p.grad, t.grad, tolerance=tolerance)
    after = math.sqrt(sum(float((p.grad.numpy() ** 2).sum()) for p in mine if p.grad is not None))
    assert after == pytest.approx(min(norm, max_norm), rel=1e-5)
