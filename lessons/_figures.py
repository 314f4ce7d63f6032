"""Figures without windows: a PNG of at most 100 KB, and the arrays it shows beside it as .npz."""

import numpy as np
from matplotlib.figure import Figure

# Okabe and Ito's colours, which colour-blind readers can tell apart.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
DPI, TEXT = 110, 10


def new_figure(size, window=False):
    """An empty figure of `size` (width, height) inches; in a window if asked for."""
    if window:
        from matplotlib import pyplot

        return pyplot.figure(figsize=size, layout="constrained")
    return Figure(figsize=size, layout="constrained")


def save_figure(figure, title, path):
    """Write `figure` under its `title` to `path` (.png), and what it shows to the same .npz."""
    figure.suptitle(title, fontsize=TEXT + 1)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=DPI)
    np.savez_compressed(path.with_suffix(".npz"), **plotted(figure))


def plotted(figure):
    """The arrays a figure shows, by axes and kind: {"0_line_float32": (2, n), "1_image_0": ...}."""
    arrays = {}
    for k, axes in enumerate(figure.axes):
        drawn = [("line", a, a.get_xydata().T) for a in axes.lines if a.get_xydata().size]
        drawn += [("image", a, a.get_array()) for a in axes.images]
        drawn += [("points", a, a.get_offsets()) for a in axes.collections]
        drawn += [("bars", a, a.datavalues) for a in axes.containers if hasattr(a, "datavalues")]
        for i, (kind, artist, values) in enumerate(drawn):
            label = artist.get_label()
            name = str(i) if not label or label.startswith("_") else label
            arrays[f"{k}_{kind}_{name}".replace("/", "-")] = np.ma.filled(values)
    return arrays
