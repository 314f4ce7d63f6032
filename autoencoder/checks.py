"""What callers must give, and the sentence that each gets who gives something else.

Arrays of numbers, single numbers, switches: wherever NumPy would say in its own words what it
cannot do with them, these functions say first whose argument it was and what was expected.
"""

import numbers

import numpy as np

SEVERAL = (list, tuple, np.ndarray)
ROUNDING = 16 * float(np.finfo(np.float32).eps)  # what a scaled 0 or 1 may be off by


def as_numbers(who, name, values, dtype=np.float64):
    """Return the argument `name` of `who` as an array of real numbers of the `dtype`.

    A `dtype` of None leaves float32 as it is and makes float64 of all else.

    >>> as_numbers("mse", "images", [[1, True], [0.5, 2]])
    array([[1. , 1. ],
           [0.5, 2. ]])
    >>> as_numbers("mse", "images", "x")
    Traceback (most recent call last):
    ValueError: mse: images must be an array of numbers, got str 'x'
    """
    try:
        array = np.asarray(values)
        real = array.dtype.kind in "biuf" or (
            array.dtype.kind == "O" and all(isinstance(v, numbers.Real) for v in array.flat)
        )
        if real:
            own = np.float32 if array.dtype == np.float32 else np.float64
            return array.astype(own if dtype is None else dtype, copy=False)
    except (TypeError, ValueError, OverflowError):  # ragged lists, and what is no number
        pass
    raise ValueError(f"{who}: {name} must be an array of numbers, got {_described(values)}")


def check_floats(who, name, x):
    """Raise TypeError unless `x` is an array of float32 or float64."""
    if getattr(x, "dtype", None) not in (np.float32, np.float64):
        raise TypeError(
            f"{who}: {name} must be an array of float32 or float64, got {_described(x)}"
        )


def outside_unit_interval(x):
    """Where an array has numbers that are not in [0, 1], nor beside it by rounding alone.

    Scalers end at 1 + 2e-16, or in float32 at 1 + 1e-7; the rule is the same for both dtypes,
    because data of one are computed with in the other.

    >>> outside_unit_interval(np.array([0.0, 1 + 2e-16, 1.001, np.nan]))
    array([False, False,  True,  True])
    """
    return ~((x >= -ROUNDING) & (x <= 1 + ROUNDING))


def check_whole(name, value, least, other=""):
    """Raise ValueError unless `value` is a whole number of at least `least`."""
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not whole or value < least:
        raise ValueError(f"{name} must be {other}a whole number of at least {least}, got {value!r}")


def check_number(name, value, words, accept):
    """Raise ValueError, saying `words`, unless `value` is a number that `accept` is true of."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or not accept(value):
        raise ValueError(f"{name} must be a number {words}, got {value!r}")


def is_on(name, value):
    """The truth of a switch; ValueError unless it is True, False or a whole number.

    >>> is_on("verbose", 2)
    True
    """
    if not isinstance(value, bool | np.bool_ | numbers.Integral):
        raise ValueError(f"{name} must be True or False, got {value!r}")
    return bool(value)


def _described(values):
    if isinstance(values, np.ndarray):
        return f"{values.dtype} of shape {values.shape}"
    text = repr(values)
    return f"{type(values).__name__} {text if len(text) < 60 else text[:60] + '...'}"
