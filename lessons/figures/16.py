"""Figures of lesson 16."""

from lessons._figures import COLOURS

import numpy as np

SIZES = {"speeds": (6, 3)}


def shares(figure, shares):
    """What each layer has of the arithmetic, the parameters and the time."""
    axes = figure.subplots()
    names = "16", "32", "64", "128", "256", "128", "64", "32", "1"
    for k, (name, part) in enumerate(shares.items()):
        axes.bar(np.arange(9) + 0.28 * (k - 1), part, 0.28, label=name, color=COLOURS[k])
    axes.set_xticks(range(9), names)
    axes.set(ylabel="% of the network", xlabel="channels out: convolutions, dense, transposed")
    axes.legend()


def speeds(figure, speeds):
    """Multiplications a second of each way to convolve."""
    axes = figure.subplots()
    for k, (label, part) in enumerate(speeds.items()):
        at = np.arange(len(part)) + 0.38 * k
        axes.barh(at, part.values(), 0.38, label=label, color=COLOURS[k])
    axes.set_yticks(at - 0.19, part)
    axes.set(xscale="log", xlabel="billion multiplications a second")
    axes.legend()
    axes.invert_yaxis()
