"""On a GPU: a captured training is the uncaptured one bit for bit, repeats itself, follows the
CPU's curve, and does so with TF32 as far as TF32 goes."""

import numpy as np
import pytest

from autoencoder import captured_epoch as epochs
from autoencoder.olivetti import DeepAutoencoder, adam, train
from minigrad import checkpoint, cuda
from minigrad.random import Philox

pytestmark = pytest.mark.gpu


def faces(n=10, size=16):
    """Smooth random images, which can be learnt."""
    rng = np.random.default_rng(0)
    u = np.linspace(0, np.pi, size)
    waves = np.cos(np.outer(np.arange(4), u))  # (4, size)
    x = np.einsum("nij,ih,jw->nhw", rng.standard_normal((n, 4, 4)), waves, waves)
    return (1 / (1 + np.exp(-x)))[..., None].astype(np.float32)


def start(device, seed=1, size=16):
    weights, order = np.random.default_rng(seed).spawn(2)
    model = DeepAutoencoder(size, 32, rng=weights).to(device)
    return model, adam(model), order


def follow(device, count, noise_std=0.0, x=None, parts=None, **options):
    model, optimizer, order = parts or start(device)
    passes = train(
        model, faces() if x is None else x, optimizer,
        epochs=count, batch_size=4, size=16, noise_std=noise_std, order_rng=order,
        noise_rng=Philox(3, device) if noise_std else None, **options,
    )  # fmt: skip
    return list(passes), model.state_dict(), optimizer.state_dict()


def assert_same_bits(a, b):
    assert a[0] == b[0]
    for mine, other in zip(a[1:], b[1:], strict=True):
        for name in mine:
            np.testing.assert_array_equal(mine[name], other[name], err_msg=name)


@pytest.mark.parametrize("noise_std", [0.0, 0.2])
def test_captured_and_uncaptured_are_the_same_bits(monkeypatch, noise_std):
    x = faces(size=32) if noise_std else faces()
    captured, again = (follow("cuda", 4, noise_std, x) for _ in range(2))
    assert_same_bits(captured, again)
    monkeypatch.setattr(epochs, "Captured", lambda step: step)
    assert_same_bits(captured, follow("cuda", 4, noise_std, x))


@pytest.mark.parametrize("noise_std", [0.0, 0.2])
def test_the_curve_is_the_cpus(noise_std):
    x = faces(size=32) if noise_std else faces()
    cpu, gpu = (follow(device, 4, noise_std, x)[0] for device in ("cpu", "cuda"))
    np.testing.assert_allclose([e.loss for e in gpu], [e.loss for e in cpu], rtol=1e-3)
    np.testing.assert_allclose([e.code_mean for e in gpu], [e.code_mean for e in cpu], rtol=1e-3)


def test_tf32_follows_within_its_ten_bits():
    exact = follow("cuda", 3)[0]
    cuda.precision = "tf32"
    rounded = follow("cuda", 3)[0]
    assert [e.loss for e in rounded] != [e.loss for e in exact]  # it was used
    np.testing.assert_allclose([e.loss for e in rounded], [e.loss for e in exact], rtol=0.02)


def test_a_training_goes_on_exactly_from_its_checkpoint(tmp_path):
    whole = follow("cuda", 4)
    model, optimizer, order = start("cuda")
    first = follow("cuda", 2, parts=(model, optimizer, order))
    checkpoint.save(tmp_path / "model.npz", model)
    moments = optimizer.state_dict()
    fresh, other, _ = start("cuda", seed=2)
    checkpoint.load(tmp_path / "model.npz", fresh)
    other.load_state_dict(moments)
    second = follow("cuda", 4, parts=(fresh, other, order), done=2)
    assert_same_bits(whole, (first[0] + second[0], *second[1:]))


def test_the_same_numbers_are_drawn_on_both_devices():
    for draw in ("random", "standard_normal"):
        cpu, gpu = (getattr(Philox(7, device), draw) for device in ("cpu", "cuda"))
        for n in (1, 5, 1000, 4097):
            np.testing.assert_array_equal(gpu(n).get(), cpu(n))
