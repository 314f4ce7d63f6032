"""One quantiser and one table of symbol frequencies for each unit of a code.

A unit's values fall into levels of equal width (its step), and each level is rebuilt as the mean of
the training values in it, Lloyd's (1982) second condition. A step is measured where it matters, in
the decoder's output: a unit that moves the output by g per unit of code gets the step divided by g,
so that all units add the same error there. For an orthonormal decoder (PCA) that is one step for
all units, which at high rates is the best (Goyal, 2001, "Theoretical foundations of transform
coding").

The frequencies are whole numbers, learnt once and stored: coder and decoder read the same integers,
whatever their machines make of floating point.
"""

from typing import NamedTuple

import numpy as np

from ..checks import as_numbers, check_whole

TOTAL = 1 << 22  # the frequencies of a unit sum to this; constriction calculates with 24 bits
MAX_LEVELS = 1 << 12
_MARGIN = 0.25  # levels reach this part of the training range further, on either side
# Each level's mean counts this many values at the level's middle besides its own, so that a mean of
# few is trusted little: at high rates it then never adds more than a twentieth to the error.
_PULL = 5


class Quantiser(NamedTuple):
    """Tables for k units whose L = sum(levels) levels lie one unit after the other.

    Values outside the trained range go to the outermost level: they are clamped.

    >>> codes = np.array([[0.0, 5.0], [1.0, 5.0], [1.1, 5.0], [2.0, 5.0]])
    >>> quantiser = fit_quantiser(codes, steps=np.array([1.0, 1.0]))
    >>> symbols = quantiser.quantise(np.array([[0.9, 5.0], [2.2, 7.0], [-99.0, 5.0]]))
    >>> symbols
    array([[2, 0],
           [3, 0],
           [0, 0]], dtype=int32)
    >>> quantiser.dequantise(symbols).round(2)
    array([[ 1.05,  5.  ],
           [ 2.04,  5.  ],
           [-0.95,  5.  ]])
    """

    edges: np.ndarray  # (k,) float64, where the lowest level begins
    steps: np.ndarray  # (k,) float64
    levels: np.ndarray  # (k,) int64, how many
    values: np.ndarray  # (L,) what each level is rebuilt as, in the dtype of the codes
    frequencies: np.ndarray  # (L,) int64, at least 1, summing to TOTAL for each unit

    def quantise(self, codes):
        """Turn codes (N, k) into symbols (N, k) int32 from 0 to levels - 1; refuse NaN."""
        codes = as_numbers("quantise", "the codes", codes, None)
        if codes.ndim != 2 or codes.shape[1] != len(self.levels):
            raise ValueError(
                f"quantise: the codes have shape {codes.shape}, but the tables are for "
                f"(N, {len(self.levels)}): use the model that they were fitted with"
            )
        if not np.isfinite(codes).all():
            raise ValueError("quantise: the codes hold NaN or infinity, which no level stands for")
        symbols = np.floor((codes - self.edges) / self.steps)
        return np.clip(symbols, 0, self.levels - 1).astype(np.int32)  # clip first: no overflow

    def dequantise(self, symbols):
        """Turn symbols (N, k) back into codes (N, k)."""
        return self.values[symbols + (np.cumsum(self.levels) - self.levels)]

    def by_unit(self, table):
        """Cut one of the (L,) tables into a list of k arrays."""
        return np.split(table, np.cumsum(self.levels)[:-1])


def fit_quantiser(codes, steps):
    """Learn a `Quantiser` from training codes (N, k) for steps (k,), which may be infinite.

    A unit that never changed, or whose step exceeds its range, has one level and costs no bits.
    Raises ValueError when a step is so small that a unit would need more than 4096 levels.
    """
    codes = as_numbers("fit_quantiser", "the codes", codes, None)
    steps = as_numbers("fit_quantiser", "steps", steps)
    if codes.ndim != 2 or codes.size == 0 or not np.isfinite(codes).all():
        raise ValueError(f"fit_quantiser: finite codes (N, k) are needed, got {codes.shape}")
    if steps.shape != codes.shape[1:] or not (steps > 0).all():
        raise ValueError(
            f"fit_quantiser: steps above 0 for {codes.shape[1]} units are needed, got {steps}"
        )
    low, high, median = codes.min(axis=0), codes.max(axis=0), np.median(codes, axis=0)
    low, high, median = (np.asarray(a, np.float64) for a in (low, high, median))
    reach = (1 + _MARGIN) * (high - low)
    steps = np.minimum(steps, 4 * reach + 1)  # finite, and still one level
    # The median, where rectified units have their spike at zero, lies in the middle of a level.
    first = np.rint((low - _MARGIN * (high - low) - median) / steps)
    last = np.rint((high + _MARGIN * (high - low) - median) / steps)
    levels = last - first + 1
    if levels.max() > MAX_LEVELS:
        raise ValueError(
            f"fit: a unit would need {levels.max():.0f} levels, at most {MAX_LEVELS} are possible: "
            f"use a step at least {levels.max() / MAX_LEVELS:.1f} times as large"
        )
    levels = levels.astype(np.int64)
    edges = median + (first - 0.5) * steps
    symbols = Quantiser(edges, steps, levels, None, None).quantise(codes)
    values, frequencies = [], []
    for unit, count in enumerate(levels):
        counts = np.bincount(symbols[:, unit], minlength=count)  # (count,)
        sums = np.bincount(symbols[:, unit], weights=codes[:, unit], minlength=count)
        if count > 1:
            middles = edges[unit] + (np.arange(count) + 0.5) * steps[unit]
            values.append((sums + _PULL * middles) / (counts + _PULL))
        else:
            values.append(sums / counts)
        frequencies.append(whole_frequencies(counts))
    return Quantiser(
        edges,
        steps,
        levels,
        np.concatenate(values).astype(codes.dtype),
        np.concatenate(frequencies),
    )


def decoder_gains(decode, codes, probes=8):
    """Measure how far each unit moves the output of `decode`: (k,), per unit of code.

    It is the root mean square, over a few of the `codes` (N, k), of |decode(z + d e) - decode(z)|
    / d, where e is the unit's direction and d its standard deviation. Zero for units that never
    change. For a linear decoder, the lengths of its rows.

    >>> matrix = np.array([[3.0, 4.0], [0.0, 2.0]])
    >>> decoder_gains(lambda z: z @ matrix, np.eye(2))
    array([5., 2.])
    """
    codes = as_numbers("decoder_gains", "the codes", codes, None)
    check_whole("decoder_gains: probes", probes, 1)
    if codes.ndim != 2 or codes.size == 0:
        raise ValueError(f"decoder_gains: codes (N, k) are needed, got shape {codes.shape}")
    spread = np.std(codes, axis=0, dtype=np.float64)  # (k,)
    alive = np.flatnonzero(spread)
    rows = np.unique(
        np.linspace(0, len(codes) - 1, min(int(probes), 10 * len(codes))).astype(np.int64)
    )
    squares = np.zeros(len(spread))
    if not alive.size:
        return squares
    for z in codes[rows]:
        moved = np.tile(z, (len(alive), 1))  # (alive, k)
        moved[np.arange(len(alive)), alive] += spread[alive].astype(codes.dtype)
        change = np.asarray(decode(moved), np.float64) - decode(z[None])  # (alive, D)
        squares[alive] += (change**2).sum(axis=1)
    return np.divide(np.sqrt(squares / len(rows)), spread, out=squares, where=spread > 0)


def whole_frequencies(counts):
    """Turn counts (L,) of training symbols into frequencies of at least 1 that sum to TOTAL.

    Every level is first counted half a time more (Krichevsky & Trofimov, 1981), since what training
    did not show may still come.

    >>> (whole_frequencies(np.array([7, 1, 0])) / TOTAL * (8 + 3 / 2)).round(4)
    array([7.5, 1.5, 0.5])
    """
    counts = as_numbers("whole_frequencies", "counts", counts)
    if counts.ndim != 1 or not 0 < len(counts) <= MAX_LEVELS or not (counts >= 0).all():
        raise ValueError(
            f"whole_frequencies: 1 to {MAX_LEVELS} counts of at least 0 are needed, got shape "
            f"{counts.shape}"
        )
    counts = counts + 0.5
    frequencies = 1 + np.floor(counts / counts.sum() * (TOTAL - len(counts))).astype(np.int64)
    frequencies[np.argmax(frequencies)] += TOTAL - frequencies.sum()
    return frequencies
