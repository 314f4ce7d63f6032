"""Files of weights: with them PyTorch, and a new network here, compute what the estimator does."""

import numpy as np
import pytest

import autoencoder as ae
from autoencoder.networks import TiedDense
from minigrad import safetensors
from minigrad.interchange import from_torch_state_dict
from minigrad.nn import (
    BatchNorm1D,
    BatchNorm2D,
    Conv2D,
    Conv2DTranspose,
    Dense,
    Dropout,
    Flatten,
    Reshape,
    Sequential,
)

torch = pytest.importorskip("torch", reason="PyTorch, the second opinion, is not installed")
pytest.importorskip("safetensors", reason="safetensors is not installed")
nn = torch.nn
SHAPE = (8, 4, 2)
X = np.random.default_rng(0).random((30, 64), dtype=np.float32)
LABELS = np.arange(30) % 3
IMAGES = dict(hidden=(3, 5), image_shape=SHAPE)


def own_network(sizes, code, rng, dtype):
    make = dict(rng=rng, dtype=dtype)
    encoder = Sequential(
        Reshape(*SHAPE),
        Conv2D(2, 3, stride=2, **make),
        BatchNorm2D(3, dtype=dtype),
        Flatten(),
        BatchNorm1D(24, dtype=dtype),
        Dense(24, code.width(sizes.n_components), **make),
    )
    return encoder, Sequential(
        Dense(4, 9, **make), BatchNorm1D(9, dtype=dtype), Dense(9, 64, **make)
    )


MODELS = {
    "dense": ae.Autoencoder(4, hidden=(9, 7), activation="tanh", dropout=0.1),
    "convolutional": ae.Autoencoder(4, **IMAGES),
    "tied": ae.Autoencoder(7, hidden=(9, 7), tied=True),
    "tied convolutions": ae.Autoencoder(4, tied=True, dropout=0.1, **IMAGES),
    "batch norm": ae.Autoencoder(4, network=own_network),
    "conditional": ae.Autoencoder(4, hidden=(9,), conditional=True),
    "conditional convolutions": ae.VariationalAutoencoder(4, conditional=True, **IMAGES),
    "quantised": ae.Autoencoder(4, code=ae.VectorQuantisedCode(8, length=2)),
    "variational": ae.VariationalAutoencoder(4, hidden=(9,)),
    "variational convolutions": ae.VariationalAutoencoder(4, **IMAGES),
}


class Apply(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


class Halving(nn.Conv2d):
    def forward(self, x):
        return super().forward(nn.functional.pad(x, (0, 1, 0, 1)))


class Doubling(nn.ConvTranspose2d):
    def forward(self, x):
        return super().forward(x)[:, :, :-1, :-1]


class WithLabels(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return torch.cat([self.inner(x[:, :64]), x[:, 64:]], 1)


def theirs(sequential, encoder):
    """The same layers in PyTorch, its way: images are NCHW, but for the rows."""
    made = []
    for k, layer in enumerate(sequential.layers):
        match layer:
            case Dense():
                made.append(nn.Linear(*layer.weight.shape))
            case TiedDense():
                made.append(nn.Linear(layer.in_features, len(layer.weight)))
            case Conv2D():
                made.append(Halving(*layer.weight.shape[2:], 3, stride=2))
            case Conv2DTranspose():
                made.append(Doubling(*layer.weight.shape[:1:-1], 3, stride=2))
            case BatchNorm2D():
                made.append(nn.BatchNorm2d(len(layer.weight)))
            case BatchNorm1D():
                made.append(nn.BatchNorm1d(len(layer.weight)))
            case Dropout():
                made.append(nn.Dropout())
            case Reshape() if encoder and k == 0:  # rows keep the order (H, W, C)
                made.append(Apply(lambda x: x.reshape(-1, *SHAPE).permute(0, 3, 1, 2)))
            case Reshape():
                made.append(nn.Unflatten(1, (layer.shape[-1], *layer.shape[:-1])))
            case Flatten() if not encoder:
                made.append(Apply(lambda x: x.permute(0, 2, 3, 1).flatten(1)))
            case Flatten():
                made.append(nn.Flatten())
            case _:
                made.append(WithLabels(theirs(layer.inner, encoder)))
        activation = getattr(layer, "activation", None)
        if activation is not None:
            made.append({"relu": nn.ReLU, "tanh": nn.Tanh}[activation]())
    return nn.Sequential(*made)


@pytest.mark.parametrize("name", MODELS)
def test_files_of_weights_compute_the_same(name, tmp_path):
    estimator = MODELS[name].set_params(max_epochs=2, random_state=0)
    y = LABELS if estimator.conditional else None
    model = estimator.fit(X, y)
    network = model.network_.eval()
    labels = np.eye(3, dtype=np.float32)[LABELS][:, : network.n_labels]
    rows = np.hstack([X, labels])
    h = network.encoder(rows if network.center is None else rows - network.center).data
    z = np.hstack([model.transform(X, y), labels])
    t = network.decode(z).data

    model.save(tmp_path / "a.bin", format="pytorch")
    state = safetensors.load(tmp_path / "a.bin")
    other = nn.ModuleDict(
        {"encoder": theirs(network.encoder, True), "decoder": theirs(network.decoder, False)}
    ).eval()
    own = {n: torch.from_numpy(a) for n, a in state.items() if n[:2] in ("en", "de")}
    missing, unexpected = other.load_state_dict(own, strict=False)
    assert not unexpected and all(n.endswith("num_batches_tracked") for n in missing)
    assert set(state) - set(own) <= {"center", "offset", "layer.vectors"}
    with torch.no_grad():
        got = other["encoder"](torch.from_numpy(rows - state.get("center", np.float32(0))))
        np.testing.assert_allclose(got.numpy(), h, atol=2e-6)
        got = other["decoder"](torch.from_numpy(z)).numpy() + state.get("offset", np.float32(0))
        np.testing.assert_allclose(got, t, atol=2e-6)
    if "layer.vectors" in state:
        pieces, vectors = (
            torch.from_numpy(h.reshape(-1, 2).copy()),
            torch.from_numpy(state["layer.vectors"]),
        )
        nearest = vectors[torch.cdist(pieces, vectors).argmin(1)].reshape(-1, 4)
        np.testing.assert_allclose(nearest.numpy(), model.transform(X), atol=1e-6)

    model.save(tmp_path / "a.safetensors")
    for arrays in (
        from_torch_state_dict(network, state),
        safetensors.load(tmp_path / "a.safetensors"),
    ):
        fresh = estimator.set_params(max_epochs=0, random_state=1).fit(X, y)
        network = fresh.network_
        network.load_state_dict(arrays)
        fresh.network_ = network
        np.testing.assert_array_equal(fresh.transform(X, y), z[:, : model.n_components])
