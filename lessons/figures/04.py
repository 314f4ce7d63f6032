"""Figures of lesson 04."""

import numpy as np

SIZES = {"kill_matrix": (6, 3.4), "kinks": (6, 3.2)}


def kill_matrix(figure, killed, checks, rules):
    """Which check rejects which broken rule."""
    axes = figure.subplots()
    axes.imshow(killed, cmap="Blues", vmin=0, vmax=1.3, aspect="auto")
    for (i, j), share in np.ndenumerate(killed):
        words = {0: "accepts", 1: "rejects"}.get(round(share, 2), f"rejects {100 * share:.0f} %")
        shade = "white" if share > 0.5 else "black"
        axes.text(j, i, words, ha="center", va="center", color=shade, fontsize=9)
    axes.set(xticks=range(4), xticklabels=checks, yticks=range(6), yticklabels=rules)


def kinks(figure, curves, slope_jump, v, steps):
    """The jump of the slope against the step, at kinks and elsewhere."""
    axes = figure.subplots()
    for name, (f, at, colour) in curves.items():
        jumps = [abs(slope_jump(f, np.array([at]), v, h)) for h in steps]  # (40,)
        axes.loglog(steps, np.maximum(jumps, 1e-9), color=colour, label=name)
    axes.set(xlabel="step h", ylabel="jump of the slope", ylim=(3e-10, 10))
    axes.legend(loc="lower right", fontsize=9)
