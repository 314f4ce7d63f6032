"""Solutions of lesson 18."""

import numpy as np


def pca(train, k):
    mean = train.mean(axis=0)  # (D,)
    _, _, vt = np.linalg.svd(train - mean, full_matrices=False)
    return mean, vt[:k]


def error_left(train, k):
    values = np.linalg.svd(train - train.mean(axis=0), compute_uv=False)  # falling
    return (values[k:] ** 2).sum() / 2 / len(train)


def largest_angle(a, b):
    p, _ = np.linalg.qr(a.T)  # (D, k), orthonormal columns
    q, _ = np.linalg.qr(b.T)
    cosines = np.linalg.svd(p.T @ q, compute_uv=False)
    return np.arccos(np.clip(cosines.min(), 0, 1))  # rounding can give 1 + 1e-16
