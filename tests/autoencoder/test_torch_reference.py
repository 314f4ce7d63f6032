"""From the same weights and batches the reference model's first 20 losses equal PyTorch's.

Here on small generated faces; `python benchmarks/parity.py` does it with batches of 50 real ones.
"""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from autoencoder.datasets import make_faces
from autoencoder.olivetti import DeepAutoencoder
from minigrad import tensor
from minigrad.losses import l2_loss
from minigrad.testing import assert_close_to_torch

torch = pytest.importorskip("torch", reason="PyTorch, the second opinion, is not installed")

DTYPES = [np.float32, np.float64]


@pytest.fixture(scope="module")
def parity():
    path = Path(__file__).parents[2] / "benchmarks" / "parity.py"
    spec = importlib.util.spec_from_file_location("parity", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def faces(size):
    """Dark ones, (20, size, size, 1): from grey the first epochs would hardly learn a thing."""
    return make_faces(people=4, variations=5, size=size).images ** 3


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("size", "code_length", "batch_size", "steps"),
    [(16, 64, 6, 20), (32, 256, 5, 2)],  # the network at half size; the published one
)
def test_the_first_losses_are_pytorchs(parity, size, code_length, batch_size, steps, dtype):
    losses = parity.compare(faces(size), steps, batch_size, dtype, code_length)
    mine = losses.mine
    assert len(mine) == len(losses.theirs) == steps
    assert mine == pytest.approx(losses.theirs, rel=parity.ALLOWED[dtype])  # each by itself
    rounding = 1e-12 if dtype == np.float64 else 1e-6
    assert mine == pytest.approx(losses.same_weights, rel=rounding)
    assert steps < 20 or mine[-1] < 0.5 * mine[0]  # the weights have come a long way


@pytest.mark.parametrize("dtype", DTYPES)
def test_outputs_codes_and_every_gradient_are_pytorchs(parity, dtype):
    model = DeepAutoencoder(16, 64, dtype=dtype, rng=np.random.default_rng(1))
    for k, p in enumerate(model.parameters()):  # biases start as zeros, which would hide them
        if p.ndim == 1:
            p.data = 0.1 * np.random.default_rng(k).standard_normal(p.shape).astype(dtype)
    reference = parity.TorchReference(model)
    clean = faces(16)[:6].astype(dtype)
    noisy = np.clip(clean + 0.2, 0, 1, dtype=dtype)  # read one image and be scored on another
    output, code = model(tensor(noisy))
    l2_loss(output, tensor(clean)).backward()
    y, z = reference(torch.tensor(noisy).permute(0, 3, 1, 2))
    ((y - torch.tensor(clean).permute(0, 3, 1, 2)) ** 2).sum().div(2).backward()
    tolerance = 1e-12 if dtype == np.float64 else 1e-5
    assert_close_to_torch(output, y.permute(0, 2, 3, 1), tolerance=tolerance)
    assert_close_to_torch(code, z, tolerance=tolerance)
    for (name, p), t in zip(model.named_parameters(), reference.parameters(), strict=True):
        g = t.grad.permute(2, 3, 1, 0) if p.ndim == 4 else t.grad
        assert_close_to_torch(p.grad, g, tolerance=tolerance, what=f"gradient of {name}")
