"""The cells of a lesson: a script whose cells begin with ``# %%``."""

import re
from typing import NamedTuple


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
