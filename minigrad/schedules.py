"""Learning-rate schedules: functions of the number of steps already made.

They are part of `minigrad.optim`, where an optimizer takes one as its ``lr``.
"""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class StepDecay:
    """`lr`, multiplied by `factor` after every `every` steps.

    >>> schedule = StepDecay(lr=1.0, every=10, factor=0.5)
    >>> schedule(9), schedule(10)
    (1.0, 0.5)
    """

    lr: float
    every: int
    factor: float = 0.1

    def __call__(self, step):
        return self.lr * self.factor ** (step // self.every)


@dataclass(frozen=True)
class ExponentialDecay:
    """`lr`, multiplied by `rate` after every step."""

    lr: float
    rate: float

    def __call__(self, step):
        return self.lr * self.rate**step


@dataclass(frozen=True)
class CosineDecay:
    """From `lr` to `floor` along half a cosine wave of `steps` steps, then `floor`."""

    lr: float
    steps: int
    floor: float = 0.0

    def __call__(self, step):
        part = min(step / self.steps, 1.0)
        return self.floor + (self.lr - self.floor) * (1 + math.cos(math.pi * part)) / 2


@dataclass(frozen=True)
class Warmup:
    """`schedule` (a number or a schedule), preceded by a linear rise over `steps` steps."""

    schedule: object
    steps: int

    def __call__(self, step):
        lr = self.schedule(step) if callable(self.schedule) else self.schedule
        return lr * min((step + 1) / self.steps, 1.0)
