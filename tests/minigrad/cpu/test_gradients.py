"""Winograd's rounding leaves gradients right to six digits: what differs more is relu's kink."""

import numpy as np
import pytest

import minigrad as mg
import minigrad.cpu

N = 10
WEIGHTS = {
    "conv_0": (3, 3, 1, 16),
    "conv_1": (3, 3, 16, 32),
    "conv_2": (3, 3, 32, 64),
    "conv_3": (3, 3, 64, 128),
    "dense": (32768, 256),
    "convt_0": (3, 3, 128, 1),
    "convt_1": (3, 3, 64, 128),
    "convt_2": (3, 3, 32, 64),
    "convt_3": (3, 3, 1, 32),
}


def gradients(dtype, masks=None):
    """The reference model's gradients at Glorot-uniform weights, and its relus' masks. If `masks`
    are given, relu passes what they say and not what is positive."""
    rng, seen = np.random.default_rng(0), []
    x, weights = rng.random((N, 32, 32, 1)).astype(dtype), {}
    for name, shape in WEIGHTS.items():
        fans = sum(shape[-2:]) * (9 if len(shape) == 4 else 1)
        drawn = rng.uniform(-1, 1, shape) * np.sqrt(6 / fans)
        weights[name] = mg.tensor(drawn.astype(dtype), requires_grad=True)
    w = list(weights.values())

    def relu(y):
        seen.append(y.numpy() > 0)
        return mg.where(seen[-1] if masks is None else masks[len(seen) - 1], y, 0.0)

    y = relu(mg.conv2d(x, w[0], stride=2))
    for kernel in w[1:4]:
        y = relu(mg.conv2d(y, kernel))
    code = mg.sigmoid(y.reshape(N, -1) @ w[4])
    y = relu(mg.conv2d_transpose(code.reshape(N, 16, 16, 1), w[5], stride=2))
    for kernel in w[6:8]:
        y = relu(mg.conv2d_transpose(y, kernel))
    loss = ((mg.sigmoid(mg.conv2d_transpose(y, w[8])) - x) ** 2.0).sum() / 2
    return [g.numpy() for g in mg.grad(loss, w)], seen


@pytest.mark.parametrize("method", ["winograd", "direct"])
def test_gradients_of_the_reference_model(method, monkeypatch):
    """Against float64 with the same masks. Without them a unit that is 0 up to rounding passes its
    gradient in one precision and not in the other: at batch 50 one unit of 14 million does, and
    moves the encoder's gradients by 1e-3, with Winograd and without."""
    monkeypatch.setattr(minigrad.cpu, "convolution", method)
    got, masks = gradients(np.float32)
    monkeypatch.setattr(minigrad.cpu, "convolution", "direct")
    exact, exact_masks = gradients(np.float64, masks)
    flipped = sum((a != b).sum() for a, b in zip(masks, exact_masks, strict=True))
    assert flipped <= 5
    for name, g, e in zip(WEIGHTS, got, exact, strict=True):
        assert g.dtype == np.float32
        assert np.linalg.norm(g - e) < 5e-6 * np.linalg.norm(e), name
