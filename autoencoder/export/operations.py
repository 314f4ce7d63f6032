"""What each primitive is in ONNX: ``CONVERTERS[primitive](graph, call)`` returns a name.

Images are NHWC here and NCHW there, so convolutions and pooling are between transposes, which a
runtime takes out again. Padding is written as numbers: ONNX's own "same" is another for some sizes.
"""

import dataclasses
import math

import numpy as np

from minigrad.engine import registry

from ..checks import ROUNDING
from ..parts.code import BEND, bent
from ..parts.likelihood import (
    NEAR,
    SERIES,
    SLOPES,
    expected_data,
    impossible,
    log_normaliser,
    polynomial,
)
from ..parts.quantised import nearest
from .record import Rows, Value

CONVERTERS = {}
_TO_NCHW, _TO_NHWC = (0, 3, 1, 2), (0, 2, 3, 1)
_ALIKE = {
    **{name: name.capitalize() for name in ("exp", "log", "sqrt", "tanh", "sigmoid", "relu")},
    **{name: name.capitalize() for name in ("abs", "sign", "sin", "cos")},
    "add": "Add",
    "subtract": "Sub",
    "multiply": "Mul",
    "divide": "Div",
    "negative": "Neg",
    "power": "Pow",
    "maximum": "Max",
    "minimum": "Min",
    "matmul": "MatMul",
}


def _converts(*primitives):
    def decorate(function):
        for p in primitives:
            CONVERTERS[registry[p] if isinstance(p, str) else p] = function
        return function

    return decorate


@_converts(*_ALIKE)
def _elementwise(graph, call):
    names = (graph.of(a, call.out.dtype) for a in call.args)
    return graph.node(_ALIKE[call.primitive.name], *names)


class _Floats:
    """Arithmetic written as formulas: operators add nodes of one dtype to the graph."""

    def __init__(self, graph, name, dtype):
        self.graph, self.name, self.dtype = graph, name, dtype

    def __call__(self, op, *others, **attributes):
        names = [o.name if isinstance(o, _Floats) else np.asarray(o, self.dtype) for o in others]
        return _Floats(self.graph, self.graph.node(op, self.name, *names, **attributes), self.dtype)

    def __rsub__(self, other):
        return self("Neg") + other

    def __rtruediv__(self, other):
        return self("Reciprocal") * other

    def where(self, a, b):
        """`a` where this condition holds and `b` elsewhere, Floats or numbers."""
        dtype = next(v.dtype for v in (a, b, self) if isinstance(v, _Floats))
        names = [v.name if isinstance(v, _Floats) else np.asarray(v, dtype) for v in (a, b)]
        return _Floats(self.graph, self.graph.node("Where", self.name, *names), dtype)


def _operator(op):
    return lambda self, other: self(op, other)


for _names, _op in (
    ("add radd", "Add"),
    ("mul rmul", "Mul"),
    ("sub", "Sub"),
    ("truediv", "Div"),
    ("lt", "Less"),
    ("le", "LessOrEqual"),
    ("ge", "GreaterOrEqual"),
    ("and", "And"),
):
    for _name in _names.split():
        setattr(_Floats, f"__{_name}__", _operator(_op))


def _formula(*primitives):
    """A converter from a function of `_Floats`, one for each argument of the call."""

    def decorate(function):
        @_converts(*primitives)
        def convert(graph, call):
            dtype = call.out.dtype
            dtype = call.args[0].dtype if dtype.kind == "b" else dtype
            numbers = [
                a if isinstance(a, int | float) else _Floats(graph, graph.of(a, dtype), dtype)
                for a in call.args
            ]
            return function(*numbers).name

        return function

    return decorate


# ---------------------------------------------------------------------- arithmetic
@_formula("gate")
def _gate(x, y):
    return (y <= 0).where(0, x)


@_converts("where")
def _where(graph, call):
    condition, a, b = call.args
    names = [graph.of(v, call.out.dtype) for v in (a, b)]
    return graph.node("Where", graph.of(condition, np.dtype(bool)), *names)


@_converts("clip")
def _clip(graph, call):
    x, *bounds = call.args
    return graph.node("Clip", graph.of(x, x.dtype), *(np.asarray(b, x.dtype) for b in bounds))


@_formula("leaky_relu")
def _leaky_relu(x, slope):
    return (x <= 0).where(x * slope, x)


@_formula("elu")
def _elu(x, alpha):
    return x("Max", 0) + _expm1(x("Min", 0)) * alpha


@_formula("hard_sigmoid")
def _hard_sigmoid(x, slope, offset):
    return (x * slope + offset)("Clip", 0, 1)


@_formula("log1p")
def _log1p(x):
    """``log(1 + x)`` without the rounding of 1 + x (W. Kahan)."""
    u = 1 + x
    exact = (u - 1)("Equal", 0)
    slope = u("Log") / exact.where(1, u - 1)
    return exact.where(x, u("IsInf").where(u, x * slope))


@_formula("expm1")
def _expm1(x):
    """``exp(x) - 1`` without the rounding of exp(x) (W. Kahan)."""
    near = x("Abs") < 0.5
    small = near.where(x, 0)
    u = small("Exp")
    exact = u("Equal", 1)
    quotient = (u - 1) * small / exact.where(1, u("Log"))
    return near.where(exact.where(small, quotient), x("Exp") - 1)


@_formula("floor_divide")
def _floor_divide(a, b):
    return (a / b)("Floor")


@_formula("remainder")
def _remainder(a, b):
    return a - (a / b)("Floor") * b


@_formula("scaled_difference")
def _scaled_difference(s, p, t):
    return s * (p - t)


@_formula("softplus")
def _softplus(x):
    """Not Softplus: onnxruntime has it for float32 only, and gives 0 below -17."""
    return x("Max", 0) + _log1p((x("Abs") * -1)("Exp"))


@_formula("bernoulli_nll_of_logits")
def _bernoulli_nll_of_logits(x, t):
    return x("Max", 0) - t * x + _log1p((x("Abs") * -1)("Exp"))


@_converts("normal_cdf")
def _normal_cdf(graph, call):
    (x,) = call.args
    scaled = graph.node("Mul", graph.of(x, x.dtype), np.asarray(math.sqrt(0.5), x.dtype))
    erf = graph.in_float32("Erf", x.dtype, scaled)
    return ((_Floats(graph, erf, x.dtype) + 1) * 0.5).name


# ---------------------------------------------------------------------- reductions
@_converts("sum", "max", "min", "logsumexp")
def _reduce(graph, call):
    op = _REDUCTIONS[call.primitive.name]
    x, axis, keepdims = call.args
    return _reduced(graph, op, graph.of(x, x.dtype), _axes(x, axis), keepdims)


_REDUCTIONS = {name: f"Reduce{name.capitalize()}" for name in ("sum", "max", "min")}
_REDUCTIONS["logsumexp"] = "ReduceLogSumExp"


@_converts("norm")
def _norm(graph, call):
    """Not ReduceL2: over an axis of length 1 onnxruntime 1.32 gives x, and not its size."""
    x, axis = call.args
    name = graph.of(x, x.dtype)
    squares = _reduced(graph, "ReduceSum", graph.node("Mul", name, name), _axes(x, axis))
    return graph.node("Sqrt", squares)


def _axes(x, axis):
    return range(len(x.shape)) if axis is None or not x.shape else np.atleast_1d(axis)


def _reduced(graph, op, name, axes, keepdims=True):
    axes = np.array(axes, np.int64)
    if not axes.size:  # which ONNX would take for all
        return name
    return graph.node(op, name, axes, keepdims=int(keepdims))


@_converts("sum_to")
def _sum_to(graph, call):
    x, shape = call.args[0], call.out.shape
    lead = len(x.shape) - len(shape)
    stretched = [i + lead for i, n in enumerate(shape) if n == 1 and x.shape[i + lead] != 1]
    name = _reduced(graph, "ReduceSum", graph.of(x, x.dtype), [*range(lead), *stretched])
    return graph.node("Squeeze", name, np.arange(lead)) if lead else name


@_converts("softmax", "log_softmax")
def _softmax(graph, call):
    x, axis = call.args
    name, axes = graph.of(x, x.dtype), _axes(x, axis)
    if len(axes) == 1:
        op = "Softmax" if call.primitive.name == "softmax" else "LogSoftmax"
        return graph.node(op, name, axis=int(axes[0]))
    total = _reduced(graph, "ReduceLogSumExp", name, axes)
    logs = graph.node("Sub", name, total)
    return logs if call.primitive.name == "log_softmax" else graph.node("Exp", logs)


@_converts("cumsum")
def _cumsum(graph, call):
    x, axis, reverse = call.args
    name = graph.of(x, x.dtype)
    if axis is None:
        name, axis = graph.node("Reshape", name, np.array([-1])), 0
    return graph.node("CumSum", name, np.array(axis), reverse=int(reverse))


# ---------------------------------------------------------------------- shapes
@_converts("reshape")
def _reshape(graph, call):
    shape = [-1 if isinstance(n, Rows) else n for n in call.out.shape]
    if shape.count(-1) > 1:
        raise ValueError(f"export: reshape to {shape} leaves open which lengths the rows have")
    return graph.node("Reshape", graph.of(call.args[0], call.out.dtype), np.array(shape, np.int64))


@_converts("transpose")
def _transpose(graph, call):
    x, axes = call.args
    n = len(x.shape)
    if not n:
        return graph.of(x, x.dtype)
    perm = range(n)[::-1] if axes is None else [int(a) % n for a in axes]
    return graph.node("Transpose", graph.of(x, x.dtype), perm=list(perm))


@_converts("cast")
def _cast(graph, call):
    return graph.cast(graph.of(call.args[0], call.args[0].dtype), call.out.dtype)


@_converts("concatenate")
def _concatenate(graph, call):
    axis, _, *xs = call.args
    return graph.node("Concat", *(graph.of(x, call.out.dtype) for x in xs), axis=int(axis))


@_converts("pad")
def _pad(graph, call):
    x, widths, value = call.args
    before, after = zip(*widths, strict=True)
    pads = np.array([*before, *after], np.int64)
    return graph.node("Pad", graph.of(x, x.dtype), pads, np.asarray(value, x.dtype))


@_converts("broadcast_to")
def _broadcast_to(graph, call):
    (x, _), shape = call.args, call.out.shape
    if not shape:
        return graph.of(x, x.dtype)
    before = len(shape) - len(x.shape)
    kept = [1 if i >= before and x.shape[i - before] == n else n for i, n in enumerate(shape)]
    parts = [graph.rows(n.times) if isinstance(n, Rows) else np.array([n]) for n in kept]
    return graph.node("Expand", graph.of(x, x.dtype), graph.node("Concat", *parts, axis=0))


@_converts("getitem")
def _getitem(graph, call):
    x, index = call.args
    index = list(index) if isinstance(index, tuple) else [index]
    used = sum(i is not None and i is not Ellipsis for i in index)
    if Ellipsis in [i for i in index if not isinstance(i, np.ndarray)]:
        place = next(k for k, i in enumerate(index) if i is Ellipsis)
        index[place : place + 1] = [slice(None)] * (len(x.shape) - used)
    name, axis, new, gone, cuts = graph.of(x, x.dtype), 0, [], [], []
    lists = [i for i in index if isinstance(i, list | np.ndarray) and np.ndim(i)]
    for i in index:
        if i is None:
            new.append(axis - len(gone) + len(new))
            continue
        if isinstance(i, slice):
            if i != slice(None):
                cuts.append((axis, _bounds(i)))
        elif np.ndim(i) == 0 and isinstance(i, int | np.integer) and not isinstance(i, bool):
            gone.append((axis, int(i)))
        elif len(lists) == 1 and np.ndim(i) == 1 and not any(v is None for v in index):
            places = np.flatnonzero(i) if np.asarray(i).dtype == bool else np.asarray(i)
            name = graph.node("Gather", name, places.astype(np.int64), axis=axis)
        else:
            raise ValueError(f"export: the index {index!r:.100} is not one that ONNX has")
        axis += 1
    if lists and gone:
        raise ValueError(f"export: the index {index!r:.100} is not one that ONNX has")
    if cuts:
        axes = np.array([a for a, _ in cuts])
        starts, ends, steps = (
            np.array(v, np.int64) for v in zip(*(b for _, b in cuts), strict=True)
        )
        name = graph.node("Slice", name, starts, ends, axes, steps)
    for a, i in reversed(gone):
        name = graph.node("Gather", name, np.array(i, np.int64), axis=a)
    return graph.node("Unsqueeze", name, np.array(new)) if new else name


def _bounds(cut):
    """Start, end and step of a slice as ONNX counts them, which limits them to what there is."""
    step, far = 1 if cut.step is None else cut.step, 2**62
    first, last = (0, far) if step > 0 else (far, -far)
    return first if cut.start is None else cut.start, last if cut.stop is None else cut.stop, step


# ---------------------------------------------------------------------- layers
@_converts("dense_layer")
def _dense_layer(graph, call):
    *given, activation = call.args
    dtype = call.out.dtype
    return _activated(graph, graph.node("Gemm", *(graph.of(v, dtype) for v in given)), activation)


def _activated(graph, name, activation):
    return name if activation is None else graph.node(activation.capitalize(), name)


@_converts("conv_y", "conv_x")
def _convolution(graph, call):
    x, w, geometry = call.args
    op = "Conv" if call.primitive.name == "conv_y" else "ConvTranspose"
    return _convolved(graph, op, x, w, None, geometry, None)


@_converts("conv_layer")
def _conv_layer(graph, call):
    return _convolved(graph, "Conv", *call.args)


@_converts("conv_transpose_layer")
def _conv_transpose_layer(graph, call):
    return _convolved(graph, "ConvTranspose", *call.args)


def _convolved(graph, op, x, w, b, geometry, activation):
    """Kernels (kh, kw, in / groups, out) become (out, in / groups, kh, kw), for both: there the
    transposed convolution counts its channels the other way round, too."""
    dtype = x.dtype if isinstance(x, Value) else w.dtype
    settings = _windows(geometry) | {"group": geometry.groups}
    if op == "ConvTranspose":
        reach = zip(geometry.size, geometry.out, geometry.kernel, strict=True)
        steps = zip(geometry.stride, geometry.dilation, geometry.pads, strict=True)
        settings["output_padding"] = [
            n + sum(pads) - ((p - 1) * s + (k - 1) * d + 1)
            for (n, p, k), (s, d, pads) in zip(reach, steps, strict=True)
        ]
    given = [_nchw(graph, x, dtype), graph.of(w, dtype, (3, 2, 0, 1))]
    given += [] if b is None else [graph.of(b, dtype)]
    name = graph.in_float32(op, dtype, *given, **settings)
    return _nhwc(graph, _activated(graph, name, activation))


def _windows(geometry):
    (top, bottom), (left, right) = geometry.pads
    return {
        "kernel_shape": geometry.kernel,
        "strides": geometry.stride,
        "dilations": geometry.dilation,
        "pads": [top, left, bottom, right],
    }


def _nchw(graph, x, dtype):
    name = graph.of(x, dtype)
    return graph.channels_first.get(name) or graph.node("Transpose", name, perm=_TO_NCHW)


def _nhwc(graph, name):
    out = graph.node("Transpose", name, perm=_TO_NHWC)
    graph.channels_first[out] = name
    return out


@_converts("max_pool")
def _max_pool(graph, call):
    x, geometry = call.args
    return _nhwc(graph, graph.node("MaxPool", _nchw(graph, x, x.dtype), **_windows(geometry)))


@_converts("pool_y", "pool_x")
def _pool(graph, call):
    """Sums over windows, or the adjoint: convolutions of each channel with ones."""
    x, chosen, geometry = call.args
    if chosen is not None:
        raise ValueError(
            f"export: {call.primitive.name} of chosen pixels, the gradient of max_pool2d, "
            "is not written"
        )
    op, channels = "Conv" if call.primitive.name == "pool_y" else "ConvTranspose", x.shape[3]
    ones = np.ones((*geometry.kernel, 1, channels), x.dtype)
    geometry = dataclasses.replace(geometry, groups=channels)
    return _convolved(graph, op, x, ones, None, geometry, None)


# ---------------------------------------------------------------------- parts of autoencoders
@_formula(bent)
def _bent(a):
    inside = a("Clip", -BEND, BEND)
    return inside + BEND * ((a - inside) / BEND)("Tanh")


@_formula(impossible)
def _impossible(x):
    return ((x >= -ROUNDING) & (x <= 1 + ROUNDING))("Not")


@_formula(log_normaliser)
def _log_normaliser(t):
    size = t("Abs")
    near = size < NEAR
    apart, small = near.where(1, size), near.where(t, 0)
    far = t("Max", 0) + (_expm1(apart * -1) * -1 / apart)("Log")
    square = small * small
    return near.where(small / 2 + square * polynomial(square, SERIES), far)


@_formula(expected_data)
def _expected_data(t):
    near = t("Abs") < NEAR
    large, small = near.where(1, t), near.where(t, 0)
    far = 1 / (2 * (large / 2)("Tanh")) - 1 / large
    return 0.5 + near.where(small * polynomial(small * small, SLOPES), far)


@_converts(nearest)
def _nearest(graph, call):
    z, vectors = call.args
    dtype = call.out.dtype
    v = np.asarray(vectors)
    product = graph.node("MatMul", graph.of(z, dtype), v.T)
    distances = graph.node("Sub", (v * v).sum(axis=1), graph.node("Add", product, product))
    number = graph.node("ArgMin", distances, axis=1, keepdims=1)
    chosen = graph.cast(graph.node("Equal", number, np.arange(len(v))), dtype)
    return graph.node("Add", chosen, graph.zeros(graph.of(z, dtype), dtype, keepdims=1))
