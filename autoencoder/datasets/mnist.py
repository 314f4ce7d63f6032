"""The 70,000 handwritten digits of MNIST: from a local file, the cache, or a checked download.

LeCun, Cortes & Burges' set of 28x28 grey images, 60,000 to train on and 10,000 to test on, in the
one-file form that TensorFlow's Keras distributes; licence CC BY-SA 3.0. pooch downloads it once and
compares its SHA-256 with the one that Keras states, so that what is read is what was published.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from minigrad.checkpoint import PathLike

from .download import fetch, first_cause
from .images import Dataset, DataUnavailable

URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz"
SHA256 = "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"
SUBSETS = {"all": ("train", "test"), "train": ("train",), "test": ("test",)}


def load_mnist(path: PathLike | None = None, *, subset: str = "all") -> Dataset:
    """Load MNIST: (70000, 28, 28, 1) float32 in [0, 1], label = digit.

    `subset` "train" gives the first 60,000, "test" the other 10,000, "all" both in that order.
    `path` is an .npz with x_train, y_train, x_test and y_test, as `keras.datasets.mnist` keeps it.
    Without a path the file is taken from the folder in the environment variable MINIGRAD_DATA, else
    from the user's cache folder, and downloaded into it (11 MB) when it is not there.

    A classifier, or an honest test, wants the two parts apart::

        train, test = (load_mnist(subset=name) for name in ("train", "test"))

    Parameters
    ----------
    path : str or path, default=None
    subset : {"all", "train", "test"}, default="all"

    Returns
    -------
    Dataset

    Raises
    ------
    DataUnavailable
        When it cannot be had.
    ValueError
        When the file is something else.
    """
    if subset not in SUBSETS:
        raise ValueError(f"The subset of MNIST is one of {', '.join(SUBSETS)}, not {subset!r}")
    if path is not None and not Path(path).is_file():
        raise DataUnavailable(f"There is no file {path}: name a mnist.npz, or leave the path out")
    images, labels = _read(_fetch() if path is None else Path(path), SUBSETS[subset])
    return Dataset(
        name="mnist",
        images=images[..., None].astype(np.float32) / np.float32(255),  # (N, 28, 28, 1)
        labels=labels.astype(np.int64),
        description=f"{len(images)} handwritten digits of MNIST (28x28 pixels; "
        f"{' and '.join(SUBSETS[subset])} part), collected by LeCun, Cortes and Burges.",
    )


def _fetch():
    """The path of the checked file in the cache, downloaded if need be."""
    folder = os.environ.get("MINIGRAD_DATA")
    try:
        return fetch(URL, SHA256, "mnist.npz", folder)
    except Exception as error:  # no pooch, no network, no right to write, another checksum, ...
        where = folder or "the cache"
        raise DataUnavailable(
            f"There is no mnist.npz of the right checksum in {where}, nor could it be downloaded "
            f"({first_cause(error)}): connect to the network once, or put Keras's mnist.npz ({URL})"
            " in a folder and name it in MINIGRAD_DATA"
        ) from None


def _read(path, parts):
    """The images (N, 28, 28) uint8 and labels (N,) of the parts in a Keras file."""
    try:
        with open(path, "rb") as file:  # np.load would leave a damaged .npz open
            stored = np.load(file, allow_pickle=False)
            images = [stored[f"x_{part}"] for part in parts]
            labels = [stored[f"y_{part}"] for part in parts]
    except Exception as error:  # a damaged file can raise nearly anything
        raise ValueError(
            f"{path} cannot be read as MNIST, an .npz with x_train, y_train, x_test and y_test "
            f"({str(error).splitlines()[0] if str(error) else type(error).__name__}); "
            f"load_images reads other files"
        ) from None
    for x, y in zip(images, labels, strict=True):
        if x.dtype != np.uint8 or x.shape[1:] != (28, 28) or y.shape != x.shape[:1]:
            raise ValueError(
                f"{path} is not MNIST: its images are {x.dtype} of shape {x.shape} with labels "
                f"of shape {y.shape}, but uint8 (N, 28, 28) with one label each are needed"
            )
    return np.concatenate(images), np.concatenate(labels)
