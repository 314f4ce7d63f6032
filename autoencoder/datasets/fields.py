"""The fields of a CSV file as numbers: missing ones, truths, decimal commas and thousands."""

from __future__ import annotations

import math
import re

import numpy as np

MISSING = ("", "na", "n/a", "nan", "null", "none", "?")
TRUTHS = {"true": 1.0, "false": 0.0}
_EXPONENT = r"(e[+-]?\d+)?"
# A number in either way of writing; groups of thousands never start with 0.
_WRITTEN = {
    ".": re.compile(rf"[+-]?([1-9]\d{{0,2}}(,\d{{3}})+(\.\d*)?|\d+\.?\d*|\.\d+){_EXPONENT}"),
    ",": re.compile(rf"[+-]?([1-9]\d{{0,2}}(\.\d{{3}})+(,\d+)?|\d+(,\d+)?){_EXPONENT}"),
}


def number(text, mark=None):
    """A text as a float, NaN where it says that it is missing; None for what is no number.

    `mark` is the decimal mark of a file in which the other one of "." and "," sets off thousands.

    >>> number(" 2.5"), number("n/a"), number("1.234,5", ","), number("1,234.5", "."), number("red")
    (2.5, nan, 1234.5, 1234.5, None)
    """
    text = text.strip().lower()
    if text in MISSING:
        return math.nan
    if text in TRUTHS:
        return TRUTHS[text]
    if mark is not None and ("." in text or "," in text):
        if not _WRITTEN[mark].fullmatch(text):
            return None
        text = text.replace("." if mark == "," else ",", "").replace(",", ".")
    try:
        return float(text)
    except ValueError:
        return None


def numbers(texts, mark=None):
    """The texts of a column as floats; the first one that is no number, a str."""
    try:
        if mark is None:
            return np.array(texts, np.float64)
    except ValueError:
        pass
    values = [number(text, mark) for text in texts]
    return texts[values.index(None)] if None in values else np.array(values)


def decimal_marks(path, lines, places, names):
    """The decimal mark, "." or ",", of each column at `places` in the `lines` of a whole file.

    A column that could be read either way ("1,234", "1.234") is written as the rest of the file is.
    Raises ValueError where that does not decide, or a column is written in both ways.
    """
    seen = [{} for _ in places]  # of each column: the marks that its fields may have -> the first
    for line in lines:
        for place, texts in zip(places, seen, strict=True):
            text = line[place].strip().lower() if place < len(line) else ""
            if "." in text or "," in text:
                texts.setdefault("".join(m for m in _WRITTEN if _WRITTEN[m].fullmatch(text)), text)
    known = {mark for texts in seen for mark in texts if len(mark) == 1}
    marks = []
    for name, texts in zip(names, seen, strict=True):
        if "." in texts and "," in texts:
            raise ValueError(
                f"{path} has {texts['.']!r:.40} and {texts[',']!r:.40} in the column {name!r:.50}, "
                "one with a decimal point and one with a decimal comma: write all its numbers in "
                "one way"
            )
        own = known & set(texts) or known
        unsure = texts.get(".,", "")
        if unsure and (len(own) > 1 or (not own and "," in unsure)):
            raise ValueError(
                f"{path} has {unsure!r:.40} in the column {name!r:.50}, which may be "
                f"{number(unsure, '.'):.12g} or {number(unsure, ','):.12g}, and no other field "
                "says whether a comma is the decimal mark: write its numbers with a decimal point "
                "and without thousands separators"
            )
        marks.append("," if own == {","} else ".")
    return marks
