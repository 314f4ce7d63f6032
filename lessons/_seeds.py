"""Other numbers for the judge, so that answers which know the usual ones by heart are found out."""

from contextlib import contextmanager

import numpy as np


@contextmanager
def fresh(seed):
    """Meanwhile every generator that is made from a number is another for each `seed` (or None).

    Checks draw their cases by ``np.random.default_rng(number)``, in their functions.

    >>> with fresh(5):
    ...     five = np.random.default_rng(1).random()
    >>> with fresh(6):
    ...     six = np.random.default_rng(1).random()
    >>> five != six != np.random.default_rng(1).random()
    True
    """
    usual = np.random.default_rng

    def default_rng(own=None):
        return usual([own, seed] if isinstance(own, int | np.integer) else own)

    if seed is not None:
        np.random.default_rng = default_rng
    try:
        yield
    finally:
        np.random.default_rng = usual
