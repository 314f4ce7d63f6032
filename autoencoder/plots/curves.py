"""The training curve of the reference model, beside what simple methods reach."""

import itertools

import numpy as np

from . import canvas
from .canvas import COLOURS, DPI, GREY, TEXT


def training_curve(history, ladder, path, *, title, reference=None, points=None):
    """Draw the loss against the epochs, both logarithmic, with the ladder; return the path.

    `history` has arrays "epoch" (from 1) and "loss" (per image), or is a dict of name -> such a
    dict, for several seeds. `ladder` is label -> loss (see `baselines.ladder`), drawn as labelled
    horizontal lines as far as they are near the curve. `reference` is name -> (epochs, losses),
    drawn dashed; `points` is name -> [(epoch, loss), ...], drawn as markers. Losses that are not
    finite and positive are left out.

    Parameters
    ----------
    history : dict, or dict of dicts
    ladder : dict of floats
    path : str or path
    title : str
    reference : dict of (epochs, losses), default=None
    points : dict of lists of (epoch, loss), default=None

    Returns
    -------
    pathlib.Path

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> history = {"epoch": [1, 2, 3], "loss": [12.0, 10.3, 10.1]}
    >>> with TemporaryDirectory() as folder:
    ...     training_curve(history, {"mean": 9.9}, f"{folder}/a.png", title="Slow").name
    'a.png'
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

    figure = canvas.new_figure(7.4, 5.0)
    title = canvas.wrap(figure, title, 7.0 * DPI, TEXT + 1)
    label_w = max([canvas.extent(figure, label, TEXT - 1)[0] for label in ladder] or [0])
    name_w = max([canvas.extent(figure, name, TEXT - 1)[0] for name, *_ in curves] or [0])
    legend_columns = max(1, min(3, int(6.6 * DPI / (name_w + 60))))
    legend_lines = -(-len(curves) // legend_columns)
    box_bottom = 0.62 + 0.21 * legend_lines  # inches
    box_top = 5.0 - 0.15 - canvas.extent(figure, title, TEXT + 1)[1] / DPI - 0.12
    box_right = 7.4 - 0.15 - (label_w + 26) / DPI
    axes = figure.add_axes(
        (0.75 / 7.4, box_bottom / 5, (box_right - 0.75) / 7.4, (box_top - box_bottom) / 5)
    )
    figure.text(0.15 / 7.4, 1 - 0.12 / 5, title, fontsize=TEXT + 1, ha="left", va="top")
    axes.set(xscale="log", yscale="log", ylim=(low, high))
    first, last = all_epochs.min(), max(all_epochs.max(), all_epochs.min() * 2)
    axes.set_xlim(first / 1.03 ** np.log(last / first), last * 1.03 ** np.log(last / first))
    canvas.plain_ticks(axes.xaxis, *axes.get_xlim(), whole=True)
    canvas.plain_ticks(axes.yaxis, low, high)
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
    return canvas.save(figure, path)


def _drawable(epochs, losses):
    """Keep the pairs that logarithmic axes can show: two float arrays."""
    epochs, losses = np.asarray(epochs, np.float64), np.asarray(losses, np.float64)
    good = np.isfinite(epochs) & np.isfinite(losses) & (epochs > 0) & (losses > 0)
    return epochs[good], losses[good]


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
