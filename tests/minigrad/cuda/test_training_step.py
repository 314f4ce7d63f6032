"""The GPU's whole training step is the CPU's, launches what it may, and waits once per epoch."""

import weakref

import device
import numpy as np
import pytest

import minigrad as mg
from autoencoder import (
    Autoencoder,
    ContractiveAutoencoder,
    DenoisingAutoencoder,
    GaussianNoise,
    PatchMasking,
    SparseAutoencoder,
    VariationalAutoencoder,
    VectorQuantisedCode,
    captured_epoch,
    load,
    olivetti,
    training,
)
from autoencoder.host_epoch import HostEpoch
from autoencoder.networks import Sizes, build
from autoencoder.parts import PointCode
from minigrad.nn import Dense, Dropout, Sequential

LAUNCHES = 53  # of one step of the reference model; docs/gpu.md lists them
SIZE, BATCH = 8, 2


@pytest.fixture(autouse=True)
def _float32(monkeypatch):
    """The simulator takes twice as long over tensor cores: one test below has them."""
    monkeypatch.setattr(mg.cuda, "precision", "float32")


def images(n=7, size=SIZE):
    """Rows of noise around a bright disc, which is what there is to learn."""
    u = np.linspace(-1, 1, size)
    disc = u[:, None] ** 2 + u**2 < 0.7
    noise = np.random.default_rng(0).random((n, size, size))
    return (0.8 * disc + 0.2 * noise).astype(np.float32).reshape(n, -1)


def reference(where, epochs, noise=None, k=16, **more):
    settings = {**olivetti.settings(SIZE, BATCH), "n_components": k, "max_epochs": epochs}
    return Autoencoder(**{**settings, "noise": noise, "device": where, "random_state": 1, **more})


def assert_same_bits(one, other):
    assert one.history_ == other.history_
    theirs = other.network_.state_dict()
    for name, weight in one.network_.state_dict().items():
        np.testing.assert_array_equal(weight, theirs[name])


@pytest.mark.parametrize("precision", ["float32", "3xtf32"])
def test_the_gradients_are_the_cpus(precision, monkeypatch):
    monkeypatch.setattr(mg.cuda, "precision", precision)
    gradients, code = [], PointCode("sigmoid")
    sizes = Sizes(SIZE * SIZE, 20, image_shape=(SIZE, SIZE, 1))
    for where in ("cpu", "cuda"):
        with device.installed():
            network = build(sizes, code, np.random.default_rng(1), network="olivetti").to(where)
            x = mg.tensor(images(), device=where)
            loss = mg.losses.l2_loss(network.decode(code.mean(network.encode(x))), x)
            loss.backward()
            gradients.append([loss.numpy(), *(p.grad.numpy() for p in network.parameters())])
    for cpu, gpu in zip(*gradients, strict=True):
        np.testing.assert_allclose(gpu, cpu, rtol=0, atol=1e-5 * np.abs(cpu).max())


def test_the_gpu_trains_as_the_cpu_does():
    cpu = reference("cpu", 2).fit(images()).history_
    with device.installed():
        gpu = reference("cuda", 2).fit(images()).history_
    # Adam makes whole steps of gradients however small, so differences grow
    np.testing.assert_allclose(gpu["l2_loss"], cpu["l2_loss"], rtol=2e-4)
    np.testing.assert_allclose(gpu["code_mean"], cpu["code_mean"], rtol=2e-4)
    np.testing.assert_allclose(gpu["code_spread"], cpu["code_spread"], rtol=0.02)
    assert cpu["l2_loss"][-1] < 0.95 * cpu["l2_loss"][0]


def test_the_same_noise_trains_the_same(monkeypatch):
    """With noise from Philox on both devices, so that both draw the same."""
    streams, noise = training.random_streams, GaussianNoise(0.2, clip=(0, 1))

    def with_philox(where):
        def made(seed, on_device=False):
            return {**streams(seed), "noise": mg.random.Philox(3, where)}

        return made

    histories = []
    for where in ("cpu", "cuda"):
        monkeypatch.setattr(training, "random_streams", with_philox(where))
        with device.installed():
            histories.append(reference(where, 2, noise).fit(images()).history_)
    np.testing.assert_allclose(histories[1]["l2_loss"], histories[0]["l2_loss"], rtol=2e-4)


ESTIMATORS = {
    "reference": reference("cuda", 3, GaussianNoise(0.2, clip=(0, 1))),
    "masking": DenoisingAutoencoder(3, hidden=(5,), noise="masking"),
    "salt": DenoisingAutoencoder(3, hidden=(5,), noise="salt_and_pepper", solver="rmsprop"),
    "heteroscedastic": DenoisingAutoencoder(3, noise="heteroscedastic", solver="sgd"),
    "sparse": SparseAutoencoder(3, hidden=(5,)),
    "contractive": ContractiveAutoencoder(3, schedule="cosine"),
    "hutchinson": ContractiveAutoencoder(3, hidden=(5,)).set_params(penalty__method="hutchinson"),
    "variational": VariationalAutoencoder(3, hidden=(5,), dropout=0.2),
    "optimal": VariationalAutoencoder(3).set_params(likelihood__variance="optimal"),
    "bernoulli": Autoencoder(3, likelihood="bernoulli"),
    "importance weights": VariationalAutoencoder(3).set_params(code__n_draws=3),
    "free bits": VariationalAutoencoder(3).set_params(code__free_bits=0.1),
    "total correlation": VariationalAutoencoder(3, penalty="total_correlation"),
    "conditional": VariationalAutoencoder(3, conditional=True, noise="masking"),
    "vectors": Autoencoder(4, code=VectorQuantisedCode(8, length=2)),
    "mmd": Autoencoder(3, penalty="mmd"),
    "patches": DenoisingAutoencoder(3, noise="patches"),
    "hidden patches": DenoisingAutoencoder(3, noise=PatchMasking(rate=0.5, scored="hidden")),
    "u-shaped": DenoisingAutoencoder(
        64, network="u_shaped", hidden=(3, 4), image_shape=(8, 8, 1), noise=GaussianNoise(1.0)
    ),
}


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_a_captured_training_is_the_uncaptured_to_the_last_bit(kind, monkeypatch):
    """Of every kind of autoencoder, with a last batch that is smaller than the others."""
    model = ESTIMATORS[kind].set_params(device="cuda", max_epochs=3, batch_size=3, random_state=0)
    X, y = images(10), np.arange(10) % 2
    with device.installed():
        captured = mg.cuda.Captured
        records = []
        monkeypatch.setattr(
            captured_epoch.Captured, "_record", _counting(captured._record, records)
        )
        first = model.fit(X, y)
        assert records, "nothing was captured"
        history, weights = first.history_, first.network_.state_dict()
        assert history["loss"][-1] < history["loss"][0]
        monkeypatch.setattr(captured_epoch, "Captured", _Uncaptured)
        second = model.fit(X, y)
        assert second.history_ == history
        for name, weight in second.network_.state_dict().items():
            np.testing.assert_array_equal(weight, weights[name])


def _counting(record, records):
    def counted(self):
        records.append(1)
        return record(self)

    return counted


class _Uncaptured:
    def __init__(self, step):
        self.function = step

    def __call__(self):
        return self.function()


def test_launches_and_synchronisations_of_a_step():
    with device.installed():
        model = reference("cuda", 0, k=SIZE * SIZE // 4).fit(images(9))
        parts, settings, X = model._prepare(images(9), reset=False)
        one_pass = training.make_pass(model._training, parts, settings, X)
        (step,) = one_pass.steps
        with device.region() as used:  # a synchronisation would raise
            step.function()
        assert used["h2d"] <= 1 and used["d2h"] == 0  # Adam's counts, once
        with device.region(h2d=False, d2h=False) as used:
            step.function()
        assert used["launches"] == LAUNCHES, dict(used)
        for k in range(3):
            with device.region(sync=True) as used:
                one_pass(np.arange(9))
            assert used["syncs"] == used["d2h"] == 1, f"epoch {k}: {dict(used)}"
            if k:  # the graph is there
                assert used["graph_launches"] == 4 and used["replayed"] == 4 * LAUNCHES
                assert used["launches"] < 12


def test_a_float64_model_trains_uncaptured():
    with device.installed():
        model = reference("cuda", 2).fit(images().astype(np.float64))
        assert np.isfinite(model.history_["loss"]).all()
        assert isinstance(_passes(model, images().astype(np.float64)), HostEpoch)


def _passes(model, X):
    parts, settings, X = model._prepare(X, reset=False)
    return training.make_pass(model._training, parts, settings, X)


def test_a_noise_of_ones_own_is_drawn_on_the_host():
    class Own(GaussianNoise):
        def corrupt(self, x, rng):
            assert isinstance(x, np.ndarray)
            return super().corrupt(x, rng)

    with device.installed():
        model = DenoisingAutoencoder(3, noise=Own(), device="cuda", max_epochs=2, random_state=0)
        assert np.isfinite(model.fit(images()).history_["loss"]).all()


def test_a_step_that_cannot_be_captured_says_so_and_trains():
    """The dropout of a network function draws on the host, where no graph can wait for it."""

    def network(sizes, code, rng, dtype):
        width = code.width(sizes.n_components)
        encoder = Sequential(Dropout(0.2, rng=rng), Dense(sizes.n_features, width, rng=rng))
        return encoder, Dense(sizes.n_components, sizes.n_features, rng=rng)

    with device.installed():
        model = Autoencoder(3, network=network, device="cuda", max_epochs=4, random_state=0)
        with pytest.warns(UserWarning, match="the training step is not captured"):
            model.fit(images())
        assert model.history_["loss"][-1] < model.history_["loss"][0]


def test_a_noise_must_draw_where_the_data_are():
    noise = GaussianNoise(0.1)
    with device.installed():
        x = mg.tensor(images(), device="cuda").data
        for data, rng in [(x, np.random.default_rng(0)), (images(), mg.random.Philox(0, "cuda"))]:
            with pytest.raises(TypeError, match="the data are on"):
                noise.corrupt(data, rng)


def test_a_noisy_training_on_the_gpu_goes_on_exactly(tmp_path):
    """Through what a file holds: the counter of the noise included."""
    noise = GaussianNoise(0.2, clip=(0, 1))

    def save(model, record):
        if record["epoch"] == 1:
            model.set_params(callbacks=None).save(tmp_path / "model.npz")

    with device.installed():
        whole = reference("cuda", 3, noise, callbacks=save).fit(images())
        resumed = load(tmp_path / "model.npz").set_params(warm_start=True).fit(images())
        assert_same_bits(whole, resumed)


def test_a_training_goes_on_where_it_is_moved(tmp_path):
    noise = GaussianNoise(0.2, clip=(0, 1))
    for one, other in (("cpu", "cuda"), ("cuda", "cpu")):
        with device.installed():
            reference(one, 2, noise).fit(images()).save(tmp_path / "model.npz")
            moved = load(tmp_path / "model.npz", device=other)
            losses = moved.set_params(warm_start=True).fit(images()).history_["l2_loss"]
            assert len(losses) == 4 and losses[-1] < losses[0]


def test_an_epoch_takes_its_memory_along():
    with device.installed():
        model = reference("cuda", 1).fit(images(3))
        one_pass = _passes(model, images(3))
        one_pass(np.arange(3))
        gone = weakref.ref(one_pass)
        del one_pass
        assert gone() is None  # and its arena: not when the garbage collector comes by


def test_an_estimator_waits_once_per_epoch():
    syncs = []
    with device.installed():
        for count in (2, 4):
            before = device.counts["syncs"]
            gpu = DenoisingAutoencoder(
                3, hidden=(5,), batch_size=5, random_state=0, device="cuda", max_epochs=count
            ).fit(images(20))
            syncs.append(device.counts["syncs"] - before)
            weights = len(gpu.network_.parameters())
    # the sums and whether the weights are finite; and the copies of the best weights
    assert syncs[1] - syncs[0] <= 2 * (2 + weights)


def test_nothing_on_the_path_converts_in_secret():
    """The negative control: a step that reads its loss on the way is found out."""
    with device.installed():
        x = mg.tensor(images(), device="cuda")
        with pytest.raises(device.SyncError), device.region():
            float((x * x).sum())
        with pytest.raises(device.ImplicitHostError):
            np.asarray(x.data)
