"""Figures of lesson 03."""

from lessons._figures import COLOURS

import numpy as np

SIZES = {"copies": (6, 3)}


def draw(axes, inside, right, below, colour):
    """A table (3, 4) with a column (3, 1) at its right and a row (1, 4) below it."""
    table = np.full((4, 5), np.nan)
    table[:3, :4], table[:3, 4:], table[3:, :4] = inside, right, below
    margin = np.zeros((4, 5))
    margin[3], margin[:, 4] = 1, 1
    axes.imshow(margin, cmap="Greys", vmin=0, vmax=6)
    for (i, j), value in np.ndenumerate(table):
        if np.isfinite(value):
            style = {"color": colour, "weight": "bold"} if margin[i, j] else {}
            axes.text(j, i, f"{value:g}", ha="center", va="center", **style)
    axes.set(xticks=[], yticks=[])


def copies(figure, column, row, g, unbroadcast):
    """The sum of a column and a row, and the sums that bring g back."""
    forward, back = figure.subplots(1, 2)
    draw(forward, column + row, column, row, COLOURS[0])
    forward.set_title("(3, 1) + (1, 4): copied into the table", fontsize=10)
    draw(back, g, unbroadcast(g, (3, 1)), unbroadcast(g, (1, 4)), COLOURS[1])
    back.set_title("g, (3, 4): summed out of the table", fontsize=10)
