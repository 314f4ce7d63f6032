"""The training loop, which `fit` and `partial_fit` share.

An epoch is one pass over the rows in a new order: corrupt a batch, compute the terms of the
objective, step. There is this one loop for all models; what is special about the GPU is in
``captured_epoch.py``. What a training needs to go on from where it stood, and nothing else, is a
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

from minigrad import tensor
from minigrad.backend import array_module, fetch
from minigrad.random import Philox
from minigrad.whole_batch import Draws

from . import budget, collapse, shared
from .captured_epoch import CapturedEpoch
from .captured_step import CapturedSteps, can_be_captured
from .host_epoch import HostEpoch
from .objective import constant, loss_terms
from .rows import Rows, blocks, numbers_per_row
from .solvers import learning_rate, new_optimizer, same_formula
from .stream import Stream, StreamPass

STREAMS = ("weights", "order", "noise", "dropout", "split")


class Settings(NamedTuple):
    """How to train; the meaning of each is in the docstring of `Autoencoder`."""

    solver: object
    solver_options: dict | None
    learning_rate: float
    schedule: object
    batch_size: int
    skip_last_batch: bool
    max_epochs: int
    validation_fraction: float
    patience: int | None
    restarts: int
    levels_off: bool = False  # whether to end when the loss has: the length is not the user's
    counts_first: bool = False  # whether the first pass over a stream says how many there will be


PARAMETERS = Settings._fields[:-2]  # of the estimator


def concrete(settings, n_samples):
    """The `settings` with numbers in place of "auto", for `n_samples` rows; see ``budget.py``.

    Of a `Stream`, whose `n_samples` are None, the size of a batch stays open, and as many epochs as
    there are at least are made until it is known how long one is.
    """
    if settings.batch_size == "auto" and n_samples is not None:
        settings = settings._replace(batch_size=budget.batch_size(n_samples))
    if settings.max_epochs == "auto":
        epochs, is_stream = budget.FEWEST_EPOCHS, n_samples is None
        if not is_stream:
            epochs = budget.max_epochs(steps_of_an_epoch(settings, n_samples))
        # other schedules need the whole length to come to their end
        levels_off = settings.schedule in (None, "cooldown")
        settings = settings._replace(
            max_epochs=epochs, levels_off=levels_off, counts_first=is_stream
        )
    return settings


@dataclass
class Plan:
    """A fit that is under way: the epochs at which it began and ends, and the best one so far."""

    goal: int
    start: int = 0
    best_loss: float = math.inf
    best_epoch: int = 0
    best_weights: dict | None = None
    waited: int = 0  # epochs without a better loss
    is_level: bool = False  # whether it was cut short because the loss had levelled off

    def shorten(self, epoch):
        """End soon after `epoch`, of which the last quarter of the whole is still to come."""
        self.goal = min(self.goal, epoch + math.ceil((epoch - self.start) / 3))
        self.is_level = True

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
    streams: dict  # random generators by name, see `random_streams`
    solver: object = None  # the name of the optimizer, or the function that made it
    solver_options: dict | None = None
    optimizer: object = None
    memory: dict = field(default_factory=dict)  # of the penalties
    history: dict = field(default_factory=lambda: {"epoch": [], "loss": []})
    epoch: int = 0
    best_epoch: int = 0  # the epoch whose weights the network has
    first_step: int = 0  # where the schedule of the last fit began
    restarts: int = 0  # of the last fit
    diverged: bool = False  # in the last fit
    plan: Plan | None = None

    def is_over(self, patience):
        """Whether the plan's last epoch has been made, or its `patience` has run out."""
        tired = patience is not None and self.plan.waited >= patience
        return tired or self.epoch >= self.plan.goal

    @property
    def steps_of_an_epoch(self):
        """How many steps each epoch of the plan had so far, or None before its first is over."""
        done = 0 if self.plan is None else self.epoch - self.plan.start
        return round((self.optimizer.t - self.first_step) / done) if done else None

    @property
    def device(self):
        """Where the network is: "cpu" or "cuda"."""
        return self.network.parameters()[0].device

    def renew_optimizer(self, settings):
        """Begin with an optimizer that knows nothing of the steps made until now."""
        self.solver, self.solver_options = settings.solver, settings.solver_options
        self.optimizer = new_optimizer(settings, self.network)
        self.first_step = 0

    def change_optimizer(self, settings):
        """Take the optimizer of other `settings`, which goes on from where the last one stood if it
        steps by the same formula, as where several ranks share what one has begun."""
        before, first_step = self.optimizer, self.first_step
        self.renew_optimizer(settings)
        if before is not None and same_formula(before, self.optimizer):
            self.optimizer.load_state_dict(before.state_dict())
            self.first_step = first_step


def random_streams(seed, on_device=False):
    """One independent generator for each source of randomness, from an integer.

    With `on_device` those that are drawn from in every step draw on the GPU.

    >>> list(random_streams(0))
    ['weights', 'order', 'noise', 'dropout', 'split']
    """
    streams = dict(zip(STREAMS, np.random.default_rng(seed).spawn(len(STREAMS)), strict=True))
    if on_device:
        for name in ("noise", "dropout"):
            streams[name] = Philox(int(streams[name].integers(2**63)), "cuda")
    return streams


def fit(
    training: Training, parts, settings: Settings, X, report: Callable, renew: Callable, X_val=None
):
    """Train on `X` (N, D) until the plan's last epoch, or until there is reason to stop earlier.

    `X`, and everywhere here, is an array or `Rows`; here it can be a `Stream`, too. `X_val` are
    other rows to validate on, or None: then a part of `X` is held out, but not of a stream.

    ``report(record)`` is called after each epoch with its numbers, and ends the training by
    returning True. ``renew(streams)`` makes a network of new weights, for a training whose codes
    have collapsed. With validation rows, with `patience` and after a divergence the network ends
    with the best weights, which can be those that it began with.
    """
    rows, held_out, is_stream = X, X_val, isinstance(X, Stream)
    shared.check_validation(training, X_val)
    if X_val is None and not is_stream:
        rows, held_out = split(X, settings.validation_fraction, training.streams["split"])
    watched = rows if held_out is None else held_out
    plan = training.plan
    if plan is None:  # a new fit, not one that was cut short
        plan = training.plan = Plan(training.epoch + settings.max_epochs, training.epoch)
        training.first_step, training.restarts = training.optimizer.t, 0
        if settings.max_epochs:
            plan.improve(training, _at_first(training, parts, watched, settings))
    keeps_best = held_out is not None or settings.patience is not None
    training.diverged = False
    one_pass = make_pass(training, parts, settings, rows)
    while True:
        looked_at = rows.recent if is_stream and training.epoch > plan.start else rows
        may_begin_again = plan.start == 0 and training.restarts < settings.restarts
        collapsed = may_begin_again and collapse.found(training, parts, looked_at)
        if may_begin_again and shared.agreed(training, collapsed):
            plan = _begin_again(training, settings, renew)
            plan.improve(training, _at_first(training, parts, watched, settings))
            one_pass = make_pass(training, parts, settings, rows)
        elif training.is_over(settings.patience):
            break
        record = epoch(training, parts, settings, one_pass)
        if record is None:
            keeps_best = training.diverged = True
            break
        if held_out is not None:
            record["validation_loss"] = evaluate(training, parts, held_out, settings)
        plan.improve(training, record.get("validation_loss", record["loss"]))
        training.best_epoch = training.epoch
        remember(training.history, record)
        if is_stream and settings.counts_first and training.epoch == plan.start + 1:
            plan.goal = plan.start + budget.max_epochs(training.steps_of_an_epoch)
        warm = (
            training.epoch - plan.start >= getattr(parts.code, "warm_up", 0) * settings.max_epochs
        )
        steps = training.steps_of_an_epoch if is_stream else steps_of_an_epoch(settings, len(rows))
        if settings.levels_off and warm and not plan.is_level:
            watch = "loss" if held_out is None else "validation_loss"
            losses = training.history[watch][plan.start - training.epoch :]
            if budget.levelled_off(losses, steps):
                plan.shorten(training.epoch)
        if shared.any_rank(training, report(record)):
            break
    if keeps_best and plan.best_weights is not None:
        training.network.load_state_dict(plan.best_weights)
        training.best_epoch = plan.best_epoch
    training.plan = None


def _at_first(training, parts, watched, settings):
    """The objective before the first step; infinite of a stream, of which nothing is read yet."""
    if isinstance(watched, Stream):
        return math.inf
    return evaluate(training, parts, watched, settings)


def partial_fit(training: Training, parts, settings: Settings, X):
    """One epoch on all rows of `X` (N, D), outside of any plan."""
    before = training.network.state_dict()
    record = epoch(training, parts, settings, make_pass(training, parts, settings, X))
    if record is None:
        training.network.load_state_dict(before)
    else:
        remember(training.history, record)
    training.best_epoch, training.plan = training.epoch, None


# ---------------------------------------------------------------------- one epoch
def make_pass(training, parts, settings, X):
    """A pass over the rows of `X` (N, D): a `CapturedEpoch` on the GPU, elsewhere a `HostEpoch`.

    Over a `Stream` it is a `StreamPass` of them.
    """
    if isinstance(X, Stream):
        if shared.communicator(training) is not None:
            raise ValueError(
                "X is read in batches, and several ranks share the batches of an array: give all "
                "of them the whole array, or fit on one process"
            )

        def begin():
            known = {"in_stream": True, "in_epoch": training.steps_of_an_epoch}
            return lambda batch: _one_pass(
                training, parts, concrete(settings, len(batch)), batch, **known
            )

        return StreamPass(X, begin)
    return _one_pass(training, parts, settings, X)


def _one_pass(training, parts, settings, X, in_stream=False, in_epoch=None):
    """A pass over rows in memory; `in_epoch` are the steps of an epoch of a stream, if known."""
    shared.check(training, parts, settings, X)
    comm = shared.communicator(training)
    network, optimizer, memory = training.network, training.optimizer, training.memory
    noise_rng, steps = training.streams["noise"], steps_of_an_epoch(settings, len(X))
    code_rng = noise_rng if comm is None else Draws(noise_rng.bit_generator)
    in_epoch = in_epoch if in_stream else steps
    warms_up = getattr(parts.code, "warm_up", 0) > 0

    def learn(seen, target, *more):
        terms, codes = loss_terms(network, parts, seen, target, code_rng, memory, *more)
        loss = least = functools.reduce(operator.add, terms.values())
        if warms_up:  # what is recorded is the whole objective all the same
            least = loss - (1 - parts.code.warmth(progress())) * terms["divergence"]
        terms = {"loss": loss, **terms}
        optimizer.zero_grad()
        if comm is None:
            least.backward()
            optimizer.step()
        else:
            terms = shared.step(optimizer, least, terms)
        return terms, codes

    def progress():
        """The part of the fit that is over; outside of one, all of it."""
        plan = training.plan
        if plan is None:
            return 1.0
        epochs = plan.goal - plan.start
        if in_epoch is None:
            return 1.0 if epochs == 1 else 0.0
        return (optimizer.t - training.first_step) / (epochs * in_epoch)

    def before_step():
        plan = training.plan
        whole = max(settings.max_epochs, 1) * steps
        if settings.schedule == "cooldown" or in_stream:
            unknown = plan is None or in_epoch is None
            whole = None if unknown else (plan.goal - plan.start) * in_epoch
        optimizer.lr = learning_rate(settings, optimizer, training.first_step, whole)
        return optimizer.lr

    def corrupt(x):
        return corrupted(parts.noise, network.n_labels, x, noise_rng)

    noise = None if parts.noise is None else corrupt
    how = (X, learn, noise, before_step, settings.batch_size, steps)
    draws_there = isinstance(noise_rng, Philox)  # not after loading a file of the CPU's
    whole = not isinstance(X, Rows)
    if training.device == "cuda" and draws_there and whole and can_be_captured(parts):
        return CapturedEpoch(*how)
    if training.device == "cpu" and comm is None and whole and can_be_captured(parts):
        steps_of_its_own = CapturedSteps(learn, network, parts, optimizer)
        how = (X, steps_of_its_own, *how[2:])
    return HostEpoch(*how, training.device, comm)


def corrupted(noise, n_labels, x, rng):
    """What the network reads of rows `x` (N, D) in a training: labels beside the data stay."""
    corrupt = getattr(noise, "marked", noise.corrupt)  # that may mark what alone is to be scored
    if not n_labels:
        return corrupt(x, rng)
    data = corrupt(x[:, :-n_labels].copy(), rng)
    return array_module(x).concatenate([data, x[:, -n_labels:]], axis=1)


def steps_of_an_epoch(settings, n_samples):
    """How many batches an epoch has; where the last is left out, at least one."""
    steps = math.ceil(n_samples / settings.batch_size)
    return max(steps - 1, 1) if settings.skip_last_batch else steps


@np.errstate(over="ignore", invalid="ignore", divide="ignore")  # what comes of it is looked at
def epoch(training, parts, settings, one_pass):
    """One pass over the rows in a new order: its record, a dict of the mean of each term.

    Where the loss or the weights are no longer finite a ConvergenceWarning says so, and the result
    is None: the weights are then useless, and the optimizer is a new one.
    """
    order, begun = training.streams["order"], training.optimizer.t
    training.network.train()
    try:
        drawn = order if isinstance(one_pass, StreamPass) else order.permutation(len(one_pass.X))
        sums, rows, (code_mean, spread) = one_pass(drawn)
    finally:
        training.optimizer.zero_grad()
        training.network.eval()
    steps = training.optimizer.t - begun  # a captured epoch makes them all
    if not math.isfinite(sums["loss"]):
        return _diverged(training, settings, steps, "the loss is")
    weights = [p._data for p in training.network.parameters()]
    if not all(fetch([array_module(w).isfinite(w).all() for w in weights])):
        return _diverged(training, settings, steps, "the weights are")
    training.epoch += 1
    record = {name: total / rows for name, total in sums.items()}
    record |= parts.code.measures(training.memory)
    likelihood, left_out = parts.likelihood, _left_out(training, parts, one_pass.X)
    variance = getattr(likelihood, "variance", "optimal")
    squares = {} if variance == "optimal" else {"l2_loss": record["reconstruction"] * variance}
    record["loss"] += left_out
    record["reconstruction"] += left_out
    rate = {"learning_rate": float(one_pass.rate)}
    codes = {"code_mean": code_mean, "code_spread": spread}
    return {"epoch": training.epoch, **record, **squares, **rate, **codes}


@np.errstate(over="ignore", invalid="ignore", divide="ignore")
def evaluate(training, parts, X, settings):
    """The objective on rows `X` (N, D), in nats per sample, with the same draws every time.

    Noise and codes come from a generator that starts anew with each call, dropout is off, and the
    penalties' memories stay as they are: two calls differ only by the weights.
    """
    rng, memory = np.random.default_rng(0), copy.deepcopy(training.memory)
    log = []
    for x, *more in blocks(X, concrete(settings, len(X)).batch_size):
        seen = target = tensor(x, device=training.device)
        if parts.noise is not None:
            seen = corrupted(parts.noise, training.network.n_labels, x.copy(), rng)
            seen = tensor(seen, device=training.device)
        terms, _ = loss_terms(training.network, parts, seen, target, rng, memory, *more)
        log.append((len(x), [term.detach().data for term in terms.values()]))
    numbers = iter(fetch([term for _, terms in log for term in terms]))
    mean = sum(rows * sum(next(numbers) for _ in terms) for rows, terms in log) / len(X)
    return shared.agreed(training, mean + _left_out(training, parts, X))


def _left_out(training, parts, X):
    """What the terms of the objective on rows `X` (N, D) leave out, in nats per sample."""
    if isinstance(X, Stream):
        n_features = X.recent.shape[1] - training.network.n_labels
        scored = X.numbers_per_row
    else:
        n_features = X.shape[1] - training.network.n_labels
        scored = numbers_per_row(X, n_features)
    if parts.scores_in_part:
        scored *= parts.noise.share_scored(n_features)
    return constant(parts, scored)


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


def _diverged(training, settings, steps, what):
    if shared.speaks(training):
        warnings.warn(
            f"epoch {training.epoch + 1}: after {steps} steps {what} no longer finite, so the "
            "training stops and goes back to good weights: use a learning_rate below "
            f"{settings.learning_rate:g}, or scale the data",
            ConvergenceWarning,
            stacklevel=6,
        )
    training.renew_optimizer(settings)  # the moments and the memories may hold NaN as well
    training.memory.clear()


def _begin_again(training, settings, renew):
    """Give the network new weights and forget what was learnt; returns the new plan."""
    training.restarts += 1
    if shared.speaks(training):
        warnings.warn(
            f"after {training.epoch} epochs {collapse.MESSAGE}: beginning again with other weights "
            f"(restart {training.restarts} of {settings.restarts})",
            ConvergenceWarning,
            stacklevel=4,
        )
    training.network.load_state_dict(renew(training.streams).state_dict())
    training.renew_optimizer(settings)
    training.memory.clear()
    for values in training.history.values():
        values.clear()
    training.epoch = 0
    training.plan = Plan(training.plan.goal)
    return training.plan
