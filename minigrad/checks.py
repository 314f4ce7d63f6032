"""What functions demand of their arguments, each in a sentence that begins with the function."""

from __future__ import annotations

import math
from numbers import Real
from typing import Any

import numpy as np

from .backend import FLOATS, array_module, plain
from .tape import opaque
from .tensor import Axis, describe


def check_numbers(name: str, *values: Any, booleans: bool = False) -> None:
    """Raise TypeError unless the values are numbers or arrays of numbers: not all of them truth
    values, which have no differences, unless `booleans` are welcome."""
    kinds = [
        np.dtype(type(x) if isinstance(x, int | float) else getattr(x, "dtype", object)).kind
        for x in values
    ]
    if set(kinds) - set("biuf") or (set(kinds) == {"b"} and not booleans):
        raise TypeError(f"{name}: expected numbers, got {', '.join(map(describe, values))}")


def check_array(name: str, x: object) -> None:
    """Raise TypeError unless `x` is a Tensor or an array."""
    if not hasattr(x, "ndim"):
        raise TypeError(
            f"{name}: expected a Tensor or an array, got {describe(x)}: wrap it with tensor(...)"
        )


def check_floats(name: str, x: Any) -> None:
    """Raise TypeError unless `x` is a Tensor or an array of float32 or float64."""
    check_array(name, x)
    if x.dtype not in FLOATS:
        raise TypeError(
            f"{name}: expected a float32 or float64 array, got {describe(x)}: use "
            "x.astype(np.float32) or x.astype(np.float64)"
        )


def as_number(name: str, what: str, x: Any) -> float:
    """`x` as Python's number, which never changes a dtype; TypeError unless it is a number."""
    if not isinstance(x, Real):
        raise TypeError(f"{name}: {what} must be a number, got {describe(x)}")
    return float(x)


def check_same_shape(name: str, a: Any, b: Any) -> None:
    """Raise ValueError unless the arrays `a` and `b` have one shape, TypeError unless numbers."""
    if tuple(getattr(a, "shape", (-1,))) != tuple(getattr(b, "shape", (-2,))):
        raise ValueError(
            f"{name}: expected two arrays of one shape, got {describe(a)} and {describe(b)}: "
            "broadcasting is refused here, since (N, 1) against (N,) would silently give (N, N)"
        )
    check_numbers(name, a, b)


def check_probabilities(name: str, what: str, x: Any) -> None:
    """Raise ValueError where `x`, a number or an array, is not within [0, 1]."""
    check_numbers(name, x, booleans=True)
    opaque(_check_range, plain(x), name, what)


def _check_range(values: Any, name: str, what: str) -> None:
    number = not hasattr(values, "shape")
    if not number and not values.size:
        return
    if not number and array_module(values) is not np:
        return  # to look would be to wait for the GPU, and a captured step cannot
    low, high = (values, values) if number else (values.min(), values.max())
    if not (low >= 0 and high <= 1):
        raise ValueError(
            f"{name}: {what} must lie in [0, 1], got values from {low:.6g} to {high:.6g}: "
            "scale the data (MinMaxScaler), or pass logits to the function that takes them"
        )


def elements_over(name: str, x: Any, axis: Axis) -> int:
    """How many elements of `x` a reduction over `axis` takes together: at least 1."""
    check_array(name, x)
    axes = range(x.ndim) if axis is None else np.atleast_1d(axis)
    try:
        count = math.prod(x.shape[i] for i in axes)
    except (IndexError, TypeError):
        raise IndexError(f"{name}: {describe(x)} has no axis {axis!r}") from None
    if not count:
        raise ValueError(f"{name}: {describe(x)} has no elements over axis {axis}")
    return count


def degrees_of_freedom(name: str, x: Any, axis: Axis, ddof: float) -> float:
    """How many elements a variance over `axis` takes together, less `ddof`: more than 0."""
    count = elements_over(name, x, axis)
    if not (isinstance(ddof, Real) and ddof < count):
        raise ValueError(
            f"{name}: ddof={ddof!r} leaves nothing to divide by: use a number below {count}"
        )
    return count - ddof
