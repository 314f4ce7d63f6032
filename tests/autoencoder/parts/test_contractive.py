"""The contractive penalty equals its closed form, and PyTorch's Jacobians with their gradients."""

import itertools

import numpy as np
import pytest
from scipy import stats

from autoencoder.networks import Sizes, build
from autoencoder.parts import GaussianCode, PointCode
from autoencoder.parts.penalty import Batch, ContractivePenalty, _rows
from minigrad import grad, tensor
from minigrad.testing import assert_close_to_torch

torch = pytest.importorskip("torch", reason="PyTorch, the second opinion, is not installed")

ACTIVATIONS = ["relu", "sigmoid", "tanh", "linear"]


def batch(code="sigmoid", d=6, k=3, n=4, dropout_rng=None, **settings):
    """A batch of a small network with random biases as well."""
    rng = np.random.default_rng(0)
    code = PointCode(code) if isinstance(code, str) else code
    network = build(Sizes(d, k, **settings), code, rng, np.float64, dropout_rng=dropout_rng)
    for p in network.parameters():
        p.data = 0.8 * rng.standard_normal(p.shape)
    x = rng.random((n, d))
    return Batch(network, code, x, network.encode(x), None, rng, {})


def each_gradient(value, network):
    return grad(value, network.parameters(), allow_unused=True)


def test_of_one_sigmoid_layer_it_is_the_closed_form():
    b = batch("sigmoid", d=30, k=7, n=9)
    h, w = 1 / (1 + np.exp(-b.h.numpy())), b.network.encoder[0].weight.numpy()
    expected = ((h * (1 - h)) ** 2 @ (w**2).sum(axis=0)).mean()
    assert ContractivePenalty(1.0)(b).item() == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("code", [*map(PointCode, ACTIVATIONS), GaussianCode()], ids=repr)
def test_the_shortcut_for_one_layer_equals_the_rows(code):
    b = batch(code, d=5, k=4)
    x = tensor(b.x, requires_grad=True)
    rows = _rows(code.mean(b.network.encode(x)), x) / 4
    short = ContractivePenalty(1.0)(b)
    assert short.item() == pytest.approx(rows.item(), rel=1e-12)
    for g, h in zip(each_gradient(short, b.network), each_gradient(rows, b.network), strict=True):
        if h is None:  # of a linear layer, nothing depends on the bias
            assert g is None or not g.numpy().any()
        else:
            np.testing.assert_allclose(g.numpy(), h.numpy(), rtol=1e-10, atol=1e-14)


def test_of_a_linear_layer_it_is_weight_decay():
    b = batch("linear")
    squares = (b.network.encoder[0].weight.numpy() ** 2).sum()
    assert ContractivePenalty(1.0)(b).item() == pytest.approx(squares, rel=1e-13)


def torch_encoder(b, image_shape, activation):
    """The encoder in PyTorch: the weights, and the function from one row to one code."""
    weights = [torch.tensor(p.numpy(), requires_grad=True) for p in b.network.encoder.parameters()]
    act = {"tanh": torch.tanh, "relu": torch.relu, "sigmoid": torch.sigmoid}[activation]

    def encode(row):
        y = row
        if image_shape is not None:
            y = row.reshape(1, *image_shape).permute(0, 3, 1, 2)
            for w, bias in zip(weights[:-2:2], weights[1:-2:2], strict=True):
                pads = []
                for n in y.shape[:1:-1]:  # width first, as PyTorch's pad wants it
                    total = max((-(-n // 2) - 1) * 2 + 3 - n, 0)
                    pads += [total // 2, total - total // 2]
                y = torch.nn.functional.pad(y, pads)
                y = act(torch.nn.functional.conv2d(y, w.permute(3, 2, 0, 1), bias, stride=2))
            y = y.permute(0, 2, 3, 1).reshape(-1)
        else:
            for w, bias in zip(weights[:-2:2], weights[1:-2:2], strict=True):
                y = act(y @ w + bias)
        h = y @ weights[-2] + weights[-1]
        return h[: len(h) // 2] if isinstance(b.code, GaussianCode) else torch.sigmoid(h)

    return weights, encode


@pytest.mark.parametrize("code", [PointCode("sigmoid"), GaussianCode()], ids=repr)
@pytest.mark.parametrize("activation", ["tanh", "relu", "sigmoid"])
@pytest.mark.parametrize(
    ("hidden", "image_shape"),
    [((7,), None), ((9, 5, 4), None), ((3,), (5, 4, 2)), ((2, 3, 4), (7, 6, 1))],
)
def test_the_exact_penalty_and_its_gradient_are_pytorchs(hidden, image_shape, activation, code):
    d = 11 if image_shape is None else int(np.prod(image_shape))
    b = batch(code, d, 3, hidden=hidden, image_shape=image_shape, activation=activation)
    mine = ContractivePenalty(0.7)(b)
    weights, encode = torch_encoder(b, image_shape, activation)
    jacobians = torch.func.vmap(torch.func.jacrev(encode))(torch.tensor(b.x))  # (N, k, D)
    theirs = 0.7 * (jacobians**2).sum() / len(b.x)
    assert_close_to_torch(mine, theirs, tolerance=1e-10)
    assert theirs.item() > 1e-6
    found = torch.autograd.grad(theirs, weights, allow_unused=True)
    mine_too = grad(mine, b.network.encoder.parameters(), allow_unused=True)
    for g, t in zip(mine_too, found, strict=True):
        if g is None or t is None:
            zero = t if g is None else g.numpy()
            assert zero is None or not zero.any()
        else:
            assert_close_to_torch(g, t, tolerance=1e-10)


@pytest.mark.parametrize("hidden", [(), (5,)])
def test_dropout_and_the_mode_of_the_network_are_left_alone(hidden):
    dropout = dict(dropout=0.5, dropout_rng=np.random.default_rng(3))
    with_it, without = batch(hidden=hidden, **dropout), batch(hidden=hidden)
    state = dropout["dropout_rng"].bit_generator.state
    for training in (True, False):
        with_it.network.train(training)
        value = ContractivePenalty()(with_it).item()
        assert value == ContractivePenalty()(without).item()
        assert all(m.training is training for m in with_it.network.encoder.layers)
        assert with_it.network.training is training
    assert dropout["dropout_rng"].bit_generator.state == state


class Signs(np.random.Generator):
    """Draws what it is told to."""

    def __init__(self, signs):
        super().__init__(np.random.PCG64(0))
        self.signs = signs

    def random(self, shape, dtype):
        return np.broadcast_to(np.where(np.less(self.signs, 0), 0.25, 0.75).astype(dtype), shape)


@pytest.mark.parametrize("settings", [{}, {"hidden": (5,)}], ids=str)
def test_the_mean_over_all_signs_of_hutchinson_is_the_exact_penalty(settings):
    b = batch("sigmoid", d=7, k=4, **settings)
    penalty = ContractivePenalty(1.0, method="hutchinson")
    signs = itertools.product([-1, 1], repeat=4)
    values = [penalty(b._replace(rng=Signs(s))) for s in signs]
    exact = ContractivePenalty(1.0)(b)
    assert np.mean([v.item() for v in values]) == pytest.approx(exact.item(), rel=1e-10)
    assert np.ptp([v.item() for v in values]) > 0.01 * exact.item()
    parameters = b.network.encoder.parameters()
    for k, g in enumerate(grad(exact, parameters)):
        mean = np.mean([grad(v, parameters, retain_graph=True)[k].numpy() for v in values], axis=0)
        np.testing.assert_allclose(mean, g.numpy(), rtol=1e-9, atol=1e-13)


def test_signs_are_drawn_for_each_example_and_are_fair():
    b = batch("sigmoid", d=7, k=4, hidden=(5,))
    penalty = ContractivePenalty(1.0, method="hutchinson")
    values = [penalty(b).item() for _ in range(300)]
    exact = ContractivePenalty(1.0)(b).item()
    assert abs(np.mean(values) - exact) < 4 * stats.sem(values)
    alike = [b._replace(x=np.repeat(b.x[:1], n, axis=0)) for n in (1, 400)]
    alone, average = ([penalty(c).item() for _ in range(30)] for c in alike)
    assert np.std(average) < np.std(alone) / 8


def test_an_unknown_method_is_refused_and_a_generator_asked_for():
    with pytest.raises(ValueError, match="method must be 'exact' or 'hutchinson', got 'forward'"):
        ContractivePenalty(method="forward")(batch())
    with pytest.raises(TypeError, match="ContractivePenalty: rng must be"):
        ContractivePenalty(method="hutchinson")(batch()._replace(rng=None))
