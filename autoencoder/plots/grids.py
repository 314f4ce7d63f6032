"""Images beside images: rows of any, reconstructions with their PSNR, samples with neighbours."""

import numpy as np

from .checks import as_images, same_shape
from .sheet import Row, sheet

SCALE = "Values from 0 (black) to 1 (white)."  # of grey images and of each colour


def image_rows(rows, path, *, title, notes=None, columns=12, footer=""):
    """Draw rows of images below each other, each with its label at the left; return the path.

    `rows` is a sequence of (label, images (N, H, W, 1 or 3)) with one N; the first `columns` of
    each are drawn, on a fixed scale from 0 (black) to 1 (white). Rows may differ in resolution.
    `notes` is a text for each image, written under the last row; `footer` a text below all.

    Parameters
    ----------
    rows : sequence of (str, array (N, H, W, 1 or 3))
    path : str or path
    title : str
    notes : sequence of str, default=None
    columns : int, default=12
    footer : str, default=""

    Returns
    -------
    pathlib.Path

    Raises
    ------
    ValueError
        When there is nothing to draw or the rows do not fit each other.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     image_rows([("grey", np.full((2, 8, 8, 1), 0.5))], f"{folder}/a.png", title="a").name
    'a.png'
    """
    rows = [(label, np.asarray(images)) for label, images in rows]
    shapes = [images.shape for _, images in rows]
    good = all(len(shape) == 4 and shape[3] in (1, 3) and 0 not in shape for shape in shapes)
    if not rows or not good or len({shape[0] for shape in shapes}) > 1:
        raise ValueError(
            f"image_rows needs rows of equally many images (N, H, W, 1 or 3), but got {shapes}"
        )
    count = min(columns, shapes[0][0])
    if notes is not None and len(notes) < count:
        raise ValueError(f"image_rows draws {count} images, but got {len(notes)} notes")
    rows = [Row(label, images[:count]) for label, images in rows]
    if notes is not None:
        rows[-1] = rows[-1]._replace(notes=tuple(notes[:count]))
    return sheet(rows, path, title=title, footer=footer)


def reconstruction_grid(
    originals, reconstructions, path, *, title, image_shape=None, count=20, columns=10
):
    """Draw originals above their reconstructions, with the PSNR of each pair; return the path.

    Both are images (N, H, W, 1 or 3) in [0, 1], or rows (N, D) with `image_shape`; the first
    `count` are drawn. The PSNR, -10 log10 of the mean squared error (peak 1), is in dB.

    Parameters
    ----------
    originals, reconstructions : array (N, H, W, 1 or 3) or (N, D)
    path : str or path
    title : str
    image_shape : (H, W, C), default=None
    count : int, default=20
    columns : int, default=10

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
    >>> x = np.linspace(0, 1, 32).reshape(2, 16)
    >>> with TemporaryDirectory() as folder:
    ...     reconstruction_grid(
    ...         x, x + 0.1, f"{folder}/a.png", title="Off by a tenth: 20 dB", image_shape=(4, 4)
    ...     ).name
    'a.png'
    """
    who = "reconstruction_grid"
    originals = as_images(who, "originals", originals, image_shape)[:count]
    rebuilt = as_images(who, "reconstructions", reconstructions, image_shape)[:count]
    same_shape(who, "originals and reconstructions", originals, rebuilt)
    with np.errstate(divide="ignore"):
        ratios = -10 * np.log10(((originals - rebuilt) ** 2).mean(axis=(1, 2, 3)))  # (N,) dB
    notes = ["exact" if np.isinf(ratio) else f"{ratio:.1f} dB" for ratio in ratios]
    footer = f"Below each pair its PSNR (peak 1). {SCALE}"
    return _pairs(
        [("original", originals), ("rebuilt", rebuilt)], notes, path, title, footer, columns
    )


def samples_and_neighbours(
    samples, training, path, *, title, image_shape=None, count=20, columns=10
):
    """Draw samples, each above the training image nearest to it; return the path.

    A sample that equals its neighbour was copied, not generated. Both are images
    (N, H, W, 1 or 3) in [0, 1], or rows (N, D) with `image_shape`. Below each pair is the root
    of its mean squared difference; the footer tells how far training images are from each other.

    Parameters
    ----------
    samples : array (N, H, W, 1 or 3) or (N, D)
    training : array (M, H, W, 1 or 3) or (M, D)
    path : str or path
    title : str
    image_shape : (H, W, C), default=None
    count : int, default=20
    columns : int, default=10

    Returns
    -------
    pathlib.Path

    Raises
    ------
    ValueError
        When the images differ in shape or a value is not finite.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> x = np.random.default_rng(0).random((9, 8, 8, 1))
    >>> with TemporaryDirectory() as folder:
    ...     samples_and_neighbours(x[:3], x, f"{folder}/a.png", title="Copies: distance 0").name
    'a.png'
    """
    who = "samples_and_neighbours"
    samples = as_images(who, "samples", samples, image_shape)[:count]
    training = as_images(who, "training", training, image_shape)
    if samples.shape[1:] != training.shape[1:]:
        raise ValueError(
            f"{who} needs images of one shape, but samples have {samples.shape[1:]} and training "
            f"images {training.shape[1:]}"
        )
    nearest, distances = nearest_rows(samples, training)
    footer = "Below each pair the root of its mean squared difference."
    if len(training) > 1:
        some = np.arange(0, len(training), -(-len(training) // 200))  # enough for a median
        _, apart = nearest_rows(training[some], training, own=some)
        footer += f" Training images are {np.median(apart):.3f} from their nearest (median)."
    return _pairs(
        [("sample", samples), ("nearest training image", training[nearest])],
        [f"{distance:.3f}" for distance in distances],
        path, title, f"{footer} {SCALE}", columns,
    )  # fmt: skip


def nearest_rows(queries, rows, *, own=None):
    """Find the nearest of `rows` (M, ...) for each query (N, ...): indices and distances (N,).

    The distance is the root mean squared difference. When the queries are rows themselves, `own`
    (N,) says which, and no query finds itself.

    >>> nearest_rows(np.array([[0.0, 1.0]]), np.array([[3.0, 1.0], [0.0, 0.0]]))
    (array([1]), array([0.70710678]))
    """
    queries, rows = (np.asarray(x, np.float64).reshape(len(x), -1) for x in (queries, rows))
    squares = (rows**2).sum(axis=1)  # (M,)
    nearest = np.empty(len(queries), int)
    for start in range(0, len(queries), 64):  # not all M * N distances at once
        part = slice(start, start + 64)
        # |q - r|^2 without |q|^2, which is the same for all rows
        apart = squares - 2 * queries[part] @ rows.T  # (64, M)
        if own is not None:
            apart[np.arange(len(apart)), own[part]] = np.inf
        nearest[part] = apart.argmin(axis=1)
    # From the differences themselves, so that a copy is at exactly 0.
    return nearest, np.sqrt(((queries - rows[nearest]) ** 2).mean(axis=1))


def _pairs(rows, notes, path, title, footer, columns):
    """Draw labelled rows of equally many images, broken into lines of `columns`."""
    lines = []
    for start in range(0, len(notes), columns):
        part = slice(start, start + columns)
        lines += [Row(label, images[part]) for label, images in rows]
        lines[-1] = lines[-1]._replace(notes=tuple(notes[part]))
    widest = min(columns, len(notes))
    return sheet(lines, path, title=title, footer=footer, cell=max(56, min(112, 800 // widest)))
