"""Layers as functions: convolutions, the dense layer, dropout and noise, for Tensors or arrays.

Compositions of primitives only: there is nothing here that the engine could get wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from numbers import Real
from typing import Any, TypeAlias

import numpy as np

from .activations import elu, gelu, hard_sigmoid, leaky_relu, log_sigmoid, silu
from .backend import Array, device_of, is_array, to_device
from .checks import check_floats, check_numbers
from .conv import Geometry, Padding, Pair, conv_w, conv_x, conv_y, key, pads_of, pair
from .fused import FUSED, conv_layer, conv_transpose_layer, dense_layer
from .ops import matmul, multiply, softplus
from .random import Philox
from .tape import opaque
from .tensor import Plain, Shape, T, Tensor, describe

Activation: TypeAlias = (
    "str | Callable[[Any], Any] | None"  # a name of `activations`, or a function
)
Random: TypeAlias = "np.random.Generator | Philox"
activations: dict[str, Callable[[Any], Any]] = {
    **FUSED,
    "softplus": softplus,
    **{f.__name__: f for f in (elu, gelu, hard_sigmoid, leaky_relu, log_sigmoid, silu)},
}


def conv2d(
    x: T | Array,
    w: T | Array,
    b: T | Array | None = None,
    *,
    stride: int | Pair = 1,
    padding: Padding = "same",
    dilation: int | Pair = 1,
    groups: int = 1,
    activation: Activation = None,
) -> T:
    """Two-dimensional convolution of images `x` (N, H, W, C) with `w` (kh, kw, C / groups, F).

    Then the bias and the activation are applied.

    Parameters
    ----------
    x : Tensor or array (N, H, W, C)
    w : Tensor or array (kh, kw, C / groups, F)
    b : Tensor or array (F,), default=None
    stride, dilation : int or (int, int), default=1
    padding : {"same", "valid"}, int or ((top, bottom), (left, right)), default="same"
        "same" is TensorFlow's: the odd pixel goes at the end.
    groups : int, default=1
        Into how many parts the channels are split, each with kernels of its own.
    activation : str or callable, default=None
        "relu", "gelu" and others of `minigrad.activations`, or a function.

    Returns
    -------
    Tensor or array (N, P, Q, F)

    Raises
    ------
    ValueError
        Where shapes or settings do not fit.

    Examples
    --------
    >>> x = np.arange(4.0).reshape(1, 2, 2, 1)
    >>> conv2d(x, np.ones((2, 2, 1, 1)), padding="valid")
    array([[[[6.]]]])
    """
    _check("conv2d", x, w, groups, "in / groups, out")
    if x.shape[3] != w.shape[2] * groups or w.shape[3] % groups:
        raise ValueError(
            f"conv2d: {describe(x)} has {x.shape[3]} channels (axis 3), but the kernel {w.shape} "
            f"with groups={groups} takes {w.shape[2] * groups} (axis 2) and makes {w.shape[3]} "
            "(axis 3, a multiple of groups): kernels are (height, width, in / groups, out)"
        )
    geometry = Geometry.of(
        x.shape[1:3], w.shape[:2], key(stride), key(padding), key(dilation), groups
    )
    _check_finish("conv2d", b, w.shape[3], activation)
    return _layer(conv_y, conv_layer, x, w, b, (geometry,), activation)


def conv2d_transpose(
    x: T | Array,
    w: T | Array,
    b: T | Array | None = None,
    *,
    stride: int | Pair = 1,
    padding: Padding = "same",
    output_size: Pair | None = None,
    dilation: int | Pair = 1,
    groups: int = 1,
    activation: Activation = None,
) -> T:
    """Transposed convolution: the adjoint of `conv2d` with `w` (kh, kw, out / groups, in).

    `x` is (N, P, Q, in), the result (N, H, W, out). With ``padding="same"`` H = P * stride; with
    other paddings the smallest image that `conv2d` maps to (P, Q), unless `output_size` (H, W)
    names a larger one.

    Parameters
    ----------
    x : Tensor or array (N, P, Q, in)
    w : Tensor or array (kh, kw, out / groups, in)
    b : Tensor or array (out,), default=None
    stride, dilation : int or (int, int), default=1
    padding : {"same", "valid"}, int or ((top, bottom), (left, right)), default="same"
        "same" is TensorFlow's: the odd pixel goes at the end.
    output_size : (int, int), default=None
    groups : int, default=1
    activation : str or callable, default=None

    Returns
    -------
    Tensor or array (N, H, W, out)

    Raises
    ------
    ValueError
        Where shapes or settings do not fit.

    Examples
    --------
    >>> conv2d_transpose(np.ones((1, 1, 1, 1)), np.ones((2, 2, 1, 1)), padding="valid")[0, ..., 0]
    array([[1., 1.],
           [1., 1.]])
    """
    _check("conv2d_transpose", x, w, groups, "out / groups, in")
    if x.shape[3] != w.shape[3] or w.shape[3] % groups:
        raise ValueError(
            f"conv2d_transpose: {describe(x)} has {x.shape[3]} channels (axis 3), but the kernel "
            f"{w.shape} takes {w.shape[3]} (axis 3, a multiple of groups={groups}): transposed "
            "kernels are (height, width, out / groups, in)"
        )
    out, kernel = tuple(x.shape[1:3]), tuple(w.shape[:2])
    stride, dilation = pair(key(stride), "stride", 1), pair(key(dilation), "dilation", 1)
    if output_size is None:
        pads = ((0, 0), (0, 0)) if padding == "same" else pads_of(key(padding))
        size = tuple(
            p * s if padding == "same" else (p - 1) * s + (k - 1) * d + 1 - sum(pad)
            for p, s, k, d, pad in zip(out, stride, kernel, dilation, pads, strict=True)
        )
    else:
        size = tuple(output_size)
    if min(size) < 1:
        raise ValueError(
            f"conv2d_transpose: padding {padding!r} leaves an image of {size} for {describe(x)} "
            f"and a kernel of {kernel}: use less padding, or name the output_size"
        )
    geometry = Geometry.of(size, kernel, stride, key(padding), dilation, groups)
    if geometry.out != out:
        raise ValueError(
            f"conv2d_transpose: conv2d maps an image of {size} to {geometry.out}, not to the "
            f"{out} of {describe(x)}: choose an output_size that it maps to {out}"
        )
    _check_finish("conv2d_transpose", b, w.shape[2] * groups, activation)
    return _layer(conv_x, conv_transpose_layer, x, w, b, (geometry,), activation)


def conv2d_weight(
    x: T | Array,
    y: T | Array,
    kernel_size: int | Pair,
    *,
    stride: int | Pair = 1,
    padding: Padding = "same",
    dilation: int | Pair = 1,
    groups: int = 1,
) -> T:
    """The gradient of ``<conv2d(x, w), y>`` with respect to `w`, for a kernel of `kernel_size`.

    Parameters
    ----------
    x : Tensor or array (N, H, W, C)
    y : Tensor or array (N, P, Q, F)
    kernel_size : (int, int)
    stride, dilation : int or (int, int), default=1
    padding : {"same", "valid"}, int or ((top, bottom), (left, right)), default="same"
        "same" is TensorFlow's: the odd pixel goes at the end.
    groups : int, default=1

    Returns
    -------
    Tensor or array (kh, kw, C / groups, F)

    Examples
    --------
    >>> conv2d_weight(np.ones((1, 3, 3, 1)), np.ones((1, 3, 3, 1)), 1)[0, 0]
    array([[9.]])
    """
    if getattr(x, "ndim", 0) != 4 or getattr(y, "ndim", 0) != 4:
        raise ValueError(
            "conv2d_weight: expected images x (N, height, width, channels) and y of what conv2d "
            f"makes of them, got {describe(x)} and {describe(y)}"
        )
    kernel = pair(key(kernel_size), "kernel_size", 1, "conv2d_weight")
    geometry = Geometry.of(x.shape[1:3], kernel, key(stride), key(padding), key(dilation), groups)
    if (x.shape[0], *geometry.out) != tuple(y.shape[:3]):
        raise ValueError(
            f"conv2d_weight: conv2d maps {describe(x)} to {(x.shape[0], *geometry.out)} with "
            f"kernel {kernel}, got y: {describe(y)}: use the settings that y was made with"
        )
    return conv_w(x, y, geometry)


def dense(
    x: T | Array, w: T | Array, b: T | Array | None = None, *, activation: Activation = None
) -> T:
    """The dense layer ``activation(x @ w + b)``: (N, in), (in, out), (out,) -> (N, out).

    Parameters
    ----------
    x : Tensor or array (N, in)
    w : Tensor or array (in, out)
    b : Tensor or array (out,), default=None
    activation : str or callable, default=None
        "relu", "gelu" and others of `minigrad.activations`, or a function.

    Returns
    -------
    Tensor or array (N, out)

    Examples
    --------
    >>> dense(np.ones((1, 2)), np.ones((2, 1)), np.array([-5.0]), activation="relu")
    array([[0.]])
    """
    if getattr(w, "ndim", 0) != 2 or getattr(x, "ndim", 0) < 1 or x.shape[-1] != w.shape[0]:
        raise ValueError(
            f"dense: expected x (N, in) and w (in, out), got {describe(x)} and {describe(w)}: "
            "the last axis of x must be as long as the first of w"
        )
    _check_finish("dense", b, w.shape[1], activation)
    return _layer(matmul, dense_layer if x.ndim == 2 else None, x, w, b, (), activation)


def _layer(
    linear: Callable[..., Any],
    fused: Callable[..., Any] | None,
    x: Any,
    w: Any,
    b: Any,
    settings: tuple[Any, ...],
    activation: Activation,
) -> Any:
    """``activation(linear(x, w) + b)``, by the `fused` primitive where there is one."""
    if fused and b is not None and (activation is None or activation in list(FUSED)):
        return fused(x, w, b, *settings, activation)
    y = linear(x, w, *settings)
    y = y if b is None else y + b
    if activation is None:
        return y
    return activation(y) if callable(activation) else activations[activation](y)


def _check_finish(name: str, b: Any, channels: int, activation: Activation) -> None:
    if b is not None and tuple(getattr(b, "shape", ())) != (channels,):
        raise ValueError(
            f"{name}: expected a bias with one number for each output channel, ({channels},), "
            f"got {describe(b)}"
        )
    if not (activation is None or callable(activation) or activation in activations):
        names = ", ".join(map(repr, activations))
        raise ValueError(f"{name}: unknown activation {activation!r}: use {names}, or a function")


def _check(name: str, x: Any, w: Any, groups: Any, last: str) -> None:
    if getattr(x, "ndim", 0) != 4 or getattr(w, "ndim", 0) != 4:
        raise ValueError(
            f"{name}: expected images (N, height, width, channels) and a kernel (height, width, "
            f"{last}), got {describe(x)} and {describe(w)}: add the missing axes with reshape"
        )
    if not isinstance(groups, int) or groups < 1:
        raise ValueError(f"{name}: groups must be an integer of at least 1, got {groups!r}")


def dropout(x: T | Array, rate: float, rng: Random) -> T:
    """`x` with each element set to 0 with probability `rate`, the others divided by 1 - `rate`.

    The expectation stays that of `x`. `rng` is a `numpy.random.Generator`, on every device,
    or a `minigrad.random.Philox`.

    Parameters
    ----------
    x : Tensor or array
    rate : float in [0, 1)
    rng : numpy.random.Generator or minigrad.random.Philox

    Returns
    -------
    Tensor or array of the shape of `x`

    Examples
    --------
    >>> dropout(np.ones(4), 0.5, np.random.default_rng(0))
    array([2., 0., 0., 0.])
    """
    check_floats("dropout", x)
    if not (isinstance(rate, Real) and 0 <= rate < 1):
        raise ValueError(f"dropout: the rate must be at least 0 and below 1, got {rate!r}")
    check_rng("dropout", rng, or_philox=True)
    return x * _beside(x, opaque(_mask, rng, x.shape, rate))


def gaussian_noise(x: T | Array, std: T | Plain, rng: Random) -> T:
    """`x` plus independent normal noise of standard deviation `std` (a number or an array).

    Parameters
    ----------
    x : Tensor or array
    std : float or array
    rng : numpy.random.Generator or minigrad.random.Philox

    Returns
    -------
    Tensor or array of the shape of `x`
    """
    check_floats("gaussian_noise", x)
    check_numbers("gaussian_noise", std)
    check_rng("gaussian_noise", rng, or_philox=True)
    noise = opaque(_normal, rng, x.shape)
    return x + _beside(x, multiply(noise, std))


def check_rng(name: str, rng: object, or_philox: bool = False) -> None:
    """Raise TypeError unless `rng` is a numpy Generator (`or_philox`: or a `Philox`, which draws
    uniform and normal numbers, but has no permutations and no other distributions)."""
    if isinstance(rng, np.random.Generator) or (or_philox and isinstance(rng, Philox)):
        return
    other = " or a minigrad.random.Philox" if or_philox else ""
    raise TypeError(
        f"{name}: rng must be a numpy.random.Generator{other}, got {type(rng).__name__}: "
        "pass np.random.default_rng(seed); there is no hidden global state to fall back on"
    )


def _mask(rng: Any, shape: Shape, rate: float) -> Array:
    keep = rng.random(shape) >= rate
    return keep / (1 - rate)


def _normal(rng: Any, shape: Shape) -> Array:
    return rng.standard_normal(shape)


def _beside(x: Any, values: Any) -> Any:
    """`values`, made on any device, with the dtype and on the device of `x`."""
    data = x if is_array(x) else x._data
    if isinstance(values, Tensor):
        return values.astype(data.dtype)
    return opaque(_moved, values, device_of(data), data.dtype)


def _moved(values: Array, device: str, dtype: Any) -> Array:
    return to_device(values, device).astype(dtype, copy=False)
