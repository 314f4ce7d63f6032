"""Figures of milestone 1986."""

from lessons._figures import COLOURS


def code(figure, runs, best):
    """Losses of all starts; the codes and the outputs of the best."""
    left, middle, right = figure.subplots(1, 3, width_ratios=(2.2, 1, 2.2))
    for colour, (losses, *_) in zip(COLOURS, runs, strict=False):
        left.loglog(range(1, len(losses) + 1), losses, color=colour)
    left.set(xlabel="step", ylabel="loss, each start")
    for axes, values, name in ((middle, best[1], "code"), (right, best[2], "output")):
        axes.imshow(values, cmap="Greys", vmin=0, vmax=1, aspect="equal")
        axes.set(title=name, xticks=[], yticks=[], xlabel=f"{values.shape[1]} units")
        for (i, j), value in [
            ((i, j), v) for i, row in enumerate(values) for j, v in enumerate(row)
        ]:
            if axes is middle:
                shade = "white" if value > 0.5 else "black"
                axes.text(j, i, f"{value:.1f}", ha="center", va="center", color=shade, fontsize=6)
    middle.set_ylabel("pattern")
