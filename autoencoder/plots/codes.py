"""Codes as numbers: how they spread, and where the classes lie."""

import numpy as np

from . import canvas
from .canvas import COLOURS, MANY_COLOURS, MARKERS, TEXT
from .checks import as_numbers


def code_distribution(codes, path, *, title):
    """Draw how the codes (N, K) spread, all values and each unit by itself; return the path.

    The histogram is of all values; beside it each unit's mean with one standard deviation, in the
    order of the means. Units that hardly move (standard deviation below a thousandth of the range
    of all values) are counted as constant.

    Parameters
    ----------
    codes : array (N, K)
    path : str or path
    title : str

    Returns
    -------
    pathlib.Path

    Raises
    ------
    ValueError
        Unless the codes are finite.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     code_distribution(np.eye(3), f"{folder}/a.png", title="Three units").name
    'a.png'
    """
    from matplotlib.ticker import MaxNLocator

    codes = np.asarray(codes, np.float64)
    if codes.ndim != 2 or codes.size == 0 or not np.isfinite(codes).all():
        raise ValueError(
            f"code_distribution needs finite codes (N, K), but got the shape {codes.shape}"
            f"{'' if np.isfinite(codes).all() else ' with values that are not finite'}"
        )
    low, high = codes.min(), codes.max()
    if low >= 0 and 0.2 < high <= 1:
        low, high = 0.0, 1.0  # a sigmoid's codes, on the scale where saturation shows
    elif high - low < 1e-12:
        low, high = low - 0.5, high + 0.5
    means, spreads = codes.mean(axis=0), codes.std(axis=0)  # (K,)
    constant = int((spreads < 1e-3 * max(codes.max() - codes.min(), 1e-12)).sum())

    figure = canvas.page(title, height=3.7)
    grid = figure.add_gridspec(1, 2, width_ratios=(3.6, 2.2))
    values = canvas.panel(
        figure, grid[0], xlabel="code value", ylabel="share of all values (%)",
        heading=f"{len(codes)} codes of {len(means)} unit{'s' * (len(means) > 1)}, "
        f"mean {codes.mean():.3g}",
    )  # fmt: skip
    share = np.full(codes.size, 100 / codes.size)
    values.hist(codes.ravel(), bins=40, range=(low, high), weights=share, color=COLOURS[0])
    values.set_xlim(low, high)

    units = canvas.panel(
        figure, grid[1], xlabel="unit, by its mean", ylabel="mean and deviation",
        heading=f"{constant} constant (dead)",
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
    return canvas.save(figure, path)


def latent_scatter(codes, labels, path, *, title, names=None, axis_names=("unit 1", "unit 2")):
    """Draw two-dimensional codes (N, 2) by their class; return the path.

    `labels` (N,) are the classes; `names` is label -> text. Each class has a colour and a marker,
    and its name at the median of its codes. With up to twelve classes there is a legend; with
    more, as with people, thin lines lead from each code to the name. Codes of another length must
    be brought to two dimensions first, for example by PCA: say so in `axis_names`.

    Parameters
    ----------
    codes : array (N, 2)
    labels : array (N,)
    path : str or path
    title : str
    names : dict of str, default=None
    axis_names : (str, str), default=("unit 1", "unit 2")

    Returns
    -------
    pathlib.Path

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     latent_scatter(np.eye(2), [0, 1], f"{folder}/a.png", title="Two codes").name
    'a.png'
    """
    from matplotlib.patheffects import withStroke

    who = "latent_scatter"
    codes = as_numbers(who, "codes", codes, "N", "2")
    labels = np.asarray(labels)
    if labels.shape != codes.shape[:1]:
        raise ValueError(f"{who} needs a label for each code, but got the shape {labels.shape}")
    classes = np.unique(labels)
    many = len(classes) > 12
    figure = canvas.page(title, height=5.6 if many else 5.2)
    axes = canvas.panel(figure, xlabel=axis_names[0], ylabel=axis_names[1])
    size = float(np.clip(16000 / len(codes), 6, 30))  # square points
    for index, label in enumerate(classes):
        points = codes[labels == label]  # (n, 2)
        name = str((names or {}).get(label, label))
        colour = MANY_COLOURS[index % len(MANY_COLOURS)]
        marker = MARKERS[index % len(MARKERS)]
        centre = np.median(points, axis=0)
        if many:
            spokes = np.stack([points, np.broadcast_to(centre, points.shape)], axis=1)
            for spoke in spokes if len(codes) <= 2000 else ():
                axes.plot(*spoke.T, color=colour, linewidth=0.6, alpha=0.5, zorder=1)
        axes.scatter(
            *points.T, s=size, color=colour, marker=marker, linewidth=0, alpha=0.8, label=name
        )
        axes.text(
            *centre, name, fontsize=TEXT - 1 if many else TEXT + 1, weight="bold", zorder=4,
            ha="center", va="center", path_effects=[withStroke(linewidth=2.5, foreground="white")],
        )  # fmt: skip
    if not many:
        axes.legend(
            loc="upper left", bbox_to_anchor=(1.01, 1), fontsize=TEXT - 1, frameon=False,
            markerscale=np.sqrt(30 / size), handletextpad=0.2,
        )  # fmt: skip
    width, height = np.ptp(codes, axis=0)
    if 0.25 < width / max(height, 1e-12) < 4:
        axes.set_aspect("equal", adjustable="datalim")
    return canvas.save(figure, path)
