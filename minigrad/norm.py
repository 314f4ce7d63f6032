"""Normalisation: batch, layer and group norm, whose derivatives are those of the means inside.

Layout: channels are the last axis, as everywhere here. Batch norm takes the statistics of each
channel over all other axes, (N, C) and (N, H, W, C) alike; layer norm those of each example over
the last axes; group norm those of each example and group of channels.
"""

import math

import numpy as np

from .engine import sum_to
from .ops import sqrt
from .shapes import axes_of, reshape
from .tensor import Tensor, describe


def batch_norm(x, weight=None, bias=None, *, mean=None, variance=None, eps=1e-5):
    """``(x - mean) / sqrt(variance + eps) * weight + bias``, all of shape (C,), for x (..., C).

    `mean` and `variance` are the batch's own unless both are given (S. Ioffe and C. Szegedy, 2015).

    >>> batch_norm(np.array([[1.0, 5.0], [3.0, 5.0]]), eps=0)[:, 0]
    array([-1.,  1.])
    """
    if mean is None:
        deviation, _, variance = centred("batch_norm", x, x.shape[-1:])
    else:
        deviation = x - mean
    return scaled(deviation, variance, weight, bias, eps)


def layer_norm(x, weight=None, bias=None, *, axis=-1, eps=1e-5):
    """Each example of `x` with mean 0 and variance 1 over `axis`, an integer or several; then
    ``* weight + bias``, of the shape of these axes (J. Ba et al., 2016).

    For images `axis` -1 normalises each pixel's channels, (1, 2, 3) the image as PyTorch does.

    >>> layer_norm(np.array([[1.0, 3.0], [5.0, 9.0]]), eps=0)
    array([[-1.,  1.],
           [-1.,  1.]])
    """
    axes = axes_of("layer_norm", x, axis)
    shape = tuple(1 if a in axes else n for a, n in enumerate(x.shape))
    deviation, _, variance = centred("layer_norm", x, shape)
    return _affine(deviation / sqrt(variance + eps), weight, bias)


def group_norm(x, groups, weight=None, bias=None, *, eps=1e-5):
    """Each example and each of `groups` equal groups of channels of x (N, ..., C) with mean 0 and
    variance 1; then ``* weight + bias``, of shape (C,) (Y. Wu and K. He, 2018).

    With as many groups as channels it is instance norm.

    >>> group_norm(np.array([[1.0, 3.0, 4.0, 8.0]]), 2, eps=0)
    array([[-1.,  1., -1.,  1.]])
    """
    if x.ndim < 2 or not isinstance(groups, int | np.integer) or groups < 1 or x.shape[-1] % groups:
        raise ValueError(
            f"group_norm: the channels (last axis) of {describe(x)} cannot be divided into "
            f"{groups!r} equal groups: expected x (N, ..., C) and a number of groups that divides C"
        )
    n, c = x.shape[0], x.shape[-1]
    parts = reshape(x, (n, math.prod(x.shape[1:-1]), groups, c // groups))
    deviation, _, variance = centred("group_norm", parts, (n, 1, groups, 1))
    return _affine(reshape(deviation / sqrt(variance + eps), x.shape), weight, bias)


def centred(name, x, shape):
    """`x` less its mean, the mean, and the variance, over the axes that broadcasting from `shape`
    would stretch."""
    count = x.size // max(1, math.prod(shape))
    if not count:
        raise ValueError(f"{name}: {describe(x)} has no elements to take the mean of")
    mean = sum_to(x, shape) / count
    deviation = x - mean
    return deviation, mean, sum_to(deviation * deviation, shape) / count


def scaled(deviation, variance, weight, bias, eps):
    """Deviations from the mean made a batch norm, with one product for variance and weight."""
    root = sqrt(variance + eps)
    return _affine(deviation, 1 / root if weight is None else weight / root, bias)


def _affine(x, weight, bias):
    x = x if weight is None else x * weight
    return x if bias is None else x + bias
