"""On a GPU: a captured training is the uncaptured one bit for bit, repeats itself, follows the
CPU's curve, and does so with TF32 as far as TF32 goes."""

import numpy as np
import pytest

from autoencoder import Autoencoder, GaussianNoise, captured_epoch, load, olivetti, training
from minigrad import cuda
from minigrad.random import Philox

pytestmark = pytest.mark.gpu
NOISES = [None, GaussianNoise(0.2, clip=(0, 1))]


def faces(n=10, size=16):
    """Rows of smooth random images, which can be learnt."""
    rng = np.random.default_rng(0)
    u = np.linspace(0, np.pi, size)
    waves = np.cos(np.outer(np.arange(4), u))  # (4, size)
    x = np.einsum("nij,ih,jw->nhw", rng.standard_normal((n, 4, 4)), waves, waves)
    return (1 / (1 + np.exp(-x))).astype(np.float32).reshape(n, -1)


def trained(device, epochs, noise=None, **more):
    settings = {**olivetti.settings(16, 4), "n_components": 32, "max_epochs": epochs}
    model = Autoencoder(**settings, noise=noise, device=device, random_state=1, **more)
    return model.fit(faces())


def assert_same_bits(a, b):
    assert a.history_ == b.history_
    mine, other = (m._training.optimizer.state_dict() | m.network_.state_dict() for m in (a, b))
    for name in mine:
        np.testing.assert_array_equal(mine[name], other[name], err_msg=name)


@pytest.mark.parametrize("noise", NOISES)
def test_captured_and_uncaptured_are_the_same_bits(monkeypatch, noise):
    captured, again = (trained("cuda", 4, noise) for _ in range(2))
    assert_same_bits(captured, again)

    class Uncaptured:
        def __init__(self, step):
            self.function = step

        def __call__(self):
            return self.function()

    monkeypatch.setattr(captured_epoch, "Captured", Uncaptured)
    assert_same_bits(captured, trained("cuda", 4, noise))


@pytest.mark.parametrize("noise", NOISES)
def test_the_curve_is_the_cpus(monkeypatch, noise):
    streams, histories = training.random_streams, []
    for device in ("cpu", "cuda"):

        def with_philox(seed, on_device=False, device=device):  # both draw the same noise
            return {**streams(seed), "noise": Philox(3, device)}

        monkeypatch.setattr(training, "random_streams", with_philox)
        histories.append(trained(device, 4, noise).history_)
    for name in ("l2_loss", "code_mean"):
        np.testing.assert_allclose(histories[1][name], histories[0][name], rtol=1e-3)


def test_tf32_follows_within_its_ten_bits(gpu):
    exact = trained("cuda", 3).history_["l2_loss"]
    cuda.precision = "tf32"
    rounded = trained("cuda", 3).history_["l2_loss"]
    has_tf32 = gpu.cuda.runtime.getDeviceProperties(gpu.cuda.Device().id)["major"] >= 8
    assert (rounded != exact) == has_tf32  # Turing has none, and goes on in float32
    np.testing.assert_allclose(rounded, exact, rtol=0.02)


@pytest.mark.filterwarnings("ignore:save. callbacks is code:UserWarning")
def test_a_training_goes_on_exactly_from_its_file(tmp_path):
    def save(model, record):
        if record["epoch"] == 2:
            model.save(tmp_path / "model.npz")

    whole = trained("cuda", 4, NOISES[1], callbacks=save)
    resumed = load(tmp_path / "model.npz").set_params(warm_start=True).fit(faces())
    assert_same_bits(whole, resumed)


def test_the_same_numbers_are_drawn_on_both_devices():
    for draw in ("random", "standard_normal"):
        cpu, gpu = (getattr(Philox(7, device), draw) for device in ("cpu", "cuda"))
        for n in (1, 5, 1000, 4097):
            np.testing.assert_array_equal(gpu(n).get(), cpu(n))
