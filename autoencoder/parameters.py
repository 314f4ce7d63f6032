"""What an estimator's parameters must be: every wrong one is named in a sentence before training.

As everywhere in scikit-learn nothing is checked in ``__init__``, because parameters can also be set
later; `fit` and `partial_fit` call `check`, which goes through the table `RULES`.
"""

import contextlib
import math
import warnings
from numbers import Integral, Real

import numpy as np

from minigrad.functional import activations

from .checks import SEVERAL, check_number, check_whole, is_on
from .networks import NETWORKS, Sizes
from .parts import CHOICES, PatchMasking, resolve
from .solvers import SCHEDULES, SOLVERS


# ---------------------------------------------------------------------- (name, value) -> None
def _whole(least, none=False):
    def rule(name, value):
        if not (none and value is None):
            check_whole(name, value, least, "None or " if none else "")

    return rule


def _or_auto(rule, words="a whole number"):
    """A `rule` for what may also be "auto"; the `words` say what else."""

    def either(name, value):
        if isinstance(value, str):
            _choice(("auto",), f" or {words}")(name, value)
        else:
            rule(name, value)

    return either


def _number(words, accept):
    return lambda name, value: check_number(name, value, words, accept)


def _choice(choices, also=""):
    def rule(name, value):
        if not isinstance(value, str) or value not in choices:
            names = ", ".join(map(repr, choices))
            raise ValueError(f"unknown {name} {value!r}: use {names}{also}")

    return rule


def _choice_or_function(choices, arguments):
    named = _choice(choices, f", None, or a function of {arguments}")
    return lambda name, value: value is None or callable(value) or named(name, value)


def _width(name, value):
    check_whole(name, value, 1)
    if value >= 2**31:
        raise ValueError(f"{name} must be below 2**31, got {value!r}")


def _widths(name, value):
    if not _is_list(value):
        raise ValueError(
            f"{name} must be a tuple of widths, such as (128, 64), got {value!r}: write "
            f"({value!r},) for one layer"
        )
    for width in value:
        _width(f"every width in {name}", width)


def _image_shape(name, value):
    if value is not None and not (_is_list(value) and len(value) == 3):
        raise ValueError(f"{name} must be None or (height, width, channels), got {value!r}")
    for length in () if value is None else value:
        check_whole(f"every length in {name}", length, 1)
    if value is not None and _is_channels_first(*value):
        channels, height, width = value
        raise ValueError(
            f"{name}={tuple(value)} has the channels first, and they come last: say "
            f"({height}, {width}, {channels}), and give X.transpose(0, 2, 3, 1)"
        )


def _is_channels_first(first, second, third):
    """Whether (C, H, W) was meant, and not (H, W, C) of a signal of height 1 with many channels."""
    return third > 4 and ((first == 3 and second > 4) or (first == 1 and second == third))


def _options(name, value):
    names = value if isinstance(value, dict) else () if value is None else [None]
    if not all(isinstance(n, str) and n.isidentifier() for n in names):
        raise ValueError(
            f"{name} must be None or a dict of the optimizer's arguments, such as "
            f'{{"weight_decay": 0.01}}, got {value!r}'
        )


def _callbacks(name, value):
    several = value if isinstance(value, list | tuple) else [value]
    if value is not None and not all(map(callable, several)):
        raise ValueError(
            f"{name} must be None, a function of (estimator, record) or a sequence of them, got "
            f"{value!r}"
        )


RULES = {  # noise, code, likelihood and penalty: see `parts.assemble`
    "n_components": _or_auto(_width),
    "hidden": _or_auto(_widths, "a tuple of widths, such as (128, 64)"),
    "activation": _choice((*activations, "linear")),
    "image_shape": _image_shape,
    "scale": lambda name, value: (
        value is None or _choice(("auto", "standard"), " or None")(name, value)
    ),
    "network": _choice_or_function(NETWORKS, "(sizes, code, rng, dtype)"),
    "tied": is_on,
    "dropout": _number("at least 0 and below 1", lambda v: 0 <= v < 1),
    "solver": lambda name, value: (
        callable(value) or _choice(SOLVERS, ", or a function of (parameters, lr)")(name, value)
    ),
    "solver_options": _options,
    "learning_rate": _number("above 0", lambda v: 0 < v < np.inf),
    "schedule": _choice_or_function(SCHEDULES, "the optimizer"),
    "batch_size": _or_auto(_whole(1)),
    "skip_last_batch": is_on,
    "max_epochs": _or_auto(_whole(0)),
    "pretrain_epochs": _or_auto(_whole(0)),
    "validation_fraction": _number("at least 0 and below 1", lambda v: 0 <= v < 1),
    "patience": _whole(1, none=True),
    "restarts": _whole(0),
    "missing": _choice(("refuse", "mask")),
    "conditional": is_on,
    "warm_start": is_on,
    "callbacks": _callbacks,
    "device": _choice(("cpu", "cuda")),
    "verbose": is_on,
}


def check(estimator, n_features):
    """Raise ValueError for the first parameter of `estimator` that cannot be used.

    A UserWarning says where nothing keeps the code of data (N, n_features) from copying them.
    """
    e = estimator
    for name, rule in RULES.items():
        rule(name, getattr(e, name))
    if e.pretrain_epochs != 0:
        _check_pretraining(e)
    k = e.n_components
    if k != "auto" and k > n_features and e.noise is None and e.penalty is None:
        warnings.warn(
            f"n_components={k} is more than the {n_features} features, so the code "
            "can copy its input: use fewer, or add a noise or a penalty",
            UserWarning,
            stacklevel=4,
        )


def _check_pretraining(e):
    """Raise ValueError where there are no dense hidden layers to train one by one."""
    cure = "set pretrain_epochs=0, or leave that out"
    if e.network is not None:
        problem = f"network={e.network!r} makes layers of its own"
    elif not len(_hidden(e)):
        problem, cure = "there are no hidden layers", "name some, such as hidden=(256, 64)"
    elif e.image_shape is not None:
        problem = f"image_shape={e.image_shape!r} makes convolutions"
    elif e.conditional:
        problem = "conditional=True has labels that inner layers do not read"
    elif isinstance(resolve("noise", e.noise), PatchMasking):
        problem = "what inner layers read has no patches to hide"
    else:
        return
    raise ValueError(
        f"pretrain_epochs={e.pretrain_epochs!r} trains dense hidden layers one by one, and "
        f"{problem}: {cure}"
    )


def _hidden(e):
    if isinstance(e.hidden, str):
        return () if e.image_shape is None else (16, 32)
    return e.hidden


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


def sizes(estimator, X, n_labels=0):
    """The `Sizes` of the network for data `X` (N, D), as plain values."""
    e, k = estimator, estimator.n_components
    if k == "auto":
        k = usual_length(X.shape[1])
    return Sizes(
        n_features=X.shape[1],
        n_components=int(k),
        hidden=tuple(int(width) for width in _hidden(e)),
        activation=e.activation,
        image_shape=None if e.image_shape is None else tuple(int(n) for n in e.image_shape),
        tied=bool(e.tied),
        dropout=float(e.dropout),
        n_labels=n_labels,
    )


def usual_length(n_features):
    """The length of the code of `n_features` numbers where nobody names one.

    >>> usual_length(1024), usual_length(64), usual_length(3)
    (64, 16, 1)
    """
    return min(64, math.ceil(n_features / 4))


def check_same(before, now):
    """Raise ValueError where a training that goes on asks for another network than it has.

    Both are a triple: `Sizes`, the parameter network, and the code part.
    """
    names = (*Sizes._fields, "network")
    pairs = zip(names, (*before[0], before[1]), (*now[0], now[1]), strict=True)
    changed = [f"{name} was {a!r} and is now {b!r}" for name, a, b in pairs if a != b]
    if _layout(before[2]) != _layout(now[2]):
        changed.append(f"code was {before[2]!r} and is now {now[2]!r}")
    if changed:
        raise ValueError(
            f"the training cannot go on with another network: {'; '.join(changed)}: set it back, "
            "or begin anew with warm_start=False and fit"
        )


def _layout(code):
    """What of a `code` the network was built for."""
    return code.width(1), getattr(code, "n_vectors", None), getattr(code, "length", None)


def plain(value):
    """A setting as Python's own number, which has no bounds and leaves the dtype of data alone."""
    if isinstance(value, Integral):
        return int(value)
    return float(value) if isinstance(value, Real) else value


def _is_list(value):
    return isinstance(value, SEVERAL) and getattr(value, "ndim", 1) == 1
