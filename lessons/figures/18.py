"""Figures of lesson 18."""

from lessons._figures import COLOURS


def stairs(figure, stairs, walk):
    """The losses of a linear network on PCA's stairs."""
    axes = figure.subplots()
    for k, height in enumerate(stairs):
        axes.axhline(height, color="0.6", lw=0.8, ls="--")
        axes.text(202, height, f"PCA {k}" if k else "mean face", va="center", fontsize=8)
    axes.plot(walk[:200], color=COLOURS[0], label="linear network, code of 4")
    axes.set(xlabel="step", ylabel="loss per face", xlim=(0, 200))
    axes.legend()


def lengths(figure, questions, lengths, mine, splits, losses, data):
    """Losses of PCA and of networks over the code's length, for three questions."""
    panels = figure.subplots(1, 3, sharey=True)
    for j, (axes, question) in enumerate(zip(panels, questions, strict=True)):
        for method, colour in ((0, COLOURS[1]), (1, COLOURS[0])):
            label = ("PCA", "network")[method]
            axes.loglog(lengths, mine[:, method, j], color=colour, label=label)
            for split in range(splits):
                axes.plot(lengths, losses[split, :, method, j], ".", color=colour, ms=5)
        axes.set_title(question, fontsize=10)
        axes.set(xlabel="code length")
        axes.set_xticks(lengths, [str(k) for k in lengths])
        axes.tick_params(axis="x", which="minor", bottom=False, labelbottom=False)
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter("{x:g}")
    panels[0].set_ylabel(f"loss per face, {data.name}")
    panels[0].legend(fontsize=8)
