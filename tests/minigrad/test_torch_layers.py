"""Layers equal PyTorch's: values, and gradients of weights and inputs."""

import math

import numpy as np
import pytest
from second_opinion import TOLERANCE, compare

import minigrad as mg
from minigrad import nn, tensor
from minigrad.testing import assert_close_to_torch

torch = pytest.importorskip("torch", reason="PyTorch, the second opinion, is not installed")
F = torch.nn.functional
DTYPES = [np.float64, np.float32]
RNG = np.random.default_rng(2025)


def compare_layers(mine, theirs, x, to_torch, *, tolerance):
    """A layer and PyTorch's with the same weights agree in value and in all gradients.

    `to_torch` lays out an image, a weight or an output as PyTorch does, by the number of its axes.
    """
    for name, parameter in mine.named_parameters():
        target = dict(theirs.named_parameters())[name]
        with torch.no_grad():
            target.copy_(to_torch(torch.tensor(parameter.numpy()), weight=True))
    xs, ts = tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    y, z = mine(xs), to_torch(theirs(to_torch(ts)), back=True)
    assert_close_to_torch(y, z, tolerance=tolerance)
    u = np.random.default_rng(8).standard_normal(y.shape).astype(x.dtype)
    y.backward(u)
    z.backward(torch.tensor(u))
    assert_close_to_torch(xs.grad, ts.grad, tolerance=tolerance, what="gradient of x")
    for name, parameter in mine.named_parameters():
        ours, grad = parameter.grad.numpy(), dict(theirs.named_parameters())[name].grad
        ours = to_torch(torch.tensor(ours), weight=True).numpy()
        assert_close_to_torch(ours, grad, tolerance=tolerance, what=f"gradient of {name}")


def image_layout(x, weight=False, back=False):
    if x.ndim != 4:
        return x
    order = (3, 2, 0, 1) if weight else (0, 2, 3, 1) if back else (0, 3, 1, 2)
    return x.permute(order).contiguous()


def matrix_layout(x, weight=False, back=False):
    return x.T if weight and x.ndim == 2 else x


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(5, 4), (4,), (2, 3, 4)])
def test_dense(shape, bias, dtype):
    mine = nn.Dense(4, 3, bias=bias, dtype=dtype, rng=np.random.default_rng(0))
    theirs = torch.nn.Linear(4, 3, bias=bias, dtype=torch.tensor(dtype()).dtype)
    randomise(mine)
    x = RNG.standard_normal(shape).astype(dtype)
    compare_layers(mine, theirs, x, matrix_layout, tolerance=TOLERANCE[dtype])


@pytest.mark.parametrize("activation", [None, "relu", "sigmoid", "tanh", "softplus", mg.exp])
def test_dense_as_a_function_with_an_activation(activation):
    last = {
        None: lambda y: y,
        "relu": torch.relu,
        "sigmoid": torch.sigmoid,
        "tanh": torch.tanh,
        "softplus": F.softplus,
        mg.exp: torch.exp,
    }[activation]
    compare(
        lambda x, w, b: mg.dense(x, w, b, activation=activation),
        lambda x, w, b: last(F.linear(x, w.T, b)),
        [RNG.standard_normal(shape) for shape in ((5, 4), (4, 3), (3,))],
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("options", "padding"),
    [
        (dict(), 1),
        (dict(bias=False, padding="valid"), 0),
        (dict(stride=2, padding=1), 1),
        (dict(stride=(2, 1), padding=2, dilation=2, groups=2), 2),
        (dict(kernel_size=(1, 3), padding=((0, 0), (1, 1))), (0, 1)),
    ],
    ids=str,
)
def test_conv2d(options, padding, dtype):
    mine = nn.Conv2D(4, 6, dtype=dtype, rng=np.random.default_rng(0), **options)
    randomise(mine)
    theirs = torch.nn.Conv2d(
        4,
        6,
        options.get("kernel_size", 3),
        options.get("stride", 1),
        padding,
        options.get("dilation", 1),
        options.get("groups", 1),
        options.get("bias", True),
        dtype=torch.tensor(dtype()).dtype,
    )
    x = RNG.standard_normal((2, 7, 8, 4)).astype(dtype)
    compare_layers(mine, theirs, x, image_layout, tolerance=2 * TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("options", "theirs"),
    [
        (dict(), dict(padding=1)),
        (dict(stride=2, padding="valid", bias=False), dict(stride=2, bias=False)),
        (dict(kernel_size=(2, 4), stride=2, padding=1), dict(stride=2, padding=1)),
        (
            dict(kernel_size=4, stride=2, padding="same"),  # size * 2, with one row on each side
            dict(stride=2, padding=1),
        ),
        (
            dict(stride=2, padding=1, output_size=(10, 12)),
            dict(stride=2, padding=1, output_padding=1),
        ),
    ],
    ids=str,
)
def test_conv2d_transpose(options, theirs, dtype):
    mine = nn.Conv2DTranspose(4, 3, dtype=dtype, rng=np.random.default_rng(0), **options)
    randomise(mine)
    kind = torch.tensor(dtype()).dtype
    theirs = torch.nn.ConvTranspose2d(4, 3, options.get("kernel_size", 3), dtype=kind, **theirs)
    x = RNG.standard_normal((2, 5, 6, 4)).astype(dtype)
    compare_layers(mine, theirs, x, image_layout, tolerance=2 * TOLERANCE[dtype])


def test_a_model_of_several_layers():
    rng = np.random.default_rng(1)
    make = dict(dtype=np.float64, rng=rng)
    mine = nn.Sequential(
        nn.Conv2D(2, 3, **make),
        nn.ReLU(),
        nn.Conv2DTranspose(3, 2, kernel_size=4, stride=2, **make),
        nn.Tanh(),
        nn.Flatten(),
        nn.Reshape(4, 5, 8),
        nn.Sigmoid(),
    )
    randomise(mine)
    theirs = torch.nn.Sequential(
        torch.nn.Conv2d(2, 3, 3, padding=1, dtype=torch.float64),
        torch.nn.ReLU(),
        torch.nn.ConvTranspose2d(3, 2, 4, 2, 1, dtype=torch.float64),
        torch.nn.Tanh(),
    )
    names = {"layers.0": "0", "layers.2": "2"}
    for name, parameter in mine.named_parameters():
        layer, _, kind = name.rpartition(".")
        target = dict(theirs.named_parameters())[f"{names[layer]}.{kind}"]
        with torch.no_grad():
            target.copy_(image_layout(torch.tensor(parameter.numpy()), weight=True))
    compare(
        mine,
        lambda x: torch.sigmoid(
            torch.nn.Unflatten(1, (4, 5, 8))(
                torch.nn.Flatten()(image_layout(theirs(image_layout(x)), back=True))
            )
        ),
        [RNG.standard_normal((2, 4, 5, 2))],
    )


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        (nn.ReLU(), torch.nn.ReLU()),
        (nn.Sigmoid(), torch.nn.Sigmoid()),
        (nn.Tanh(), torch.nn.Tanh()),
        (nn.Flatten(), torch.nn.Flatten()),
        (nn.Reshape(2, 6), torch.nn.Unflatten(1, (2, 6))),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_layers_without_weights(mine, theirs):
    shape = (5, 12) if isinstance(mine, nn.Reshape) else (5, 3, 4)
    compare(mine, theirs, [RNG.integers(-2, 3, shape) / 2.0])


def test_dropout_and_noise():
    x = RNG.standard_normal((200, 300))
    rate = 0.3
    layer = nn.Dropout(rate, rng=np.random.default_rng(3))
    y = layer(tensor(x, requires_grad=True)).detach().numpy()
    kept = y != 0
    assert np.allclose(y[kept], x[kept] / (1 - rate), rtol=1e-15)  # PyTorch's scale
    assert abs(kept.mean() - (1 - rate)) < 5 * math.sqrt(rate * (1 - rate) / x.size)
    noise = nn.GaussianNoise(0.5, rng=np.random.default_rng(3))(tensor(x)).numpy() - x
    assert abs(noise.mean()) < 5 * 0.5 / math.sqrt(x.size)
    assert abs(noise.std() / 0.5 - 1) < 5 / math.sqrt(2 * x.size)
    for switched_off in (layer.eval(), nn.GaussianNoise(0.5, rng=RNG).eval()):
        compare(switched_off, torch.nn.Dropout(rate).eval(), [x[:3, :4]])


def randomise(module):
    """Biases start as zeros, which would hide a missing one."""
    for p in module.parameters():
        p.data = np.ascontiguousarray(RNG.standard_normal(p.shape)).astype(p.dtype)
