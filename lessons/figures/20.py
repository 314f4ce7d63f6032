"""Figures of lesson 20."""

from lessons._figures import COLOURS

import numpy as np


def habits(figure, runs, X, steps):
    """Activations of two codes; the error against the mean activation."""
    left, right = figure.subplots(1, 2)
    bins = np.linspace(0, 1, 26)
    for colour, name in zip(COLOURS, ("plain", "sparse, 3"), strict=False):
        share = np.histogram(runs[name][0](X), bins)[0] / (400 * 32)  # (25,)
        left.stairs(share, bins, color=colour, label=name, lw=2)
    left.set(xlabel="activation", ylabel="share of all activations", yscale="log")
    left.legend(fontsize=8)
    for colour, (name, (encode, error, _)) in zip(COLOURS, runs.items(), strict=False):
        right.plot(encode(X).mean(), error, "o", color=colour, label=name)
    right.axhline(list(steps.values())[2], color="0.5", ls="--", label="PCA 32")
    right.set(xlabel="mean activation", ylabel="error of a face", ylim=(0, None), xlim=(0, 0.25))
    right.legend(fontsize=8, loc="lower left")


def walks(figure, walks, followed):
    """How far codes move on the way to the next face, and by chance."""
    axes = figure.subplots()
    for colour, (name, (to_face, to_chance)) in zip(COLOURS, followed.items(), strict=False):
        axes.plot(walks, to_face, color=colour, label=f"{name}, to the next face")
        axes.plot(walks, to_chance, "--", color=colour, label=f"{name}, by chance")
    axes.set(xlabel="share of the way", ylabel="code moved, relative to the next face")
    axes.legend()
