"""A decoder as a list of steps that another program can follow.

They are what `export.record` finds, for one code. `replay` follows them in NumPy: on other codes
than those recorded, and with weights that have been rounded.
"""

from typing import NamedTuple

import numpy as np

from .. import inference
from ..export.record import Rows, Value
from ..export.record import record as recorded

OTHERS = 8  # codes on which a recording is tried
SAME = 1e-4  # relative to the largest output, in the model's units, between ways of computing


class Step(NamedTuple):
    """``primitive(*args)`` of `Value`s, arrays and settings; Value 0 is the code itself."""

    primitive: object
    args: tuple
    shape: tuple  # of the result


def record(estimator):
    """The steps from a code (1, k) with its labels beside it to the data (1, D), in their own
    units.

    Raises ValueError, in a sentence, for a decoder or a likelihood that cannot be recorded.
    """
    model = estimator._model._replace(network=estimator.network_.to("cpu").eval())
    width = estimator._sizes.n_components + estimator._sizes.n_labels
    found = recorded(
        lambda z: [inference.block_means(model, z, estimator._scaling)],
        (width, estimator._dtype),
        who="explore",
    )
    values, steps = {v.number: v._replace(number=0) for v in found.inputs}, []
    for primitive, args, out in found.calls:
        shape, args = tuple(n.times if isinstance(n, Rows) else n for n in out.shape), list(args)
        for i, a in enumerate(args):
            if isinstance(a, Value):
                args[i] = values[a.number]
            elif primitive.argument(i) == "shape":  # of the result
                args[i] = shape
        steps.append(Step(primitive, tuple(args), shape))
        values[out.number] = Value(len(steps), shape, out.dtype)
    check(steps, estimator)
    return steps


def replay(steps, code):
    """What the steps make of one `code` (1, k), computed in NumPy."""
    values = [code]
    for step in steps:
        args = [values[a.number] if isinstance(a, Value) else a for a in step.args]
        values.append(np.asarray(step.primitive.forward(*args)))
    return values[-1]


def check(steps, estimator):
    """Raise ValueError where `steps` are further from the estimator than rounding makes them.

    Recorded is also what a row takes from others without their number, such as their maximum, and
    what a decoder decides only by codes that lie where no recorded ones did.
    """
    spread = np.sqrt(np.diag(estimator.code_covariance_)) + 0.1
    Z = np.random.default_rng(1).normal(size=(OTHERS, len(spread))) * spread
    Z = (estimator.code_mean_ + Z).astype(estimator._dtype)
    labelled = estimator._sizes.n_labels
    y = estimator.classes_[np.arange(OTHERS) % labelled] if labelled else None
    expected = np.asarray(estimator.inverse_transform(Z, y))
    off = np.abs(_replayed(steps, estimator, Z, y) - expected)
    if not (off <= tolerance(estimator, expected)).all():
        found = float(off.max())
        raise ValueError(
            f"explore: the decoder's operations, recorded for one code, are {found:.2g} away "
            "from what it makes of others: it decides by the code, or mixes the rows of a batch, "
            "and the page cannot follow that"
        )


def difference(steps, estimator, Z, y=None):
    """How far `steps` are from what the estimator makes of the codes `Z` (N, k) of labels `y`."""
    made = _replayed(steps, estimator, Z, y)
    return float(np.abs(made - np.asarray(estimator.inverse_transform(Z, y))).max())


def tolerance(estimator, made, least=1.0):
    """How far what is computed otherwise may be from the numbers `made` (N, D): (D,) float64.

    Each column has its own unit, the standard deviation where the estimator standardises, and is
    rounded. In these units the largest number, but no less than `least`, says what is near.
    """
    scaling = estimator._scaling
    mean, std = (0.0, np.ones(made.shape[1])) if scaling is None else (scaling.mean, scaling.std)
    largest = max(least, float(np.abs((made - mean) / std).max()))
    rounding = 4 * np.finfo(made.dtype).eps * np.abs(made).max(axis=0)
    return SAME * largest * std + rounding


def _replayed(steps, estimator, Z, y):
    return np.concatenate([replay(steps, code[None]) for code in with_labels(estimator, Z, y)])


def with_labels(estimator, Z, y):
    """Codes (N, k) with the labels `y` of a conditional autoencoder beside them."""
    if not estimator._sizes.n_labels:
        return Z
    return np.concatenate([Z, np.asarray(y)[:, None] == estimator.classes_], 1, dtype=Z.dtype)
