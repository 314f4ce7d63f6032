"""Figures of lesson 10."""

from lessons._figures import COLOURS

import numpy as np


def start(figure, signals, deviations, courses):
    """Mean squares over layers beside the predicted lines; the code's sums over steps."""
    left, right = figure.subplots(1, 2)
    for colour, (name, squares) in zip(COLOURS, signals.items(), strict=False):
        layers = np.arange(len(squares))
        label = f"{name}: {deviations[name]:.3g}" if name != "0.15" else name
        left.semilogy(layers, squares, "o", ms=3, color=colour, label=label)
        left.plot(layers, (200 * deviations[name] ** 2 / 2) ** layers, "--", color=colour, lw=1)
    left.set(xlabel="layer (dashed: predicted)", ylabel="mean square of the signal")
    left.legend(fontsize=8, loc="upper left", title="deviation of the weights", title_fontsize=8)
    left.set_ylim(1e-10, 1e17)
    steps = np.arange(1, 1 + len(next(iter(courses.values()))))
    for colour, (name, course) in zip(COLOURS[3:], courses.items(), strict=False):
        right.semilogy(steps, course[:, 2], "o-", color=colour, ms=3, label=f"faces {name}")
        for step in [s for s in (6, 9, 12) if s <= len(course)]:
            words = f"{100 * course[step - 1, 3]:.0f} % flat"
            right.annotate(words, (step, course[step - 1, 2]), fontsize=7, ha="right",
                           xytext=(-2, 4), textcoords="offset points")  # fmt: skip
    right.axhline(4.6, color="0.6", ls="--", lw=1)
    right.text(1, 5, "slope 0.01", fontsize=7, color="0.4")
    right.set(xlabel="step of Adam", ylabel="mean |sum| of the code's units", ylim=(0.006, 60))
    right.set_xticks(range(2, 13, 2))
    right.legend(fontsize=8, loc="lower right")
