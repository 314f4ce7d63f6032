"""Walks through the space of codes: the manifold, one unit at a time, from one code to another.

`decode` is any function from codes (M, K) to images (M, H, W, 1 or 3) or rows (M, D).
"""

import numpy as np

from .checks import as_numbers, decoded
from .grids import SCALE
from .sheet import Row, sheet


def latent_manifold(decode, path, *, title, image_shape=None, codes=None, steps=11):
    """Draw what a grid of two-dimensional codes decodes to; return the path.

    Each axis of the grid has `steps` codes at equally spaced quantiles, of the prior N(0, 1) or,
    with `codes` (N, 2), of each unit's codes: every image stands for the same share of the data,
    which equally spaced codes would not. Unit 1 grows to the right, unit 2 upwards.

    Parameters
    ----------
    decode : callable
        From codes (N, K) to images or rows.
    path : str or path
    title : str
    image_shape : (H, W, C), default=None
    codes : array (N, 2), default=None
    steps : int, default=11

    Returns
    -------
    pathlib.Path

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> def decode(codes):
    ...     return np.tile(codes.mean(axis=1)[:, None, None], (1, 8, 8))
    >>> with TemporaryDirectory() as folder:
    ...     latent_manifold(decode, f"{folder}/a.png", title="Brighter up and right").name
    'a.png'
    """
    who = "latent_manifold"
    shares = (np.arange(steps) + 0.5) / steps
    if codes is None:
        from scipy.special import ndtri

        across = up = ndtri(shares)  # (steps,)
        source = "the prior N(0, 1)"
    else:
        across, up = np.quantile(as_numbers(who, "codes", codes, "N", "2"), shares, axis=0).T
        source = "the codes"
    points = np.stack(np.meshgrid(across, up[::-1]), axis=-1)  # (steps, steps, 2), top row first
    images = decoded(who, decode, points.reshape(-1, 2), image_shape)
    images = images.reshape(steps, steps, *images.shape[1:])
    rows = [Row(_short(value), line) for value, line in zip(up[::-1], images, strict=True)]
    # A text below every image would be too narrow: as many as have room.
    every = max(1, -(-steps * 40 // 840))
    notes = [_short(value) if k % every == 0 else "" for k, value in enumerate(across)]
    rows[-1] = rows[-1]._replace(notes=tuple(notes))
    return sheet(
        rows,
        path,
        title=title,
        footer=f"Right: unit 1. Up: unit 2. Both at equally spaced quantiles of {source}. {SCALE}",
        cell=max(40, 720 // steps),
        gap=2,
    )


def latent_traversals(
    decode, code, kl, path, *, title, image_shape=None, units=8, values=(-3, -2, -1, 0, 1, 2, 3)
):
    """Draw what changes when one unit of a code is moved; return the path.

    `code` (K,) is the code to start from; in each row one unit takes the `values` and the others
    stay. `kl` (K,) is each unit's divergence from the prior in nats: the `units` with the
    largest are drawn, largest first.

    Parameters
    ----------
    decode : callable
        From codes (N, K) to images or rows.
    code : array (K,)
    kl : array (K,)
    path : str or path
    title : str
    image_shape : (H, W, C), default=None
    units : int, default=8
    values : sequence of floats, default=(-3, -2, -1, 0, 1, 2, 3)

    Returns
    -------
    pathlib.Path

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> def decode(codes):
    ...     return np.tile(codes.sum(axis=1)[:, None, None], (1, 8, 8))
    >>> with TemporaryDirectory() as folder:
    ...     latent_traversals(decode, [0, 0], [0.1, 2], f"{folder}/a.png", title="Grey").name
    'a.png'
    """
    who = "latent_traversals"
    code = as_numbers(who, "code", code, "K")
    kl = as_numbers(who, "kl", kl, str(len(code)))
    values = as_numbers(who, "values", values, "steps")
    order = np.argsort(-kl, kind="stable")[:units]
    codes = np.tile(code, (len(order), len(values), 1))  # (units, steps, K)
    codes[np.arange(len(order)), :, order] = values
    images = decoded(who, decode, codes.reshape(-1, len(code)), image_shape)
    images = images.reshape(len(order), len(values), *images.shape[1:])
    rows = [
        Row(f"unit {unit}\n{kl[unit]:.2f} nats", line)
        for unit, line in zip(order, images, strict=True)
    ]
    rows[-1] = rows[-1]._replace(notes=tuple(_short(value) for value in values))
    return sheet(
        rows,
        path,
        title=title,
        footer=f"Below: the value given to the row's unit. The {len(order)} of {len(code)} units "
        f"with the largest divergence from the prior, largest first. {SCALE}",
        cell=max(56, min(90, 760 // len(values))),
    )


def interpolations(decode, starts, ends, path, *, title, image_shape=None, steps=9):
    """Draw the ways between pairs of codes, straight and along the sphere; return the path.

    `starts` and `ends` are codes (P, K). The straight way between two draws from a wide normal
    prior passes nearer to zero than draws of that prior ever are; the spherical way does not.

    Parameters
    ----------
    decode : callable
        From codes (N, K) to images or rows.
    starts, ends : array (P, K)
    path : str or path
    title : str
    image_shape : (H, W, C), default=None
    steps : int, default=9

    Returns
    -------
    pathlib.Path

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> def decode(codes):
    ...     return np.tile(codes.sum(axis=1)[:, None, None], (1, 8, 8))
    >>> with TemporaryDirectory() as folder:
    ...     interpolations(decode, [[1, 0]], [[0, 1]], f"{folder}/a.png", title="Grey").name
    'a.png'
    """
    who = "interpolations"
    starts = as_numbers(who, "starts", starts, "P", "K")
    ends = as_numbers(who, "ends", ends, *map(str, starts.shape))
    shares = np.linspace(0, 1, steps)
    rows = []
    for start, end in zip(starts, ends, strict=True):
        straight = start + shares[:, None] * (end - start)  # (steps, K)
        for label, codes in (("straight", straight), ("spherical", slerp(start, end, shares))):
            rows.append(Row(label, decoded(who, decode, codes, image_shape)))
    rows[-1] = rows[-1]._replace(notes=tuple(f"{share:.0%}" for share in shares))
    return sheet(
        rows,
        path,
        title=title,
        footer=f"Below: the share of the way from the first code to the last. {SCALE}",
        cell=max(56, min(90, 760 // steps)),
    )


def slerp(start, end, shares):
    """Interpolate along the sphere between two codes (K,) at `shares` (M,): (M, K).

    The angle grows evenly (Shoemake 1985), and codes of one length keep it. Codes that are
    parallel, opposite or zero span no single arc: there the way is straight.

    Parameters
    ----------
    start, end : array (K,)
    shares : array (M,)
        0 is the start, 1 the end.

    Returns
    -------
    array (M, K)

    Examples
    --------
    >>> slerp(np.array([2.0, 0.0]), np.array([0.0, 2.0]), np.array([0, 0.5, 1])).round(3)
    array([[2.   , 0.   ],
           [1.414, 1.414],
           [0.   , 2.   ]])
    """
    shares = np.asarray(shares, np.float64)[:, None]  # (M, 1)
    lengths = np.linalg.norm(start) * np.linalg.norm(end)
    cosine = np.clip(start @ end / lengths, -1, 1) if lengths else 1.0
    angle = np.arccos(cosine)
    if np.sin(angle) < 1e-6:
        return (1 - shares) * start + shares * end
    return (np.sin((1 - shares) * angle) * start + np.sin(shares * angle) * end) / np.sin(angle)


def _short(value):
    """Write a number with at most one decimal, and a real minus sign."""
    return f"{round(float(value), 1) + 0.0:g}".replace("-", "\N{MINUS SIGN}")
