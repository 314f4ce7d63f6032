"""Proves that weights of PyTorch and Keras give the same outputs here, and come back unchanged."""

import numpy as np
import pytest

import minigrad as mg
from minigrad.interchange import (
    from_keras_weights,
    from_torch_state_dict,
    to_keras_weights,
    to_torch_state_dict,
)
from minigrad.nn import (
    BatchNorm1D,
    BatchNorm2D,
    Buffer,
    Conv1D,
    Conv1DTranspose,
    Conv2D,
    Conv2DTranspose,
    Dense,
    Dropout,
    Flatten,
    GroupNorm,
    LayerNorm,
    Module,
    Parameter,
    ReLU,
    Reshape,
    Sequential,
    Tanh,
)

torch = pytest.importorskip("torch", reason="PyTorch, the second opinion, is not installed")
nn = torch.nn
RNG = np.random.default_rng(0)
F64 = dict(dtype=np.float64, rng=RNG)


class Norm(Module):
    """Batch normalization as at test time, under PyTorch's names."""

    def __init__(self, features):
        self.weight, self.bias = Parameter(np.ones(features)), Parameter(np.zeros(features))
        self.running_mean, self.running_var = Buffer(np.zeros(features)), Buffer(np.ones(features))

    def forward(self, x):
        return (x - self.running_mean) / (self.running_var.data + 1e-5) ** 0.5 * self.weight + (
            self.bias
        )


Norm.__module__ = "minigrad.norm"  # as one of the library's own


class Pair(Module):
    """Two networks as attributes, the second within a list."""

    def __init__(self):
        self.encoder = Sequential(Dense(3, 3, activation="tanh", **F64), Dense(3, 2, **F64))
        self.decoders = [Dense(2, 3, **F64)]

    def forward(self, x):
        return self.decoders[0](self.encoder(x))


class TorchPair(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(3, 3), nn.Tanh(), nn.Linear(3, 2))
        self.decoders = nn.ModuleList([nn.Linear(2, 3)])

    def forward(self, x):
        return self.decoders[0](self.encoder(x))


MODELS = {  # ours, PyTorch's, the shape of an input here
    "square dense": (lambda: Dense(3, 3, **F64), lambda: nn.Linear(3, 3), (4, 3)),
    "convolution": (
        lambda: Conv2D(4, 6, (3, 2), padding=1, groups=2, **F64),
        lambda: nn.Conv2d(4, 6, (3, 2), padding=1, groups=2),
        (2, 5, 6, 4),
    ),
    "square kernel": (
        lambda: Conv2D(3, 3, padding="valid", **F64), lambda: nn.Conv2d(3, 3, 3), (2, 5, 6, 3),
    ),
    "transposed": (
        lambda: Conv2DTranspose(3, 2, (2, 3), stride=2, padding="valid", **F64),
        lambda: nn.ConvTranspose2d(3, 2, (2, 3), stride=2),
        (2, 4, 3, 3),
    ),
    "attributes": (Pair, TorchPair, (4, 3)),
    "activations are layers": (
        lambda: Sequential(
            Dense(3, 3, activation="relu", **F64), Sequential(Dense(3, 3, **F64), Tanh()), Norm(3)
        ),
        lambda: nn.Sequential(
            nn.Linear(3, 3), nn.ReLU(), nn.Sequential(nn.Linear(3, 3), nn.Tanh()), nn.BatchNorm1d(3)
        ),
        (4, 3),
    ),
    "images to code and back": (
        lambda: Sequential(
            Sequential(
                Conv2D(2, 3, padding=1, activation="relu", **F64), Norm(3), Flatten(), Norm(60),
                Dropout(0.5, rng=RNG), Dense(60, 7, **F64),
            ),
            Sequential(
                Dense(7, 24, activation="relu", **F64), Norm(24), ReLU(), Reshape(4, 3, 2),
                Conv2DTranspose(2, 4, 2, stride=2, padding="valid", **F64), Flatten(),
                Dense(192, 3, **F64), Dense(3, 3, **F64),
            ),
        ),
        lambda: nn.Sequential(
            nn.Sequential(
                nn.Conv2d(2, 3, 3, padding=1), nn.ReLU(), nn.BatchNorm2d(3), nn.Flatten(),
                nn.BatchNorm1d(60), nn.Dropout(), nn.Linear(60, 7),
            ),
            nn.Sequential(
                nn.Linear(7, 24), nn.ReLU(), nn.BatchNorm1d(24), nn.ReLU(),
                nn.Unflatten(1, (2, 4, 3)), nn.ConvTranspose2d(2, 4, 2, stride=2), nn.Flatten(),
                nn.Linear(192, 3), nn.Linear(3, 3),
            ),
        ),
        (3, 4, 5, 2),
    ),
    "the library's norm layers": (
        lambda: Sequential(
            Conv2D(2, 6, padding=1, **F64), BatchNorm2D(6, dtype=float),
            GroupNorm(3, 6, dtype=float), LayerNorm((4, 5, 6), dtype=float),
            Conv2DTranspose(6, 3, 2, padding="valid", **F64), Flatten(),
            Dense(90, 7, **F64), BatchNorm1D(7, dtype=float), LayerNorm(7, dtype=float),
        ),
        lambda: nn.Sequential(
            nn.Conv2d(2, 6, 3, padding=1), nn.BatchNorm2d(6),
            nn.GroupNorm(3, 6), nn.LayerNorm((6, 4, 5)),
            nn.ConvTranspose2d(6, 3, 2), nn.Flatten(),
            nn.Linear(90, 7), nn.BatchNorm1d(7), nn.LayerNorm(7),
        ),
        (3, 4, 5, 2),
    ),
    "sequences": (
        lambda: Sequential(
            Conv1D(2, 4, 3, padding=1, activation="relu", **F64), BatchNorm1D(4, dtype=float),
            Conv1DTranspose(4, 3, 2, stride=2, padding="valid", **F64),
        ),
        lambda: nn.Sequential(
            nn.Conv1d(2, 4, 3, padding=1), nn.ReLU(), nn.BatchNorm1d(4),
            nn.ConvTranspose1d(4, 3, 2, stride=2),
        ),
        (3, 6, 2),
    ),
}  # fmt: skip


def as_theirs(x):
    return np.moveaxis(x, -1, 1) if x.ndim > 2 else x


@pytest.mark.parametrize("name", MODELS)
def test_weights_of_torch_give_its_outputs_and_come_back(name):
    ours, theirs, shape = MODELS[name]
    ours, theirs = ours().eval(), theirs().double().eval()
    for value in theirs.state_dict().values():
        if value.is_floating_point():
            value.copy_(torch.from_numpy(RNG.uniform(0.5, 1.5, tuple(value.shape)) - 0.4))
    ours.load_state_dict(from_torch_state_dict(ours, theirs.state_dict()))
    x = RNG.standard_normal(shape)
    y = ours(x).data
    expected = theirs(torch.from_numpy(as_theirs(x).copy())).detach().numpy()
    np.testing.assert_allclose(as_theirs(y), expected, rtol=1e-12, atol=1e-12)

    back = to_torch_state_dict(ours)
    counted = {n for n in theirs.state_dict() if n.endswith("num_batches_tracked")}
    assert set(back) == set(theirs.state_dict()) - counted
    for key, array in back.items():
        np.testing.assert_array_equal(array, theirs.state_dict()[key].numpy())
    theirs.load_state_dict({n: torch.from_numpy(a) for n, a in back.items()})


@pytest.mark.parametrize("convert", [lambda v: v, lambda v: v.numpy()])
def test_weights_of_torch_are_not_loaded_untransposed(convert):
    layer = Dense(3, 3, rng=RNG)
    before, state = layer.state_dict(), nn.Linear(3, 3).state_dict()
    with pytest.raises(ValueError, match=r"weight is PyTorch's.*minigrad\.interchange"):
        layer.load_state_dict({name: convert(value) for name, value in state.items()})
    np.testing.assert_array_equal(layer.weight.data, before["weight"])


@pytest.mark.parametrize(("change", "words"), [
    (lambda s: s.pop("bias"), "bias is missing"), (lambda s: s.update(more=1.0), "more is unknown"),
    (lambda s: s.update(weight=np.ones((3, 2))), r"weight is \(3, 2\), expected \(2, 3\)"),
])  # fmt: skip
def test_weights_of_another_model_are_refused(change, words):
    state = to_torch_state_dict(Dense(3, 2, rng=RNG))
    change(state)
    with pytest.raises(ValueError, match=rf"from_torch_state_dict: .*Dense: {words}.*same layers"):
        from_torch_state_dict(Dense(3, 2, rng=RNG), state)


def test_channels_that_no_layer_tells_must_be_given():
    model = Sequential(Flatten(), Dense(12, 2, **F64))
    with pytest.raises(ValueError, match="pass channels="):
        to_torch_state_dict(model)
    gray, color = (to_torch_state_dict(model, channels=n)["1.weight"] for n in (1, 3))
    np.testing.assert_array_equal(gray, model.layers[1].weight.data.T)
    pixels = RNG.standard_normal((1, 2, 2, 3))
    expected = model(pixels).data
    np.testing.assert_allclose(as_theirs(pixels).reshape(1, 12) @ color.T, expected, rtol=1e-12)


def test_channels_need_not_be_given_where_they_are_known_or_do_not_matter():
    nested = Sequential(Conv2D(1, 3, **F64), Sequential(Flatten(), Dense(12, 2, **F64)))
    weight = nested.layers[1].layers[1].weight.data.reshape(4, 3, 2)  # (H * W, C, out)
    expected = weight.transpose(2, 1, 0).reshape(2, 12)
    np.testing.assert_array_equal(to_torch_state_dict(nested)["1.1.weight"], expected)
    rows = Sequential(Dense(3, 12, **F64), Flatten(), Dense(12, 2, **F64))  # nothing to flatten
    expected = rows.layers[2].weight.data.T
    np.testing.assert_array_equal(to_torch_state_dict(rows)["2.weight"], expected)
    gray = Sequential(Own(), Reshape(3, 4, 1))
    gray.layers[0].torch_axes = (1, 0)
    assert to_torch_state_dict(gray)["0.weight"].shape == (12, 12)


class Own(Module):
    """A layer of the user whose weight has two axes."""

    def __init__(self):
        self.weight = Parameter(np.ones((12, 12)))


def test_layouts_that_are_not_known_are_refused():
    with pytest.raises(ValueError, match=r"weight has 2 axes.*torch_axes, which is \(0, 1\)"):
        to_torch_state_dict(Own())
    own = Own()
    own.torch_axes = (0, 1)
    np.testing.assert_array_equal(to_torch_state_dict(own)["weight"], own.weight.data)
    conv = Conv2D(1, 3, **F64)
    for layers in ([conv, Flatten(), own], [own, Reshape(2, 2, 3)], [conv, own, Flatten(),
                   Dense(12, 2, **F64)]):  # fmt: skip
        with pytest.raises(ValueError, match="order of the pixels is not known"):
            to_torch_state_dict(Sequential(*layers))


def test_shared_weights_have_all_their_names_in_torch():
    model = Sequential(Dense(3, 3, **F64), Dense(3, 3, **F64))
    model.layers[1].weight = model.layers[0].weight
    state = to_torch_state_dict(model)
    np.testing.assert_array_equal(state["0.weight"], state["1.weight"])
    assert set(from_torch_state_dict(model, state)) == set(model.state_dict())
    state["1.weight"][0, 0] += 1
    with pytest.raises(ValueError, match=r"layers.0.weight is shared .* 1.weight has values"):
        from_torch_state_dict(model, state)


# ---------------------------------------------------------------------- Keras
def keras_convolution(x, kernel, bias):
    """What Keras documents for Conv2D with stride 2 and "same": kernel (kh, kw, in, out)."""
    n, h, w, _ = x.shape
    kh, kw, _, out = kernel.shape
    rows, columns = -(-h // 2), -(-w // 2)
    down, right = (max((m - 1) * 2 + k - size, 0) for m, k, size in
                   ((rows, kh, h), (columns, kw, w)))  # fmt: skip
    x = np.pad(x, ((0, 0), (down // 2, down - down // 2), (right // 2, right - right // 2), (0, 0)))
    y = np.zeros((n, rows, columns, out))
    for i in range(rows):
        for j in range(columns):
            patch = x[:, 2 * i : 2 * i + kh, 2 * j : 2 * j + kw]
            y[:, i, j] = np.einsum("nhwc,hwcf->nf", patch, kernel)
    return y + bias


def keras_transposed(x, kernel, bias):
    """What Keras documents for Conv2DTranspose with stride 2 and "valid": (kh, kw, out, in)."""
    n, h, w, _ = x.shape
    kh, kw, out, _ = kernel.shape
    y = np.zeros((n, (h - 1) * 2 + kh, (w - 1) * 2 + kw, out))
    for i in range(h):
        for j in range(w):
            patch = np.einsum("nc,hwfc->nhwf", x[:, i, j], kernel)
            y[:, 2 * i : 2 * i + kh, 2 * j : 2 * j + kw] += patch
    return y + bias


def test_weights_of_keras_drop_in_unchanged():
    model = Sequential(
        Conv2D(3, 3, stride=2, **F64),
        Norm(3),
        Conv2DTranspose(3, 3, stride=2, padding="valid", **F64),
        Flatten(),
        Dense(147, 147, **F64),
    )
    shapes = [(3, 3, 3, 3), (3,), (3,), (3,), (3,), (3,), (3, 3, 3, 3), (3,), (147, 147), (147,)]
    weights = [RNG.uniform(0.5, 1.5, shape) for shape in shapes]
    model.load_state_dict(from_keras_weights(model, weights))
    x = RNG.standard_normal((2, 5, 6, 3))
    kernel, bias, gamma, beta, mean, variance, transposed, shift, matrix, last = weights
    y = keras_convolution(x, kernel, bias)
    y = (y - mean) / np.sqrt(variance + 1e-5) * gamma + beta
    y = keras_transposed(y, transposed, shift).reshape(2, -1) @ matrix + last
    np.testing.assert_allclose(model(x).data, y, rtol=1e-12)
    for mine, theirs in zip(to_keras_weights(model), weights, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_other_weights_of_keras_are_refused():
    model = Dense(3, 2, rng=RNG)
    with pytest.raises(ValueError, match="Dense: 1 arrays, expected 2"):
        from_keras_weights(model, [np.ones((3, 2))])
    with pytest.raises(ValueError, match=r"weight is \(2, 3\), expected \(3, 2\)"):
        from_keras_weights(model, [np.ones((2, 3)), np.ones(2)])
    assert mg.interchange.to_keras_weights(model)[1].shape == (2,)
