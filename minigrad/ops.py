"""Arithmetic: each operation's forward function beside its derivatives.

Elementwise functions, reductions and the matrix product. In a VJP ``g`` is the gradient of the
output and ``y`` the output; see ``engine.py`` for how the rest is read. Nothing here sums over
broadcast axes: the engine does that. Gradients at kinks are PyTorch's: 0 for relu
and abs at 0, shared equally between tied maxima and minima, 1 at the bounds of clip.
"""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np

from .backend import Array, array_module
from .checks import degrees_of_freedom, elements_over
from .engine import primitive
from .shapes import broadcast_to, reshape, transpose
from .tensor import Axis, Shape, T, describe

_PAIR = "shapes that broadcast together"
_FLOATS = "a float32 or float64 array"
_AXIS = "an axis of x that is not empty"


# ---------------------------------------------------------------------- arithmetic
@primitive(_PAIR, a=lambda g: g, b=lambda g: g)
def add(a: Array, b: Array) -> Array:
    """``a + b``, elementwise; shapes broadcast as in NumPy.

    Parameters
    ----------
    a, b : Tensor, array or number

    Returns
    -------
    Tensor of the broadcast shape, or an array where neither is a Tensor.

    Examples
    --------
    >>> add(np.array([[1.0], [2.0]]), np.array([10.0, 20.0]))
    array([[11., 21.],
           [12., 22.]])
    """
    return a + b


@primitive(_PAIR, a=lambda g: g, b=lambda g: -g)
def subtract(a: Array, b: Array) -> Array:
    """``a - b``, elementwise; shapes broadcast as in NumPy.

    >>> subtract(np.array([5.0, 7.0]), 2.0)
    array([3., 5.])
    """
    return a - b


@primitive(_PAIR, a=lambda g, b: g * b, b=lambda g, a: g * a)
def multiply(a: Array, b: Array) -> Array:
    """``a * b``, elementwise; shapes broadcast as in NumPy. For matrices see `matmul`.

    >>> multiply(np.array([1.0, 2.0]), np.array([3.0, 4.0]))
    array([3., 8.])
    """
    return a * b


@primitive(_PAIR, a=lambda g, b: g / b, b=lambda g, y, b: -g * y / b)
def divide(a: Array, b: Array) -> Array:
    """``a / b``, elementwise; shapes broadcast as in NumPy.

    >>> divide(np.array([1.0, 9.0]), np.array([2.0, 3.0]))
    array([0.5, 3. ])
    """
    return a / b


@primitive(_FLOATS, x=lambda g: -g)
def negative(x: Array) -> Array:
    """``-x``, elementwise.

    >>> negative(np.array([1.0, -2.0]))
    array([-1.,  2.])
    """
    return -x


@primitive(
    _PAIR,
    a=lambda g, a, b: g * (b * where((b == 0) & ((a == 0) | (a != a)), 1.0, a) ** (b - 1)),
    b=lambda g, y, a, b: g * (y * _log(_positive(a, b, y.dtype))),
)
def power(a: Array, b: Array) -> Array:
    """``a ** b``; the derivative with respect to `b` needs ``a >= 0``."""
    if any(getattr(v, "dtype", np.dtype(float)).kind == "b" for v in (a, b)):
        raise TypeError("truth values have no powers: convert them with astype")
    return a**b


def _positive(a: Any, b: Any, dtype: np.dtype[Any]) -> Any:
    """`a`, but 1 where ``a ** b`` is 0 or 1 because a is 0, so that 0 * log(0) is 0."""
    if not hasattr(a, "shape"):
        if a:
            return a
        a = dtype.type(0)
    return where((a == 0) & (b >= 0), 1.0, a)


def _log(x: Any) -> Any:  # a number's is a number: it must not decide the dtype
    return log(x) if hasattr(x, "shape") else float(np.log(x))


# ---------------------------------------------------------------------- elementwise functions
@primitive(_FLOATS, x=lambda g, y: g * y)
def exp(x: Array) -> Array:
    """e to the power of each element.

    Parameters
    ----------
    x : Tensor or array of floats

    Returns
    -------
    Tensor of the same shape, or an array where `x` is one.

    Examples
    --------
    >>> exp(np.array([0.0, 1.0]))
    array([1.        , 2.71828183])
    """
    return np.exp(x)


@primitive(_FLOATS, x=lambda g, x: g / x)
def log(x: Array) -> Array:
    """The natural logarithm of each element: minus infinity at 0, NaN below.

    >>> log(np.array([1.0, np.e]))
    array([0., 1.])
    """
    return np.log(x)


@primitive(_FLOATS, x=lambda g, y: g / (2 * y))
def sqrt(x: Array) -> Array:
    """The square root of each element; its slope at 0 is infinite.

    >>> sqrt(np.array([4.0, 9.0]))
    array([2., 3.])
    """
    return np.sqrt(x)


@primitive(_FLOATS, x=lambda g, y: g * (1 - y * y))
def tanh(x: Array) -> Array:
    """The hyperbolic tangent of each element, between -1 and 1.

    >>> tanh(np.array([0.0, 100.0]))
    array([0., 1.])
    """
    return np.tanh(x)


@primitive(_FLOATS, x=lambda g, y: g * (y * (1 - y)))
def sigmoid(x: Array) -> Array:
    """``1 / (1 + exp(-x))`` without overflow at either end.

    >>> sigmoid(np.array([-1000.0, 0.0, 1000.0]))
    array([0. , 0.5, 1. ])
    """
    with np.errstate(over="ignore"):  # exp(-x) = inf makes the right 0, not a wrong number
        return 1 / (1 + np.exp(-x))


@primitive(_FLOATS, x=lambda g, y: gate(g, y))
def relu(x: Array) -> Array:
    """``max(x, 0)`` of each element; its slope at 0 is 0, as PyTorch's.

    >>> relu(np.array([-1.0, 2.0]))
    array([0., 2.])
    """
    return np.maximum(x, 0)


@primitive(_PAIR, x=lambda g, y: gate(g, y))
def gate(x: Array, y: Array) -> Array:
    """`x`, but 0 where ``y <= 0``: the derivative of `relu`, which does not vary with `y`."""
    return np.where(y <= 0, 0, x)


@primitive(_FLOATS, x=lambda g, x: g * sigmoid(x))
def softplus(x: Array) -> Array:
    """``log(1 + exp(x))`` without overflow.

    >>> softplus(np.array([-1000.0, 0.0, 1000.0]))
    array([0.00000000e+00, 6.93147181e-01, 1.00000000e+03])
    """
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


@primitive(_FLOATS, x=lambda g, x: g * sign(x))
def abs(x: Array) -> Array:
    """The absolute value of each element; its slope at 0 is 0, as PyTorch's.

    >>> abs(np.array([-1.5, 2.0]))
    array([1.5, 2. ])
    """
    return np.abs(x)


@primitive(_FLOATS)
def sign(x: Array) -> Array:
    """-1, 0 or 1; a constant for the derivative."""
    return np.sign(x)


@primitive(_PAIR, a=lambda g, a, b: _won(g, a, b), b=lambda g, a, b: _won(g, b, a))
def maximum(a: Array, b: Array) -> Array:
    """The larger of `a` and `b`, elementwise; tied ones share the gradient equally.

    >>> maximum(np.array([1.0, 5.0]), 3.0)
    array([3., 5.])
    """
    return np.maximum(a, b)


@primitive(_PAIR, a=lambda g, a, b: _won(g, b, a), b=lambda g, a, b: _won(g, a, b))
def minimum(a: Array, b: Array) -> Array:
    """The smaller of `a` and `b`, elementwise; tied ones share the gradient equally.

    >>> minimum(np.array([1.0, 5.0]), 3.0)
    array([1., 3.])
    """
    return np.minimum(a, b)


def _won(g: Any, a: Any, b: Any) -> Any:
    """`g`, but half of it where a = b and 0 where a < b (comparisons with NaN are false)."""
    return where(a < b, 0.0, where(a == b, g / 2, g))


@primitive(
    _PAIR,
    a=lambda g, condition: where(condition, g, 0.0),
    b=lambda g, condition: where(condition, 0.0, g),
)
def where(condition: Array, a: Array, b: Array) -> Array:
    """`a` where `condition` (a boolean array) holds and `b` elsewhere.

    Parameters
    ----------
    condition : array of truth values
    a, b : Tensor, array or number

    Returns
    -------
    Tensor or array of the broadcast shape
    """
    return array_module(condition).where(condition, a, b)


@primitive(_FLOATS, x=lambda g, x, low, high: where((x >= low) & (x <= high), g, 0.0))
def clip(x: Array, low: float = -np.inf, high: float = np.inf) -> Array:
    """`x` limited to ``[low, high]``, two numbers.

    Parameters
    ----------
    x : Tensor or array
    low, high : float, default=-inf, inf

    Returns
    -------
    Tensor or array of the shape of `x`
    """
    if not isinstance(low, Real) or not isinstance(high, Real):
        raise TypeError("low and high must be numbers: use minimum and maximum for arrays")
    return x.clip(float(low), float(high))  # numbers are weak


# ---------------------------------------------------------------------- reductions
@primitive(
    "an axis of x",
    x=lambda g, x_shape, axis: broadcast_to(_kept(g, x_shape, axis), x_shape),
)
def sum(x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
    """The sum over `axis`: an int, a tuple of ints, or None for all elements.

    Parameters
    ----------
    x : Tensor or array
    axis : None, int or tuple of int
    keepdims : bool, default=False
        Whether the axes that were summed over stay, with length 1.

    Examples
    --------
    >>> sum(np.array([[1.0, 2.0], [3.0, 4.0]]), axis=0)
    array([4., 6.])
    """
    return x.sum(axis=axis, keepdims=keepdims)


def mean(x: T | Array, axis: Axis = None, keepdims: bool = False) -> T:
    """The mean over `axis` (all axes by default).

    Parameters
    ----------
    x : Tensor or array
    axis : int, tuple of ints or None, default=None
        None: all axes.
    keepdims : bool, default=False
        Whether these axes stay, with length 1.

    Returns
    -------
    Tensor or array
    """
    count = elements_over("mean", x, axis)
    return sum(x, axis, keepdims) / count


def var(x: T | Array, axis: Axis = None, keepdims: bool = False, ddof: float = 0) -> T:
    """The variance over `axis`, divided by the number of elements less `ddof` (0, as in NumPy).

    Parameters
    ----------
    x : Tensor or array
    axis : int, tuple of ints or None, default=None
        None: all axes.
    keepdims : bool, default=False
        Whether these axes stay, with length 1.
    ddof : int, default=0

    Returns
    -------
    Tensor or array
    """
    degrees = degrees_of_freedom("var", x, axis, ddof)
    deviation = x - mean(x, axis, keepdims=True)
    return sum(deviation * deviation, axis, keepdims) / degrees


def _extremum_vjp(g: Any, y: Any, x: Any, axis: Axis) -> Any:
    hit = x == _kept(y, x.shape, axis)
    return _kept(g, x.shape, axis) * (hit / hit.sum(axis=axis, keepdims=True, dtype=x.dtype))


@primitive(_AXIS, x=_extremum_vjp)
def max(x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
    """The largest element over `axis`; see `sum`. Tied ones share the gradient equally.

    Parameters
    ----------
    x : Tensor or array
    axis : int, tuple of ints or None, default=None
        None: all axes.
    keepdims : bool, default=False
        Whether these axes stay, with length 1.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> max(np.array([[1.0, 2.0], [3.0, 4.0]]), axis=1)
    array([2., 4.])
    """
    return x.max(axis=axis, keepdims=keepdims)


@primitive(_AXIS, x=_extremum_vjp)
def min(x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
    """The smallest element over `axis`; see `sum`. Tied ones share the gradient equally.

    Parameters
    ----------
    x : Tensor or array
    axis : int, tuple of ints or None, default=None
        None: all axes.
    keepdims : bool, default=False
        Whether these axes stay, with length 1.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> min(np.array([[1.0, 2.0], [3.0, 4.0]]), axis=1)
    array([1., 3.])
    """
    return x.min(axis=axis, keepdims=keepdims)


@primitive(
    _AXIS,
    x=lambda g, y, x, axis: _kept(g, x.shape, axis) * exp(x - _kept(y, x.shape, axis)),
)
def logsumexp(x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
    """``log(sum(exp(x)))`` over `axis` without overflow.

    Parameters
    ----------
    x : Tensor or array
    axis : int, tuple of ints or None, default=None
        None: all axes.
    keepdims : bool, default=False
        Whether these axes stay, with length 1.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> logsumexp(np.array([1000.0, 1000.0]))
    array(1000.69314718)
    """
    top = x.max(axis=axis, keepdims=True)
    top = np.where(np.isfinite(top), top, x.dtype.type(0))  # inf - inf would be NaN
    with np.errstate(divide="ignore"):  # log(0) = -inf is right where all of x is -inf
        y = np.log(np.exp(x - top).sum(axis=axis, keepdims=True)) + top
    return y if keepdims else y.squeeze(axis)


@primitive(
    _AXIS,
    x=lambda g, y, axis: y * (g - sum(g * y, axis, keepdims=True)),
)
def softmax(x: Array, axis: int = -1) -> Array:
    """``exp(x) / sum(exp(x))`` over `axis`.

    Parameters
    ----------
    x : Tensor or array
    axis : int or tuple of ints, default=-1

    Returns
    -------
    Tensor or array of the shape of `x`
    """
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


@primitive(
    _AXIS,
    x=lambda g, y, axis: g - exp(y) * sum(g, axis, keepdims=True),
)
def log_softmax(x: Array, axis: int = -1) -> Array:
    """``log(softmax(x))``, exact where the softmax itself would round to 0.

    Parameters
    ----------
    x : Tensor or array
    axis : int or tuple of ints, default=-1

    Returns
    -------
    Tensor or array of the shape of `x`
    """
    centred = x - x.max(axis=axis, keepdims=True)
    return centred - np.log(np.exp(centred).sum(axis=axis, keepdims=True))


# ---------------------------------------------------------------------- matrix product
@primitive(
    "the last axis of a as long as the second last of b",
    a=lambda g, b: _matmul(g, _swap(b)),
    b=lambda g, a: _matmul(_swap(a), g),
)
def _matmul(a: Array, b: Array) -> Array:
    return array_module(a).matmul(a, b)


def matmul(a: T | Array, b: T | Array) -> T:
    """The matrix product ``a @ b``; vectors and leading axes are treated as NumPy does.

    >>> matmul(np.array([[1.0, 2.0]]), np.array([3.0, 4.0]))
    array([11.])
    """
    if not getattr(a, "ndim", 0) or not getattr(b, "ndim", 0):
        raise ValueError(f"matmul: expected two arrays, got {describe(a)} and {describe(b)}")
    y = _matmul(a[None, :] if a.ndim == 1 else a, b[:, None] if b.ndim == 1 else b)
    shape = y.shape[: -1 if b.ndim == 1 else None]
    shape = (*shape[:-2], *shape[-1:]) if a.ndim == 1 and b.ndim > 1 else shape
    if a.ndim == 1 and b.ndim == 1:
        shape = ()
    return y if shape == y.shape else reshape(y, shape)


# ---------------------------------------------------------------------- helpers of the VJPs
def _kept(v: T | Array, shape: Shape, axis: Axis) -> T:
    """A reduced array `v` with the reduced axes of `shape` back, at length 1."""
    axes = range(len(shape)) if axis is None else np.atleast_1d(axis) % (len(shape) or 1)
    return reshape(v, tuple(1 if i in axes else n for i, n in enumerate(shape)))


def _swap(x: T | Array) -> T:
    """The matrices in the last two axes of `x`, transposed."""
    return transpose(x, (*range(x.ndim - 2), x.ndim - 1, x.ndim - 2))
