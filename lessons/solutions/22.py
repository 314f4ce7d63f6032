"""Solutions of lesson 22."""

import numpy as np

import minigrad as mg


def sample(mean, log_variance, rng):
    noise = rng.standard_normal(mean.shape)  # (N, k), new for every example and unit
    return mean + mg.exp(log_variance / 2) * noise


def through_sample(g, mean, log_variance, noise):
    return g, g * np.exp(log_variance / 2) * noise / 2


def kl(mean, log_variance):
    return (mean * mean + mg.exp(log_variance) - 1 - log_variance).sum(axis=1) / 2
