"""Which samples are on the page, where there are more than it should hold."""

import numpy as np


def order(labels, count, seed=0):
    """All sample numbers 0 ... count - 1 in the order in which they are taken.

    They are drawn, one of each label in turn, so that any first part of the order has as many of
    each label as there are, or nearly. `labels` is (count,) or None.

    >>> labels = np.array(["a", "a", "a", "a", "b", "c"])
    >>> sorted(labels[order(labels, 6)[:3]].tolist())
    ['a', 'b', 'c']
    """
    drawn = np.random.default_rng(seed).permutation(count)
    if labels is None:
        return drawn
    _, kinds = np.unique(np.asarray(labels)[drawn], return_inverse=True)  # (count,)
    turn, seen = np.empty(count, int), {}
    for i, kind in enumerate(kinds.tolist()):
        turn[i] = seen[kind] = seen.get(kind, -1) + 1
    return drawn[np.argsort(turn, kind="stable")]
