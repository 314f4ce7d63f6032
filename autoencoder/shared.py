"""What the ranks of a training on several processes have to agree on; see `minigrad.distributed`.

Each function does nothing for a training whose optimizer is no `AllReduce`. Every rank has all the
data and draws the same order; of each batch it computes its own rows. Whatever decides about the
training is decided by rank 0, and one rank that says stop stops all.
"""

import contextlib
import zlib

import numpy as np

from minigrad import Tensor, distributed
from minigrad.distributed import exchanged
from minigrad.random import Philox
from minigrad.whole_batch import Draws, weight_of_share

from .rows import unpacked


def communicator(training):
    """What connects the ranks, or None."""
    return getattr(training.optimizer, "comm", None)


def together(training):
    """A context in which the error of one rank ends all."""
    comm = communicator(training)
    return contextlib.nullcontext() if comm is None else distributed.together(comm)


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
    some, *_ = unpacked(X[:64])
    states = training.optimizer.state_dict()
    given = {
        "data": (X.shape, some),
        "settings": [v for v in settings if not callable(v)],
        "weights": list(training.network.state_dict().values()),
        "states of the optimizer": list(states.values()),
        "random numbers": [rng.bit_generator.state for rng in streams.values()],
    }
    found = exchanged(comm, [_digest(value) for value in given.values()])  # (size, 5)
    for name, column in zip(given, found.T, strict=True):
        if len(unlike := np.flatnonzero(column != column[0])):
            raise ValueError(
                f"the ranks do not begin alike: rank {unlike[0]} has other {name} than rank 0: "
                "give all of them the same data and parameters, and a whole number as random_state"
            )


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
