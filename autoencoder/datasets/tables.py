"""Tables of numbers: CSV files as spreadsheets and programs write them, and Parquet files.

Columns are known by their names. What is no number is named in a sentence; an empty field is a
missing number, NaN. CSV is read block by block with Python's own reader, Parquet with pyarrow.
"""

from __future__ import annotations

import csv
import itertools
import warnings
from pathlib import Path

import numpy as np

from minigrad.checkpoint import PathLike

from .fields import MISSING, decimal_marks, number, numbers
from .pictures import check_file

SUFFIXES = (".csv", ".tsv", ".parquet")
_LINES = 4096  # of a block
_NAMED = 5  # columns in a sentence
_MERGED = 0.01  # of a column's distinct values that float32 may merge; chance merges fewer


def is_table(path: PathLike) -> bool:
    """Whether the name of a file is that of a table.

    >>> is_table("cars.CSV"), is_table("cars/")
    (True, False)
    """
    return Path(path).suffix.lower() in SUFFIXES


def read_table(path, label=None, columns=None):
    """The numbers of a table, (N, D) float32, its columns' names, and labels (N,) str or None.

    `label` is the name of a column of classes. Of `columns`, names, exactly those are read, in this
    order (the label is then read if it is there); else all others.
    Raises ValueError in one sentence that names the file, and the columns that cannot be used.
    """
    path = Path(path)
    check_file(path)
    read = _parquet if path.suffix.lower() == ".parquet" else _csv
    blocks, labels, wanted, index, told = [], [], None, [], set()
    try:
        for wanted, rows, some in read(path, label, columns):
            blocks.append(_as_float32(path, wanted.names, rows, told))
            labels.extend(some or ())
            if wanted.is_unnamed:
                index.append(rows[:, 0])
    except UnicodeError as error:
        raise ValueError(
            f"{path} is not text in UTF-8 ({error.reason} at byte {error.start}): save it as CSV "
            "UTF-8"
        ) from None
    except csv.Error as error:
        raise ValueError(f"{path} cannot be read as CSV: {error}") from None
    if not sum(map(len, blocks)):
        raise ValueError(f"{path} has no rows: a line of names, then one for each row are needed")
    skip = int(bool(index) and _is_index(np.concatenate(index)))
    if skip:
        warnings.warn(
            f"{path}: the first column has no name and another whole number in each row, so it is "
            "taken for an index and left out",
            UserWarning,
            stacklevel=3,
        )
    rows = np.concatenate([block[:, skip:] for block in blocks])
    return rows, tuple(wanted.names[skip:]), np.array(labels) if labels else None


# ---------------------------------------------------------------------- CSV
def _csv(path, label, columns):
    """`_Wanted`, rows (n, D) float64 and labels, or None, of one block of lines after the other."""
    with open(path, "rb") as file:
        start = file.read(4)
    wide = start.startswith((b"\xff\xfe", b"\xfe\xff"))
    with open(path, newline="", encoding="utf-16" if wide else "utf-8-sig") as file:
        separator = _separator(path, file.readline())

        def read():
            file.seek(0)
            return csv.reader(file, delimiter=separator, strict=True)

        header = next(read(), [])
        has_names = _has_names(path, header, columns, separator == ";")
        if not has_names:
            header = [f"column {k}" for k in range(1, len(header) + 1)]
        wanted = _Wanted(path, header, label, columns)
        marks = [None] * len(wanted.places)
        if separator == ";":  # between numbers that may have decimal commas
            lines = itertools.islice(read(), int(has_names), None)
            marks = decimal_marks(path, lines, wanted.places, wanted.names)
        lines = itertools.islice(read(), int(has_names), None)
        first = 1
        while block := list(itertools.islice(lines, _LINES)):
            for k, line in enumerate(block, start=first):
                if line and len(line) != len(header):
                    raise ValueError(
                        f"{path} has {len(line)} fields in row {k}, and {len(header)} names in its "
                        "first line: mend that row, or put quotes around texts with a "
                        f"{separator!r}"
                    )
            rows = list(zip(*filter(None, block), strict=True))  # by column
            if rows:
                found = [numbers(rows[k], m) for k, m in zip(wanted.places, marks, strict=True)]
                yield wanted.checked(found, first, None if label is None else rows, len(rows[0]))
            first += len(block)


def _separator(path, line):
    """What stands between the fields of a `line` oftenest, outside of quotes."""
    outside = "".join(line.split('"')[::2])
    if "\0" in outside:
        raise ValueError(f"{path} is no text: give a CSV file, whose fields are set off by commas")
    return max(",;\t|", key=outside.count)  # the comma where there is none


def _has_names(path, first, columns, commas):
    """Whether the `first` line of a file has the names of its columns.

    They may be numbers: those that pandas gives to columns without names, behind an index that has
    no name itself, or those that a model knows. A warning says what was not certain.
    """
    texts = [text.strip() for text in first]
    kinds = (None, ".", ",") if commas else (None,)
    filled = [text for text in texts if text.lower() not in MISSING]
    if not filled or any(all(number(t, kind) is None for kind in kinds) for t in filled):
        return True
    if columns is not None and {f"column {k}" for k in range(1, len(texts) + 1)} >= set(columns):
        return False  # as the table was on which the model was trained
    counts = [[str(k) for k in range(start, start + len(texts))] for start in (0, 1)]
    is_known = columns is not None and set(columns) <= set(texts)
    is_index = not texts[0] and all(text.isdigit() for text in filled)
    if is_known or is_index or (texts in counts and len(texts) > 2):
        return True
    is_named = texts in counts or not texts[0]
    warnings.warn(
        f"{path}: the first line, {_listed(texts)}, has only numbers and is taken as "
        + ("the names of the columns" if is_named else "a row of data")
        + ": put a line of names that are no numbers before the rows to have it otherwise",
        UserWarning,
        stacklevel=5,
    )
    return is_named


# ---------------------------------------------------------------------- Parquet
def _parquet(path, label, columns):
    """As `_csv`, of a Parquet file."""
    try:
        from pyarrow import ArrowInvalid, parquet, types
    except ImportError:
        raise ValueError(
            f"{path}: Parquet is read with pyarrow, which is not installed: "
            "pip install 'minigrad-autoencoder[tables]', or save the table as CSV"
        ) from None
    try:
        file = parquet.ParquetFile(path)
        names = [n for n in file.schema_arrow.names if not n.startswith("__index_level_")]
    except Exception as error:  # a damaged file can raise nearly anything
        raise ValueError(f"{path} cannot be read as Parquet: {_first_line(error)}") from None
    numeric = (types.is_integer, types.is_floating, types.is_boolean, types.is_null)
    numeric += (types.is_decimal,)

    def floats(name, column):
        if any(kind(column.type) for kind in numeric):
            try:
                narrow = column.cast("float64")
            except ArrowInvalid:  # whole numbers beyond 2**53
                narrow = column.cast("float64", safe=False)
                rounded.add(name)
            return narrow.to_numpy(zero_copy_only=False)
        return str(column[0]) if len(column) else ""

    wanted, first, rounded = _Wanted(path, names, label, columns), 1, set()
    try:
        for block in file.iter_batches(columns=names):
            if not len(block):
                continue
            found = [floats(names[k], block.column(k)) for k in wanted.places]
            texts = None
            if wanted.label is not None:
                texts = {
                    wanted.label: [
                        "" if v is None else str(v) for v in block.column(wanted.label).to_pylist()
                    ]
                }
            yield wanted.checked(found, first, texts, len(block))
            first += len(block)
        if rounded:
            warnings.warn(
                f"{path} has whole numbers beyond 2**53 in {_listed(sorted(rounded))}, which are "
                "rounded: leave out what is a key and no quantity",
                UserWarning,
                stacklevel=4,
            )
    except (OSError, RuntimeError) as error:
        raise ValueError(f"{path} cannot be read as Parquet: {_first_line(error)}") from None


# ---------------------------------------------------------------------- inside
class _Wanted:
    """Which columns of a table are read: the `places` of numbers in its `header`, and `label`."""

    def __init__(self, path, header, label, columns):
        self.path = path
        names = [name.strip() or f"column {k}" for k, name in enumerate(header, start=1)]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"{path} has several columns {_listed(twice)}: give each its own name")
        if label is not None and label not in names and columns is None:
            raise ValueError(f"{path} has no column {label!r}: it has {_listed(names)}")
        self.label = names.index(label) if label in names else None
        if columns is not None:
            gone = [name for name in columns if name not in names]
            if gone:
                raise ValueError(
                    f"{path} has no {_listed(gone)}, and the model reads these columns: "
                    f"{_listed(columns)}"
                )
            left = [name for name in names if name not in columns and name != label]
            if left and any(header):
                warnings.warn(
                    f"{path}: the model does not read {_listed(left)}", UserWarning, stacklevel=6
                )
            self.places = [names.index(name) for name in columns]
        else:
            self.places = [k for k in range(len(names)) if k != self.label]
        self.names = [names[k] for k in self.places]
        if not self.names:
            raise ValueError(f"{path} has no columns to read: it has {_listed(names) or 'none'}")
        is_first = self.places[0] == 0 and len(self.places) > 1 and columns is None
        self.is_unnamed = is_first and not header[0].strip() and any(map(str.strip, header))

    def checked(self, found, first, texts, count):
        """This, the rows and labels of a block, of which `found` are the columns' numbers."""
        bad = {n: f for n, f in zip(self.names, found, strict=True) if isinstance(f, str)}
        if bad:
            raise ValueError(
                f"{self.path} has columns that are no numbers, {_listed(bad)} (such as "
                f"{next(iter(bad.values()))!r:.40}): leave them out, turn them into numbers as "
                "pandas.get_dummies does, or name the one that is a class with --label (label= in "
                "Python)"
            )
        labels = None
        if self.label is not None:
            labels = [str(text).strip() for text in texts[self.label]]
            if "" in labels:
                raise ValueError(f"{self.path} has no label in row {first + labels.index('')}")
        return self, np.stack(found, axis=1), labels


def _is_index(column):
    """Whether numbers (N,) may be those of rows: whole ones, each of them once."""
    return bool((column == np.round(column)).all()) and len(np.unique(column)) == len(column)


def _as_float32(path, names, rows, told):
    """`rows` (n, D) in float32; a warning, once for each column, names those that this merges."""
    with np.errstate(over="ignore"):
        narrow = rows.astype(np.float32)
    for k, name in enumerate(names):
        if np.isinf(narrow[:, k]).any():
            value = rows[np.isinf(narrow[:, k]), k][0]
            raise ValueError(
                f"{path} has {value:g} in the column {name!r}, which no model can read"
            )
        if name in told or (narrow[:, k] == rows[:, k]).all():
            continue
        kinds = np.unique(rows[:, k])
        merged = np.diff(kinds.astype(np.float32)) == 0
        if merged.sum() > _MERGED * len(kinds):
            told.add(name)
            low, high = kinds[merged.argmax() :][:2].tolist()
            warnings.warn(
                f"{path}: numbers are read as float32, in which {low!r} and {high!r} in the column "
                f"{name!r:.50} are the same: subtract what its values have in common beforehand",
                UserWarning,
                stacklevel=4,
            )
    return narrow


def _listed(names):
    """Some names in words, the first five of them in quotes."""
    names = list(names)
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(f"{name!r:.50}" for name in names[:_NAMED]) + more


def _first_line(error):
    return str(error).splitlines()[0] if str(error) else type(error).__name__
