"""Losses, layers and whole networks have right derivatives to second order."""

import numpy as np
import pytest
import specs

import minigrad as mg
from minigrad import functional, losses
from minigrad.testing import gradcheck


def _images(rng, *shape):
    return rng.standard_normal(shape)


def _rows(rng, *shape):
    """Probabilities that add up to 1 along the last axis."""
    p = rng.uniform(0.2, 1.0, shape)
    return p / p.sum(-1, keepdims=True)


def _unit(rng, *shape):
    return rng.uniform(0.1, 0.9, shape)


def compositions(rng):
    """(name, label, function, inputs) for everything that is made of primitives."""
    x, w, b = _images(rng, 2, 4, 3, 2), _images(rng, 3, 2, 2, 3) / 2, _images(rng, 3)
    for activation in (None, "sigmoid", "tanh", "softplus", mg.exp):
        label = getattr(activation, "name", activation)
        yield (
            "conv2d", f"{label}",
            lambda x, w, b, a=activation: mg.conv2d(x, w, b, stride=2, activation=a), [x, w, b],
        )  # fmt: skip
        yield (
            "dense", f"{label}",
            lambda x, w, b, a=activation: mg.dense(x, w, b, activation=a),
            [x[0, 0], w[0, 0], b],
        )  # fmt: skip
    apart = rng.permutation(12).reshape(3, 4) - 5.5
    yield "dense", "relu", lambda x: mg.dense(x, np.eye(4), activation="relu"), [apart]
    yield "dense", "no bias", mg.dense, [_images(rng, 2, 3), _images(rng, 3, 1)]
    yield (
        "conv2d",
        "relu",
        lambda x: mg.conv2d(x, np.ones((1, 1, 1, 1)), activation="relu"),
        [apart[None, ..., None]],
    )
    yield "conv2d", "groups", lambda x, w: mg.conv2d(x, w, groups=2), [x, w[:, :, :1, :2]]
    yt, wt = _images(rng, 2, 2, 3, 3), _images(rng, 3, 2, 2, 3)
    for label, settings in (
        ("same", dict(stride=2)),
        ("valid", dict(stride=2, padding="valid")),
        ("output size", dict(stride=2, padding="valid", output_size=(6, 7))),
        ("dilation", dict(padding=1, dilation=(1, 2))),
        ("sigmoid", dict(stride=(1, 2), activation="sigmoid")),
    ):
        yield (
            "conv2d_transpose", label,
            lambda y, w, b, s=settings: mg.conv2d_transpose(y, w, b, **s), [yt, wt, b[:2]],
        )  # fmt: skip
    yield (
        "conv2d_weight", "stride 2",
        lambda x, y: mg.conv2d_weight(x, y, (3, 2), stride=2), [x, _images(rng, 2, 2, 2, 3)],
    )  # fmt: skip
    for axis in (None, 1, -2, (0, -1)):
        for keepdims in (False, True):
            x3 = [_images(rng, 2, 3, 4)]
            label = f"axis {axis}{' kept' if keepdims else ''}"
            yield "mean", label, lambda x, a=axis, k=keepdims: mg.mean(x, a, k), x3
            yield "var", label, lambda x, a=axis, k=keepdims: mg.var(x, a, k), x3
    yield "var", "ddof 1", lambda x: mg.var(x, 0, ddof=1), [_images(rng, 4, 2)]
    yield "var", "norm", lambda x: (x - mg.mean(x, 0)) / mg.sqrt(mg.var(x, 0) + 0.1), [x[0, :, 0]]
    yield "astype", "float64", lambda x: mg.astype(x, np.float64) * x, [_images(rng, 3)]
    yield "dropout", "half", lambda x: mg.dropout(x * x, 0.5, np.random.default_rng(3)), [x]
    yield (
        "gaussian_noise", "std",
        lambda x: mg.gaussian_noise(x, 0.5, np.random.default_rng(3)) ** 2, [x],
    )  # fmt: skip
    for label, settings in (
        ("PyTorch", dict()),
        ("TensorFlow 1", dict(half_pixel_centers=False)),
        ("antialiased", dict(antialias=True, a=-0.5)),
    ):
        for size in ((3, 5), 2, (7, 3)):
            yield (
                "resize_bicubic", f"{label} to {size}",
                lambda x, n=size, s=settings: mg.resize_bicubic(x * x, n, **s), [x],
            )  # fmt: skip

    logits, p, q = _images(rng, 3, 4), _unit(rng, 3, 4), _unit(rng, 3, 4)
    for reduction in ("mean", "sum", "none"):

        def reduced(loss, r=reduction):
            return lambda *inputs: loss(*inputs, reduction=r)

        yield "l2_loss", reduction, reduced(losses.l2_loss), [logits, _images(rng, 3, 4)]
        yield "mse_loss", reduction, reduced(losses.mse_loss), [logits, _images(rng, 3, 4)]
        for loss in (losses.l1_loss, losses.huber_loss, losses.smooth_l1_loss):
            yield loss.__name__, reduction, reduced(loss), [2 * logits, _images(rng, 3, 4)]
        yield "binary_cross_entropy", reduction, reduced(losses.binary_cross_entropy), [p, q]
        yield (
            "binary_cross_entropy_with_logits", reduction,
            reduced(losses.binary_cross_entropy_with_logits), [logits, q],
        )  # fmt: skip
        yield "cross_entropy", f"{reduction}, probabilities", reduced(losses.cross_entropy), [
            logits, _rows(rng, 3, 4),
        ]  # fmt: skip
        yield "cross_entropy", f"{reduction}, classes", reduced(losses.cross_entropy), [
            logits, np.array([3, 0, 3]),
        ]  # fmt: skip
        yield "kl_divergence", reduction, reduced(losses.kl_divergence), [
            _rows(rng, 3, 4), _rows(rng, 3, 4),
        ]  # fmt: skip
        yield "bernoulli_kl", reduction, reduced(losses.bernoulli_kl), [p, q]
        yield "gaussian_kl", reduction, reduced(losses.gaussian_kl), [logits, _images(rng, 3, 4)]
    yield "bernoulli_kl", "number", lambda q: losses.bernoulli_kl(0.05, q), [q[0]]


COMPOSITIONS = list(compositions(np.random.default_rng(11)))


@pytest.mark.parametrize(
    "function, inputs",
    [pytest.param(f, inputs, id=f"{name}: {label}") for name, label, f, inputs in COMPOSITIONS],
)
def test_compositions_to_order_2(function, inputs):
    assert gradcheck(function, inputs, order=2) < 1e-8


def test_classes_are_probabilities_of_one():
    logits, classes = np.random.default_rng(0).standard_normal((4, 3)), np.array([2, 0, 1, 1])
    for reduction in ("mean", "sum", "none"):
        one = losses.cross_entropy(logits, classes, reduction)
        np.testing.assert_allclose(one, losses.cross_entropy(logits, np.eye(3)[classes], reduction))


@pytest.mark.parametrize("activation", sorted(functional.activations))
def test_activations_to_order_3(activation):
    f = functional.activations[activation]
    x = specs.off_zero(np.random.default_rng(2), 3, 4)
    assert gradcheck(f, [x], order=3) < 1e-8
    np.testing.assert_array_equal(mg.dense(x, np.eye(4), activation=activation), f(x @ np.eye(4)))


def test_a_whole_autoencoder_to_order_2():
    """All weights of a small convolutional autoencoder at once, through strides and reshapes."""
    rng = np.random.default_rng(5)
    images = rng.uniform(0, 1, (2, 4, 4, 1))
    weights = [
        rng.standard_normal(shape) / 2
        for shape in ((3, 3, 1, 2), (2,), (8, 3), (3, 8), (3, 3, 1, 2), (1,))
    ]

    def loss(w1, b1, w2, w3, w4, b4):
        h = mg.conv2d(images, w1, b1, stride=2, activation="tanh")  # (2, 2, 2, 2)
        code = mg.dense(mg.reshape(h, (2, -1)), w2, activation="sigmoid")
        h = mg.reshape(mg.dense(code, w3, activation="softplus"), (2, 2, 2, 2))
        return losses.binary_cross_entropy_with_logits(
            mg.conv2d_transpose(h, w4, b4, stride=2), images
        )

    assert gradcheck(loss, weights, order=2) < 1e-8


def test_penalties_to_order_2():
    rng = np.random.default_rng(0)
    weights = [specs.off_zero(rng, 2, 3), specs.off_zero(rng, 4)]
    for penalty in (mg.optim.l1_penalty, mg.optim.l2_penalty):
        assert gradcheck(lambda *w, f=penalty: f(w, 0.3), weights, order=2) < 1e-8
