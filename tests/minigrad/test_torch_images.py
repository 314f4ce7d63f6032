"""Pooling, enlarging and normalisation equal PyTorch's, with images permuted to its NCHW.

Values, gradients, their gradients, running statistics; and the same on the device double.
"""

import device
import numpy as np
import pytest
from second_opinion import compare

import minigrad as mg
from minigrad import nn
from minigrad.testing import assert_close_to_torch, check_adjoint, gradcheck

torch = pytest.importorskip("torch", reason="PyTorch, the second opinion, is not installed")
F = torch.nn.functional

TOLERANCE = {np.float64: 1e-12, np.float32: 16 * 2.0**-23}  # relative to the largest element
DTYPES = [np.float64, np.float32]
RNG = np.random.default_rng(2027)


def images(*shape):
    return RNG.standard_normal(shape)


def few(*shape):
    """Small integers, so that most windows have several maxima."""
    return RNG.integers(-1, 2, shape).astype(np.float64)


def channels_first(function):
    """PyTorch's `function` of NCHW images as one of NHWC images."""

    def permuted(x, *others):
        y = function(x.permute(0, 3, 1, 2), *others)
        return y.permute(0, 2, 3, 1) if y.ndim == 4 else y

    return permuted


POOLS = [  # ours, PyTorch's
    (dict(size=2), dict(kernel_size=2)),
    (dict(size=3, stride=2, padding=1), dict(kernel_size=3, stride=2, padding=1)),
    (dict(size=(2, 3), stride=(1, 2)), dict(kernel_size=(2, 3), stride=(1, 2))),
    (dict(size=1, stride=3), dict(kernel_size=1, stride=3)),
    (dict(size=(7, 6)), dict(kernel_size=(7, 6))),
]


def pooling():
    for mine, theirs in POOLS:
        for draw in (images, few):
            yield (
                f"max {mine}", lambda x, o=mine: mg.max_pool2d(x, **o),
                channels_first(lambda x, o=theirs: F.max_pool2d(x, **o)), [draw(2, 7, 6, 3)],
            )  # fmt: skip
        for counted in (False, True):
            yield (
                f"avg {mine} {counted}",
                lambda x, o=mine, c=counted: mg.avg_pool2d(x, count_padding=c, **o),
                channels_first(
                    lambda x, o=theirs, c=counted: F.avg_pool2d(x, count_include_pad=c, **o)
                ),
                [images(2, 7, 6, 3)],
            )
    yield (
        "max, dilation", lambda x: mg.max_pool2d(x, 2, stride=1, dilation=2),
        channels_first(lambda x: F.max_pool2d(x, 2, 1, dilation=2)), [images(2, 5, 6, 2)],
    )  # fmt: skip
    yield (
        "global avg", lambda x: mg.global_avg_pool2d(x),
        channels_first(lambda x: F.adaptive_avg_pool2d(x, 1)[:, :, 0, 0]), [images(2, 4, 3, 5)],
    )  # fmt: skip
    yield (
        "global max", lambda x: mg.global_max_pool2d(x),
        channels_first(lambda x: torch.amax(x, (2, 3))), [few(2, 4, 3, 5)],
    )  # fmt: skip
    yield (
        "no images", lambda x: mg.max_pool2d(x), channels_first(lambda x: F.max_pool2d(x, 2)),
        [images(0, 4, 4, 2)],
    )  # fmt: skip


def enlarging():
    for factor in (2, (1, 3), 1):
        size = (lambda f: f if isinstance(f, tuple) else (f, f))(factor)
        for name, extra in (
            ("nearest", {}), ("bilinear", dict(align_corners=False)),
            ("bicubic", dict(align_corners=False)),
        ):  # fmt: skip
            yield (
                f"{name} {factor}", lambda x, f=factor, n=name: mg.upsample2d(x, f, n),
                channels_first(
                    lambda x, f=size, n=name, e=extra: F.interpolate(
                        x, size=(4 * f[0], 5 * f[1]), mode=n, **e
                    )
                ),
                [images(2, 4, 5, 3)],
            )  # fmt: skip
    for size in ((3, 9), (2, 2), (8, 5)):
        for antialias in (False, True):
            yield (
                f"resize_bilinear {size} {antialias}",
                lambda x, s=size, a=antialias: mg.resize_bilinear(x, s, antialias=a),
                channels_first(
                    lambda x, s=size, a=antialias: F.interpolate(
                        x, size=s, mode="bilinear", align_corners=False, antialias=a
                    )
                ),
                [images(2, 4, 5, 3)],
            )


def norms():
    weight, bias, mean, variance = images(4), images(4), images(4), RNG.uniform(0.5, 2, 4)
    for shape in ((5, 4), (2, 3, 5, 4)):
        permuted = channels_first if len(shape) == 4 else lambda f: f
        yield (
            f"batch_norm {shape}", lambda x, w, b: mg.batch_norm(x, w, b),
            permuted(lambda x, w, b: F.batch_norm(x, None, None, w, b, training=True)),
            [images(*shape), weight, bias],
        )  # fmt: skip
        yield (
            f"batch_norm {shape}, no weight", lambda x: mg.batch_norm(x, eps=1e-3),
            permuted(lambda x: F.batch_norm(x, None, None, training=True, eps=1e-3)),
            [images(*shape)],
        )  # fmt: skip
        yield (
            f"batch_norm {shape}, statistics",
            lambda x, w, b, m, v: mg.batch_norm(x, w, b, mean=m, variance=v),
            # PyTorch has no gradient by the statistics: its arithmetic, spelled out
            lambda x, w, b, m, v: (x - m) / torch.sqrt(v + 1e-5) * w + b,
            [images(*shape), weight, bias, mean, variance],
        )  # fmt: skip
        for groups in (1, 2, 4):
            if len(shape) == 2 and groups > 1:
                continue  # one or two numbers for each group
            yield (
                f"group_norm {shape} {groups}",
                lambda x, w, b, g=groups: mg.group_norm(x, g, w, b),
                permuted(lambda x, w, b, g=groups: F.group_norm(x, g, w, b)),
                [images(*shape), weight, bias],
            )  # fmt: skip
        yield (
            f"layer_norm {shape}", lambda x, w, b: mg.layer_norm(x, w, b),
            lambda x, w, b: F.layer_norm(x, (4,), w, b), [images(*shape), weight, bias],
        )  # fmt: skip
    yield (
        "layer_norm, three axes", lambda x, w, b: mg.layer_norm(x, w, b, axis=(1, 2, 3)),
        lambda x, w, b: F.layer_norm(x, (3, 2, 4), w, b),
        [images(2, 3, 2, 4), images(3, 2, 4), images(3, 2, 4)],
    )  # fmt: skip


CASES = [*pooling(), *enlarging(), *norms()]
every_case = pytest.mark.parametrize(
    ("mine", "theirs", "arrays"), [pytest.param(*case, id=name) for name, *case in CASES]
)


@pytest.mark.parametrize("dtype", DTYPES)
@every_case
def test_value_and_derivatives(mine, theirs, arrays, dtype):
    order = 2 if dtype == np.float64 else 1
    arrays = [x.astype(dtype) for x in arrays]
    compare(mine, theirs, arrays, tolerance=TOLERANCE[dtype], order=order)


@every_case
def test_arrays_give_what_tensors_give(mine, theirs, arrays):
    np.testing.assert_array_equal(mine(*arrays), mine(*map(mg.tensor, arrays)).numpy())


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_same_on_the_device(dtype):
    with device.installed():
        for name, mine, _, arrays in CASES:
            print(name)
            results = []
            for place in ("cpu", "cuda"):
                xs = [mg.tensor(x, requires_grad=True, dtype=dtype).to(place) for x in arrays]
                y = mine(*xs)
                assert y.device == place
                g = np.linspace(-1, 2, y.size, dtype=dtype).reshape(y.shape)
                y.backward(mg.tensor(g).to(place))
                results.append([y.numpy(), *(x.grad.numpy() for x in xs)])
            for cpu, cuda in zip(*results, strict=True):
                assert cpu.dtype == cuda.dtype == dtype
                scale = max(1.0, np.abs(cpu).max(initial=0))
                np.testing.assert_allclose(cuda, cpu, rtol=0, atol=TOLERANCE[dtype] * scale)


def test_a_channel_without_variance():
    theirs = channels_first(lambda x: F.batch_norm(x, None, None, training=True))
    compare(lambda x: mg.batch_norm(x), theirs, [np.full((2, 2, 2, 3), 5.0)])


@pytest.mark.parametrize(
    "function",
    [
        lambda x: mg.batch_norm(x), lambda x: mg.group_norm(x, 2), lambda x: mg.layer_norm(x),
        lambda x: mg.max_pool2d(x, 2), lambda x: mg.avg_pool2d(x, 3, padding="same"),
        lambda x: mg.upsample2d(x, 2), lambda x: mg.resize_bilinear(x, (5, 3)),
    ],
)  # fmt: skip
def test_order_3(function):
    assert gradcheck(lambda x: function(x) ** 2, [images(2, 3, 4, 4)], order=3) < 1e-7


# ---------------------------------------------------------------------- pooling
def test_sums_over_windows_and_enlarging_are_adjoint():
    x, y = images(2, 4, 6, 3), images(2, 2, 3, 3)
    check_adjoint(lambda x: mg.avg_pool2d(x) * 4, mg.upsample2d, x, y)


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
def test_pooling_of_nan_and_infinity(odd):
    x = images(1, 4, 4, 1)
    x[0, 1, 2, 0] = odd
    theirs = channels_first(lambda x: F.max_pool2d(x, 3, 1, 1))
    with np.errstate(invalid="ignore"):
        compare(lambda x: mg.max_pool2d(x, 3, stride=1, padding=1), theirs, [x])
    if odd == odd:
        x[...] = odd  # the whole image
        with np.errstate(invalid="ignore"):
            compare(lambda x: mg.max_pool2d(x, 3, stride=1, padding=1), theirs, [x])


def test_same_padding_is_tensorflows_and_does_not_count():
    x = np.arange(9.0).reshape(1, 3, 3, 1)
    y = mg.avg_pool2d(x, 2, padding="same")[0, ..., 0]
    np.testing.assert_array_equal(y, [[2.0, 3.5], [6.5, 8.0]])
    y = mg.max_pool2d(-1 - x, 2, padding="same")[0, ..., 0]
    np.testing.assert_array_equal(y, [[-1, -3], [-7, -9]])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: mg.max_pool2d(np.ones((4, 4))), "max_pool2d: expected images"),
        (lambda: mg.max_pool2d(np.ones((1, 4, 4, 1)), 5), r"max_pool2d: a kernel of \(5, 5\)"),
        (lambda: mg.max_pool2d(np.ones((1, 4, 4, 1)), 0), "max_pool2d: size must be"),
        (lambda: mg.avg_pool2d(np.ones((1, 4, 4, 1)), 2, stride=0), "avg_pool2d: stride must"),
        (lambda: mg.avg_pool2d(np.ones((1, 4, 4, 1)), 2, padding=2), "hold no pixel"),
        (lambda: mg.upsample2d(np.ones((1, 4, 4, 1)), 1.5), "upsample2d: factor must be"),
        (lambda: mg.upsample2d(np.ones((1, 4, 4, 1)), 2, "linear"), "interpolation must be"),
        (lambda: mg.resize_bilinear(np.ones((1, 4, 4, 1)), 0), "resize_bilinear: cannot resize"),
        (lambda: mg.group_norm(np.ones((2, 3)), 2), "group_norm: .* 2 equal groups"),
        (lambda: mg.layer_norm(np.ones((2, 3)), axis=5), "layer_norm: .* has no axis 5"),
        (lambda: mg.batch_norm(np.ones((0, 3))), "batch_norm: .* has no elements"),
        (lambda: nn.BatchNorm2D(3)(np.ones((2, 3))), "BatchNorm2D: expected 4 axes"),
        (lambda: nn.BatchNorm1D(4)(np.ones((2, 3))), "of 4 channels, got"),
        (lambda: nn.BatchNorm1D(3)(np.ones((1, 3))), "one value for each channel"),
        (lambda: nn.LayerNorm((4, 3))(np.ones((2, 3))), "LayerNorm: expected last axes"),
    ],
)
def test_refusals(call, message):
    with pytest.raises((ValueError, IndexError), match=message):
        call()


# ---------------------------------------------------------------------- layers
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("momentum", [0.1, 0.5])
@pytest.mark.parametrize("shape", [(6, 4), (3, 2, 5, 4)])
def test_batch_norm_trains_as_pytorchs(shape, momentum, dtype):
    """Three steps of training, then evaluation: outputs, gradients and running statistics."""
    mine, theirs = nn.BatchNorm1D(4, momentum=momentum, dtype=dtype), torch.nn.BatchNorm1d
    if len(shape) == 4:
        mine, theirs = nn.BatchNorm2D(4, momentum=momentum, dtype=dtype), torch.nn.BatchNorm2d
    theirs = theirs(4, momentum=momentum, dtype=torch.tensor(dtype()).dtype)
    permuted = channels_first(theirs) if len(shape) == 4 else theirs
    for mode in ("train", "train", "train", "eval"):
        getattr(mine, mode)(), getattr(theirs, mode)()
        x = (3 * images(*shape) + 7).astype(dtype)
        y, z = mine(mg.tensor(x)), permuted(torch.tensor(x))
        assert_close_to_torch(y, z, tolerance=4 * TOLERANCE[dtype])
        (y * y).sum().backward(), (z * z).sum().backward()
    assert sorted(mine.state_dict()) == ["bias", "running_mean", "running_var", "weight"]
    for name, value in theirs.state_dict().items():
        if name != "num_batches_tracked":
            assert_close_to_torch(mine.state_dict()[name], value, tolerance=4 * TOLERANCE[dtype])
    for name in ("weight", "bias"):
        ours, grad = getattr(mine, name).grad, getattr(theirs, name).grad
        assert_close_to_torch(ours, grad, tolerance=64 * TOLERANCE[dtype], what=name)
    again = type(mine)(4, dtype=dtype)
    again.load_state_dict(mg.interchange.from_torch_state_dict(again, theirs.state_dict()))
    x = images(*shape).astype(dtype)
    np.testing.assert_allclose(again.eval()(x).numpy(), mine.eval()(x).numpy(), atol=4e-6)


def test_batch_norm_without_weights_and_on_the_device():
    layer = nn.BatchNorm2D(3, affine=False)
    assert layer.parameters() == []
    x = images(2, 4, 4, 3).astype(np.float32)
    y = layer(x)
    with device.installed():
        other = nn.BatchNorm2D(3, affine=False).to("cuda")
        z = other(mg.tensor(x).to("cuda"))
        np.testing.assert_allclose(z.numpy(), y, atol=1e-6)
        mean = other.state_dict()["running_mean"]
    np.testing.assert_allclose(mean, layer.state_dict()["running_mean"], atol=1e-7)


def test_layer_and_group_norm_with_pytorchs_weights():
    x = images(2, 3, 2, 4)
    permuted = torch.tensor(x).permute(0, 3, 1, 2)
    for mine, theirs in (
        (nn.LayerNorm((3, 2, 4), dtype=np.float64), torch.nn.LayerNorm((4, 3, 2))),
        (nn.GroupNorm(2, 4, dtype=np.float64), torch.nn.GroupNorm(2, 4)),
    ):
        theirs = theirs.double()
        with torch.no_grad():
            for p in theirs.parameters():
                p.copy_(torch.tensor(images(*p.shape)))
        state = mg.interchange.from_torch_state_dict(mine, theirs.state_dict())
        mine.load_state_dict(state)
        assert_close_to_torch(mine(x), theirs(permuted).permute(0, 2, 3, 1))


@pytest.mark.parametrize(
    ("layer", "function"),
    [
        (nn.MaxPool2D(3, stride=2), lambda x: mg.max_pool2d(x, 3, stride=2)),
        (nn.AvgPool2D(padding="same"), lambda x: mg.avg_pool2d(x, padding="same")),
        (nn.UpSampling2D((2, 3)), lambda x: mg.upsample2d(x, (2, 3))),
        (nn.UpSampling2D(interpolation="bilinear"), lambda x: mg.upsample2d(x, 2, "bilinear")),
        (nn.GlobalAvgPool2D(), mg.global_avg_pool2d),
        (nn.GlobalMaxPool2D(), mg.global_max_pool2d),
    ],
    ids=lambda x: type(x).__name__,
)
def test_layers_are_their_functions(layer, function):
    x = images(2, 5, 5, 3)
    np.testing.assert_array_equal(layer(x), function(x))
    assert type(layer).__name__ in repr(layer)


def test_the_layers_say_their_settings():
    assert "3, stride 2" in repr(nn.MaxPool2D(3, stride=2))
    assert "4, momentum 0.1" in repr(nn.BatchNorm2D(4))
    assert "2 groups" in repr(nn.GroupNorm(2, 4)) and "(3, 4)" in repr(nn.LayerNorm((3, 4)))
