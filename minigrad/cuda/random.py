"""Random numbers on the GPU: how `minigrad.random.Philox` draws there."""

import numpy as np

from ..random import draws
from .launch import LIMIT, blocks, launch, launcher

VARIANTS = {"random": [()]}


def draw(kernel, out, key, counter):
    """Fill `out`, a new float32 array, by `kernel` ("uniform" or "normal").

    `key` is two uint32 of the host; `counter` (1,) uint64, on the device, is the first block of
    four words to use, and is advanced by the number of blocks used.
    """
    if out.size >= LIMIT:
        raise ValueError(f"Philox: {out.size} numbers are too many for one draw on the GPU")
    first, second = key.view(np.int32)  # the launcher passes no unsigned integers
    tickets = launcher.tickets(out, 1)
    grid = blocks(out.size, 4 * 256)
    launch("random", kernel, (grid,), (256,), out, counter, tickets, out.size, first, second)


draws["cuda"] = draw
