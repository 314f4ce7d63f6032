"""Solutions of lesson 11."""

import numpy as np


def batch_norm(x, gamma, beta, eps=1e-5):
    n = (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + eps)
    return gamma * n + beta


def batch_norm_vjp(g, x, gamma, beta, eps=1e-5):
    s = np.sqrt(x.var(axis=0) + eps)
    n = (x - x.mean(axis=0)) / s
    h = gamma * g
    gx = (h - h.mean(axis=0) - n * (h * n).mean(axis=0)) / s
    return gx, (g * n).sum(axis=0), g.sum(axis=0)


def folded(w, b, gamma, beta, mean, variance, eps=1e-5):
    scale = gamma / np.sqrt(variance + eps)
    return w * scale, (b - mean) * scale + beta
