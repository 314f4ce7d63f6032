"""Tables of numbers: CSV files as spreadsheets and programs write them, and Parquet files.

Columns are known by their names. What is no number is named in a sentence; an empty field is a
missing number, NaN. CSV is read block by block with Python's own reader, Parquet with pyarrow.
"""

from __future__ import annotations

import csv
import itertools
import math
import warnings
from pathlib import Path

import numpy as np

from minigrad.checkpoint import PathLike

from .pictures import check_file

SUFFIXES = (".csv", ".tsv", ".parquet")
MISSING = ("", "na", "n/a", "nan", "null", "none", "?")
TRUTHS = {"true": 1.0, "false": 0.0}
_LINES = 4096  # of a block
_NAMED = 5  # columns in a sentence


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
    blocks, labels, names = [], [], ()
    try:
        for names, rows, some in read(path, label, columns):
            blocks.append(_as_float32(path, names, rows))
            labels.extend(some or ())
    except UnicodeError as error:
        raise ValueError(
            f"{path} is not text in UTF-8 ({error.reason} at byte {error.start}): save it as CSV "
            "UTF-8"
        ) from None
    except csv.Error as error:
        raise ValueError(f"{path} cannot be read as CSV: {error}") from None
    if not sum(map(len, blocks)):
        raise ValueError(f"{path} has no rows: a line of names, then one for each row are needed")
    return np.concatenate(blocks), tuple(names), np.array(labels) if labels else None


# ---------------------------------------------------------------------- CSV
def _csv(path, label, columns):
    """Names, rows (n, D) float64 and labels, or None, of one block of lines after the other."""
    with open(path, "rb") as file:
        start = file.read(4)
    wide = start.startswith((b"\xff\xfe", b"\xfe\xff"))
    with open(path, newline="", encoding="utf-16" if wide else "utf-8-sig") as file:
        separator = _separator(path, file.readline())
        file.seek(0)
        lines = csv.reader(file, delimiter=separator, strict=True)
        header = next(lines, [])
        comma = separator == ";"
        if header and all(_number(text, comma) is not None for text in header):
            lines = itertools.chain([header], lines)
            header = [f"column {k}" for k in range(1, len(header) + 1)]
        wanted = _Wanted(path, header, label, columns)
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
                found = [_numbers(rows[k], comma) for k in wanted.places]
                yield wanted.checked(found, first, None if label is None else rows, len(rows[0]))
            first += len(block)


def _separator(path, line):
    """What stands between the fields of a `line` oftenest, outside of quotes."""
    outside = "".join(line.split('"')[::2])
    if "\0" in outside:
        raise ValueError(f"{path} is no text: give a CSV file, whose fields are set off by commas")
    return max(",;\t|", key=outside.count)  # the comma where there is none


def _numbers(texts, comma):
    """The texts of a column as floats; the first one that is no number, a str."""
    try:
        return np.array(texts, np.float64)
    except ValueError:
        values = [_number(text, comma) for text in texts]
        if None in values:
            return texts[values.index(None)]
        return np.array(values)


def _number(text, comma=False):
    """A text as a float, NaN where it says that it is missing; None for what is no number.

    >>> _number(" 2.5"), _number("n/a"), _number("1.234,5", comma=True), _number("red")
    (2.5, nan, 1234.5, None)
    """
    text = text.strip().lower()
    if text in MISSING:
        return math.nan
    if text in TRUTHS:
        return TRUTHS[text]
    if comma and "," in text:
        text = text.replace(".", "").replace(",", ".")
    try:
        return float(text)
    except ValueError:
        return None


# ---------------------------------------------------------------------- Parquet
def _parquet(path, label, columns):
    """As `_csv`, of a Parquet file."""
    try:
        from pyarrow import parquet, types
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

    def numbers(column):
        if any(kind(column.type) for kind in numeric):
            return column.cast("float64").to_numpy(zero_copy_only=False)
        return str(column[0]) if len(column) else ""

    wanted, first = _Wanted(path, names, label, columns), 1
    try:
        for block in file.iter_batches(columns=names):
            if not len(block):
                continue
            found = [numbers(block.column(k)) for k in wanted.places]
            texts = None
            if wanted.label is not None:
                texts = {
                    wanted.label: [
                        "" if v is None else str(v) for v in block.column(wanted.label).to_pylist()
                    ]
                }
            yield wanted.checked(found, first, texts, len(block))
            first += len(block)
    except (OSError, RuntimeError) as error:
        raise ValueError(f"{path} cannot be read as Parquet: {_first_line(error)}") from None


# ---------------------------------------------------------------------- inside
class _Wanted:
    """Which columns of a table are read: the `places` of numbers in its `header`, and `label`."""

    def __init__(self, path, header, label, columns):
        self.path = path
        names = [name.strip() or f"column {k}" for k, name in enumerate(header, start=1)]
        self.is_index = bool(header) and not header[0].strip() and columns is None
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

    def checked(self, found, first, texts, count):
        """The names, rows and labels of a block, of which `found` are the columns' numbers."""
        bad = {n: f for n, f in zip(self.names, found, strict=True) if isinstance(f, str)}
        if bad:
            raise ValueError(
                f"{self.path} has columns that are no numbers, {_listed(bad)} (such as "
                f"{next(iter(bad.values()))!r:.40}): leave them out, turn them into numbers as "
                "pandas.get_dummies does, or name the one that is a class with --label (label= in "
                "Python)"
            )
        if self.is_index and first == 1:
            numbers = np.arange(count)
            self.is_index = bool((found[0] == numbers + found[0][0]).all()) and len(found) > 1
            if self.is_index:
                warnings.warn(
                    f"{self.path}: the first column has no name and counts the rows, so it is left "
                    "out",
                    UserWarning,
                    stacklevel=5,
                )
        labels = None
        if self.label is not None:
            labels = [str(text).strip() for text in texts[self.label]]
            if "" in labels:
                raise ValueError(f"{self.path} has no label in row {first + labels.index('')}")
        skip = int(self.is_index)
        return self.names[skip:], np.stack(found[skip:], axis=1), labels


def _as_float32(path, names, rows):
    with np.errstate(over="ignore"):
        narrow = rows.astype(np.float32)
    for k, name in enumerate(names):
        if np.isinf(narrow[:, k]).any():
            value = rows[np.isinf(narrow[:, k]), k][0]
            raise ValueError(
                f"{path} has {value:g} in the column {name!r}, which no model can read"
            )
    return narrow


def _listed(names):
    """Some names in words, the first five of them in quotes."""
    names = list(names)
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(f"{name!r:.50}" for name in names[:_NAMED]) + more


def _first_line(error):
    return str(error).splitlines()[0] if str(error) else type(error).__name__
