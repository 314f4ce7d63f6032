"""How the cost of a training step grows: with the batch, the size of the images and the threads.

    python benchmarks/scaling.py

The convolutions of the reference model; between its two halves stands a mean over channels in place
of the dense layer, whose cost does not depend on the batch. Flat columns mean that blocks fit the
caches whatever the size of the whole. Memory is what the steps need beyond libraries, data and
weights, for a pixel of the input. Both exponents are those of the growth since the first row: 1 is
in proportion, and above 1.1 in a last row the program ends with exit status 1.
"""

import argparse
import functools
import math
import sys

import numpy as np
import our_kernels
from interleaved import compare, machine

WORST = 1.1  # exponent of growth


def convolutional(batch, size, threads=None, native=True):
    """A training step of the convolutions on `batch` images of `size` x `size`."""
    from minigrad import losses, nn, optim, set_num_threads, tensor

    our_kernels.use(native)
    if threads:
        set_num_threads(threads)
    rng = np.random.default_rng(0)
    make = dict(activation="relu", rng=rng)
    encoder = nn.Sequential(
        nn.Conv2D(1, 16, stride=2, **make),
        nn.Conv2D(16, 32, **make),
        nn.Conv2D(32, 64, **make),
        nn.Conv2D(64, 128, **make),
    )
    decoder = nn.Sequential(
        nn.Conv2DTranspose(1, 128, stride=2, **make),
        nn.Conv2DTranspose(128, 64, **make),
        nn.Conv2DTranspose(64, 32, **make),
        nn.Conv2DTranspose(32, 1, activation="sigmoid", rng=rng),
    )
    optimizer = optim.Adam([*encoder.parameters(), *decoder.parameters()])
    x = tensor(rng.random((batch, size, size, 1), np.float32))

    def step():
        loss = losses.l2_loss(decoder(encoder(x).mean(axis=3, keepdims=True)), x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return step


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--largest", type=int, default=800, help="batch")
    parser.add_argument("--native", choices=("on", "off"), default="on")
    options = parser.parse_args()
    step = functools.partial(convolutional, native=options.native == "on")
    part, pixels = functools.partial, 6 * 256**2
    batches = [n for n in (50, 100, 200, 400, 800) if n <= options.largest]
    sweeps = {
        "batch, 32x32": {f"{n}": (n * 32**2, part(step, n, 32)) for n in batches},
        "images, 6 of them": {
            f"{s}x{s}": (6 * s**2, part(step, 6, s)) for s in (32, 64, 128, 256)
        },
        "images, as many pixels in all": {
            f"{s}x{s}": (pixels, part(step, pixels // s**2, s)) for s in (32, 64, 128, 256)
        },
        "threads, 100 images of 32x32": {
            f"{n}": (100 * 32**2, part(step, 100, 32, threads=n)) for n in (1, 2)
        },
    }  # fmt: skip
    print(machine())
    worst = 0.0
    for title, programs in sweeps.items():
        results = compare({name: p for name, (_, p) in programs.items()}, options.rounds, 1)
        print(f"\n| {title} | ms | CPU ms | CPU ns a pixel | exponent | MB | bytes a pixel "
              "| exponent |\n|---|---:|---:|---:|---:|---:|---:|---:|")  # fmt: skip
        first = exponents = None
        for name, (count, _) in programs.items():
            result = results[name]
            if isinstance(result, str):
                print(f"| {name} | not run: {result} | | | | | | |")
                worst = math.inf
                continue
            cpu, memory = result.cpu.median, result.memory - result.before
            first, shown = first or (count, cpu, memory), ["", ""]
            if count > first[0]:
                grown = math.log(count / first[0])
                exponents = [
                    math.log(b / a) / grown for a, b in zip(first[1:], (cpu, memory), strict=True)
                ]
                shown = [f"{e:.2f}" for e in exponents]
            print(f"| {name} | {result.wall.shown(0, 1e3)} | {result.cpu.shown(0, 1e3)} "
                  f"| {cpu / count * 1e9:.0f} | {shown[0]} | {memory:.0f} "
                  f"| {memory * 2**20 / count:.0f} | {shown[1]} |", flush=True)  # fmt: skip
        worst = max(worst, *(exponents or [0.0]))
    if worst > WORST:
        sys.exit(f"\nSomething grows faster than in proportion: an exponent is {worst:.2f}")
    print(f"\nThe largest exponent is {worst:.2f}: nothing grows faster than in proportion")


if __name__ == "__main__":
    main()
