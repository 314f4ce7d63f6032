"""How the cost of a training step grows: with the batch, the size of the images and the threads.

    python benchmarks/scaling.py

The convolutions of the reference model, without its dense layer, whose cost does not depend on the
batch. Flat columns mean that blocks fit the caches whatever the size of the whole.
"""

import argparse
import functools

import numpy as np
from interleaved import compare, machine

from minigrad import losses, nn, optim, set_num_threads, tensor


def convolutional(batch, size, threads):
    """A training step of the convolutions on `batch` images of `size` x `size`."""
    if threads:
        set_num_threads(threads)
    rng = np.random.default_rng(0)
    make = dict(activation="relu", rng=rng)
    model = nn.Sequential(
        nn.Conv2D(1, 16, stride=2, **make),
        nn.Conv2D(16, 32, **make),
        nn.Conv2D(32, 64, **make),
        nn.Conv2DTranspose(64, 64, stride=2, **make),
        nn.Conv2DTranspose(64, 32, **make),
        nn.Conv2DTranspose(32, 1, activation="sigmoid", rng=rng),
    )
    optimizer = optim.Adam(model.parameters())
    x = tensor(rng.random((batch, size, size, 1), np.float32))

    def step():
        loss = losses.l2_loss(model(x), x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    part = functools.partial
    sweeps = {
        "batch, images of 32x32": {
            f"{n}": (n * 32**2, part(convolutional, n, 32, None)) for n in (50, 100, 200, 400)
        },
        "image size, with as many pixels in all": {
            f"{s}x{s}": (100 * 64**2, part(convolutional, 100 * 64**2 // s**2, s, None))
            for s in (32, 64, 128)
        },
        "threads, 100 images of 32x32": {
            f"{n}": (100 * 32**2, part(convolutional, 100, 32, n)) for n in (1, 2)
        },
    }
    print(machine())
    for title, programs in sweeps.items():
        results = compare({name: p for name, (_, p) in programs.items()}, options.rounds, 1)
        print(
            f"\n{title}\n{'':10}{'median ms':>10}{'ns a pixel':>12}{'to first':>10}{'peak MB':>9}"
        )
        first = None
        for name, (pixels, _) in programs.items():
            middle, _, memory = results[name]
            each = middle / pixels * 1e9
            first = first or each
            print(f"{name:10}{middle * 1e3:10.1f}{each:12.1f}{each / first:10.2f}{memory:9.0f}")


if __name__ == "__main__":
    main()
