"""Figures of milestone 2006."""

from lessons._figures import COLOURS

import numpy as np


def deep(figure, curve, pca, pictures):
    """The losses of the network beside PCA's; new digits and how both rebuild them."""
    above, beneath = figure.subfigures(2, 1, height_ratios=(1.6, 1))
    axes = above.subplots()
    rounds = np.arange(1, len(curve) + 1)
    for column, (name, colour) in enumerate((("seen", COLOURS[0]), ("new", COLOURS[1]))):
        losses = [row[column] for row in curve]
        axes.loglog(rounds, losses, color=colour, label=f"network, {name} digits")
        axes.axhline(pca[column], color=colour, ls="--", lw=1, label=f"PCA, {name} digits")
    axes.set(xlabel="pass through the digits", ylabel="loss per digit")
    axes.set_yticks([0.5, 1, 2], ["0.5", "1", "2"])
    axes.minorticks_off()
    axes.legend(fontsize=7)
    for line, (name, rows) in zip(beneath.subplots(3, 8), pictures.items(), strict=True):
        for place, row in zip(line, rows, strict=True):
            place.imshow(row.reshape(8, 8), cmap="Greys", vmin=0, vmax=1)
            place.set(xticks=[], yticks=[])
        line[0].set_ylabel(name, rotation=0, ha="right", va="center", fontsize=8)
