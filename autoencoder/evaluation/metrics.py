"""How good is it? Reconstructions, latent units and anomaly scores in numbers.

What a code is worth to somebody who has labels is in `probes`, whose functions are also here.
Everything is computed in float64, over samples on the first axis, and returned as plain numbers.
SSIM: Wang, Bovik, Sheikh & Simoncelli 2004. Active units: Burda, Grosse & Salakhutdinov 2016.
"""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
from scipy.special import xlogy
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from minigrad.backend import Array

from ..checks import as_numbers, check_number, outside_unit_interval
from ..rows import blocks
from .probes import Accuracy, few_shot_accuracy, knn_accuracy, linear_probe, trustworthiness

__all__ = [
    "Accuracy",
    "active_units",
    "anomaly_metrics",
    "excess_bce",
    "few_shot_accuracy",
    "kl_per_unit",
    "knn_accuracy",
    "linear_probe",
    "mse",
    "psnr",
    "ssim",
    "trustworthiness",
]

SSIM_WINDOW, SSIM_SIGMA = 11, 1.5  # pixels
ROWS = 256  # that are computed with at a time
SSIM_K1, SSIM_K2 = 0.01, 0.03


def mse(images: Any, reconstructions: Any, *, reduction: str = "mean") -> Any:
    """The mean squared error of a pixel: two arrays (N, ...) -> a float.

    `reduction="none"` gives one number for each image, (N,), here and in the functions below.

    Parameters
    ----------
    images, reconstructions : array (N, ...)
    reduction : {"mean", "none"}, default="mean"

    Returns
    -------
    float, or array (N,) for "none"

    Examples
    --------
    >>> mse(np.zeros((1, 4)), np.array([[0.0, 0.0, 0.0, 2.0]]))
    1.0
    """
    values = _by_rows("mse", lambda x, y: ((x - y) ** 2).mean(axis=1), images, reconstructions)
    return _reduce("mse", values, reduction)


def psnr(
    images: Any, reconstructions: Any, *, data_range: float = 1.0, reduction: str = "mean"
) -> Any:
    """The peak signal-to-noise ratio in decibels: the mean over images (N, ...) of each one's.

    ``20 log10(data_range) - 10 log10(mse)``; an image without any error has infinity. The mean of
    the images' ratios is not the ratio of the mean error: it is larger or equal (Jensen).

    Parameters
    ----------
    images, reconstructions : array (N, ...)
    data_range : float, default=1.0
    reduction : {"mean", "none"}, default="mean"

    Returns
    -------
    float, or array (N,) for "none"

    Examples
    --------
    >>> psnr(np.zeros((2, 4)), np.array([[0.1] * 4, [0.01] * 4])).__round__(6)
    30.0
    """
    data_range = _above_zero("psnr", data_range)
    errors = mse(images, reconstructions, reduction="none")  # (N,)
    with np.errstate(divide="ignore"):
        ratios = 20 * np.log10(data_range) - 10 * np.log10(errors)
    return _reduce("psnr", ratios, reduction)


def ssim(
    images: Any, reconstructions: Any, *, data_range: float = 1.0, reduction: str = "mean"
) -> Any:
    """The structural similarity of images (N, H, W) or (N, H, W, C): 1 for equal ones, at least -1.

    Local means, variances and the covariance are taken under a Gaussian window of 11x11 pixels and
    standard deviation 1.5, where it lies wholly inside the image (Wang et al. 2004, K1 = 0.01,
    K2 = 0.03), and averaged over positions and channels. In images of fewer than 11 pixels a side
    the window is the largest odd one that fits, which makes theirs a number of its own, comparable
    among images of one size only.

    Parameters
    ----------
    images, reconstructions : array (N, H, W) or (N, H, W, C)
    data_range : float, default=1.0
    reduction : {"mean", "none"}, default="mean"

    Returns
    -------
    float, or array (N,) for "none"

    Raises
    ------
    ValueError
        Below 3 pixels a side.

    Examples
    --------
    >>> checks = np.indices((1, 12, 12)).sum(axis=0) % 2.0
    >>> ssim(checks, checks), round(ssim(checks, 1 - checks), 3)
    (1.0, -0.996)
    """
    images, reconstructions = _same_shape("ssim", images, reconstructions)
    if images.ndim not in (3, 4) or min(images.shape[1:3]) < 3:
        raise ValueError(
            f"ssim: images of at least 3x3 pixels, (N, H, W) or (N, H, W, C), are needed, "
            f"got {images.shape}: give flat images their shape with reshape"
        )
    data_range = _above_zero("ssim", data_range)
    height, width = images.shape[1:3]
    down, across = _windows(height, width)  # (H', H), (W, W')
    c1, c2 = (SSIM_K1 * data_range) ** 2, (SSIM_K2 * data_range) ** 2
    values = np.empty(len(images))
    for i in range(len(images)):  # one at a time: the maps of all would not fit into the cache
        x, y = (  # (C, H, W)
            _channels_first(side[i].astype(np.float64)) for side in (images, reconstructions)
        )
        # (5, C, H', W'): the local means of x, y, x^2, y^2 and x y
        mx, my, xx, yy, xy = down @ np.stack([x, y, x * x, y * y, x * y]) @ across
        variances = xx - mx**2 + yy - my**2
        luminance = (2 * mx * my + c1) / (mx**2 + my**2 + c1)
        structure = (2 * (xy - mx * my) + c2) / (variances + c2)
        values[i] = (luminance * structure).mean()
    return _reduce("ssim", values, reduction)


def excess_bce(images: Any, probabilities: Any, *, reduction: str = "mean") -> Any:
    """Binary cross-entropy less its minimum, the entropy of the images, in nats per image.

    For values x and probabilities p in [0, 1], (N, ...), it is ``sum KL(x || p)`` over the pixels:
    0 for p = x, where the cross-entropy of grey images is still ``H(x)``. Logarithms stop at -100
    as in `minigrad.losses.binary_cross_entropy`.

    Parameters
    ----------
    images, probabilities : array (N, ...) in [0, 1]
    reduction : {"mean", "none"}, default="mean"

    Returns
    -------
    float, or array (N,) for "none"

    Examples
    --------
    >>> round(excess_bce(np.array([[0.5, 1.0]]), np.array([[0.5, 0.5]])), 6)  # log 2
    0.693147
    """
    values = _by_rows("excess_bce", _excess_bce, images, probabilities)
    return _reduce("excess_bce", values, reduction)


def _excess_bce(x, p):
    """See `excess_bce`: (n, D), (n, D) -> (n,)."""
    for name, values in (("images", x), ("probabilities", p)):
        if outside_unit_interval(values).any():
            raise ValueError(
                f"excess_bce: the {name} must lie in [0, 1], "
                f"but some run from {values.min():g} to {values.max():g}"
            )
    x, p = np.clip(x, 0, 1), np.clip(p, 0, 1)
    negative_entropy = xlogy(x, x) + xlogy(1 - x, 1 - x)
    with np.errstate(divide="ignore"):
        log_p, log_q = np.maximum(np.log(p), -100), np.maximum(np.log1p(-p), -100)
    excess = (negative_entropy - x * log_p - (1 - x) * log_q).sum(axis=1)
    return np.maximum(excess, 0)  # not -1e-17 for p = x


def anomaly_metrics(normal_scores: Any, anomaly_scores: Any) -> dict[str, float]:
    """How well scores tell anomalies from normal samples; a higher score means more normal.

    Anomalies are the positives. Returns a dict: "roc_auc", the probability that an anomaly scores
    below a normal sample (ties count half); "average_precision"; "precision_at_n", the share of
    anomalies among the n lowest scores, n their number (of a tie at the border, its average);
    "fpr_at_95_tpr", the share of normal samples flagged by the threshold that finds 95 % of the
    anomalies.

    Parameters
    ----------
    normal_scores : array (N,)
    anomaly_scores : array (M,)

    Returns
    -------
    dict of floats

    Raises
    ------
    ValueError
        For empty or non-finite scores.

    Examples
    --------
    >>> anomaly_metrics([3, 4, 5, 6], [1, 3.5])["roc_auc"]
    0.875
    """
    normal = as_numbers("anomaly_metrics", "normal_scores", normal_scores).ravel()
    anomalous = as_numbers("anomaly_metrics", "anomaly_scores", anomaly_scores).ravel()
    scores = np.concatenate([anomalous, normal])
    if not (len(normal) and len(anomalous) and np.isfinite(scores).all()):
        raise ValueError(
            f"anomaly_metrics: finite scores of both kinds are needed, got {len(normal)} normal "
            f"and {len(anomalous)} anomalous, {np.isfinite(scores).sum()} of them finite"
        )
    is_anomaly = np.arange(len(scores)) < len(anomalous)
    n = len(anomalous)
    border = np.sort(scores)[n - 1]
    below, at = scores < border, scores == border
    found = is_anomaly[below].sum() + (n - below.sum()) * is_anomaly[at].mean()
    false_rate, true_rate, _ = roc_curve(is_anomaly, -scores, drop_intermediate=False)
    return {
        "roc_auc": float(roc_auc_score(is_anomaly, -scores)),
        "average_precision": float(average_precision_score(is_anomaly, -scores)),
        "precision_at_n": float(found / n),
        "fpr_at_95_tpr": float(false_rate[true_rate >= 0.95].min()),
    }


def active_units(means: Any, threshold: float = 0.01) -> int:
    """Count the latent units whose posterior mean varies over the data: (N, k) -> int.

    A unit is active when the variance of its mean exceeds `threshold` (Burda et al. 2016); the
    others have collapsed to the prior and say nothing about the sample.

    Parameters
    ----------
    means : array (N, k)
    threshold : float, default=0.01

    Returns
    -------
    int

    Examples
    --------
    >>> active_units(np.array([[0.0, 1.0, 0.1], [0.01, -1.0, -0.2]]))
    2
    """
    check_number("active_units: threshold", threshold, "of at least 0", lambda v: v >= 0)
    means = _codes("active_units", means)
    return int((means.var(axis=0) > threshold).sum())


def kl_per_unit(means: Any, log_variances: Any) -> Array:
    """KL(N(mean, variance) || N(0, 1)) of every unit, in nats per sample: two (N, k) -> (k,).

    ``(mean^2 + variance - 1 - log variance) / 2``, averaged over the samples; the sum over units
    is the VAE's divergence (Kingma & Welling 2014, appendix B).

    Parameters
    ----------
    means, log_variances : array (N, k)

    Returns
    -------
    array (k,)

    Examples
    --------
    >>> kl_per_unit(np.array([[0.0, 1.0]]), np.zeros((1, 2)))
    array([0. , 0.5])
    """
    means, log_variances = _codes("kl_per_unit", means), _codes("kl_per_unit", log_variances)
    _same_shape("kl_per_unit", means, log_variances)
    # expm1(v) - v keeps its digits where the posterior is almost the prior
    return (means**2 + np.expm1(log_variances) - log_variances).mean(axis=0) / 2


def _windows(height, width):
    """The normalised Gaussian as two matrices, so that ``down @ image @ across`` is filtered."""
    size = min(SSIM_WINDOW, height - 1 + height % 2, width - 1 + width % 2)  # odd
    weights = np.exp(-((np.arange(size) - size // 2) ** 2) / (2 * SSIM_SIGMA**2))
    weights /= weights.sum()
    down, across = (
        np.stack([np.pad(weights, (i, n - size - i)) for i in range(n - size + 1)])
        for n in (height, width)
    )
    return down, across.T


def _channels_first(image):
    """(H, W) or (H, W, C) -> (C, H, W)."""
    return image[None] if image.ndim == 2 else np.moveaxis(image, -1, 0)


def _by_rows(name, function, first, second):
    """``function(x, y)`` of blocks (n, D) float64 of two arrays of one shape (N, ...): (N,)."""
    first, second = _same_shape(name, first, second)
    first, second = first.reshape(len(first), -1), second.reshape(len(first), -1)
    pairs = zip(blocks(first, ROWS), blocks(second, ROWS), strict=True)
    return np.concatenate(
        [function(x.astype(np.float64), y.astype(np.float64)) for (x, *_), (y, *_) in pairs]
    )


def _same_shape(name, first, second):
    """The two arrays; what is not float32 is float64."""
    first, second = (
        as_numbers(name, which, values, None)
        for which, values in (("the first", first), ("the second", second))
    )
    if first.shape != second.shape or first.ndim < 2 or first.size == 0:
        raise ValueError(
            f"{name}: two arrays of one shape, samples first, are needed, "
            f"got {first.shape} and {second.shape}"
        )
    return first, second


def _above_zero(name, data_range):
    if not isinstance(data_range, Real) or not data_range > 0:
        raise ValueError(f"{name}: data_range must be above zero, got {data_range!r}")
    return float(data_range)


def _codes(name, codes):
    codes = as_numbers(name, "the codes", codes)
    if codes.ndim != 2 or codes.size == 0:
        raise ValueError(f"{name}: (samples, units) are needed, got shape {codes.shape}")
    return codes


def _reduce(name, values, reduction):
    if not isinstance(reduction, str) or reduction not in ("mean", "none"):
        raise ValueError(f"{name}: reduction is 'mean' or 'none', not {reduction!r}")
    return float(values.mean()) if reduction == "mean" else values
