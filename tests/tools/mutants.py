"""Deliberate faults in derivatives, each of which gradcheck must catch at the order that shows it.

Run ``python tests/tools/mutants.py`` for the table. A fault is a primitive with a wrong VJP, or a
composition that hides one. Faults of order 2 have right first derivatives: they are what tests of
first derivatives alone let through. Beside each faulty function stands the right one, which has to
pass at the same point.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np

import minigrad as mg
from minigrad import Tensor, no_grad, primitive, registry
from minigrad.conv import Geometry
from minigrad.testing import GradientError, gradcheck

conv_y, conv_x, conv_w = (registry[f"conv_{name}"] for name in "yxw")
product = registry["matmul"]


class Fault(NamedTuple):
    name: str
    order: int  # the first order at which it shows
    wrong: Callable
    right: Callable
    inputs: list


faults = []


def fault(name, right, *inputs, order=1):
    """Add the function that is decorated to the list; `right` is what it should have been."""

    def decorate(wrong):
        faults.append(Fault(name, order, wrong, right, list(inputs)))
        return wrong

    return decorate


def constant(x):
    """`x` without its past: what a VJP sees that forgets to record."""
    return x.detach() if isinstance(x, Tensor) else x


def verdict(fault, rng=None):
    """The order at which gradcheck objects to a fault, and what it says (0: never)."""
    for order in range(1, fault.order + 1):
        try:
            gradcheck(fault.wrong, fault.inputs, order, rng=rng)
        except GradientError as error:
            return order, str(error)
    return 0, "passed"


def main():
    caught = 0
    for f in faults:
        order, message = verdict(f)
        caught += order == f.order
        print(f"order {f.order}  {f.name:<72}{'caught' if order == f.order else message}")
    print(f"gradcheck caught {caught} of {len(faults)} deliberate faults")
    return caught == len(faults)


rng = np.random.default_rng(2024)
matrix, square, vector = (
    rng.standard_normal((3, 4)),
    rng.standard_normal((3, 3)),
    np.arange(3.0) - 0.8,
)
positive, batch = rng.uniform(0.5, 2, (3, 4)), rng.standard_normal((2, 3, 3))


# ---------------------------------------------------------------------- wrong numbers
@fault("wrong sign", mg.exp, matrix)
@primitive("", x=lambda g, y: -g * y)
def exp_negated(x):
    return np.exp(x)


@fault("1.001 times too large", mg.exp, matrix)
@primitive("", x=lambda g, y: g * y * 1.001)
def exp_scaled(x):
    return np.exp(x)


@fault("one part in a million", mg.exp, matrix)
@primitive("", x=lambda g, y: g * y * (1 + 1e-6))
def exp_slightly_scaled(x):
    return np.exp(x)


@fault("the factor 2 of the square root left out", mg.sqrt, positive)
@primitive("", x=lambda g, y: g / y)
def sqrt_without_half(x):
    return np.sqrt(x)


@fault("the exponent not lowered by one", lambda x: x**3, positive)
@primitive("", x=lambda g, x: g * 3 * x**3)
def cube(x):
    return x**3


@fault("x in the place of y", mg.tanh, matrix)
@primitive("", x=lambda g, x: g * (1 - x * x))
def tanh_of_x(x):
    return np.tanh(x)


@fault("an epsilon that the function does not have", mg.log, positive)
@primitive("", x=lambda g, x: g / (x + 1e-5))
def log_epsilon(x):
    return np.log(x)


@fault("one element of a thousand", mg.tanh, rng.standard_normal(1000))
@primitive("", x=lambda g, y: g * (1 - y * y) * (np.arange(1000) != 500))
def tanh_one_element(x):
    return np.tanh(x)


@fault("1 % in an input 1,000 times less important", lambda a, b: 1000 * a + b, matrix, matrix)
@primitive("", a=lambda g: 1000 * g, b=lambda g: 1.01 * g)
def lopsided(a, b):
    return 1000 * a + b


@fault("gradient left out for one of two inputs", mg.multiply, matrix, positive)
@primitive("", a=lambda g, b: g * b, b=lambda g: 0 * g)
def multiply_one_sided(a, b):
    return a * b


@fault("the result cut off from its input", mg.exp, matrix)
def exp_detached(x):
    return mg.exp(constant(x))


# ---------------------------------------------------------------------- wrong operand
@fault("operands swapped in a product", mg.multiply, matrix, positive)
@primitive("", a=lambda g, a: g * a, b=lambda g, b: g * b)
def multiply_swapped(a, b):
    return a * b


@fault("both signs the same in a difference", mg.subtract, matrix, positive)
@primitive("", a=lambda g: g, b=lambda g: g)
def subtract_added(a, b):
    return a - b


@fault("matrix product: b not transposed", product, square, square.T)
@primitive("", a=lambda g, b: product(g, b), b=lambda g, a: product(mg.transpose(a), g))
def matmul_untransposed(a, b):
    return a @ b


@fault("matrix product: factors in the wrong order", product, square, square.T)
@primitive(
    "",
    a=lambda g, b: product(mg.transpose(b), g),
    b=lambda g, a: product(mg.transpose(a), g),
)
def matmul_order(a, b):
    return a @ b


@fault("relu: mask of the gradient, not of the input", mg.relu, matrix)
@primitive("", x=lambda g: mg.where(g > 0, g, 0.0))
def relu_masked_by_g(x):
    return np.maximum(x, 0)


@fault("maximum: the mask of the other input", mg.maximum, matrix, positive - 1)
@primitive(
    "",
    a=lambda g, a, b: mg.where(a < b, g, 0.0),
    b=lambda g, a, b: mg.where(a > b, g, 0.0),
)
def maximum_masked_wrongly(a, b):
    return np.maximum(a, b)


@fault(
    "where: the condition not negated", lambda a, b: mg.where(matrix > 0, a, b), matrix, positive
)
@primitive("", a=lambda g: mg.where(matrix > 0, g, 0.0), b=lambda g: mg.where(matrix > 0, g, 0.0))
def where_not_negated(a, b):
    return np.where(matrix > 0, a, b)


@fault("clip: gradient passed beyond the bounds", lambda x: mg.clip(x, -0.51, 0.52), matrix)
@primitive("", x=lambda g: g)
def clip_straight_through(x):
    return x.clip(-0.51, 0.52)


@fault("dropout: another mask on the way back", lambda x: x * (matrix > 0), positive)
@primitive("", x=lambda g: g * (matrix > 0.3))
def dropout_stale(x):
    return x * (matrix > 0)


@fault("ties of a maximum counted twice", lambda x: mg.maximum(x, x), matrix)
def ties_twice(x):
    return _maximum_at_least(x, x)


@primitive(
    "",
    a=lambda g, a, b: mg.where(a >= b, g, 0.0),
    b=lambda g, a, b: mg.where(b >= a, g, 0.0),
)
def _maximum_at_least(a, b):
    return np.maximum(a, b)


@fault("ties of a maximum not counted at all", lambda x: mg.maximum(x, x), matrix)
def ties_lost(x):
    return _maximum_above(x, x)


@primitive(
    "",
    a=lambda g, a, b: mg.where(a > b, g, 0.0),
    b=lambda g, a, b: mg.where(b > a, g, 0.0),
)
def _maximum_above(a, b):
    return np.maximum(a, b)


# ---------------------------------------------------------------------- broadcasting, reductions
@fault("broadcasting undone by the mean, not the sum", mg.add, matrix, matrix[0])
@primitive("", a=lambda g: g, b=lambda g: mg.mean(g, 0))
def add_averaged(a, b):
    return a + b


@fault("broadcasting undone along the wrong axis", mg.add, square, vector)
@primitive("", a=lambda g: g, b=lambda g: mg.sum(g, 1))
def add_wrong_axis(a, b):
    return a + b


@fault("broadcasting not undone: the first row stands for all", mg.add, matrix, matrix[0])
@primitive("", a=lambda g: g, b=lambda g: g[0])
def add_first_row(a, b):
    return a + b


@fault("mean without the division by N", lambda x: mg.mean(x, 0), matrix)
@primitive("", x=lambda g, x_shape: mg.broadcast_to(g, x_shape))
def mean_undivided(x):
    return x.mean(0)


@fault("mean divided by the length of another axis", lambda x: mg.mean(x, 0), matrix)
@primitive("", x=lambda g, x_shape: mg.broadcast_to(g / x_shape[1], x_shape))
def mean_of_other_axis(x):
    return x.mean(0)


@fault("sum spread along the wrong axis", lambda x: mg.sum(x, 1), square)
@primitive("", x=lambda g, x_shape: mg.broadcast_to(g, x_shape))
def sum_spread_wrongly(x):
    return x.sum(1)


@fault("softmax: gradient 0", lambda x: mg.softmax(x, 1), matrix)
@primitive("", x=lambda g: 0 * g)
def softmax_zero(x):
    return mg.softmax(x, 1)


@fault("softmax: gradient doubled", lambda x: mg.softmax(x, 1), matrix)
@primitive("", x=lambda g, y: 2 * y * (g - mg.sum(g * y, 1, keepdims=True)))
def softmax_doubled(x):
    return mg.softmax(x, 1)


@fault("softmax: sign of the gradient", lambda x: mg.softmax(x, 1), matrix)
@primitive("", x=lambda g, y: y * (mg.sum(g * y, 1, keepdims=True) - g))
def softmax_negated(x):
    return mg.softmax(x, 1)


@fault("softmax: only the diagonal of the Jacobian", lambda x: mg.softmax(x, 1), matrix)
@primitive("", x=lambda g, y: g * y * (1 - y))
def softmax_diagonal(x):
    return mg.softmax(x, 1)


# ---------------------------------------------------------------------- moving values about
REPEATED = np.array([2, 0, 2, 2])


def _assigned(g, shape):
    out = np.zeros(shape)
    out[REPEATED] = constant(g)._data if isinstance(g, Tensor) else g
    return out


@fault("gather: assigned, not added, where an index repeats", lambda x: x[REPEATED], matrix)
@primitive("", x=lambda g, x_shape: _assigned(g, x_shape))
def gather_assigned(x):
    return x[REPEATED]


@fault("transpose by the permutation, not its inverse", lambda x: mg.transpose(x, (1, 2, 0)),
       rng.standard_normal((3, 3, 3)))  # fmt: skip
@primitive("", x=lambda g: mg.transpose(g, (1, 2, 0)))
def transpose_again(x):
    return x.transpose(1, 2, 0)


@fault("transpose undone by a reshape", mg.transpose, matrix)
@primitive("", x=lambda g, x_shape: mg.reshape(g, x_shape))
def transpose_reshaped(x):
    return x.T


@fault("reversed axis not turned back", lambda x: x[::-1], matrix)
@primitive("", x=lambda g: g)
def reversed_once(x):
    return x[::-1]


@fault("concatenate: the parts swapped", lambda a, b: mg.concatenate([a, b]), vector, vector)
@primitive("", a=lambda g: g[3:], b=lambda g: g[:3])
def concatenate_swapped(a, b):
    return np.concatenate([a, b])


@fault("pad: cut off at the wrong end", lambda x: mg.pad(x, ((1, 2),)), vector)
@primitive("", x=lambda g: g[2:5])
def pad_shifted(x):
    return np.pad(x, (1, 2))


# ---------------------------------------------------------------------- convolution
def _geometry(**settings):
    return Geometry.of((4, 4), (3, 3), **settings)


def _flipped(w):
    return w[::-1, ::-1]


def _convolution(geometry, dx, dw):
    """A convolution with the VJPs dx(g, w) and dw(g, x)."""

    @primitive("", x=lambda g, w: dx(g, w), w=lambda g, x: dw(g, x))
    def convolution(x, w):
        return conv_y(x, w, geometry)

    return convolution


plain, strided = _geometry(), _geometry(stride=2)
image, kernel = rng.standard_normal((2, 4, 4, 2)), rng.standard_normal((3, 3, 2, 2))


def conv_fault(name, geometry=plain, dx=None, dw=None, x=image, w=kernel, order=1):
    wrong = _convolution(
        geometry,
        dx or (lambda g, w: conv_x(g, w, geometry)),
        dw or (lambda g, x: conv_w(x, g, geometry)),
    )
    fault(name, lambda x, w: conv_y(x, w, geometry), x, w, order=order)(wrong)


conv_fault(
    "convolution: operands of the weight gradient swapped", dw=lambda g, x: conv_w(g, x, plain)
)
conv_fault(
    "convolution: kernel not flipped", dx=lambda g, w: conv_y(g, w.transpose(0, 1, 3, 2), plain)
)
conv_fault(
    "convolution: kernel flipped once too often", dx=lambda g, w: conv_x(g, _flipped(w), plain)
)
conv_fault(
    "convolution: rows and columns of the kernel exchanged",
    dx=lambda g, w: conv_x(g, mg.transpose(w, (1, 0, 2, 3)), plain),
)
conv_fault(
    "convolution: channels in and out exchanged",
    dx=lambda g, w: conv_x(g, mg.transpose(w, (0, 1, 3, 2)), plain),
)
conv_fault(
    "convolution: weight gradient flipped",
    dw=lambda g, x: _flipped(conv_w(x, g, plain)),
)
swapped = replace(strided, pads=((1, 0), (1, 0)))
conv_fault(
    "convolution: pads (0, 1) taken for (1, 0), image", strided,
    dx=lambda g, w: conv_x(g, w, swapped),
)  # fmt: skip
conv_fault(
    "convolution: pads (0, 1) taken for (1, 0), weights", strided,
    dw=lambda g, x: conv_w(x, g, swapped),
)  # fmt: skip
wide = Geometry.of((4, 4), (2, 2), padding="valid", dilation=(1, 2))
high = replace(wide, dilation=(2, 1), out=wide.out[::-1])
conv_fault(
    "convolution: dilation (1, 2) taken for (2, 1)", wide,
    dx=lambda g, w: conv_x(mg.transpose(g, (0, 2, 1, 3)), w, high), w=kernel[:2, :2],
)  # fmt: skip
conv_fault(
    "convolution: stride forgotten in the gradient", strided,
    dx=lambda g, w: conv_x(g, w, replace(strided, stride=(1, 1))),
)  # fmt: skip


@fault("transposed convolution: kernel flipped", lambda y, w: conv_x(y, w, plain), image, kernel)
@primitive("", y=lambda g, w: conv_y(g, _flipped(w), plain), w=lambda g, y: conv_w(g, y, plain))
def transposed_flipped(y, w):
    return conv_x(y, w, plain)


# ---------------------------------------------------------------------- right to first order
def second_order(name, right, *inputs, order=2):
    return fault(name, right, *inputs, order=order)


@second_order("sigmoid: the output taken for a constant", mg.sigmoid, matrix)
@primitive("", x=lambda g, y: g * (constant(y) * (1 - constant(y))))
def sigmoid_frozen(x):
    return mg.sigmoid(x)


@second_order("exp: the output taken for a constant", mg.exp, matrix)
@primitive("", x=lambda g, y: g * constant(y))
def exp_frozen(x):
    return np.exp(x)


@second_order("quotient: the output taken for a constant", mg.divide, matrix, positive)
@primitive("", a=lambda g, b: g / b, b=lambda g, y, b: -g * constant(y) / b)
def divide_frozen(a, b):
    return a / b


@second_order("softmax: the output taken for a constant", lambda x: mg.softmax(x, 1), matrix)
@primitive("", x=lambda g, y: constant(y) * (g - mg.sum(g * constant(y), 1, keepdims=True)))
def softmax_frozen(x):
    return mg.softmax(x, 1)


@second_order("log-softmax: the probabilities a constant", lambda x: mg.log_softmax(x, 1), matrix)
@primitive("", x=lambda g, y: g - np.exp(constant(y).data if isinstance(y, Tensor) else y)
           * mg.sum(g, 1, keepdims=True))  # fmt: skip
def log_softmax_frozen(x):
    return mg.log_softmax(x, 1)


@second_order("product: the factors taken for constants", mg.multiply, matrix, positive)
@primitive("", a=lambda g, b: g * constant(b), b=lambda g, a: g * constant(a))
def multiply_frozen(a, b):
    return a * b


@second_order("g not differentiated", mg.exp, matrix)
@primitive("", x=lambda g, y: constant(g) * y)
def exp_of_constant_g(x):
    return np.exp(x)


@second_order("matrix product: VJP computed without recording", product, square, square.T)
@primitive(
    "",
    a=no_grad()(lambda g, b: product(g, mg.transpose(b))),
    b=no_grad()(lambda g, a: product(mg.transpose(a), g)),
)
def matmul_unrecorded(a, b):
    return a @ b


@second_order("variance: the mean taken for a constant", mg.var, matrix)
def variance_about_a_constant(x):
    d = x - constant(mg.mean(x))
    return mg.mean(d * d)


@second_order("norm: divided by a constant", lambda x: mg.sqrt(mg.sum(x * x)), matrix)
@primitive("", x=lambda g, y, x: g * x / constant(y))
def norm_frozen(x):
    return np.sqrt((x * x).sum())


@second_order("gather: the adjoint of its adjoint out of order", lambda x: x[REPEATED], matrix)
@primitive("", x=lambda g: _scatter_out_of_order(g))
def gather_twice(x):
    return x[REPEATED]


@primitive("", x=lambda g: g[REPEATED[::-1]])
def _scatter_out_of_order(x):
    return mg.scatter(x, REPEATED, matrix.shape)


def _wrong_weight_gradient(dx, dy):
    """A weight gradient, right itself, with the VJPs dx(h, y) and dy(h, x)."""

    @primitive("", x=lambda g, y: dx(g, y), y=lambda g, x: dy(g, x))
    def weight_gradient(x, y):
        return conv_w(x, y, strided)

    return lambda g, x: weight_gradient(x, g)


conv_fault(
    "convolution: weight gradient differentiated as if unpadded (DeZero)", strided, order=2,
    dw=_wrong_weight_gradient(
        dx=lambda h, y: conv_x(y, h, swapped), dy=lambda h, x: conv_y(x, h, strided)
    ),
)  # fmt: skip
conv_fault(
    "convolution: weight gradient differentiated with a flipped kernel", strided, order=2,
    dw=_wrong_weight_gradient(
        dx=lambda h, y: conv_x(y, h, strided), dy=lambda h, x: conv_y(x, _flipped(h), strided)
    ),
)  # fmt: skip
conv_fault(
    "convolution: the image a constant in the weight gradient", order=2,
    dw=lambda g, x: conv_w(constant(x), g, plain),
)  # fmt: skip
conv_fault(
    "convolution: the kernel a constant in the image gradient", order=2,
    dx=lambda g, w: conv_x(g, constant(w), plain),
)  # fmt: skip


# ---------------------------------------------------------------------- right to second order
@second_order("softplus: sigmoid's slope a constant", mg.softplus, matrix, order=3)
@primitive("", x=lambda g, x: g * _sigmoid_with_frozen_slope(x))
def softplus_third(x):
    return mg.softplus(x)


@primitive("", x=lambda g, y: g * constant(y * (1 - y)))
def _sigmoid_with_frozen_slope(x):
    return mg.sigmoid(x)


@second_order("cube: the second derivative a constant", lambda x: x**3, positive, order=3)
@primitive("", x=lambda g, x: g * 3 * _square_with_frozen_slope(x))
def cube_third(x):
    return x**3


@primitive("", x=lambda g, x: g * 2 * constant(x))
def _square_with_frozen_slope(x):
    return x * x


if __name__ == "__main__":
    raise SystemExit(not main())
