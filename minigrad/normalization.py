"""Normalisation: batch, layer and group norm, whose derivatives are those of the means inside.

Layout: channels are the last axis, as everywhere here. Batch norm takes the statistics of each
channel over all other axes, (N, C) and (N, H, W, C) alike; layer norm those of each example over
the last axes; group norm those of each example and group of channels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .backend import Array
from .checks import check_array, check_numbers
from .module import Module
from .ops import add, divide, multiply, sqrt
from .parameter import Buffer, Parameter
from .shapes import axes_of, broadcast_to, reshape, sum_to
from .state import no_grad
from .tensor import Shape, T, describe
from .whole_batch import whole_count, whole_sum

if TYPE_CHECKING:
    from numpy.typing import DTypeLike


def batch_norm(
    x: T | Array,
    weight: T | Array | None = None,
    bias: T | Array | None = None,
    *,
    mean: T | Array | None = None,
    variance: T | Array | None = None,
    eps: float = 1e-5,
) -> T:
    """``(x - mean) / sqrt(variance + eps) * weight + bias``, all of shape (C,), for x (..., C).

    `mean` and `variance` are the batch's own unless both are given (S. Ioffe and C. Szegedy, 2015).

    Parameters
    ----------
    x : Tensor or array (..., C)
    weight, bias : Tensor or array (C,), default=None
    mean, variance : Tensor or array (C,), default=None
    eps : float, default=1e-5
        Added to the variance.

    Returns
    -------
    Tensor or array of the shape of `x`

    Examples
    --------
    >>> batch_norm(np.array([[1.0, 5.0], [3.0, 9.0]]), eps=0)
    array([[-1., -1.],
           [ 1.,  1.]])
    """
    check_array("batch_norm", x)
    check_numbers("batch_norm", x)
    if (mean is None) != (variance is None):
        raise ValueError("batch_norm: give both mean and variance, or neither for the batch's own")
    if mean is None:
        deviation, _, variance = centred("batch_norm", x, x.shape[-1:], of_batch=True)
    else:
        deviation = x - mean
    return scaled("batch_norm", deviation, variance, weight, bias, eps)


def layer_norm(
    x: T | Array,
    weight: T | Array | None = None,
    bias: T | Array | None = None,
    *,
    axis: int | tuple[int, ...] = -1,
    eps: float = 1e-5,
) -> T:
    """Each example of `x` with mean 0 and variance 1 over `axis`, an integer or several; then
    ``* weight + bias``, of the shape of these axes (J. Ba et al., 2016).

    For images `axis` -1 normalises each pixel's channels, (1, 2, 3) the image as PyTorch does.

    Parameters
    ----------
    x : Tensor or array
    weight, bias : Tensor or array, default=None
        Of the shape of the axes that are normalised.
    axis : int or tuple of ints, default=-1
    eps : float, default=1e-5
        Added to the variance.

    Returns
    -------
    Tensor or array of the shape of `x`

    Examples
    --------
    >>> layer_norm(np.array([[1.0, 3.0], [5.0, 9.0]]), eps=0)
    array([[-1.,  1.],
           [-1.,  1.]])
    """
    axes = axes_of("layer_norm", x, axis)
    check_numbers("layer_norm", x)
    shape = tuple(1 if a in axes else n for a, n in enumerate(x.shape))
    deviation, _, variance = centred("layer_norm", x, shape)
    return _affine("layer_norm", deviation / sqrt(variance + eps), weight, bias)


def group_norm(
    x: T | Array,
    groups: int,
    weight: T | Array | None = None,
    bias: T | Array | None = None,
    *,
    eps: float = 1e-5,
) -> T:
    """Each example and each of `groups` equal groups of channels of x (N, ..., C) with mean 0 and
    variance 1; then ``* weight + bias``, of shape (C,) (Y. Wu and K. He, 2018).

    With as many groups as channels it is instance norm.

    Parameters
    ----------
    x : Tensor or array (N, ..., C)
    groups : int
        A divisor of C.
    weight, bias : Tensor or array (C,), default=None
    eps : float, default=1e-5
        Added to the variance.

    Returns
    -------
    Tensor or array of the shape of `x`

    Examples
    --------
    >>> group_norm(np.array([[1.0, 3.0, 4.0, 8.0]]), 2, eps=0)
    array([[-1.,  1., -1.,  1.]])
    """
    check_array("group_norm", x)
    check_numbers("group_norm", x)
    if x.ndim < 2 or not isinstance(groups, int | np.integer) or groups < 1 or x.shape[-1] % groups:
        raise ValueError(
            f"group_norm: the channels (last axis) of {describe(x)} cannot be divided into "
            f"{groups!r} equal groups: expected x (N, ..., C) and a number of groups that divides C"
        )
    n, c, pixels = x.shape[0], x.shape[-1], math.prod(x.shape[1:-1])

    def mean(v: Any) -> Any:  # of each group, for each of its channels: (N, pixels, C) -> (N, 1, C)
        sums = reshape(sum_to(v, (n, 1, c)), (n, 1, groups, c // groups))
        means = sum_to(sums, (n, 1, groups, 1)) / (pixels * c // groups)
        return reshape(broadcast_to(means, sums.shape), (n, 1, c))

    v = reshape(x, (n, pixels, c))
    deviation = v - mean(v)
    normed = scaled("group_norm", deviation, mean(deviation * deviation), weight, bias, eps)
    return reshape(normed, x.shape)


def centred(name: str, x: Any, shape: Shape, of_batch: bool = False) -> tuple[Any, Any, Any]:
    """`x` less its mean, the mean, and the variance, over the axes that broadcasting from `shape`
    would stretch; those `of_batch` are the whole one's, also on several ranks."""
    count = x.size // max(1, math.prod(shape))
    if not count:
        raise ValueError(f"{name}: {describe(x)} has no elements to take the mean of")
    total = whole_sum if of_batch else lambda sums: sums
    count = whole_count(count) if of_batch else count
    mean = total(sum_to(x, shape)) / count
    deviation = x - mean
    return deviation, mean, total(sum_to(deviation * deviation, shape)) / count


def scaled(name: str, deviation: Any, variance: Any, weight: Any, bias: Any, eps: float) -> Any:
    """Deviations from the mean made a batch norm, with one product for variance and weight."""
    root = sqrt(variance + eps)
    if weight is not None:
        check_numbers(name, weight)
    return _affine(name, deviation, 1 / root if weight is None else divide(weight, root), bias)


def _affine(name: str, x: Any, weight: Any, bias: Any) -> Any:
    for what, v, operation in (("weight", weight, multiply), ("bias", bias, add)):
        if v is None:
            continue
        check_numbers(name, v)
        shape, x = x.shape, operation(x, v)
        if x.shape != shape:
            raise ValueError(f"{name}: a {what} of {v.shape} does not fit {shape}")
    return x


# ---------------------------------------------------------------------- layers
class BatchNorm1D(Module):
    """`batch_norm` of features (N, C) or sequences (N, L, C), with its own weight and bias (C,).

    While training with the batch's mean and variance, which also move `running_mean` and
    `running_var` by the share `momentum`; after ``eval()`` with these. The variance that is kept
    is the unbiased one, as in PyTorch. ``affine=False`` leaves weight and bias out.

    Parameters
    ----------
    channels : int
    momentum : float, default=0.1
    eps : float, default=1e-5
        Added to the variance.
    affine : bool, default=True
    dtype : numpy dtype, default=float32
    """

    dimensions: tuple[int, ...] = (2, 3)

    def __init__(
        self,
        channels: int,
        *,
        momentum: float = 0.1,
        eps: float = 1e-5,
        affine: bool = True,
        dtype: DTypeLike = np.float32,
    ) -> None:
        self.momentum, self.eps = momentum, eps
        self.weight, self.bias = _ones_and_zeros(channels, affine, dtype)
        self.running_mean = Buffer(np.zeros(channels, dtype))
        self.running_var = Buffer(np.ones(channels, dtype))

    def forward(self, x: Any) -> Any:
        name, channels = type(self).__name__, self.running_mean.size
        if getattr(x, "ndim", 0) not in self.dimensions or x.shape[-1] != channels:
            raise ValueError(
                f"{name}: expected {' or '.join(map(str, self.dimensions))} axes, the last one of "
                f"{channels} channels, got {describe(x)}"
            )
        mean, variance = self.running_mean, self.running_var
        if not self.training:
            return batch_norm(x, self.weight, self.bias, mean=mean, variance=variance, eps=self.eps)
        count = whole_count(x.size // channels)
        if count < 2:
            raise ValueError(
                f"{name}: {describe(x)} has one value for each channel, which has no variance: "
                "use a larger batch, or eval() for the running statistics"
            )
        deviation, now, spread = centred(name, x, (channels,), of_batch=True)
        with no_grad():
            self.running_mean = mean + self.momentum * (now - mean)
            unbiased = spread * (count / (count - 1))
            self.running_var = variance + self.momentum * (unbiased - variance)
        return scaled(name, deviation, spread, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return f"{self.running_mean.size}, momentum {self.momentum}"


class BatchNorm2D(BatchNorm1D):
    """`BatchNorm1D` for images (N, H, W, C).

    Parameters
    ----------
    channels, momentum, eps, affine, dtype : as in `BatchNorm1D`

    Examples
    --------
    >>> layer = BatchNorm2D(3)
    >>> _ = layer(np.full((2, 4, 4, 3), 5.0, np.float32))
    >>> layer.state_dict()["running_mean"]
    array([0.5, 0.5, 0.5], dtype=float32)
    """

    dimensions = (4,)


class LayerNorm(Module):
    """`layer_norm` over the last axes, which are of `shape` (an integer for one axis), with its own
    weight and bias of that shape.

    Parameters
    ----------
    shape : int or tuple of ints
    eps : float, default=1e-5
    affine : bool, default=True
    dtype : numpy dtype, default=float32
    """

    def __init__(
        self,
        shape: int | Sequence[int],
        *,
        eps: float = 1e-5,
        affine: bool = True,
        dtype: DTypeLike = np.float32,
    ) -> None:
        self.shape, self.eps = tuple(shape) if isinstance(shape, list | tuple) else (shape,), eps
        self.weight, self.bias = _ones_and_zeros(self.shape, affine, dtype)

    @property
    def torch_axes(self) -> tuple[int, ...]:  # type: ignore[override]
        """PyTorch's channels come first."""
        n = len(self.shape)
        return (n - 1, *range(n - 1))

    def forward(self, x: Any) -> Any:
        n = len(self.shape)
        if tuple(getattr(x, "shape", ())[-n:]) != self.shape:
            raise ValueError(f"LayerNorm: expected last axes {self.shape}, got {describe(x)}")
        return layer_norm(x, self.weight, self.bias, axis=tuple(range(-n, 0)), eps=self.eps)

    def extra_repr(self) -> str:
        return f"{self.shape}"


class GroupNorm(Module):
    """`group_norm` of `groups` groups of `channels` channels, with its own weight and bias (C,).

    Parameters
    ----------
    groups, channels : int
    eps : float, default=1e-5
    affine : bool, default=True
    dtype : numpy dtype, default=float32
    """

    def __init__(
        self,
        groups: int,
        channels: int,
        *,
        eps: float = 1e-5,
        affine: bool = True,
        dtype: DTypeLike = np.float32,
    ) -> None:
        self.groups, self.eps = groups, eps
        self.weight, self.bias = _ones_and_zeros(channels, affine, dtype)

    def forward(self, x: Any) -> Any:
        return group_norm(x, self.groups, self.weight, self.bias, eps=self.eps)

    def extra_repr(self) -> str:
        return f"{self.groups} groups"


def _ones_and_zeros(
    shape: int | Shape, affine: bool, dtype: DTypeLike
) -> tuple[Parameter | None, Parameter | None]:
    made = (Parameter(np.ones(shape, dtype)), Parameter(np.zeros(shape, dtype)))
    return made if affine else (None, None)
