"""Arguments that change after an operation: the gradient stays that of the forward pass, or it is
an error. Every array and every container that any primitive was given is changed."""

import array
import collections
import copy

import numpy as np
import pytest
from specs import cases, every_case

import minigrad as mg
from minigrad import losses

REFUSED = (RuntimeError, ValueError)  # noticed by a seal; or NumPy's "read-only"


def spoil(value, done):
    """Change everything in `value` that can be changed, in place; appends what was to `done`."""
    if isinstance(value, mg.Tensor):
        value = value.data
    if isinstance(value, np.ndarray):
        if value.flags.writeable and value.size:
            value[...] = ~value if value.dtype == bool else value * 0 + 1
            done.append(value)
    elif isinstance(value, list | collections.deque | array.array):
        for v in value:
            spoil(v, done)
        value.reverse()
        done.append(value)
    elif isinstance(value, dict):
        for v in value.values():
            spoil(v, done)
    elif isinstance(value, tuple):
        for v in value:
            spoil(v, done)
    elif isinstance(value, slice):
        for v in (value.start, value.stop, value.step):
            spoil(v, done)


def gradients(y, leaves, g):
    y.backward(g)
    return [None if x.grad is None else x.grad.data.copy() for x in leaves]


def old_gradient_or_error(function, arguments, change, wanted):
    """`function` of `arguments` and a backward pass, with `change` between, against one without."""
    found = []
    for between in (lambda *_: None, change):
        given = copy.deepcopy(arguments)
        leaves = [given[k] for k in wanted]
        y = function(*given)
        before = y._data.copy()
        g = np.random.default_rng(0).standard_normal(y.shape)
        try:
            between(given)
            found.append(gradients(y, leaves, g))
        except REFUSED as error:
            assert "was changed after" in str(error) or "read-only" in str(error)
            return "refused"
        assert (y._data == before).all() or between is change
    for a, b in zip(*found, strict=True):
        assert (a is None and b is None) or a.tobytes() == b.tobytes()
    return "the old gradient"


# ---------------------------------------------------------------------- every primitive
@pytest.mark.parametrize("name, k, label", every_case())
@pytest.mark.parametrize("constant", [False, True], ids=["leaves", "one constant"])
def test_every_argument_of_every_primitive(name, k, label, constant, monkeypatch):
    """The leaves; then with each input in turn a constant array, which its owner may change."""
    case, seen = cases(name)[k], []
    primitive = mg.registry[name]
    call = type(primitive).__call__

    def spied(self, *args, **options):
        if self is primitive:
            seen.append((args, options))
        return call(self, *args, **options)

    count = len(case.inputs)
    for plain in range(count) if constant else [None]:
        wanted = [i for i in range(count) if i != plain]
        if not wanted:
            continue
        given = [
            x.copy() if i == plain else mg.tensor(x, requires_grad=True)
            for i, x in enumerate(case.inputs)
        ]

        def change(given):
            done = []
            spoil(given, done)  # the inputs, and whatever the primitive itself was given
            spoil([seen[-1][0], seen[-1][1]], done)
            assert done

        with monkeypatch.context() as patch:
            patch.setattr(type(primitive), "__call__", spied)
            if not case.function(*given).requires_grad:
                continue
            old_gradient_or_error(case.function, given, change, wanted)


# ---------------------------------------------------------------------- every container
X = np.arange(1.0, 13.0).reshape(3, 4)
ROWS = np.array([0, 2, 1])


class Pair(collections.namedtuple("Pair", "first second")):
    pass


@mg.primitive("an array", x=lambda g, options: g * float(options["scale"][0]))
def scaled(x, options):
    return x * float(options["scale"][0])


@mg.primitive("an array", x=lambda g, pair: g * float(pair.first[0]))
def scaled_by_pair(x, pair):
    return x * float(pair.first[0])


CONTAINERS = {  # function of x and of what will be changed
    "list": (lambda x, c: x[c], [0, 2, 1]),
    "list in a tuple": (lambda x, c: x[:, c], [0, 2, 1]),
    "nested list": (lambda x, c: x[c], [[0, 1], [2, 0]]),
    "array": (lambda x, c: x[c], ROWS),
    "arrays": (lambda x, c: x[c, c], ROWS),
    "array with a new axis": (lambda x, c: x[c[:, None], [0, 1]], ROWS),
    "mask": (lambda x, c: x[c], X > 4),
    "Tensor": (lambda x, c: x[c], mg.tensor(ROWS)),
    "0-d array": (lambda x, c: x[c], np.array(2)),
    "slice of 0-d arrays": (lambda x, c: x[c], slice(np.array(0), np.array(2))),
    "deque": (lambda x, c: x[:, c], collections.deque([0, 2, 1])),
    "array.array": (lambda x, c: x[:, c], array.array("l", [0, 2, 1])),
    "scatter": (lambda x, c: mg.scatter(x, c, (3, 4)), [0, 2, 1]),
    "transpose": (lambda x, c: mg.transpose(mg.reshape(x, (2, 3, 2)), c), [1, 2, 0]),
    "method": (lambda x, c: x.reshape(2, 3, 2).transpose(c), [1, 2, 0]),
    "reshape": (lambda x, c: mg.reshape(x, c), [2, 6]),
    "broadcast_to": (lambda x, c: mg.broadcast_to(x, c), [2, 3, 4]),
    "sum_to": (lambda x, c: mg.sum_to(x, c), [1, 4]),
    "pad": (lambda x, c: mg.pad(x, c), [[0, 1], [2, 0]]),
    "pad, arrays": (lambda x, c: mg.pad(x, c), np.array([[0, 1], [2, 0]])),
    "where": (lambda x, c: mg.where(c, x, 2 * x), X > 4),
    "cross_entropy": (lambda x, c: losses.cross_entropy(x, c), ROWS),
    "mse_loss": (lambda x, c: losses.mse_loss(x, c), X[::-1].copy()),
    "options": (lambda x, c: scaled(x, c), {"scale": [3, 5]}),
    "named tuple": (lambda x, c: scaled_by_pair(x, c), Pair([3, 5], 7)),
    "conv2d stride": (
        lambda x, c: mg.conv2d(x.reshape(1, 3, 4, 1), np.ones((2, 2, 1, 1)), stride=c),
        [1, 2],
    ),
}


@pytest.mark.parametrize("function, value", CONTAINERS.values(), ids=CONTAINERS.keys())
def test_every_container(function, value):
    def change(given):
        done = []
        spoil(given[1], done)
        assert done

    found = old_gradient_or_error(
        function, [mg.tensor(X, requires_grad=True), value], change, wanted=[0]
    )
    assert found == "the old gradient"  # of constants, as they were


# ---------------------------------------------------------------------- views that nobody watches
VIEWS = {
    "getitem": lambda x: x[:2],
    "new axis": lambda x: x[None],
    "reshape": lambda x: x.reshape(4, 3),
    "transpose": lambda x: x.T,
    "broadcast_to": lambda x: mg.broadcast_to(x, (2, 3, 4)),
    "of a view": lambda x: x[:2][:1].T,
    "iteration": lambda x: next(iter(x)),
    "detached": lambda x: x[:2].detach(),
    "numpy": lambda x: mg.Tensor(x[:2].numpy()),
}


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS.keys())
@pytest.mark.parametrize("of", ["a leaf", "a result", "a leaf of which a view was recorded"])
def test_a_view_taken_under_no_grad_is_no_way_around_the_guard(view, of):
    x = mg.tensor(X, requires_grad=True)
    base = x * 1.0 if of == "a result" else x
    used = base[:] if "recorded" in of else base
    z = (used * used).sum()
    with mg.no_grad():
        found = view(base)
        with pytest.raises(ValueError, match="read-only"):
            found.data[...] = 0.0
    z.backward()
    np.testing.assert_array_equal(x.grad.data, 2 * X)


def test_constants_may_be_written_through_their_views():
    c = mg.tensor(X)
    x = mg.tensor(X, requires_grad=True)
    z = (x * c).sum()
    c[:1].data[...] = 0.0
    z.backward()
    np.testing.assert_array_equal(x.grad.data, X)  # as it was
    assert not c.data[0].any()


def test_a_primitive_that_returns_its_argument_is_a_view_of_it():
    @mg.primitive("three", x=lambda g: g)
    def second(first, x, third):
        return x

    x = mg.tensor(X, requires_grad=True)
    y = second(1.0, x, 2.0)
    z = (y * y).sum()
    x.data[...] = 0.0
    with pytest.raises(RuntimeError, match="was changed after"):
        z.backward()
    x = mg.tensor(X, requires_grad=True)
    z = (x * x).sum()
    with mg.no_grad(), pytest.raises(ValueError, match="read-only"):
        second(1.0, x, 2.0).data[...] = 0.0
    z.backward()
