"""A decoder as a list of steps that another program can follow.

The decoder is run once on a code, and a hook on the engine notes every operation that the code
flows through, with the weights it meets. So any network can be recorded that computes with
minigrad's operations alone. `replay` follows the steps in NumPy; where that differs from the
estimator, on other codes than the one recorded, the network does something that no step shows.
"""

from typing import NamedTuple

import numpy as np

from minigrad import hook, no_grad, tensor
from minigrad.engine import registry

from ..parts import (
    BernoulliLikelihood,
    ColumnLikelihood,
    ContinuousBernoulliLikelihood,
    GaussianLikelihood,
)
from ..parts.likelihood import truncated_mean

OTHERS = 8  # codes on which a recording is tried
SAME = 1e-4  # relative to the largest output, between NumPy's own ways of computing


class Value(NamedTuple):
    """The result of step `number`; 0 is the code itself."""

    number: int


class Step(NamedTuple):
    """``name(*args)``: a primitive, or "truncated_mean", of `Value`s, arrays and settings."""

    name: str
    args: tuple
    shape: tuple  # of the result


def record(estimator):
    """The steps from a code (1, k) with its labels beside it to the data (1, D), in their own
    units.

    Raises ValueError, in a sentence, for a decoder or a likelihood that cannot be recorded.
    """
    network = estimator.network_.to("cpu").eval()
    n_labels = estimator._sizes.n_labels
    width = estimator._sizes.n_components + n_labels
    code = np.random.default_rng(0).normal(size=(1, width)).astype(estimator._dtype)
    steps, out = _recorded(network.decode, code)
    if out is None:
        raise ValueError(
            "explore: the decoder computes with other functions than minigrad's, so the page "
            "cannot follow it: write its forward with operations of minigrad alone"
        )
    if not steps:  # the code itself is what comes out
        steps.append(Step("reshape", (Value(0), code.shape), code.shape))
    _mean(steps, estimator._likelihood)
    if estimator._scaling is not None:
        for name in ("std", "mean"):
            constant = getattr(estimator._scaling, name)[None]
            _then(steps, "multiply" if name == "std" else "add", constant)
    spread = np.sqrt(np.diag(estimator.code_covariance_)) + 0.1
    Z = np.random.default_rng(1).normal(size=(OTHERS, len(spread))) * spread
    y = estimator.classes_[np.arange(OTHERS) % len(estimator.classes_)] if n_labels else None
    check(steps, estimator, (estimator.code_mean_ + Z).astype(estimator._dtype), y)
    return steps


@no_grad()
def _recorded(function, x):
    """The steps that `function` of the array `x` makes, and its result, or None where it is not
    that of the last step."""
    x = tensor(x)
    steps, numbers, kept, inside, foreign = [], {id(x.data): 0}, [x], [False], []

    def around(primitive, where, phase, forward, args):
        if inside[0]:
            return forward(*args)  # a part of another operation
        inside[0] = True
        try:
            out = forward(*args)
        finally:
            inside[0] = False
        out = np.asarray(out) if isinstance(out, np.generic) else out
        named = tuple(Value(numbers[id(a)]) if id(a) in numbers else a for a in args)
        if any(isinstance(a, Value) for a in named):
            if registry.get(primitive.name) is not primitive:
                foreign.append(primitive.name)
            steps.append(Step(primitive.name, named, out.shape))
            numbers[id(out)] = len(steps)
            kept.append(out)  # else another array could get its id
        return out

    with hook(around):
        y = function(x)
    if foreign:
        raise ValueError(
            f"explore: the decoder uses {foreign[0]}, a primitive of your own, which the page "
            "cannot compute: use operations of minigrad"
        )
    data = getattr(y, "data", y)
    last = numbers.get(id(data))
    if last is None:
        return steps, None
    return steps[:last], data


def _mean(steps, likelihood):
    """Add what makes the likelihood's means of the decoder's outputs."""
    kind = type(likelihood)
    if kind is BernoulliLikelihood:
        _then(steps, "sigmoid")
    elif kind is ContinuousBernoulliLikelihood:
        _then(steps, "truncated_mean")
    elif kind is ColumnLikelihood:
        _columns(steps, likelihood.columns)
    elif kind is not GaussianLikelihood:
        raise ValueError(
            f"explore: the page does not know the means of {kind.__name__}: use one of the "
            "likelihoods of autoencoder.parts"
        )


def _then(steps, name, *more):
    """Add the step `name` of the last result and `more`, which leaves the shape as it is."""
    steps.append(Step(name, (Value(len(steps)), *more), steps[-1].shape))


def _columns(steps, columns):
    outputs, parts, first = len(steps), [], 0
    for kind, width in columns:
        index = (slice(None), slice(first, first + width))
        steps.append(Step("getitem", (Value(outputs), index), (1, width)))
        if kind == "bernoulli":
            _then(steps, "sigmoid")
        elif kind == "categorical":
            _then(steps, "softmax", 1)
        parts.append(Value(len(steps)))
        first += width
    steps.append(Step("concatenate", (1, None, *parts), (1, first)))


def replay(steps, code):
    """What the steps make of one `code` (1, k), computed in NumPy."""
    values = [code]
    for step in steps:
        args = [values[a.number] if isinstance(a, Value) else a for a in step.args]
        if step.name == "truncated_mean":
            y = truncated_mean(*args)
        elif step.name in ("multiply", "add"):  # a scaling is in float64
            y = registry[step.name].forward(*args).astype(code.dtype, copy=False)
        elif step.name == "concatenate":
            y = np.concatenate(args[2:], axis=args[0])
        else:
            y = registry[step.name].forward(*args)
        values.append(y)
    return values[-1]


def check(steps, estimator, Z, y=None):
    """Raise ValueError where `steps` are further from the estimator than rounding makes them."""
    largest = float(np.abs(np.asarray(estimator.inverse_transform(Z, y))).max())
    found = difference(steps, estimator, Z, y)
    if not found <= SAME * max(1.0, largest):
        raise ValueError(
            f"explore: the decoder's operations, recorded for one code, are {found:.2g} away "
            "from what it makes of others: it decides by the code, mixes the rows of a batch, or "
            "computes with other functions than minigrad's, and the page cannot follow that"
        )


def difference(steps, estimator, Z, y=None):
    """How far `steps` are from what the estimator makes of the codes `Z` (N, k) of labels `y`,
    together and each by itself."""
    made = np.concatenate([replay(steps, code[None]) for code in with_labels(estimator, Z, y)])
    together = np.asarray(estimator.inverse_transform(Z, y))
    each = [(Z[i : i + 1], None if y is None else y[i : i + 1]) for i in range(len(Z))]
    alone = np.concatenate([np.asarray(estimator.inverse_transform(*one)) for one in each])
    with np.errstate(invalid="ignore"):
        return float(np.maximum(abs(made - alone), abs(made - together)).max())


def with_labels(estimator, Z, y):
    """Codes (N, k) with the labels `y` of a conditional autoencoder beside them."""
    if not estimator._sizes.n_labels:
        return Z
    return np.concatenate([Z, np.asarray(y)[:, None] == estimator.classes_], 1, dtype=Z.dtype)
