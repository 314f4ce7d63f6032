"""Solutions of lesson 14."""

import numpy as np


def bce_from_logits(t, x):
    return np.maximum(t, 0) - t * x + np.log1p(np.exp(-np.abs(t)))


def bce_slope(g, t, x):
    return g * (1 / (1 + np.exp(-t)) - x)


def entropy(x):
    safe = np.where((x > 0) & (x < 1), x, 0.5)
    value = -safe * np.log(safe) - (1 - safe) * np.log(1 - safe)
    return np.where((x > 0) & (x < 1), value, 0.0)
