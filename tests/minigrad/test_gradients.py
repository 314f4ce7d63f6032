"""The derivative of every primitive is right, to third order."""

import types

import numpy as np
import pytest
import specs
from every_primitive import cotangent, for_every_case, run

import minigrad as mg
from minigrad.engine import Primitive
from minigrad.testing import gradcheck

every_case = pytest.mark.parametrize(
    "name, k", [pytest.param(n, k, id=f"{n}: {label}") for n, k, label in specs.every_case()]
)


def test_every_primitive_has_a_specification():
    assert specs.without_spec(mg.registry) == []
    assert sorted(set(specs.specs) - set(mg.registry)) == [], "specifications of no primitive"


def test_a_primitive_without_a_specification_would_be_found():
    code = (lambda x: x).__code__.replace(co_filename=mg.engine.__file__)  # as if it stood there
    forward = types.FunctionType(code, {}, "newcomer")
    before = dict(mg.registry)
    try:
        mg.primitive("an array", x=lambda g: g)(forward)
        assert specs.without_spec(mg.registry) == ["newcomer"]
        with pytest.raises(AssertionError):
            test_every_primitive_has_a_specification()
    finally:
        mg.registry.clear()
        mg.registry.update(before)


@every_case
def test_orders_1_to_3(name, k):
    case = specs.cases(name)[k]
    assert gradcheck(case.function, case.inputs, order=3, rng=np.random.default_rng(k)) < 1e-8


@for_every_case
def test_linear_and_homogeneous_functions_obey_their_laws(case):
    """Exact identities: no finite difference, so no error but rounding."""
    if case.degree is None:
        return
    xs, f = case.inputs, case.function
    y, grads = run(f, xs)
    g = cotangent(y)
    scale = sum(np.linalg.norm(x) * np.linalg.norm(d) for x, d in zip(xs, grads, strict=True))
    bound = 1e-13 * (1 + scale + np.linalg.norm(y) * np.linalg.norm(g))
    euler = sum(float((x * d).sum()) for x, d in zip(xs, grads, strict=True))
    assert abs(euler - case.degree * float((y * g).sum())) <= bound
    if case.linear:
        others = [np.asarray(np.random.default_rng(1).standard_normal(x.shape)) for x in xs]
        both = f(*(2 * x + o for x, o in zip(xs, others, strict=True)))
        np.testing.assert_allclose(both, 2 * f(*xs) + f(*others), rtol=1e-13, atol=1e-13)
        for mine, theirs in zip(run(f, others)[1], grads, strict=True):
            np.testing.assert_array_equal(mine, theirs)  # the derivative is the same everywhere


@pytest.mark.parametrize("label", specs.GEOMETRIES)
def test_the_convolution_triple_is_one_form(label):
    """<conv_y(x, w), y> = <conv_x(y, w), x> = <conv_w(x, y), w>, to the bit for small integers."""
    geometry, *of = specs.geometry_of(label)
    rng = np.random.default_rng(0)
    x, w, y = (rng.integers(-4, 5, shape).astype(np.float32) for shape in of)
    conv_y, conv_x, conv_w = (mg.registry[f"conv_{name}"] for name in "yxw")
    form = (conv_y(x, w, geometry) * y).sum()
    assert form == (conv_x(y, w, geometry) * x).sum() == (conv_w(x, y, geometry) * w).sum()
    np.testing.assert_array_equal(conv_y(x, w, geometry), slow_convolution(x, w, geometry))
    assert np.abs(conv_y(x, w, geometry)).sum() > 0


def slow_convolution(x, w, geometry):
    """The sum at the top of minigrad/conv.py, literally."""
    (n, h, v, _), (kh, kw, per_group, f) = x.shape, w.shape
    (s, t), (d, e), pads = geometry.stride, geometry.dilation, geometry.pads
    y = np.zeros((n, *geometry.out, f), x.dtype)
    for p, q in np.ndindex(*geometry.out):
        for i, j in np.ndindex(kh, kw):
            row, column = p * s + i * d - pads[0][0], q * t + j * e - pads[1][0]
            if 0 <= row < h and 0 <= column < v:
                for k in range(f):
                    first = k // (f // geometry.groups) * per_group
                    y[:, p, q, k] += x[:, row, column, first : first + per_group] @ w[i, j, :, k]
    return y


def test_convolution_in_several_blocks(monkeypatch):
    """Batches are worked on in blocks: the results must not depend on where they are cut."""
    geometry, *of = specs.geometry_of("same, stride 2: pads (0, 1)")
    rng = np.random.default_rng(0)
    x, w, y = (rng.integers(-4, 5, (5, *s[1:]) if len(s) == 4 and s[0] == 2 else s) for s in of)
    x, w, y = (a.astype(np.float64) for a in (x, w, y))
    pairs = {"conv_y": (x, w), "conv_x": (y, w), "conv_w": (x, y)}
    whole = {name: mg.registry[name].forward(*pair, geometry) for name, pair in pairs.items()}
    monkeypatch.setattr(mg.conv, "_BLOCK", 2 * 9 * np.prod(geometry.out))  # two images, 2, 1
    assert len(geometry.blocks(5, 1)) == 3
    for name, pair in pairs.items():
        np.testing.assert_array_equal(mg.registry[name].forward(*pair, geometry), whole[name])


def test_padding_same_is_tensorflows():
    def pads(size, kernel, **settings):
        return mg.conv.Geometry.of((size, size), (kernel, kernel), **settings).pads[0]

    assert pads(32, 3) == (1, 1)
    assert pads(32, 3, stride=2) == (0, 1)
    assert pads(33, 3, stride=2) == (1, 1)
    assert pads(32, 4) == (1, 2)
    assert pads(32, 1, stride=2) == (0, 0)
    assert pads(32, 5, stride=2, dilation=2) == (3, 4)


def test_subgradients_at_kinks_are_the_documented_ones():
    """relu and abs: 0 at 0; ties of maxima and minima share; clip passes at its bounds."""

    def slope(f, *xs):
        return [d.tolist() for d in run(f, [np.array(x) for x in xs])[1]]

    g = cotangent(np.zeros(())).item()
    assert slope(mg.relu, 0.0) == [0.0]
    assert slope(mg.abs, 0.0) == [0.0]
    assert slope(lambda x: mg.clip(x, -1.0, 2.0), 2.0) == [g]
    assert slope(lambda x: mg.clip(x, 2.0, 3.0), 2.0) == [g]
    for f in (mg.maximum, mg.minimum):
        assert slope(f, 1.5, 1.5) == [g / 2, g / 2]
    for f in (mg.max, mg.min):
        assert slope(f, [1.5, 1.5, 1.5, 1.5]) == [[g / 4] * 4]
    assert slope(lambda x: mg.max(x, 1).sum(), [[2.0, 1.0, 2.0]]) == [[[g / 2, 0, g / 2]]]
    assert slope(mg.sign(mg.tensor(3.0)).__mul__, 2.0) == [g]


def test_sign_is_a_constant():
    assert not mg.sign(mg.tensor([1.0, -2.0], requires_grad=True)).requires_grad
    assert mg.sign(mg.tensor([1.0, -2.0, 0.0])).data.tolist() == [1, -1, 0]


def test_extreme_values_stay_finite():
    x = np.array([-1e4, -700.0, 0.0, 700.0, 1e4])
    for f in (mg.sigmoid, mg.softplus, mg.tanh, mg.softmax, mg.log_softmax, mg.logsumexp):
        y, (d,) = run(f, [x])
        assert np.isfinite(y).all() and np.isfinite(d).all(), f.name
        assert np.isfinite(run(f, [x.astype(np.float32)])[1][0]).all(), f.name
    for p in (0.0, 1.0):
        y, grads = run(mg.registry["bernoulli_nll"], [np.array(p), np.array(1 - p)])
        assert y == 100 and np.isfinite(grads).all()


def test_registry_holds_primitives_only():
    assert all(isinstance(p, Primitive) and p.name == name for name, p in mg.registry.items())
