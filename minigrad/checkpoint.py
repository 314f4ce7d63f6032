"""Models in files: NumPy's ``.npz`` with a header, never pickle, so a file is data and not code.

The header, a JSON text in the member ``__minigrad__``, names the format and every array with its
shape, dtype and checksum. A file that does not agree with its own header is refused. Before
anything is read its sizes are added up: members are stored as they are, not compressed, so a file
cannot unfold to more than its own length.
"""

from __future__ import annotations

import contextlib
import errno
import io
import json
import math
import os
import secrets
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, NamedTuple, TypeAlias

import numpy as np

from .backend import Array

PathLike: TypeAlias = "str | os.PathLike[str]"
__all__ = ["Checkpoint", "load", "save", "whole"]

_HEADER = "__minigrad__"
_FORMAT = 2
LONGEST_NAME = 240  # bytes of a name that are kept in the name of its unfinished file
MOST_ARRAYS = 10_000  # in one file
_CHUNK = 1 << 20  # bytes read at a time
_END = struct.Struct("<4s6xHI6x")  # of a zip archive: magic, number of members, bytes of its index


class Checkpoint(NamedTuple):
    """What a file held: `arrays` by name, and `about`, the dict of JSON saved beside them.

    Parameters
    ----------
    arrays : dict of arrays
    about : dict
    """

    arrays: Mapping[str, Array]
    about: dict[str, Any]


def save(
    path: PathLike,
    source: Any,
    about: dict[str, Any] | None = None,
    *,
    check: Callable[[], object] | None = None,
) -> None:
    """Write `source` (a dict of arrays, or anything with ``state_dict()``) and the dict `about`.

    The file appears complete or not at all: it is written under another name, then renamed. An
    exception from ``check()``, called between the two, stops that.

    Parameters
    ----------
    path : str or path
    source : dict of arrays, or anything with ``state_dict()``
    about : dict, default=None
        What JSON can hold.
    check : callable, default=None
    """
    path = _path("save", path)
    arrays = source if isinstance(source, dict) else source.state_dict()
    arrays = {name: np.asarray(a) for name, a in arrays.items()}
    if len(arrays) >= MOST_ARRAYS:
        raise ValueError(f"save: a file holds fewer than {MOST_ARRAYS} arrays, got {len(arrays)}")
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
    with whole(path, check) as file:
        np.savez(file, **{_HEADER: np.array(json.dumps(header))}, **arrays)  # type: ignore[arg-type]


@contextlib.contextmanager
def whole(path: PathLike, check: Callable[[], object] | None = None) -> Iterator[IO[bytes]]:
    """A binary file to write that appears under its name complete, or not at all.

    Until the block ends it is ``path.1f2e3d4c.part``, which only a kill can leave behind; then it
    is flushed to the disk and renamed, over the one that was there. Anything raised in the block,
    or by ``check()`` just before the renaming, leaves that one as it is. A file keeps its
    permissions, a symbolic link its place: the file that it names is replaced. What is no file,
    such as a device or a pipe, is refused.

    Parameters
    ----------
    path : str or path
    check : callable, default=None

    Yields
    ------
    a binary file that is open for writing

    Examples
    --------
    >>> import tempfile, os
    >>> path = os.path.join(tempfile.mkdtemp(), "a.txt")
    >>> with whole(path) as file:
    ...     _ = file.write(b"all of it")
    >>> Path(path).read_text()
    'all of it'
    """
    target = Path(os.path.realpath(path))
    part = part_of(target)
    try:
        old = _replaceable(target)
        # not by tempfile, whose files only their owner can read
        mode = 0o666 if old is None else stat.S_IMODE(old.st_mode) & 0o777
        raw = open(part, "xb", buffering=0, opener=lambda p, f: os.open(p, f, mode))  # noqa: SIM115
        file = _Writer(raw)
        try:
            yield file
            file.flush()
            if old is not None:
                _keep_rights(part, old, mode)
            os.fsync(raw.fileno())  # else a power cut could leave the new name on an empty one
            file.close()  # before the renaming, for systems that lock open files
            if check is not None:
                check()
            os.replace(part, target)
        except BaseException:
            with contextlib.suppress(OSError):  # on a full disk what is still to be written cannot
                file.close()
            part.unlink(missing_ok=True)  # missing if Ctrl-C came after the renaming
            raise
    except OSError as error:  # under the name that the caller knows
        if error.filename in (str(part), str(target)):
            raise OSError(error.errno, error.strerror, str(path)) from None
        raise
    flush_folder(target.parent)


def part_of(path: Path) -> Path:
    """The name of an unfinished file or folder beside `path`: the same and ``.1f2e3d4c.part``."""
    name = os.fsdecode(os.fsencode(path.name)[:LONGEST_NAME])  # with what follows at most 255 bytes
    return path.with_name(f"{name}.{secrets.token_hex(4)}.part")


def flush_folder(folder: Path) -> None:
    """Let names in a `folder` survive a power cut, on systems that can."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def make_folder(folder: Path) -> None:
    """Make a `folder` and those above it, and let their names survive a power cut."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for path in missing:
        flush_folder(path.parent)


class _Writer(io.BufferedWriter):
    """A file without a number: NumPy would write past Python to it, and not notice a full disk."""

    def fileno(self) -> int:
        raise io.UnsupportedOperation("fileno")


def _replaceable(target: Path) -> os.stat_result | None:
    """What the system says of the file that is to be replaced, None if there is none."""
    try:
        old = os.stat(target)
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(old.st_mode):
        kind = "is a folder" if stat.S_ISDIR(old.st_mode) else "is no ordinary file"
        raise OSError(errno.EISDIR, f"it {kind}", str(target))
    if not os.access(target, os.W_OK):  # a renaming would not ask
        raise OSError(errno.EACCES, os.strerror(errno.EACCES), str(target))
    return old


def _keep_rights(part: Path, old: os.stat_result, mode: int) -> None:
    os.chmod(part, mode)
    new = os.stat(part)
    if (new.st_uid, new.st_gid) != (old.st_uid, old.st_gid):
        with contextlib.suppress(OSError, AttributeError):  # only root may give files away
            os.chown(part, old.st_uid, old.st_gid)


def _path(name: str, path: PathLike) -> Path:
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"{name}: the path must be a string or a Path, got {path!r}")
    return Path(path)


class Stored(Mapping[str, Any]):
    """The arrays of a file, each read anew when it is asked for; see `load`."""

    def __init__(self, path: Path, names: Collection[str]) -> None:
        self._path, self._names = path, names

    def __getitem__(self, name: str) -> Any:
        if name not in self._names:
            raise KeyError(name)
        with zipfile.ZipFile(self._path) as archive:
            return _read(archive, archive.getinfo(f"{name}.npy"))

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def load(path: PathLike, into: Any = None, *, lazy: bool = False) -> Checkpoint:
    """Read a file that `save` wrote, as a `Checkpoint`; `into` (a model) takes the arrays over.

    If `lazy`, all arrays are looked at, but none is kept: they are read again when asked for.

    Parameters
    ----------
    path : str or path
    into : anything with ``load_state_dict``, default=None
    lazy : bool, default=False

    Returns
    -------
    Checkpoint

    Raises
    ------
    FileNotFoundError
        Where there is no such file.
    ValueError
        Where it is damaged or is something else.

    Examples
    --------
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
        _check_count(path)
        with zipfile.ZipFile(path) as archive:
            members = _members(archive, path.stat().st_size)
            header = json.loads(str(_read(archive, members.pop(_HEADER))[()]))
            if not isinstance(header, dict) or header.get("format") != _FORMAT:
                format_ = header.get("format") if isinstance(header, dict) else "?"
                raise _Refused(
                    f"load: {path} has format {format_}, this version reads format {_FORMAT}: "
                    "use the version of minigrad that saved it"
                )
            arrays: Any = {}
            found = {}
            for name, member in members.items():
                array = _read(archive, member)
                found[name] = _describe(array)
                if not lazy:
                    arrays[name] = array
    except (_Refused, MemoryError):
        raise
    except Exception as error:  # zipfile, NumPy and JSON raise nearly anything for damaged files
        raise ValueError(
            f"load: {path} is damaged, or is not a file that minigrad saved ({_short(error)}): "
            "save the model again, or restore the file from a copy"
        ) from None
    if header.get("arrays") != found or not isinstance(header.get("about"), dict):
        raise ValueError(
            f"load: the arrays in {path} are not those that its header names: it is damaged, "
            "restore it from a copy"
        )
    if lazy:
        arrays = Stored(path, found.keys())
    if into is not None:
        into.load_state_dict(arrays)
    return Checkpoint(arrays, header["about"])


class _Refused(ValueError):
    """The file was understood, but is not for us."""


def _describe(array: Array) -> list[Any]:
    """What the header says of an array: its shape, dtype and checksum."""
    return [list(array.shape), array.dtype.str, zlib.crc32(np.ascontiguousarray(array))]  # type: ignore[arg-type]


def _check_count(path: Path) -> None:
    """Refuse an archive of far more members than a model has, before zipfile goes through them."""
    with open(path, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(size - _END.size - 20, 0))
        tail = file.read()
    magic, count, index = _END.unpack(tail[-_END.size :])
    large = tail[:4] == b"PK\6\7" and size < 2**31  # a second index, of files beyond 2 GB only
    if magic != b"PK\5\6" or large or count > MOST_ARRAYS or index > MOST_ARRAYS * 200:
        raise ValueError(f"it does not end as an archive of at most {MOST_ARRAYS} members")


def _members(archive: zipfile.ZipFile, size: int) -> dict[str, zipfile.ZipInfo]:
    """The members of the archive by the names of their arrays, if all can be read at their size."""
    members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
    plain = all(info.compress_type == zipfile.ZIP_STORED for info in members.values())
    if not plain or len(members) != len(archive.infolist()):
        raise ValueError("its members are compressed, or two have one name")
    if sum(info.file_size for info in members.values()) > size:
        raise ValueError("its members are larger than the file")
    return members


def _read(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Array:
    """One array, of no more bytes than the member has, read into its own memory."""
    with archive.open(member) as file:
        np.lib.format.read_magic(file)  # 1.0, others have another header, which is refused
        shape, fortran_order, dtype = np.lib.format.read_array_header_1_0(file)
        size = member.file_size - file.tell()
        if dtype.kind not in "biufU" or math.prod(shape) * dtype.itemsize != size:
            raise ValueError(f"an array of {shape} {dtype} does not take {size} bytes")
        data = np.empty(size, np.uint8)
        for start in range(0, size, _CHUNK):
            part = file.read(min(_CHUNK, size - start))
            data[start : start + _CHUNK] = np.frombuffer(part, np.uint8)  # refuses a shorter one
        file.read()  # the end, at which zipfile compares its checksum
    return data.view(dtype).reshape(shape, order="F" if fortran_order else "C")


def _short(error: Exception) -> str:
    return str(error).split("\n")[0][:100] or type(error).__name__
