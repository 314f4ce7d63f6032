"""The network of an autoencoder: an encoder and a decoder, the usual ones or the user's own.

The encoder turns rows (N, D) into `h` (N, code.width(n_components)), the decoder latent codes
(N, n_components) into `t` (N, D), what the likelihood needs to know of the data. The usual ones are
mirror images of each other: dense, or with an `image_shape` convolutional, where every hidden layer
halves the image and the decoder gives back exactly the sizes that the encoder had.
"""

import inspect
import math
from typing import NamedTuple

import numpy as np

from minigrad import concatenate, dense, no_grad, tensor
from minigrad.functional import activations
from minigrad.nn import (
    Buffer,
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

from . import olivetti, u_shaped


class TiedDense(Module):
    """A dense layer that reads another's `weight` backwards: (N, in_features) -> (N, out).

    `weight` is (out, in_features or more), of which the first columns are used; the bias is new.
    """

    torch_axes, torch_linear = (0, 1), True  # a Linear in PyTorch

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
    """An encoder and a decoder, each a Module; `build` makes and checks them.

    `center` and `offset` are (D,) arrays, or None for zeros: what is subtracted from the data
    before the encoder, and added to what the decoder says. They are the data's mean and what the
    decoder says where it knows no more than that, so that both begin with numbers around 0. Neither
    is trained. Of a conditional autoencoder the last `n_labels` columns of what the encoder reads,
    and of what the decoder reads, are labels.

    >>> from autoencoder.parts import GaussianCode
    >>> rng = np.random.default_rng(0)
    >>> network = build(Sizes(784, 16, hidden=(128,)), GaussianCode(), rng)
    >>> h = network.encode(np.zeros((5, 784), np.float32))
    >>> h.shape, network.decode(h[:, :16]).shape
    ((5, 32), (5, 784))
    """

    def __init__(self, encoder, decoder, center=None, offset=None, n_labels=0, layer=None):
        self.encoder, self.decoder, self.n_labels = encoder, decoder, n_labels
        self.layer = layer
        self.center = None if center is None else Buffer(center)
        self.offset = None if offset is None else Buffer(offset)

    def encode(self, x):
        """What the encoder, and the code's `layer` where it has one, says about data `x`: (N, D) ->
        (N, code.width(n_components)), after a layer as wide as that makes it."""
        h = self.encoder(x if self.center is None else x - self.center)
        return h if self.layer is None else self.layer(h)

    def split(self, x):
        """The data (N, D) and the labels (N, n_labels) beside them, or None where there are none.

        The same of codes, where labels are beside those.
        """
        columns = x.shape[1] - self.n_labels
        return (x[:, :columns], x[:, columns:]) if self.n_labels else (x, None)

    def decode(self, z, labels=None):
        """What the decoder says about codes `z`, which have labels beside them, or get these:
        (N, n_components) -> (N, D)."""
        t = self.decoder(z if labels is None else concatenate([z, labels], axis=1))
        return t if self.offset is None else t + self.offset


class Sizes(NamedTuple):
    """What a network is built for: the first argument of a network function.

    `n_features` is D, the length of a row; with ``image_shape=(H, W, C)``, H * W * C = D, rows are
    flattened images. `n_components` is the length of the latent code. `n_labels` is how many
    columns of labels follow those, of what the encoder reads and of what the decoder reads. The
    others are the estimator's parameters of the same names, which a network function may use or
    not.
    """

    n_features: int
    n_components: int
    hidden: tuple = ()
    activation: str = "relu"
    image_shape: tuple | None = None
    tied: bool = False
    dropout: float = 0.0
    n_labels: int = 0


def build(
    sizes, code, rng, dtype=np.float32, *, network=None, center=None, offset=None, dropout_rng=None
):
    """A new `Network` with weights of `dtype` drawn from the numpy Generator `rng`.

    `network` is None (dense from ``sizes.hidden``, or with a ``sizes.image_shape`` convolutional),
    a name of `NETWORKS`, or a function ``(sizes, code, rng, dtype) -> (encoder, decoder)``. `code`
    is the code part. `center`, `offset` (see `Network`) and `dropout_rng`, which draws the dropout,
    are for the first kind.

    Raises ValueError for sizes that no network has, and ValueError or TypeError where the function
    gives something else than two Modules that fit the data and the code.
    """
    _check(sizes)
    n_labels = sizes.n_labels
    if network is None:
        made = _mirrored(sizes, code, rng, dtype, dropout_rng)
        return Network(*made, center, offset, n_labels, code.layer(sizes.n_components, rng, dtype))
    name = network if isinstance(network, str) else getattr(network, "__name__", repr(network))
    function = NETWORKS[network] if isinstance(network, str) else network
    try:
        inspect.signature(function).bind(sizes, code, rng, dtype)
    except TypeError as error:
        raise TypeError(
            f"network {name}: it is called with (sizes, code, rng, dtype): {error}"
        ) from None
    made = function(sizes, code, rng, dtype)
    pair = isinstance(made, tuple | list) and len(made) == 2
    if not pair or not all(isinstance(module, Module) for module in made):
        got = ", ".join(type(m).__name__ for m in made) if pair else type(made).__name__
        raise TypeError(
            f"network {name}: expected an encoder and a decoder, two minigrad.nn.Modules, got {got}"
        )
    layer = code.layer(sizes.n_components, rng, dtype)
    whole = Network(*made, n_labels=n_labels, layer=layer)
    if not whole.parameters():
        raise ValueError(f"network {name}: it has no parameters to train")
    wrong = {str(p.dtype) for p in whole.parameters() if p.dtype != dtype}
    if wrong:
        raise TypeError(
            f"network {name}: its weights are {', '.join(wrong)}, the data {np.dtype(dtype)}: hand "
            "the argument dtype on to every layer"
        )
    width = code.width(sizes.n_components)
    whole.eval()
    given = [(1, n + n_labels) for n in (sizes.n_features, sizes.n_components)]
    _try(name, "encoder", whole.encoder, given[0], (1, width), dtype)
    _try(name, "decoder", whole.decoder, given[1], (1, sizes.n_features), dtype)
    return whole.train()


@no_grad()
def _try(name, which, function, given, expected, dtype):
    """Refuse a network function whose modules do not fit the sizes that it was given."""
    try:
        out = function(tensor(np.zeros(given, dtype)))
    except (ValueError, TypeError, IndexError) as error:
        raise ValueError(
            f"network {name}: its {which} cannot read an array of shape {given}: {error}"
        ) from error
    if getattr(out, "shape", None) != expected:
        got = getattr(out, "shape", type(out).__name__)
        raise ValueError(
            f"network {name}: its {which} turns an array of shape {given} into {got}, expected "
            f"{expected}: flattened rows of data and codes are what goes in and comes out"
        )


# ---------------------------------------------------------------------- dense or convolutional
def _mirrored(sizes, code, rng, dtype, dropout_rng):
    """Encoder and decoder, each the mirror image of the other."""
    make = dict(dtype=dtype, rng=rng)
    activation, image_shape, tied = sizes.activation, sizes.image_shape, sizes.tied
    inner = None if activation == "linear" else activation  # between data and code
    convolutional = image_shape is not None and len(sizes.hidden) > 0
    *size, width = image_shape if convolutional else (sizes.n_features,)
    labels = 0 if convolutional else sizes.n_labels  # of the next layer; see `_WithLabels`
    layers, mirrors = [], []  # from data to code; each mirror leads one layer back
    for k, units in enumerate(sizes.hidden):
        pair = _convolutions if convolutional else _dense_layers
        back = inner if k else None  # the last mirror gives t itself
        layer, mirror = pair(width, units, size, inner, back, tied, make, labels)
        layers.append(layer)
        mirrors.append(mirror)
        size, width, labels = [math.ceil(n / 2) for n in size], units, 0
    flat = math.prod(size) * width
    labels = sizes.n_labels if convolutional else labels
    layers.append(Dense(flat + labels, code.width(sizes.n_components), **make))
    back = inner if sizes.hidden else None
    given = sizes.n_components + sizes.n_labels
    mirrors.append(_mirror(layers[-1], given, flat, back, tied, make))

    encoder = _with_dropout(layers, sizes.dropout, dropout_rng)
    decoder = _with_dropout(mirrors[::-1], sizes.dropout, dropout_rng)
    if convolutional:
        encoder = [Reshape(*image_shape), *encoder[:-1], Flatten(), encoder[-1]]
        if sizes.n_labels:
            convolutions = Sequential(*encoder[:-1])
            encoder = [_WithLabels(convolutions, sizes.n_features, (flat, width)), encoder[-1]]
        decoder = [decoder[0], Reshape(*size, width), *decoder[1:], Flatten()]
    return Sequential(*encoder), Sequential(*decoder)


class _WithLabels(Module):
    """Convolutions `inner` of the first `n_features` columns, and the others, labels, beside what
    these give: (N, n_features + n_labels) -> (N, units + n_labels). ``flattened=(units, channels)``
    is what `minigrad.interchange` asks for."""

    def __init__(self, inner, n_features, flattened):
        self.inner, self.n_features, self.torch_flattened = inner, n_features, flattened

    def forward(self, x):
        return concatenate([self.inner(x[:, : self.n_features]), x[:, self.n_features :]], axis=1)


def _dense_layers(n_in, n_out, size, activation, back, tied, make, labels):
    """A dense layer n_in + labels -> n_out and its mirror n_out -> n_in, which ends in the
    activation `back`."""
    layer = Dense(n_in + labels, n_out, activation=activation, **make)
    return layer, _mirror(layer, n_out, n_in, back, tied, make)


def _mirror(layer, n_in, n_out, activation, tied, make):
    """The dense layer from `n_in` units back to the inputs of `layer`, of which labels are none."""
    if tied:
        return TiedDense(layer.weight, n_in, activation=activation)
    return Dense(n_in, n_out, activation=activation, **make)


def _convolutions(n_in, n_out, size, activation, back, tied, make, labels):
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


def _check(sizes):
    shape, hidden, D = sizes.image_shape, sizes.hidden, sizes.n_features
    if not isinstance(hidden, tuple | list):
        raise ValueError(f"hidden must be a tuple of widths, such as (256, 64), got {hidden!r}")
    is_image = isinstance(shape, tuple | list) and len(shape) == 3 and math.prod(shape) == D
    if shape is not None and not is_image:
        raise ValueError(
            f"image_shape must be (height, width, channels) with a product of the {D} features, "
            f"got {shape!r}: name the shape that the rows were flattened from"
        )
    counts = [D, sizes.n_components, *hidden, *(shape or ())]
    if not all(isinstance(n, int | np.integer) and n > 0 for n in counts):
        raise ValueError(f"all sizes of a network must be whole numbers above 0, got {sizes}")
    if sizes.activation not in (*activations, "linear"):
        names = ", ".join(map(repr, activations))
        raise ValueError(f"unknown activation {sizes.activation!r}: use {names} or 'linear'")
    if sizes.tied and sizes.n_labels:
        raise ValueError(
            "tied weights leave no place for the labels, which both encoder and decoder read: use "
            "tied=False with conditional=True"
        )
    if not 0 <= sizes.dropout < 1:
        raise ValueError(f"dropout must be at least 0 and below 1, got {sizes.dropout!r}")


# network functions that have a name, also in files
NETWORKS = {"olivetti": olivetti.network, "u_shaped": u_shaped.network}
