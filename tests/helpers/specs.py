"""For every primitive the cases that its mathematics is tested on; a primitive without is an error.

A specification is a generator of cases ``label, function, inputs``. The function takes the inputs,
float64 arrays or Tensors, and applies the primitive once; everything else is fixed inside it.
Inputs keep clear of kinks, shapes are small and no two axes are alike, so that a sum over the
wrong axis cannot pass. `degree` is the degree of homogeneity: f(t x) = t**degree f(x), and so by
Euler <x, f'(x)^T g> = degree <f(x), g> exactly, with no finite difference in it. `linear` says
that the primitive is linear in all its inputs together.
"""

import zlib
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

import minigrad as mg
from minigrad.conv import Geometry


class Case(NamedTuple):
    label: str
    function: Callable
    inputs: list
    linear: bool
    degree: float | None


class Spec(NamedTuple):
    generate: Callable
    linear: bool
    degree: float | None

    def samples(self, rng):
        """All cases, drawn from `rng`; a case may end with its own (linear, degree)."""
        return [
            Case(
                label,
                function,
                [np.asarray(x, float) for x in inputs],
                *(own or (self.linear, self.degree)),
            )
            for label, function, inputs, *own in self.generate(rng)
        ]


specs = {}  # name of a primitive -> Spec


def spec(*names, linear=False, degree=None):
    """Register a generator of cases for each of `names`; it is given the primitive and `rng`."""

    def decorate(generate):
        for name in names:
            specs[name] = Spec(
                lambda rng, name=name: generate(mg.registry[name], rng),
                linear,
                1 if linear else degree,
            )
        return generate

    return decorate


def without_spec(registry):
    """The names of the primitives in `registry` that nobody has specified."""
    return sorted(set(registry) - set(specs))


def cases(name):
    """The cases of primitive `name`, always the same ones."""
    return specs[name].samples(np.random.default_rng(zlib.crc32(name.encode())))


def every_case():
    """(name of the primitive, number of the case, its label) for all cases of all primitives."""
    return [
        (name, k, case.label)
        for name in mg.registry
        if name in specs
        for k, case in enumerate(cases(name))
    ]


# ---------------------------------------------------------------------- values
def positive(rng, *shape):
    return rng.uniform(0.5, 2.0, shape)


def off_zero(rng, *shape):
    """Values of both signs, none nearer to 0 than 0.3."""
    return rng.uniform(0.3, 2.0, shape) * np.where(rng.random(shape) < 0.5, -1, 1)


def distinct(rng, *shape):
    """Values that are at least 0.2 apart, in random order."""
    n = int(np.prod(shape))
    return (rng.permutation(n) * 0.25 - n / 8 + 0.06).reshape(shape)


def apart(rng, *shapes):
    """Arrays that broadcast together and are nowhere nearer to each other than 0.3."""
    a, b = (rng.uniform(-1, 1, shape) for shape in shapes)
    while np.min(np.abs(a - b), initial=1.0) < 0.3:
        a, b = (rng.uniform(-1.5, 1.5, shape) for shape in shapes)
    return a, b


PAIRS = {
    "alike": ((2, 3), (2, 3)),
    "0-d": ((), ()),
    "0-d and matrix": ((), (2, 3)),
    "missing axis": ((2, 3), (3,)),
    "leading axis of b": ((3,), (2, 3)),
    "axes of length 1": ((2, 1, 4), (1, 3, 1)),
    "both miss": ((1, 3), (2, 1, 1)),
    "empty": ((2, 0), (1,)),
}


# ---------------------------------------------------------------------- two operands
def _operands(primitive, rng, draw):
    for label, (a, b) in PAIRS.items():
        yield label, primitive, [draw(rng, *a), draw(rng, *b)]
    yield "x and x", lambda x: primitive(x, x), [draw(rng, 3)]


@spec("add", "subtract", linear=True)
def _(primitive, rng):
    yield from _operands(primitive, rng, off_zero)
    yield "x and number", lambda x: primitive(x, 0.7), [off_zero(rng, 2, 3)], False, None
    yield "number and x", lambda x: primitive(2, x), [off_zero(rng, 2, 3)], False, None


@spec("multiply", degree=2)
def _(primitive, rng):
    yield from _operands(primitive, rng, off_zero)
    yield "x and number", lambda x: primitive(x, -0.7), [off_zero(rng, 2, 3)], True, 1
    yield "number and x", lambda x: primitive(3, x), [off_zero(rng, 2, 3)], True, 1
    mask = np.array([True, False, True])
    yield "x and mask", lambda x: primitive(x, mask), [off_zero(rng, 2, 3)], True, 1


@spec("divide", degree=0)
def _(primitive, rng):
    yield from _operands(primitive, rng, off_zero)
    yield "x and number", lambda x: primitive(x, -0.7), [off_zero(rng, 2, 3)], True, 1
    yield "number and x", lambda x: primitive(3, x), [off_zero(rng, 2, 3)], False, -1


@spec("power")
def _(primitive, rng):
    yield from _operands(primitive, rng, positive)
    for b in (2, 3.0, 0.5, -1, -1.5, 1, 0):
        yield f"exponent {b}", lambda x, b=b: primitive(x, b), [positive(rng, 2, 3)], False, b
    with_zero = np.array([-1.5, 0.0, 0.7])
    yield "negative and 0 to the 2", lambda x: primitive(x, 2), [with_zero], False, 2
    yield "negative and 0 to the 3", lambda x: primitive(x, 3), [with_zero], False, 3
    yield "number to the x", lambda x: primitive(2.5, x), [off_zero(rng, 2, 3)]


@spec("maximum", "minimum", degree=1)
def _(primitive, rng):
    for label, shapes in PAIRS.items():
        yield label, primitive, apart(rng, *shapes)
    yield "x and x", lambda x: primitive(x, x), [off_zero(rng, 3)]
    yield "x and number", lambda x: primitive(x, 0.1), [off_zero(rng, 2, 3)], False, None
    yield "number and x", lambda x: primitive(0.1, x), [off_zero(rng, 2, 3)], False, None


@spec("where", linear=True)
def _(primitive, rng):
    for label, (a, b) in PAIRS.items():
        condition = rng.random(np.broadcast_shapes(a, b)) < 0.5
        yield (
            label,
            lambda a, b, c=condition: primitive(c, a, b),
            [off_zero(rng, *a), off_zero(rng, *b)],
        )
    c = rng.random((2, 1)) < 0.5
    yield "broadcast condition", lambda a, b: primitive(c, a, b), [off_zero(rng, 3), off_zero(rng)]
    yield "numbers", lambda a: primitive(c, a, 0.0), [off_zero(rng, 2, 3)]
    yield "number first", lambda b: primitive(c, 0.0, b), [off_zero(rng, 2, 3)]


@spec("bernoulli_nll_of_logits")
def _(loss, rng):
    yield "both", loss, [3 * rng.standard_normal((2, 3)), rng.random((2, 3))]
    yield "large", loss, [np.array([-40.0, 30.0]), np.array([0.0, 1.0])]


@spec("squared_distance", degree=2)
def _(primitive, rng):
    yield "images", primitive, rng.standard_normal((2, 3, 2, 4))
    yield "one number", primitive, rng.standard_normal((2,))


@spec("scaled_difference", degree=2)
def _(primitive, rng):
    p, t = rng.standard_normal((2, 2, 3))
    yield "all", primitive, [rng.standard_normal((2, 3)), p, t]
    yield "one factor", primitive, [rng.standard_normal(()), p, t]


@spec("bernoulli_slope")
def _(primitive, rng):
    x, t = 3 * rng.standard_normal((2, 3)), rng.random((2, 3))
    yield "all", primitive, [rng.standard_normal((2, 3)), x, t]
    yield "one factor for each example", primitive, [rng.standard_normal((2, 1)), x, t]
    yield "large", lambda s, x: primitive(s, x, 0.5), [off_zero(rng, 2), np.array([-40.0, 30.0])]


@spec("bernoulli_nll")
def _(primitive, rng):
    for label, (p, t) in PAIRS.items():
        yield label, primitive, [rng.uniform(0.1, 0.9, p), rng.uniform(0.1, 0.9, t)]
    t = np.array([0.0, 1.0, 0.3])
    yield (
        "fixed targets",
        lambda p: primitive(p, t.astype(p.dtype)),
        [rng.uniform(0.1, 0.9, (2, 3))],
    )


@spec("matmul", degree=2)
def _(primitive, rng):
    for label, a, b in (
        ("matrices", (2, 3), (3, 4)),
        ("one by one", (1, 1), (1, 1)),
        ("row and column", (1, 3), (3, 1)),
        ("batch", (2, 3, 2), (2, 2, 4)),
        ("batch and matrix", (2, 3, 2), (2, 4)),
        ("matrix and batch", (3, 2), (2, 2, 4)),
        ("broadcast batch", (2, 1, 3, 2), (3, 2, 1)),
        ("empty batch", (0, 3, 2), (2, 4)),
        ("empty sum", (2, 0), (0, 3)),
    ):
        yield label, primitive, [rng.standard_normal(a), rng.standard_normal(b)]
    square = rng.standard_normal((3, 3))
    yield "x and x", lambda x: primitive(x, x), [square]
    for label, a, b in (
        ("vector, matrix", (3,), (3, 2)),
        ("matrix, vector", (2, 3), (3,)),
        ("vector, vector", (3,), (3,)),
        ("vector, batch", (3,), (2, 3, 4)),
        ("batch, vector", (2, 4, 3), (3,)),
    ):
        yield label, mg.matmul, [rng.standard_normal(a), rng.standard_normal(b)]


# ---------------------------------------------------------------------- elementwise functions
def _elementwise(primitive, rng, draw):
    for label, shape in (("matrix", (2, 3)), ("0-d", ()), ("one", (1, 1)), ("empty", (0, 2))):
        yield label, primitive, [draw(rng, *shape)]


@spec("negative", linear=True)
def _(primitive, rng):
    yield from _elementwise(primitive, rng, off_zero)


@spec("exp", "tanh", "sigmoid", "softplus")
def _(primitive, rng):
    yield from _elementwise(primitive, rng, off_zero)
    yield "at 0", primitive, [np.array([0.0, -0.0])]


@spec("log")
def _(primitive, rng):
    yield from _elementwise(primitive, rng, positive)


@spec("sqrt", degree=0.5)
def _(primitive, rng):
    yield from _elementwise(primitive, rng, positive)


@spec("relu", "abs", degree=1)
def _(primitive, rng):
    yield from _elementwise(primitive, rng, off_zero)


@spec("sign")
def _(primitive, rng):
    yield from _elementwise(lambda x: mg.multiply(primitive(x), x), rng, off_zero)


@spec("clip")
def _(primitive, rng):
    x = np.array([[-2.0, -0.7, 0.1], [0.4, 1.1, 1.9]])
    yield "both bounds", lambda x: primitive(x, -1.0, 1.5), [x]
    yield "low", lambda x: primitive(x, low=0.2), [x]
    yield "high", lambda x: primitive(x, high=0), [x]
    yield "no bounds", primitive, [x], True, 1
    yield "0-d", lambda x: primitive(x, -1.0, 1.5), [np.array(0.3)]
    yield "empty", lambda x: primitive(x, -1.0, 1.5), [np.zeros((2, 0))]


# ---------------------------------------------------------------------- reductions
AXES = (None, 0, 1, -1, -3, (0, 2), (-1, 0), (1,), ())


def _reduction(primitive, rng, draw, axes=AXES):
    for axis in axes:
        for keepdims in (False, True):
            yield (
                f"axis {axis}{' kept' if keepdims else ''}",
                lambda x, a=axis, k=keepdims: primitive(x, a, k),
                [draw(rng, 2, 3, 4)],
            )
    yield "0-d", primitive, [draw(rng)]
    yield "axis of length 1", lambda x: primitive(x, 1), [draw(rng, 3, 1, 2)]
    yield "empty, other axis", lambda x: primitive(x, 1), [draw(rng, 0, 2)]


@spec("sum", linear=True)
def _(primitive, rng):
    yield from _reduction(primitive, rng, off_zero)
    yield "empty", primitive, [np.zeros((2, 0))]
    yield "empty axis", lambda x: primitive(x, 1), [np.zeros((2, 0))]


@spec("max", "min", degree=1)
def _(primitive, rng):
    yield from _reduction(primitive, rng, distinct)
    twice = distinct(rng, 3)
    yield "ties that move together", lambda x: primitive(mg.stack([x, x]), 0), [twice]


@spec("logsumexp")
def _(primitive, rng):
    yield from _reduction(primitive, rng, off_zero, (None, 0, -1, (0, 2), (-1, 1)))


@spec("softmax", "log_softmax")
def _(primitive, rng):
    for axis in (-1, 0, 1, -3, None, (0, 2), (-1, 1)):
        yield f"axis {axis}", lambda x, a=axis: primitive(x, a), [off_zero(rng, 2, 3, 4)]
    yield "default axis", primitive, [off_zero(rng, 2, 3)]
    yield "0-d", primitive, [off_zero(rng)]
    yield "one class", primitive, [off_zero(rng, 2, 1)]
    yield "empty", primitive, [np.zeros((0, 3))]


# ---------------------------------------------------------------------- moving values about
@spec("reshape", linear=True)
def _(primitive, rng):
    for old, new in (
        ((2, 3), (3, 2)),
        ((2, 3), (6,)),
        ((2, 3, 2), (-1, 4)),
        ((2, 3), (2, 1, 3)),
        ((1, 1), ()),
        ((), (1,)),
        ((), ()),
        ((0, 3), (3, 0)),
    ):
        yield f"{old} to {new}", lambda x, s=new: primitive(x, s), [rng.standard_normal(old)]
    yield "to an int", lambda x: primitive(x, 6), [rng.standard_normal((2, 3))]


@spec("transpose", linear=True)
def _(primitive, rng):
    yield "default", primitive, [rng.standard_normal((2, 3, 4))]
    for axes in ((1, 2, 0), (2, 0, 1), (0, 2, 1), (-1, 0, 1), (0, 1, 2)):
        yield f"{axes}", lambda x, a=axes: primitive(x, a), [rng.standard_normal((2, 3, 4))]
    yield "vector", primitive, [rng.standard_normal(3)]
    yield "0-d", primitive, [rng.standard_normal(())]
    yield "empty", lambda x: primitive(x, (1, 0)), [np.zeros((0, 2))]


@spec("cast", linear=True)
def _(primitive, rng):
    for shape in ((2, 3), (), (0,)):
        yield f"{shape}", lambda x: primitive(x, x.dtype), [rng.standard_normal(shape)]


MASK = np.array([[True, False, True], [False, False, True]])
INDICES = {  # into an array of shape (2, 3, 4)
    "int": 1,
    "negative int": -1,
    "NumPy int": np.int64(1),
    "all ints": (1, -2, 3),
    "slice": slice(1, None),
    "step": (slice(None), slice(0, 3, 2)),
    "negative step": (slice(None, None, -1), slice(2, None, -2)),
    "empty slice": slice(2, 2),
    "None": None,
    "None inside": (slice(None), None, 1),
    "Ellipsis": (..., 2),
    "Ellipsis alone": ...,
    "empty tuple": (),
    "mask of everything": np.arange(24).reshape(2, 3, 4) % 3 == 1,
    "mask of two axes": MASK,
    "mask of one axis": (slice(None), np.array([True, False, True])),
    "mask of nothing": np.zeros((2, 3), bool),
    "integers": np.array([1, 0]),
    "repeated integers": np.array([1, 0, 1, 1]),
    "repeated and negative": (slice(None), np.array([0, -1, 2, -3])),
    "matrix of integers": np.array([[0, 1], [1, 1]]),
    "list": [1, 1, 0],
    "list inside": (slice(None), [2, 2, 0]),
    "two lists": ([0, 1, 0], [2, 0, 2]),
    "arrays apart": (np.array([1, 1]), slice(None), np.array([3, 3])),
    "broadcast arrays": (np.array([[0], [1]]), np.array([2, 2, 0])),
    "array and int": (np.array([1, 1, 0]), 2),
    "array, None, slice": (np.array([0, 0]), None, slice(0, 2)),
    "no integers": np.zeros(0, int),
}


@spec("getitem", linear=True)
def _(primitive, rng):
    for label, index in INDICES.items():
        yield label, lambda x, i=index: primitive(x, i), [rng.standard_normal((2, 3, 4))]
    yield "0-d", lambda x: primitive(x, ()), [rng.standard_normal(())]
    yield "0-d, None", lambda x: primitive(x, None), [rng.standard_normal(())]
    yield "empty", lambda x: primitive(x, slice(0, 1)), [np.zeros((0, 2))]


@spec("scatter", linear=True)
def _(primitive, rng):
    for label, index in INDICES.items():
        part = rng.standard_normal(np.empty((2, 3, 4))[index].shape)
        yield label, lambda x, i=index: primitive(x, i, (2, 3, 4)), [part]
    yield "0-d", lambda x: primitive(x, (), ()), [rng.standard_normal(())]


@spec("concatenate", linear=True)
def _(primitive, rng):
    def joined(*xs, axis):
        return mg.concatenate(xs, axis)

    for label, axis, shapes in (
        ("axis 0", 0, [(2, 3), (1, 3)]),
        ("axis 1 of three", 1, [(2, 1), (2, 3), (2, 2)]),
        ("axis -1", -1, [(2, 1, 2), (2, 1, 3)]),
        ("axis -2", -2, [(2, 1, 2), (2, 4, 2)]),
        ("alone", 0, [(3,)]),
        ("an empty one between", 0, [(2,), (0,), (3,)]),
    ):
        parts = [rng.standard_normal(shape) for shape in shapes]
        yield label, lambda *xs, a=axis: joined(*xs, axis=a), parts
    yield "x and x", lambda x: joined(x, x, axis=0), [rng.standard_normal((2, 2))]
    yield "stack", lambda a, b: mg.stack([a, b], 1), [rng.standard_normal((2, 3)) for _ in "ab"]
    yield "stack 0-d", lambda a, b: mg.stack([a, b], -1), [rng.standard_normal(()) for _ in "ab"]
    mixed = np.arange(2.0)
    yield (
        "with a constant",
        lambda x: joined(mixed.astype(x.dtype), x, axis=0),
        [rng.standard_normal(3)],
        False,
        None,
    )


@spec("pad", linear=True)
def _(primitive, rng):
    for widths in (((1, 2), (0, 1)), ((0, 0), (3, 0)), ((0, 0), (0, 0))):
        yield f"{widths}", lambda x, w=widths: primitive(x, w), [rng.standard_normal((2, 3))]
    yield "one axis", lambda x: primitive(x, [(2, 1)]), [rng.standard_normal(3)]
    yield "empty", lambda x: primitive(x, ((1, 0), (0, 2))), [np.zeros((0, 2))]
    ones = ((1, 0), (0, 1))
    yield "value 2", lambda x: primitive(x, ones, 2.0), [rng.standard_normal((2, 3))], False, None


@spec("broadcast_to", linear=True)
def _(primitive, rng):
    for old, new in STRETCHES:
        yield f"{old} to {new}", lambda x, s=new: primitive(x, s), [rng.standard_normal(old)]


@spec("sum_to", linear=True)
def _(primitive, rng):
    for new, old in STRETCHES:
        yield f"{old} to {new}", lambda x, s=new: primitive(x, s), [rng.standard_normal(old)]


STRETCHES = (
    ((), (2, 3)),
    ((3,), (2, 3)),
    ((1, 3), (2, 3)),
    ((2, 1), (2, 3)),
    ((1, 1), (2, 3)),
    ((3, 1), (2, 3, 4)),
    ((2, 1, 4), (2, 3, 4)),
    ((2, 3), (2, 3)),
    ((), ()),
    ((1,), (0,)),
    ((3,), (0, 3)),
)


# ---------------------------------------------------------------------- convolution
GEOMETRIES = {  # label -> (image size, kernel, in channels per group, out channels, settings)
    "same": ((4, 5), (3, 3), 2, 3, dict()),
    "1 x 1": ((3, 2), (1, 1), 2, 3, dict()),
    "same, stride 2: pads (0, 1)": ((4, 6), (3, 3), 1, 2, dict(stride=2)),
    "same, stride 2, odd size": ((5, 3), (3, 3), 1, 2, dict(stride=2)),
    "same, stride 3": ((7, 5), (3, 2), 1, 2, dict(stride=3)),
    "same, even kernel": ((3, 4), (2, 4), 2, 1, dict()),
    "same, stride beyond the kernel": ((5, 7), (1, 2), 1, 2, dict(stride=3)),
    "same, dilation": ((5, 4), (3, 2), 1, 2, dict(dilation=2)),
    "valid": ((4, 5), (3, 2), 2, 2, dict(padding="valid")),
    "valid, pixels left over": ((6, 7), (3, 2), 1, 2, dict(padding="valid", stride=(2, 3))),
    "valid, dilation (2, 1)": ((6, 5), (3, 3), 1, 2, dict(padding="valid", dilation=(2, 1))),
    "kernel as large as the image": ((3, 4), (3, 4), 2, 2, dict(padding="valid")),
    "padding 1": ((3, 4), (3, 3), 1, 2, dict(padding=1)),
    "padding 2, stride 2, left over": ((4, 4), (3, 2), 1, 2, dict(padding=2, stride=2)),
    "padding 3 beyond the kernel": ((2, 3), (2, 2), 1, 2, dict(padding=3, stride=2)),
    "asymmetric pads": ((3, 4), (3, 3), 2, 2, dict(padding=((0, 2), (1, 0)))),
    "asymmetric pads, stride, dilation": (
        (4, 5), (2, 3), 1, 2, dict(padding=((2, 0), (0, 3)), stride=(1, 2), dilation=(2, 1)),
    ),
    "groups": ((4, 3), (3, 2), 1, 4, dict(groups=2)),
    "groups of two, stride 2": ((4, 5), (2, 3), 2, 4, dict(groups=2, stride=2)),
    "depthwise": ((3, 3), (3, 3), 1, 3, dict(groups=3, padding="valid")),
    "one pixel": ((1, 1), (3, 3), 1, 2, dict()),
}  # fmt: skip


def geometry_of(label):
    """The Geometry called `label` and the shapes of x, w and y that go with it, for two images."""
    size, kernel, c, f, settings = GEOMETRIES[label]
    geometry = Geometry.of(size, kernel, **settings)
    shapes = (2, *size, c * geometry.groups), (*kernel, c, f), (2, *geometry.out, f)
    return geometry, *shapes


@spec("conv_y", "conv_x", "conv_w", degree=2)
def _(primitive, rng):
    for label in GEOMETRIES:
        geometry, *shapes = geometry_of(label)
        shape = dict(zip("xwy", shapes, strict=True))
        inputs = [rng.standard_normal(shape[name]) for name in primitive.names[:2]]
        yield label, lambda a, b, geo=geometry: primitive(a, b, geo), inputs
    geometry, x, w, y = geometry_of("same, stride 2: pads (0, 1)")
    shape = {"x": (0, *x[1:]), "w": w, "y": (0, *y[1:])}
    inputs = [rng.standard_normal(shape[name]) for name in primitive.names[:2]]
    yield "no images", lambda a, b: primitive(a, b, geometry), inputs


@spec("gate", linear=True)
def _(primitive, rng):
    for label, x, y in (
        ("alike", (2, 3), (2, 3)),
        ("broadcast x", (3,), (2, 3)),
        ("broadcast y", (2, 3), (2, 1)),
        ("0-d", (), ()),
        ("empty", (0, 3), (3,)),
    ):
        signs = rng.integers(-1, 2, y)
        yield label, lambda x, y=signs: primitive(x, y), [rng.standard_normal(x)]


@spec("conv_layer", "conv_transpose_layer")
def _(primitive, rng):
    for label in ("same, stride 2: pads (0, 1)", "groups of two, stride 2"):
        geometry, x, w, y = geometry_of(label)
        transposed = primitive.name == "conv_transpose_layer"
        channels = x[3] if transposed else w[3]
        inputs = [rng.standard_normal(s) for s in (y if transposed else x, w, (channels,))]
        for activation in ("relu", "sigmoid", "tanh"):
            yield (
                f"{activation}, {label}",
                lambda x, w, b, geo=geometry, act=activation: primitive(x, w, b, geo, act),
                inputs,
            )


@spec("dense_layer")
def _(primitive, rng):
    inputs = [rng.standard_normal(s) for s in ((3, 4), (4, 2), (2,))]
    for activation in ("relu", "sigmoid", "tanh"):
        yield activation, lambda x, w, b, act=activation: primitive(x, w, b, act), inputs


# ---------------------------------------------------------------------- more functions
@spec("sin", "cos", "expm1", "normal_cdf")
def _(primitive, rng):
    yield from _elementwise(primitive, rng, off_zero)
    yield "at 0", primitive, [np.array([0.0, -0.0])]


@spec("log1p")
def _(primitive, rng):
    yield from _elementwise(primitive, rng, positive)
    yield "negative and 0", primitive, [np.array([-0.5, 0.0])]


@spec("remainder", degree=1)
def _(primitive, rng):
    def inside(a, b):  # values of a whose remainder is nowhere near 0 or b
        return (rng.integers(-3, 4, np.broadcast_shapes(a.shape, b.shape)) + a) * b

    for label, (a, b) in PAIRS.items():
        fraction, modulus = rng.uniform(0.3, 0.7, a), off_zero(rng, *b)
        full = inside(fraction, modulus)
        yield label, primitive, [full, modulus]
    full = inside(rng.uniform(0.3, 0.7, (2, 3)), np.array(0.7))
    yield "x and number", lambda x: primitive(x, 0.7), [full], False, None
    yield "number and x", lambda x: primitive(5.0, x), [np.array([2.0, -2.2, 9.0])], False, None


@spec("floor_divide")
def _(primitive, rng):
    a, b = rng.uniform(0.3, 0.7, (2, 3)) + 4, off_zero(rng, 3)
    yield "x and number", lambda x: mg.multiply(primitive(x, 1.0), x), [a]
    yield "two", lambda x, y: mg.multiply(primitive(x, y), mg.multiply(x, y)), [a * b, b]


@spec("leaky_relu", "elu")
def _(primitive, rng):
    yield from _elementwise(primitive, rng, off_zero)
    yield "another slope", lambda x: primitive(x, 0.3), [off_zero(rng, 2, 3)]


@spec("hard_sigmoid")
def _(primitive, rng):
    yield from _elementwise(primitive, rng, off_zero)
    yield "the flat ends", primitive, [np.array([-5.0, 1.0, 5.0])]
    yield "another line", lambda x: primitive(x, 0.2, 0.4), [off_zero(rng, 2, 3)]


@spec("norm", degree=1)
def _(primitive, rng):
    for axis in AXES:
        yield f"axis {axis}", lambda x, a=axis: primitive(x, a), [off_zero(rng, 2, 3, 4)]
        if axis != ():
            yield f"norm {axis}", lambda x, a=axis: mg.norm(x, a), [off_zero(rng, 2, 3, 4)]
    yield "0-d", lambda x: primitive(x, None), [off_zero(rng)]
    yield "empty, other axis", lambda x: primitive(x, 1), [np.zeros((0, 2))]


@spec("cumsum", linear=True)
def _(primitive, rng):
    for reverse in (False, True):
        for axis in (None, 0, 1, -1, -3):
            yield (
                f"axis {axis}{' from the end' if reverse else ''}",
                lambda x, a=axis, r=reverse: primitive(x, a, r),
                [rng.standard_normal((2, 3, 4))],
            )
    yield "default", primitive, [rng.standard_normal(3)]
    yield "0-d", primitive, [rng.standard_normal(())]
    yield "empty", lambda x: primitive(x, 1), [np.zeros((2, 0))]


@spec("reorder", degree=1)
def _(primitive, rng):
    for axis in (-1, 0, 1):
        yield f"sort, axis {axis}", lambda x, a=axis: mg.sort(x, a), [distinct(rng, 2, 3, 4)]
    order = np.array([[2, 0, 1], [0, 2, 1]])
    yield "fixed order", lambda x, o=order: primitive(x, o, 1), [distinct(rng, 2, 3)], True, 1
    yield "empty", mg.sort, [np.zeros((2, 0))]


# ---------------------------------------------------------------------- pooling
WINDOWS = {  # label -> (image size, window, settings)
    "2 x 2": ((4, 6), (2, 2), dict(stride=2, padding="valid")),
    "overlapping": ((5, 4), (3, 2), dict(stride=(2, 1), padding="valid")),
    "pixels left over": ((5, 7), (2, 2), dict(stride=(2, 3), padding="valid")),
    "gaps between windows": ((5, 6), (1, 2), dict(stride=3, padding="valid")),
    "same, stride 2: pads (0, 1)": ((4, 5), (3, 3), dict(stride=2)),
    "asymmetric pads": ((3, 4), (3, 2), dict(padding=((0, 2), (1, 0)))),
    "dilation": ((5, 4), (2, 2), dict(padding=1, dilation=2)),
    "the whole image": ((2, 3), (2, 3), dict(padding="valid")),
}


def windows():
    """(label, Geometry, shape of two images, shape of their outputs)."""
    for label, (size, window, settings) in WINDOWS.items():
        geometry = Geometry.of(size, window, **settings)
        yield label, geometry, (2, *size, 3), (2, *geometry.out, 3)


@spec("max_pool", degree=1)
def _(primitive, rng):
    for label, geometry, x, _ in windows():
        yield label, lambda x, geo=geometry: primitive(x, geo), [distinct(rng, *x)]
    yield "no images", lambda x: primitive(x, geometry), [np.zeros((0, *x[1:]))]


@spec("pool_y", "pool_x", linear=True)
def _(primitive, rng):
    for label, geometry, x, y in windows():
        taps = rng.integers(0, np.prod(geometry.kernel), y).astype(np.int32)
        for name, chosen in (("all", None), ("chosen", taps)):
            yield (
                f"{label}, {name}",
                lambda v, c=chosen, geo=geometry: primitive(v, c, geo),
                [rng.standard_normal(x if primitive.name == "pool_y" else y)],
            )
