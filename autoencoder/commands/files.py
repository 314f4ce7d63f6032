"""Images and codes in files: what a command reads, and what it writes without harming anything.

A command never writes over what it reads, and over an existing file only when that is of the kind
which it writes itself. Folders for pictures must be new or empty. All appear whole or not at all.
"""

import contextlib
import os
import shutil
from pathlib import Path

import numpy as np
from PIL import Image

from minigrad.checkpoint import flush_folder, make_folder, part_of, whole

from .. import plots
from ..codec import eight_bits
from ..explore import START
from ..runs.files import explained, write_rows
from ..runs.folders import lock_of

SHEET = 100  # images of a .png sheet
PICTURES = (".npz", ".npy", ".png", "")
ROWS = (".csv", ".npz", ".npy")  # of a table
SCORES = ("image", "score", "anomalous")  # the columns of a .csv
MAGIC = {  # how files of our own begin
    ".npz": b"PK",
    ".npy": b"\x93NUMPY",
    ".png": b"\x89PNG",
    ".csv": (",".join(SCORES).encode(), b"row,score,anomalous", b"code_1"),  # nobody else's table
    ".mgae": b"MGAE",  # see `compression`
    ".html": START.encode(),
    ".onnx": b"\x08\x09\x12\x0bautoencoder",  # the version of ONNX, and who wrote it
    ".safetensors": None,  # which say nothing of that
}


def endings(run):
    """The endings that what a `run` makes can be written under, "" for a folder."""
    return ROWS if run.is_table else PICTURES


def for_images(run, verb):
    """Raise ValueError where a `run` of a table is asked for what only images have."""
    if run.is_table:
        raise ValueError(f"{verb} is for images, and {run.folder} is a run of a table")


def read_codes(path, width):
    """Codes (N, width) from an .npz ("codes", or its only array) or .npy file."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    if path.suffix == ".csv":
        raise ValueError(
            f"{path}: codes are read from .npz or .npy: have encode write one of these"
        )
    try:
        with open(path, "rb") as file:
            stored = np.load(file, allow_pickle=False)
            if not isinstance(stored, np.ndarray):
                names = stored.files
                stored = stored["codes" if "codes" in names or len(names) != 1 else names[0]]
    except Exception as error:  # a damaged file can raise nearly anything
        raise ValueError(f"{path} holds no codes: give the file that encode wrote") from error
    if stored.ndim != 2 or stored.shape[1] != width or not len(stored):
        raise ValueError(
            f"{path} has codes of shape {stored.shape}, this model's are (N, {width}): give what "
            "encode wrote with the same run"
        )
    if stored.dtype.kind not in "fiu" or not np.isfinite(stored).all():
        raise ValueError(f"the codes in {path} are not all finite numbers: write them again")
    return stored if stored.dtype == np.float64 else stored.astype(np.float32)


def read_names(path, count):
    """The names of the `count` images whose codes are in a file, or None."""
    if Path(path).suffix != ".npz":
        return None
    with np.load(path, allow_pickle=False) as stored:
        names = stored["names"] if "names" in stored.files else None
    good = names is not None and names.shape == (count,) and names.dtype.kind == "U"
    return tuple(names.tolist()) if good else None


def check_output(path, suffixes, *inputs, arrays=("images",)):
    """The `Path` to write, or one sentence on why nothing may be written there.

    `suffixes` are those that the command knows ("" is a folder), `inputs` what it reads, `arrays`
    the names that an .npz of its own holds, beside "names".
    """
    path = Path(path)
    if path.suffix not in suffixes:
        known = ", ".join(suffix or "a folder" for suffix in suffixes)
        raise ValueError(f"{path} has the wrong ending: use {known}")
    for given in map(Path, inputs):
        here, there = path.resolve(), given.resolve()
        if here == there or (path.suffix == "" and here in there.parents) or there in here.parents:
            raise ValueError(f"{path} is where the input is: give the output another name")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {path.parent} to write {path.name} into")
    if path.suffix == "":
        if path.exists() and not (path.is_dir() and not any(path.iterdir())):
            raise FileExistsError(f"{path} is there already and not empty: name a new folder")
    elif path.exists() and not _is_ours(path, {*arrays, "names"}):
        raise FileExistsError(f"{path} is there already and is something else: give another name")
    return path


def _is_ours(path, arrays):
    """Whether an existing file is of the kind that its ending says, and with our arrays."""
    if not path.is_file():
        return False
    start = MAGIC[path.suffix]
    if start is None:
        return False
    with open(path, "rb") as file:
        if not file.read(64).startswith(start):
            return False
        if path.suffix != ".npz":
            return True
        file.seek(0)
        try:
            return set(np.load(file, allow_pickle=False).files) <= arrays
        except Exception:  # a damaged file is not ours
            return False


def written(path):
    """A block that writes `path`; its OSErrors become one sentence."""
    return explained(path, "make room, or give another name; what was there before is unchanged")


@contextlib.contextmanager
def writes_into(folder, patience=0.0):
    """A block in which this process is the only one that writes into the run in `folder`."""
    if not Path(folder).is_dir():  # which the block says in its own words
        yield
        return
    with lock_of(folder, patience):
        yield


def write_arrays(path, names=None, **arrays):
    """Write arrays, and the `names` of the images, to an .npz, or the first of them to an .npy."""
    if names is not None:
        arrays["names"] = np.array(names)
    with written(path), whole(path) as file:
        if path.suffix == ".npz":
            np.savez(file, **arrays)
        else:
            np.save(file, next(iter(arrays.values())))


def write_table(path, columns, rows):
    """Write rows (N, D) of numbers under the names of their `columns` to a .csv."""
    digits = np.finfo(rows.dtype).precision + 3  # that read back as the same number
    lines = ([f"{x:.{digits}g}" for x in row] for row in rows.tolist())
    with written(path):
        write_rows(path, columns, lines)


def write_samples(run, path, images, title, sheet=None, names=None):
    """Write what a `run` made, images (N, H, W, C) or rows of its table, to a checked `path`."""
    if not run.is_table:
        write_images(path, images, title, sheet, names)
        return
    rows = images.reshape(len(images), -1)
    if path.suffix == ".csv":
        write_table(path, run.config["columns"], rows)
    else:
        write_arrays(path, rows=rows)


def write_images(path, images, title, sheet=None, names=None):
    """Write images (N, H, W, C) in [0, 1] to a checked `path`, by its ending.

    ``sheet(path)`` draws a .png where the command has a picture of its own. `names` are those of
    the files that the images come from: in a folder they keep them.
    """
    if path.suffix in (".npz", ".npy"):
        write_arrays(path, names, images=images)
    elif path.suffix == ".png":
        with written(path):
            (sheet or (lambda path: contact_sheet(images, path, title, names=names)))(path)
    else:
        with written(path), whole_folder(path) as folder:
            for name, picture in zip(_files(names, len(images)), eight_bits(images), strict=True):
                grey = picture.shape[2] == 1
                make_folder((folder / name).parent)
                with whole(folder / name) as file:
                    Image.fromarray(picture.squeeze(-1) if grey else picture).save(file, "PNG")


def _files(names, count):
    """The names of `count` pictures to write, .png all of them.

    >>> _files(("a/x.jpg", "a/y.jpg"), 2), _files(("x.jpg", "x.bmp"), 2), _files(None, 1)
    (['a/x.png', 'a/y.png'], ['x.jpg.png', 'x.bmp.png'], ['00000.png'])
    """
    if names is None or any(Path(n).is_absolute() or ".." in Path(n).parts for n in names):
        return [f"{k:05d}.png" for k in range(count)]
    short = [Path(name).with_suffix(".png").as_posix() for name in names]
    folded = {name.lower() for name in short}  # where a file system does not tell them apart
    return short if len(folded) == count else [f"{name}.png" for name in names]


@contextlib.contextmanager
def whole_folder(path):
    """A folder to make and fill, which takes the place of `path`, new or empty, at the block's end.

    Anything raised in the block leaves `path` as it is.
    """
    target = Path(os.path.realpath(path))
    folder = part_of(target)
    try:
        yield folder
        if target.is_dir():
            shutil.copymode(target, folder)
            target.rmdir()
        os.rename(folder, target)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    flush_folder(target.parent)


def contact_sheet(images, path, title, columns=10, names=None):
    """Draw up to 100 images on one sheet."""
    shown = images[:SHEET]
    blank = np.ones_like(images[:1])
    columns = min(columns, len(shown))
    rest = -len(shown) % columns
    cells = np.concatenate([shown, np.repeat(blank, rest, axis=0)])
    first = range(0, len(cells), columns)
    rows = [(str(k) if names is None else names[k], cells[k : k + columns]) for k in first]
    left_out = len(images) - len(shown)
    which = "number" if names is None else "file"
    footer = f"At the left the {which} of a row's first image. {plots.SCALE}"
    footer += f" {left_out} images are not shown." if left_out else ""
    plots.image_rows(rows, path, title=title, footer=footer, columns=columns)


def write_codes(path, codes, labels, names=None):
    """Write codes (N, k), in an .npz with labels and names of the images, to a checked `path`."""
    if path.suffix == ".csv":
        write_table(path, [f"code_{k}" for k in range(1, codes.shape[1] + 1)], codes)
        return
    write_arrays(path, names, codes=codes, labels=labels)
