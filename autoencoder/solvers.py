"""Optimizers and learning rate schedules by name."""

import functools
import math

from minigrad import optim

from .checks import check_number

SOLVERS = {
    "adam": optim.Adam,
    "adamw": optim.AdamW,
    "sgd": functools.partial(optim.SGD, momentum=0.9, nesterov=True),
    "rmsprop": optim.RMSprop,
}

SCHEDULES = {  # (learning rate, steps of the whole fit) -> function of the step
    "step": lambda lr, steps: optim.StepDecay(lr, every=math.ceil(steps / 3)),
    "exponential": lambda lr, steps: optim.ExponentialDecay(lr, rate=0.01 ** (1 / steps)),
    "cosine": optim.CosineDecay,
    "cooldown": lambda lr, steps: lambda step: lr * min(1.0, 4 * (steps - step) / steps),
}

STEP_SCHEDULES = (
    *(optim.StepDecay, optim.ExponentialDecay, optim.CosineDecay, optim.Warmup, optim.LinearLR),
    *(optim.MultiStepLR, optim.CosineAnnealingLR, optim.CosineAnnealingWarmRestarts),
    optim.SequentialLR,
)


def new_optimizer(settings, network):
    """The optimizer that ``settings.solver`` names, over all weights of `network`."""
    options = settings.solver_options or {}
    try:
        return SOLVERS[settings.solver](network.parameters(), lr=settings.learning_rate, **options)
    except TypeError as error:
        raise ValueError(
            f"solver_options={options!r} are not those of solver={settings.solver!r}: {error}"
        ) from None


def learning_rate(settings, optimizer, first_step, steps):
    """The rate of the next step, of `steps` in the whole fit, which began at `first_step`.

    `steps` is None where nobody knows the end: a schedule by name then stays where it begins.
    """
    schedule, step = settings.schedule, optimizer.t - first_step
    if schedule is None or (isinstance(schedule, str) and steps is None):
        return settings.learning_rate
    if isinstance(schedule, str):
        return SCHEDULES[schedule](settings.learning_rate, steps)(step)
    rate = schedule(step) if isinstance(schedule, STEP_SCHEDULES) else schedule(optimizer)
    check_number("the learning rate that schedule returns", rate, "of at least 0", lambda v: v >= 0)
    return float(rate)
