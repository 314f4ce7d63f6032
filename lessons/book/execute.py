"""Run a lesson cell by cell, and keep what each cell printed and drew."""

import contextlib
import io
import re
import sys
from typing import NamedTuple

from lessons import _lesson
from lessons._header import lessons


class Cell(NamedTuple):
    kind: str  # "code" or "markdown"
    text: str
    line: int  # of its first line in the file, from 1
    printed: str = ""
    figures: tuple = ()  # (path, matplotlib figure) of each


def cells_of(source):
    """The cells of a percent script; what stands above the first marker is a code cell."""
    cells, line = [], 1
    for part in re.split(r"^(?=# %%)", source, flags=re.MULTILINE):
        first, _, rest = part.partition("\n")
        if first.startswith("# %% [markdown]"):
            text = re.sub(r"^# ?", "", rest, flags=re.MULTILINE).strip()
            cells.append(Cell("markdown", text, line + 1))
        elif first.startswith("# %%"):
            cells.append(Cell("code", rest, line + 1))
        else:
            cells.append(Cell("code", part, line))
        line += part.count("\n")
    return cells


def execute(number, flags, folder):
    """The cells of lesson `number` after a run with these `flags`, and its Lesson.

    Figures go to `folder`. An error in a cell is raised as it is, with the file's line numbers.
    """
    path, done = lessons()[number], []
    names = {"__name__": "__main__", "__file__": str(path)}
    before = sys.argv, _lesson.OUT
    try:
        sys.argv, _lesson.OUT = [str(path), *flags], folder
        for cell in cells_of(path.read_text(encoding="utf-8")):
            if cell.kind == "code":
                cell = _run(cell, path, names)
            done.append(cell)
    finally:
        sys.argv, _lesson.OUT = before
    return done, names["lesson"]


def _run(cell, path, names):
    drawn = len(names["lesson"].figures) if "lesson" in names else 0
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile("\n" * (cell.line - 1) + cell.text, str(path), "exec"), names)
    figures = names["lesson"].figures[drawn:] if "lesson" in names else ()
    return cell._replace(printed=printed.getvalue(), figures=tuple(figures))
