"""Optimizers and learning rate schedules by name."""

import functools
import math

from minigrad import optim
from minigrad.distributed import AllReduce
from minigrad.tensor import describe

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
    """The optimizer that ``settings.solver`` names or makes, over all weights of `network`."""
    options, solver = settings.solver_options or {}, settings.solver
    make = solver if callable(solver) else SOLVERS[solver]
    try:
        made = make(network.parameters(), lr=settings.learning_rate, **options)
    except TypeError as error:
        if callable(solver) and not options:
            raise
        raise ValueError(
            f"solver_options={options!r} are not those of solver={solver!r}: {error}"
        ) from None
    if not isinstance(made, optim.Optimizer | AllReduce):
        raise TypeError(
            f"solver: {solver!r} must return an optimizer of minigrad.optim or an AllReduce of "
            f"one, got {describe(made)}"
        )
    return made


def formula(optimizer):
    """What an optimizer does in a step: its class and its settings but the learning rate."""
    inner = optimizer.optimizer if isinstance(optimizer, AllReduce) else optimizer
    return type(inner), {name: v for name, v in inner.defaults.items() if name != "lr"}


def same_formula(one, other):
    """Whether one optimizer can go on from the state of the other."""
    return formula(one) == formula(other)


def named(optimizer):
    """The name and the options with which an estimator makes the same optimizer for itself."""
    kind, options = formula(optimizer)
    for name, make in SOLVERS.items():
        if getattr(make, "func", make) is kind:
            return name, options
    raise ValueError(
        f"save: solver is a {kind.__name__}, and files hold no code: use "
        f"{', '.join(map(repr, SOLVERS))}, or a function that makes one of them"
    )


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
