"""Minibatches."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .functional import check_rng

__all__ = ["Batches"]


class Batches:
    """`arrays`, all of length N, in batches of `batch_size` rows: one pass over the data.

    With `rng` (a numpy Generator) every pass draws a new order; without, rows keep theirs.
    ``drop_last=True`` leaves out a last batch that is smaller. One array gives arrays, several
    give tuples.

    Parameters
    ----------
    *arrays : arrays (N, ...)
    batch_size : int
    rng : numpy.random.Generator, default=None
    drop_last : bool, default=False

    Examples
    --------
    >>> for batch in Batches(np.arange(5), batch_size=2):
    ...     print(batch)
    [0 1]
    [2 3]
    [4]
    """

    def __init__(
        self,
        *arrays: Any,
        batch_size: int,
        rng: np.random.Generator | None = None,
        drop_last: bool = False,
    ) -> None:
        lengths = {len(a) for a in arrays}
        if len(lengths) != 1:
            raise ValueError(
                f"Batches: the arrays must have one length, got {[len(a) for a in arrays]}"
            )
        if not isinstance(batch_size, int | np.integer) or batch_size < 1:
            raise ValueError(f"Batches: batch_size must be a positive integer, got {batch_size!r}")
        if rng is not None:
            check_rng("Batches", rng)
        self.arrays, self.n = arrays, lengths.pop()
        self.batch_size, self.rng, self.drop_last = int(batch_size), rng, drop_last

    def __len__(self) -> int:
        full, rest = divmod(self.n, self.batch_size)
        return full + (rest > 0 and not self.drop_last)

    def __iter__(self) -> Iterator[Any]:
        order = None if self.rng is None else self.rng.permutation(self.n)
        for k in range(len(self)):
            rows: Any = slice(k * self.batch_size, (k + 1) * self.batch_size)
            rows = rows if order is None else order[rows]
            batch = tuple(a[rows] for a in self.arrays)
            yield batch if len(batch) > 1 else batch[0]
