"""Initial weights have the distributions that PyTorch's formulas give."""

import math

import numpy as np
import pytest

from minigrad import init, nn

torch = pytest.importorskip("torch", reason="PyTorch, the second opinion, is not installed")

LIMITS = {  # name: (whether uniform, its limit or standard deviation) for (fan_in, fan_out)
    "glorot_uniform": (True, lambda i, o: math.sqrt(6 / (i + o))),
    "glorot_normal": (False, lambda i, o: math.sqrt(2 / (i + o))),
    "he_uniform": (True, lambda i, o: math.sqrt(6 / i)),
    "he_normal": (False, lambda i, o: math.sqrt(2 / i)),
}


def torch_fans(shape):
    """PyTorch's fans of a kernel (..., in, out), which it keeps as (out, in, ...)."""
    weight = torch.empty(shape[-1], shape[-2], *shape[:-2])
    return torch.nn.init._calculate_fan_in_and_fan_out(weight)


@pytest.mark.parametrize("shape", [(7, 5), (3, 3, 16, 32), (1, 1, 4, 2), (2, 5, 3, 1)], ids=str)
def test_fans(shape):
    assert init.fan_in_out(shape) == torch_fans(shape)


def check_distribution(values, name, fans):
    """Mean, spread and the ends are those of the formula, within five standard errors."""
    uniform, width = LIMITS[name][0], LIMITS[name][1](*fans)
    std, n = width / math.sqrt(3) if uniform else width, values.size
    kurtosis = 1.8 if uniform else 3.0
    assert abs(values.mean()) < 5 * std / math.sqrt(n)
    assert abs(values.var() / std**2 - 1) < 5 * math.sqrt((kurtosis - 1) / n)
    assert abs((values**4).mean() / std**4 / kurtosis - 1) < 50 / math.sqrt(n)
    if uniform:
        assert width * (1 - 50 / n) < np.abs(values).max() <= width * (1 + 1e-7)


@pytest.mark.parametrize("shape", [(400, 250), (3, 3, 64, 200), (2, 4, 100, 50)], ids=str)
@pytest.mark.parametrize("name", LIMITS)
def test_initialisers(name, shape):
    draw = init.initialisers[name]
    values = draw(shape, np.random.default_rng(4))
    assert (values.shape, values.dtype) == (shape, np.float32)
    check_distribution(values.astype(np.float64), name, torch_fans(shape))
    again = draw(shape, np.random.default_rng(4), np.float64)
    assert again.dtype == np.float64
    assert np.array_equal(again.astype(np.float32), values)
    check_distribution(draw(shape, np.random.default_rng(4), fans=(90, 10)), name, (90, 10))


@pytest.mark.parametrize(
    ("name", "draw"),
    [
        ("glorot_uniform", torch.nn.init.xavier_uniform_),
        ("glorot_normal", torch.nn.init.xavier_normal_),
        ("he_uniform", lambda w: torch.nn.init.kaiming_uniform_(w, nonlinearity="relu")),
        ("he_normal", lambda w: torch.nn.init.kaiming_normal_(w, nonlinearity="relu")),
    ],
)
def test_the_formulas_are_those_of_pytorch(name, draw):
    torch.manual_seed(5)
    shape = (3, 3, 64, 100)
    check_distribution(draw(torch.empty(100, 64, 3, 3)).double().numpy(), name, torch_fans(shape))


def test_zeros():
    assert not init.zeros((3, 2)).any() and init.zeros((3, 2)).dtype == np.float32
    assert set(init.initialisers) == {*LIMITS, "zeros"}


@pytest.mark.parametrize("name", LIMITS)
@pytest.mark.parametrize(
    ("make", "fans"),
    [
        (lambda **o: nn.Dense(300, 200, **o), (300, 200)),
        (lambda **o: nn.Conv2D(60, 90, (3, 2), **o), (360, 540)),
        (lambda **o: nn.Conv2D(60, 240, 3, groups=4, **o), (135, 2160)),  # PyTorch counts so too
        # each input pixel reaches 3 * 2 * 90 outputs; PyTorch reads the stored kernel (in, out)
        # the other way round and swaps the two, which changes He's initialisers
        (lambda **o: nn.Conv2DTranspose(60, 90, (3, 2), **o), (360, 540)),
    ],
    ids=["Dense", "Conv2D", "Conv2D groups", "Conv2DTranspose"],
)
def test_weights_of_layers(make, fans, name):
    layer = make(weight_init=name, rng=np.random.default_rng(6))
    check_distribution(layer.weight.numpy().astype(np.float64), name, fans)
    assert not layer.bias.numpy().any()


def test_layers_start_with_glorot_uniform():
    for make in (nn.Dense, nn.Conv2D, nn.Conv2DTranspose):
        layer = make(300, 200, rng=np.random.default_rng(6))
        window = math.prod(layer.weight.shape[:-2])
        check_distribution(
            layer.weight.numpy().astype(np.float64), "glorot_uniform", (300 * window, 200 * window)
        )
