"""The figures of a run, as PNG files: image rows, the training curve, the distribution of codes.

Everything is drawn on figures of our own, never through pyplot, so that no figure, style or
back end of the caller's is touched. Say in each title which data were used.
"""

import itertools
import textwrap
from pathlib import Path

import numpy as np

# Okabe and Ito's colours, which colour-blind readers can tell apart.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
GREY = "#555555"
DPI = 110
TEXT = 10  # points


def image_rows(rows, path, *, title, notes=None, columns=12):
    """Draw rows of images below each other, each with its label at the left; return the path.

    `rows` is a sequence of (label, images (N, H, W, 1 or 3)) with one N; the first `columns` of
    each are drawn, on a fixed scale from 0 (black) to 1 (white). Rows may differ in resolution.
    `notes` is a text for each image, written under the last row.
    Raises ValueError when there is nothing to draw or the rows do not fit each other.
    """
    from matplotlib.transforms import IdentityTransform

    rows = [(label, np.asarray(images)) for label, images in rows]
    shapes = [images.shape for _, images in rows]
    good = all(len(shape) == 4 and shape[3] in (1, 3) and 0 not in shape for shape in shapes)
    if not rows or not good or len({shape[0] for shape in shapes}) > 1:
        raise ValueError(
            f"image_rows needs rows of equally many images (N, H, W, 1 or 3), but got {shapes}."
        )
    count = min(columns, shapes[0][0])
    notes = None if notes is None else [str(note) for note in notes]
    if notes is not None and len(notes) < count:
        raise ValueError(f"image_rows draws {count} images, but got {len(notes)} notes.")

    # All sizes are in pixels of the PNG, so that an image's pixel is a whole number of them.
    height = max(shape[1] for shape in shapes)
    width = max(shape[2] for shape in shapes)
    zoom = max(1, round(112 / max(height, width)))
    cell_w, cell_h, gap, margin = zoom * width, zoom * height, 6, 12
    figure = _figure(1, 1)
    labels = [textwrap.fill(str(label), 16) for label, _ in rows]
    label_w = max(_extent(figure, label, TEXT)[0] for label in labels)
    if notes is not None:
        # Wide notes push the columns apart rather than run into each other.
        notes = notes[:count]
        gap = max(gap, max(_extent(figure, note, TEXT - 1)[0] for note in notes) + 8 - cell_w)
    note_h = 0 if notes is None else max(_extent(figure, n, TEXT - 1)[1] for n in notes) + 6
    left = margin + label_w + 10 + (gap - 6) / 2
    total_w = max(left + count * (cell_w + gap) + 6, 420)
    title = _wrap(figure, title, total_w - 2 * margin, TEXT + 1)
    title_h = _extent(figure, title, TEXT + 1)[1]
    total_h = 2 * margin + title_h + 8 + len(rows) * (cell_h + 6) + note_h
    left, total_w, total_h = (int(np.ceil(value)) for value in (left, total_w, total_h))
    figure.set_size_inches(total_w / DPI, total_h / DPI)

    def write(x, y, text, size, **alignment):
        figure.text(x, y, text, fontsize=size, transform=IdentityTransform(), **alignment)

    write(margin, total_h - margin, title, TEXT + 1, ha="left", va="top")
    top = int(total_h - margin - title_h - 8)
    for (_, images), label in zip(rows, labels, strict=True):
        bottom = top - cell_h
        write(margin, (top + bottom) / 2, label, TEXT, ha="left", va="center")
        for column in range(count):
            x = left + column * int(cell_w + gap)
            box = (x / total_w, bottom / total_h, cell_w / total_w, cell_h / total_h)
            axes = figure.add_axes(box)
            axes.set_axis_off()
            picture = np.clip(images[column], 0, 1)
            picture = picture[..., 0] if picture.shape[2] == 1 else picture
            axes.imshow(
                picture, cmap="gray", vmin=0, vmax=1, interpolation="nearest", aspect="auto"
            )
        top = bottom - 6
    for column, note in enumerate(notes or ()):
        x = left + column * int(cell_w + gap) + cell_w / 2
        write(x, top, note, TEXT - 1, ha="center", va="top")
    return _save(figure, path)


def training_curve(history, ladder, path, *, title, reference=None, points=None):
    """Draw the loss against the epochs, both logarithmic, with the ladder; return the path.

    `history` has arrays "epoch" (from 1) and "loss" (per image), or is a dict of name -> such a
    dict, for several seeds. `ladder` is label -> loss (see `baselines.ladder`), drawn as labelled
    horizontal lines as far as they are near the curve. `reference` is name -> (epochs, losses),
    drawn dashed; `points` is name -> [(epoch, loss), ...], drawn as markers. Losses that are not
    finite and positive are left out.
    """
    single = "loss" in history
    runs = {"this run": history} if single else history
    curves = [(name, run["epoch"], run["loss"], "-") for name, run in runs.items()]
    dashes = itertools.cycle(("--", "-.", ":"))
    curves += [(name, *curve, next(dashes)) for name, curve in (reference or {}).items()]
    curves += [
        (name, [epoch for epoch, _ in marks], [loss for _, loss in marks], "D")
        for name, marks in (points or {}).items()
    ]
    curves = [(name, *_drawable(epochs, losses), style) for name, epochs, losses, style in curves]
    all_epochs = np.concatenate([epochs for _, epochs, _, _ in curves] or [[]])
    all_losses = np.concatenate([losses for _, _, losses, _ in curves] or [[]])
    ladder = {label: loss for label, loss in (ladder or {}).items() if 0 < loss < np.inf}
    nothing = all_losses.size == 0
    if nothing:  # a run that diverged at once still gets its figure
        all_epochs, all_losses = np.ones(1), np.array([max(ladder.values(), default=1.0)])

    # Show the ladder above the curve, and as far below as the curve itself fell: a short run is
    # not squeezed flat by a method that it is nowhere near.
    low, high = all_losses.min(), all_losses.max()
    floor = low / max(1.5, high / low)
    ladder = {label: loss for label, loss in ladder.items() if floor <= loss <= 2 * high}
    low, high = min([low, *ladder.values()]) / 1.15, max([high, *ladder.values()]) * 1.15

    figure = _figure(7.4, 5.0)
    title = _wrap(figure, title, 7.0 * DPI, TEXT + 1)
    label_w = max([_extent(figure, label, TEXT - 1)[0] for label in ladder] or [0])
    name_w = max([_extent(figure, name, TEXT - 1)[0] for name, *_ in curves] or [0])
    legend_columns = max(1, min(3, int(6.6 * DPI / (name_w + 60))))
    legend_lines = -(-len(curves) // legend_columns)
    box_bottom = 0.62 + 0.21 * legend_lines  # inches
    box_top = 5.0 - 0.15 - _extent(figure, title, TEXT + 1)[1] / DPI - 0.12
    box_right = 7.4 - 0.15 - (label_w + 26) / DPI
    axes = figure.add_axes(
        (0.75 / 7.4, box_bottom / 5, (box_right - 0.75) / 7.4, (box_top - box_bottom) / 5)
    )
    figure.text(0.15 / 7.4, 1 - 0.12 / 5, title, fontsize=TEXT + 1, ha="left", va="top")
    axes.set(xscale="log", yscale="log", ylim=(low, high))
    first, last = all_epochs.min(), max(all_epochs.max(), all_epochs.min() * 2)
    axes.set_xlim(first / 1.03 ** np.log(last / first), last * 1.03 ** np.log(last / first))
    _plain_ticks(axes.xaxis, *axes.get_xlim(), whole=True)
    _plain_ticks(axes.yaxis, low, high)
    axes.tick_params(labelsize=TEXT - 1)
    axes.set_xlabel("epoch", fontsize=TEXT)
    axes.set_ylabel("half the sum of squares per image", fontsize=TEXT)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)

    for index, (name, epochs, losses, style) in enumerate(curves):
        colour = COLOURS[index % len(COLOURS)] if style in "-D" else GREY
        if style == "D":
            look = {"linestyle": "", "marker": "D", "markersize": 6, "markeredgecolor": "black"}
        else:
            few = len(epochs) <= 12 and style == "-"
            look = {"linestyle": style, "linewidth": 1.8, "marker": "o" if few else ""}
        axes.plot(epochs, losses, color=colour, label=name, zorder=3, clip_on=False, **look)
    if curves and (len(curves) > 1 or not single):
        figure.legend(
            loc="lower left", bbox_to_anchor=(0.6 / 7.4, 0.01), ncol=legend_columns,
            fontsize=TEXT - 1, frameon=False, borderaxespad=0.2,
        )  # fmt: skip
    if nothing:
        axes.text(0.5, 0.7, "no finite loss", transform=axes.transAxes, ha="center", color=GREY)
    _draw_ladder(axes, ladder, (box_top - box_bottom) * DPI)
    return _save(figure, path)


def code_distribution(codes, path, *, title):
    """Draw how the codes (N, K) spread, all values and each unit by itself; return the path.

    The histogram is of all values; beside it each unit's mean with one standard deviation, in the
    order of the means. Units that hardly move (standard deviation below a thousandth of the range
    of all values) are counted as constant. Raises ValueError unless the codes are finite.
    """
    from matplotlib.ticker import MaxNLocator

    codes = np.asarray(codes, np.float64)
    if codes.ndim != 2 or codes.size == 0 or not np.isfinite(codes).all():
        raise ValueError(
            f"code_distribution needs finite codes (N, K), but got the shape {codes.shape}"
            f"{'' if np.isfinite(codes).all() else ' with values that are not finite'}."
        )
    low, high = codes.min(), codes.max()
    if low >= 0 and 0.2 < high <= 1:
        low, high = 0.0, 1.0  # a sigmoid's codes, on the scale where saturation shows
    elif high - low < 1e-12:
        low, high = low - 0.5, high + 0.5
    means, spreads = codes.mean(axis=0), codes.std(axis=0)  # (K,)
    constant = int((spreads < 1e-3 * max(codes.max() - codes.min(), 1e-12)).sum())

    figure = _figure(7.4, 3.7)
    title = _wrap(figure, title, 7.0 * DPI, TEXT + 1)
    text_h = _extent(figure, title, TEXT + 1)[1] / DPI
    figure.text(0.15 / 7.4, 1 - 0.12 / 3.7, title, fontsize=TEXT + 1, ha="left", va="top")
    height = (3.7 - 0.65 - 0.55 - text_h) / 3.7
    values = figure.add_axes((0.75 / 7.4, 0.6 / 3.7, 3.6 / 7.4, height))
    units = figure.add_axes((5.15 / 7.4, 0.6 / 3.7, 2.05 / 7.4, height))
    share = np.full(codes.size, 100 / codes.size)
    values.hist(codes.ravel(), bins=40, range=(low, high), weights=share, color=COLOURS[0])
    values.set_xlim(low, high)
    values.set_xlabel("code value", fontsize=TEXT)
    values.set_ylabel("share of all values (%)", fontsize=TEXT)
    values.set_title(
        f"{len(codes)} codes of {len(means)} unit{'s' * (len(means) > 1)}, mean {codes.mean():.3g}",
        fontsize=TEXT, loc="left",
    )  # fmt: skip
    order, rank = np.argsort(means), np.arange(1, len(means) + 1)
    mean, spread = means[order], spreads[order]
    if len(rank) > 60:
        units.fill_between(
            rank, mean - spread, mean + spread, color=COLOURS[5], alpha=0.6, linewidth=0
        )
        units.plot(rank, mean, color=COLOURS[1], linewidth=1.8)
    else:
        units.errorbar(rank, mean, spread, fmt="o", markersize=3, color=COLOURS[1],
                       ecolor=COLOURS[5])  # fmt: skip
    units.set_ylim(min(low, (mean - spread).min()), max(high, (mean + spread).max()))
    units.set_xlim(0, len(rank) + 1)
    units.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    units.set_xlabel("unit, by its mean", fontsize=TEXT)
    units.set_ylabel("mean and deviation", fontsize=TEXT)
    units.set_title(f"{constant} constant (dead)", fontsize=TEXT, loc="left")
    for axes in (values, units):
        axes.tick_params(labelsize=TEXT - 1)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    return _save(figure, path)


def _figure(width, height):
    """Make a figure of width x height inches with a canvas of its own."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def _save(figure, path):
    """Write the figure as a small PNG, without date or version: equal figures, equal files."""
    from PIL import Image

    figure.canvas.draw()
    pixels = np.asarray(figure.canvas.buffer_rgba())[..., :3]  # (H, W, 3) uint8
    if (pixels[..., :1] == pixels).all():
        pixels = pixels[..., 0]  # a grey figure needs a third of the bytes
    path = Path(path)
    Image.fromarray(np.ascontiguousarray(pixels)).save(path, format="PNG", optimize=True)
    return path


def _extent(figure, text, size):
    """Measure a text of `size` points: (width, height) in pixels."""
    artist = figure.text(0, 0, text, fontsize=size)
    box = artist.get_window_extent(figure.canvas.get_renderer())
    artist.remove()
    return box.width, box.height


def _wrap(figure, text, width, size):
    """Break a text into lines of at most `width` pixels."""
    letters = len(text)
    while letters > 8 and _extent(figure, textwrap.fill(text, letters), size)[0] > width:
        letters -= 2
    return textwrap.fill(text, letters) if text else text


def _drawable(epochs, losses):
    """Keep the pairs that logarithmic axes can show: two float arrays."""
    epochs, losses = np.asarray(epochs, np.float64), np.asarray(losses, np.float64)
    good = np.isfinite(epochs) & np.isfinite(losses) & (epochs > 0) & (losses > 0)
    return epochs[good], losses[good]


def _plain_ticks(axis, low, high, whole=False):
    """Put about five ticks with plain numbers on a logarithmic axis, whatever its range."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    for digits in ((1,), (1, 3), (1, 2, 5), (1, 1.2, 1.4, 1.6, 2, 2.5, 3, 4, 5, 6, 7, 8, 9)):
        powers = 10.0 ** np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
        ticks = np.outer(powers, digits).ravel()
        ticks = ticks[(low <= ticks) & (ticks <= high)]
        if whole:
            ticks = ticks[ticks == ticks.round()]
        if len(ticks) >= 5:
            break
    if len(ticks) < 3 and not whole:
        ticks = [float(f"{value:.3g}") for value in np.geomspace(low, high, 6)[1:-1]]
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _draw_ladder(axes, ladder, height):
    """Draw the ladder's lines and, at the right, their labels, pushed apart where they are close.

    `height` is the height of the axes in pixels.
    """
    if not ladder:
        return
    low, high = axes.get_ylim()
    items = sorted(ladder.items(), key=lambda item: item[1])
    lines = [np.log(loss / low) / np.log(high / low) for _, loss in items]  # 0 bottom, 1 top
    step = 1.5 * TEXT * DPI / 72 / height
    places = list(lines)
    for index in range(1, len(places)):  # upwards ...
        places[index] = max(places[index], places[index - 1] + step)
    places[-1] = min(places[-1], 1.0)
    for index in range(len(places) - 2, -1, -1):  # ... and down again from the upper edge
        places[index] = min(places[index], places[index + 1] - step)
    for (label, loss), line, place in zip(items, lines, places, strict=True):
        axes.axhline(loss, color=GREY, linewidth=0.9, linestyle=":", zorder=1)
        axes.annotate(
            label, xy=(1, line), xytext=(1.045, place), xycoords="axes fraction",
            textcoords="axes fraction", fontsize=TEXT - 1, color=GREY, va="center", ha="left",
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": GREY, "linewidth": 0.7, "shrinkA": 1,
                        "shrinkB": 0},
        )  # fmt: skip
