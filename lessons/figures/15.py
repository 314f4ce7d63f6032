"""Figures of lesson 15."""

from lessons._figures import COLOURS


def digits(figure, curves, entropy, pictures):
    """Losses of seen and new digits above their floor of ignorance; the surest mistakes."""
    left, right = figure.subfigures(1, 2, width_ratios=(1.3, 1))
    axes = left.subplots()
    for colour, (name, losses) in zip(COLOURS, curves.items(), strict=False):
        axes.loglog(range(1, len(losses) + 1), losses, color=colour, label=f"{name} digits")
    axes.axhline(entropy, color="0.6", ls="--", lw=0.8, label="entropy of the labels")
    axes.set(xlabel="step", ylabel="cross-entropy, nats")
    axes.set_yticks([0.2, 0.5, 1, 2], ["0.2", "0.5", "1", "2"])
    axes.minorticks_off()
    axes.legend(fontsize=8, loc="lower left")
    for place, (image, label, guess, share) in zip(
        right.subplots(3, 2).flat, pictures, strict=True
    ):
        place.imshow(image, cmap="Greys", vmin=0, vmax=1)
        place.set_title(f"a {label}, taken for {guess}: {share:.0%}", fontsize=7)
        place.axis("off")
