"""The first 20 losses of the reference model beside PyTorch's: same weights, same batches.

    python benchmarks/parity.py

On one side is the `Autoencoder` with its own loss and training step. On the other the network is
written a second time, in PyTorch, in PyTorch's layout, with its convolutions and its Adam, on the
sum of the squares as in the article. Losses must agree to 1e-4 (relative) in float32 and to 1e-10
in float64; the exit status says whether they do. A test runs the same comparison on a few small
images.

In float32 any two programs part in the end. Rounding lets a relu here and there fall on the other
side of 0, which alone changes a gradient by 1e-4, and Adam makes that of the next weights. How fast
depends on the seed. So there are three comparisons:

* "same weights": PyTorch's loss for the weights that minigrad has arrived at,
* "free": each has trained by itself from the first weights,
* "to itself": PyTorch's distance from itself, without oneDNN, with its other convolution kernels.

The exit status is that of float64 running free and of float32 from the same weights.
"""

import argparse
import math
import sys
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F

import minigrad
from autoencoder import Autoencoder, datasets, olivetti
from autoencoder.datasets import shrink

ALLOWED = {np.float32: 1e-4, np.float64: 1e-10}


class TorchReference(torch.nn.Module):
    """The reference network in PyTorch, with the weights of our `Network` of that kind."""

    def __init__(self, network):
        super().__init__()
        self.w = torch.nn.ParameterList(weights(network))
        if len(self.w) != 18:
            raise ValueError("TorchReference: the code must have (size / 2)**2 elements")

    def load(self, network):
        with torch.no_grad():
            for mine, theirs in zip(self.w, weights(network), strict=True):
                mine.copy_(theirs)

    def loss(self, rows):
        """Half the squared error of images as rows (N, D), summed over all of them."""
        x = as_images(rows)
        return ((self(x)[0] - x) ** 2).sum() / 2

    def forward(self, x):  # (N, 1, H, W)
        c0, b0, c1, b1, c2, b2, c3, b3, d, b4, t0, b5, t1, b6, t2, b7, t3, b8 = self.w
        x = F.relu(F.conv2d(F.pad(x, (0, 1, 0, 1)), c0, b0, stride=2))
        x = F.relu(F.conv2d(x, c1, b1, padding=1))
        x = F.relu(F.conv2d(x, c2, b2, padding=1))
        x = F.relu(F.conv2d(x, c3, b3, padding=1))
        n, _, h, v = x.shape
        code = torch.sigmoid(x.permute(0, 2, 3, 1).reshape(n, -1) @ d + b4)
        x = F.conv_transpose2d(code.reshape(n, 1, h, v), t0, stride=2)  # (N, 128, 2 h + 1, ...)
        x = F.relu(x[:, :, : 2 * h, : 2 * v] + b5[:, None, None])
        x = F.relu(F.conv_transpose2d(x, t1, b6, padding=1))
        x = F.relu(F.conv_transpose2d(x, t2, b7, padding=1))
        return torch.sigmoid(F.conv_transpose2d(x, t3, b8, padding=1)), code


def as_images(rows):
    """Rows (N, D) of square grey images as PyTorch's (N, 1, H, W)."""
    size = math.isqrt(rows.shape[1])
    return torch.tensor(rows).reshape(len(rows), 1, size, size)


def weights(network):
    """Copies of the weights of `network`, laid out as PyTorch's: kernels (out, in, kh, kw)."""
    w = [torch.tensor(p.detach().numpy()) for p in network.parameters()]
    return [k.permute(3, 2, 0, 1).contiguous() if k.ndim == 4 else k for k in w]


def torch_losses(reference, batches, learning_rate=0.001):
    """One loss per image for each batch of rows (N, D), trained by PyTorch's Adam on their sum.

    TensorFlow 1 adds epsilon to the root of the second moment before the bias is corrected. That is
    PyTorch's step with an epsilon of ``1e-8 / sqrt(1 - beta2**t)``, set anew before each.
    """
    optimizer = torch.optim.Adam(reference.parameters(), lr=learning_rate)
    for t, batch in enumerate(batches, 1):
        loss = reference.loss(batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.param_groups[0]["eps"] = 1e-8 / math.sqrt(1 - 0.999**t)
        optimizer.step()
        yield loss.item() / len(batch)


def untrained(rows, batch_size, n_components=256, seed=0):
    """The reference model for images as `rows` (N, D), with new weights of their dtype."""
    settings = olivetti.settings(math.isqrt(rows.shape[1]), batch_size)
    settings |= {"n_components": n_components, "max_epochs": 0, "random_state": seed}
    return Autoencoder(**settings).fit(rows)


def minigrad_losses(model, batches):
    """One loss per image for each batch of rows (N, D), each a step of the estimator `model`."""
    for batch in batches:
        yield model.partial_fit(batch).history_["l2_loss"][-1]


class Losses(NamedTuple):
    """Lists with one loss for each step; see the top of this file."""

    mine: list
    theirs: list
    same_weights: list
    to_itself: list


def compare(images, steps, batch_size, dtype, n_components=256, seed=0):
    """Train minigrad's model and PyTorch's on the same random batches of `images` (N, H, W, 1)."""
    rows = images.reshape(len(images), -1).astype(dtype)  # (N, D)
    model = untrained(rows, batch_size, n_components, seed)
    first, again, follower = (TorchReference(model.network_) for _ in range(3))
    rng = np.random.default_rng(seed)
    batches = [rows[rng.choice(len(rows), batch_size, replace=False)] for _ in range(steps)]
    mine, same_weights = [], []
    training = minigrad_losses(model, batches)
    for batch in batches:
        follower.load(model.network_)
        with torch.no_grad():
            same_weights.append(follower.loss(batch).item() / batch_size)
        mine.append(next(training))
    theirs = list(torch_losses(first, batches))
    enabled, torch.backends.mkldnn.enabled = torch.backends.mkldnn.enabled, False
    try:
        to_itself = list(torch_losses(again, batches))
    finally:
        torch.backends.mkldnn.enabled = enabled
    return Losses(mine, theirs, same_weights, to_itself)


def differences(ours, theirs):
    """Relative, step by step."""
    return [abs(a - b) / abs(b) for a, b in zip(ours, theirs, strict=True)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", default="olivetti", help="olivetti, faces, or a path")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--batch-size", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--convolution", default="auto", choices=["auto", "direct", "winograd"])
    options = parser.parse_args()
    minigrad.cpu.convolution.method = options.convolution
    data = datasets.load(options.data)
    images = shrink(data.images, 32)
    print(f"{data.name}, batches of {options.batch_size}, PyTorch {torch.__version__}")
    failed = False
    for dtype, allowed in ALLOWED.items():
        losses = compare(images, options.steps, options.batch_size, dtype, seed=options.seed)
        same = differences(losses.mine, losses.same_weights)
        free = differences(losses.mine, losses.theirs)
        itself = differences(losses.to_itself, losses.theirs)
        head = "      minigrad             PyTorch  same weights     free  to itself"
        print(f"\n{dtype.__name__} {head}")
        for k, row in enumerate(zip(losses.mine, losses.theirs, same, free, itself, strict=True)):
            print("{:3}  {:18.10f}  {:18.10f}  {:12.1e}  {:7.1e}  {:9.1e}".format(k + 1, *row))
        print(f"allowed {allowed:.0e}: same weights {max(same):.1e}, free {max(free):.1e}")
        failed |= max(same if dtype == np.float32 else free) > allowed
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
