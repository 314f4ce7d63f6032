"""Figures of lesson 13."""

import numpy as np

SIZES = {"no_inverse": (6, 2.2), "overlaps": (6, 2.6)}


def show(axes, image, title, high=1.0):
    """An image, grey from 0 to `high`."""
    axes.imshow(image, cmap="gray", vmin=0, vmax=high)
    axes.set_title(title, fontsize=9)
    axes.axis("off")


def overlaps(figure, overlaps, count, variance):
    """Counts of windows and the variance they make."""
    even = np.array(overlaps(4, 4, 2)[:8])  # (8,)
    maps = np.outer(count, count), variance, np.outer(even, even)
    titles = (
        "windows, kernel 3, stride 2",
        "variance, random weights",
        "windows, kernel 4, stride 2",
    )
    for axes, numbers, title in zip(figure.subplots(1, 3), maps, titles, strict=True):
        show(axes, numbers, title, 4.5)
        for (i, j), n in np.ndenumerate(numbers):
            colour = "white" if n < 2.5 else "black"
            axes.text(
                j,
                i,
                f"{n:.1f}".removesuffix(".0"),
                ha="center",
                va="center",
                fontsize=6,
                color=colour,
            )


def no_inverse(figure, x, y, painted):
    """An image, its convolution, and two ways back."""
    titles = "x", "conv(x), 0 to 3", "transpose", "nearest"
    for axes, title, images in zip(figure.subplots(1, 4), titles, (x, y, *painted), strict=True):
        show(axes, images[1, ..., 0], title, 3 if title.endswith("3") else 1)
