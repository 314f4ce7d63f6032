"""Figures of lesson 23."""

from lessons._figures import COLOURS

import numpy as np


def live_units(figure, k, eigenvalues, VARIANCES, predicted, prices, theory):
    """Eigenvalues and the variances that they exceed; nats of each unit."""
    top, bottom = figure.subplots(2, 1, sharex=True)
    place = np.arange(1, k + 1)  # (k,)
    top.semilogy(place, eigenvalues[:k], "k-", label="eigenvalues")
    for colour, variance, count in zip(COLOURS, VARIANCES, predicted, strict=False):
        top.axhline(variance, color=colour, ls="--", lw=1)
        top.plot(count, eigenvalues[count - 1], "o", color=colour, label=f"{variance:g}: {count}")
    top.legend(fontsize=7, title="variance: live units")
    bottom.bar(place, prices[2], color=COLOURS[2], label="measured, variance 0.03")
    bottom.plot(place, theory[2], "k.", ms=3, label="predicted")
    bottom.set(xlabel="unit, from the largest eigenvalue", ylabel="nats a face")
    bottom.legend(fontsize=8)


def samples(figure, pictures, faces):
    """Samples of several kinds as rows of faces."""
    grid = figure.subplots(6, 7, subplot_kw={"xticks": [], "yticks": []})
    for line, (name, rows) in zip(grid, pictures.items(), strict=True):
        line[0].set_ylabel(name, rotation=0, ha="right", va="center", fontsize=8)
        for axes, row in zip(line, rows + faces.mean(axis=0), strict=False):
            axes.imshow(row.reshape(32, 32), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
