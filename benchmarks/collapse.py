"""How often the codes of the reference model collapse, here and in PyTorch, from the same weights.

    python benchmarks/collapse.py --seeds 0 1 2 3 4 5

For each seed the spread of the codes after some epochs: the standard deviation of each code unit
over the last batch, averaged (see ``autoencoder/collapse.py``). Both programs see the same batches
in the same order; their rounding differs, so a seed at the edge can fall on either side.
"""

import argparse

import numpy as np
import torch
from parity import TorchReference, as_images, minigrad_losses, torch_losses, untrained

from autoencoder import datasets
from autoencoder.datasets import shrink

BATCH = 50


def spreads(seed, rows, epochs):
    """The spread of the codes after training on `rows` (N, D): minigrad's, and PyTorch's."""
    model = untrained(rows, BATCH, seed=seed)
    reference = TorchReference(model.network_)
    order = np.random.default_rng(seed)
    orders = [order.permutation(len(rows)) for _ in range(epochs)]
    # as the article's program, an epoch leaves out the last batch
    batches = [rows[o[k : k + BATCH]] for o in orders for k in range(0, len(rows) - BATCH, BATCH)]
    for losses in (minigrad_losses(model, batches), torch_losses(reference, batches)):
        for _ in losses:  # each is a step
            pass
    with torch.no_grad():
        _, code = reference(as_images(batches[-1]))
    return model.transform(batches[-1]).std(axis=0).mean(), code.std(0).mean().item()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", default="olivetti", help="olivetti, faces, or a path")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4, 5])
    parser.add_argument("--epochs", type=int, default=12)
    options = parser.parse_args()
    data = datasets.load(options.data)
    rows = shrink(data.images, 32).reshape(len(data.images), -1)  # (N, 1024)
    print(f"{data.name}: spread of the codes after {options.epochs} epochs")
    print("(below 1e-6: collapsed)")
    print("seed   minigrad    PyTorch")
    for seed in options.seeds:
        mine, theirs = spreads(seed, rows, options.epochs)
        print(f"{seed:4}   {mine:8.1e}   {theirs:8.1e}", flush=True)


if __name__ == "__main__":
    main()
