"""Images in rows on one page, each pixel of them a whole number of pixels of the PNG.

The one place that lays out images: the figures in `grids`, `signed` and `latent` are rows of
images with labels at the left and notes below. Grey images keep the fixed scale from 0 (black) to
1 (white); signed ones have a scale symmetric about zero, shown in a colour bar.
"""

import textwrap
from typing import NamedTuple

import numpy as np

from . import canvas
from .canvas import DPI, GREY, TEXT

MARGIN, BAR = 12, (240, 10)  # pixels


class Row(NamedTuple):
    """A row of images with its label, and a text below each image.

    With a `limit` the images are signed (C must be 1) and drawn from -limit to limit.
    """

    label: str
    images: np.ndarray  # (N, H, W, 1 or 3)
    notes: tuple = ()
    limit: float | None = None


def sheet(rows, path, *, title, footer="", cell=112, gap=6):
    """Draw `Row`s below each other on a page of their own size; return the path.

    An image gets about `cell` pixels on its longer side, whatever its resolution, with `gap`
    pixels between; wide notes push the columns apart rather than run into each other.
    """
    from matplotlib.transforms import IdentityTransform

    height = max(row.images.shape[1] for row in rows)
    width = max(row.images.shape[2] for row in rows)
    zoom = max(1, round(cell / max(height, width)))
    cell_w, cell_h = zoom * width, zoom * height
    figure = canvas.new_figure(1, 1)
    labels = [
        "\n".join(textwrap.fill(line, 16) for line in str(row.label).split("\n")) for row in rows
    ]
    label_w = max(canvas.extent(figure, label, TEXT)[0] for label in labels)
    notes = [[str(note) for note in row.notes] for row in rows]
    sizes = [[canvas.extent(figure, note, TEXT - 1) for note in line] for line in notes]
    widest = max((w for line in sizes for w, _ in line), default=0)
    step = int(cell_w + max(gap, widest + 8 - cell_w if widest else 0))
    note_h = [max((h for _, h in line), default=-6) + 6 for line in sizes]
    limit = max((row.limit for row in rows if row.limit is not None), default=None)

    left = MARGIN + label_w + (10 if label_w else 0) + max(0, widest - cell_w) / 2
    total_w = max(left + max(len(row.images) for row in rows) * step + MARGIN, 420)
    title = canvas.wrap(figure, title, total_w - 2 * MARGIN, TEXT + 1)
    footer = canvas.wrap(figure, footer, total_w - 2 * MARGIN, TEXT - 1)
    title_h = canvas.extent(figure, title, TEXT + 1)[1] + 8 if title else 0
    footer_h = canvas.extent(figure, footer, TEXT - 1)[1] + 8 if footer else 0
    bar_h = 0 if limit is None else 36
    total_h = 2 * MARGIN + title_h + footer_h + bar_h + len(rows) * (cell_h + gap) + sum(note_h)
    left, total_w, total_h = (int(np.ceil(value)) for value in (left, total_w, total_h))
    # Half a pixel more, so that rounding never takes one away.
    figure.set_size_inches((total_w + 0.5) / DPI, (total_h + 0.5) / DPI)

    def write(x, y, text, size, **look):
        figure.text(x, y, text, fontsize=size, transform=IdentityTransform(), **look)

    write(MARGIN, total_h - MARGIN, title, TEXT + 1, ha="left", va="top")
    top = int(total_h - MARGIN - title_h)
    for row, label, line, below in zip(rows, labels, notes, note_h, strict=True):
        write(MARGIN, top - cell_h / 2, label, TEXT, ha="left", va="center")
        for column, image in enumerate(row.images):
            place(figure, image, left + column * step, top - cell_h, (cell_h, cell_w), row.limit)
        for column, note in enumerate(line):
            x = left + column * step + cell_w / 2
            write(x, top - cell_h - 3, note, TEXT - 1, ha="center", va="top")
        top -= int(cell_h + gap + below)
    if limit is not None:
        x, y = max(left, MARGIN + 24), top - BAR[1] - 2  # room for half the number at its end
        place(figure, np.linspace(-limit, limit, BAR[0])[None, :, None], x, y, BAR[::-1], limit)
        for share, text in ((0, f"\N{MINUS SIGN}{limit:.2g}"), (0.5, "0"), (1, f"+{limit:.2g}")):
            write(x + share * BAR[0], y - 3, text, TEXT - 1, ha="center", va="top")
    write(MARGIN, MARGIN, footer, TEXT - 1, ha="left", va="bottom", color=GREY)
    return canvas.save(figure, path)


def place(figure, image, x, y, size, limit=None):
    """Put an (H, W, 1 or 3) image at the pixel (x, y), enlarged to `size` pixels (h, w)."""
    down = np.arange(size[0]) * image.shape[0] // size[0]
    across = np.arange(size[1]) * image.shape[1] // size[1]
    image = image[down][:, across]
    image = image[..., 0] if image.shape[2] == 1 else image
    if limit is None:
        scale, image = {"cmap": "gray", "vmin": 0, "vmax": 1}, np.clip(image, 0, 1)
    else:
        scale = {"cmap": canvas.signed_colours(), "vmin": -limit, "vmax": limit}
        frame = np.full((size[0] + 2, size[1] + 2), 0.8)  # white on white needs an edge
        figure.figimage(frame, x - 1, y - 1, cmap="gray", vmin=0, vmax=1)
    figure.figimage(image, x, y, origin="upper", **scale)
