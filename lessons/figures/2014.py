"""Figures of milestone 2014."""

from lessons._figures import COLOURS


def bound(figure, curves, ignorant):
    """The bound on digits seen (dashed) and new, for codes of several lengths."""
    axes = figure.subplots()
    for colour, (k, curve) in zip(COLOURS, curves.items(), strict=False):
        rounds = range(1, len(curve) + 1)
        axes.semilogx(rounds, [b for _, b in curve], color=colour, label=f"code of {k}, new digits")
        axes.plot(rounds, [a for a, _ in curve], "--", color=colour, lw=1)
    axes.axhline(ignorant, color="0.6", lw=0.8, label="the mean digit")
    axes.set(xlabel="pass through the digits (dashed: seen digits)", ylabel="bound, nats per digit")
    axes.legend(fontsize=8, loc="lower right")
