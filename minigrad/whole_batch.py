"""What belongs to the whole batch, where each of several processes has only a share of its rows.

Within ``with share:`` the sums, means, rows and random numbers below are those of the whole batch;
outside they are those of the rows at hand, so that the same code serves both. See
`minigrad.distributed`.
"""

from collections.abc import Callable
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np

from .backend import FLOATS, Array, own_copy
from .engine import Primitive
from .shapes import pad


class Communicator(Protocol):
    """What connects the ranks, see `minigrad.distributed`."""

    rank: int
    size: int

    def sum(self, array: Array) -> None:
        """Add up the arrays of all ranks, in place."""

    def abort(self, sentence: str) -> None:
        """End all ranks."""


class Share:
    """This rank's rows of a batch of `n`: within ``with share:`` the whole batch is that of all.

    ``batch[share.rows]`` are the rows, `weight` is which part of the batch they are. Where there
    are fewer rows than ranks, a rank without any computes with one of another's, of weight 0.

    >>> class Second:
    ...     rank, size = 1, 2
    >>> share = Share(Second(), 5)
    >>> share.rows, share.weight
    (slice(2, 5, None), 0.6)
    """

    def __init__(self, comm: Communicator, n: int) -> None:
        first, last = (n * k // comm.size for k in (comm.rank, comm.rank + 1))
        self.comm, self.n, self.count = comm, n, last - first
        self.rows, self.weight = slice(first, max(last, first + 1)), self.count / n

    def __enter__(self) -> Self:
        self._token: Token[Share | None] = _share.set(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        _share.reset(self._token)


_share: ContextVar[Share | None] = ContextVar("share", default=None)


def _all_reduce(x: Array, comm: Communicator) -> Array:
    """The sum of the arrays `x` of all ranks, on every rank."""
    total = own_copy(x)
    comm.sum(total.reshape(-1))
    return total


# The derivative of every rank's loss with respect to this rank's x: so the losses of all ranks
# count together. It is no operation of the registry, whose results depend on arguments alone.
all_reduce = Primitive(
    _all_reduce, "a float array", FLOATS, (None,), {"x": lambda g, comm: all_reduce(g, comm)}
)


def weight_of_share() -> float:
    """Which part of the whole batch a rank's rows are; 1 outside of a share."""
    share = _share.get()
    return 1.0 if share is None else share.weight


def whole_sum(x: Any) -> Any:
    """The sum over the whole batch, where `x` is that over a rank's rows."""
    share = _share.get()
    return x if share is None else all_reduce(x if share.count else x * 0, share.comm)


def whole_mean(x: Any) -> Any:
    """The mean over the whole batch, where `x` is that over a rank's rows."""
    share = _share.get()
    return x if share is None else all_reduce(x * share.weight, share.comm)


def whole_count(n: int) -> int:
    """How many the whole batch has of what a rank's rows have `n` of, each the same number."""
    share = _share.get()
    return n if share is None else n * share.n // (share.rows.stop - share.rows.start)


def gathered(x: Any) -> Any:
    """The rows of all ranks in their order, where `x` (n, ...) has a rank's."""
    share = _share.get()
    if share is None or x is None:
        return x
    first, count = share.rows.start, share.count
    around = ((first, share.n - first - count), *((0, 0) for _ in x.shape[1:]))
    return all_reduce(pad(x[:count], around), share.comm)


class Draws(np.random.Generator):
    """A generator that within ``with share:`` draws for the whole batch and gives a rank its rows.

    So the numbers are those of one process, and all ranks stay at one place of the stream.
    """

    def random(self, size: Any = None, dtype: Any = np.float64) -> Any:  # type: ignore[override]
        """Uniform numbers; the first axis of `size` is the batch."""
        return _rows_of(lambda s: super(Draws, self).random(s, dtype), size)

    def standard_normal(  # type: ignore[override]
        self, size: Any = None, dtype: Any = np.float64
    ) -> Any:
        """Normal numbers; the first axis of `size` is the batch."""
        return _rows_of(lambda s: super(Draws, self).standard_normal(s, dtype), size)

    def __getattribute__(self, name: str) -> Any:
        if name in _OTHER_DRAWS and _share.get() is not None:
            raise ValueError(
                f"rng.{name}: in a training on several ranks only random and standard_normal are "
                "drawn for the whole batch: make what you need of those"
            )
        return super().__getattribute__(name)


_OTHER_DRAWS = {name for name in dir(np.random.Generator) if not name.startswith("_")}
_OTHER_DRAWS -= {"random", "standard_normal", "bit_generator"}


def _rows_of(draw: Callable[[Any], Any], size: Any) -> Any:
    share = _share.get()
    if share is None:
        return draw(size)
    size = (size,) if isinstance(size, int | np.integer) else tuple(size or ())
    length = share.rows.stop - share.rows.start
    if not size or size[0] % length:
        raise ValueError(
            f"rng: drew numbers of shape {size} for a share of {length} rows: in a training on "
            "several ranks the first axis must be the batch"
        )
    times = size[0] // length  # several draws for each row follow each other
    return draw((times, share.n, *size[1:]))[:, share.rows].reshape(size)
