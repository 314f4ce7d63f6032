"""Proves that buffers are kept, saved, loaded, moved and copied with a Module, but not trained."""

import copy
import pickle

import numpy as np
import pytest

import minigrad as mg
from minigrad.nn import Buffer, Dense, Module, Parameter, Sequential


class Centered(Module):
    """Subtracts a running mean, which it updates while training, and counts its calls."""

    def __init__(self, features):
        self.scale = Parameter(np.ones(features, np.float32))
        self.mean = Buffer(np.zeros(features, np.float32))
        self.register_buffer("count", 0)

    def forward(self, x):
        if self.training:
            self.mean = 0.5 * self.mean + 0.5 * x.mean(0)
            self.count = self.count.data + 1
        return (x - self.mean) * self.scale


def batch(value=1.0):
    return mg.tensor(np.full((3, 2), value, np.float32), requires_grad=True)


def test_buffers_are_in_the_state_and_not_among_the_parameters():
    model = Sequential(Dense(2, 2, rng=np.random.default_rng(0)), Centered(2))
    assert [name for name, _ in model.named_buffers()] == ["layers.1.mean", "layers.1.count"]
    assert model.buffers() == [model.layers[1].mean, model.layers[1].count]
    assert not any(isinstance(p, Buffer) for p in model.parameters())
    assert {"layers.1.mean", "layers.1.count", "layers.1.scale"} < set(model.state_dict())


def test_an_assigned_array_sets_the_values_and_no_gradient_flows_through_them():
    model, x = Centered(2), batch(4.0)
    for _ in range(2):
        y = model(x)
    assert isinstance(model.mean, Buffer) and not model.mean.requires_grad
    np.testing.assert_array_equal(model.mean.data, [3, 3])  # 0, 2, 3
    assert model.count.item() == 2
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.data, np.ones((3, 2)))  # the mean counts as a constant


def test_a_graph_keeps_the_values_that_a_buffer_had():
    model = Centered(2)
    y = model(batch(4.0))
    model(batch(100.0))
    y.sum().backward()
    np.testing.assert_array_equal(model.scale.grad.data, [6, 6])  # 3 rows of 4 - 2


def test_a_buffer_refuses_another_shape_or_dtype():
    model = Centered(2)
    for wrong in (np.zeros(3, np.float32), np.zeros(2), "mean", 1.0):
        with pytest.raises(ValueError, match=r"\(2,\) float32 Tensor can only be replaced"):
            model.mean = wrong
    model.mean = None
    assert "mean" not in model.state_dict()


@pytest.mark.parametrize("name", ["mean", "forward", "a.b", ""])
def test_a_buffer_needs_a_name_of_its_own(name):
    with pytest.raises(ValueError, match=r"register_buffer: .* choose another name"):
        Centered(2).register_buffer(name, np.zeros(2))


def test_deleted_and_empty_buffers_are_gone():
    model = Centered(2)
    model.register_buffer("later", None)
    del model.mean
    assert sorted(model.state_dict()) == ["count", "scale"]
    model.later = Buffer(np.ones(1))
    assert sorted(model.state_dict()) == ["count", "later", "scale"]


def test_the_state_comes_back():
    model, other = Centered(2), Centered(2)
    model(batch())
    state = model.state_dict()
    other.load_state_dict(state)
    np.testing.assert_array_equal(other.mean.data, [0.5, 0.5])
    assert other.count.item() == 1 and other.count.dtype == model.count.dtype
    state["mean"][...] = 9
    np.testing.assert_array_equal(other.mean.data, [0.5, 0.5])
    assert isinstance(other.mean, Buffer)


def test_copies_and_pickles_have_buffers_of_their_own():
    model = Centered(2)
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        twin(batch())
        assert isinstance(twin.mean, Buffer)
        assert twin.count.item() == 1 and model.count.item() == 0
        np.testing.assert_array_equal(model.mean.data, [0, 0])
