"""A step of an optimizer on the GPU: Adam's is one kernel, and those of captured steps count.

While a step is recorded, nothing is counted; what the host has to do at each replay, and how to
tell that the record no longer holds, is given to `each_replay`.
"""

import weakref

import numpy as np

from ..optim import Adam
from ..optimizer import faster
from . import adam
from .capture import each_replay, recording

_counts = weakref.WeakKeyDictionary()  # optimizer -> adam.Counts, from its first step on


def step(optimizer, graded, lr):
    """What `Optimizer.apply` does."""
    kind = type(optimizer).__name__
    by_kernel = _kernel_takes(optimizer, graded)
    if isinstance(optimizer, Adam) and recording():
        if not by_kernel:
            raise RuntimeError(
                f"{kind}: its step can be captured only if every parameter is "
                "float32 and on the GPU: elsewhere the step count is a number of Python's"
            )
        if optimizer not in _counts:
            raise RuntimeError(f"{kind} must have made a step before one is captured")
    if by_kernel:
        _step_by_kernel(optimizer, graded, lr)
    elif recording():
        unchanged = _unchanged(optimizer, graded)
        each_replay(lambda: optimizer.count(graded), lambda: unchanged() and optimizer.rate() == lr)
        optimizer.change(graded, lr)
    else:
        optimizer.apply(graded, lr)


def _kernel_takes(optimizer, graded):
    """Whether the formula is Adam's, and all is float32 and on the GPU."""
    known = isinstance(optimizer, Adam) and type(optimizer).update is Adam.update
    return known and all(p.device == "cuda" and p.dtype == np.float32 for p, _ in graded)


def _step_by_kernel(optimizer, graded, lr):
    def count(lr):
        optimizer.count(graded)
        counts.before_step(optimizer.t, lr)

    counts = _counts.get(optimizer)
    if counts is None:
        counts = _counts[optimizer] = adam.Counts(graded[0][0]._data, optimizer.betas)
    if recording():
        each_replay(lambda: count(optimizer.rate()), _unchanged(optimizer, graded))
    else:
        count(lr)
    tensors, states = zip(*graded, strict=True)
    adam.step(
        [p._data for p in tensors],
        [p.grad._data for p in tensors],
        *zip(*states, strict=True),
        counts.array,
        betas=optimizer.betas,
        epsilon=optimizer.epsilon,
        epsilon_hat=optimizer.epsilon_hat,
        weight_decay=optimizer.weight_decay,
        decoupled=optimizer.decoupled,
    )


def _unchanged(optimizer, graded):
    """A function that says whether arrays and settings are still those of now."""
    arrays, settings = [p._data for p, _ in graded], _settings(optimizer)
    return lambda: (
        all(p._data is a for (p, _), a in zip(graded, arrays, strict=True))
        and _settings(optimizer) == settings
    )


def _settings(optimizer):
    known = "lr", "t", "parameters", "state"
    return {name: value for name, value in vars(optimizer).items() if name not in known}


faster["cuda"] = step
