"""Models in files: NumPy's ``.npz`` with a header, never pickle, so a file is data and not code.

The header, a JSON text in the member ``__minigrad__``, names the format and every array with its
shape and dtype. A file that does not agree with its own header is refused.
"""

import json
import os
import tempfile
import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

_HEADER = "__minigrad__"
_FORMAT = 1


class Checkpoint(NamedTuple):
    """What a file held: `arrays` by name, and `about`, whatever JSON was saved beside them."""

    arrays: dict
    about: dict


def save(path, source, about=None):
    """Write `source` (a dict of arrays, or anything with ``state_dict()``) and `about` to `path`.

    The file appears complete or not at all: it is written under another name, then renamed.
    """
    path = Path(path)
    arrays = source if isinstance(source, dict) else source.state_dict()
    arrays = {name: np.asarray(a) for name, a in arrays.items()}
    for name, a in arrays.items():
        if a.dtype.kind not in "biuf":
            raise ValueError(
                f"save: {name} holds {a.dtype} objects: only arrays of numbers are written, put "
                "anything else into `about` as JSON"
            )
    header = {
        "format": _FORMAT,
        "arrays": {name: [list(a.shape), a.dtype.str] for name, a in arrays.items()},
        "about": about or {},
    }
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as file:
        try:
            np.savez(file, **{_HEADER: np.array(json.dumps(header))}, **arrays)
            file.flush()
            os.fsync(file.fileno())
        except BaseException:
            os.unlink(file.name)
            raise
    os.replace(file.name, path)


def load(path, into=None):
    """Read a file that `save` wrote, as a `Checkpoint`; `into` (a model) takes the arrays over.

    Raises FileNotFoundError, or ValueError where the file is damaged or is something else.

    >>> import tempfile, os
    >>> path = os.path.join(tempfile.mkdtemp(), "model.npz")
    >>> save(path, {"w": np.ones(3)}, about={"epochs": 5})
    >>> load(path).about
    {'epochs': 5}
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"load: there is no file {path}")
    try:
        with open(path, "rb") as opened, np.load(opened, allow_pickle=False) as file:
            header = json.loads(str(file[_HEADER][()]))
            arrays = {name: file[name] for name in file.files if name != _HEADER}
    except (
        OSError,
        ValueError,
        KeyError,
        EOFError,
        TypeError,  # a single array, not an archive
        RuntimeError,  # and NotImplementedError: what zipfile makes of damaged headers
        zipfile.BadZipFile,
        zipfile.zlib.error,
    ) as error:
        raise ValueError(
            f"load: {path} is damaged, or is not a file that minigrad saved ({_short(error)}): "
            "save the model again, or restore the file from a copy"
        ) from None
    found = {name: [list(a.shape), a.dtype.str] for name, a in arrays.items()}
    if not isinstance(header, dict) or header.get("format") != _FORMAT:
        raise ValueError(
            f"load: {path} has format {header.get('format') if isinstance(header, dict) else '?'}, "
            f"this version reads format {_FORMAT}: use the version of minigrad that saved it"
        )
    if header.get("arrays") != found:
        raise ValueError(
            f"load: the arrays in {path} are not those that its header names: it is damaged, "
            "restore it from a copy"
        )
    if into is not None:
        into.load_state_dict(arrays)
    return Checkpoint(arrays, header.get("about", {}))


def _short(error):
    return str(error).split("\n")[0][:100] or type(error).__name__
