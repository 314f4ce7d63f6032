"""Checks of lesson 21. No value lies near the edge of an interval, where rounding would decide."""

import math
from collections import Counter

from lessons import Check, Judge

import numpy as np


# ---------------------------------------------------------------------- 21.1 quantise
def ranges(rng, k):
    low = rng.uniform(-3, -1, k)
    return low, low + rng.uniform(1, 5, k)


def quantise_cases():
    rng, cases = np.random.default_rng(15), []
    for n, k, bits in ((4, 1, 1), (6, 3, 2), (5, 2, 4), (40, 3, 8)):
        low, high = ranges(rng, k)
        place = rng.integers(-2, 2**bits + 2, (n, k)) + rng.uniform(0.05, 0.95, (n, k))
        place[0], place[1] = -0.4, 2**bits + 0.4  # outside of the range, on both sides
        cases.append((low + place * (high - low) / 2**bits, low, high, bits))
    return cases


def edge_by_edge(z, low, high, bits):
    """Count the inner edges that a value has passed."""
    symbols = np.zeros(z.shape, int)
    for i, j in np.ndindex(*z.shape):
        width = high[j] - low[j]
        edges = [low[j] + width * e / 2**bits for e in range(1, 2**bits)]
        symbols[i, j] = sum(z[i, j] >= edge for edge in edges)
    return symbols


def place_of(z, low, high, count):
    return (z - low) / ((high - low) / count)


def library_quantise(z, low, high, bits):
    return np.clip(np.floor(place_of(z, low, high, 2**bits)), 0, 2**bits - 1).astype(int)


def rounded(z, low, high, bits):
    """You rounded to the nearest whole number: interval 0 reaches from 0 to 1 step above low, so
    round down."""
    return np.clip(np.rint(place_of(z, low, high, 2**bits)), 0, 2**bits - 1).astype(int)


def one_interval_less(z, low, high, bits):
    """You cut the range into 2**bits - 1 intervals: symbols from 0 to 2**bits - 1 are one more."""
    count = 2**bits - 1
    return np.clip(np.floor(place_of(z, low, high, count)), 0, count).astype(int)


def bits_for_intervals(z, low, high, bits):
    """You cut the range into 2 * bits intervals: each bit doubles their number."""
    count = 2 * bits
    return np.clip(np.floor(place_of(z, low, high, count)), 0, count - 1).astype(int)


def not_clipped(z, low, high, bits):
    """Values outside of the range are not clipped: they belong to the outermost intervals."""
    return np.floor(place_of(z, low, high, 2**bits)).astype(int)


def wrapped(z, low, high, bits):
    """What is outside of the range came back on the other side: clip before you turn the values
    into bytes, which count modulo a power of 2."""
    return np.floor(place_of(z, low, high, 2**bits)).astype(int) % 2**bits


def one_range(z, low, high, bits):
    """You used one range for all units: each has its own, low[j] to high[j], in units of which it
    is cut."""
    return library_quantise(z, low.min(), high.max(), bits)


quantise = Check(
    library=library_quantise,
    source="autoencoder/codec/quantiser.py::Quantiser.quantise",
    returns="whole array",
    cases=quantise_cases,
    judges=[Judge("counting edges", edge_by_edge)],
    mistakes=[rounded, one_interval_less, bits_for_intervals, not_clipped, wrapped, one_range],
)


# ---------------------------------------------------------------------- 21.2 dequantise
def dequantise_cases():
    rng = np.random.default_rng(152)
    return [
        (rng.integers(0, 2**bits, (n, k)), *ranges(rng, k), bits)
        for n, k, bits in ((2, 1, 1), (4, 3, 2), (6, 2, 5))
    ]


def middle_by_middle(symbols, low, high, bits):
    values = np.zeros(symbols.shape)
    for i, j in np.ndindex(*symbols.shape):
        edges = np.linspace(low[j], high[j], 2**bits + 1)
        s = symbols[i, j]
        values[i, j] = (edges[s] + edges[s + 1]) / 2
    return values


def library_dequantise(symbols, low, high, bits):
    return low + (symbols + 0.5) * (high - low) / 2**bits


def lower_edge(symbols, low, high, bits):
    """This is the lower edge of each interval: its middle errs half as far, so add half a step."""
    return low + symbols * (high - low) / 2**bits


def upper_edge(symbols, low, high, bits):
    """This is the upper edge of each interval: the middle is half a step below."""
    return low + (symbols + 1) * (high - low) / 2**bits


def end_to_end(symbols, low, high, bits):
    """You spread the symbols from low to high, 0 at one end and the last at the other: the middles
    of the outermost intervals are half a step inside."""
    return low + symbols * (high - low) / (2**bits - 1)


def without_low(symbols, low, high, bits):
    """These are distances from low: add it."""
    return (symbols + 0.5) * (high - low) / 2**bits


def width_forgotten(symbols, low, high, bits):
    """You took the step for 1 / 2**bits: it is that part of the unit's own range."""
    return low + (symbols + 0.5) / 2**bits


dequantise = Check(
    library=library_dequantise,
    source="autoencoder/codec/quantiser.py::Quantiser.dequantise",
    returns="array",
    cases=dequantise_cases,
    judges=[Judge("edge by edge", middle_by_middle, 1e-12)],
    mistakes=[lower_edge, upper_edge, end_to_end, without_low, width_forgotten],
)


# ---------------------------------------------------------------------- 21.3 entropy
def entropy_cases():
    rng = np.random.default_rng(153)
    skewed = np.minimum(rng.geometric(0.4, 200), 9)
    return [(np.array([0, 1, 1, 1]),), (np.repeat(5, 7),), (np.array([0, 1, 9, 3, 3]),), (skewed,)]


def shares(symbols):
    return np.unique(symbols, return_counts=True)[1] / len(symbols)


def word_by_word(symbols):
    counts = Counter(symbols.tolist())
    return sum(-math.log2(counts[s] / len(symbols)) for s in symbols.tolist()) / len(symbols)


def by_scipy(symbols):
    from scipy.stats import entropy

    return entropy(shares(symbols), base=2)


def library_entropy(symbols):
    p = shares(symbols)
    return float(-np.sum(p * np.log2(p)))


def in_nats(symbols):
    """This is in nats: take the logarithm to base 2 for bits."""
    p = shares(symbols)
    return -np.sum(p * np.log(p))


def negative(symbols):
    """The sign is wrong: logarithms of shares are negative, lengths of words are not."""
    return -library_entropy(symbols)


def equal_words(symbols):
    """This would be right if all symbols were equally frequent: weigh the length of each word by
    the share of its symbol."""
    return np.log2(len(shares(symbols)))


def not_weighted(symbols):
    """You took the plain mean of the words' lengths: a frequent symbol counts more, with its
    share p."""
    return -np.mean(np.log2(shares(symbols)))


def whole_message(symbols):
    """This is the length of the whole message: for each symbol divide by their number."""
    return len(symbols) * library_entropy(symbols)


def zeros_too(symbols):
    """The nan is from 0 log 0, of symbols that never occur: leave them out, as np.unique does."""
    p = np.bincount(symbols) / len(symbols)
    return -np.sum(p * np.log2(p))


entropy = Check(
    library=library_entropy,
    source="autoencoder/codec/quantiser.py::whole_frequencies",
    returns="number",
    cases=entropy_cases,
    judges=[
        Judge("word by word", word_by_word, 1e-12),
        Judge("SciPy", by_scipy, 1e-12, needs="scipy"),
    ],
    mistakes=[in_nats, negative, equal_words, not_weighted, whole_message, zeros_too],
)
