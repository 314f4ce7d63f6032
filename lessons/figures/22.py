"""Figures of lesson 22."""

from lessons._figures import COLOURS

import numpy as np


def clouds(figure, mean, faces, deviation):
    """The clouds of six faces in the code of two units."""
    grid = figure.add_gridspec(3, 4, width_ratios=[5, 5, 2, 2])
    axes = figure.add_subplot(grid[:, :2])
    t = np.linspace(0, 2 * np.pi, 100)
    circle = np.stack([np.cos(t), np.sin(t)])  # (2, 100)
    axes.plot(*mean.T, ".", color="0.75", ms=3, label="means of 400 faces")
    axes.plot(*(2 * circle), "--", color="0.4", lw=1, label="the prior, 2 deviations")
    order = np.argsort(np.arctan2(mean[:, 1], mean[:, 0]))  # (400,), by angle
    for place, k in enumerate(order[33::67]):
        colour = COLOURS[place]
        ellipse = mean[k][:, None] + 2 * deviation[k][:, None] * circle  # (2, 100)
        axes.plot(*ellipse, color=colour, lw=2)
        picture = figure.add_subplot(grid[place // 2, 2 + place % 2], xticks=[], yticks=[])
        picture.imshow(faces[k].reshape(32, 32), cmap="gray", vmin=0, vmax=1)
        picture.spines[:].set(color=colour, linewidth=3)
    axes.set(xlabel="unit 1", ylabel="unit 2", aspect="equal", xlim=(-3.9, 3.9), ylim=(-3.9, 4.6))
    axes.legend(fontsize=6, loc="upper left", ncols=2)
