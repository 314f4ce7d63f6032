"""The reference model: a deep convolutional autoencoder for 400 faces of 32x32 pixels.

It is an `Autoencoder` like every other: this file is its network, its settings and the figures that
it was published with. Four convolutions and a dense layer turn a face into 256 numbers between 0
and 1; four transposed convolutions turn those, read as a 16x16 image, back into a face.

>>> from autoencoder import Autoencoder
>>> model = Autoencoder(**settings())
>>> model.n_components, model.max_epochs
(256, 600)
"""

import math

from minigrad.nn import Conv2D, Conv2DTranspose, Dense, Flatten, Reshape, Sequential

__all__ = ["network", "published", "settings"]

ARTICLE = [(1, 11.933), (2, 10.294), (3, 9.918), (600, 0.4636)]  # its (epoch, loss per image)


def network(sizes, code, rng, dtype):
    """The reference network, as the `network` of an `Autoencoder`: its encoder and its decoder.

    Parameters
    ----------
    sizes : `networks.Sizes`, whose image_shape is (size, size, 1) with an even size.
    code : the code part, which says how many numbers the encoder gives.
    rng : the numpy Generator that draws the weights.
    dtype : of the weights.

    Notes
    -----
    For 32x32 images and 256 code units it is the published network of 8,579,841 parameters. Where
    the code does not have the (size / 2)**2 numbers that the decoder starts from, one more dense
    layer makes them.
    """
    shape = sizes.image_shape
    if shape is None or shape[0] != shape[1] or shape[0] % 2 or shape[2] != 1:
        raise ValueError(
            'network="olivetti" is for square grey images with an even number of pixels a side, '
            f"got image_shape={shape}: use image_shape=(32, 32, 1), or another network"
        )
    make = dict(dtype=dtype, rng=rng)
    half = shape[0] // 2
    encoder = Sequential(
        Reshape(*shape),
        Conv2D(1, 16, stride=2, activation="relu", **make),  # (N, half, half, 16)
        Conv2D(16, 32, activation="relu", **make),
        Conv2D(32, 64, activation="relu", **make),
        Conv2D(64, 128, activation="relu", **make),  # (N, half, half, 128)
        Flatten(),
        Dense(half * half * 128, code.width(sizes.n_components), **make),
    )
    expand = []
    if sizes.n_components != half * half:
        expand = [Dense(sizes.n_components, half * half, activation="sigmoid", **make)]
    decoder = Sequential(
        *expand,
        Reshape(half, half, 1),
        Conv2DTranspose(1, 128, stride=2, activation="relu", **make),  # (N, size, size, 128)
        Conv2DTranspose(128, 64, activation="relu", **make),
        Conv2DTranspose(64, 32, activation="relu", **make),
        Conv2DTranspose(32, 1, activation="sigmoid", **make),  # (N, size, size, 1)
        Flatten(),
    )
    return encoder, decoder


def settings(size=32, batch_size=50):
    """The parameters with which an `Autoencoder` of size x size images is the reference model.

    Two habits of the original TensorFlow 1 program are kept, because its published curve depends on
    them. An epoch leaves out its last batch (``range(0, 350, 50)`` of 400 faces). And its loss is
    the sum over a batch, with Adam's epsilon in the form of TensorFlow 1; the loss of an
    `Autoencoder` is the mean, so the same steps need an epsilon that is smaller by the batch size.

    Parameters
    ----------
    size : int, default=32
    batch_size : int, default=50

    Returns
    -------
    dict
    """
    return {
        "n_components": 256,
        "network": "olivetti",
        "image_shape": (size, size, 1),
        "code": "sigmoid",
        "likelihood": "gaussian",  # of variance 1: half the squared error, and a constant
        "solver": "adam",
        "solver_options": {"epsilon": 1e-8 / batch_size, "epsilon_hat": True},
        "learning_rate": 0.001,
        "schedule": None,
        "scale": None,
        "batch_size": batch_size,
        "skip_last_batch": True,
        "max_epochs": 600,
    }


def published(l2_loss, n_samples=400, batch_size=50):
    """An `l2_loss` as the article counts it, and the article's curve in our measure.

    The original program divides the loss of the images that an epoch used by the number of all, so
    its 0.4636 are 0.530 for each image that it used.

    Parameters
    ----------
    l2_loss : float
    n_samples, batch_size : int, default=400, 50

    Returns
    -------
    loss, curve : float, list of (epoch, l2_loss)

    Examples
    --------
    >>> loss, curve = published(0.53)
    >>> round(loss, 4), curve[-1][0], round(curve[-1][1], 3)
    (0.4637, 600, 0.53)
    """
    steps = max(math.ceil(n_samples / batch_size) - 1, 1)
    share = min(steps * batch_size, n_samples) / n_samples
    return l2_loss * share, [(epoch, loss / (350 / 400)) for epoch, loss in ARTICLE]
