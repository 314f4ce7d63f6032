"""Convolution of sequences (N, length, channels): images of height 1. Embedding of integers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from .backend import Array, array_module, plain
from .conv import Pair
from .functional import Activation, check_rng, conv2d, conv2d_transpose
from .module import Module
from .parameter import Parameter
from .shapes import getitem, squeeze, unsqueeze
from .tape import opaque
from .tensor import T, Tensor, describe

if TYPE_CHECKING:
    from numpy.typing import DTypeLike


def conv1d(
    x: T | Array,
    w: T | Array,
    b: T | Array | None = None,
    *,
    stride: int = 1,
    padding: str | int | Pair = "same",
    dilation: int = 1,
    groups: int = 1,
    activation: Activation = None,
) -> T:
    """Convolution of sequences `x` (N, L, C) with `w` (k, C / groups, F): (N, L', F).

    `padding` is "same", "valid", an integer or (before, after); the rest is as in `conv2d`.

    Parameters
    ----------
    x : Tensor or array (N, L, C)
    w : Tensor or array (k, C / groups, F)
    b : Tensor or array (F,), default=None
    stride, dilation, groups : int, default=1
    padding : {"same", "valid"}, int or (before, after), default="same"
    activation : str or callable, default=None

    Returns
    -------
    Tensor or array (N, L', F)

    Examples
    --------
    >>> conv1d(np.arange(4.0).reshape(1, 4, 1), np.ones((2, 1, 1)), padding="valid")[0, :, 0]
    array([1., 3., 5.])
    """
    settings = dict(dilation=(1, dilation), groups=groups, activation=activation)
    return _as_image("conv1d", conv2d, x, w, b, stride, padding, settings)


def conv1d_transpose(
    x: T | Array,
    w: T | Array,
    b: T | Array | None = None,
    *,
    stride: int = 1,
    padding: str | int | Pair = "same",
    output_size: int | None = None,
    dilation: int = 1,
    groups: int = 1,
    activation: Activation = None,
) -> T:
    """The adjoint of `conv1d` with `w` (k, F / groups, C): (N, L, C) -> (N, L', F), where L' is
    ``L * stride`` for "same"; see `conv2d_transpose`.

    Parameters
    ----------
    x : Tensor or array (N, L, C)
    w : Tensor or array (k, F / groups, C)
    b : Tensor or array (F,), default=None
    stride, dilation, groups : int, default=1
    padding : {"same", "valid"}, int or (before, after), default="same"
    output_size : int, default=None
        L', where several lengths are possible.
    activation : str or callable, default=None

    Returns
    -------
    Tensor or array (N, L', F)

    Examples
    --------
    >>> conv1d_transpose(np.ones((1, 2, 1)), np.ones((2, 1, 1)), padding="valid")[0, :, 0]
    array([1., 2., 1.])
    """
    size = None if output_size is None else (1, output_size)
    settings = dict(dilation=(1, dilation), groups=groups, activation=activation, output_size=size)
    return _as_image("conv1d_transpose", conv2d_transpose, x, w, b, stride, padding, settings)


def _as_image(
    name: str,
    function: Callable[..., Any],
    x: Any,
    w: Any,
    b: Any,
    stride: int,
    padding: Any,
    settings: dict[str, Any],
) -> Any:
    if getattr(x, "ndim", 0) != 3 or getattr(w, "ndim", 0) != 3:
        raise ValueError(
            f"{name}: expected sequences (N, length, channels) and a kernel (length, channels, "
            f"channels), got {describe(x)} and {describe(w)}"
        )
    if isinstance(padding, int | np.integer):
        padding = (padding, padding)
    if isinstance(padding, list | tuple):
        padding = ((0, 0), tuple(padding))
    try:
        image = unsqueeze(x, 1), unsqueeze(w, 0), b
        return squeeze(function(*image, stride=(1, stride), padding=padding, **settings), 1)
    except ValueError as error:
        raise ValueError(f"{name}: as images of height 1: {error}") from None


def embedding(indices: Tensor | Array, weight: T | Array) -> T:
    """The rows of `weight` (count, features) that the integers `indices` name: (..., features).

    Parameters
    ----------
    indices : array of integers, of any shape (...)
    weight : Tensor or array (count, features)

    Returns
    -------
    Tensor or array (..., features)

    Examples
    --------
    >>> embedding(np.array([2, 0]), np.array([[1.0], [2.0], [3.0]]))
    array([[3.],
           [1.]])
    """
    given, indices = indices, indices._data if isinstance(indices, Tensor) else indices
    weight_data = weight._data if isinstance(weight, Tensor) else weight
    if getattr(weight, "ndim", 0) < 1:
        raise ValueError(f"embedding: expected a weight (count, features), got {describe(weight)}")
    indices = array_module(weight_data).asarray(plain(indices))
    count = weight.shape[0]
    if indices.dtype.kind not in "iu":
        raise TypeError(f"embedding: expected integers, got {describe(indices)}")
    opaque(_check_indices, given if isinstance(given, Tensor) else indices, count)
    return getitem(weight, indices)


def _check_indices(indices: Array, count: int) -> None:
    if indices.size and not (indices.min() >= 0 and indices.max() < count):
        raise IndexError(
            f"embedding: expected integers from 0 to {count - 1}, got {indices.min()} to "
            f"{indices.max()}"
        )


class Embedding(Module):
    """One trained vector of `features` numbers for each integer below `count`: (...) -> (...,
    features). The vectors are normal numbers at first.

    Parameters
    ----------
    count, features : int
    dtype : numpy dtype, default=float32
    rng : numpy.random.Generator
    """

    torch_axes = (0, 1)

    def __init__(
        self,
        count: int,
        features: int,
        *,
        dtype: DTypeLike = np.float32,
        rng: np.random.Generator,
    ) -> None:
        check_rng("Embedding", rng)
        self.weight = Parameter(rng.standard_normal((count, features)).astype(dtype))

    def forward(self, indices: Tensor | Array) -> Tensor:
        return embedding(indices, self.weight)

    def extra_repr(self) -> str:
        return "{} -> {}".format(*self.weight.shape)
