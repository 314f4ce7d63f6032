"""Solutions of lesson 21."""

import numpy as np


def quantise(z, low, high, bits):
    step = (high - low) / 2**bits  # (k,)
    return np.clip(np.floor((z - low) / step), 0, 2**bits - 1).astype(int)


def dequantise(symbols, low, high, bits):
    step = (high - low) / 2**bits  # (k,)
    return low + (symbols + 0.5) * step


def entropy(symbols):
    counts = np.unique(symbols, return_counts=True)[1]
    p = counts / len(symbols)
    return -np.sum(p * np.log2(p))
