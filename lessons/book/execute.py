"""Run a lesson cell by cell, and keep what each cell printed and drew."""

import contextlib
import io
import sys

from lessons import _lesson
from lessons._header import scripts
from lessons._percent import cells_of, exercises_apart


def execute(number, flags, folder):
    """The cells of lesson `number` after a run with these `flags`, and its Lesson.

    Figures go to `folder`. An error in a cell is raised as it is, with the file's line numbers.
    """
    path, done = scripts()[number], []
    names = {"__name__": "__main__", "__file__": str(path)}
    before = sys.argv, _lesson.OUT
    try:
        sys.argv, _lesson.OUT = [str(path), *flags], folder
        for cell in exercises_apart(cells_of(path.read_text(encoding="utf-8"))):
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
