"""Solutions of lesson 20."""

import minigrad as mg


def kl_sparsity(codes, target):
    r = codes.mean(axis=0)  # (k,)
    on = target * mg.log(target / r)  # (k,)
    off = (1 - target) * mg.log((1 - target) / (1 - r))  # (k,)
    return (on + off).sum()


def contraction(h, W):
    slope = h * (1 - h)  # (N, k)
    return (slope * slope) @ (W * W).sum(axis=0)
