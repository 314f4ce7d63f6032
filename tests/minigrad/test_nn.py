"""Proves that modules find, name, save and restore their parameters, and that layers, batches,
initial values and noise depend on nothing but what they are given."""

import copy
import pickle

import numpy as np
import pytest

from minigrad import Tensor, dropout, gaussian_noise, init, tensor
from minigrad.data import Batches
from minigrad.nn import (
    Conv2D,
    Conv2DTranspose,
    Dense,
    Dropout,
    Flatten,
    GaussianNoise,
    Module,
    Parameter,
    ReLU,
    Reshape,
    Sequential,
    Sigmoid,
    Tanh,
)


def rng(seed=0):
    return np.random.default_rng(seed)


def small_model(seed=0):
    r = rng(seed)
    return Sequential(
        Conv2D(1, 2, stride=2, activation="relu", rng=r),
        Flatten(),
        Dense(8, 4, activation="tanh", rng=r),
        Reshape(2, 2, 1),
        Conv2DTranspose(1, 3, kernel_size=(3, 2), stride=2, rng=r),
    )


class Tied(Module):
    """A module with a list of modules, a shared parameter and attributes that are no parameters."""

    def __init__(self):
        self.blocks = [Dense(2, 2, rng=rng(1)), Dense(2, 2, bias=False, rng=rng(2))]
        self.blocks[1].weight = self.blocks[0].weight
        self.scale = Parameter(np.ones(2, np.float32))
        self.constant, self.nothing = np.ones(2), None

    def forward(self, x):
        return self.blocks[1](self.blocks[0](x)) * self.scale


def test_parameters_are_found_in_order_once_and_by_name():
    names = [name for name, _ in Tied().named_parameters()]
    assert names == ["scale", "blocks.0.weight", "blocks.0.bias"]
    assert len(small_model().parameters()) == 6


def test_a_shared_parameter_gets_the_sum_of_both_gradients():
    model, x, u = Tied(), rng(3).standard_normal((5, 2)), rng(4).standard_normal((5, 2))
    x, u = x.astype(np.float32), u.astype(np.float32)
    model(x).backward(u)
    w = model.blocks[0].weight
    first, second = (tensor(w.data, requires_grad=True) for _ in range(2))
    ((x @ first + model.blocks[0].bias.data) @ second * model.scale.data).backward(u)
    np.testing.assert_allclose(w.grad.data, first.grad.data + second.grad.data, rtol=1e-6)


def test_state_survives_a_round_trip_and_is_a_copy():
    model, other = small_model(0), small_model(1)
    state = model.state_dict()
    x = rng().random((3, 4, 4, 1), np.float32)
    assert not np.array_equal(model(x).data, other(x).data)
    other.load_state_dict(state)
    np.testing.assert_array_equal(model(x).data, other(x).data)
    state["layers.0.weight"][...] = 7
    assert model.layers[0].weight.data.max() < 7
    assert other.layers[0].weight.data.max() < 7


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda s: s.pop("layers.2.bias"), "layers.2.bias is missing"),
        (lambda s: s.update(extra=np.ones(2)), "extra is not in this model"),
        (lambda s: s.update({"layers.2.bias": np.ones(3)}), r"layers.2.bias is \(3,\), expected"),
    ],
)
def test_foreign_state_is_refused_by_name_and_changes_nothing(change, words):
    model = small_model()
    before, state = model.state_dict(), small_model(5).state_dict()
    change(state)
    with pytest.raises(ValueError, match=words):
        model.load_state_dict(state)
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


def test_copies_and_pickles_are_independent_and_equal():
    model = small_model()
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(twin.layers[2].weight.data, model.layers[2].weight.data)
        assert isinstance(twin.layers[2].weight, Parameter)
        assert twin.layers[2].weight.requires_grad
        twin.layers[2].weight.data[...] = 0
        assert model.layers[2].weight.data.any()


def test_a_copied_tensor_leaves_the_graph_behind():
    x = tensor([1.0, 2.0], requires_grad=True)
    twin = copy.deepcopy((x * x).detach())
    twin.requires_grad = True
    assert isinstance(twin, Tensor)
    np.testing.assert_array_equal(twin.data, [1.0, 4.0])
    (twin * 2.0).sum().backward()
    assert x.grad is None


def test_the_table_lists_layers_shapes_and_counts():
    lines = repr(small_model()).splitlines()
    assert lines[0].strip() == "Sequential"
    assert "Conv2D" in lines[1]
    assert "1 -> 2, 3x3, stride 2, relu" in lines[1]
    assert "weight (3, 3, 1, 2)  bias (2,)" in lines[1]
    assert lines[1].endswith("20")
    assert "3x2, stride 2" in lines[5]
    assert lines[-1] == "77 parameters"  # 20 + 36 + 21


def test_train_and_eval_reach_every_layer():
    r = rng()
    model = Sequential(Dropout(0.5, rng=r), Sequential(GaussianNoise(1.0, rng=r)))
    x = np.ones((4, 100))
    assert not np.array_equal(np.asarray(model(x)), x)
    np.testing.assert_array_equal(np.asarray(model.eval()(x)), x)
    assert not np.array_equal(np.asarray(model.train()(x)), x)


def test_dropout_keeps_the_mean_and_the_dtype():
    x = tensor(np.ones((400, 500), np.float32), requires_grad=True)
    y = dropout(x, 0.25, rng())
    assert y.dtype == np.float32
    assert set(np.unique(y.data)) == {np.float32(0), np.float32(1 / 0.75)}
    assert abs(y.data.mean() - 1) < 5 * np.sqrt(0.25 / 0.75 / y.size)
    u = rng(1).standard_normal(x.shape).astype(np.float32)
    y.backward(u)
    np.testing.assert_allclose(x.grad.data, u * y.data, rtol=1e-6)


def test_noise_has_the_standard_deviation_asked_for():
    x = np.zeros((400, 500), np.float32)
    y = gaussian_noise(x, 0.2, rng())
    assert y.dtype == np.float32
    assert abs(y.std() - 0.2) < 0.001
    np.testing.assert_array_equal(y, gaussian_noise(x, 0.2, rng()))


@pytest.mark.parametrize("layer", [ReLU(), Sigmoid(), Tanh()])
def test_activation_layers_are_the_functions(layer):
    x = rng().standard_normal((3, 4))
    expected = {"ReLU": np.maximum(x, 0), "Sigmoid": 1 / (1 + np.exp(-x)), "Tanh": np.tanh(x)}
    np.testing.assert_allclose(layer(x), expected[type(layer).__name__], atol=1e-15)


def test_weights_come_from_the_generator_alone():
    np.random.seed(1)  # noqa: NPY002  (the global state must not matter)
    a = small_model(3).state_dict()
    np.random.seed(2)  # noqa: NPY002
    b = small_model(3).state_dict()
    for name in a:
        np.testing.assert_array_equal(a[name], b[name])
        assert a[name].dtype == np.float32


@pytest.mark.parametrize("make", list(init.initialisers.values())[:4])
@pytest.mark.parametrize("shape", [(400, 300), (3, 5, 20, 40)])
def test_initial_weights_have_the_variance_of_their_rule(make, shape):
    fan_in, fan_out = init.fan_in_out(shape)
    w = make(shape, rng(), np.float64)
    variance = 2 / (fan_in + fan_out) if "glorot" in make.__name__ else 2 / fan_in
    assert abs(w.var() / variance - 1) < 6 * np.sqrt(2 / w.size)
    if "uniform" in make.__name__:
        assert abs(w).max() <= np.sqrt(3 * variance)


def test_a_transposed_kernel_swaps_the_fans():
    r = rng()
    layer = Conv2DTranspose(400, 2, weight_init="he_uniform", dtype=np.float64, rng=r)
    assert abs(abs(layer.weight.data).max() / np.sqrt(6 / (9 * 400)) - 1) < 0.01


@pytest.mark.parametrize("build", [
    lambda r: Dense(2, 2, rng=r), lambda r: Conv2D(1, 1, rng=r), lambda r: Dropout(0.1, rng=r),
])  # fmt: skip
@pytest.mark.parametrize("bad", [0, None, np.random])
def test_a_seed_is_not_a_generator(build, bad):
    with pytest.raises(TypeError, match=r"rng must be a numpy.random.Generator.*default_rng"):
        build(bad)


def test_unknown_initialisers_and_activations_are_named():
    with pytest.raises(ValueError, match="unknown weight_init 'glorot': use 'glorot_uniform'"):
        Dense(2, 2, weight_init="glorot", rng=rng())
    with pytest.raises(ValueError, match="unknown activation 'swish': use 'relu'"):
        Dense(2, 2, activation="swish", rng=rng())(np.ones((1, 2), np.float32))
    with pytest.raises(ValueError, match="cannot be divided"):
        Conv2D(3, 4, groups=2, rng=rng())
    with pytest.raises(ValueError, match="at least 0 and below 1"):
        dropout(np.ones(3), 1.0, rng())
    with pytest.raises(TypeError, match="write forward"):
        Module()(1)


def test_batches_cover_everything_once_in_a_new_order_each_pass():
    x, y = np.arange(10), np.arange(10) * 2
    batches = Batches(x, y, batch_size=4, rng=rng())
    passes = [list(batches) for _ in range(2)]
    assert [len(b[0]) for b in passes[0]] == [4, 4, 2] == [4, 4, 2]
    for a, b in passes[0]:
        np.testing.assert_array_equal(b, 2 * a)
    orders = [np.concatenate([a for a, _ in p]) for p in passes]
    np.testing.assert_array_equal(np.sort(orders[0]), x)
    assert not np.array_equal(orders[0], orders[1])
    again = Batches(x, y, batch_size=4, rng=rng())
    np.testing.assert_array_equal(orders[0], np.concatenate([a for a, _ in again]))


def test_batches_count_what_they_give():
    for n in range(1, 9):
        for drop in (False, True):
            batches = Batches(np.arange(n), batch_size=3, drop_last=drop)
            assert len(batches) == len(list(batches)) == (n // 3 if drop else -(-n // 3))


@pytest.mark.parametrize(("arguments", "words"), [
    (dict(batch_size=0), "positive integer"), (dict(batch_size=2.5), "positive integer"),
    (dict(batch_size=2, rng=1), "Generator"),
])  # fmt: skip
def test_impossible_batches_are_refused(arguments, words):
    with pytest.raises((ValueError, TypeError), match=words):
        Batches(np.arange(3), **arguments)
    with pytest.raises(ValueError, match=r"one length, got \[3, 4\]"):
        Batches(np.arange(3), np.arange(4), batch_size=1)
