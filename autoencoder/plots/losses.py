"""The course of a training, term by term: what the loss is made of, and when it was best."""

import numpy as np

from . import canvas
from .canvas import COLOURS, GREY

# Everything else in a history is a term of the loss.
NOT_TERMS = (
    "epoch", "loss", "validation_loss", "held_out_loss", "l2_loss", "learning_rate",
    "code_mean", "code_spread",
)  # fmt: skip
OTHERS = {"validation_loss": "validation", "held_out_loss": "held out"}


def loss_curves(history, path, *, title, ylabel="loss (nats per sample)"):
    """Draw a training's loss and each of its terms against the epochs; return the path.

    `history` is the `history_` of an estimator: a dict of equally long lists "epoch" and "loss",
    one list for each term, and where there are such "validation_loss", whose lowest point is
    marked, and "held_out_loss", of images that had no say in the training.
    Each panel has its own scale, logarithmic where its values stay above zero and differ by
    more than a factor of five. Values that are not finite are left out, and the footer counts them.

    Parameters
    ----------
    history : dict of lists
    path : str or path
    title : str
    ylabel : str, default="loss (nats per sample)"

    Returns
    -------
    pathlib.Path

    Raises
    ------
    ValueError
        When lists are missing, of different lengths or without a finite loss.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> history = {"epoch": [1, 2], "loss": [5.0, 4.0], "reconstruction": [4.5, 3.6]}
    >>> with TemporaryDirectory() as folder:
    ...     loss_curves(history | {"l1": [0.5, 0.4]}, f"{folder}/a.png", title="Both fall").name
    'a.png'
    """
    missing = [name for name in ("epoch", "loss") if name not in history]
    if missing:
        raise ValueError(
            f"loss_curves needs the lists 'epoch' and 'loss', but got {sorted(history)}"
        )
    lengths = {name: len(values) for name, values in history.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"loss_curves needs lists of one length, but got {lengths}")
    series = {name: np.asarray(values, np.float64) for name, values in history.items()}
    epochs, terms = series["epoch"], [name for name in series if name not in NOT_TERMS]
    drawn = [name for name in ("loss", *OTHERS, *terms) if name in series]
    bad = sum(int((~np.isfinite(series[name])).sum()) for name in drawn)
    if not np.isfinite(series["loss"]).any():
        raise ValueError("loss_curves needs a finite loss, but got none: the training diverged")

    footer = "Each panel has its own scale." if len(terms) > 1 else ""
    if bad:
        footer += f" {bad} values are not finite and not drawn."
    figure = canvas.page(title, footer=footer.strip(), height=max(3.9, 1.2 + 1.35 * len(terms)))
    several = len(terms) > 1  # a single term is the loss itself
    grid = figure.add_gridspec(len(terms) if several else 1, 2 if several else 1)
    axes = canvas.panel(figure, grid[:, 0], xlabel="epoch", ylabel=ylabel)
    curves = {"training": series["loss"]}
    curves |= {words: series[name] for name, words in OTHERS.items() if name in series}
    _draw(axes, epochs, curves, COLOURS, ticks=5)
    if np.isfinite(curves.get("validation", np.nan)).any():
        best = np.nanargmin(
            np.where(np.isfinite(curves["validation"]), curves["validation"], np.nan)
        )
        axes.plot(
            epochs[best], curves["validation"][best], "o", color=COLOURS[1], markersize=7,
            markeredgecolor="black", label=f"best, epoch {epochs[best]:g}",
        )  # fmt: skip
    if len(curves) > 1:
        canvas.legend_above(axes, room=3.2 if several else 6.0)
    for index, name in enumerate(terms if several else ()):
        last = index == len(terms) - 1
        small = canvas.panel(
            figure, grid[index, 1], xlabel="epoch" if last else "", heading=name.replace("_", " ")
        )
        _draw(small, epochs, {name: series[name]}, COLOURS[2:], ticks=3)
        if not last:
            small.tick_params(labelbottom=False)
    return canvas.save(figure, path)


def _draw(axes, epochs, curves, colours, ticks):
    """Draw the finite part of name -> losses, on the scale that shows them."""
    from matplotlib.ticker import MaxNLocator

    for (name, losses), colour, style in zip(
        curves.items(), colours, ("-", "--", ":"), strict=False
    ):
        good = np.isfinite(losses)
        marker = "o" if good.sum() <= 12 else ""
        axes.plot(
            epochs[good], losses[good], style, color=colour, linewidth=1.8, marker=marker,
            markersize=4, label=name,
        )  # fmt: skip
    losses = np.concatenate(list(curves.values()))
    losses = losses[np.isfinite(losses)]
    if losses.size and losses.min() > 0 and losses.max() > 5 * losses.min():
        axes.set_yscale("log")
        canvas.plain_ticks(axes.yaxis, *axes.get_ylim(), least=ticks)
    elif losses.size == 0:
        axes.text(0.5, 0.5, "no finite value", transform=axes.transAxes, ha="center", color=GREY)
    else:
        axes.yaxis.set_major_locator(MaxNLocator(ticks))
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
