"""Models in files: NumPy's ``.npz`` with a header, never pickle, so a file is data and not code.

The header, a JSON text in the member ``__minigrad__``, names the format and every array with its
shape, dtype and checksum. A file that does not agree with its own header is refused. Before
anything is read its sizes are added up: members are stored as they are, not compressed, so a file
cannot unfold to more than its own length.
"""

import contextlib
import json
import math
import os
import secrets
import zipfile
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

_HEADER = "__minigrad__"
_FORMAT = 2


class Checkpoint(NamedTuple):
    """What a file held: `arrays` by name, and `about`, the dict of JSON saved beside them."""

    arrays: dict
    about: dict


def save(path, source, about=None):
    """Write `source` (a dict of arrays, or anything with ``state_dict()``) and the dict `about`.

    The file appears complete or not at all: it is written under another name, then renamed.
    """
    path = _path("save", path)
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
        "arrays": {name: _describe(a) for name, a in arrays.items()},
        "about": about or {},
    }
    with whole(path) as file:
        np.savez(file, **{_HEADER: np.array(json.dumps(header))}, **arrays)


@contextlib.contextmanager
def whole(path):
    """A binary file to write that appears under its name complete, or not at all.

    Until the block ends it is ``path.1f2e3d4c.part``, which only a kill can leave behind; then it
    is flushed to the disk and renamed, over the one that was there. Anything raised in the block
    leaves that one as it is.

    >>> import tempfile, os
    >>> path = os.path.join(tempfile.mkdtemp(), "a.txt")
    >>> with whole(path) as file:
    ...     _ = file.write(b"all of it")
    >>> Path(path).read_text()
    'all of it'
    """
    path = Path(path)
    # not by tempfile, whose files only their owner can read
    with open(path.with_name(f"{path.name}.{secrets.token_hex(4)}.part"), "xb") as file:
        try:
            yield file
            file.flush()
            os.fsync(file.fileno())  # else a power cut could leave the new name on an empty file
            file.close()  # before the renaming, for systems that lock open files
            os.replace(file.name, path)
        except BaseException:
            with contextlib.suppress(OSError):  # on a full disk what is still to be written cannot
                file.close()
            Path(file.name).unlink(missing_ok=True)  # missing if Ctrl-C came after the renaming
            raise
    with contextlib.suppress(OSError):  # some systems cannot; the file is whole all the same
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)  # else a power cut could bring the old file back
        finally:
            os.close(folder)


def _path(name, path):
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"{name}: the path must be a string or a Path, got {path!r}")
    return Path(path)


def load(path, into=None):
    """Read a file that `save` wrote, as a `Checkpoint`; `into` (a model) takes the arrays over.

    Raises FileNotFoundError, or ValueError where the file is damaged or is something else.

    >>> import tempfile, os
    >>> path = os.path.join(tempfile.mkdtemp(), "model.npz")
    >>> save(path, {"w": np.ones(3)}, about={"epochs": 5})
    >>> load(path).about
    {'epochs': 5}
    """
    path = _path("load", path)
    if not path.is_file():
        raise FileNotFoundError(f"load: there is no file {path}")
    try:
        with zipfile.ZipFile(path) as archive:
            members = _members(archive, path.stat().st_size)
            header = json.loads(str(_read(archive, members.pop(_HEADER))[()]))
            if not isinstance(header, dict) or header.get("format") != _FORMAT:
                format_ = header.get("format") if isinstance(header, dict) else "?"
                raise _Refused(
                    f"load: {path} has format {format_}, this version reads format {_FORMAT}: "
                    "use the version of minigrad that saved it"
                )
            arrays = {name: _read(archive, member) for name, member in members.items()}
    except _Refused:
        raise
    except Exception as error:  # zipfile, NumPy and JSON raise nearly anything for damaged files
        raise ValueError(
            f"load: {path} is damaged, or is not a file that minigrad saved ({_short(error)}): "
            "save the model again, or restore the file from a copy"
        ) from None
    found = {name: _describe(a) for name, a in arrays.items()}
    if header.get("arrays") != found or not isinstance(header.get("about"), dict):
        raise ValueError(
            f"load: the arrays in {path} are not those that its header names: it is damaged, "
            "restore it from a copy"
        )
    if into is not None:
        into.load_state_dict(arrays)
    return Checkpoint(arrays, header["about"])


class _Refused(ValueError):
    """The file was understood, but is not for us."""


def _describe(array):
    """What the header says of an array: its shape, dtype and checksum."""
    return [list(array.shape), array.dtype.str, zlib.crc32(np.ascontiguousarray(array))]


def _members(archive, size):
    """The members of the archive by the names of their arrays, if all can be read at their size."""
    members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
    plain = all(info.compress_type == zipfile.ZIP_STORED for info in members.values())
    if not plain or len(members) != len(archive.infolist()):
        raise ValueError("its members are compressed, or two have one name")
    if sum(info.file_size for info in members.values()) > size:
        raise ValueError("its members are larger than the file")
    return members


def _read(archive, member):
    """One array, of no more bytes than the member has."""
    with archive.open(member) as file:
        version = np.lib.format.read_magic(file)
        read_header = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[version]
        shape, fortran_order, dtype = read_header(file)
        data = file.read()  # all of it, so that zipfile compares its checksum
    if dtype.kind not in "biufU" or math.prod(shape) * dtype.itemsize != len(data):
        raise ValueError(f"an array of {shape} {dtype} does not take {len(data)} bytes")
    flat = np.frombuffer(data, dtype).copy()
    return flat.reshape(shape, order="F" if fortran_order else "C")


def _short(error):
    return str(error).split("\n")[0][:100] or type(error).__name__
