"""The reference model: a deep convolutional autoencoder for 400 faces, and its denoising version.

Four convolutions and a dense layer turn a 32x32 face into 256 numbers between 0 and 1; four
transposed convolutions turn those, read as a 16x16 image, back into a face. Trained on the sum of
squared differences by Adam, 600 epochs of 7 batches of 50.

Two habits of the original TensorFlow 1 program are kept, because its published curve depends on
them: an epoch leaves out the last batch of its shuffled faces (``range(0, 350, 50)``), and the loss
that it reports is the sum over those 350 faces divided by all 400.
"""

from dataclasses import dataclass

import numpy as np

from minigrad import optim
from minigrad.nn import Conv2D, Conv2DTranspose, Dense, Flatten, Module, Reshape, Sequential

from .epochs import OnCPU, OnGPU

ARTICLE = [(1, 11.933), (2, 10.294), (3, 9.918), (600, 0.4636)]  # its (epoch, loss per sample)


class DeepAutoencoder(Module):
    """The reference network: images (N, size, size, 1) -> (reconstructions, codes).

    With ``size=32, code_length=256`` it is the published one, 8,579,841 parameters. Elsewhere the
    code does not have the (size / 2)**2 elements that the decoder starts from, and one more dense
    layer makes them.

    >>> model = DeepAutoencoder(rng=np.random.default_rng(0))
    >>> f"{sum(p.size for p in model.parameters()):,}"
    '8,579,841'
    """

    def __init__(self, size=32, code_length=256, *, dtype=np.float32, rng):
        if size < 2 or size % 2 or code_length < 1:
            raise ValueError(
                f"DeepAutoencoder: the image size must be even and the code not empty, "
                f"got size={size} and code_length={code_length}"
            )
        make = dict(dtype=dtype, rng=rng)
        half = size // 2
        self.encoder = Sequential(
            Conv2D(1, 16, stride=2, activation="relu", **make),  # (N, half, half, 16)
            Conv2D(16, 32, activation="relu", **make),
            Conv2D(32, 64, activation="relu", **make),
            Conv2D(64, 128, activation="relu", **make),  # (N, half, half, 128)
            Flatten(),
            Dense(half * half * 128, code_length, activation="sigmoid", **make),
        )
        expand = (
            []
            if code_length == half * half
            else [Dense(code_length, half * half, activation="sigmoid", **make)]
        )
        self.decoder = Sequential(
            *expand,
            Reshape(half, half, 1),
            Conv2DTranspose(1, 128, stride=2, activation="relu", **make),  # (N, size, size, 128)
            Conv2DTranspose(128, 64, activation="relu", **make),
            Conv2DTranspose(64, 32, activation="relu", **make),
            Conv2DTranspose(32, 1, activation="sigmoid", **make),  # (N, size, size, 1)
        )

    def forward(self, x):
        code = self.encoder(x)
        return self.decoder(code), code


@dataclass(frozen=True)
class Epoch:
    """What one epoch did.

    `loss` is per sample as the reference program counts it, `code_mean` the mean of all code
    elements, `code_spread` how much the codes differ between the images of the last batch: the
    standard deviation of each element, averaged.
    """

    epoch: int
    loss: float
    code_mean: float
    code_spread: float


def collapsed(history):
    """Whether the codes have been the same for every image over the last three epochs.

    About half of all initial weights end so within ten epochs, here as in PyTorch and for the same
    weights: each step of Adam moves all 32,768 weights of a code unit by 0.001, which is enough to
    push its sigmoid so far out that no gradient comes back. Once all units are out, the decoder
    learns the mean face and the encoder nothing more. A run that reached a good loss did not have
    this bad luck; one that had it is best begun again.
    """
    return len(history) >= 3 and all(e.code_spread < 1e-6 for e in history[-3:])


def adam(model, learning_rate=0.001):
    """The optimiser of the reference program: Adam with TensorFlow 1's epsilon."""
    return optim.Adam(model.parameters(), lr=learning_rate, epsilon_hat=True)


def train(
    model,
    images,
    optimiser,
    *,
    epochs=600,
    done=0,
    batch_size=50,
    size=32,
    noise_std=0.0,
    order_rng,
    noise_rng=None,
):
    """Train `model` on `images` (N, H, W, 1) and yield an `Epoch` after each pass.

    `done` is how many of the `epochs` were made before, with this model, optimiser and generators.
    With `noise_std` the model reads noisy images, drawn afresh each time at full size, and is still
    scored against the clean ones. `order_rng` is a numpy Generator; so is `noise_rng` on the CPU,
    on the GPU it is a `minigrad.random.Philox` of that device.
    """
    kind = OnCPU if model.parameters()[0].device == "cpu" else OnGPU
    one_pass = kind(
        model,
        optimiser,
        images,
        batch_size=batch_size,
        size=size,
        noise_std=noise_std,
        noise_rng=noise_rng,
    )
    for epoch in range(done + 1, epochs + 1):
        total, code_mean, code_spread = one_pass(order_rng.permutation(len(images)))
        yield Epoch(epoch, total / len(images), code_mean, code_spread)
