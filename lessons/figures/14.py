"""Figures of lesson 14."""

from lessons._figures import COLOURS

import numpy as np

SIZES = {"floor": (6, 3.2)}


def four_losses(figure, losses, slopes, t):
    """Losses and slopes of a pixel by three formulas."""
    for axes, curves, what in zip(
        figure.subplots(1, 2), (losses, slopes), ("loss", "slope"), strict=True
    ):
        for colour, (name, values) in zip(COLOURS, curves.items(), strict=False):
            axes.plot(t, values, color=colour, label=name)
        axes.set(xlabel="logit t of a pixel that is 0, float32", ylabel=what)
    figure.axes[0].set(ylim=(-1, 27))
    figure.axes[0].legend(fontsize=8, loc="upper left")


def floor(figure, p, bce_from_logits, entropy):
    """The loss of a pixel over p, lowest at its entropy."""
    axes = figure.subplots()
    for colour, grey in zip(COLOURS, (0.0, 0.1, 0.3, 0.5), strict=False):
        axes.plot(p, bce_from_logits(np.log(p / (1 - p)), np.full(499, grey)), color=colour)
        axes.plot(grey, entropy(np.array([grey])), "o", color=colour, label=f"pixel {grey:g}")
    axes.set(xlabel="p", ylabel="loss of one pixel, nats", ylim=(-0.1, 2.5))
    axes.legend(fontsize=9)
