"""Proves that forward hooks see and change what goes in and out, in order, until removed."""

import copy

import numpy as np

import minigrad as mg
from minigrad.nn import Dense, Module, Parameter, Sequential, Tanh


class Scale(Module):
    def forward(self, x, factor=2.0):
        return x * factor


class Recorder(Module):
    """A hook that is a Module, with a parameter."""

    def __init__(self):
        self.scale = Parameter(np.ones(2))

    def forward(self, module, args):
        return args[0] * self.scale


X = np.array([1.0, 3.0])


def test_hooks_see_arguments_and_output_in_the_order_of_registration():
    layer, seen = Scale(), []
    layer.register_forward_hook(lambda m, args, out: seen.append((m, args[0], out)))
    layer.register_forward_pre_hook(lambda m, args: seen.append((m, args)))
    layer.register_forward_hook(lambda m, args, out: seen.append("last"))
    y = layer(X, factor=3.0)
    np.testing.assert_array_equal(y, 3 * X)
    assert seen[0][0] is layer and seen[0][1][0] is X
    assert seen[1][1] is X and seen[1][2] is y
    assert seen[2:] == ["last"]


def test_what_hooks_return_replaces_arguments_and_output():
    layer = Scale()
    layer.register_forward_pre_hook(lambda m, args: args[0] + 1)
    layer.register_forward_pre_hook(lambda m, args: (args[0] * 10, 5.0))
    layer.register_forward_hook(lambda m, args, out: out - args[1])
    layer.register_forward_hook(lambda m, args, out: -out)
    np.testing.assert_array_equal(layer(X), -((X + 1) * 50 - 5))


def test_removed_hooks_are_silent_and_the_others_stay():
    layer, seen = Scale(), []
    first = layer.register_forward_hook(lambda *_: seen.append("first"))
    with layer.register_forward_pre_hook(lambda *_: seen.append("before")):
        layer(X)
    layer.register_forward_hook(lambda *_: seen.append("second"))
    first.remove()
    first.remove()
    layer(X)
    assert seen == ["before", "first", "second"]


def test_a_hook_may_remove_itself():
    layer, seen = Scale(), []

    def once(*_):
        seen.append("once")
        handle.remove()

    handle = layer.register_forward_hook(once)
    layer.register_forward_hook(lambda *_: seen.append("always"))
    layer(X), layer(X)
    assert seen == ["once", "always", "always"]


def test_hooks_inside_a_model_pass_gradients_and_are_no_part_of_it():
    model = Sequential(Dense(2, 2, dtype=np.float64, rng=np.random.default_rng(0)), Tanh())
    before = list(model.state_dict())
    x = mg.tensor(X[None], requires_grad=True)
    (plain,) = mg.grad(model.layers[0](x).sum(), [x])
    model.layers[0].register_forward_hook(lambda m, args, out: out * 3.0)
    (hooked,) = mg.grad(model.layers[0](x).sum(), [x])
    np.testing.assert_allclose(hooked.data, 3.0 * plain.data, rtol=1e-15)
    model.layers[1].register_forward_pre_hook(Recorder())  # a Module that only listens
    model(x)
    assert list(model.state_dict()) == before


def test_a_copy_has_hooks_of_its_own():
    layer, seen = Scale(), []
    handle = layer.register_forward_hook(lambda m, *_: seen.append(m))
    twin = copy.deepcopy(layer)
    handle.remove()
    layer(X), twin(X)
    assert seen == [twin]
