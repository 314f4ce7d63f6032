"""Layers that own their weights; how they are put together is in ``module.py``."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from .backend import Array
from .containers import ModuleDict, ModuleList, Sequential
from .conv import Padding, Pair, key, pair
from .function_layers import (
    ELU,
    GELU,
    AvgPool2D,
    GlobalAvgPool2D,
    GlobalMaxPool2D,
    HardSigmoid,
    LeakyReLU,
    LogSigmoid,
    MaxPool2D,
    ReLU,
    Sigmoid,
    SiLU,
    Softplus,
    Tanh,
    UpSampling2D,
)
from .functional import (
    Activation,
    Random,
    check_rng,
    conv2d,
    conv2d_transpose,
    dense,
    dropout,
    gaussian_noise,
)
from .init import fan_in_out, initialisers
from .module import Module
from .normalization import BatchNorm1D, BatchNorm2D, GroupNorm, LayerNorm
from .parameter import Buffer, Parameter
from .sequences import Embedding, conv1d, conv1d_transpose
from .shapes import reshape
from .tensor import T, Tensor

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    class Layer(Module):  # a Module, of which it is known what it returns
        def __call__(self, x: Tensor | Array) -> Tensor: ...
else:
    Layer = Module

__all__ = [
    "ELU", "GELU", "AvgPool2D", "BatchNorm1D", "BatchNorm2D", "Buffer", "Conv1D", "Conv1DTranspose",
    "Conv2D", "Conv2DTranspose", "Dense", "Dropout", "Embedding", "Flatten", "GaussianNoise",
    "GlobalAvgPool2D", "GlobalMaxPool2D", "GroupNorm", "HardSigmoid", "LayerNorm", "LeakyReLU",
    "LogSigmoid", "MaxPool2D", "Module", "ModuleDict", "ModuleList", "Parameter", "ReLU", "Reshape",
    "Sequential", "SiLU", "Sigmoid", "Softplus", "Tanh", "UpSampling2D",
]  # fmt: skip


Initialiser: TypeAlias = "str | Callable[..., Array]"  # a name or function of `init`


class Dense(Layer):
    """``activation(x @ weight + bias)``: (N, in_features) -> (N, out_features).

    `weight_init` is a name or function of ``minigrad.init``; `rng` a numpy Generator.

    Parameters
    ----------
    in_features, out_features : int
    activation : str or callable, default=None
    bias : bool, default=True
    weight_init : str or callable, default="glorot_uniform"
    dtype : numpy dtype, default=float32
    rng : numpy.random.Generator
        Draws the weights; it must be given.
    """

    torch_axes = (1, 0)

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        activation: Activation = None,
        bias: bool = True,
        weight_init: Initialiser = "glorot_uniform",
        dtype: DTypeLike = np.float32,
        rng: np.random.Generator,
    ) -> None:
        self.activation = activation
        self.weight = _weights((in_features, out_features), weight_init, dtype, rng)
        self.bias = Parameter(np.zeros(out_features, dtype)) if bias else None

    def forward(self, x: Tensor | Array) -> Tensor:
        return dense(x, self.weight, self.bias, activation=self.activation)

    def extra_repr(self) -> str:
        i, o = self.weight.shape
        return _words(i, o, activation=self.activation)


class Conv2D(Layer):
    """`minigrad.conv2d` with its own kernel (kh, kw, in_channels / groups, out) and bias (out,).

    Parameters
    ----------
    in_channels, out_channels : int
    kernel_size : int or (int, int), default=3
    stride, dilation : int or (int, int), default=1
    padding : {"same", "valid"}, int or ((top, bottom), (left, right)), default="same"
        "same" is TensorFlow's: the odd pixel goes at the end.
    groups : int, default=1
    activation : str or callable, default=None
    bias : bool, default=True
    weight_init : str or callable, default="glorot_uniform"
        Of `minigrad.init`, or a function like those.
    dtype : numpy dtype, default=float32
    rng : numpy.random.Generator
        Draws the kernel; it must be given.
    """

    torch_axes = (3, 2, 0, 1)

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Pair = 3,
        *,
        stride: int | Pair = 1,
        padding: Padding = "same",
        dilation: int | Pair = 1,
        groups: int = 1,
        activation: Activation = None,
        bias: bool = True,
        weight_init: Initialiser = "glorot_uniform",
        dtype: DTypeLike = np.float32,
        rng: np.random.Generator,
    ) -> None:
        kernel = pair(key(kernel_size), "kernel_size", 1)
        if in_channels % groups or out_channels % groups:
            raise ValueError(
                f"Conv2D: {in_channels} and {out_channels} channels cannot be divided "
                f"into groups={groups} equal parts"
            )
        shape = (*kernel, in_channels // groups, out_channels)
        self.options: dict[str, Any] = dict(
            stride=stride, padding=padding, dilation=dilation, groups=groups
        )
        self.activation = activation
        self.weight = _weights(shape, weight_init, dtype, rng)
        self.bias = Parameter(np.zeros(out_channels, dtype)) if bias else None

    def forward(self, x: Tensor | Array) -> Tensor:
        return conv2d(x, self.weight, self.bias, activation=self.activation, **self.options)

    def extra_repr(self) -> str:
        kh, kw, i, o = self.weight.shape
        return _words(
            i * self.options["groups"],
            o,
            kernel=(kh, kw),
            activation=self.activation,
            **self.options,
        )


class Conv2DTranspose(Layer):
    """`minigrad.conv2d_transpose` with its own kernel (kh, kw, out_channels, in_channels) and bias.

    With ``padding="same"`` the output is exactly stride times as large as the input.

    Parameters
    ----------
    in_channels, out_channels : int
    kernel_size : int or (int, int), default=3
    stride : int or (int, int), default=1
    padding : {"same", "valid"}, int or ((top, bottom), (left, right)), default="same"
        "same" is TensorFlow's: the odd pixel goes at the end.
    output_size : (int, int), default=None
        Where several sizes are possible.
    activation, bias, weight_init, dtype, rng : as in `Conv2D`
    """

    torch_axes = (3, 2, 0, 1)

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Pair = 3,
        *,
        stride: int | Pair = 1,
        padding: Padding = "same",
        output_size: Pair | None = None,
        activation: Activation = None,
        bias: bool = True,
        weight_init: Initialiser = "glorot_uniform",
        dtype: DTypeLike = np.float32,
        rng: np.random.Generator,
    ) -> None:
        shape = (*pair(key(kernel_size), "kernel_size", 1), out_channels, in_channels)
        fan_out, fan_in = fan_in_out(shape)  # the kernel is stored the other way round
        self.options: dict[str, Any] = dict(stride=stride, padding=padding, output_size=output_size)
        self.activation = activation
        self.weight = _weights(shape, weight_init, dtype, rng, fans=(fan_in, fan_out))
        self.bias = Parameter(np.zeros(out_channels, dtype)) if bias else None

    def forward(self, x: Tensor | Array) -> Tensor:
        return conv2d_transpose(
            x, self.weight, self.bias, activation=self.activation, **self.options
        )

    def extra_repr(self) -> str:
        kh, kw, o, i = self.weight.shape
        return _words(i, o, kernel=(kh, kw), activation=self.activation, **self.options)


class Conv1D(Layer):
    """`minigrad.conv1d` with its own kernel (k, in_channels / groups, out_channels) and bias.

    What it takes by name is what `Conv2D` takes.

    Parameters
    ----------
    in_channels, out_channels : int
    kernel_size : int, default=3
    **settings : what `Conv2D` takes by name
        ``rng`` must be given.
    """

    torch_axes = (2, 1, 0)
    function: Callable[..., Any] = staticmethod(conv1d)
    flat: type[Conv2D | Conv2DTranspose] = Conv2D

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int = 3, **settings: Any
    ) -> None:
        image = self.flat(in_channels, out_channels, (1, kernel_size), **settings)
        self.options, self.activation = image.options, image.activation
        self.weight, self.bias = Parameter(image.weight.data[0]), image.bias

    def forward(self, x: Tensor | Array) -> Tensor:
        return self.function(x, self.weight, self.bias, activation=self.activation, **self.options)

    def extra_repr(self) -> str:
        k, i, o = self.weight.shape
        i *= self.options.get("groups", 1)
        return _words(i, o, kernel=(k,), activation=self.activation, **self.options)


class Conv1DTranspose(Conv1D):
    """`minigrad.conv1d_transpose` with its own kernel (k, out_channels, in_channels) and bias.

    Parameters
    ----------
    in_channels, out_channels : int
    kernel_size : int, default=3
    **settings : what `Conv2DTranspose` takes by name
        ``rng`` must be given.
    """

    function, flat = staticmethod(conv1d_transpose), Conv2DTranspose

    def extra_repr(self) -> str:
        k, o, i = self.weight.shape
        return _words(i, o, kernel=(k,), activation=self.activation, **self.options)


class Flatten(Module):
    """(N, ...) -> (N, everything else)."""

    def forward(self, x: T | Array) -> T:
        return reshape(x, (x.shape[0], -1))


class Reshape(Module):
    """Each example in another shape: ``(N, ...) -> (N, *shape)``.

    Parameters
    ----------
    *shape : ints
        Of one example, without N.
    """

    def __init__(self, *shape: int) -> None:
        self.shape = shape

    def forward(self, x: T | Array) -> T:
        return reshape(x, (x.shape[0], *self.shape))

    def extra_repr(self) -> str:
        return f"to {self.shape}"


class Dropout(Module):
    """While training, elements are dropped with probability `rate`; see `minigrad.dropout`.

    Parameters
    ----------
    rate : float in [0, 1)
    rng : numpy.random.Generator or minigrad.random.Philox
    """

    def __init__(self, rate: float, *, rng: Random) -> None:
        check_rng("Dropout", rng, or_philox=True)
        self.rate, self.rng = rate, rng

    def forward(self, x: Any) -> Any:
        return dropout(x, self.rate, self.rng) if self.training else x

    def extra_repr(self) -> str:
        return f"rate {self.rate}"


class GaussianNoise(Module):
    """While training, normal noise of standard deviation `std` is added.

    Parameters
    ----------
    std : float
    rng : numpy.random.Generator or minigrad.random.Philox
    """

    def __init__(self, std: float | Array, *, rng: Random) -> None:
        check_rng("GaussianNoise", rng, or_philox=True)
        self.std, self.rng = std, rng

    def forward(self, x: Any) -> Any:
        return gaussian_noise(x, self.std, self.rng) if self.training else x

    def extra_repr(self) -> str:
        return f"std {self.std}"


def _weights(
    shape: tuple[int, ...],
    weight_init: Initialiser,
    dtype: DTypeLike,
    rng: np.random.Generator,
    fans: tuple[int, int] | None = None,
) -> Parameter:
    check_rng("a layer", rng)
    if not callable(weight_init) and weight_init not in initialisers:
        names = ", ".join(map(repr, initialisers))
        raise ValueError(f"unknown weight_init {weight_init!r}: use {names}, or a function")
    make = weight_init if callable(weight_init) else initialisers[weight_init]
    return Parameter(make(shape, rng, dtype, fans))


def _words(
    i: int,
    o: int,
    kernel: Sequence[int] | None = None,
    activation: Activation = None,
    **options: Any,
) -> str:
    """The settings of a layer that are not the usual ones, in a few words."""
    usual = {"stride": 1, "padding": "same", "dilation": 1, "groups": 1, "output_size": None}
    words = [f"{i} -> {o}"] + (["x".join(map(str, kernel))] if kernel else [])
    words += [f"{name} {value}" for name, value in options.items() if value != usual[name]]
    words += [_name(activation)] if activation is not None else []
    return ", ".join(words)


def _name(activation: Any) -> str:
    """What to call an activation: a name, a function, a partial of one, a Module or other object.

    >>> _name(functools.partial(conv1d))
    'conv1d'
    """
    if isinstance(activation, functools.partial):
        return _name(activation.func)
    if isinstance(activation, str):
        return activation
    return getattr(activation, "__name__", type(activation).__name__)
