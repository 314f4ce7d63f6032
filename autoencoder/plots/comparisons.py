"""Methods against each other: anomaly scores, rate and distortion, accuracy from few labels."""

import numpy as np

from . import canvas
from .canvas import COLOURS, GREY, MARKERS
from .checks import as_numbers, same_shape


def anomaly_scores(normal, anomalous, path, *, title, threshold=None, larger="normal"):
    """Draw the scores of normal and anomalous samples and the ROC they give; return the path.

    `normal` (N,) and `anomalous` (M,) are scores; `larger` says what larger ones mean, "normal"
    (as scikit-learn's `score_samples`) or "anomalous". Each histogram is of its own group, in
    common bins; the outermost hold what lies beyond. A `threshold` is drawn in both panels.

    Parameters
    ----------
    normal : array (N,)
    anomalous : array (M,)
    path : str or path
    title : str
    threshold : float, default=None
    larger : {"normal", "anomalous"}, default="normal"

    Returns
    -------
    pathlib.Path

    Raises
    ------
    ValueError
        For a group without scores or with scores that are not finite.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     anomaly_scores([3, 4, 5], [1, 2, 3.5], f"{folder}/a.png", title="Digits: AUC 0.89").name
    'a.png'
    """
    from sklearn.metrics import roc_auc_score, roc_curve

    who = "anomaly_scores"
    normal = as_numbers(who, "normal", normal, "N")
    anomalous = as_numbers(who, "anomalous", anomalous, "M")
    if larger not in ("normal", "anomalous"):
        raise ValueError(f'{who} needs larger="normal" or "anomalous", but got {larger!r}')
    sign = 1 if larger == "anomalous" else -1
    truth = np.repeat([0, 1], [len(normal), len(anomalous)])
    suspicion = sign * np.concatenate([normal, anomalous])  # (N + M,), larger is more anomalous
    false, true, _ = roc_curve(truth, suspicion, drop_intermediate=False)
    area = roc_auc_score(truth, suspicion)

    low, high, footer = _axis(sign * suspicion)
    if area < 0.5:
        footer += " An area below 0.5: are the groups or the sign of the scores exchanged?"
    figure = canvas.page(title, footer=footer, height=3.9)
    grid = figure.add_gridspec(1, 2, width_ratios=(3, 2.3))
    axes = canvas.panel(
        figure, grid[0], xlabel=f"score (larger: more {larger})", ylabel="share of the group (%)"
    )
    _histograms(axes, {"normal": normal, "anomalous": anomalous}, low, high)
    roc = canvas.panel(
        figure, grid[1], xlabel="false alarms (%)", ylabel="anomalies found (%)",
        heading=f"ROC, area {area:.3f}",
    )  # fmt: skip
    roc.plot([0, 100], [0, 100], color=GREY, linewidth=0.9, linestyle=":")
    roc.plot(100 * false, 100 * true, color=COLOURS[2], linewidth=1.8, clip_on=False)
    roc.set(xlim=(0, 100), ylim=(0, 100), aspect="equal")
    if threshold is not None:
        axes.axvline(threshold, color="black", linewidth=1.2, linestyle="--", label="threshold")
        alarms, found = ((sign * g > sign * threshold).mean() * 100 for g in (normal, anomalous))
        roc.plot([alarms], [found], "o", color="black", markersize=6, clip_on=False, zorder=4)
    canvas.legend_above(axes, room=3.6)
    return canvas.save(figure, path)


def rate_distortion(curves, path, *, title):
    """Draw quality against size, PSNR in dB against bits per pixel; return the path.

    `curves` is name -> (bits per pixel (P,), PSNR (P,)); up and left is better. The rates are on
    a logarithmic axis when they span more than a factor of ten. Lossless points, whose PSNR is
    infinite, are not drawn but counted in the footer.

    Parameters
    ----------
    curves : dict of (array (P,), array (P,))
    path : str or path
    title : str

    Returns
    -------
    pathlib.Path

    Raises
    ------
    ValueError
        When there is no curve, or one has other shapes or impossible values.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     rate_distortion({"PCA": ([1, 2], [24, 27])}, f"{folder}/a.png", title="PCA").name
    'a.png'
    """
    who = "rate_distortion"
    if not curves:
        raise ValueError(f"{who} needs a curve, but got none")
    points, lossless = {}, 0
    for name, (rates, ratios) in curves.items():
        rates, ratios = np.asarray(rates, np.float64), np.asarray(ratios, np.float64)
        same_shape(who, f"rates and PSNR of {name!r}", rates, ratios)
        finite = ratios != np.inf
        lossless += int((~finite).sum())
        rates = as_numbers(who, f"the rates of {name!r}", rates[finite], "P")
        ratios = as_numbers(who, f"the PSNR of {name!r}", ratios[finite], "P")
        if (rates <= 0).any():
            raise ValueError(f"{who} needs rates above 0, but {name!r} has {rates.min()}")
        points[name] = rates[np.argsort(rates)], ratios[np.argsort(rates)]
    lowest = min(rates[0] for rates, _ in points.values())
    highest = max(rates[-1] for rates, _ in points.values())
    wide = highest / lowest > 10
    footer = "Up and left is better."
    if wide:
        footer += " Rates on a logarithmic scale."
    if lossless:
        footer += f" Lossless, not drawn: {lossless} of the points."
    figure = canvas.page(title, footer=footer)
    axes = canvas.panel(figure, xlabel="bits per pixel", ylabel="PSNR (dB, peak 1)")
    _curves(axes, points)
    if wide:
        axes.set_xscale("log")
        canvas.plain_ticks(axes.xaxis, *axes.get_xlim())
    axes.grid(color="#DDDDDD", linewidth=0.6)
    canvas.legend_above(axes)
    return canvas.save(figure, path)


def score_groups(groups, path, *, title, threshold=None):
    """Draw the scores of groups of samples, and a `threshold`; return the path.

    `groups` is name -> scores (N,), larger ones meaning more normal; empty ones are left out. There
    is no ROC, which would need to know the anomalies: see `anomaly_scores`.

    Parameters
    ----------
    groups : dict of arrays (N,)
    path : str or path
    title : str
    threshold : float, default=None

    Returns
    -------
    pathlib.Path

    Raises
    ------
    ValueError
        Where there are no scores, or some that are not finite.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     score_groups({"test": [3, 4], "new": [1, 2]}, f"{folder}/a.png", title="Digits").name
    'a.png'
    """
    groups = {n: as_numbers("score_groups", n, g, "N") for n, g in groups.items() if len(g)}
    if not groups:
        raise ValueError("score_groups needs scores, but all groups are empty")
    low, high, footer = _axis(np.concatenate(list(groups.values())), threshold)
    figure = canvas.page(title, footer=footer, height=3.9)
    axes = canvas.panel(
        figure,
        figure.add_gridspec(1, 1)[0],
        xlabel="score (larger: more normal)",
        ylabel="share of the group (%)",
    )
    _histograms(axes, groups, low, high)
    if threshold is not None:
        axes.axvline(threshold, color="black", linewidth=1.2, linestyle="--", label="threshold")
    canvas.legend_above(axes, room=3.6)
    return canvas.save(figure, path)


def _axis(scores, threshold=None):
    """Where an axis for `scores` begins and ends, and what is to be said of it."""
    low, high = np.quantile(scores, (0.005, 0.995))
    if threshold is not None:
        low, high = min(low, threshold), max(high, threshold)
    if high - low < 1e-12:
        low, high = low - 0.5, high + 0.5
    beyond = int(((scores < low) | (scores > high)).sum())
    footer = "Shares are of each group."
    if beyond:
        footer += f" The outermost bars include {beyond} scores beyond the axis."
    return low, high, footer


def _histograms(axes, groups, low, high):
    for colour, (name, group) in zip(COLOURS, groups.items(), strict=False):
        axes.hist(
            np.clip(group, low, high), bins=30, range=(low, high), alpha=0.6, color=colour,
            weights=np.full(len(group), 100 / len(group)), label=f"{name} ({len(group)})",
            histtype="stepfilled", edgecolor=colour, linewidth=1.2,
        )  # fmt: skip
    axes.set_xlim(low, high)


def accuracy_by_labels(results, path, *, title, chance=None):
    """Draw accuracy against the number of labels for each class, with error bars; return the path.

    `results` is name -> (labels per class (L,), accuracies (L, R) from 0 to 1 of R repeated
    draws). Points are means, bars one standard deviation of the draws; methods are moved sideways
    a little so that no bar hides another. `chance` is drawn as a dotted line.

    Parameters
    ----------
    results : dict of (array (L,), array (L, R))
    path : str or path
    title : str
    chance : float, default=None

    Returns
    -------
    pathlib.Path

    Raises
    ------
    ValueError
        When there is no method, or one has other shapes or impossible values.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> pixels = [1, 5], [[0.4, 0.5], [0.8, 0.8]]
    >>> with TemporaryDirectory() as folder:
    ...     accuracy_by_labels({"pixels": pixels}, f"{folder}/a.png", title="Pixels").name
    'a.png'
    """
    who = "accuracy_by_labels"
    if not results:
        raise ValueError(f"{who} needs a method, but got none")
    points, runs = {}, set()
    for index, (name, (counts, accuracies)) in enumerate(results.items()):
        counts = as_numbers(who, f"the labels per class of {name!r}", counts, "L")
        accuracies = as_numbers(
            who, f"the accuracies of {name!r}", accuracies, str(len(counts)), "R"
        )
        if (counts <= 0).any() or accuracies.min() < 0 or accuracies.max() > 1:
            raise ValueError(
                f"{who} needs counts above 0 and accuracies from 0 to 1, but {name!r} has "
                f"{counts.min():g} labels, {accuracies.min():g} to {accuracies.max():g}"
            )
        order = np.argsort(counts)
        aside = 1.03 ** (index - (len(results) - 1) / 2)
        percent = 100 * accuracies[order]  # (L, R)
        points[name] = counts[order] * aside, percent.mean(axis=1), _deviation(percent)
        runs.add(accuracies.shape[1])
    repeats = " or ".join(map(str, sorted(runs)))
    figure = canvas.page(
        title,
        footer=f"Mean and standard deviation of {repeats} draws of the labels. "
        "Labels on a logarithmic scale.",
    )
    axes = canvas.panel(figure, xlabel="labels per class", ylabel="accuracy (%)")
    _curves(axes, points)
    if chance is not None:
        axes.axhline(100 * chance, color=GREY, linewidth=0.9, linestyle=":", label="chance")
    axes.set_xscale("log")
    counts = np.unique(np.concatenate([np.asarray(c, float) for c, _ in results.values()]))
    _ticks_at(axes.xaxis, counts)
    axes.grid(axis="y", color="#DDDDDD", linewidth=0.6)
    canvas.legend_above(axes)
    return canvas.save(figure, path)


def _deviation(draws):
    """Estimate the standard deviation of (L, R) over the draws, 0 for a single one: (L,)."""
    return draws.std(axis=1, ddof=1) if draws.shape[1] > 1 else np.zeros(len(draws))


def _curves(axes, points):
    """Draw name -> (x, y) or (x, y, deviation), each with a colour, marker and line of its own."""
    dashes = ("-", "--", "-.", ":")
    for index, (name, numbers) in enumerate(points.items()):
        axes.errorbar(
            *numbers, label=name, color=COLOURS[index % len(COLOURS)], linewidth=1.6, capsize=3,
            marker=MARKERS[index % len(MARKERS)], markersize=5.5,
            linestyle=dashes[index // len(COLOURS) % len(dashes)],
        )  # fmt: skip


def _ticks_at(axis, values):
    """Put ticks at the values themselves, as many as have room on a logarithmic axis."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    span = np.log(values[-1] / values[0]) or 1.0
    kept = [values[0]]
    for value in values[1:]:
        if np.log(value / kept[-1]) > span / 14:
            kept.append(value)
    axis.set_major_locator(FixedLocator(kept))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
