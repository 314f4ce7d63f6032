"""Data to learn from: the Olivetti faces, MNIST, digits, generated faces, and your own images.

>>> from autoencoder import datasets
>>> datasets.load_digits().images.shape
(1797, 8, 8, 1)
"""

from .faces import draw_faces, face_factors
from .images import Dataset, DataUnavailable, load_images, load_table, shrink
from .loaders import NAMES, load, load_digits, load_olivetti, make_faces
from .mnist import load_mnist
from .splits import by_group, within_group

__all__ = [
    "NAMES",
    "DataUnavailable",
    "Dataset",
    "by_group",
    "draw_faces",
    "face_factors",
    "load",
    "load_digits",
    "load_images",
    "load_mnist",
    "load_olivetti",
    "load_table",
    "make_faces",
    "shrink",
    "within_group",
]
