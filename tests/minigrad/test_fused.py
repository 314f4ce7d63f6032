"""Proves that a fused layer is its parts: values, derivatives to order 2, and what it keeps."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import fused
from minigrad.functional import activations

LAYERS = {
    "conv2d": (mg.conv2d, (2, 5, 4, 2), (3, 3, 2, 3), (3,), dict(stride=2)),
    "conv2d_transpose": (mg.conv2d_transpose, (2, 3, 4, 2), (3, 2, 3, 2), (3,), dict(stride=2)),
    "dense": (mg.dense, (4, 5), (5, 3), (3,), {}),
}


@pytest.mark.parametrize("activation", ["relu", "sigmoid", "tanh"])
@pytest.mark.parametrize("layer", LAYERS)
def test_a_fused_layer_equals_its_parts(layer, activation):
    function, *shapes, settings = LAYERS[layer]
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(s) for s in shapes]
    fused, parts = ([mg.tensor(a, requires_grad=True) for a in arrays] for _ in range(2))
    y = function(*fused, activation=activation, **settings)
    assert y.node.primitive.name.endswith("_layer")
    z = activations[activation](function(*parts[:2], **settings) + parts[2])
    np.testing.assert_allclose(y.data, z.data, rtol=1e-14)
    u = rng.standard_normal(y.shape)
    first, expected = (
        mg.grad(y, fused, u, create_graph=True),
        mg.grad(z, parts, u, create_graph=True),
    )
    vs = [rng.standard_normal(s) for s in shapes]

    def again(gradients, leaves):  # a relu's bias gradient depends on nothing any more
        used = [(g, v) for g, v in zip(gradients, vs, strict=True) if g.requires_grad]
        ys, gs = (list(column) for column in zip(*used, strict=True))
        found = mg.grad(ys, leaves, gs, allow_unused=True)
        return [
            mg.tensor(np.zeros(x.shape)) if d is None else d
            for d, x in zip(found, leaves, strict=True)
        ]

    mine, theirs = [*first, *again(first, fused)], [*expected, *again(expected, parts)]
    for a, b in zip(mine, theirs, strict=True):
        np.testing.assert_allclose(a.data, b.data, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("layer", LAYERS)
def test_it_writes_to_nothing_that_it_was_given(layer):
    function, *shapes, settings = LAYERS[layer]
    arrays = [np.random.default_rng(0).standard_normal(s) for s in shapes]
    copies = [a.copy() for a in arrays]
    for a in arrays:
        a.flags.writeable = False
    function(*arrays, activation="relu", **settings)
    leaves = [mg.tensor(a, requires_grad=True) for a in arrays]
    y = function(*leaves, activation="relu", **settings)
    g = np.ones(y.shape)
    g.flags.writeable = False
    y.backward(g)
    for a, b in zip(arrays, copies, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("layer", LAYERS)
def test_a_first_layer_computes_no_gradient_of_its_input(layer):
    function, *shapes, settings = LAYERS[layer]
    x, w, b = (np.random.default_rng(0).standard_normal(s) for s in shapes)
    w, b = mg.tensor(w, requires_grad=True), mg.tensor(b, requires_grad=True)
    y, ran = function(x, w, b, activation="relu", **settings), []

    def around(primitive, where, phase, function, args):
        ran.append((primitive.name, phase))
        return function(*args)

    with mg.hook(around):
        y.backward(np.ones(y.shape))
    assert {"conv2d": "conv_x", "conv2d_transpose": "conv_y"}.get(layer) not in dict(ran)
    steps = [phase for name, phase in ran if name.endswith("_layer")]
    assert steps == ["backward"] * 3  # the activation once, then w and b


def test_only_the_output_of_the_activation_is_kept():
    x, w, b = (mg.tensor(np.ones(s), requires_grad=True) for s in ((4, 5), (5, 3), (3,)))
    y = mg.dense(x, w, b, activation="relu")
    kept = {id(v) for v in y.node.saved if isinstance(v, np.ndarray)}
    assert kept == {id(x._data), id(w._data), id(y._data)}


@pytest.mark.parametrize("layer", LAYERS)
def test_a_bias_of_another_shape_is_refused(layer):
    function, *shapes, settings = LAYERS[layer]
    x, w, _ = (np.ones(s) for s in shapes)
    for bad in (np.ones(1), np.ones((1, 3)), np.ones(4)):
        with pytest.raises(ValueError, match=rf"{layer}: expected a bias .* \(3,\), got"):
            function(x, w, bad, activation="relu", **settings)


def test_a_kernel_may_do_the_work_of_the_shared_vjp(monkeypatch):
    """And only for first derivatives: those of second order go through the primitives."""
    ran = []

    def kernel(g, y, activation):
        ran.append(activation)
        g = np.where(y <= 0, 0, g)
        return g, g.sum(axis=(0, 1, 2)) + 1  # not quite, so that one can see who was asked

    rng = np.random.default_rng(0)
    x, w, b, g = (rng.standard_normal(s) for s in ((2, 5, 4, 2), (3, 3, 2, 3), (3,), (2, 5, 4, 3)))
    w, b = mg.tensor(w, requires_grad=True), mg.tensor(b, requires_grad=True)
    y = mg.conv2d(x, w, b, activation="relu")
    plain = mg.grad(y, [w, b], g, retain_graph=True)
    monkeypatch.setitem(fused.slope_kernels, "cpu", kernel)
    fast = mg.grad(y, [w, b], g, retain_graph=True)
    assert ran == ["relu"]
    np.testing.assert_allclose(fast[0].data, plain[0].data)
    np.testing.assert_allclose(fast[1].data, plain[1].data + 1)
    again = mg.grad(y, [w, b], g, create_graph=True)
    assert ran == ["relu"]
    np.testing.assert_allclose(again[1].data, plain[1].data)


def test_vjps_know_what_they_share_by_its_names():
    ran = []

    def slopes(g, y, a_shape):
        ran.append(a_shape)
        return 2 * g, y

    @mg.primitive(
        "two arrays",
        shared=(slopes, "twice", "result"),
        a=lambda twice, b: twice * b,
        b=lambda g, twice, result: g + twice * result,
    )
    def times(a, b):
        return a * b

    a, b = (mg.tensor([x, 2.0], requires_grad=True) for x in (1.0, 3.0))
    for create_graph in (False, True):
        ga, gb = mg.grad(times(a, b), [a, b], np.ones(2), create_graph=create_graph)
        np.testing.assert_array_equal(ga.data, 2 * b.data)
        np.testing.assert_array_equal(gb.data, 1 + 2 * a.data * b.data)
    assert ran == [(2,)] * 2  # once for both VJPs


def test_a_vjp_cannot_ask_for_what_nobody_shares():
    with pytest.raises(TypeError, match=r"the VJP for x asks for g, dz; it can have g, y, .*share"):
        mg.primitive("an array", shared=(lambda g: (g,), "slope"), x=lambda g, dz: dz)(lambda x: x)
    with pytest.raises(TypeError, match="the VJP for shared asks for h"):
        mg.primitive("an array", shared=(lambda h: (h,), "dz"), x=lambda dz: dz)(lambda x: x)
