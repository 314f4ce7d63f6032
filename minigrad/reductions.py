"""More functions along axes: products, norms, running sums, places of extrema, sorting."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .backend import Array, array_module
from .checks import check_numbers, degrees_of_freedom
from .engine import primitive
from .ops import mean, sum, where
from .shapes import axes_of, concatenate, reshape, squeeze, transpose
from .tape import opaque, watched
from .tensor import Axis, T, Tensor, describe


def norm(x: T | Array, axis: Axis = None, keepdims: bool = False) -> T:
    """The Euclidean norm ``sqrt(sum(x**2))`` over `axis` (all axes by default).

    Its gradient at 0, where it has a kink, is 0.

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
    >>> norm(np.array([3.0, 4.0]))
    array(5.)
    """
    axes = axes_of("norm", x, axis)
    y = _norm(x, axes)
    return y if keepdims else squeeze(y, axes)


@primitive(
    "an axis of x",
    x=lambda g, x, y: x * where(y == 0, 0.0, g / where(y == 0, 1.0, y)),
)
def _norm(x: Array, axis: Axis) -> Array:
    return np.sqrt((x * x).sum(axis=axis, keepdims=True))


def std(x: T | Array, axis: Axis = None, keepdims: bool = False, ddof: float = 0) -> T:
    """The standard deviation over `axis`, the square root of `var`, with gradient 0 at 0.

    Parameters
    ----------
    x : Tensor or array
    axis : int, tuple of ints or None, default=None
        None: all axes.
    keepdims : bool, default=False
        Whether these axes stay, with length 1.
    ddof : int, default=0
        What is taken from the number of elements before it divides.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> float(std(np.array([1.0, 3.0])))
    1.0
    """
    degrees = degrees_of_freedom("std", x, axis, ddof)
    return norm(x - mean(x, axis, keepdims=True), axis, keepdims) / math.sqrt(degrees)


def prod(x: T | Array, axis: Axis = None, keepdims: bool = False) -> T:
    """The product over `axis` (all axes by default): halves are multiplied until one is left, so
    that the gradient is right where elements are 0.

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
    >>> prod(np.array([2.0, 3.0, 4.0]))
    array(24.)
    """
    axes = axes_of("prod", x, axis)
    check_numbers("prod", x)
    rest = [a for a in range(x.ndim) if a not in axes]
    kept = tuple(1 if a in axes else n for a, n in enumerate(x.shape))
    shape = kept if keepdims else tuple(x.shape[a] for a in rest)
    size = math.prod(x.shape[a] for a in axes)
    x = reshape(transpose(x, (*rest, *axes)), (*(x.shape[a] for a in rest), size))
    while size > 1:
        half = size // 2
        pairs = x[..., :half] * x[..., half : 2 * half]
        x = concatenate([pairs, x[..., -1:]], -1) if size % 2 else pairs
        size = half + size % 2
    return reshape(x, shape) if size else reshape(sum(x, -1), shape) + 1


@primitive(
    "an axis of x",
    x=lambda g, x_shape, axis, reverse: reshape(cumsum(g, axis, not reverse), x_shape),
)
def cumsum(x: Array, axis: int | None = None, reverse: bool = False) -> Array:
    """The sums of all elements so far along `axis` (default: of all, flattened), counted from the
    end with ``reverse=True``: each is the other's adjoint.

    Parameters
    ----------
    x : Tensor or array
    axis : int or None, default=None
    reverse : bool, default=False

    Returns
    -------
    Tensor or array of the shape of `x`, or flat where `axis` is None

    Examples
    --------
    >>> cumsum(np.array([1.0, 2.0, 3.0]))
    array([1., 3., 6.])
    """
    xp = array_module(x)
    return xp.flip(xp.flip(x, axis).cumsum(axis), axis) if reverse else x.cumsum(axis)


def argmax(x: Tensor | Array, axis: int | None = None, keepdims: bool = False) -> Any:
    """Where along `axis` the largest element is, the first of several: an array of integers.

    Like comparisons it has no derivative, and gives a plain array, to index with.

    Parameters
    ----------
    x : Tensor or array
    axis : int or None, default=None
        None: the place in the flattened array.
    keepdims : bool, default=False
        Whether the axis stays, with length 1.

    Returns
    -------
    array of integers

    Examples
    --------
    >>> int(argmax(np.array([1.0, 3.0, 3.0])))
    1
    """
    return _place("argmax", x, axis, keepdims)


def argmin(x: Tensor | Array, axis: int | None = None, keepdims: bool = False) -> Any:
    """Where along `axis` the smallest element is; see `argmax`.

    Parameters
    ----------
    x : Tensor or array
    axis : int or None, default=None
    keepdims : bool, default=False

    Returns
    -------
    array of integers
    """
    return _place("argmin", x, axis, keepdims)


def _place(name: str, x: Tensor | Array, axis: int | None, keepdims: bool) -> Any:
    axes = axes_of(name, x, axis if axis is None else (axis,))
    if not math.prod(x.shape[a] for a in axes):
        raise ValueError(f"{name}: {describe(x)} has no elements over axis {axis}")
    return watched(_extreme, name, x, axis, keepdims)


def _extreme(name: str, x: Array, axis: int | None, keepdims: bool) -> Any:
    return getattr(array_module(x), name)(x, axis=axis, keepdims=keepdims)


def sort(x: T | Array, axis: int = -1) -> T:
    """`x` with its elements along `axis` in rising order, NaN last.

    Parameters
    ----------
    x : Tensor or array
    axis : int, default=-1

    Returns
    -------
    Tensor or array of the shape of `x`

    Examples
    --------
    >>> sort(np.array([3.0, 1.0, 2.0]))
    array([1., 2., 3.])
    """
    (axis,) = axes_of("sort", x, (axis,))
    return _reorder(x, opaque(_order, x, axis), axis)


@primitive(
    "an order of the elements along an axis of x",
    x=lambda g, order, axis: _reorder(g, order.argsort(axis), axis),
)
def _reorder(x: Array, order: Array, axis: int) -> Array:
    return array_module(x).take_along_axis(x, order, axis)


def _order(x: Array, axis: int) -> Array:
    return x.argsort(axis, kind="stable")
