"""The first lines of a lesson: its title, what it asks and gives, and its budget of seconds."""

import ast
import re
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).resolve().parent
FIELDS = ("Idea", "You write", "You get", "Needs", "Read", "Uses", "Time")


class Header(NamedTuple):
    path: Path
    number: int
    title: str
    fields: dict  # each of FIELDS -> its text on one line
    budget: dict  # "fast", "default" (and "full") -> seconds
    exercises: int = 0  # how many


def lessons():
    """The paths of all lessons by number: {1: .../01_slug.py, ...}."""
    return {int(p.name[:2]): p for p in sorted(FOLDER.glob("[0-9][0-9]_*.py"))}


def milestones():
    """The paths of the milestones by year: {1986: .../milestones/1986_slug.py, ...}."""
    return {int(p.name[:4]): p for p in sorted(FOLDER.glob("milestones/[0-9]*_*.py"))}


def scripts():
    """The paths of lessons and milestones, by their numbers."""
    return lessons() | milestones()


def way():
    """(number, path) of everything, each milestone after the last lesson that it needs."""
    placed = {number: (number, 0) for number in lessons()}
    for year, path in milestones().items():
        needs = re.findall(r"\d+", read_header(path).fields["Needs"])
        placed[year] = (max(map(int, needs)), year)
    return [(number, scripts()[number]) for number in sorted(placed, key=placed.get)]


def read_header(path):
    """The header of the lesson at `path`; ValueError names what is missing."""
    source = path.read_text(encoding="utf-8")
    text = ast.get_docstring(ast.parse(source)) or ""
    first, _, rest = text.partition("\n")
    title = re.fullmatch(r"(\d\d|\d{4})  (\S.*)", first)
    number = path.name.partition("_")[0]
    if not title or title[1] != number:
        raise ValueError(f'{path.name}: the docstring must begin with "{number}  Title"')
    parts = re.split(rf"^({'|'.join(FIELDS)}):", rest, flags=re.MULTILINE)
    fields = {
        name: " ".join(body.split()) for name, body in zip(parts[1::2], parts[2::2], strict=True)
    }
    missing = [name for name in FIELDS if not fields.get(name)]
    if missing or list(fields) != list(FIELDS):
        raise ValueError(
            f"{path.name}: the docstring needs the lines {', '.join(FIELDS)}, in this order"
            + (f"; missing: {', '.join(missing)}" if missing else "")
        )
    units = {"s": 1, "min": 60}
    times = re.findall(r"(fast|default|full) ([\d.]+) (s|min)\b", fields["Time"])
    budget = {mode: float(value) * units[unit] for mode, value, unit in times}
    if not {"fast", "default"} <= set(budget):
        raise ValueError(f'{path.name}: Time must read like "fast 1 s, default 5 s", perhaps full')
    exercises = len(re.findall(r"^@lesson\.exercise\(", source, re.MULTILINE))
    return Header(path, int(title[1]), title[2], fields, budget, exercises)
