"""The images of a run: read, brought to the network's size, and split in two honest sides.

Where there are people, whole people are held out; MNIST has its own test set; of everything else a
tenth is drawn. The split is written into the run folder, with a checksum of the images, so that
whoever measures the model later does so on images that it has not seen.
"""

import warnings
import zlib
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .. import datasets
from ..datasets import NAMES, by_group, shrink
from ..datasets.images import BLOCK, on_disk
from ..datasets.tables import is_table
from .config import reading as config_reading

SUBSTITUTES = {"generated faces": "faces", "digits": "digits"}  # see `datasets.load`
LUMINANCE = np.array([[0.299], [0.587], [0.114]], np.float32)  # of red, green and blue (BT.601)
MOST_PICTURES = 20  # of one person; a label with more is taken for a class


class Samples(NamedTuple):
    """Training and test images of a run, at the size of its network.

    `labels` is a pair (of the training, of the test) or None; `how` says how they were split.
    """

    name: str
    train: np.ndarray  # (N, H, W, C) float32 in [0, 1]
    test: np.ndarray  # (M, H, W, C)
    labels: tuple | None
    how: str
    full: np.ndarray | None = None  # the test images (M, H', W', C) in the size of the data
    is_table: bool = False  # they are then rows of numbers, (N, 1, D, 1)

    @property
    def rows(self):
        """Training and test images as flat rows: (N, D) and (M, D)."""
        return self.train.reshape(len(self.train), -1), self.test.reshape(len(self.test), -1)


def source(data):
    """How `data`, a name or a path, is written down: paths absolute, whatever folder one is in."""
    return data if data in NAMES else str(Path(data).absolute())


def hold_out(data, fraction, rng):
    """Which images of a `Dataset` are for the test: a dict {"how": a sentence, "test": indices}.

    Where the images have file names there is {"files": the names of those images} as well.
    `fraction` is of the people or images, None for a fifth of the people and a tenth of images; for
    0 nothing is held out, and the result None. Raises ValueError when a side would be empty.

    >>> data = datasets.make_faces(people=5, variations=2, size=8)
    >>> hold_out(data, None, np.random.default_rng(0))["how"]
    '1 of 5 people'
    """
    count = len(data.images)
    if fraction == 0:
        return None
    if fraction is not None and not 0 < fraction < 1:
        raise ValueError(f"test_fraction must be at least 0 and below 1, got {fraction}")
    if count < 2:
        raise ValueError(f"{data.name} has a single image: to train and to test takes two at least")
    if data.name == "mnist" and fraction is None:
        return {"how": "MNIST's own test set", "test": list(range(60000, count))}
    groups, sizes = np.unique(data.labels, return_counts=True)
    what = "images" if data.columns is None else "rows"
    if (
        data.columns is None
        and len(groups) > 1
        and sizes.min() > 1
        and np.median(sizes) <= MOST_PICTURES
    ):
        _, test = by_group(data.labels, test_fraction=fraction or 0.2, rng=rng)
        held_out = len(np.unique(data.labels[test]))
        what = "people" if data.names is None else "labels, each whole, as they have few images"
        return _split(data, f"{held_out} of {len(groups)} {what}", test)
    held_out = min(max(round((fraction or 0.1) * count), 1), count - 1)
    test = np.sort(rng.choice(count, held_out, replace=False))
    return _split(data, f"{held_out} of {count} {what}, drawn", test)


def _split(data, how, test):
    split = {"how": how, "test": test.tolist()}
    return split if data.names is None else {**split, "files": [data.names[k] for k in test]}


def checksums(data):
    """The CRC-32 of all images and of all labels, by which a run knows its data again.

    >>> data = datasets.make_faces(people=2, variations=1, size=8)
    >>> other = replace(data, labels=data.labels[::-1])
    >>> [checksums(data)[name] == checksums(other)[name] for name in checksums(data)]
    [True, False]
    """
    labels = np.ascontiguousarray(data.labels, "<i8")
    return {
        "data_crc32": zlib.crc32(np.ascontiguousarray(data.images, "<f4")),
        "labels_crc32": zlib.crc32(labels),
    }


def divide(data, split, image_shape, shrinks=False):
    """The `Samples` of a `Dataset`; without a `split` all images are on both sides.

    `shrinks` says whether larger images are made smaller, see `fit_size`.
    """
    is_table = data.columns is not None
    full = recolour(data.images, image_shape[2], data.name)
    images = fit_size(full, image_shape, data.name, shrinks)
    full = None if images is full else full
    if split is None:
        how = f"all {'rows' if is_table else 'images'}, which the model was trained on"
        return Samples(data.name, images, images, None, how, full, is_table)
    known = len(np.unique(data.labels)) < len(data.labels)  # else every image has its own number
    is_test = np.isin(np.arange(len(images)), split["test"])
    if is_test.all() or not is_test.any():
        raise ValueError(
            f"the split of config.json leaves {len(images)} images of {data.name} on one side: "
            "restore it from a copy"
        )
    labels = (data.labels[~is_test], data.labels[is_test]) if known else None
    full = None if full is None else full[is_test]
    sides = (part(images, ~is_test), part(images, is_test))
    return Samples(data.name, *sides, labels, split["how"], full, is_table)


def part(images, chosen):
    """The `chosen` (N,) of `images` (N, ...); of those on disk a copy on disk.

    >>> part(np.arange(3), np.array([True, False, True]))
    array([0, 2])
    """
    if not isinstance(images, np.memmap):
        return images[chosen]
    result, start = on_disk((int(chosen.sum()), *images.shape[1:])), 0
    for k in range(0, len(images), BLOCK):
        some = images[k : k + BLOCK][chosen[k : k + BLOCK]]
        result[start : start + len(some)] = some
        start += len(some)
    return result


def load(config, image_shape, override=None):
    """The `Samples` of a run with this `config` (a dict).

    `override`, a name or path, takes the place of the data: the same images in another place are
    split as they were, other images are all for the test. Raises ValueError when the data are no
    longer what the model was trained on.
    """
    split = config.get("split")
    shrinks = config.get("image_size") is not None
    if override is not None:
        data = datasets.load(override, fall_back=False, **reading(config, override))
        same = _same(data, config)
        if not same["data_crc32"]:
            own = load(config, image_shape)
            test = fit_size(data.images, image_shape, data.name, shrinks)
            how = f"all {len(test)} {'rows' if own.is_table else 'images'} of {data.name}"
            return Samples(data.name, own.train, test, None, how, is_table=own.is_table)
        _check_labels(same, override)
        return divide(data, split, image_shape, shrinks)
    return divide(original(config), split, image_shape, shrinks)


def original(config, override=None):
    """The `Dataset` that a run with this `config` was trained on, under the name it had there.

    `override`, a name or path, says where it is now. Raises ValueError when the images have
    changed.
    """
    given = override or config["data"]
    if override is None and given in NAMES:
        given = SUBSTITUTES.get(config["data_used"], given)
    data = datasets.load(given, fall_back=False, **reading(config, given))
    same = _same(data, config)
    if not same["data_crc32"] and "data_crc32" in config:
        raise ValueError(
            f"the images of {given} are not those that this model was trained on: name the "
            "original ones with --data"
        )
    _check_labels(same, given)
    return replace(data, name=config["data_used"])


def reading(config, given):
    """How `given`, a name or path, is read for a run with this `config`: as its own data were."""
    if given in NAMES:
        return {}
    settings, columns = config_reading(config), config.get("columns")
    if columns is None and is_table(given):
        raise ValueError(f"{given} is a table, and the model reads images: give some")
    return settings if columns is None else {**settings, "columns": columns}


def _same(data, config):
    """For each checksum whether a run with this `config` has it; labels without one count as so."""
    found = checksums(data)
    recorded = {"data_crc32": None, "labels_crc32": found["labels_crc32"]} | config
    return {name: recorded[name] == value for name, value in found.items()}


def _check_labels(same, given):
    if not same["labels_crc32"]:
        raise ValueError(
            f"the labels of {given} are not those that this model was trained with, though the "
            "images are: put them back in their order"
        )


def recolour(images, channels, name):
    """`images` (N, H, W, C) with 1 channel or 3; a warning where colours are left out.

    >>> recolour(np.ones((1, 2, 2, 1), np.float32), 3, "dots").shape
    (1, 2, 2, 3)
    """
    if images.shape[3] == channels:
        return images
    if channels == 3:
        return np.repeat(images, 3, axis=3)
    warnings.warn(
        f"the images of {name} are in colour, and the model reads grey ones: their colours are "
        "left out",
        UserWarning,
        stacklevel=2,
    )
    return images @ LUMINANCE


def fit_size(images, image_shape, name, shrinks=False):
    """`images` (N, H, W, C) in a network's `image_shape`, or one sentence on why they cannot be.

    Grey ones become colour ones, and the other way round, see `recolour`. For a model that
    `shrinks` its data, square ones of a whole multiple of its size are made smaller as for the
    reference model.

    >>> fit_size(np.zeros((2, 8, 8, 1), np.float32), (4, 4, 1), "dots", shrinks=True).shape
    (2, 4, 4, 1)
    """
    images = recolour(images, image_shape[2], name)
    shape, wanted = images.shape[1:], tuple(image_shape)
    if shape == wanted:
        return images
    square = shape[0] == shape[1] and wanted[0] == wanted[1] and shape[2] == wanted[2]
    if not (shrinks and square) or shape[0] % wanted[0]:
        raise ValueError(
            f"the images of {name} are {words(shape)}, the model reads {words(wanted)}: bring them "
            "to that size first"
        )
    return shrink(images, wanted[0])


def words(shape):
    """An image's shape (H, W, C) in words, width first.

    >>> words((28, 20, 1))
    '20x28 grey'
    """
    height, width, channels = shape
    return f"{width}x{height} {'grey' if channels == 1 else 'in colour'}"
