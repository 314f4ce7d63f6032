"""What the tests of optimizers share: equal parameters here and in PyTorch."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import tensor
from minigrad.testing import assert_close_to_torch

torch = pytest.importorskip("torch", reason="PyTorch, the second opinion, is not installed")


EPS = 2.0**-23
SHAPES = ((5, 4), (4,), (4, 1), ())


def start(dtype, shapes=SHAPES, seed=0):
    """The same parameters for both."""
    rng = np.random.default_rng(seed)
    arrays = [np.asarray(0.5 * rng.standard_normal(s), dtype) for s in shapes]
    return (
        [tensor(a, requires_grad=True) for a in arrays],
        [torch.tensor(a, requires_grad=True) for a in arrays],
    )


def small_problem(dtype):
    """A convex problem, so that rounding dies away; each library differentiates its own."""
    rng = np.random.default_rng(1)
    x, y = rng.standard_normal((30, 5)).astype(dtype), rng.random((30, 4)).astype(dtype)
    xt, yt = torch.tensor(x), torch.tensor(y)

    def mine(w, b, v, scale):
        z = x @ w + b
        return mg.mean(mg.softplus(z) - y * z) + mg.sum((v - 1) ** 2) + (scale - 2) ** 2 / 2

    def theirs(w, b, v, scale):
        z = xt @ w + b
        fit = (torch.nn.functional.softplus(z) - yt * z).mean()
        return fit + ((v - 1) ** 2).sum() + (scale - 2) ** 2 / 2

    return mine, theirs


def same(mine, theirs, tolerance, what="parameter"):
    for k, (p, t) in enumerate(zip(mine, theirs, strict=True)):
        assert_close_to_torch(p.detach(), t, tolerance=tolerance, what=f"{what} {k}")
