"""Figures of lesson 12."""

from lessons._figures import COLOURS

SIZES = {"edges": (6, 2.8)}


def show(axes, image, title, signed=None):
    """An image, grey from 0 to 1, or signed."""
    low, high = (-signed, signed) if signed else (0, 1)
    axes.imshow(image, cmap="RdBu" if signed else "gray", vmin=low, vmax=high)
    axes.set_title(title, fontsize=10)
    axes.axis("off")


def where_the_pad_goes(figure, small):
    """The windows of two ways to pad, and the two results."""
    grid = figure.add_gridspec(2, 3, height_ratios=(1.3, 2))
    strip = figure.add_subplot(grid[0, :])
    strip.imshow([[5, *[4] * 8, 5]], "gray", extent=(-1, 9, 0, 1), aspect="auto", vmin=0, vmax=5)
    for pixel, text in enumerate(("0", *(f"x{k}" for k in range(8)), "0"), start=-1):
        strip.text(pixel + 0.5, 0.5, text, ha="center", va="center")
    for row, (pads, first) in enumerate((((0, 1), 0), ((1, 1), -1))):
        for p in range(4):
            left, height = first + 2 * p, (-0.4 - 0.3 * (p % 2), 1.2 + 0.3 * (p % 2))[row]
            strip.plot((left + 0.1, left + 2.9), (height, height), color=COLOURS[row], lw=5)
        strip.text(9.3, (-0.55, 1.35)[row], f"pads {pads}", color=COLOURS[row], va="center")
    strip.set(xlim=(-1.2, 11.5), ylim=(-0.9, 1.7))
    strip.axis("off")
    show(figure.add_subplot(grid[1, 0]), small[0], "pads (0, 1)")
    show(figure.add_subplot(grid[1, 1]), small[1], "pads (1, 1)")
    show(figure.add_subplot(grid[1, 2]), small[0] - small[1], "difference, -0.3 to 0.3", 0.3)


def edges(figure, edges, face):
    """A face and its edges in two directions."""
    for k, axes in enumerate(figure.subplots(1, 3)):
        image = edges[..., k - 1] if k else face[0, ..., 0]
        show(axes, image, ("a face", "across, -0.6 to 0.6", "down, -0.6 to 0.6")[k], k and 0.6)
