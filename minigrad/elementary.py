"""More elementwise functions: sine and cosine, logarithm and exponential near 0, remainders."""

from __future__ import annotations

import numpy as np

from .backend import Array
from .engine import primitive


@primitive("a float32 or float64 array", x=lambda g, x: g * cos(x))
def sin(x: Array) -> Array:
    """The sine of each element, in radians.

    >>> sin(np.array([0.0, np.pi / 2]))
    array([0., 1.])
    """
    return np.sin(x)


@primitive("a float32 or float64 array", x=lambda g, x: -g * sin(x))
def cos(x: Array) -> Array:
    """The cosine of each element, in radians.

    >>> cos(np.array([0.0, np.pi]))
    array([ 1., -1.])
    """
    return np.cos(x)


@primitive("a float32 or float64 array", x=lambda g, x: g / (1 + x))
def log1p(x: Array) -> Array:
    """``log(1 + x)``, exact also where 1 + x would round to 1.

    >>> float(log1p(np.array(1e-20)))
    1e-20
    """
    return np.log1p(x)


@primitive("a float32 or float64 array", x=lambda g, y: g * (y + 1))
def expm1(x: Array) -> Array:
    """``exp(x) - 1``, exact also where exp(x) would round to 1.

    >>> float(expm1(np.array(1e-20)))
    1e-20
    """
    return np.expm1(x)


@primitive(
    "shapes that broadcast together",
    a=lambda g: g,
    b=lambda g, a, b: -g * _floor_divide(a, b),
)
def remainder(a: Array, b: Array) -> Array:
    """``a % b``, with the sign of `b`: what is left of `a` after whole multiples of `b`.

    >>> remainder(np.array([-1.0, 5.0]), 3.0)
    array([2., 2.])
    """
    return np.remainder(a, b)


@primitive("shapes that broadcast together")
def _floor_divide(a: Array, b: Array) -> Array:
    """How often `b` goes into `a`, a whole number; a constant for the derivative."""
    return np.floor_divide(a, b)
