"""Operations that move values about without changing them: shapes, indexing, joining, padding,
broadcasting.

Each is linear, so each VJP is the adjoint, itself one of these. They take integers and booleans
too, as constants.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .backend import FLOATS, Array, array_module, is_array, is_capturing
from .checks import check_array
from .engine import ANY_DTYPE, primitive
from .tape import opaque
from .tensor import Axis, Plain, Shape, T, Tensor, describe

if TYPE_CHECKING:
    from numpy.typing import DTypeLike


@primitive("a shape with as many elements", ANY_DTYPE, x=lambda g, x_shape: reshape(g, x_shape))
def reshape(x: Array, shape: int | Sequence[int]) -> Array:
    """The same elements in another shape, in row-major order; one length may be -1.

    Parameters
    ----------
    x : Tensor or array
    shape : int or tuple of int
        With as many elements as `x` has; -1 stands for the length that makes it so.

    Examples
    --------
    >>> reshape(np.arange(6.0), (2, -1))
    array([[0., 1., 2.],
           [3., 4., 5.]])
    """
    return x.reshape(shape)


@primitive(
    "a permutation of the axes",
    ANY_DTYPE,
    x=lambda g, axes: transpose(g, None if axes is None else _inverse(axes)),
)
def transpose(x: Array, axes: Sequence[int] | None = None) -> Array:
    """The axes of `x` in the order `axes` (default: reversed).

    Parameters
    ----------
    x : Tensor or array
    axes : tuple of ints, default=None

    Returns
    -------
    Tensor or array
    """
    return x.transpose(axes)


def _inverse(axes: Any) -> tuple[int, ...]:
    """The order of axes that undoes the order `axes`, in any form that NumPy takes."""
    axes = np.atleast_1d(axes).astype(int)
    return tuple(np.argsort(axes % max(len(axes), 1)).tolist())


@primitive("float32 or float64", x=lambda g, x_dtype: _cast(g, x_dtype))
def _cast(x: Array, dtype: DTypeLike) -> Array:
    return x.astype(dtype)


def astype(x: T | Array, dtype: DTypeLike) -> T:
    """`x` converted to `dtype`; integers and booleans are constants for the derivative.

    Parameters
    ----------
    x : Tensor or array
    dtype : numpy dtype or its name

    Returns
    -------
    Tensor or array of that dtype
    """
    check_array("astype", x)
    try:
        dtype = np.dtype(dtype)
    except TypeError:
        raise TypeError(f"astype: {dtype!r} is no dtype: use np.float32 or np.float64") from None
    if x.dtype in FLOATS and dtype in FLOATS:
        return _cast(x, dtype)
    made = opaque(_converted, x, dtype)
    made = Tensor(made) if isinstance(x, Tensor) else made
    return made


def _converted(x: Array, dtype: Any) -> Array:
    return x.astype(dtype)


@primitive(
    "an index within the shape", ANY_DTYPE, x=lambda g, x_shape, index: scatter(g, index, x_shape)
)
def getitem(x: Array, index: Any) -> Array:
    """``x[index]``: integers, slices, None, ..., boolean and integer arrays, as in NumPy.

    Parameters
    ----------
    x : Tensor or array
    index : int, slice, None, ..., array or a tuple of them

    Returns
    -------
    Tensor or array
    """
    if array_module(x) is not np:
        _check_index(x.shape, index)
    return x[index]


@primitive("an index within the shape", x=lambda g, index: getitem(g, index))
def scatter(x: Array, index: Any, shape: Shape) -> Array:
    """Zeros of `shape` with `x` added at `index`: the adjoint of `getitem`.

    Parameters
    ----------
    x : Tensor or array
    index : as in `getitem`
    shape : tuple of ints

    Returns
    -------
    Tensor or array of that shape
    """
    out = array_module(x).zeros(shape, x.dtype)
    parts = index if isinstance(index, tuple) else (index,)
    if all(p is None or p is ... or isinstance(p, slice | int | np.integer) for p in parts):
        out[index] = x
    else:  # arrays and sequences of any kind: an element may be meant more than once
        array_module(x).add.at(out, index, x)
    return out


def _check_index(shape: Shape, index: Any) -> None:
    """Raise IndexError where an array of integers goes beyond its axis, which CuPy wraps around.

    To look at one that is on the GPU takes a wait; while a step is recorded nobody looks.
    """
    axis = 0
    parts: Any = index if isinstance(index, tuple) else (index,)
    parts = [np.asarray(p) if isinstance(p, list | range) else p for p in parts]
    axes = [
        p.ndim if is_array(p) and p.dtype == bool else p is not None and not isinstance(p, bool)
        for p in parts
    ]
    for part, takes in zip(parts, axes, strict=True):
        if part is ...:
            axis += len(shape) - (sum(axes) - 1)
            continue
        if is_array(part) and part.dtype != bool and part.size and not is_capturing(part):
            low, high = int(part.min()), int(part.max())
            if not -shape[axis] <= low <= high < shape[axis]:
                outside = low if low < -shape[axis] else high
                raise IndexError(
                    f"index {outside} is out of bounds for axis {axis} with size {shape[axis]}"
                )
        axis += takes


@primitive(
    "arrays alike in every axis but the one given",
    ANY_DTYPE,
    xs=lambda g, i, axis, ends: getitem(g, _part(i - 2, axis, ends)),
)
def _concatenate(axis: int, ends: tuple[int, ...], *xs: Array) -> Array:
    return array_module(xs[0]).concatenate(xs, axis)


def _part(k: int, axis: int, ends: Sequence[int]) -> tuple[slice, ...]:
    """The index of part `k` of a concatenation whose parts end at `ends`."""
    part = slice(ends[k - 1] if k else 0, ends[k])
    return (slice(None),) * axis + (part,)


def concatenate(xs: Iterable[T | Array], axis: int = 0) -> T:
    """The arrays `xs` one after the other along `axis`.

    Parameters
    ----------
    xs : sequence of Tensors or arrays
        Of one shape but for `axis`.
    axis : int, default=0

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> concatenate([np.zeros((2, 1)), np.ones((2, 2))], axis=1)
    array([[0., 1., 1.],
           [0., 1., 1.]])
    """
    xs = _several(xs, "concatenate")
    place = _place(axis, xs[0].ndim)
    if place is None:
        raise ValueError(f"concatenate: {describe(xs[0])} has no axis {axis!r}: use stack()")
    axis = place
    sizes = [x.shape[axis] if axis < x.ndim else 0 for x in xs]
    return _concatenate(axis, tuple(np.cumsum(sizes).tolist()), *xs)


def stack(xs: Iterable[T | Plain], axis: int = 0) -> T:
    """The arrays `xs`, all of one shape, along a new `axis`.

    Parameters
    ----------
    xs : sequence of Tensors or arrays
    axis : int, default=0

    Returns
    -------
    Tensor or array
    """
    xs = _several(xs, "stack")
    place = _place(axis, xs[0].ndim + 1)
    if any(x.shape != xs[0].shape for x in xs) or place is None:
        shapes = ", ".join(str(x.shape) for x in xs)
        raise ValueError(
            f"stack: expected arrays of one shape and a place for the new axis, got {shapes} and "
            f"axis={axis!r}"
        )
    axis = place
    return concatenate([x[(slice(None),) * axis + (None,)] for x in xs], axis)


def _place(axis: Any, count: int) -> Any:
    """`axis`, counted from the front, of `count` axes; None where there is none."""
    whole = isinstance(axis, int | np.integer) and -count <= axis < count
    return axis % count if whole else None


def _several(xs: Iterable[Any], name: str) -> list[Any]:
    xs = [x if isinstance(x, Tensor) else np.asarray(x) if np.isscalar(x) else x for x in xs]
    if not xs or not all(hasattr(x, "ndim") for x in xs):
        raise ValueError(f"{name}: expected a sequence of Tensors or arrays, got {len(xs)} of them")
    return xs


@primitive(
    "(before, after) for each axis",
    ANY_DTYPE,
    x=lambda g, x_shape, widths: getitem(
        g, tuple(slice(w, w + n) for (w, _), n in zip(widths, x_shape, strict=True))
    ),
)
def pad(x: Array, widths: Sequence[tuple[int, int]], value: float = 0.0) -> Array:
    """`x` with the number `value` around it; `widths` is ``((before, after), ...)`` per axis.

    Parameters
    ----------
    x : Tensor or array
    widths : sequence of (int, int)
        How many before and after, for each axis.
    value : float, default=0.0

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> pad(np.ones(2), ((1, 2),))
    array([0., 1., 1., 0., 0.])
    """
    if len(widths) != x.ndim:
        raise ValueError(f"{len(widths)} pairs for {x.ndim} axes")
    return array_module(x).pad(x, widths, constant_values=value)


def squeeze(x: T | Array, axis: Axis = None) -> T:
    """`x` without the axes `axis`, each of length 1 (default: all that are).

    Parameters
    ----------
    x : Tensor or array
    axis : int, tuple of ints or None, default=None

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> squeeze(np.zeros((1, 3, 1)), 0).shape
    (3, 1)
    """
    check_array("squeeze", x)
    ones = tuple(a for a, n in enumerate(x.shape) if n == 1)
    axes = axes_of("squeeze", x, ones if axis is None else axis)
    if any(x.shape[a] != 1 for a in axes):
        raise ValueError(
            f"squeeze: axis {axis} of {describe(x)} is not of length 1: use reshape to join axes"
        )
    return reshape(x, tuple(n for a, n in enumerate(x.shape) if a not in axes))


def unsqueeze(x: T | Array, axis: int) -> T:
    """`x` with a new axis of length 1, which is axis `axis` of the result: NumPy's expand_dims.

    Parameters
    ----------
    x : Tensor or array
    axis : int

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> unsqueeze(np.zeros((2, 3)), -1).shape
    (2, 3, 1)
    """
    check_array("unsqueeze", x)
    place = _place(axis, x.ndim + 1)
    if place is None:
        raise IndexError(f"unsqueeze: there is no place {axis!r} for an axis in {describe(x)}")
    return reshape(x, (*x.shape[:place], 1, *x.shape[place:]))


def flatten(x: T | Array, start: int = 0, end: int = -1) -> T:
    """`x` with the axes from `start` to `end` made one.

    Parameters
    ----------
    x : Tensor or array
    start, end : int, default=0, -1
        The first and the last of the axes.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> flatten(np.zeros((2, 3, 4)), 1).shape
    (2, 12)
    """
    check_array("flatten", x)
    x = x if x.ndim else reshape(x, (1,))
    (first,), (last,) = (axes_of("flatten", x, (axis,)) for axis in (start, end))
    one = math.prod(x.shape[first : last + 1])
    return reshape(x, (*x.shape[:first], one, *x.shape[last + 1 :]))


def split(x: T | Array, parts: int | Sequence[int], axis: int = 0) -> list[T]:
    """`x` cut along `axis` into `parts` equal parts, or before each of the places in a list.

    Parameters
    ----------
    x : Tensor or array
    parts : int or sequence of ints
    axis : int, default=0

    Returns
    -------
    list of Tensors or arrays

    Examples
    --------
    >>> split(np.arange(4.0), [1, 3])
    [array([0.]), array([1., 2.]), array([3.])]
    """
    (axis,) = axes_of("split", x, (axis,))
    n = x.shape[axis]
    if isinstance(parts, int | np.integer):
        if parts < 1 or n % parts:
            raise ValueError(
                f"split: axis {axis} of {describe(x)} cannot be cut into {parts} equal parts: "
                "give a number that divides its length, or a list of places to cut at"
            )
        parts = range(n // parts, n, n // parts) if n else [0] * (parts - 1)
    try:
        ends = (*map(operator.index, parts), n)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(
            f"split: expected a number of parts, or a list of places to cut at, got {parts!r}"
        ) from None
    return [getitem(x, _part(k, axis, ends)) for k in range(len(ends))]


def axes_of(name: str, x: Any, axis: Axis) -> tuple[int, ...]:
    """`axis` (None for all, an integer or a tuple) as axes of `x`, counted from the front."""
    check_array(name, x)
    given = range(x.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    axes = tuple(_place(a, x.ndim) for a in given)
    if None in axes or len(set(axes)) < len(axes):
        raise IndexError(f"{name}: {describe(x)} has no axis {axis!r}, or it is named twice")
    return axes


# ---------------------------------------------------------------------- broadcasting
@primitive("a shape that x broadcasts to", x=lambda g: g)  # the engine sums over what was stretched
def broadcast_to(x: Array, shape: int | Shape) -> Array:
    """`x` repeated along new axes and axes of length 1 until it has `shape` (a view).

    Parameters
    ----------
    x : Tensor or array
    shape : tuple of ints

    Returns
    -------
    Tensor or array of that shape

    Examples
    --------
    >>> broadcast_to(np.array([1.0, 2.0]), (2, 2))
    array([[1., 2.],
           [1., 2.]])
    """
    return array_module(x).broadcast_to(x, shape)


@primitive("a shape that broadcasts to x's", x=lambda g, x_shape: broadcast_to(g, x_shape))
def sum_to(x: Array, shape: Shape) -> Array:
    """`x` summed over the axes that broadcasting from `shape` would stretch: the adjoint of
    `broadcast_to`.

    Parameters
    ----------
    x : Tensor or array
    shape : tuple of ints
        One that broadcasts to the shape of `x`.

    Returns
    -------
    Tensor or array of that shape

    Examples
    --------
    >>> sum_to(np.ones((3, 2)), (1, 2))
    array([[3., 3.]])
    """
    lead = x.ndim - len(shape)
    if lead < 0 or any(n not in (1, x.shape[i + lead]) for i, n in enumerate(shape)):
        raise ValueError(f"{shape} does not broadcast to {x.shape}")
    stretched = tuple(i + lead for i, n in enumerate(shape) if n == 1 and x.shape[i + lead] != 1)
    return x.sum(axis=(*range(lead), *stretched), keepdims=True).reshape(shape)


def unbroadcast(g: Any, shape: Shape) -> Any:
    """The gradient `g` brought back to `shape`, the shape of the argument it belongs to."""
    return g if g.shape == shape else sum_to(g, shape)
