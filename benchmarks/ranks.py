"""What a training on many ranks costs: the reference model's step and messages, measured, and the
formula that takes them to 1,000 ranks.

    python benchmarks/ranks.py                  # one process: the step, the draws, and the table
    mpiexec -n 2 python benchmarks/ranks.py     # how long the sum over the ranks takes here

Times are of the processor (`time.process_time`), the least of several: others may be at work. The
sum is by the clock, the median. The table is arithmetic: see `seconds`.
"""

import math
import time

import numpy as np

from autoencoder import olivetti
from autoencoder.networks import Sizes, build
from autoencoder.parts import GaussianNoise, PointCode
from minigrad import optim
from minigrad.distributed import AllReduce
from minigrad.losses import l2_loss

RANKS = (1, 2, 10, 100, 1000)
NETWORKS = {  # seconds of latency for one message, bytes a second: assumed, not measured
    "10 Gb/s Ethernet": (20e-6, 1.25e9),
    "100 Gb/s InfiniBand": (1.5e-6, 12.5e9),
}
PIXELS = 32 * 32


class Alone:
    """The communicator of one rank: nothing is sent."""

    rank, size = 0, 1

    def sum(self, array):
        """Nothing is added."""

    def abort(self, sentence):
        """There is nobody to end."""


def reference():
    """The reference model's network."""
    sizes = Sizes(PIXELS, 256, image_shape=(32, 32, 1))
    return build(sizes, PointCode("sigmoid"), np.random.default_rng(0), network=olivetti.network)


def least(function, times=9):
    """The least seconds of the processor that a call takes."""
    found = []
    for _ in range(times):
        begin = time.process_time()
        function()
        found.append(time.process_time() - begin)
    return min(found[1:])


def gradient(network, rows):
    """A function that computes the gradients of a batch of `rows` random images."""
    x = np.random.default_rng(1).random((rows, PIXELS), dtype=np.float32)

    def run():
        for p in network.parameters():
            p.grad = None
        l2_loss(network.decode(PointCode("sigmoid").mean(network.encode(x))), x).backward()

    return run


def ring(ranks, size, latency, bandwidth):
    """Seconds of an all-reduce around a ring of `ranks`, of `size` bytes."""
    return 2 * (ranks - 1) * (latency + size / ranks / bandwidth)


def halving(ranks, size, latency, bandwidth):
    """Seconds of one by recursive halving and doubling: fewer messages of the same bytes."""
    return 2 * math.log2(ranks) * latency + 2 * (ranks - 1) / ranks * size / bandwidth


def table(step, row, draw, size):
    """Print what a step takes, and which part of the ranks' work is of use.

    `step` seconds are the same for any rows, `row` are for each, `draw` for the noise of each.
    """

    def seconds(ranks, rows, wire, noisy):  # `rows` of the whole batch
        drawn = draw * rows if noisy else 0.0  # on every rank
        return step + row * rows / ranks + drawn + wire

    for name, (latency, bandwidth) in NETWORKS.items():
        print(f"\n{name}: {latency * 1e6:g} microseconds, {bandwidth / 1e9:g} GB/s")
        print("| ranks | ring, ms | halving, ms | batch 50 | 4096 | 50 a rank | with noise |")
        print("|---|---|---|---|---|---|---|")
        for ranks in RANKS:
            wires = [f(ranks, size, latency, bandwidth) for f in (ring, halving)]
            cells = [f"{1000 * w:.2f}" for w in wires]
            for rows, noisy in (
                (50, False),
                (4096, False),
                (50 * ranks, False),
                (50 * ranks, True),
            ):
                alone = seconds(1, rows, 0.0, noisy)
                there = seconds(min(ranks, rows), rows, wires[1], noisy)
                cells.append(f"{alone / there:.1f}")
            print(f"| {ranks} | {' | '.join(cells)} |")


def alone():
    """Measure one process."""
    network = reference()
    optimizer = AllReduce(optim.Adam(network.parameters(), lr=1e-3), Alone(), check_every=10**9)
    size = 4 * sum(p.size for p in network.parameters())
    few, many = 10, 50
    times = {rows: least(gradient(network, rows)) for rows in (few, many)}
    change = least(optimizer.step)
    row = (times[many] - times[few]) / (many - few)
    step = times[few] - few * row + change
    x, rng = np.zeros((many, PIXELS), np.float32), np.random.default_rng(0)
    draw = least(lambda: GaussianNoise().corrupt(x, rng)) / many
    print(f"gradients: {size // 4} numbers, {size / 1e6:.2f} MB a step from every rank")
    print(
        f"gradients of {few} and {many} rows: {1000 * times[few]:.1f} and "
        f"{1000 * times[many]:.1f} ms; Adam, with one flat "
        f"array of gradients, {1000 * change:.1f} ms"
    )
    print(f"so {1000 * step:.1f} ms a step, and {1000 * row:.3f} ms a row")
    print(f"noise of one row: {1000 * draw:.3f} ms")
    table(step, row, draw, size)


def together(comm):
    """Measure the sum of the gradients over the processes."""
    network = reference()
    buffer = np.zeros(sum(p.size for p in network.parameters()), np.float32)
    found = []
    for _ in range(20):
        comm.Barrier()
        begin = time.perf_counter()
        comm.Allreduce(None, buffer)
        found.append(time.perf_counter() - begin)
    if comm.rank == 0:
        print(
            f"{comm.size} processes: {1000 * np.median(found):.2f} ms (least "
            f"{1000 * min(found):.2f}) for {buffer.nbytes / 1e6:.2f} MB"
        )


if __name__ == "__main__":
    try:
        from mpi4py import MPI
    except ImportError:
        MPI = None
    if MPI is not None and MPI.COMM_WORLD.size > 1:
        together(MPI.COMM_WORLD)
    else:
        alone()
