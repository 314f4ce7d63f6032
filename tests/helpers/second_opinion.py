"""Comparison of a function with its PyTorch counterpart: values and derivatives of any order."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import tensor
from minigrad.testing import assert_close_to_torch

torch = pytest.importorskip("torch", reason="PyTorch, the second opinion, is not installed")

TOLERANCE = {np.float64: 1e-12, np.float32: 8 * 2.0**-23}  # relative to the largest element


def compare(mine, theirs, arrays, *, tolerance=1e-12, order=2, integers=False):
    """Two functions agree in value and in their gradients up to `order`, for random cotangents."""
    rng = np.random.default_rng(7)
    xs = [tensor(a, requires_grad=True) for a in arrays]
    ts = [torch.tensor(a, requires_grad=True) for a in arrays]
    ys, zs = [mine(*xs)], [theirs(*ts)]
    close(ys[0], zs[0], tolerance)
    for k in range(1, order + 1):
        us = [numbers(rng, y.shape, y.dtype, integers) for y in ys]
        my_us, their_us = [tensor(u, requires_grad=True) for u in us], list(map(torch.tensor, us))
        for u in their_us:
            u.requires_grad = True
        zs = gradients(torch.autograd.grad, torch.zeros_like, zs, ts, their_us, True)
        for create_graph in (False, True):  # on arrays, then on Tensors
            gs = gradients(mg.grad, zeros, ys, xs, my_us, create_graph)
            for i, (g, z) in enumerate(zip(gs, zs, strict=True)):
                what = f"gradient {i} of order {k}, create_graph={create_graph}"
                close(g, z, tolerance, what, least=float(k > 1))
        ys, xs, ts = gs, xs + my_us, ts + their_us


def numbers(rng, shape, dtype, integers=False):
    """Random numbers; small integers make every sum exact in float32."""
    return (rng.integers(-4, 5, shape) if integers else rng.standard_normal(shape)).astype(dtype)


def gradients(grad, zeros_like, ys, xs, us, create_graph):
    """One gradient for each x, zeros where the outputs do not depend on it."""
    pairs = [(y, u) for y, u in zip(ys, us, strict=True) if y.requires_grad]
    if not pairs:
        return list(map(zeros_like, xs))
    ys, us = map(list, zip(*pairs, strict=True))
    options = dict(create_graph=create_graph, retain_graph=True, allow_unused=True)
    found = grad(ys, xs, us, **options)
    return [zeros_like(x) if g is None else g for g, x in zip(found, xs, strict=True)]


def zeros(x):
    return tensor(np.zeros(x.shape, x.dtype))


def close(mine, theirs, tolerance, what="value", least=0.0):
    """`assert_close_to_torch`, relative to the largest element, but to `least` if that is larger.

    Where PyTorch's is all zero there is nothing to be relative to: ours is at most `tolerance`.
    """
    largest = float(theirs.detach().abs().max()) if theirs.numel() else 0.0
    if largest:
        tolerance *= max(1.0, least / largest)
        assert_close_to_torch(mine, theirs, tolerance=tolerance, what=what)
        return
    assert (mine.shape, str(mine.dtype)) == (theirs.shape, str(theirs.dtype)[6:]), what
    assert np.abs(mine.detach().numpy()).max(initial=0) <= tolerance, what
