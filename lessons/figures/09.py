"""Figures of lesson 09."""

from lessons._figures import COLOURS

SIZES = {"scale": (6, 3.4)}


def first_steps(figure, ratios, times, chosen, known):
    """The length of each step, corrected and in three wrong ways."""
    axes = figure.subplots()
    for colour, (name, ratio) in zip(COLOURS, ratios.items(), strict=False):
        axes.semilogx(times, ratio, color=colour, label=name)
    axes.plot(chosen, known, "o", color=COLOURS[0], ms=4)
    axes.set(xlabel="step t", ylabel="length of the step / lr, constant gradient", ylim=(0, 7))
    axes.legend(fontsize=9)
    axes.grid(alpha=0.3)


def scale(figure, curves):
    """Losses of the mean and of the sum, by SGD and by Adam."""
    axes = figure.subplots()
    for (name, r), losses in curves.items():
        colour = "black" if (name, r) == ("Adam", "sum") else COLOURS[name == "Adam"]
        style = {"lw": 3} if r == "mean" else {"ls": "--"}
        axes.semilogy(losses, color=colour, label=f"{name}, {r}", **style)
    axes.set(xlabel="step", ylabel="mean squared error", ylim=(0.02, 20))
    axes.legend(fontsize=9)
