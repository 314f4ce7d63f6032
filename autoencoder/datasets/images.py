"""A set of images in memory, and how to make one of your own files.

`Dataset` is what every loader of `datasets` returns; `load_images` reads .npz and .npy files and
folders of pictures, and says in one sentence what is wrong with those that it cannot use.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from minigrad import resize_bicubic
from minigrad.backend import Array
from minigrad.checkpoint import PathLike

from ..checks import outside_unit_interval
from .pictures import check_file, checked_size, fitted, read_folder
from .tables import read_table

MAPPED = 2**26  # bytes from which an .npy file is not read into memory
BLOCK = 256  # images that are converted at a time


class DataUnavailable(OSError):
    """A data set can be had neither from this machine nor from the network."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images with labels, and where they came from.

    `name` is short, for figures and run folders; `description` is one sentence.

    Parameters
    ----------
    name : str
    images : array (N, H, W, C) in [0, 1]
    labels : array (N,) of integers
    description : str
    names : tuple of str or None, default=None
        Of the files, or whatever the images are called.
    columns : tuple of str or None, default=None
        Of a table the names of its D columns; `images` are then (N, 1, D, 1) of any range.

    Examples
    --------
    >>> dots = Dataset("dots", np.zeros((2, 1, 1, 1), np.float32), np.array([0, 1]), "Two dots.")
    >>> dots.images.shape
    (2, 1, 1, 1)
    """

    name: str
    images: np.ndarray  # (N, H, W, C) float32 in [0, 1]
    labels: np.ndarray  # (N,) int, the person or the digit
    description: str
    names: tuple | None = None  # of the N files, where they come from a folder
    columns: tuple | None = None  # of a table: the D names, `images` are (N, 1, D, 1) of any range


def shrink(images: Array, size: int) -> Array:
    """Images (N, H, W, C) at (N, size, size, C), resized as TensorFlow 1 does it.

    For square images and a whole fraction of their size these are exactly every second pixel, or
    every third, and so on.

    Parameters
    ----------
    images : array (N, H, W, C)
    size : int

    Returns
    -------
    array (N, size, size, C)

    Examples
    --------
    >>> shrink(np.arange(16.0).reshape(1, 4, 4, 1), 2).ravel()
    array([ 0.,  2.,  8., 10.])
    """
    h, w = images.shape[1:3]
    if (h, w) == (size, size):
        return images
    if h == w and h % size == 0:
        return np.ascontiguousarray(images[:, :: h // size, :: h // size])
    return resize_bicubic(images, size, half_pixel_centers=False)


def load_table(
    path: PathLike, *, label: str | None = None, columns: Sequence[str] | None = None
) -> Dataset:
    """Load a table, a CSV or Parquet file: `images` (N, 1, D, 1) float32, and names of `columns`.

    CSV may have commas, semicolons, tabs or bars between its fields, quotes, and a byte order mark;
    without a line of names the columns are numbered. Empty fields, NA, null and ? are missing: NaN.
    A first column of distinct whole numbers that has no name is an index and is left out.

    Parameters
    ----------
    path : str or Path
    label : str or None, default=None
        The column of classes, numbers or texts; without one every row gets its own label.
    columns : sequence of str or None, default=None
        The columns to read, in this order; None is all but the label.

    Returns
    -------
    Dataset

    Raises
    ------
    FileNotFoundError, ValueError
        In one sentence that names the file, and all columns that are no numbers.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"There is no file or folder {path}")
    rows, names, labels = read_table(path, label, columns)
    numbers = np.arange(len(rows))
    if labels is not None:
        _, numbers = np.unique(labels, return_inverse=True)
    return Dataset(
        name=path.stem,
        images=rows[:, None, :, None],
        labels=numbers.astype(np.int64),
        description=f"{len(rows)} rows of {len(names)} columns read from {path}.",
        columns=names,
    )


def load_images(path, *, size=None, fit="crop"):
    """Load images from an .npz or .npy file or a folder: (N, H, W, C) float32 in [0, 1].

    An .npz is searched for "images", "x", "X", "data" (or its only array) and for "labels" or "y".
    Arrays may be (N, H, W, C), (N, H, W), or (N, D) with D a square number; integers are divided
    by 255, those of uint16 that go beyond by 65535. Of an .npy above 64 MB the result is a memory
    map, of the file itself if that has float32, else of a temporary one.

    A folder's pictures are in the order of their names, and grey unless one of them has colours;
    those in subfolders take the subfolder's number as label. They are turned as their EXIF tag
    says, and grey ones of 16 bits keep their depth. Of animated pictures the first frame is read,
    and transparency is ignored, with a warning. Without labels, every image gets its own.

    Parameters
    ----------
    path : str or Path
    size : int, (height, width) or None, default=None
        That all images are brought to; None leaves them as they are, in one size.
    fit : {"crop", "pad", "stretch"}, default="crop"
        What becomes of images of other proportions: "crop" cuts off what is too much on both sides,
        "pad" puts black there, "stretch" distorts them.

    Returns
    -------
    Dataset

    Raises
    ------
    FileNotFoundError, ValueError
        In one sentence that names the file.
    """
    path, size = Path(path), checked_size(size, fit)
    if not path.exists():
        raise FileNotFoundError(f"There is no file or folder {path}")
    if path.is_dir():
        images, labels, names = read_folder(path, size, fit)
    else:
        images, labels, names = _read_file(path)
        images = _as_images(images, path)
        if size is not None:
            images = np.stack([fitted(image, size, fit) for image in images])
    count, height, width, _ = images.shape
    if labels is None:
        labels = np.arange(count)
    if labels.shape != (count,) or not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(
            f"The labels in {path} should be {count} integers, one for each image, "
            f"but they are {labels.dtype} of shape {labels.shape}"
        )
    return Dataset(
        name=path.stem if path.is_file() else path.resolve().name,
        images=images,
        labels=labels.astype(np.int64),
        description=f"{count} images of {height}x{width} pixels read from {path}.",
        names=names if names is not None and len(names) == count else None,
    )


def _read_file(path):
    """Read an .npz or .npy file: (images, labels or None, names or None), as stored."""
    if path.suffix not in (".npz", ".npy"):
        raise ValueError(
            f"{path} is neither an .npz file, an .npy file, a folder of images nor a table (.csv, "
            ".tsv, .parquet)"
        )
    labels, images, file_names = None, None, None
    check_file(path)
    try:
        with open(path, "rb") as file:  # np.load would leave a damaged .npz open
            stored = np.load(file, allow_pickle=False) if not _stays(path) else None
            if stored is None:
                return np.load(path, mmap_mode="r", allow_pickle=False), None, None
            if isinstance(stored, np.ndarray):
                return stored, None, None
            names = stored.files
            known = [name for name in ("images", "x", "X", "data") if name in names]
            known = known or (names if len(names) == 1 else [])
            if known:
                images = stored[known[0]]
                labels = next((stored[name] for name in ("labels", "y") if name in names), None)
                if "names" in names and stored["names"].dtype.kind == "U":  # as the commands write
                    file_names = tuple(stored["names"].ravel().tolist())
    except MemoryError:
        raise
    except Exception as error:  # a damaged file can raise nearly anything
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        if "pickle" in reason:  # what NumPy advises, and nobody should follow
            reason = "it holds something else than numbers, or no arrays at all"
        raise ValueError(f"{path} cannot be read as a NumPy file: {reason}") from None
    if images is None:
        raise ValueError(
            f"{path} has the arrays {', '.join(names) or '(none)'}: call the one with the images "
            f"'images', so that it can be found"
        )
    return images, labels, file_names


def _as_images(array, path):
    """Bring a stored array to (N, H, W, C) float32 in [0, 1], or say what is wrong with it."""
    if array.ndim == 2 and array.shape[1] == round(array.shape[1] ** 0.5) ** 2:
        side = round(array.shape[1] ** 0.5)
        array = array.reshape(len(array), side, side)
    if array.ndim == 3:
        array = array[..., None]  # (N, H, W, 1)
    if array.ndim != 4 or array.shape[3] not in (1, 3) or array.size == 0:
        first = array.ndim == 4 and array.shape[1] in (1, 3)
        cure = ": bring the channels there with images.transpose(0, 2, 3, 1)" if first else ""
        raise ValueError(
            f"The images in {path} have shape {array.shape}, but (N, H, W, C) with 1 or 3 "
            f"channels last, (N, H, W), or (N, D) with D a square number is needed{cure}"
        )
    whole = np.issubdtype(array.dtype, np.integer)
    if not (whole or array.dtype == bool or np.issubdtype(array.dtype, np.floating)):
        raise ValueError(f"The images in {path} are {array.dtype}, but numbers are needed")
    low, high, limit = array.min(), array.max(), 255 if whole else 1
    if array.dtype == np.uint16 and high > limit:
        limit = 65535
    if outside_unit_interval(np.array([low, high], np.float64) / limit).any():
        kind = "integers from 0 to 255" if whole else "values from 0 to 1"
        raise ValueError(
            f"The images in {path} run from {low:g} to {high:g}, but {kind} are needed"
        )
    if array.dtype == np.float32 and low >= 0 and high <= 1 and isinstance(array, np.memmap):
        return array
    images = on_disk(array.shape) if isinstance(array, np.memmap) else np.empty_like(array, "f4")
    for k in range(0, len(array), BLOCK):
        some = array[k : k + BLOCK].astype(np.float32)
        np.clip(some / np.float32(limit), 0, 1, out=images[k : k + BLOCK])
    return images


def _stays(path):
    """Whether an array stays in its file, and is read from there as it is needed."""
    return path.suffix == ".npy" and path.stat().st_size > MAPPED


def on_disk(shape):
    """An array of float32 in a temporary file, which has no name and goes with it."""
    with tempfile.TemporaryFile() as file:
        return np.memmap(file, np.float32, "w+", shape=shape)
