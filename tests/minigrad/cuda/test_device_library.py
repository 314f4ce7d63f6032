"""Losses, layers, optimizers, tools and estimators do the same on the device double as on the CPU.

What nothing else here sees is found by this: a constant left on the host, an index that is a list,
a Python number read from the device in the middle of a step.
"""

import device
import numpy as np
import pytest

import autoencoder
import minigrad as mg
from autoencoder import training
from minigrad import losses, nn, optim
from minigrad.random import Philox

DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])
TOLERANCE = {np.float32: 3e-5, np.float64: 1e-11}


@pytest.fixture(scope="module", autouse=True)
def cupy():
    with device.installed() as module:
        yield module


def numbers(*shape, seed=0, low=-1.0):
    return np.random.default_rng(seed).uniform(low, 1, shape)


def same_on_both(function, dtype):
    """``function(place)`` gives nearly the same arrays for "cpu" and "cuda"."""
    pairs = list(zip(function("cpu"), function("cuda"), strict=True))
    assert pairs
    for mine, theirs in pairs:
        scale = max(1.0, float(np.abs(mine).max(initial=0)))
        np.testing.assert_allclose(theirs, mine, rtol=0, atol=TOLERANCE[dtype] * scale)


def on(place, dtype):
    return lambda values, grad=True: mg.tensor(values, grad, dtype).to(place)


# ---------------------------------------------------------------------- losses and derivatives
P, Q, LOGITS = numbers(3, 4, low=0.1), numbers(3, 4, seed=1, low=0.1), numbers(3, 4, seed=2)
CLASSES = np.array([0, 3, 1])
LOSSES = {
    "l2": lambda t: losses.l2_loss(t(P), t(Q, False), "mean"),
    "mse": lambda t: losses.mse_loss(t(P), t(Q)),
    "l1": lambda t: losses.l1_loss(t(P), t(Q)),
    "huber": lambda t: losses.huber_loss(t(P), t(Q), "none", delta=0.3),
    "smooth l1": lambda t: losses.smooth_l1_loss(t(P), t(Q), "sum"),
    "bce": lambda t: losses.binary_cross_entropy(t(P), t(Q)),
    "logits": lambda t: losses.binary_cross_entropy_with_logits(t(LOGITS), t(Q), "none"),
    "classes": lambda t: losses.cross_entropy(t(LOGITS), to_classes(t)),
    "probabilities": lambda t: losses.cross_entropy(t(LOGITS), t(P, False)),
    "kl": lambda t: losses.kl_divergence(t(P), t(Q)),
    "bernoulli kl": lambda t: losses.bernoulli_kl(0.05, t(P)),
    "gaussian kl": lambda t: losses.gaussian_kl(t(LOGITS), t(P)),
    "resize": lambda t: mg.resize_bicubic(t(numbers(1, 5, 4, 2)), (3, 6), antialias=True),
    "dropout": lambda t: mg.dropout(t(P), 0.5, np.random.default_rng(0)),
    "noise": lambda t: mg.gaussian_noise(t(P), 0.5, np.random.default_rng(0)),
    "norm": lambda t: mg.var(t(P), axis=0) + mg.mean(t(Q), axis=0),
    "index": lambda t: t(P)[1:, ::-1] * t(Q)[0],
}


def to_classes(t):
    return mg.tensor(CLASSES).to(t(P).device)


@DTYPES
@pytest.mark.parametrize("name", LOSSES)
def test_losses_and_compositions(name, dtype):
    def results(place):
        leaves = []

        def leaf(values, grad=True):
            leaves.append(on(place, dtype)(values, grad))
            return leaves[-1]

        y = LOSSES[name](leaf)
        y.backward(mg.tensor(np.ones(y.shape, dtype)).to(place))
        return [y.numpy(), *(x.grad.numpy() for x in leaves if x.grad is not None)]

    same_on_both(results, dtype)


@DTYPES
def test_derivatives_of_functions(dtype):
    def results(place):
        x, v = on(place, dtype)(P, False), on(place, dtype)(Q, False)

        def f(x):
            return (mg.tanh(x @ mg.transpose(x)) * mg.sigmoid(x[:, :3])).sum(axis=0)

        tangent = mg.jvp(f, [x], [v])
        bent = mg.hvp(lambda x: (f(x) * f(x)).sum(), x, v)
        return [a.numpy() for a in (*tangent, bent, mg.jacobian(f, x))]

    same_on_both(results, dtype)


# ---------------------------------------------------------------------- training
def network(dtype):
    rng = np.random.default_rng(4)
    model = nn.Sequential(
        nn.Conv2D(1, 3, 3, stride=2, activation="relu", dtype=dtype, rng=rng),
        nn.Conv2D(3, 2, 3, activation="tanh", dtype=dtype, rng=rng),
        nn.Flatten(),
        nn.Dense(18, 5, activation="sigmoid", dtype=dtype, rng=rng),
        nn.Dense(5, 18, dtype=dtype, rng=rng),
        nn.Reshape(3, 3, 2),
        nn.Conv2DTranspose(2, 1, 3, stride=2, dtype=dtype, rng=rng),
    )
    return model


OPTIMIZERS = {
    "SGD": lambda p: optim.SGD(p, 0.05, momentum=0.9, nesterov=True, weight_decay=0.01),
    "RMSprop": lambda p: optim.RMSprop(p, 0.01),
    "Adam": lambda p: optim.Adam(p, optim.Warmup(0.01, 2)),
    "epsilon hat": lambda p: optim.Adam(p, 0.01, epsilon_hat=True, weight_decay=0.1),
    "AdamW": lambda p: optim.AdamW(p, 0.01),
}


@DTYPES
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_training(name, dtype):
    images = numbers(5, 6, 6, 1, low=0.0).astype(dtype)

    def results(place):
        model = network(dtype).to(place)
        optimizer = OPTIMIZERS[name](model.parameters())
        x, seen = mg.tensor(images).to(place), []
        for k in range(4):
            with device.region(h2d=k < 2):  # constants may come in the first steps
                loss = losses.l2_loss(model(x), x) + optim.l2_penalty(model.parameters(), 0.01)
                optimizer.zero_grad()
                loss.backward()
                if name != "RMSprop":  # the norm is read by the host
                    optimizer.step()
            if name == "RMSprop":
                optim.clip_grad_norm(model.parameters(), 0.5)
                optimizer.step()
            seen.append(loss.numpy())
        return [*seen, *model.state_dict().values(), *optimizer.state_dict().values()]

    same_on_both(results, dtype)


@DTYPES
def test_saving_and_reading(tmp_path, dtype):
    model = network(dtype).to("cuda")
    optimizer = optim.Adam(model.parameters())
    mg.checkpoint.save(tmp_path / "model.npz", model)
    other = network(dtype).to("cuda")
    for p in other.parameters():
        p.data = p.data * 0
    mg.checkpoint.load(tmp_path / "model.npz", into=other)
    for mine, theirs in zip(model.parameters(), other.parameters(), strict=True):
        assert theirs.device == "cuda"
        np.testing.assert_array_equal(mine.numpy(), theirs.numpy())
    optimizer.load_state_dict(optimizer.state_dict())


def test_the_debugging_tools():
    x = mg.tensor(P, requires_grad=True).to("cuda")
    assert "exp" in str(mg.debug.explain(mg.exp(x).sum()))
    with pytest.raises(FloatingPointError), mg.debug.nan_trace():
        mg.log(x - 2).sum().backward()
    with mg.debug.profile() as report:
        (x * x).sum().backward()
    assert "multiply" in report()
    assert "device=cuda" in repr(x) and len(list(x)) == 3 and float(x.sum().detach()) > 0


# ---------------------------------------------------------------------- estimators
ESTIMATORS = {
    "plain": ("Autoencoder", {}),
    "denoising": ("DenoisingAutoencoder", dict(dropout=0.2)),
    "sparse": ("SparseAutoencoder", dict(hidden=(5,), tied=True, validation_fraction=0.2)),
    "contractive": ("ContractiveAutoencoder", {}),
    "variational": ("VariationalAutoencoder", dict(likelihood="bernoulli")),
    "images": ("Autoencoder", dict(hidden=(4,), image_shape=(4, 4, 1), solver="sgd")),
    "continuous": ("Autoencoder", dict(likelihood="continuous_bernoulli", noise="masking")),
    "weights": ("Autoencoder", dict(penalty=("l1", "weight_decay"), code="sigmoid")),
}


@DTYPES
@pytest.mark.parametrize("name", ESTIMATORS)
def test_estimators(name, dtype, tmp_path, monkeypatch):
    kind, settings = ESTIMATORS[name]
    data = numbers(12, 16, low=0.0).astype(dtype)
    streams = training.random_streams

    def results(place):
        def drawn_there(seed, on_device=False):  # the CPU draws what the GPU draws
            if dtype == np.float64:
                return streams(seed)
            made = streams(seed)
            for name in ("noise", "dropout"):
                made[name] = Philox(int(made[name].integers(2**63)), place)
            return made

        monkeypatch.setattr(training, "random_streams", drawn_there)
        model = getattr(autoencoder, kind)(
            3, max_epochs=2, batch_size=5, random_state=0, device=place, **settings
        ).fit(data)
        model.save(tmp_path / f"{place}.npz")
        model = autoencoder.load(tmp_path / f"{place}.npz")
        assert model.network_.parameters()[0].device == place
        return [model.transform(data), model.reconstruct(data), model.score_samples(data)]

    same_on_both(results, dtype)
