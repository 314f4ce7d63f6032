"""Collapse: all rows get the same code, and the encoder learns nothing any more.

About half of all initial weights of the reference model end so within ten epochs, here as in
PyTorch and for the same weights. Each step of Adam moves all 32,768 weights of a code unit by
0.001, which is enough to push its sigmoid so far out that no gradient comes back. Once all units
are out, the decoder learns the mean image and the encoder nothing more.
"""

import numpy as np

from minigrad import no_grad, tensor

from .rows import unpacked

MESSAGE = "all rows have the same code and no gradient reaches the encoder any more"
_SPREAD = 1e-6  # of the codes of a batch, over the last epochs
_EPOCHS = 3
_ROWS = 256  # that are looked at


def found(training, parts, X):
    """Whether the codes of the rows of `X` (N, D) have been the same over the last three epochs."""
    spreads = training.history.get("code_spread", [])[-_EPOCHS:]
    if len(spreads) < _EPOCHS or not all(spread < _SPREAD for spread in spreads):
        return False
    some, *_ = unpacked(X[:_ROWS])
    if (some == some[0]).all():  # then equal codes are right
        return False
    with no_grad():
        h = training.network.encode(tensor(some, device=training.device))
        codes = parts.code.mean(h).numpy()  # (n, k)
    return are_equal(codes)


def are_equal(codes):
    """Whether all rows of `codes` (n, k) are the same but for rounding."""
    # small codes of small data have a small spread, too: what counts is how it compares with them
    return bool((np.ptp(codes, axis=0) <= 1e-5 * np.abs(codes).max()).all())
