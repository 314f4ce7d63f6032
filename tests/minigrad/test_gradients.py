"""The derivative of every primitive and composition is right, to third order, for every input."""

import inspect
import types
import zlib

import numpy as np
import pytest
import specs

import minigrad as mg
from minigrad import functional, losses
from minigrad.engine import Primitive
from minigrad.testing import gradcheck

every_case = pytest.mark.parametrize(
    "name, k", [pytest.param(n, k, id=f"{n}: {label}") for n, k, label in specs.every_case()]
)
every_primitive = pytest.mark.parametrize("name", sorted(mg.registry))


def for_every_case(test):
    """A test of each primitive that runs `test` on all its cases; the last one printed failed."""

    @every_primitive
    def every(name):
        for case in specs.cases(name):
            print(f"{name}: {case.label}")
            test(case)

    every.__doc__ = test.__doc__
    return every


def leaf(array):
    """A Tensor on `array` itself, with whatever memory layout it has."""
    x = mg.Tensor(array)
    x.requires_grad = True
    return x


def cotangent(y, k=0):
    """A gradient to start from, of the shape and dtype of `y`."""
    seed = zlib.crc32(f"{y.shape}{k}".encode())
    return np.asarray(np.random.default_rng(seed).standard_normal(y.shape)).astype(y.dtype)


def nodes_below(y):
    """All Nodes that `y` was computed from, its own included."""
    seen, stack = set(), [y.node]
    while stack:
        node = stack.pop()
        if node is not None and node not in seen:
            seen.add(node)
            stack.extend(node.parents)
    return seen


def run(function, inputs, g=None):
    """The output of `function` and the gradients of its inputs, as arrays."""
    xs = [leaf(x) for x in inputs]
    y = function(*xs)
    y.backward(cotangent(y) if g is None else g)
    return y._data, [x.grad._data for x in xs]


def assert_same(got, expected):
    """Equal but for the rounding of another order of summation."""
    assert (got.shape, got.dtype) == (expected.shape, expected.dtype)
    if got.size:
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-13 * np.abs(expected).max())


# ---------------------------------------------------------------------- nothing is left out
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


# ---------------------------------------------------------------------- the mathematics
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


# ---------------------------------------------------------------------- every kind of input
def fortran(x):
    return np.asfortranarray(x) if x.ndim else x


def backwards(x):
    flip = (slice(None, None, -1),) * x.ndim
    return x[flip].copy()[flip] if x.ndim else x


def strided(x):
    wide = np.full([2 * n for n in x.shape], np.nan, x.dtype)
    part = wide[(..., *(slice(None, None, 2),) * x.ndim)]
    part[...] = x
    return part


def read_only(x):
    x = x.copy()
    x.flags.writeable = False
    return x


LAYOUTS = [fortran, backwards, strided, read_only]


@for_every_case
def test_memory_layout_does_not_matter(case):
    y, grads = run(case.function, case.inputs)
    g = cotangent(y)
    for layout in LAYOUTS:
        y2, grads2 = run(case.function, [layout(x) for x in case.inputs], layout(g))
        assert_same(y2, y)
        for mine, theirs in zip(grads2, grads, strict=True):
            assert_same(mine, theirs)


@for_every_case
def test_stride_0_inputs_and_cotangents(case):
    """Broadcast arrays, in which one element of memory is many of the array."""
    stretched = [np.broadcast_to(x[:1], x.shape) if x.ndim else x for x in case.inputs]
    xs = [x.copy() for x in stretched]
    y = case.function(*xs)
    g = np.broadcast_to(np.asarray(0.7, y.dtype), y.shape)
    for mine, theirs in zip(
        run(case.function, stretched, g)[1], run(case.function, xs, g.copy())[1], strict=True
    ):
        assert_same(mine, theirs)


@for_every_case
def test_inputs_stay_and_gradients_are_their_own(case):
    xs = [leaf(x.copy()) for x in case.inputs]
    y = case.function(*xs)
    g, before = cotangent(y), y._data.copy()
    kept = g.copy()
    y.backward(g, retain_graph=True)
    np.testing.assert_array_equal(g, kept)
    np.testing.assert_array_equal(y._data, before)
    for x, value in zip(xs, case.inputs, strict=True):
        assert x._data.tobytes() == value.tobytes()
    grads = [x.grad._data for x in xs]
    for i, d in enumerate(grads):
        owner = d if d.base is None else d.base
        assert (
            d.flags.writeable and d.flags.c_contiguous and memoryview(owner).nbytes <= 2 * d.nbytes
        )
        others = [g, y._data, *(x._data for x in xs), *grads[:i]]
        others += [v for n in nodes_below(y) for v in n.saved if isinstance(v, np.ndarray)]
        assert not any(np.shares_memory(d, other) for other in others)


def test_grad_returns_arrays_of_their_own():
    a, b = leaf(np.ones(3)), leaf(np.ones(3))
    g = np.ones(3)
    ga, gb = (d.data for d in mg.grad(a + b, [a, b], g))
    gs = mg.grad(a.sum(), a).data
    assert not np.shares_memory(ga, gb) and not np.shares_memory(ga, g)
    assert gs.flags.writeable and gs.strides == (8,)


@for_every_case
def test_dtype_and_shape_are_those_of_the_input(case):
    for dtype in (np.float32, np.float64):
        _check_dtype(case, dtype)


def _check_dtype(case, dtype):
    xs = [x.astype(dtype) for x in case.inputs]
    y, grads = run(case.function, xs)
    assert y.dtype == dtype
    assert [(d.shape, d.dtype) for d in grads] == [(x.shape, dtype) for x in xs]
    exact = run(case.function, case.inputs, cotangent(y).astype(np.float64))[1]
    for mine, theirs in zip(grads, exact, strict=True):
        if mine.size:
            np.testing.assert_allclose(mine, theirs, atol=3e-5 * max(1, np.abs(theirs).max()))
    leaves = [leaf(x) for x in xs]  # the recorded backward pass keeps the dtype as well
    y = case.function(*leaves)
    firsts = mg.grad(y, leaves, cotangent(y), create_graph=True, allow_unused=True)
    for x, d in zip(leaves, firsts, strict=True):
        assert (d.shape, d.dtype) == (x.shape, dtype)


@pytest.mark.parametrize("old, new", [(np.float32, np.float64), (np.float64, np.float32)])
def test_astype_casts_the_gradient_back(old, new):
    x = leaf(np.array([1.0, 2.0], old))
    y = x.astype(new)
    assert y.dtype == new
    y.backward(np.array([3.0, 4.0], new))
    assert x.grad.dtype == old and x.grad.data.tolist() == [3, 4]
    assert x.astype(np.int64).dtype == np.int64 and not x.astype(np.int64).requires_grad


@for_every_case
def test_a_cotangent_of_zero_gives_exact_zeros(case):
    y = case.function(*case.inputs)
    for d in run(case.function, case.inputs, np.zeros_like(y))[1]:
        assert not d.any()


@for_every_case
def test_two_runs_are_the_same_to_the_bit(case):
    (y1, first), (y2, second) = (run(case.function, case.inputs) for _ in range(2))
    assert y1.tobytes() == y2.tobytes()
    assert [d.tobytes() for d in first] == [d.tobytes() for d in second]


@for_every_case
def test_arrays_and_tensors_give_the_same_values(case):
    plain = case.function(*case.inputs)
    recorded = case.function(*[leaf(x) for x in case.inputs])
    constant = case.function(*[mg.tensor(x) for x in case.inputs])
    assert isinstance(plain, np.ndarray)
    assert isinstance(recorded, mg.Tensor) and isinstance(constant, mg.Tensor)
    assert recorded.requires_grad and not constant.requires_grad
    assert plain.tobytes() == recorded._data.tobytes() == constant._data.tobytes()


@for_every_case
def test_one_wanted_input_gets_what_it_gets_among_all(case):
    """Inputs that need no gradient are left out, and the others do not notice."""
    grads = run(case.function, case.inputs)[1]
    for i, expected in enumerate(grads):
        xs = [mg.tensor(x) for x in case.inputs]
        xs[i].requires_grad = True
        y = case.function(*xs)
        y.backward(cotangent(y))
        assert xs[i].grad.data.tobytes() == expected.tobytes()
        assert all(x.grad is None for j, x in enumerate(xs) if j != i)


# ---------------------------------------------------------------------- what the graph keeps
@for_every_case
def test_the_graph_keeps_only_what_the_vjps_name(case):
    for node in nodes_below(case.function(*[leaf(x) for x in case.inputs])):
        if node.primitive is None:
            assert node.saved == ()
            continue
        p = node.primitive
        first = p.vjps.get("g")  # what all VJPs share, see engine.py
        named = (
            [(n, None) for n in inspect.signature(first).parameters if n != "g"] if first else []
        )
        for i, parent in enumerate(node.parents):
            if parent is not None and p.differentiable >> i & 1:
                needs = set(inspect.signature(p.vjps[p.argument(i)]).parameters) - set("gh")
                named += [(need, i if need == "i" else None) for need in needs]
        assert len(node.saved) == len(node.plan.fetch) == len(set(named))
        for (kind, i), value in zip(node.plan.fetch, node.saved, strict=True):
            word = {"value": p.argument(i), "y": "y", "i": "i"}.get(kind, f"{p.argument(i)}_{kind}")
            assert (word, i if kind == "i" else None) in named
            if kind in ("shape", "dtype", "i"):
                assert not isinstance(value, np.ndarray)


@for_every_case
def test_arrays_that_were_not_saved_may_be_destroyed(case):
    expected = run(case.function, case.inputs)[1]
    xs = [leaf(x.copy()) for x in case.inputs]
    y = case.function(*xs)
    kept = [v for n in nodes_below(y) for v in n.saved if isinstance(v, np.ndarray)]
    g = cotangent(y)
    for array in [y._data, *(x._data for x in xs)]:
        if not any(np.shares_memory(array, v) for v in kept) and array.flags.writeable:
            array[...] = np.nan
    y.backward(g)
    for x, d in zip(xs, expected, strict=True):
        assert x.grad.data.tobytes() == d.tobytes()


KEEPS = {  # which arrays an operation on two intermediate results keeps alive
    "add subtract negative where reshape transpose getitem scatter pad sum concatenate cast": "",
    "broadcast_to sum_to sign cumsum reorder pool_y pool_x floor_divide": "",
    "exp sqrt tanh sigmoid relu gate softmax log_softmax": "y",
    "log softplus abs clip sin cos log1p leaky_relu normal_cdf": "x",
    "expm1 hard_sigmoid": "y",
    "elu norm max_pool": "x y",
    "remainder": "a b",
    "multiply maximum minimum matmul": "a b",
    "divide": "b y",
    "power": "a b y",
    "logsumexp max min": "x y",
    "conv_y": "x w",
    "conv_x": "y w",
    "conv_w": "x y",
    "bernoulli_nll": "p t",
    "bernoulli_nll_of_logits": "x t",
    "bernoulli_slope": "s x t",
    "squared_distance": "p t",
    "scaled_difference": "s p t",
    "conv_layer conv_transpose_layer dense_layer": "x w y",
}


@every_primitive
def test_the_memory_ledger(name):
    """What training keeps in memory is a promise: an operation that keeps more must say so here."""
    (promised,) = [set(kept.split()) for names, kept in KEEPS.items() if name in names.split()]
    p = mg.registry[name]
    needs = {n for vjp in p.vjps.values() for n in inspect.signature(vjp).parameters}
    arrays = set(p.vjps) - {"g"} | {"y"}
    assert needs & arrays == promised


# ---------------------------------------------------------------------- compositions
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


def test_registry_holds_primitives_only():
    assert all(isinstance(p, Primitive) and p.name == name for name, p in mg.registry.items())
