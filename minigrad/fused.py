"""Fused layers: convolution or matrix product, bias and activation as one primitive.

The result is finished in place, so nothing as large as a layer's output is written twice, and of
the activation only its output is kept. The derivatives are those of the parts, written with other
primitives: the VJP for ``g`` takes the gradient back through the activation and sums it for the
bias, the others go on from there. The tests compare each with its parts, operation by operation.
"""

import numpy as np

from .backend import array_module, device_of
from .conv import conv_w, conv_x, conv_y
from .engine import primitive, sum_to
from .ops import gate, matmul, relu, sigmoid, tanh
from .shapes import transpose
from .tensor import Tensor

FUSED = {"relu": relu, "sigmoid": sigmoid, "tanh": tanh}  # those whose derivative y alone tells


# device -> function(g, y, activation) that does the work of `_through` for arrays in one pass
through = {}


def _through(g, y, b_shape, activation):
    """The gradient `g` of an activation's output `y`, taken back through the activation; and, for
    the bias, its sum over all axes but the last."""
    kernel = None if isinstance(g, Tensor) else through.get(device_of(g))
    if kernel is not None:
        return kernel(g, y, activation)
    if activation == "relu":
        g = gate(g, y)
    elif activation is not None:
        g = g * (y * (1 - y)) if activation == "sigmoid" else g * (1 - y * y)
    return g, sum_to(g, b_shape)


def finish(y, b, activation):
    """Add the bias to `y` and apply the activation, in place: `y` must be the caller's own."""
    xp = array_module(y)
    y += b
    if activation == "relu":
        xp.maximum(y, 0, out=y)
    elif activation == "tanh":
        xp.tanh(y, out=y)
    elif activation == "sigmoid":
        sigmoid_into(y, y)
    return y


def sigmoid_into(x, out):
    """`minigrad.sigmoid` of `x`, written to `out`, which may be `x` itself."""
    xp = array_module(x)
    xp.negative(x, out=out)
    with np.errstate(over="ignore"):  # as in ops.sigmoid
        xp.exp(out, out=out)
    out += 1
    xp.divide(1, out, out=out)


@primitive(
    "images x (N, H, W, C), a kernel w (kh, kw, C / groups, F) and a bias b (F,)",
    g=_through,
    x=lambda g, w, geometry: conv_x(g, w, geometry),
    w=lambda g, x, geometry: conv_w(x, g, geometry),
    b=lambda h: h,
)
def conv_layer(x, w, b, geometry, activation):
    """``activation(conv_y(x, w) + b)``."""
    return finish(conv_y(x, w, geometry), b, activation)


@primitive(
    "images y (N, P, Q, F), a kernel w (kh, kw, C / groups, F) and a bias b (C,)",
    g=_through,
    x=lambda g, w, geometry: conv_y(g, w, geometry),
    w=lambda g, x, geometry: conv_w(g, x, geometry),
    b=lambda h: h,
)
def conv_transpose_layer(x, w, b, geometry, activation):
    """``activation(conv_x(x, w) + b)``."""
    return finish(conv_x(x, w, geometry), b, activation)


@primitive(
    "x (N, in), w (in, out) and a bias b (out,)",
    g=_through,
    x=lambda g, w: matmul(g, transpose(w)),
    w=lambda g, x: matmul(transpose(x), g),
    b=lambda h: h,
)
def dense_layer(x, w, b, activation):
    """``activation(x @ w + b)``."""
    return finish(matmul(x, w), b, activation)
