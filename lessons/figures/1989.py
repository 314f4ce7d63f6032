"""Figures of milestone 1989."""

from lessons._figures import COLOURS


def valley(figure, runs, saddle, floor, height):
    """The losses of all starts above PCA's, on a logarithmic scale of what is left."""
    axes = figure.subplots()
    for k, (losses, _) in enumerate(runs):
        label = "random starts" if not k else None
        axes.semilogy([loss - floor for loss in losses], color=COLOURS[0], lw=0.8, label=label)
    axes.plot([loss - floor for loss in saddle], color=COLOURS[1], label="from beside a saddle")
    axes.axhline(height - floor, color="0.6", ls="--", lw=0.8, label="height of the saddle")
    axes.set(xlabel="step of Adam", ylabel="loss per digit above that of PCA")
    axes.legend(fontsize=9)
