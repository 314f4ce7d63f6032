"""Figures of lesson 11."""

from lessons._figures import COLOURS


def scales(figure, curves):
    """Losses of plain and of normalised networks from weights of three sizes."""
    panels = figure.subplots(1, 2, sharey=True)
    for axes, name in zip(panels, ("plain", "normalised"), strict=True):
        found = [(scale, losses) for (kind, scale), losses in curves.items() if kind == name]
        for colour, (scale, losses) in zip(COLOURS, found, strict=False):
            axes.loglog(range(1, len(losses) + 1), losses, color=colour, label=f"x {scale:g}")
        axes.set_title(name, fontsize=10)
        axes.set(xlabel="step")
    panels[0].set(ylabel="loss")
    panels[0].set_ylim(1e-5, 1e13)
    panels[0].legend(fontsize=8, title="first weights", title_fontsize=8)
