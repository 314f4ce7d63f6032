"""Layers, losses and initialisers equal PyTorch's: values, gradients, every reduction."""

import math
from typing import NamedTuple

import numpy as np
import pytest
from second_opinion import close, compare

import minigrad as mg
from minigrad import init, losses, nn, tensor
from minigrad.testing import assert_close_to_torch

torch = pytest.importorskip("torch", reason="PyTorch, the second opinion, is not installed")
F = torch.nn.functional

TOLERANCE = {np.float64: 1e-12, np.float32: 8 * 2.0**-23}  # relative to the largest element
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


# ---------------------------------------------------------------------- layers
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


# ---------------------------------------------------------------------- losses
def uniform(*shape):
    return RNG.uniform(0.05, 0.95, shape)


def distribution(*shape):
    p = RNG.uniform(0.1, 1.0, shape)
    return p / p.sum(axis=-1, keepdims=True)


def normal(*shape):
    return RNG.standard_normal(shape)


def bernoulli(p):
    return torch.distributions.Bernoulli(p, validate_args=False)


def gaussian_kl(mean, log_variance):
    one = torch.distributions.Normal(torch.zeros_like(mean), torch.ones_like(mean))
    two = torch.distributions.Normal(mean, torch.exp(log_variance / 2))
    return torch.distributions.kl_divergence(two, one)


class Loss(NamedTuple):
    """A loss, the same in PyTorch without any reduction, and how both arguments are drawn."""

    mine: object
    theirs: object
    draw: tuple
    shapes: tuple = ((4, 3), (3,), (2, 3, 2, 2))
    default: str = "mean"
    order: int = 2  # of the derivatives to compare


LOSSES = [
    Loss(
        losses.l2_loss,
        lambda a, b: F.mse_loss(a, b, reduction="none") / 2,
        (normal, normal),
        default="sum",
    ),
    Loss(
        losses.binary_cross_entropy,
        lambda p, t: F.binary_cross_entropy(p, t, reduction="none"),
        (uniform, uniform),
        order=1,  # PyTorch's second derivative adds 1e-12 to p (1 - p), and is 3e-11 off
    ),
    Loss(
        losses.binary_cross_entropy,
        lambda p, t: -(t * torch.log(p) + (1 - t) * torch.log(1 - p)),
        (uniform, uniform),
    ),
    Loss(
        losses.binary_cross_entropy_with_logits,
        lambda x, t: F.binary_cross_entropy_with_logits(x, t, reduction="none"),
        (normal, uniform),
    ),
    Loss(
        losses.cross_entropy,
        lambda x, t: F.cross_entropy(x, t, reduction="none"),
        (normal, distribution),
        shapes=((4, 5), (1, 3), (3, 1)),
    ),
    Loss(
        losses.kl_divergence,
        lambda p, q: F.kl_div(q.log(), p, reduction="none"),
        (distribution, distribution),
    ),
    Loss(losses.gaussian_kl, gaussian_kl, (normal, normal)),
    Loss(
        losses.bernoulli_kl,
        lambda p, q: torch.distributions.kl_divergence(bernoulli(p), bernoulli(q)),
        (uniform, uniform),
        default="sum",
    ),
]


def per_example(terms):
    return terms.reshape(len(terms), -1).sum(1)


REDUCTIONS = {
    "none": per_example,
    "sum": lambda terms: per_example(terms).sum(),
    "mean": lambda terms: per_example(terms).mean(),  # over the batch: "nats per example"
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("reduction", [*REDUCTIONS, "default"])
@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.mine.__name__)
def test_losses(loss, reduction, dtype):
    options = {} if reduction == "default" else {"reduction": reduction}
    reduce = REDUCTIONS[options.get("reduction", loss.default)]
    for shape in loss.shapes:
        arrays = [draw(*shape).astype(dtype) for draw in loss.draw]
        # the terms cancel: float32 rounds relative to them and not to their sum
        tolerance = TOLERANCE[dtype] * (16 if dtype == np.float32 else 1)
        compare(
            lambda a, b: loss.mine(a, b, **options),
            lambda a, b: reduce(loss.theirs(a, b)),
            arrays,
            tolerance=tolerance,
            order=loss.order,
        )


OVER_ELEMENTS = [
    (losses.mse_loss, F.mse_loss, {}),
    (losses.l1_loss, F.l1_loss, {}),
    (losses.huber_loss, F.huber_loss, {}),
    (losses.huber_loss, F.huber_loss, {"delta": 0.5}),
    (losses.smooth_l1_loss, F.smooth_l1_loss, {}),
    (losses.smooth_l1_loss, F.smooth_l1_loss, {"beta": 2.5}),
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("mine", "theirs", "options"),
    OVER_ELEMENTS,
    ids=[f"{mine.__name__} {options}" for mine, _, options in OVER_ELEMENTS],
)
def test_losses_over_elements(mine, theirs, options, dtype):
    """The mean is over all elements, as PyTorch's; the other reductions are like the others."""
    for shape in ((4, 3), (5,), (2, 3, 2, 2)):
        arrays = [2 * normal(*shape).astype(dtype), normal(*shape).astype(dtype)]
        check = dict(arrays=arrays, tolerance=TOLERANCE[dtype])
        compare(lambda a, b: mine(a, b, **options), lambda a, b: theirs(a, b, **options), **check)
        for reduction in ("mean", "sum"):
            compare(
                lambda a, b, r=reduction: mine(a, b, r, **options),
                lambda a, b, r=reduction: theirs(a, b, reduction=r, **options),
                **check,
            )
        compare(
            lambda a, b: mine(a, b, "none", **options),
            lambda a, b: per_example(theirs(a, b, reduction="none", **options)),
            **check,
        )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
def test_cross_entropy_of_class_numbers(reduction, dtype):
    for n, k in ((6, 4), (1, 1), (5, 2)):
        labels = RNG.integers(0, k, n)
        compare(
            lambda x, r=reduction, t=labels: losses.cross_entropy(x, t, r),
            lambda x, r=reduction, t=labels: F.cross_entropy(x, torch.tensor(t), reduction=r),
            [normal(n, k).astype(dtype)],
            tolerance=2 * TOLERANCE[dtype],
        )


@pytest.mark.parametrize("dtype", DTYPES)
def test_binary_cross_entropy_at_probabilities_0_and_1(dtype):
    """The logarithms stop at -100, the divisor of the gradient at 1e-12, as in PyTorch (whose
    1e-12 is a float32, 4e-9 off). The targets are constants here: PyTorch's gradient for them has
    no such stop and is infinite."""
    p, t = (a.astype(dtype) for a in np.meshgrid([0.0, 1.0, 1e-30, 1e-7, 0.5], [0.0, 1.0, 0.25]))
    mine, theirs = tensor(p, requires_grad=True), torch.tensor(p, requires_grad=True)
    y = losses.binary_cross_entropy(mine, tensor(t), "none")
    z = per_example(F.binary_cross_entropy(theirs, torch.tensor(t), reduction="none"))
    close(y, z, TOLERANCE[dtype])
    u = np.random.default_rng(9).standard_normal(y.shape).astype(dtype)
    y.backward(u)
    z.backward(torch.tensor(u))
    for k in np.ndindex(p.shape):  # one by one: they differ by twelve orders of magnitude
        close(mine.grad[k], theirs.grad[k], max(TOLERANCE[dtype], 5e-9), f"gradient at {k}")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("logit", [-1000.0, -100.0, -30.0, 0.0, 30.0, 100.0, 1000.0])
@pytest.mark.parametrize("target", [0.0, 0.3, 1.0])
def test_binary_cross_entropy_with_extreme_logits(target, logit, dtype):
    logits, targets = np.array([logit], dtype), np.array([target], dtype)
    xs, ts = tensor(logits, requires_grad=True), torch.tensor(logits, requires_grad=True)
    y = losses.binary_cross_entropy_with_logits(xs, tensor(targets), "sum")
    z = F.binary_cross_entropy_with_logits(ts, torch.tensor(targets), reduction="sum")
    y.backward()
    z.backward()
    for ours, their in ((y.item(), z.item()), (xs.grad.item(), ts.grad.item())):
        assert ours == pytest.approx(their, rel=TOLERANCE[dtype], abs=TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", DTYPES)
def test_cross_entropy_with_extreme_logits(dtype):
    logits = np.array([[100, -100, 0], [-100, -100, 100], [1000, 1000, -1000]], dtype)
    labels = np.array([1, 2, 0])
    compare(
        lambda x: losses.cross_entropy(x, labels, "none"),
        lambda x: F.cross_entropy(x, torch.tensor(labels), reduction="none"),
        [logits],
        tolerance=TOLERANCE[dtype],
    )


def test_kl_divergence_where_p_is_0():
    """0 log 0 is 0. The derivative for p is -inf there; PyTorch says so, here it is left out."""
    p, q = np.array([[0.0, 0.25, 0.75], [1.0, 0.0, 0.0]]), distribution(2, 3)
    compare(
        lambda q: losses.kl_divergence(tensor(p), q, "none"),
        lambda q: per_example(F.kl_div(q.log(), torch.tensor(p), reduction="none")),
        [q],
    )


@pytest.mark.parametrize("p", [0.0, 0.05, 0.5, 1.0])
def test_bernoulli_kl_of_a_number(p):
    """The sparsity penalty: one target for all units."""
    compare(
        lambda q: losses.bernoulli_kl(p, q),
        lambda q: torch.distributions.kl_divergence(
            bernoulli(torch.tensor(p, dtype=torch.float64).expand(q.shape)), bernoulli(q)
        ).sum(),
        [uniform(7)],
    )


# ---------------------------------------------------------------------- initialisers
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


def test_losses_of_single_numbers():
    x, t = tensor(2.0, requires_grad=True), np.array(0.5)
    assert losses.l2_loss(x, t, "mean").item() == losses.l2_loss(x, t, "sum").item() == 1.125
    q = tensor([0.0, 0.25])
    assert losses.bernoulli_kl(0.0, q, "none").data.tolist() == [0.0, -np.log(0.75)]
    assert losses.bernoulli_kl(1, tensor([1.0]), "none").item() == 0.0


@pytest.mark.parametrize(
    "loss",
    [losses.binary_cross_entropy, losses.binary_cross_entropy_with_logits, losses.mse_loss],
)
def test_truth_values_are_targets(loss):
    """And float32 stays float32."""
    x = tensor(np.array([[0.25, 0.5]], np.float32), requires_grad=True)
    truth = np.array([[True, False]])
    y, z = loss(x, truth), loss(x, truth.astype(np.float32))
    assert y.dtype == np.float32 and y.item() == z.item()
    np.testing.assert_array_equal(mg.grad(y, x).data, mg.grad(z, x).data)
