"""What callers must give, and the sentence that each gets who gives something else.

Arrays of numbers, single numbers, switches: wherever NumPy would say in its own words what it
cannot do with them, these functions say first whose argument it was and what was expected.
"""

import datetime
import numbers
import os
import unicodedata

import numpy as np

from minigrad.backend import type_name

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


def as_rows(who, X, image_shape=None):
    """The data `X` of `who` as scikit-learn checks them: images flattened, (N, D).

    Images (N, H, W, C), or (N, H, W) of one channel, are taken where `image_shape` says (H, W, C).
    Raises ValueError for images of another shape, for dates, and for what is no array at all.

    >>> as_rows("fit", np.zeros((5, 4, 3)), (4, 3, 1)).shape
    (5, 12)
    """
    if isinstance(X, str | os.PathLike):
        raise ValueError(
            f"{who}: X must be an array of numbers (N, D), got the name {str(X)!r:.60}: read the "
            "file before, as autoencoder.datasets.load_images does, or pandas.read_csv"
        )
    if isinstance(X, tuple) and len({np.ndim(x) for x in X if hasattr(x, "shape")}) > 1:
        raise ValueError(
            f"{who}: X is a tuple of arrays with the shapes {[np.shape(x) for x in X]}: give the "
            "rows alone, and what belongs to them as y or sample_weight"
        )
    if hasattr(X, "__dlpack__") and not isinstance(X, np.ndarray):
        X = _numpy(who, X)
    is_array = hasattr(X, "shape") or hasattr(X, "__array__") or isinstance(X, (*SEVERAL, str))
    if not is_array and hasattr(X, "__iter__"):
        raise ValueError(
            f"{who}: X must be an array of numbers (N, D), got a {type(X).__name__}: make one of "
            "it, as np.array(list(X)) does of rows, or give its batches of rows (n, D) one after "
            "the other"
        )
    _refuse_dates(who, X)
    if isinstance(X, list | tuple) and len(X) and getattr(X[0], "ndim", 0) > 1:  # of images
        X = _stacked(who, X)
    return _flat(who, X, image_shape) if getattr(X, "ndim", 2) > 2 else X


def text_columns(X):
    """The names of the columns of a data frame `X` that are of no numbers; none of an array."""
    if not (hasattr(X, "columns") and hasattr(X, "dtypes")):
        return []
    kinds = [getattr(dtype, "kind", "O") for dtype in X.dtypes]
    return [str(c) for c, kind in zip(X.columns, kinds, strict=True) if kind not in "biuf"]


def _numpy(who, X):
    """An array of another library as NumPy's: results are, whatever scikit-learn's dispatch is."""
    try:
        return np.asarray(X)
    except (TypeError, ValueError, RuntimeError) as error:
        raise TypeError(
            f"{who}: X, a {type_name(X)}, cannot be read as a NumPy array ({error}): hand over one"
        ) from None


def _refuse_dates(who, X):
    dtypes = np.ravel(getattr(X, "dtypes", getattr(X, "dtype", None)))  # of a table, or an array
    dates = any(getattr(dtype, "kind", None) in ("m", "M") for dtype in dtypes)
    if isinstance(X, SEVERAL) and getattr(X, "dtype", np.dtype(object)).kind == "O" and len(X):
        first = np.ravel(np.array(X[:1], dtype=object))
        kinds = (datetime.date, datetime.timedelta, np.datetime64, np.timedelta64)
        dates = any(isinstance(value, kinds) for value in first)
    if dates:
        raise ValueError(
            f"{who}: X holds dates or times, and numbers are needed: turn them into some, as "
            "(t - t.min()) / np.timedelta64(1, 'D') gives days"
        )


def _stacked(who, images):
    shapes = sorted({np.shape(image) for image in images})
    if len(shapes) > 1:
        raise ValueError(f"{who}: X has images of the shapes {shapes}: bring them to one size")
    return np.stack(images)


def _flat(who, X, image_shape):
    """Images `X` as rows (N, D)."""
    shape = tuple(X.shape)
    if not isinstance(image_shape, SEVERAL) or len(image_shape) != 3:
        raise ValueError(
            f"{who}: X has shape {shape}, and rows (N, D) are needed: flatten them with "
            "X.reshape(len(X), -1), for images say image_shape=(height, width, channels), and for "
            "a list of batches fit(autoencoder.Batches(X))"
        )
    height, width, channels = (int(n) for n in image_shape)
    if shape[1:] == (height, width, channels) or (*shape[1:], 1) == (height, width, channels):
        return X.reshape(shape[0], -1)
    cure = "bring them to that shape"
    if shape[1:] == (channels, height, width):
        cure = "the channels come last, as X.transpose(0, 2, 3, 1) has them"
    raise ValueError(
        f"{who}: X has images of shape {shape[1:]}, image_shape says {(height, width, channels)}: "
        f"{cure}"
    )


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


def visible(text):
    r"""The `text` of anything without characters that are not seen: control codes, and those that
    turn the direction of writing.

    >>> visible("a\u202eb\x00c\n")
    'abc\n'
    """
    return "".join(c for c in str(text) if c in "\n\t" or unicodedata.category(c)[0] != "C")
