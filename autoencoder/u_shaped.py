"""A U-shaped network that says what the noise is: a denoiser without a bottleneck.

What is subtracted from the input is easier to learn than what remains, because next to it the
network begins as the identity (K. Zhang et al., "Beyond a Gaussian denoiser", 2017). A smaller copy
of the image, half as high and wide, sees further; what it says joins what was known before it got
smaller (O. Ronneberger et al., "U-Net", 2015). So nothing is described by few numbers: the "code"
is the image without its noise.

>>> from autoencoder import DenoisingAutoencoder
>>> import numpy as np
>>> X = np.random.default_rng(0).random((40, 64), dtype=np.float32)
>>> params = dict(network="u_shaped", image_shape=(8, 8, 1), max_epochs=1, random_state=0)
>>> model = DenoisingAutoencoder(64, **params).fit(X)
>>> model.reconstruct(X).shape
(40, 64)
"""

import math

from minigrad import concatenate
from minigrad.nn import Conv2D, Conv2DTranspose, Flatten, Module, Reshape, Sequential


class Residual(Module):
    """Images less the noise that is seen in them: rows (N, H * W * C) -> (N, H * W * C).

    Five convolutions of 3x3; `widths` are their channels at full and at half size. The last begins
    with zeros, and so the whole as the identity.
    """

    def __init__(self, image_shape, widths, activation, **make):
        height, width, channels = image_shape
        full, half = widths
        inner = dict(activation=activation, **make)
        self.image = Reshape(height, width, channels)
        self.first = Conv2D(channels, full, **inner)  # (N, H, W, full)
        self.lower = Sequential(
            Conv2D(full, half, stride=2, **inner),  # (N, H/2, W/2, half)
            Conv2D(half, half, **inner),
            Conv2DTranspose(half, full, stride=2, output_size=(height, width), **inner),
        )  # (N, H, W, full)
        self.last = Conv2D(2 * full, channels, weight_init="zeros", **make)  # (N, H, W, channels)
        self.flat = Flatten()

    def forward(self, x):
        first = self.first(self.image(x))
        noise = self.last(concatenate([first, self.lower(first)], axis=3))
        return x - self.flat(noise)


def network(sizes, code, rng, dtype):
    """The U-shaped network, as the `network` of an `Autoencoder`: its encoder and its decoder.

    ``sizes.hidden`` are the channels at full and at half size, (16, 32) unless it says otherwise.
    The decoder gives back what it reads. Raises ValueError where there is no `image_shape`, or the
    code is not as long as the rows.
    """
    shape, n_features, width = sizes.image_shape, sizes.n_features, code.width(sizes.n_components)
    if shape is None or math.prod(shape) != n_features:
        raise ValueError(
            f'network="u_shaped" is for images, got image_shape={shape} and rows of {n_features}: '
            "name the (height, width, channels) that they were flattened from"
        )
    if width != n_features or sizes.n_labels:
        raise ValueError(
            'network="u_shaped" has no code but the image without its noise: use '
            f"n_components={n_features}, a point code and no labels, got n_components="
            f"{sizes.n_components} and {code!r}"
        )
    widths = sizes.hidden or (16, 32)
    if len(widths) != 2:
        raise ValueError(
            'network="u_shaped": hidden must be the channels at full and at half size, such as '
            f"(16, 32), got {sizes.hidden}"
        )
    activation = None if sizes.activation == "linear" else sizes.activation
    encoder = Residual(shape, widths, activation, rng=rng, dtype=dtype)
    return encoder, Flatten()
