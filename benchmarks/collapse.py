"""How often the codes of the reference model collapse, here and in PyTorch, from the same weights.

    python benchmarks/collapse.py --seeds 0 1 2 3 4 5

For each seed the spread of the codes (see `autoencoder.olivetti.collapsed`) after some epochs. Both
programs see the same batches in the same order; their rounding differs, so a seed at the edge can
fall on either side.
"""

import argparse

import numpy as np
import torch
from parity import TorchReference, torch_losses

from autoencoder import datasets
from autoencoder.captured_epoch import shrink
from autoencoder.olivetti import DeepAutoencoder, adam, train


def minigrad_spread(seed, images, epochs):
    weights, order, *_ = np.random.default_rng(seed).spawn(4)
    model = DeepAutoencoder(rng=weights)
    *_, last = train(model, images, adam(model), epochs=epochs, order_rng=order)
    return last.code_spread


def torch_spread(seed, images, epochs):
    weights, order, *_ = np.random.default_rng(seed).spawn(4)
    model = TorchReference(DeepAutoencoder(rng=weights))
    orders = [order.permutation(400) for _ in range(epochs)]
    batches = [images[o[k : k + 50]] for o in orders for k in range(0, 350, 50)]
    for _ in torch_losses(model, batches):
        pass
    with torch.no_grad():
        _, code = model(torch.tensor(batches[-1]).permute(0, 3, 1, 2))
    return code.std(0).mean().item()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4, 5])
    parser.add_argument("--epochs", type=int, default=12)
    options = parser.parse_args()
    images = shrink(datasets.load_olivetti().images, 32)
    print(f"spread of the codes after {options.epochs} epochs (below 1e-6: collapsed)")
    print("seed   minigrad    PyTorch")
    for seed in options.seeds:
        spreads = [f(seed, images, options.epochs) for f in (minigrad_spread, torch_spread)]
        print(f"{seed:4}   {spreads[0]:8.1e}   {spreads[1]:8.1e}", flush=True)


if __name__ == "__main__":
    main()
