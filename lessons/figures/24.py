"""Figures of lesson 24."""

from lessons._figures import COLOURS

import numpy as np


def crossover(figure, batches, python, cpu, measured):
    """Seconds of the CPU and of the make-believe GPU over the batch."""
    axes = figure.subplots()
    n = np.array(batches)
    lines = {
        "CPU: Python and the work": python + n * cpu,
        "GPU, 50 times the speed: Python and 60 launches": python + 60 * 5e-6 + n * cpu / 50,
        "GPU, the launches replayed as one": 5e-6 + n * cpu / 50,
    }
    for colour, (name, seconds) in zip(COLOURS, lines.items(), strict=False):
        axes.loglog(n, 1e3 * seconds, color=colour, label=name)
    axes.loglog(n, 1e3 * np.array(measured), "o", color=COLOURS[0], label="CPU: measured")
    axes.set(xlabel="images in a batch", ylabel="milliseconds of a training step")
    axes.set_xticks(n, n, minor=False)
    axes.legend(fontsize=8)
    axes.grid(alpha=0.3)
