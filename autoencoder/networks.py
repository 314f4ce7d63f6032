"""The two networks of an autoencoder, each the mirror image of the other.

The encoder turns rows (N, D) into `h` (N, code.width(n_components)), the decoder codes
(N, n_components) into `t` (N, D), what the likelihood needs to know of the data. Both are dense, or
with an `image_shape` convolutional: every hidden layer halves the image, and the decoder gives back
exactly the sizes that the encoder had.
"""

import math

import numpy as np

from minigrad import dense
from minigrad.functional import activations
from minigrad.nn import (
    Conv2D,
    Conv2DTranspose,
    Dense,
    Dropout,
    Flatten,
    Module,
    Parameter,
    Reshape,
    Sequential,
)


class TiedDense(Module):
    """A dense layer that reads another's `weight` backwards: (N, in_features) -> (N, out).

    `weight` is (out, in_features or more), of which the first columns are used; the bias is new.
    """

    def __init__(self, weight, in_features, *, activation=None):
        self.activation, self.in_features = activation, in_features
        self.weight = weight  # the same Parameter: its gradient is the sum of both uses
        self.bias = Parameter(np.zeros(weight.shape[0], weight.dtype))

    def forward(self, x):
        whole = self.in_features == self.weight.shape[1]
        weight = self.weight if whole else self.weight[:, : self.in_features]
        return dense(x, weight.T, self.bias, activation=self.activation)

    def extra_repr(self):
        return f"{self.in_features} -> {self.weight.shape[0]}, tied"


class Network(Module):
    """Encoder and decoder of `n_features` numbers through `n_components` code units.

    `hidden`: the widths of the hidden dense layers from data to code; with
    ``image_shape=(H, W, C)``, H * W * C = n_features, the channels of 3x3 convolutions of stride 2.
    `activation` ("relu", "sigmoid", "tanh", "softplus" or "linear") follows each of them, then
    while training dropout at rate `dropout`, drawn from `dropout_rng`. With ``tied=True`` the
    decoder uses the encoder's weights transposed, with biases of its own. `code` is a
    `PointCode` or `GaussianCode`; `dtype` and the numpy Generator `rng` make the weights.

    >>> from autoencoder.code import GaussianCode
    >>> rng = np.random.default_rng(0)
    >>> network = Network(784, 16, hidden=(128,), code=GaussianCode(), dtype=np.float32, rng=rng)
    >>> h = network.encode(np.zeros((5, 784), np.float32))
    >>> h.shape, network.decode(h[:, :16]).shape
    ((5, 32), (5, 784))
    """

    def __init__(
        self,
        n_features,
        n_components,
        *,
        hidden=(),
        activation="relu",
        image_shape=None,
        tied=False,
        dropout=0.0,
        code,
        dtype,
        rng,
        dropout_rng=None,
    ):
        _check(n_features, n_components, hidden, activation, image_shape, dropout)
        make = dict(dtype=dtype, rng=rng)
        inner = None if activation == "linear" else activation  # between data and code
        convolutional = image_shape is not None and len(hidden) > 0
        *size, width = image_shape if convolutional else (n_features,)
        layers, mirrors = [], []  # from data to code; each mirror leads one layer back
        for k, units in enumerate(hidden):
            pair = _convolutions if convolutional else _dense_layers
            back = inner if k else None  # the last mirror gives t itself
            layer, mirror = pair(width, units, size, inner, back, tied, make)
            layers.append(layer)
            mirrors.append(mirror)
            size, width = [math.ceil(n / 2) for n in size], units
        flat = math.prod(size) * width
        layers.append(Dense(flat, code.width(n_components), **make))
        mirrors.append(_mirror(layers[-1], n_components, inner if hidden else None, tied, make))

        encoder = _with_dropout(layers, dropout, dropout_rng)
        decoder = _with_dropout(mirrors[::-1], dropout, dropout_rng)
        if convolutional:
            encoder = [Reshape(*image_shape), *encoder[:-1], Flatten(), encoder[-1]]
            decoder = [decoder[0], Reshape(*size, width), *decoder[1:], Flatten()]
        self.encoder = Sequential(*encoder)
        self.decoder = Sequential(*decoder)

    def encode(self, x):
        """What the encoder says about data `x`: (N, D) -> (N, code.width(n_components))."""
        return self.encoder(x)

    def decode(self, z):
        """What the decoder says about codes `z`: (N, n_components) -> (N, D)."""
        return self.decoder(z)


# ---------------------------------------------------------------------- pairs of layers
def _dense_layers(n_in, n_out, size, activation, back, tied, make):
    """A dense layer n_in -> n_out and its mirror, which ends in the activation `back`."""
    layer = Dense(n_in, n_out, activation=activation, **make)
    return layer, _mirror(layer, n_out, back, tied, make)


def _mirror(layer, n_in, activation, tied, make):
    """The dense layer from `n_in` units back to the inputs of `layer`."""
    if tied:
        return TiedDense(layer.weight, n_in, activation=activation)
    return Dense(n_in, layer.weight.shape[0], activation=activation, **make)


def _convolutions(n_in, n_out, size, activation, back, tied, make):
    """A convolution that halves images of `size`, and the transposed one that gives it back."""
    layer = Conv2D(n_in, n_out, stride=2, activation=activation, **make)
    mirror = Conv2DTranspose(
        n_out, n_in, stride=2, output_size=tuple(size), activation=back, **make
    )
    if tied:
        mirror.weight = layer.weight  # (3, 3, n_in, n_out): the transposed reads it backwards
    return layer, mirror


def _with_dropout(layers, rate, rng):
    """The layers with a `Dropout` after each but the last, where the rate is above 0."""
    if not rate:
        return list(layers)
    return [item for layer in layers for item in (layer, Dropout(rate, rng=rng))][:-1]


def _check(n_features, n_components, hidden, activation, image_shape, dropout):
    if not isinstance(hidden, tuple | list):
        raise ValueError(
            f"Network: hidden must be a tuple of widths, such as (256, 64), got {hidden!r}"
        )
    if image_shape is not None and (
        not isinstance(image_shape, tuple | list)
        or len(image_shape) != 3
        or math.prod(image_shape) != n_features
    ):
        raise ValueError(
            "Network: image_shape must be (height, width, channels) with a product of "
            f"n_features = {n_features}, got {image_shape!r}: name the shape that the rows were "
            "flattened from"
        )
    counts = [n_features, n_components, *hidden, *(image_shape or ())]
    if not all(isinstance(n, int | np.integer) and n > 0 for n in counts):
        raise ValueError(
            "Network: n_features, n_components, the hidden widths and the image_shape must be "
            f"whole numbers above 0, got {n_features!r}, {n_components!r}, {tuple(hidden)!r} and "
            f"{image_shape!r}"
        )
    if activation != "linear" and activation not in activations:
        names = ", ".join(map(repr, activations))
        raise ValueError(f"Network: unknown activation {activation!r}: use {names} or 'linear'")
    if not 0 <= dropout < 1:
        raise ValueError(f"Network: dropout must be at least 0 and below 1, got {dropout!r}")
