"""Learning-rate schedules: functions of the number of steps already made.

They are part of `minigrad.optim`, where an optimizer takes one as its ``lr``, or a group as its
own. Those that are named as in PyTorch give the rates that PyTorch's scheduler of that name gives
when it is stepped after every step; `lr`, which PyTorch takes from the optimizer, comes first::

    PyTorch                                  here
    StepLR(optimizer, 30, 0.1)               StepLR(lr, 30, 0.1), which is StepDecay(lr, 30, 0.1)
    ExponentialLR(optimizer, 0.9)            ExponentialLR(lr, 0.9), which is ExponentialDecay
    LambdaLR(optimizer, f)                   lambda step: lr * f(step)
    CosineAnnealingLR, then constant         CosineDecay(lr, steps)
    LinearLR, then another                   Warmup(another, steps)
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class StepDecay:
    """`lr`, multiplied by `factor` after every `every` steps.

    Parameters
    ----------
    lr : float
    every : int
    factor : float, default=0.1

    Examples
    --------
    >>> schedule = StepDecay(lr=1.0, every=10, factor=0.5)
    >>> schedule(9), schedule(10)
    (1.0, 0.5)
    """

    lr: float
    every: int
    factor: float = 0.1

    def __call__(self, step: int) -> float:
        return self.lr * self.factor ** (step // self.every)


def StepLR(lr: float, step_size: int, gamma: float = 0.1) -> StepDecay:
    """`StepDecay` by PyTorch's names.

    Parameters
    ----------
    lr : float
    step_size : int
    gamma : float, default=0.1

    Returns
    -------
    StepDecay
    """
    return StepDecay(lr, step_size, gamma)


@dataclass(frozen=True)
class MultiStepLR:
    """`lr`, multiplied by `gamma` when each of the rising `milestones` is reached.

    Parameters
    ----------
    lr : float
    milestones : tuple of ints
    gamma : float, default=0.1
    """

    lr: float
    milestones: Sequence[int]
    gamma: float = 0.1

    def __call__(self, step: int) -> float:
        return self.lr * self.gamma ** bisect.bisect_right(self.milestones, step)


@dataclass(frozen=True)
class ExponentialDecay:
    """`lr`, multiplied by `rate` after every step.

    Parameters
    ----------
    lr, rate : float
    """

    lr: float
    rate: float

    def __call__(self, step: int) -> float:
        return self.lr * self.rate**step


def ExponentialLR(lr: float, gamma: float) -> ExponentialDecay:
    """`ExponentialDecay` by PyTorch's names.

    Parameters
    ----------
    lr, gamma : float

    Returns
    -------
    ExponentialDecay
    """
    return ExponentialDecay(lr, gamma)


@dataclass(frozen=True)
class LinearLR:
    """From `lr` times `start_factor` to `lr` times `end_factor` in `total_iters` equal steps.

    Parameters
    ----------
    lr : float
    start_factor, end_factor : float, default=1/3, 1.0
    total_iters : int, default=5
    """

    lr: float
    start_factor: float = 1 / 3
    end_factor: float = 1.0
    total_iters: int = 5

    def __call__(self, step: int) -> float:
        part = min(step / self.total_iters, 1.0)
        return self.lr * (self.start_factor + (self.end_factor - self.start_factor) * part)


@dataclass(frozen=True)
class CosineAnnealingLR:
    """From `lr` to `eta_min` along half a cosine wave of `T_max` steps, then up again, and so on.

    Source: I. Loshchilov and F. Hutter, SGDR (2017).

    Parameters
    ----------
    lr, eta_min : float
        `eta_min` is 0 by default.
    T_max : int
    """

    lr: float
    T_max: int
    eta_min: float = 0.0

    def __call__(self, step: int) -> float:
        return _cosine(self.lr, self.eta_min, step / self.T_max)


@dataclass(frozen=True)
class CosineDecay:
    """From `lr` to `floor` along half a cosine wave of `steps` steps, then `floor`.

    Parameters
    ----------
    lr, floor : float
        `floor` is 0 by default.
    steps : int
    """

    lr: float
    steps: int
    floor: float = 0.0

    def __call__(self, step: int) -> float:
        return _cosine(self.lr, self.floor, min(step / self.steps, 1.0))


@dataclass(frozen=True)
class CosineAnnealingWarmRestarts:
    """`CosineDecay` to `eta_min` in `T_0` steps, again and again, each `T_mult` times as long.

    Parameters
    ----------
    lr, eta_min : float
        `eta_min` is 0 by default.
    T_0 : int
    T_mult : int, default=1
    """

    lr: float
    T_0: int
    T_mult: int = 1
    eta_min: float = 0.0

    def __call__(self, step: int) -> float:
        length = self.T_0
        if self.T_mult == 1:
            step %= length
        while step >= length:
            step -= length
            length *= self.T_mult
        return _cosine(self.lr, self.eta_min, step / length)


@dataclass(frozen=True)
class SequentialLR:
    """One of the `schedules` after the other, each from its step 0 on; the next begins when one
    of the rising `milestones` is reached.

    Parameters
    ----------
    schedules : tuple of schedules
    milestones : tuple of ints
        One fewer than schedules.

    Examples
    --------
    >>> schedule = SequentialLR([LinearLR(1.0, 0.5, 1.0, 2), ExponentialLR(1.0, 0.5)], [2])
    >>> [schedule(step) for step in range(4)]
    [0.5, 0.75, 1.0, 0.5]
    """

    schedules: Sequence[Callable[[int], float]]
    milestones: Sequence[int]

    def __call__(self, step: int) -> float:
        k = bisect.bisect_right(self.milestones, step)
        return self.schedules[k](step - self.milestones[k - 1] if k else step)


@dataclass(frozen=True)
class Warmup:
    """`schedule` (a number or a schedule), preceded by a linear rise over `steps` steps.

    Parameters
    ----------
    schedule : float or schedule
    steps : int
    """

    schedule: float | Callable[[int], float]
    steps: int

    def __call__(self, step: int) -> float:
        lr = self.schedule(step) if callable(self.schedule) else self.schedule
        return lr * min((step + 1) / self.steps, 1.0)


def _cosine(start: float, end: float, part: float) -> float:
    """From `start` (part 0) to `end` (part 1) along half a cosine wave."""
    return end + (start - end) * (1 + math.cos(math.pi * part)) / 2
