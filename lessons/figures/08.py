"""Figures of lesson 08."""

from lessons._figures import COLOURS

import numpy as np


def staircase(figure, curves, ends, floor):
    """What is computed and what is pretended; the losses of three trainings."""
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.4))
    x = np.linspace(-2.4, 2.4, 481)
    left.plot(x, np.round(x), color=COLOURS[0], label="forward: round(x)")
    left.plot(x, x, "--", color=COLOURS[1], label="backward, as if: x")
    left.set(xlabel="x", aspect="equal")
    left.legend(fontsize=7, loc="upper left")
    for colour, (name, losses) in zip(COLOURS, curves.items(), strict=False):
        right.semilogy(losses, color=colour, label=name)
        right.plot(len(losses), ends[name], "o", color=colour)
    right.axhline(floor, color="0.6", lw=0.8, ls="--", label="PCA, 8 numbers")
    right.set(xlabel="step (points: with rounded codes)", ylabel="loss per face")
    right.set_yticks([0.5, 1, 2], ["0.5", "1", "2"])
    right.minorticks_off()
    right.legend(fontsize=8)
