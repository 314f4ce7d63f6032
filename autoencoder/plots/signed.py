"""Signed images, on one scale symmetric about zero, where zero is white: errors and filters."""

import numpy as np

from .checks import as_images, same_shape
from .grids import SCALE
from .sheet import Row, sheet


def error_maps(
    originals, reconstructions, path, *, title, image_shape=None, count=8, notes=None, limit=None
):
    """Draw originals, reconstructions and their signed differences; return the path.

    The differences, reconstruction minus original (for colour images their mean over the
    channels), share one scale from -`limit` to `limit`, by default the largest that is shown.
    Both are images (N, H, W, 1 or 3) in [0, 1], or rows (N, D) with `image_shape`. `notes` is a
    text for each image, such as an anomaly score, in place of the root mean squared error.

    Parameters
    ----------
    originals, reconstructions : array (N, H, W, 1 or 3) or (N, D)
    path : str or path
    title : str
    image_shape : (H, W, C), default=None
    count : int, default=8
        How many are drawn.
    notes : sequence of str, default=None
    limit : float, default=None

    Returns
    -------
    pathlib.Path

    Raises
    ------
    ValueError
        When the shapes differ or a value is not finite.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> x = np.linspace(0, 1, 64).reshape(1, 8, 8)
    >>> with TemporaryDirectory() as folder:
    ...     error_maps(x, x[:, ::-1], f"{folder}/a.png", title="Upside down").name
    'a.png'
    """
    who = "error_maps"
    originals = as_images(who, "originals", originals, image_shape)[:count]
    rebuilt = as_images(who, "reconstructions", reconstructions, image_shape)[:count]
    same_shape(who, "originals and reconstructions", originals, rebuilt)
    if notes is None:
        errors = np.sqrt(((rebuilt - originals) ** 2).mean(axis=(1, 2, 3)))
        notes = [f"RMSE {error:.3f}" for error in errors]
    if len(notes) < len(originals):
        raise ValueError(f"{who} draws {len(originals)} images, but got {len(notes)} notes")
    differences = (rebuilt - originals).mean(axis=3, keepdims=True)  # (N, H, W, 1)
    limit = _limit(who, limit, differences)
    return sheet(
        [
            Row("original", originals),
            Row("rebuilt", rebuilt),
            Row("difference", differences, tuple(notes[: len(originals)]), limit),
        ],
        path,
        title=title,
        footer=f"Difference: rebuilt minus original, white where equal, one scale for all. {SCALE}",
    )


def filters(weights, path, *, title, image_shape=None, count=64, columns=16, limit=None):
    """Draw the weights of units as images, largest norm first; return the path.

    `weights` is one grey image for each unit, (K, H, W) or (K, H, W, 1), or rows (K, D) with
    `image_shape`; for a dense layer's kernel (D, K) that is its transpose. At most `count` units
    are drawn, on one scale from -`limit` to `limit`, by default the largest weight that is shown.

    Parameters
    ----------
    weights : array (K, H, W), (K, H, W, 1) or (K, D)
    path : str or path
    title : str
    image_shape : (H, W, C), default=None
    count : int, default=64
    columns : int, default=16
    limit : float, default=None

    Returns
    -------
    pathlib.Path

    Raises
    ------
    ValueError
        For other shapes, colour images or values that are not finite.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     filters(np.eye(16), f"{folder}/a.png", title="A pixel each", image_shape=(4, 4)).name
    'a.png'
    """
    who = "filters"
    images = as_images(who, "weights", weights, image_shape)
    if images.shape[3] != 1:
        raise ValueError(
            f"{who} draws signed grey images, but got the shape {images.shape}: "
            f"draw one channel at a time"
        )
    norms = np.sqrt((images**2).sum(axis=(1, 2, 3)))
    shown = images[np.argsort(-norms, kind="stable")[:count]]
    limit = _limit(who, limit, shown)
    rows = [
        Row("", shown[start : start + columns], limit=limit)
        for start in range(0, len(shown), columns)
    ]
    which = "all" if len(shown) == len(images) else f"the largest {len(shown)} of"
    return sheet(
        rows,
        path,
        title=title,
        footer=f"Weights of {which} {len(images)} units, by their norm, on one scale; "
        f"zero is white.",
        cell=max(40, min(112, 800 // min(columns, len(shown)))),
    )


def _limit(who, limit, shown):
    """Return the end of the symmetric scale: the one asked for or the largest value shown."""
    if limit is None:
        return float(np.abs(shown).max()) or 1.0  # all zero: all white, on any scale
    if not 0 < limit < np.inf:
        raise ValueError(f"{who} needs a limit above 0, but got {limit}")
    return float(limit)
