"""The first 20 losses of the reference model beside PyTorch's: same weights, same batches.

    python benchmarks/parity.py

The network is written here a second time, in PyTorch, in PyTorch's layout, with its own
convolutions and its own Adam. Losses must agree to 1e-4 (relative) in float32 and to 1e-10 in
float64; the exit status says whether they do. tests/autoencoder/test_torch_reference.py runs the
same comparison on a few small images.
"""

import argparse
import math
import sys

import numpy as np
import torch
import torch.nn.functional as F

from autoencoder import datasets
from autoencoder.olivetti import DeepAutoencoder, adam, shrink
from minigrad import tensor
from minigrad.losses import l2_loss

ALLOWED = {np.float32: 1e-4, np.float64: 1e-10}


class TorchReference(torch.nn.Module):
    """The network of `math.md` in PyTorch, from the weights of a `DeepAutoencoder`."""

    def __init__(self, model):
        super().__init__()
        w = [torch.tensor(p.detach().numpy()) for p in model.parameters()]
        kernels = [k.permute(3, 2, 0, 1) if k.ndim == 4 else k for k in w]
        self.w = torch.nn.ParameterList(k.clone() for k in kernels)
        if len(w) != 18:
            raise ValueError("TorchReference: the code must have (size / 2)**2 elements")

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


def torch_losses(reference, batches, learning_rate=0.001):
    """One loss for each batch (N, H, W, 1), trained by PyTorch's Adam.

    TensorFlow 1 adds epsilon to the root of the second moment before the bias is corrected. That is
    PyTorch's step with an epsilon of ``1e-8 / sqrt(1 - beta2**t)``, set anew before each.
    """
    optimiser = torch.optim.Adam(reference.parameters(), lr=learning_rate)
    for t, batch in enumerate(batches, 1):
        x = torch.tensor(batch).permute(0, 3, 1, 2)
        loss = ((reference(x)[0] - x) ** 2).sum() / 2
        optimiser.zero_grad()
        loss.backward()
        optimiser.param_groups[0]["eps"] = 1e-8 / math.sqrt(1 - 0.999**t)
        optimiser.step()
        yield loss.item()


def minigrad_losses(model, batches):
    """One loss for each batch (N, H, W, 1), trained as `autoencoder.olivetti.train` does."""
    optimiser = adam(model)
    for batch in batches:
        x = tensor(batch)
        loss = l2_loss(model(x)[0], x)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        yield loss.item()


def both(images, steps, batch_size, dtype, code_length=256, seed=0):
    """The losses of minigrad and of PyTorch, as two lists."""
    rng = np.random.default_rng(seed)
    size = images.shape[1]
    model = DeepAutoencoder(size, code_length, dtype=dtype, rng=rng)
    reference = TorchReference(model)
    rows = [rng.choice(len(images), batch_size, replace=False) for _ in range(steps)]
    batches = [images[r].astype(dtype) for r in rows]
    return list(minigrad_losses(model, batches)), list(torch_losses(reference, batches))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", default="olivetti", help="olivetti, faces, or a path")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--batch-size", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    data = datasets.load(options.data)
    images = shrink(data.images, 32)
    print(f"{data.name}, batches of {options.batch_size}, PyTorch {torch.__version__}")
    worst = {}
    for dtype in ALLOWED:
        print(f"\n{dtype.__name__:>7}  {'minigrad':>20}  {'PyTorch':>20}  difference")
        pairs = both(images, options.steps, options.batch_size, dtype, seed=options.seed)
        differences = []
        for k, (mine, theirs) in enumerate(zip(*pairs, strict=True), 1):
            differences.append(abs(mine - theirs) / abs(theirs))
            print(f"{k:7}  {mine:20.12f}  {theirs:20.12f}  {differences[-1]:.1e}", flush=True)
        worst[dtype] = max(differences)
    print()
    for dtype, allowed in ALLOWED.items():
        verdict = "agrees" if worst[dtype] <= allowed else "DOES NOT AGREE"
        print(f"{dtype.__name__}: {verdict}, {worst[dtype]:.1e} of {allowed:.0e} allowed")
    return int(any(worst[dtype] > allowed for dtype, allowed in ALLOWED.items()))


if __name__ == "__main__":
    sys.exit(main())
