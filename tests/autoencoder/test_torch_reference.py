"""From the same weights and batches the reference model's first 20 losses equal PyTorch's.

Here on small generated faces; `python benchmarks/parity.py` does it with batches of 50 real ones.
"""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from autoencoder.datasets import make_faces
from autoencoder.networks import Sizes, build
from autoencoder.parts import PointCode
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
    ("size", "n_components", "batch_size", "steps"),
    [(16, 64, 6, 20), (32, 256, 5, 2)],  # the network at half size; the published one
)
def test_the_first_losses_are_pytorchs(parity, size, n_components, batch_size, steps, dtype):
    losses = parity.compare(faces(size), steps, batch_size, dtype, n_components)
    mine = losses.mine
    assert len(mine) == len(losses.theirs) == steps
    assert mine == pytest.approx(losses.theirs, rel=parity.ALLOWED[dtype])  # each by itself
    rounding = 1e-12 if dtype == np.float64 else 1e-6
    assert mine == pytest.approx(losses.same_weights, rel=rounding)
    assert steps < 20 or mine[-1] < 0.5 * mine[0]  # the weights have come a long way


@pytest.mark.parametrize("dtype", DTYPES)
def test_outputs_codes_and_every_gradient_are_pytorchs(parity, dtype):
    code, rng = PointCode("sigmoid"), np.random.default_rng(1)
    sizes = Sizes(256, 64, image_shape=(16, 16, 1))
    network = build(sizes, code, rng, dtype, network="olivetti")
    for k, p in enumerate(network.parameters()):  # biases start as zeros, which would hide them
        if p.ndim == 1:
            p.data = 0.1 * np.random.default_rng(k).standard_normal(p.shape).astype(dtype)
    reference = parity.TorchReference(network)
    clean = faces(16)[:6].astype(dtype).reshape(6, 256)
    noisy = np.clip(clean + 0.2, 0, 1, dtype=dtype)  # read one image and be scored on another
    codes = code.mean(network.encode(tensor(noisy)))  # (6, 64)
    output = network.decode(codes)  # (6, 256)
    l2_loss(output, tensor(clean)).backward()
    y, z = reference(parity.as_images(noisy))
    ((y - parity.as_images(clean)) ** 2).sum().div(2).backward()
    tolerance = 1e-12 if dtype == np.float64 else 1e-5
    assert_close_to_torch(output, y.flatten(1), tolerance=tolerance)
    assert_close_to_torch(codes, z, tolerance=tolerance)
    for (name, p), t in zip(network.named_parameters(), reference.parameters(), strict=True):
        g = t.grad.permute(2, 3, 1, 0) if p.ndim == 4 else t.grad
        assert_close_to_torch(p.grad, g, tolerance=tolerance, what=f"gradient of {name}")
