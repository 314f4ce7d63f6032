"""What an estimator's parameters must be: every wrong one is named in a sentence before training.

As everywhere in scikit-learn nothing is checked in ``__init__``, because parameters can also be set
later; `fit` and `partial_fit` call `check`.
"""

import contextlib
import warnings
from numbers import Integral, Real

import numpy as np

from .checks import SEVERAL, check_number, check_whole, is_on
from .networks import Network, activations
from .parts import CHOICES
from .training import SCHEDULES, SOLVERS


def check(estimator, n_features):
    """Raise ValueError for the first parameter of `estimator` that cannot be used.

    A UserWarning says where nothing keeps the code of data (N, n_features) from copying them.
    """
    e = estimator
    _check_width("n_components", e.n_components)
    if not _is_list(e.hidden):
        raise ValueError(
            f"hidden must be a tuple of widths, such as (128, 64), got {e.hidden!r}: write "
            f"({e.hidden!r},) for one layer"
        )
    for width in e.hidden:
        _check_width("every width in hidden", width)
    shape = e.image_shape
    if shape is not None and not (_is_list(shape) and len(shape) == 3):
        raise ValueError(f"image_shape must be None or (height, width, channels), got {shape!r}")
    for length in () if shape is None else shape:
        check_whole("every length in image_shape", length, 1)
    check_whole("batch_size", e.batch_size, 1)
    check_whole("max_epochs", e.max_epochs, 0)
    if e.patience is not None:
        check_whole("patience", e.patience, 1, "None or ")
    check_number("learning_rate", e.learning_rate, "above 0", lambda v: 0 < v < np.inf)
    check_number("dropout", e.dropout, "at least 0 and below 1", lambda v: 0 <= v < 1)
    check_number(
        "validation_fraction",
        e.validation_fraction,
        "at least 0 and below 1",
        lambda v: 0 <= v < 1,
    )
    for name in ("tied", "warm_start", "verbose"):
        is_on(name, getattr(e, name))
    _choice("activation", e.activation, (*activations, "linear"))
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


@contextlib.contextmanager
def unchanged_if_refused(estimator):
    """What raises in this block leaves the attributes of `estimator` as they were before."""
    before = dict(vars(estimator))
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise


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


def plain(value):
    """A setting as Python's own number, which has no bounds and leaves the dtype of data alone."""
    if isinstance(value, Integral):
        return int(value)
    return float(value) if isinstance(value, Real) else value


def _check_width(name, value):
    check_whole(name, value, 1)
    if value >= 2**31:
        raise ValueError(f"{name} must be below 2**31, got {value!r}")


def _is_list(value):
    return isinstance(value, SEVERAL) and getattr(value, "ndim", 1) == 1


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
