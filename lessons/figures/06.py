"""Figures of lesson 06."""

from lessons._figures import COLOURS

SIZES = {"fit": (6, 3.6), "gallery": (6, 3.6)}


def fit(figure, x, y, fits, grid, curves):
    """The data and the fits of three networks."""
    axes = figure.subplots()
    axes.plot(x, y, ".", color="0.7", label="data")
    for colour, (k, fit) in zip(COLOURS, fits.items(), strict=False):
        axes.plot(grid, fit, color=colour, label=f"{k} hidden units, loss {curves[k][-1]:.3f}")
    axes.set(xlabel="x", ylabel="y")
    axes.legend(fontsize=9)


def gallery(figure, runs, causes):
    """Six curves of losses to diagnose."""
    for letter, axes, losses in zip("ABCDEF", figure.subplots(2, 3).flat, runs, strict=True):
        axes.semilogy(losses, color=COLOURS[0])
        axes.set(title=letter, ylim=(0.05, 400), xlim=(-2, 60))
        axes.tick_params(labelsize=8)
    answers = ", ".join(f"{a}: {c}" for a, c in zip("ABCDEF", causes, strict=True))
    figure.supxlabel(answers, rotation=180, fontsize=7)
