"""Activation functions beyond relu, sigmoid, tanh and softplus of ``ops.py``.

Gradients at kinks are PyTorch's. What is not a primitive here is a composition that is as fast.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.polynomial import chebyshev

from .backend import Array
from .checks import as_number, check_numbers
from .engine import primitive
from .ops import exp, sigmoid, softplus, where
from .tensor import T

_FLOATS = "a float32 or float64 array"


def leaky_relu(x: T | Array, slope: float = 0.01) -> T:
    """`x` where it is above 0, ``slope * x`` elsewhere; the derivative at 0 is `slope`.

    Parameters
    ----------
    x : Tensor or array
    slope : float, default=0.01

    Returns
    -------
    Tensor or array of the shape of `x`

    Examples
    --------
    >>> leaky_relu(np.array([-1.0, 2.0]))
    array([-0.01,  2.  ])
    """
    return _leaky_relu(x, as_number("leaky_relu", "slope", slope))


@primitive(_FLOATS, x=lambda g, x, slope: where(x > 0, g, g * slope))
def _leaky_relu(x: Array, slope: float = 0.01) -> Array:
    return np.where(x > 0, x, x * slope)


def elu(x: T | Array, alpha: float = 1.0) -> T:
    """`x` where it is above 0, ``alpha (exp(x) - 1)`` elsewhere (D.-A. Clevert et al., 2016).

    Parameters
    ----------
    x : Tensor or array
    alpha : float, default=1.0

    Returns
    -------
    Tensor or array of the shape of `x`

    Examples
    --------
    >>> elu(np.array([-np.inf, 2.0]))
    array([-1.,  2.])
    """
    return _elu(x, as_number("elu", "alpha", alpha))


@primitive(_FLOATS, x=lambda g, x, y, alpha: where(x <= 0, g * (y + alpha), g))
def _elu(x: Array, alpha: float = 1.0) -> Array:
    return np.maximum(x, 0) + np.expm1(np.minimum(x, 0)) * alpha


def hard_sigmoid(x: T | Array, slope: float = 1 / 6, offset: float = 0.5) -> T:
    """``slope * x + offset`` limited to [0, 1]: three straight lines instead of a sigmoid.

    The defaults are PyTorch's and Keras'; ONNX's slope is 0.2.

    Parameters
    ----------
    x : Tensor or array
    slope, offset : float, default=1/6, 0.5

    Returns
    -------
    Tensor or array of the shape of `x`

    Examples
    --------
    >>> hard_sigmoid(np.array([-3.0, 0.0, 3.0]))
    array([0. , 0.5, 1. ])
    """
    numbers = (as_number("hard_sigmoid", *v) for v in (("slope", slope), ("offset", offset)))
    return _hard_sigmoid(x, *numbers)


@primitive(_FLOATS, x=lambda g, y, slope: where((y <= 0) | (y >= 1), 0.0, g * slope))
def _hard_sigmoid(x: Array, slope: float = 1 / 6, offset: float = 0.5) -> Array:
    return (x * slope + offset).clip(0.0, 1.0)


def log_sigmoid(x: T | Array) -> T:
    """``log(sigmoid(x))``, exact where the sigmoid itself would round to 0 or 1.

    >>> float(log_sigmoid(np.array(-1000.0)))
    -1000.0
    """
    check_numbers("log_sigmoid", x)
    return -softplus(-x)


def silu(x: T | Array) -> T:
    """``x * sigmoid(x)``, also called swish (S. Elfwing et al., 2018).

    >>> silu(np.array([0.0, 1000.0]))
    array([   0., 1000.])
    """
    check_numbers("silu", x)
    return x * sigmoid(x)


def gelu(x: T | Array, approximate: str = "none") -> T:
    """``x * Phi(x)``, Phi the distribution function of a standard normal number.

    ``approximate="tanh"`` is the form ``x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x**3)))`` of
    older networks, up to 5e-4 away (D. Hendrycks and K. Gimpel, 2016).

    Parameters
    ----------
    x : Tensor or array
    approximate : {"none", "tanh"}, default="none"

    Returns
    -------
    Tensor or array of the shape of `x`

    Examples
    --------
    >>> gelu(np.array([-1.0, 0.0, 1.0])).round(4)
    array([-0.1587,  0.    ,  0.8413])
    """
    check_numbers("gelu", x)
    if approximate == "none":
        return x * normal_cdf(x)
    if approximate == "tanh":
        c = 2 * math.sqrt(2 / math.pi)
        return x * sigmoid(x * (c + 0.044715 * c * (x * x)))  # (1 + tanh(u)) / 2 = sigmoid(2 u)
    raise ValueError(f'gelu: approximate must be "none" or "tanh", got {approximate!r}')


@primitive(_FLOATS, x=lambda g, x: g * (exp(x * x / -2) / math.sqrt(2 * math.pi)))
def normal_cdf(x: Array) -> Array:
    """The probability that a standard normal number is below `x`.

    With z = abs(x) / sqrt(2) the smaller tail is erfc(z) / 2, and (1 + 2 z) exp(z**2) erfc(z) is a
    polynomial of 1 - 7.5 / (z + 3.75) to all digits (M. Shepherd and J. Laframboise, "Chebyshev
    approximation of (1 + 2x) exp(x**2) erfc x", 1981).

    >>> normal_cdf(np.array([-np.inf, 0.0, np.inf]))
    array([0. , 0.5, 1. ])
    """
    z = np.abs(x) * math.sqrt(0.5)
    t = 1 - 7.5 / (z + 3.75)
    first, *others, last = _SINGLE if x.dtype == np.float32 else _DOUBLE
    y = t * first
    for c in others:
        y += c
        y *= t
    tail = np.exp(-z * z) * (y + last) / (2 + 4 * z)
    return np.where(x < 0, tail, 1 - tail)


_CHEBYSHEV = [  # the coefficients, computed with 40 digits
    1.1775789345674017, -0.004590054580646478, -0.08424913336651792, 0.05920993999819189,
    -0.026658668435305753, 0.009074997670705265, -0.002413163540417608, 0.0004907758365258086,
    -6.916973302501207e-05, 4.13902798607301e-06, 7.74038306619849e-07, -2.1886401049234397e-07,
    1.076499946567091e-08, 4.521959811218287e-09, -7.754400208831351e-10, -6.318088340886684e-11,
    2.86879501093067e-11, 1.9455868545777347e-13, -9.65469674843344e-13, 3.25254814814874e-14,
    3.3478119482868056e-14, -1.864562880419313e-15, -1.2507950530688648e-15,
]  # fmt: skip
# as coefficients of powers, the highest first; float32 needs only some
_SINGLE, _DOUBLE = (chebyshev.cheb2poly(_CHEBYSHEV[:n])[::-1].tolist() for n in (12, 23))
