"""The cells of a lesson: a script whose cells begin with ``# %%``."""

import ast
import itertools
import re
from typing import NamedTuple


class Cell(NamedTuple):
    kind: str  # "code" or "markdown"
    text: str
    line: int  # of its first line in the file, from 1
    exercise: tuple | None = None  # (label, name) if it is one
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


def exercises_apart(cells):
    """The same cells, but each exercise in one of its own, and the header's docstring left out."""
    for cell in cells:
        if cell.kind == "markdown":
            yield cell
            continue
        lines, labels, cuts = cell.text.splitlines(keepends=True), {}, {0}
        for node in ast.parse(cell.text).body:
            if label := _label(node):
                first = node.decorator_list[0].lineno - 1
                labels[first] = (label, node.name)
                cuts |= {first, node.end_lineno}
            elif cell.line == 1 and node.lineno == 1:  # the docstring
                cuts = {node.end_lineno}
        for first, end in itertools.pairwise(sorted({*cuts, len(lines)})):
            text = "".join(lines[first:end])
            if text.strip():
                yield Cell("code", text, cell.line + first, labels.get(first))


def _label(node):
    """ "3.1" of a function under ``@lesson.exercise("3.1")``."""
    for decorator in getattr(node, "decorator_list", []):
        if ast.unparse(getattr(decorator, "func", decorator)) == "lesson.exercise":
            return ast.literal_eval(decorator.args[0])
    return None
