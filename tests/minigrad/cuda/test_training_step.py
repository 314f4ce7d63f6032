"""The GPU's whole training step is the CPU's, launches what it may, and waits once per epoch."""

import json
import weakref

import device
import numpy as np
import pytest
from autoencoder.runs.old_run import Config

import minigrad as mg
from autoencoder import captured_epoch as epochs
from autoencoder.olivetti import DeepAutoencoder, adam, train
from autoencoder.runs import attempts
from minigrad.random import Philox

LAUNCHES = 44  # of one step of the reference model; docs/gpu.md lists them
SIZE, BATCH = 8, 2


def images(n=7, size=SIZE):
    """Noise around a bright disc, which is what there is to learn."""
    u = np.linspace(-1, 1, size)
    disc = (u[:, None] ** 2 + u**2 < 0.7)[..., None]
    noise = np.random.default_rng(0).random((n, size, size, 1))
    return (0.8 * disc + 0.2 * noise).astype(np.float32)


def trained(where, count, noise_std=0.0):
    """The `Epoch`s of a small reference model, and its weights at the end."""
    weights, order, noise = np.random.default_rng(1).spawn(3)
    model = DeepAutoencoder(SIZE, 16, rng=weights).to(where)
    passes = train(
        model,
        images(size=2 * SIZE if noise_std else SIZE),  # noise comes before shrinking
        adam(model),
        epochs=count,
        batch_size=BATCH,
        size=SIZE,
        noise_std=noise_std,
        order_rng=order,
        noise_rng=Philox(3, where) if noise_std else noise,
    )
    return list(passes), [p.numpy() for p in model.parameters()]


def test_the_gradients_are_the_cpus():
    gradients = []
    for where in ("cpu", "cuda"):
        with device.installed():
            model = DeepAutoencoder(SIZE, 20, rng=np.random.default_rng(1)).to(where)
            x = mg.tensor(images(), device=where)
            loss = mg.losses.l2_loss(model(x)[0], x)
            loss.backward()
            gradients.append([loss.numpy(), *(p.grad.numpy() for p in model.parameters())])
    for cpu, gpu in zip(*gradients, strict=True):
        np.testing.assert_allclose(gpu, cpu, rtol=0, atol=1e-5 * np.abs(cpu).max())


@pytest.mark.parametrize("noise_std", [0.0, 0.2])
def test_the_gpu_trains_as_the_cpu_does(noise_std):
    """From the same weights, in the same order and, noise being Philox's, with the same noise."""
    cpu = trained("cpu", 2, noise_std)[0]
    with device.installed():
        gpu = trained("cuda", 2, noise_std)[0]
    for one, other in zip(cpu, gpu, strict=True):
        # Adam makes whole steps of gradients however small, so differences grow
        assert one.loss == pytest.approx(other.loss, rel=2e-4)
        assert one.code_mean == pytest.approx(other.code_mean, rel=2e-4)
        assert one.code_spread == pytest.approx(other.code_spread, rel=0.02)
    assert cpu[-1].loss < 0.95 * cpu[0].loss


def test_a_captured_training_is_the_uncaptured_to_the_last_bit(monkeypatch):
    with device.installed():
        captured = trained("cuda", 2)
    monkeypatch.setattr(epochs, "Captured", lambda step: step)
    with device.installed():
        uncaptured = trained("cuda", 2)
    assert captured[0] == uncaptured[0]
    for w, v in zip(captured[1], uncaptured[1], strict=True):
        np.testing.assert_array_equal(w, v)


def test_launches_and_synchronisations_of_a_step():
    with device.installed():
        model = DeepAutoencoder(SIZE, SIZE * SIZE // 4, rng=np.random.default_rng(0)).to("cuda")
        one_pass = epochs.OnGPU(
            model,
            adam(model),
            images(9),
            batch_size=BATCH,
            size=SIZE,
            noise_std=0.0,
            noise_rng=None,
        )
        assert one_pass.steps == 4
        with device.region() as used:  # a synchronisation would raise
            one_pass.step.function()
        assert used["h2d"] <= 1 and used["d2h"] == 0  # Adam's counts, once
        with device.region(h2d=False, d2h=False) as used:
            one_pass.step.function()
        assert used["launches"] == LAUNCHES, dict(used)
        order = np.arange(9)
        for k in range(3):
            with device.region(sync=True) as used:
                one_pass(order)
            assert used["syncs"] == used["d2h"] == 1, f"epoch {k}: {dict(used)}"
            if k:  # the graph is there
                assert used["graph_launches"] == 4 and used["replayed"] == 4 * LAUNCHES
                assert used["launches"] < 12


def test_a_float64_model_trains_uncaptured():
    weights = np.random.default_rng(1)
    with device.installed():
        model = DeepAutoencoder(4, 4, dtype=np.float64, rng=weights).to("cuda")
        x = images(3, 4).astype(np.float64)
        order = np.random.default_rng(0)
        losses = [e.loss for e in train(model, x, adam(model), epochs=2, size=4, order_rng=order)]
    assert np.isfinite(losses).all()


def test_the_generator_of_the_noise_must_be_where_the_model_is():
    settings = dict(epochs=1, size=4, noise_std=0.1, order_rng=np.random.default_rng(0))
    with device.installed():
        for where, rng, message in [
            ("cuda", np.random.default_rng(0), "must be a minigrad.random.Philox"),
            ("cuda", Philox(0), "must be a minigrad.random.Philox"),
            ("cpu", Philox(0, "cuda"), "on the CPU noise_rng must draw there"),
        ]:
            model = DeepAutoencoder(4, 4, rng=np.random.default_rng(0)).to(where)
            with pytest.raises(TypeError, match=message):
                next(train(model, images(3, 4), adam(model), noise_rng=rng, **settings))


def test_a_noisy_run_on_the_gpu_goes_on_exactly():
    """Through what a checkpoint holds: the counter of the noise included."""
    config = Config(image_size=4, code_length=3, noise="gaussian", seed=1, device="cuda")

    def follow(attempt, done, epochs):
        return list(
            train(
                attempt.model,
                images(5, 8),
                attempt.optimiser,
                epochs=epochs,
                done=done,
                batch_size=2,
                size=4,
                noise_std=0.2,
                order_rng=attempt.streams["order"],
                noise_rng=attempt.streams["noise"],
            )
        )

    with device.installed():
        whole = attempts.first(config)
        history = follow(whole, 0, 3)
        first = attempts.first(config)
        begun = follow(first, 0, 1)
        arrays, about = attempts.contents(first)
        resumed = attempts.restored(config, arrays, json.loads(json.dumps(about)))
        assert begun + follow(resumed, 1, 3) == history
        for a, b in zip(whole.model.parameters(), resumed.model.parameters(), strict=True):
            np.testing.assert_array_equal(a.numpy(), b.numpy())


def test_an_epoch_takes_its_memory_along():
    with device.installed():
        model = DeepAutoencoder(4, 4, rng=np.random.default_rng(0)).to("cuda")
        one_pass = epochs.OnGPU(
            model, adam(model), images(3, 4), batch_size=2, size=4, noise_std=0, noise_rng=None
        )
        one_pass(np.arange(3))
        gone = weakref.ref(one_pass)
        del one_pass
        assert gone() is None  # and its arena: not when the garbage collector comes by


def test_an_estimator_waits_once_per_epoch():
    from autoencoder import DenoisingAutoencoder

    X = np.random.default_rng(0).random((20, 6), np.float32)
    make = dict(n_components=3, hidden=(5,), batch_size=5, random_state=0)
    cpu = DenoisingAutoencoder(**make, max_epochs=4).fit(X)
    syncs = []
    with device.installed():
        for count in (2, 4):
            before = device.counts["syncs"]
            gpu = DenoisingAutoencoder(**make, device="cuda", max_epochs=count).fit(X)
            syncs.append(device.counts["syncs"] - before)
        np.testing.assert_allclose(gpu.history_["loss"], cpu.history_["loss"], rtol=1e-5)
        np.testing.assert_allclose(gpu.transform(X), cpu.transform(X), rtol=1e-3, atol=1e-5)
    assert syncs[1] - syncs[0] <= 2 * (1 + len(gpu.network_.parameters()))  # the best weights


def test_nothing_on_the_path_converts_in_secret():
    """The negative control: a step that reads its loss on the way is found out."""
    with device.installed():
        x = mg.tensor(images(), device="cuda")
        with pytest.raises(device.SyncError), device.region():
            float((x * x).sum())
        with pytest.raises(device.ImplicitHostError):
            np.asarray(x.data)
