"""Pictures to learn from: the Olivetti faces, MNIST, digits, generated faces, or your own.

Every loader returns a `Dataset`, whose images are (N, height, width, channels) float32 in [0, 1].
"""

from __future__ import annotations

import hashlib
import os
import warnings
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from minigrad.checkpoint import PathLike

from .download import fetch, first_cause
from .faces import draw_faces, face_factors
from .images import Dataset, DataUnavailable, load_images, load_table
from .mnist import load_mnist
from .tables import is_table

NAMES = ("olivetti", "faces", "digits", "mnist")  # that `load` knows
FACES_URL = "https://ndownloader.figshare.com/files/5976027"  # scikit-learn's address and checksum
FACES_FILE_SHA256 = "b612fb967f2dc77c9c62d3e1266e0c73d5fca46a4b8906c18e454d41af987794"
FACES_SHA256 = "b119468c2f13775df12d3950e7c96644811647a6e10d30617777f245bf9b2f8b"  # of the pixels
FACES_SIZE = 400 * 4096  # bytes


def load_olivetti(*, data_home: PathLike | None = None) -> Dataset:
    """Load the 400 Olivetti faces, 10 of each of 40 people: (400, 64, 64, 1), label = person.

    They come from scikit-learn's cache (`data_home`, else the folder in the environment variable
    SCIKIT_LEARN_DATA, else ~/scikit_learn_data) or are downloaded into it. Source: AT&T
    Laboratories Cambridge, in the order of the reference program (shuffled, random_state=1000).

    Parameters
    ----------
    data_home : str or path, default=None

    Returns
    -------
    Dataset

    Raises
    ------
    DataUnavailable
        When there is neither.
    """
    from sklearn.datasets import get_data_home

    try:
        home = Path(get_data_home(data_home))
        cache = home / "olivetti_py3.pkz"
        faces = _cached_faces(cache) if cache.exists() else _downloaded_faces(home)  # (400, 4096)
    except Exception as error:  # no network, no right to write, another checksum, ...
        where = data_home or os.environ.get("SCIKIT_LEARN_DATA") or "~/scikit_learn_data"
        raise DataUnavailable(
            f"The Olivetti faces are neither in {where} nor could they be downloaded "
            f"({first_cause(error)}): connect to the network once, or put scikit-learn's "
            f"olivetti_py3.pkz in a folder and name it in SCIKIT_LEARN_DATA"
        ) from None
    order = np.random.RandomState(1000).permutation(400)
    faces = np.float32(faces)  # what follows is done as in scikit-learn
    faces = faces - faces.min()
    faces /= faces.max()
    faces = faces.reshape(400, 64, 64).transpose(0, 2, 1)[order]
    return Dataset(
        name="olivetti",
        images=np.ascontiguousarray(faces[..., None]),  # (400, 64, 64, 1)
        labels=(order // 10).astype(np.int64),
        description="The Olivetti faces: 400 photographs of 40 people, taken at AT&T Laboratories "
        "Cambridge and fetched through scikit-learn.",
    )


def _cached_faces(path):
    """The faces (400, 4096) uint8 in scikit-learn's cache, which is a compressed pickle.

    It is not opened as one, since that could run code: the pixels are its last bytes but one, and
    their checksum says whether they are the right ones.
    """
    if not path.is_file():
        raise ValueError(f"{path} is no ordinary file")
    with open(path, "rb") as file:
        data = zlib.decompressobj().decompress(file.read(2**23), FACES_SIZE + 10_000)
    pixels = data[-FACES_SIZE - 1 : -1]
    if hashlib.sha256(pixels).hexdigest() != FACES_SHA256:
        raise ValueError(f"{path} is not the file that scikit-learn writes: remove it")
    return np.frombuffer(pixels, np.uint8).reshape(400, 4096)


def _downloaded_faces(home):
    from scipy.io import loadmat

    path = fetch(FACES_URL, FACES_FILE_SHA256, "olivettifaces.mat", home)
    return loadmat(path)["faces"].T


def load_digits() -> Dataset:
    """Load 1797 handwritten digits: (1797, 8, 8, 1), label = digit; always there, no download.

    Source: scikit-learn's copy of the test part of the UCI Optical Recognition of Handwritten
    Digits, whose 17 grey levels are divided by 16.

    Returns
    -------
    Dataset

    Examples
    --------
    >>> load_digits().images.max()
    np.float32(1.0)
    """
    from sklearn import datasets

    digits = datasets.load_digits()
    return Dataset(
        name="digits",
        images=(digits.images[..., None] / 16).astype(np.float32),  # (1797, 8, 8, 1)
        labels=digits.target.astype(np.int64),
        description="1797 handwritten digits of 8x8 pixels that come with scikit-learn.",
    )


def make_faces(people: int = 40, variations: int = 10, size: int = 64, seed: int = 0) -> Dataset:
    """Generate grey faces of known factors: (people * variations, size, size, 1), label = person.

    People differ in the shape of the head, hair, eyes, nose and so on; the variations of one
    person in pose, light, expression and glasses. The people are mixed, as in the Olivetti faces.
    The same arguments give the same pictures. `face_factors` and `draw_faces` are its two halves.

    Parameters
    ----------
    people, variations : int, default=40, 10
    size : int, default=64
    seed : int, default=0

    Returns
    -------
    Dataset

    Examples
    --------
    >>> faces = make_faces(people=3, variations=2, size=32)
    >>> faces.images.shape, faces.labels.tolist()
    ((6, 32, 32, 1), [1, 0, 2, 2, 0, 1])
    """
    factors = face_factors(people=people, variations=variations, seed=seed)
    return Dataset(
        name="generated faces",
        images=draw_faces(factors, size),
        labels=factors["person"],
        description=f"{people * variations} generated drawings of {people} invented people, "
        f"made by this program (seed {seed}); they are no photographs.",
    )


def load_path(
    path: PathLike,
    *,
    size: int | tuple[int, int] | None = None,
    fit: str = "crop",
    label: str | None = None,
    columns: Sequence[str] | None = None,
) -> Dataset:
    """Load a file or folder of your own: a table by `load_table`, all else by `load_images`."""
    if is_table(path):
        if size is not None:
            raise ValueError(f"{path} is a table, and a size is for images: leave it out")
        return load_table(path, label=label, columns=columns)
    if columns is not None:
        raise ValueError(f"{path} is no table, and the model reads one: give a .csv or .parquet")
    if label is not None:
        raise ValueError(f"{path} is no table, and label names a column of one: leave it out")
    return load_images(path, size=size, fit=fit)


def load(
    name_or_path: PathLike,
    *,
    fall_back: bool = True,
    say: Callable[[str], object] | None = None,
    **how: Any,
) -> Dataset:
    """Load a data set by name ("olivetti", "digits", "faces", "mnist") or path.

    When the Olivetti faces or MNIST cannot be had and `fall_back` is true, generated faces or the
    small digits are returned instead, and `say` is called with one paragraph that tells so (without
    it there is a warning); else DataUnavailable is raised.

    Parameters
    ----------
    name_or_path : str or path
    fall_back : bool, default=True
    say : callable, default=None
    **how
        To read a path: `size` and `fit` as in `load_images`, of tables `label` and `columns` as in
        `load_table`.

    Returns
    -------
    Dataset

    Raises
    ------
    ValueError
        When it is neither a known name nor a path.

    Examples
    --------
    >>> load("faces").name
    'generated faces'
    """
    loaders = {
        "olivetti": load_olivetti,
        "digits": load_digits,
        "faces": make_faces,
        "mnist": load_mnist,
    }
    if name_or_path not in loaders:
        if not Path(name_or_path).exists():
            raise ValueError(
                f"There are no data called {str(name_or_path)!r}: use one of {', '.join(loaders)}, "
                f"or the path of an .npz file, an .npy file, a folder of images or a table (.csv)"
            )
        return load_path(name_or_path, **how)
    if any(value is not None for name, value in how.items() if name != "fit"):
        raise ValueError(f"{name_or_path} has its own size and labels: leave size and label out")
    try:
        return loaders[name_or_path]()
    except DataUnavailable as error:
        if not fall_back:
            raise
        substitute, what = {
            "olivetti": (make_faces, "generated faces"),
            "mnist": (load_digits, "the 8x8 digits inside scikit-learn"),
        }[name_or_path]
        text = f"{error} Until then this run uses {what}, and says so in its figures."
        if say is None:
            warnings.warn(text, UserWarning, stacklevel=2)
        else:
            say(text)
        return substitute()
