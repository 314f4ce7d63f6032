"""Units and directions by what they carry: the divergence of each unit, eigenvalue spectra."""

import numpy as np

from . import canvas
from .canvas import COLOURS, GREY, MARKERS, TEXT
from .checks import as_numbers


def kl_per_unit(kl, path, *, title, threshold=0.01):
    """Draw each unit's divergence from the prior, kl (K,) in nats, largest first; return the path.

    Units above `threshold` count as active (Burda et al. 2016 use 0.01) and are coloured.

    Parameters
    ----------
    kl : array (K,)
    path : str or path
    title : str
    threshold : float, default=0.01

    Returns
    -------
    pathlib.Path

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     kl_per_unit([0.0, 2.5], f"{folder}/a.png", title="One of two units lives").name
    'a.png'
    """
    from matplotlib.ticker import MaxNLocator

    kl = np.sort(as_numbers("kl_per_unit", "kl", kl, "K"))[::-1]
    active = int((kl > threshold).sum())
    figure = canvas.page(
        title,
        height=3.4,
        footer="Divergence of the code from the prior: a unit that tells nothing has 0 nats.",
    )
    axes = canvas.panel(
        figure, xlabel="unit, by its divergence", ylabel="divergence (nats)",
        heading=f"{active} of {len(kl)} units above {threshold:g} nats, "
        f"together {kl.sum():.3g} nats",
    )  # fmt: skip
    rank = np.arange(1, len(kl) + 1)
    axes.bar(rank, kl, color=[COLOURS[0]] * active + [GREY] * (len(kl) - active), width=0.8)
    axes.set_xlim(0.4, len(kl) + 0.6)
    axes.xaxis.set_major_locator(MaxNLocator(10, integer=True))
    return canvas.save(figure, path)


def spectrum(values, path, *, title, ylabel="singular value", levels=None):
    """Draw eigenvalues or singular values, largest first, on a logarithmic axis; return the path.

    `values` is name -> (K,) or name -> (N, K), such as the singular values of N Jacobians: then
    the line is their median and the band reaches from the 10th to the 90th percentile. `levels`
    is label -> value, drawn as labelled horizontal lines. Zeros cannot be drawn: they are
    counted in the footer.

    Parameters
    ----------
    values : dict of arrays (K,) or (N, K)
    path : str or path
    title : str
    ylabel : str, default="singular value"
    levels : dict of floats, default=None

    Returns
    -------
    pathlib.Path

    Raises
    ------
    ValueError
        For values below zero or not finite.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     spectrum({"data": [4, 1, 0.1]}, f"{folder}/a.png", title="Two matter").name
    'a.png'
    """
    who = "spectrum"
    lines, zeros = {}, 0
    for name, numbers in values.items():
        numbers = np.asarray(numbers, np.float64)
        axes_named = ("N", "K") if numbers.ndim == 2 else ("K",)
        numbers = np.atleast_2d(as_numbers(who, f"values[{name!r}]", numbers, *axes_named))
        if (numbers < 0).any():
            raise ValueError(f"{who} draws values of 0 or more, but {name!r} has {numbers.min()}")
        numbers = -np.sort(-numbers, axis=1)  # (N, K), largest first
        zeros += int((numbers == 0).sum())
        lines[name] = np.where(numbers > 0, numbers, np.nan)
    if not any(np.isfinite(numbers).any() for numbers in lines.values()):
        raise ValueError(f"{who} needs a value above 0, but got none")
    levels = levels or {}
    if not all(0 < level < np.inf for level in levels.values()):
        raise ValueError(f"{who} draws levels above 0, but got {levels}")
    footer = "Logarithmic scale."
    if any(len(numbers) > 1 for numbers in lines.values()):
        footer += " Line: median. Band: 10th to 90th percentile."
    if zeros:
        footer += f" {zeros} value{'s are' if zeros > 1 else ' is'} 0 and not drawn."
    figure = canvas.page(title, footer=footer)
    axes = canvas.panel(figure, xlabel="number, largest first", ylabel=ylabel)
    axes.set_yscale("log")
    for index, (name, numbers) in enumerate(lines.items()):
        numbers = numbers[:, np.isfinite(numbers).any(axis=0)]
        rank = np.arange(1, numbers.shape[1] + 1)
        look = {"color": COLOURS[index % len(COLOURS)]}
        if len(numbers) > 1:
            low, high = np.nanquantile(numbers, (0.1, 0.9), axis=0)
            axes.fill_between(rank, low, high, alpha=0.25, linewidth=0, **look)
        marker = MARKERS[index % len(MARKERS)] if len(rank) <= 40 else ""
        middle = np.nanmedian(numbers, axis=0)
        axes.plot(rank, middle, marker=marker, markersize=4, linewidth=1.6, label=name, **look)
    for label, level in levels.items():
        axes.axhline(level, color=GREY, linewidth=0.9, linestyle=":")
        axes.annotate(
            label, (1, level), (4, 0), xycoords=("axes fraction", "data"),
            textcoords="offset points", fontsize=TEXT - 1, color=GREY, va="center",
        )  # fmt: skip
    canvas.plain_ticks(axes.yaxis, *axes.get_ylim())
    if len(lines) > 1:
        canvas.legend_above(axes)
    return canvas.save(figure, path)
