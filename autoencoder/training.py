"""The training loop, which `fit` and `partial_fit` share.

An epoch is one pass over the rows in a new order: corrupt a batch, compute the terms of the
objective, step. What a training needs to go on from where it stood, and nothing else, is a
`Training`: saved and read back, it continues to the same bits. Initial weights, order, noise,
dropout and validation split each have a random stream of their own, so that switching one of them
on or off leaves the others as they were.
"""

import copy
import functools
import math
import operator
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from minigrad import optim, tensor
from minigrad.backend import array_module, fetch
from minigrad.data import Batches

from .checks import check_number
from .objective import loss_terms

STREAMS = ("weights", "order", "noise", "dropout", "split")

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
}

STEP_SCHEDULES = (
    *(optim.StepDecay, optim.ExponentialDecay, optim.CosineDecay, optim.Warmup, optim.LinearLR),
    *(optim.MultiStepLR, optim.CosineAnnealingLR, optim.CosineAnnealingWarmRestarts),
    optim.SequentialLR,
)


class Settings(NamedTuple):
    """How to train; the meaning of each is in the docstring of `Autoencoder`."""

    solver: str
    learning_rate: float
    schedule: object
    batch_size: int
    max_epochs: int
    validation_fraction: float
    patience: int | None


@dataclass
class Plan:
    """A fit that is under way: the epoch at which it ends, and the best epoch so far."""

    goal: int
    best_loss: float = math.inf
    best_epoch: int = 0
    best_weights: dict | None = None
    waited: int = 0  # epochs without a better loss

    def improve(self, training, loss):
        """Take note of the weights as they are, if their `loss` is the best so far."""
        self.waited += 1
        if self.best_weights is None or loss < self.best_loss:
            self.best_loss = loss if math.isfinite(loss) else math.inf
            self.best_epoch, self.waited = training.epoch, 0
            self.best_weights = training.network.state_dict()


@dataclass
class Training:
    """All that a training needs to go on exactly; `plan` is None between two fits."""

    network: object
    solver: str  # the name of the optimiser
    optimiser: optim.Optimizer
    streams: dict
    memory: dict = field(default_factory=dict)  # of the penalties
    history: dict = field(default_factory=lambda: {"epoch": [], "loss": []})
    epoch: int = 0
    best_epoch: int = 0  # the epoch whose weights the network has
    first_step: int = 0  # where the schedule of the last fit began
    plan: Plan | None = None

    def is_over(self, patience):
        """Whether the plan's last epoch has been made, or its `patience` has run out."""
        tired = patience is not None and self.plan.waited >= patience
        return tired or self.epoch >= self.plan.goal


def random_streams(seed):
    """One independent generator for each source of randomness, from an integer.

    >>> list(random_streams(0))
    ['weights', 'order', 'noise', 'dropout', 'split']
    """
    return dict(zip(STREAMS, np.random.default_rng(seed).spawn(len(STREAMS)), strict=True))


def new_optimiser(solver, network, learning_rate):
    """The optimiser that the name `solver` stands for, over all weights of `network`."""
    return SOLVERS[solver](network.parameters(), lr=learning_rate)


def fit(training: Training, parts, settings: Settings, X, report: Callable):
    """Train on `X` (N, D) until the plan's last epoch, or until there is reason to stop earlier.

    ``report(record)`` is called after each epoch with its numbers, and ends the training by
    returning True. With validation rows, with `patience` and after a divergence the network ends
    with the best weights, which can be those that it began with.
    """
    rows, held_out = split(X, settings.validation_fraction, training.streams["split"])
    watched = rows if held_out is None else held_out
    plan = training.plan
    if plan is None:  # a new fit, not one that was cut short
        plan = training.plan = Plan(goal=training.epoch + settings.max_epochs)
        training.first_step = training.optimiser.t
        if settings.max_epochs:
            plan.improve(training, evaluate(training, parts, watched, settings.batch_size))
    keeps_best = held_out is not None or settings.patience is not None
    while not training.is_over(settings.patience):
        record = epoch(training, parts, settings, rows)
        if record is None:
            keeps_best = True
            break
        if held_out is not None:
            record["validation_loss"] = evaluate(training, parts, held_out, settings.batch_size)
        plan.improve(training, record.get("validation_loss", record["loss"]))
        training.best_epoch = training.epoch
        remember(training.history, record)
        if report(record):
            break
    if keeps_best and plan.best_weights is not None:
        training.network.load_state_dict(plan.best_weights)
        training.best_epoch = plan.best_epoch
    training.plan = None


def partial_fit(training: Training, parts, settings: Settings, X):
    """One epoch on all rows of `X` (N, D), outside of any plan."""
    before = training.network.state_dict()
    record = epoch(training, parts, settings, X)
    if record is None:
        training.network.load_state_dict(before)
    else:
        remember(training.history, record)
    training.best_epoch, training.plan = training.epoch, None


@np.errstate(over="ignore", invalid="ignore", divide="ignore")  # what comes of it is looked at
def epoch(training, parts, settings, X):
    """One pass over `X` (N, D): its record, a dict of the mean of each term over the rows.

    Where the loss or the weights are no longer finite a ConvergenceWarning says so, and the result
    is None: the weights are then useless, and the optimiser is a new one.
    """
    network, optimiser = training.network, training.optimiser
    batches = Batches(X, batch_size=settings.batch_size, rng=training.streams["order"])
    steps = max(settings.max_epochs, 1) * len(batches)
    at_once = network.parameters()[0].device == "cpu"  # a GPU would have to be waited for
    rate, log = None, []
    network.train()
    try:
        for step, x in enumerate(batches, start=1):
            optimiser.lr = learning_rate(settings, optimiser, training.first_step, steps)
            rate = optimiser.lr if rate is None else rate
            terms = _terms(network, parts, x, training.streams["noise"], training.memory)
            loss = functools.reduce(operator.add, terms.values())
            if at_once and not math.isfinite(loss.item()):
                return _diverged(training, settings, step, "the loss is")
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            log.append((len(x), {name: t.data for name, t in [("loss", loss), *terms.items()]}))
    finally:
        optimiser.zero_grad()
        network.eval()
    weights = [array_module(p._data).isfinite(p._data).all() for p in network.parameters()]
    numbers = iter(fetch([term for _, terms in log for term in terms.values()] + weights))
    sums = {}
    for step, (rows, terms) in enumerate(log, start=1):
        for name in terms:
            value = next(numbers)
            if name == "loss" and not math.isfinite(value):
                return _diverged(training, settings, step, "the loss is")
            sums[name] = sums.get(name, 0.0) + rows * value
    if not all(numbers):
        return _diverged(training, settings, step, "the weights are")
    training.epoch += 1
    means = {name: total / len(X) for name, total in sums.items()}
    return {"epoch": training.epoch, **means, "learning_rate": float(rate)}


def _terms(network, parts, x, rng, memory):
    device = network.parameters()[0].device
    seen = x if parts.noise is None else parts.noise.corrupt(x, rng)
    target = tensor(x, device=device)
    seen = target if seen is x else tensor(seen, device=device)
    return loss_terms(network, parts, seen, target, rng, memory)


@np.errstate(over="ignore", invalid="ignore", divide="ignore")
def evaluate(training, parts, X, batch_size):
    """The objective on rows `X` (N, D), in nats per example, with the same draws every time.

    Noise and codes come from a generator that starts anew with each call, dropout is off, and the
    penalties' memories stay as they are: two calls differ only by the weights.
    """
    rng, memory = np.random.default_rng(0), copy.deepcopy(training.memory)
    log = []
    for x in Batches(X, batch_size=batch_size):
        terms = _terms(training.network, parts, x, rng, memory)
        log.append((len(x), [term.data for term in terms.values()]))
    numbers = iter(fetch([term for _, terms in log for term in terms]))
    return sum(rows * sum(next(numbers) for _ in terms) for rows, terms in log) / len(X)


def learning_rate(settings, optimiser, first_step, steps):
    """The rate of the next step, of `steps` in the whole fit, which began at `first_step`."""
    schedule, step = settings.schedule, optimiser.t - first_step
    if schedule is None:
        return settings.learning_rate
    if isinstance(schedule, str):
        return SCHEDULES[schedule](settings.learning_rate, steps)(step)
    rate = schedule(step) if isinstance(schedule, STEP_SCHEDULES) else schedule(optimiser)
    check_number("the learning rate that schedule returns", rate, "of at least 0", lambda v: v >= 0)
    return float(rate)


def split(X, fraction, rng):
    """The rows of `X` to train on and those to validate on, or None where there are too few.

    `rng` is left as it was: the same rows are held out whenever the fit is repeated or continued.
    """
    held_out = round(fraction * len(X))
    if not 0 < held_out < len(X):
        return X, None
    order = copy.deepcopy(rng).permutation(len(X))
    return X[np.sort(order[held_out:])], X[np.sort(order[:held_out])]


def remember(history, record):
    """Add a `record` to the `history`; an epoch without some number has NaN there."""
    length = len(history["epoch"])
    for name in [*history, *record]:
        history.setdefault(name, [math.nan] * length)
    for name, values in history.items():
        values.append(record.get(name, math.nan))


def _diverged(training, settings, step, what):
    warnings.warn(
        f"epoch {training.epoch + 1}, step {step}: {what} no longer finite, so the training stops "
        f"and goes back to good weights: use a learning_rate below {settings.learning_rate:g}, or "
        "scale the data",
        ConvergenceWarning,
        stacklevel=6,
    )
    # the moments and the memories may hold NaN as well
    network, rate = training.network, settings.learning_rate
    training.optimiser = new_optimiser(settings.solver, network, rate)
    training.first_step = 0
    training.memory.clear()
