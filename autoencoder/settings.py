"""What an estimator's parameters must be: every wrong one is named in a sentence before training.

As everywhere in scikit-learn nothing is checked in ``__init__``, because parameters can also be set
later; `fit` and `partial_fit` call `check`.
"""

import numbers
import warnings

import numpy as np

from .networks import Network
from .parts import CHOICES
from .training import SCHEDULES, SOLVERS

SEVERAL = (list, tuple, np.ndarray)


def check(estimator, n_features):
    """Raise ValueError for the first parameter of `estimator` that cannot be used.

    A UserWarning says where nothing keeps the code of data (N, n_features) from copying them.
    """
    e = estimator
    check_whole("n_components", e.n_components, 1)
    if not isinstance(e.hidden, SEVERAL):
        raise ValueError(
            f"hidden must be a tuple of widths, such as (128, 64), got {e.hidden!r}: write "
            f"({e.hidden!r},) for one layer"
        )
    for width in e.hidden:
        check_whole("every width in hidden", width, 1)
    shape = e.image_shape
    if shape is not None and (not isinstance(shape, SEVERAL) or len(shape) != 3):
        raise ValueError(f"image_shape must be None or (height, width, channels), got {shape!r}")
    for length in () if shape is None else shape:
        check_whole("every length in image_shape", length, 1)
    check_whole("batch_size", e.batch_size, 1)
    check_whole("max_epochs", e.max_epochs, 0)
    if e.patience is not None:
        check_whole("patience", e.patience, 1, "None or ")
    check_number("learning_rate", e.learning_rate, "above 0", lambda v: v > 0)
    check_number("dropout", e.dropout, "at least 0 and below 1", lambda v: 0 <= v < 1)
    check_number(
        "validation_fraction",
        e.validation_fraction,
        "at least 0 and below 1",
        lambda v: 0 <= v < 1,
    )
    _choice("solver", e.solver, SOLVERS)
    if e.schedule is not None and not callable(e.schedule):
        _choice("schedule", e.schedule, SCHEDULES, "None, ", ", or a function of the optimiser")
    _choice("device", e.device, ("cpu", "cuda"))
    _check_callbacks(e.callbacks)
    if e.n_components > n_features and e.noise is None and e.penalty is None:
        warnings.warn(
            f"n_components={e.n_components} is more than the {n_features} features, so the code "
            "can copy its input: use fewer, or add a noise or a penalty",
            UserWarning,
            stacklevel=4,
        )


def check_whole(name, value, least, other=""):
    """Raise ValueError unless `value` is a whole number of at least `least`."""
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not whole or value < least:
        raise ValueError(f"{name} must be {other}a whole number of at least {least}, got {value!r}")


def with_parts(estimator, params):
    """`params` for `set_params`: parts given by name become objects where they get parameters.

    ``noise__std=0.3`` on an estimator with ``noise="gaussian"`` brings ``noise=GaussianNoise()``
    with it. Raises ValueError where there is no part to have the parameter, or there are several.
    """
    made = {}
    for name in params:
        kind, nested, own = name.partition("__")
        if not nested or kind not in CHOICES:
            continue
        part = params.get(kind, getattr(estimator, kind))
        if isinstance(part, str):
            part = made[kind] = CHOICES[kind][part]() if part in CHOICES[kind] else part
        if not hasattr(part, "set_params"):
            raise ValueError(
                f"{name} cannot be set, {kind}={part!r} is no single part that has {own!r}: set "
                f"{kind} to one of {', '.join(map(repr, CHOICES[kind]))} or to an object as well"
            )
    return {**params, **made}


def architecture(estimator, X):
    """The settings of the `Network` for data `X` (N, D), as plain values."""
    e = estimator
    return {
        "n_features": X.shape[1],
        "n_components": int(e.n_components),
        "hidden": tuple(int(width) for width in e.hidden),
        "activation": e.activation,
        "image_shape": None if e.image_shape is None else tuple(int(n) for n in e.image_shape),
        "tied": bool(e.tied),
        "dropout": float(e.dropout),
        "dtype": X.dtype.name,
    }


def build(architecture, code, streams):
    """The `Network` that `architecture` describes, with new weights, drawn from `streams`."""
    sizes = {**architecture, "dtype": np.dtype(architecture["dtype"])}
    generators = dict(rng=streams["weights"], dropout_rng=streams["dropout"])
    return Network(**sizes, code=code, **generators).eval()


def check_same(before, now):
    """Raise ValueError where a training that goes on asks for another network than it has."""
    changed = [
        f"{name} was {before[name]!r} and is now {now[name]!r}"
        for name in before
        if before[name] != now[name] and name != "dtype"  # data are converted to the network's
    ]
    if changed:
        raise ValueError(
            f"the training cannot go on with another network: {'; '.join(changed)}: set it back, "
            "or begin anew with warm_start=False and fit"
        )


def check_number(name, value, words, accept):
    """Raise ValueError, saying `words`, unless `value` is a number that `accept` is true of."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or not accept(value):
        raise ValueError(f"{name} must be a number {words}, got {value!r}")


def _choice(name, value, choices, before="", after=""):
    if not isinstance(value, str) or value not in choices:
        names = ", ".join(map(repr, choices))
        raise ValueError(f"unknown {name} {value!r}: use {before}{names}{after}")


def _check_callbacks(callbacks):
    several = callbacks if isinstance(callbacks, list | tuple) else [callbacks]
    if callbacks is not None and not all(map(callable, several)):
        raise ValueError(
            "callbacks must be None, a function of (estimator, record) or a sequence of them, got "
            f"{callbacks!r}"
        )
