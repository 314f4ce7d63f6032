"""Proves that nothing assumes the first GPU: all of a training step works on the second, too, and
who mixes the two is told so. On the double, which has two; on CuPy (``-p on_cupy``) where there are
two.
"""

import device
import numpy as np
import pytest

import minigrad as mg
from minigrad import cuda, nn, optim
from minigrad.cuda.launch import multiprocessors
from minigrad.losses import l2_loss


@pytest.fixture(autouse=True)
def cupy():
    with device.installed() as cupy:
        if (count := cupy.cuda.runtime.getDeviceCount()) < 2:
            pytest.skip(f"needs two GPUs, and there is {count} here")
        yield cupy


def training(steps=5):
    """Losses and weights of a training by a captured step, on the current GPU."""
    rng = np.random.default_rng(0)
    model = nn.Sequential(
        nn.Conv2D(1, 16, stride=2, activation="relu", rng=rng),
        nn.Conv2D(16, 4, activation="tanh", rng=rng),
        nn.Conv2DTranspose(4, 1, stride=2, activation="sigmoid", rng=rng),
    ).to("cuda")
    optimizer = optim.Adam(model.parameters())
    x = mg.tensor(rng.random((3, 6, 6, 1), np.float32)).to("cuda")

    def step():
        optimizer.zero_grad()
        loss = l2_loss(model(x), x)
        loss.backward()
        optimizer.step()
        return loss.data

    captured = cuda.Captured(step)
    return captured, model, [captured().item() for _ in range(steps)]


def test_a_captured_training_on_each(cupy):
    found = []
    for number in (1, 0):
        with cupy.cuda.Device(number):
            _, model, losses = training()
            assert {p.data.device.id for p in model.parameters()} == {number}
            found.append((losses, [p.numpy() for p in model.parameters()]))
    (first, weights), (second, others) = found
    # two kinds of GPU may cut their sums in other places
    np.testing.assert_allclose(first, second, rtol=1e-5)
    for mine, theirs in zip(weights, others, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=0, atol=1e-5)


def test_a_step_captured_on_one_is_replayed_there(cupy):
    with cupy.cuda.Device(1):
        step, _, losses = training(4)
    with cupy.cuda.Device(0):
        for _ in range(2):
            loss = step()
            assert loss.device.id == 1
    with cupy.cuda.Device(1):
        assert loss.item() == training(6)[2][-1] < losses[-1]


def test_a_step_begun_on_one_goes_on_there(cupy):
    with cupy.cuda.Device(1):
        step, _, _ = training(0)
    for _ in range(4):
        loss = step()
    with cupy.cuda.Device(1):
        assert loss.item() == training(4)[2][-1]


def test_each_has_its_own_number_of_multiprocessors(cupy):
    for number in (0, 1, 0):
        with cupy.cuda.Device(number) as gpu:
            assert multiprocessors() == gpu.attributes["MultiProcessorCount"]


def test_arrays_of_another_gpu_are_refused(cupy):
    with cupy.cuda.Device(1):
        model = nn.Conv2D(16, 16, rng=np.random.default_rng(0)).to("cuda")
    x = mg.tensor(np.ones((1, 4, 4, 16), np.float32)).to("cuda")
    with pytest.raises(
        RuntimeError, match=r"on GPU 1, and the current one is 0: work with it insi"
    ):
        model(x)
    with cupy.cuda.Device(1):
        assert model(mg.tensor(np.ones((1, 4, 4, 16), np.float32)).to("cuda")).device == "cuda"
