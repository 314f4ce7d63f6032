"""What the ranks of a training on several processes have to agree on; see `minigrad.distributed`.

Each function does nothing for a training whose optimizer is no `AllReduce`. Every rank has all the
data and draws the same order; of each batch it computes its own rows. Whatever decides about the
training is decided by rank 0, and one rank that says stop stops all.
"""

import contextlib
import zlib

import numpy as np

from minigrad import Tensor, distributed, tensor
from minigrad.distributed import exchanged
from minigrad.random import Philox
from minigrad.whole_batch import Draws, weight_of_share

from .rows import blocks


def communicator(training):
    """What connects the ranks, or None."""
    return getattr(getattr(training, "optimizer", None), "comm", None)


def together(training):
    """A context in which the error of one rank ends all."""
    comm = communicator(training)
    return contextlib.nullcontext() if comm is None else distributed.together(comm)


@contextlib.contextmanager
def from_the_start(estimator):
    """As `together`, before there is a training, whose optimizer would know the other ranks."""
    try:
        yield
    except BaseException:
        comm = _of_estimator(estimator)
        with contextlib.nullcontext() if comm is None else distributed.together(comm):
            raise


def _of_estimator(estimator):
    """What connects the ranks that train this `estimator`, or None where that cannot be known."""
    comm = communicator(getattr(estimator, "_training", None))
    solver = getattr(estimator, "solver", None)
    if comm is None and callable(solver):
        options = estimator.solver_options or {}
        with contextlib.suppress(Exception):  # there is an error already
            made = solver([tensor([0.0], requires_grad=True)], lr=1e-3, **options)
            comm = getattr(made, "comm", None)
    return comm


def speaks(training):
    """Whether this is the process that shows progress, warns and writes files."""
    comm = communicator(training)
    return comm is None or comm.rank == 0


def agreed(training, value):
    """The number `value` as rank 0 has it."""
    comm = communicator(training)
    return value if comm is None else type(value)(exchanged(comm, [value])[0, 0])


def any_rank(training, flag):
    """Whether the `flag` is set on any rank."""
    comm = communicator(training)
    return flag if comm is None else bool(exchanged(comm, [bool(flag)]).any())


def step(optimizer, loss, terms):
    """Make a step down the `loss`; the Tensors `terms` by name, as they are of the whole batch."""
    weight = weight_of_share()
    loss.backward(weight)
    sums = optimizer.step([term.detach().data * weight for term in terms.values()])
    return {name: Tensor(total) for name, total in zip(terms, sums, strict=True)}


def check(training, parts, settings, X):
    """Raise ValueError, on all ranks, where they do not begin alike; and where the parts, the
    numbers that they draw or the network cannot be shared."""
    comm = communicator(training)
    if comm is None:
        return
    _check_parts(parts)
    streams = training.streams
    if any(isinstance(rng, Philox) for rng in streams.values()):
        raise ValueError(
            "a training on several ranks draws in main memory, and this one was begun on the GPU "
            "without: begin it anew"
        )
    for module in training.network.modules():
        if isinstance(getattr(module, "rng", None), np.random.Generator):
            module.rng = Draws(module.rng.bit_generator)  # the same stream
    states = training.optimizer.state_dict()
    given = {
        "data": _contents(X),
        "settings": [v for v in settings if not callable(v)],
        "weights": list(training.network.state_dict().values()),
        "states of the optimizer": list(states.values()),
        "random numbers": [rng.bit_generator.state for rng in streams.values()],
    }
    _compare(comm, given)


def check_validation(training, X_val):
    """Raise ValueError, on all ranks, where they do not validate on the same rows, or None."""
    if (comm := communicator(training)) is not None:
        _compare(comm, {"validation data": None if X_val is None else _contents(X_val)})


def _compare(comm, given):
    """Raise ValueError, on all ranks, where one has other values `given` by name than rank 0."""
    found = exchanged(comm, [_digest(value) for value in given.values()])  # (size, values)
    for name, column in zip(given, found.T, strict=True):
        if len(unlike := np.flatnonzero(column != column[0])):
            raise ValueError(
                f"the ranks do not begin alike: rank {unlike[0]} has other {name} than rank 0: "
                "give all of them the same data and parameters, and a whole number as random_state"
            )


def _contents(X):
    """The shape and the digests of all rows of `X` (N, D), labels and weights too."""
    return X.shape, [_digest(block) for block in blocks(X)]


def _digest(value):
    if isinstance(value, np.ndarray):
        return zlib.crc32(np.ascontiguousarray(value))
    if isinstance(value, list | tuple):
        return zlib.crc32(repr([_digest(v) for v in value]).encode())
    return zlib.crc32(repr(value).encode())


def _check_parts(parts):
    """Refuse parts of somebody else's that do not say that they are means over rows."""
    own = __package__ + ".parts."
    for part in (parts.code, parts.likelihood, *parts.penalties):
        if not type(part).__module__.startswith(own) and not getattr(part, "by_row", False):
            raise ValueError(
                f"{type(part).__name__} cannot be trained on several ranks, which each have a part "
                "of the batch, unless it says by_row = True: its terms are means over the rows, "
                "or it takes what is not from minigrad.whole_batch"
            )
