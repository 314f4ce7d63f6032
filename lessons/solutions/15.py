"""Solutions of lesson 15."""

import numpy as np


def cross_entropy(t, labels):
    t = t - t.max(axis=1, keepdims=True)
    return np.log(np.exp(t).sum(axis=1)) - t[np.arange(len(t)), labels]


def cross_entropy_slope(g, t, labels):
    e = np.exp(t - t.max(axis=1, keepdims=True))
    slope = e / e.sum(axis=1, keepdims=True)
    slope[np.arange(len(t)), labels] -= 1
    return g[:, None] * slope


def label_entropy(labels):
    counts = np.unique(labels, return_counts=True)[1]
    shares = counts / len(labels)
    return -np.sum(shares * np.log(shares))
