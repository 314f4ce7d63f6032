"""Fused layers: convolution or matrix product, bias and activation as one primitive.

The result is finished in place, so nothing as large as a layer's output is written twice, and of
the activation only its output is kept. With ``z = linear(x, w) + b`` and ``y = activation(z)`` the
derivatives are those of the parts, written with other primitives: `_slopes` makes of the gradient
``g`` of y the gradients ``dz`` and ``db``, which the layer's VJPs share. The tests compare each
layer with its parts, operation by operation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .backend import Array, array_module, device_of
from .conv import Geometry, conv_w, conv_x, conv_y
from .engine import primitive
from .ops import gate, matmul, relu, sigmoid, tanh
from .shapes import transpose
from .tensor import Tensor

FUSED = {"relu": relu, "sigmoid": sigmoid, "tanh": tanh}  # those whose derivative y alone tells


# device -> function(g, y, activation) that computes `_slopes` of arrays in one pass
slope_kernels: dict[str, Callable[[Array, Array, str | None], tuple[Array, Array]]] = {}


def _slopes(g: Any, y: Any, activation: str | None) -> tuple[Any, Any]:
    """The gradients (dz, db) of what the activation was applied to and of the bias, given `g`, the
    gradient of its output `y`. The engine sums db over the axes along which b was broadcast, where
    a kernel has not done so already."""
    kernel = None if isinstance(g, Tensor) else slope_kernels.get(device_of(g))
    if kernel is not None:
        return kernel(g, y, activation)
    return slopes_by_parts(g, y, activation)


def slopes_by_parts(g: Any, y: Any, activation: str | None) -> tuple[Any, Any]:
    """`_slopes`, written with other primitives."""
    dz = g
    if activation == "relu":
        dz = gate(g, y)
    elif activation is not None:
        dz = g * (y * (1 - y)) if activation == "sigmoid" else g * (1 - y * y)
    return dz, dz


def finish(y: Array, b: Array, activation: str | None) -> Array:
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


def sigmoid_into(x: Array, out: Array) -> None:
    """`minigrad.sigmoid` of `x`, written to `out`, which may be `x` itself."""
    xp = array_module(x)
    xp.negative(x, out=out)
    with np.errstate(over="ignore"):  # as in ops.sigmoid
        xp.exp(out, out=out)
    out += 1
    xp.divide(1, out, out=out)


@primitive(
    "images x (N, H, W, C), a kernel w (kh, kw, C / groups, F) and a bias b (F,)",
    shared=(_slopes, "dz", "db"),
    x=lambda dz, w, geometry: conv_x(dz, w, geometry),
    w=lambda dz, x, geometry: conv_w(x, dz, geometry),
    b=lambda db: db,
)
def conv_layer(x: Array, w: Array, b: Array, geometry: Geometry, activation: str | None) -> Array:
    """``activation(conv_y(x, w) + b)``."""
    return finish(conv_y(x, w, geometry), b, activation)


@primitive(
    "images y (N, P, Q, F), a kernel w (kh, kw, C / groups, F) and a bias b (C,)",
    shared=(_slopes, "dz", "db"),
    x=lambda dz, w, geometry: conv_y(dz, w, geometry),
    w=lambda dz, x, geometry: conv_w(dz, x, geometry),
    b=lambda db: db,
)
def conv_transpose_layer(
    x: Array, w: Array, b: Array, geometry: Geometry, activation: str | None
) -> Array:
    """``activation(conv_x(x, w) + b)``."""
    return finish(conv_x(x, w, geometry), b, activation)


@primitive(
    "x (N, in), w (in, out) and a bias b (out,)",
    shared=(_slopes, "dz", "db"),
    x=lambda dz, w: matmul(dz, transpose(w)),
    w=lambda dz, x: matmul(transpose(x), dz),
    b=lambda db: db,
)
def dense_layer(x: Array, w: Array, b: Array, activation: str | None) -> Array:
    """``activation(x @ w + b)``."""
    return finish(matmul(x, w), b, activation)
