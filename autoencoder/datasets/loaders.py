"""Pictures to learn from: the Olivetti faces, MNIST, digits, generated faces, or your own.

Every loader returns a `Dataset`, whose images are (N, height, width, channels) float32 in [0, 1].
"""

import os
import socket
import warnings
from pathlib import Path

import numpy as np

from .faces import draw_faces, face_factors
from .images import Dataset, DataUnavailable, load_images
from .mnist import load_mnist

NAMES = ("olivetti", "faces", "digits", "mnist")  # that `load` knows


def load_olivetti(*, data_home=None):
    """Load the 400 Olivetti faces, 10 of each of 40 people: (400, 64, 64, 1), label = person.

    They come from scikit-learn's cache (`data_home`, else the folder in the environment variable
    SCIKIT_LEARN_DATA, else ~/scikit_learn_data) or are downloaded into it. Raises DataUnavailable
    when there is neither. Source: AT&T Laboratories Cambridge, in the order of the reference
    program (shuffled, random_state=1000).
    """
    from sklearn.datasets import fetch_olivetti_faces

    patience = socket.getdefaulttimeout()
    try:
        # A network that swallows packets must not hold us for minutes.
        socket.setdefaulttimeout(10)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "Retry downloading ..."
            faces = fetch_olivetti_faces(
                data_home=data_home, shuffle=True, random_state=1000, n_retries=1, delay=0.1
            )
    except Exception as error:  # the cache is a pickle: a damaged one can raise anything
        where = data_home or os.environ.get("SCIKIT_LEARN_DATA") or "~/scikit_learn_data"
        raise DataUnavailable(
            f"The Olivetti faces are neither in {where} nor could they be downloaded "
            f"({type(error).__name__}: {error}): connect to the network once, or put "
            f"scikit-learn's olivetti_py3.pkz in a folder and name it in SCIKIT_LEARN_DATA"
        ) from None
    finally:
        socket.setdefaulttimeout(patience)
    return Dataset(
        name="olivetti",
        images=faces.images[..., None].astype(np.float32),  # (400, 64, 64, 1)
        labels=faces.target.astype(np.int64),
        description="The Olivetti faces: 400 photographs of 40 people, taken at AT&T Laboratories "
        "Cambridge and fetched through scikit-learn.",
    )


def load_digits():
    """Load 1797 handwritten digits: (1797, 8, 8, 1), label = digit; always there, no download.

    Source: scikit-learn's copy of the test part of the UCI Optical Recognition of Handwritten
    Digits, whose 17 grey levels are divided by 16.

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


def make_faces(people=40, variations=10, size=64, seed=0):
    """Generate grey faces of known factors: (people * variations, size, size, 1), label = person.

    People differ in the shape of the head, hair, eyes, nose and so on; the variations of one
    person in pose, light, expression and glasses. The people are mixed, as in the Olivetti faces.
    The same arguments give the same pictures. `face_factors` and `draw_faces` are its two halves.

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


def load(name_or_path, *, fall_back=True, say=print):
    """Load a data set by name ("olivetti", "digits", "faces", "mnist") or path (see `load_images`).

    When the Olivetti faces or MNIST cannot be had and `fall_back` is true, `say` is called with one
    paragraph that tells so, and generated faces or the small digits are returned instead; else
    DataUnavailable is raised. Raises ValueError when it is neither a known name nor a path.

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
                f"or the path of an .npz file, an .npy file or a folder of images"
            )
        return load_images(name_or_path)
    try:
        return loaders[name_or_path]()
    except DataUnavailable as error:
        if not fall_back:
            raise
        substitute, what = {
            "olivetti": (make_faces, "generated faces"),
            "mnist": (load_digits, "the 8x8 digits inside scikit-learn"),
        }[name_or_path]
        say(f"{error} Until then this run uses {what}, and says so in its figures.")
        return substitute()
