"""Pages of the repository's own files, so that a link to the source works without a network."""

import ast
import itertools
import re
from pathlib import Path

from lessons._header import FOLDER, scripts

ROOT = FOLDER.parent
_NAMED = re.compile(r"(?<!\[)`(?P<path>[\w/]+\.py)(?:::(?P<name>[\w.]+))?`")
_PLAIN = re.compile(r"(?P<path>\b[\w/]+/\w+\.py)\b(?:::(?P<name>[\w.]+))?")


class Links:
    """What pages may link to: the lessons of this book, and files, each of which becomes a page.

    `root` is where the book stands in its site: "" if it is the whole of it, else "/its/folder".
    """

    def __init__(self, numbers, root=""):
        self.lessons = {n: f"{root}/lessons/{scripts()[n].stem}" for n in numbers}
        self.paths = set()

    def to_lessons(self, text, pattern, own=None):
        """`text` with links where `pattern` finds the number of another lesson as group 1."""

        def link(match):
            page = self.lessons.get(int(match[1])) if match[1] != str(own) else None
            return f"[{match[0]}]({page})" if page else match[0]

        return re.sub(pattern, link, text, flags=re.IGNORECASE)

    def to_file(self, path, name=None):
        """A MyST link to a file of the repository, or to a name at its top; code if it is none."""
        words = f"`{path}::{name}`" if name else f"`{path}`"
        if not (ROOT / path).is_file():
            return words
        return f"[{words}]({self.target(path, name)})"

    def target(self, path, name=None):
        """Where the page of a file of the repository is, or the name at its top, for a link."""
        self.paths.add(path)
        starts = _starts(path) if name else {}
        return f"#{_target(path, starts.get(name.partition('.')[0]) if name else None)}"

    def to_source(self, text, plain=False):
        """`text` with links in the places of `path.py::name`, in backquotes or `plain`."""
        pattern = _PLAIN if plain else _NAMED
        return pattern.sub(lambda m: self.to_file(m["path"], m["name"]), text)

    def write(self, folder):
        """A page for each file, in chunks that begin where its functions and classes do."""
        folder.mkdir(parents=True, exist_ok=True)
        for path in sorted(self.paths):
            page = folder / f"{path.replace('/', '-')}.md"
            page.write_text(_page(path), encoding="utf-8")
        names = "\n".join(path.replace("/", "-") for path in sorted(self.paths))
        text = (
            f"# The source\n\nThe files that the pages link to.\n\n```{{toctree}}\n{names}\n```\n"
        )
        (folder / "index.md").write_text(text, encoding="utf-8")


def _starts(path):
    """{name: first line} of what is defined at the top of a file, decorators included."""
    found = {}
    if not path.endswith(".py"):
        return found
    for node in ast.parse((ROOT / path).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found[node.name] = min([node.lineno, *(d.lineno for d in node.decorator_list)])
        elif isinstance(node, ast.Assign):
            names = [t.id for t in node.targets if isinstance(t, ast.Name)]
            found |= dict.fromkeys(names[:1], node.lineno)
    return found


def _target(path, line=None):
    return "-".join(["source", *Path(path).with_suffix("").parts, *([str(line)] if line else [])])


def _page(path):
    lines = (ROOT / path).read_text(encoding="utf-8").splitlines()
    starts = set(_starts(path).values())
    places = sorted({1, *starts, len(lines) + 1})
    language = "python" if path.endswith(".py") else "text"
    parts = [f"({_target(path)})=\n# `{path}`\n"]
    for first, end in itertools.pairwise(places):
        if first in starts:
            parts.append(f"({_target(path, first)})=")
        body = "\n".join(lines[first - 1 : end - 1]).rstrip()
        options = f":linenos:\n:lineno-start: {first}\n:class: source"
        parts.append(f"``````{{code-block}} {language}\n{options}\n\n{body}\n``````\n")
    return "\n".join(parts)
