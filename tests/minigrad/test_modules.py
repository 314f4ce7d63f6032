"""Proves that a Module finds what it trains wherever it is kept, refuses what it would lose, and
loads all of a state or nothing."""

import copy
import functools
import pickle
from collections import deque

import numpy as np
import pytest

import minigrad as mg
from minigrad.nn import Buffer, Dense, Module, ModuleDict, ModuleList, Parameter, ReLU, Sequential


def layer(n_in=2, n_out=2, seed=0, **options):
    return Dense(n_in, n_out, rng=np.random.default_rng(seed), **options)


def parameter():
    return Parameter(np.ones(2, np.float32))


class Late(Module):
    """Has an attribute before ``super().__init__`` is called."""

    def __init__(self, **attributes):
        self.first = parameter()
        super().__init__()
        for name, value in attributes.items():
            setattr(self, name, value)

    def forward(self, x, *, scale=1.0):
        return x * self.first * scale


def names(module):
    return [name for name, _ in module.named_parameters()]


# ---------------------------------------------------------------------- found
@pytest.mark.parametrize(("value", "found"), [
    (parameter(), ["p"]),
    ([parameter(), 3, parameter()], ["p.0", "p.2"]),
    ((parameter(), None), ["p.0"]),
    ({"a": parameter(), 7: [parameter()]}, ["p.a", "p.7.0"]),
    (layer(), ["p.weight", "p.bias"]),
    ([[layer(bias=False)], "text"], ["p.0.0.weight"]),
    ({"a": layer(bias=False), "b": ()}, ["p.a.weight"]),
    (ModuleList([layer(bias=False), ReLU(), layer()]), ["p.0.weight", "p.2.weight", "p.2.bias"]),
    (ModuleDict({"a": layer(bias=False)}), ["p.a.weight"]),
    (None, []), (np.ones(2), []), (mg.tensor([1.0]), []), (Buffer(np.ones(2)), []),
])  # fmt: skip
def test_parameters_are_found_in_every_container(value, found):
    model = Late(p=value)
    assert names(model) == ["first", *found]
    assert set(model.state_dict()) == {"first", *found, *dict(model.named_buffers())}


def test_a_list_that_grows_later_is_found_as_it_is():
    model = Late(blocks=[])
    model.blocks.append(layer(bias=False))
    assert names(model) == ["first", "blocks.0.weight"]
    del model.first
    model.blocks[0] = None
    assert names(model) == []


def test_reassigned_parameters_are_the_new_ones():
    model, new = Late(), parameter()
    model.first = new
    assert model.parameters() == [new]
    model.first = None
    assert model.parameters() == []
    model.first = layer(bias=False)
    assert names(model) == ["first.weight"]


def test_shared_modules_and_parameters_come_once_under_the_first_name():
    shared = layer()
    model = Late(a=shared, b=[shared], c=layer(seed=1))
    model.c.weight = shared.weight
    assert names(model) == ["first", "a.weight", "a.bias", "c.bias"]
    assert [name for name, _ in model.named_children()] == ["a", "c"]
    assert list(model.children()) == [shared, model.c]
    assert [name for name, _ in model.named_modules()] == ["", "a", "c"]
    again = [name for name, _ in model.named_modules(remove_duplicate=False)]
    assert again == ["", "a", "b.0", "c"]
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert twin.b[0] is twin.a and twin.c.weight is twin.a.weight
        assert twin.a is not shared and names(twin) == names(model)


def test_a_module_that_holds_itself_is_walked_once():
    model = Late(inner=Late())
    model.inner.parent = model
    assert names(model) == ["first", "inner.first"]
    assert repr(model).count("Late") == 2


# ---------------------------------------------------------------------- refused
@pytest.mark.parametrize("value", [
    mg.tensor([1.0, 2.0], requires_grad=True), mg.tensor([1.0, 2.0]), np.ones(2), [1.0], "weight",
    mg.tensor([1.0], requires_grad=True) * 2.0,
])  # fmt: skip
def test_what_would_replace_a_parameter_untrained_is_refused(value):
    model = layer()
    before = model.weight
    with pytest.raises(TypeError, match=r"Dense.weight is a Parameter .* set weight.data"):
        model.weight = value
    assert model.weight is before


def test_a_leaf_that_is_no_parameter_is_refused_where_it_is_assigned_or_found():
    leaf = mg.tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(TypeError, match=r"Late.w is a \(2,\) float64 leaf but no Parameter"):
        Late(w=leaf)
    hidden = Late(w=[leaf])
    for ask in (hidden.parameters, hidden.state_dict):
        with pytest.raises(TypeError, match=r"Late.w.0 is a .* make it Parameter\(...\)"):
            ask()
    assert names(Late(w=Parameter(leaf))) == ["first", "w"]
    Late(last=leaf * 2.0, constant=leaf.detach())  # results and constants are the user's own


def test_parameters_in_containers_without_order_are_refused():
    for container in ({layer()}, frozenset([parameter()]), deque([[parameter()]])):
        with pytest.raises(TypeError, match=r"p\S* is a .* that holds .*ModuleList or ModuleDict"):
            Late(p=container).parameters()
    assert names(Late(p={1, 2})) == ["first"]


def test_a_function_does_not_hide_the_parameters_of_a_module():
    model = Late(body=layer(), bend=ReLU())
    with pytest.raises(TypeError, match=r"Late.body is a Dense with parameters"):
        model.body = functools.partial(model.body)
    model.body, model.bend = None, mg.tanh
    assert names(model) == ["first"]


def test_two_values_with_one_name_are_refused():
    model = Late(p={1: parameter(), "1": parameter()})
    with pytest.raises(ValueError, match=r"two parameters or buffers with the name p\.1"):
        model.state_dict()


@pytest.mark.parametrize("data", [np.ones(2, int), [1, 2], "text"])
def test_a_parameter_is_made_of_floats(data):
    with pytest.raises(TypeError, match="float32"):
        Parameter(data)


# ---------------------------------------------------------------------- containers
def test_a_module_list_is_a_list_of_modules():
    a, b, c = layer(), ReLU(), layer(seed=1)
    heads = ModuleList([a])
    heads.append(c)
    heads.insert(1, b)
    assert list(heads) == [a, b, c] and len(heads) == 3 and heads[-1] is c and b in heads
    assert list(heads[1:]) == [b, c] and isinstance(heads[1:], ModuleList)
    heads[1:] = [c]
    del heads[0]
    heads[0] = b
    assert list(heads) == [b]
    for change in (lambda: heads.append(mg.tanh), lambda: heads.__setitem__(slice(1), [3])):
        with pytest.raises(TypeError, match="ModuleList holds Modules, got"):
            change()
    assert list(heads) == [b]


def test_a_module_dict_is_a_dict_of_modules():
    a, b = layer(), ReLU()
    parts = ModuleDict({"a": a})
    parts["b"] = b
    assert list(parts.items()) == [("a", a), ("b", b)] and "a" in parts
    assert parts.pop("a") is a and list(parts) == ["b"]
    assert parts != ModuleDict({"b": b}) and len({parts, parts}) == 1
    with pytest.raises(ValueError, match=r"ModuleDict: a name must be .* got 'x\.y'"):
        parts["x.y"] = a
    with pytest.raises(TypeError, match="ModuleDict holds Modules"):
        parts["c"] = parameter()


def test_train_and_eval_reach_modules_in_containers():
    model = Late(a=[ReLU()], b=ModuleDict({"x": ModuleList([ReLU()])}))
    model.eval()
    assert [m.training for m in model.modules()] == [False] * 5
    assert all(m.training for m in model.train().modules())


# ---------------------------------------------------------------------- calls and tables
def test_keyword_arguments_reach_forward():
    model = Late()
    np.testing.assert_array_equal(model(np.ones(2, np.float32), scale=3.0).data, [3, 3])
    with pytest.raises(TypeError, match="size"):
        model(np.ones(2, np.float32), size=3.0)


@pytest.mark.parametrize(("activation", "word"), [
    ("relu", "relu"), (mg.tanh, "tanh"), (ReLU(), "ReLU"),
    (functools.partial(mg.clip, low=0), "clip"),
    (functools.partial(ReLU()), "ReLU"), (None, "2 -> 2"),
])  # fmt: skip
def test_the_table_names_any_activation(activation, word):
    line = repr(layer(activation=activation)).splitlines()[0]
    assert f"{word}  weight (2, 2)  bias (2,)  6" in line


def test_extra_repr_is_in_the_table():
    class Scaled(Late):
        def extra_repr(self):
            return "times two"

    assert repr(Scaled()).splitlines() == ["  Scaled  times two  first (2,)  2", "2 parameters"]


# ---------------------------------------------------------------------- all or nothing
@pytest.mark.parametrize(("bad", "words"), [
    (np.array(["a", "b"]), "bias is <U1"), (np.ones(2, complex), "bias is complex128"),
    (np.array([None, None]), "bias is object"), ([[1.0], [2.0]], r"bias is \(2, 1\)"),
])  # fmt: skip
def test_a_state_is_loaded_whole_or_not_at_all(bad, words):
    model = Sequential(layer(), layer(seed=1))
    before = model.state_dict()
    state = {name: array + 1 for name, array in before.items()}
    with pytest.raises(ValueError, match=rf"load_state_dict: .*layers.1.{words}"):
        model.load_state_dict({**state, "layers.1.bias": bad})
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, before[name])
    model.load_state_dict({**state, "layers.1.bias": [1, 2]})  # numbers of another kind are taken
    np.testing.assert_array_equal(model.layers[1].bias.data, [1, 2])


def test_loading_that_runs_out_of_memory_changes_nothing(monkeypatch):
    model = Sequential(layer(), layer(seed=1))
    before = model.state_dict()
    left = iter([mg.backend.own_copy] * 3)
    monkeypatch.setattr("minigrad.weights.own_copy", lambda *a: next(left, _fail)(*a))
    with pytest.raises(MemoryError):
        model.load_state_dict({name: array + 1 for name, array in before.items()})
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


def _fail(*arguments):
    raise MemoryError
