"""One training on several processes: each computes with its rows of every batch.

All ranks hold the same weights, and `AllReduce` sums their gradients before each step. What a step
does is what one process does with the whole batch, but for the order of the sums, and the weights
of all ranks stay equal to the last bit::

    optimizer = AllReduce(Adam(model.parameters()), MPI.COMM_WORLD)
    for x in batches:  # the same on all ranks
        with optimizer.share(len(x)) as share:
            loss = loss_of(model(x[share.rows]))  # the mean over these rows
            optimizer.zero_grad()
            loss.backward(share.weight)
            optimizer.step()

A loss that is a mean over rows needs no more; what looks at the whole batch, or draws numbers for
each row, needs `minigrad.whole_batch`, as batch norm does.

A communicator is an mpi4py one, a ``cupyx.distributed.NCCLBackend``, or any object with `rank`,
`size`, ``sum(array)``, which adds up the ranks' arrays in place, the same bits for all, and
``abort(sentence)``, which ends all ranks.
"""

import contextlib
import os
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from .backend import Array, array_module, to_device, to_numpy, type_name
from .optimizer import Optimizer
from .tensor import checksum
from .whole_batch import Communicator, Share

__all__ = ["AllReduce"]


def _forwarded(name: str) -> Any:
    return property(lambda self: getattr(self.optimizer, name))


class AllReduce:
    """An `optimizer` whose step begins with the sum of the gradients over all ranks of `comm`.

    It is sent as one flat array. A parameter has a gradient where any rank has one.

    Parameters
    ----------
    optimizer : Optimizer
        Of ``minigrad.optim``, over the same weights on all ranks.
    comm : communicator
        See the top of this file.
    check_every : int, default=100
        Steps after which the ranks compare their weights; a RuntimeError says which differ.

    Examples
    --------
    >>> from minigrad import optim, tensor
    >>> class Alone:
    ...     rank, size = 0, 1
    ...     sum = abort = lambda self, given: None
    >>> w = tensor([1.0], requires_grad=True)
    >>> optimizer = AllReduce(optim.SGD([w], lr=0.1), Alone())
    >>> with optimizer.share(4) as share:
    ...     (w * w).sum().backward(share.weight)
    ...     _ = optimizer.step()
    >>> w
    tensor([0.8], requires_grad=True)
    """

    t, state, defaults = map(_forwarded, ("t", "state", "defaults"))
    parameters, param_groups = map(_forwarded, ("parameters", "param_groups"))
    zero_grad, add_param_group = map(_forwarded, ("zero_grad", "add_param_group"))
    state_dict, load_state_dict = map(_forwarded, ("state_dict", "load_state_dict"))
    lr = _forwarded("lr").setter(lambda self, value: setattr(self.optimizer, "lr", value))

    def __init__(self, optimizer: Optimizer, comm: Any, check_every: int = 100) -> None:
        self.optimizer, self.comm, self.check_every = optimizer, communicator(comm), check_every

    def share(self, n: int) -> Share:
        """This rank's `Share` of a batch of `n` rows."""
        return Share(self.comm, n)

    def step(self, numbers: Sequence[Any] = ()) -> Array:
        """`reduce`, then step; returns the sums of the `numbers` over all ranks."""
        sums = self.reduce(numbers)
        self.optimizer.step()
        if self.t % self.check_every == 0:
            self.check()
        return sums

    def reduce(self, numbers: Sequence[Any] = ()) -> Array:
        """Add up the gradients of all ranks, and the `numbers`, whose sums are returned.

        By itself for gradients that are clipped before ``optimizer.optimizer.step()``.
        """
        given = self.parameters
        sizes, count = [p.size for p in given], len(given)
        xp, dtype = array_module(given[0]._data), np.result_type(*{p.dtype for p in given})
        flat = xp.zeros(sum(sizes) + count + len(numbers), dtype)
        *parts, present, sums = xp.split(flat, np.cumsum([*sizes, count]))
        for k, (p, part) in enumerate(zip(given, parts, strict=True)):
            if p.grad is not None:
                part[...], present[k] = p.grad._data.reshape(-1), 1
        for k, number in enumerate(numbers):
            sums[k] = number
        self.comm.sum(flat)
        for p, part, known in zip(given, parts, to_numpy(present) > 0, strict=True):
            p.grad = part.reshape(p.shape).astype(p.dtype, copy=False) if known else None
        return sums

    def check(self) -> None:
        """Raise RuntimeError unless the weights of all ranks are equal to the last bit."""
        found = exchanged(self.comm, [checksum(p._data) for p in self.parameters])
        unlike = ", ".join(map(str, np.flatnonzero((found != found[0]).any(axis=1))))
        if unlike:
            raise RuntimeError(
                f"AllReduce: after {self.t} steps the weights of rank {unlike} are not those of "
                "rank 0: begin with the same weights, and change them by the optimizer alone"
            )


def exchanged(comm: Communicator, numbers: Sequence[float]) -> Array:
    """The `numbers` (k,) of all ranks, on every rank: (size, k) float64."""
    table = np.zeros((comm.size, len(numbers)))
    table[comm.rank] = numbers
    comm.sum(table.reshape(-1))
    return table


# ---------------------------------------------------------------------- communicators
@contextlib.contextmanager
def together(comm: Communicator) -> Iterator[None]:
    """What a rank raises within the block ends all: the others would wait for ever."""
    try:
        yield
    except BaseException as error:
        traceback.print_exc()
        what = f"rank {comm.rank} of {comm.size} ended all ranks, it had {type(error).__name__}"
        comm.abort(f"{what}: {error}")
        raise


def communicator(comm: Any) -> Communicator:
    """`comm` itself, or what makes one of an mpi4py or NCCL communicator."""
    if all(hasattr(comm, name) for name in ("rank", "size", "sum", "abort")):
        return comm
    for name, kind in (("Allreduce", _MPI), ("all_reduce", _NCCL)):
        if hasattr(comm, name):
            return kind(comm)
    raise TypeError(
        "AllReduce: comm must be mpi4py's MPI.COMM_WORLD, a cupyx.distributed.NCCLBackend, or an "
        f"object with rank, size, sum and abort, got a {type_name(comm)}"
    )


class _MPI:
    def __init__(self, comm: Any) -> None:
        self.comm, self.rank, self.size = comm, comm.Get_rank(), comm.Get_size()
        if not hasattr(sys.excepthook, "ends_all"):
            usual = sys.excepthook

            def hook(kind: Any, error: Any, trace: Any) -> None:
                usual(kind, error, trace)
                self.abort(f"rank {self.rank} of {self.size} ended all ranks by this error")

            hook.__dict__["ends_all"], sys.excepthook = True, hook

    def sum(self, array: Array) -> None:
        host = to_numpy(array)
        self.comm.Allreduce(None, host)  # None: in place
        if host is not array:
            array[...] = to_device(host, "cuda")

    def abort(self, sentence: str) -> None:
        _say(sentence)
        time.sleep(0.5)  # mpiexec drops what it has not read from this process when all end
        self.comm.Abort(1)


class _NCCL:
    def __init__(self, backend: Any) -> None:
        self.backend, self.rank, ones = backend, backend.rank, np.ones(1)
        self.sum(ones)
        self.size = int(ones[0])

    def sum(self, array: Array) -> None:
        there = to_device(array, "cuda")
        self.backend.all_reduce(there, there)
        if there is not array:
            array[...] = to_numpy(there)

    def abort(self, sentence: str) -> None:
        _say(sentence)
        os._exit(1)  # NCCL cannot end others: whoever started the processes does


def _say(sentence: str) -> None:
    sys.stderr.write(f"{sentence}\n")  # logged or not: the process ends now
    sys.stderr.flush()
