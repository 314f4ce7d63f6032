"""Pages of the site from texts that stand elsewhere: docs/, README.md, CHANGELOG.md, the lessons.

Each text stays as GitHub shows it; only its links are made those of the site. A link that leads
nowhere is an error. A new file of docs/ becomes a page of "How to" if it is not in `PLACES`.
"""

import re
import shutil
from pathlib import Path

from lessons._header import scripts, way
from lessons.book.build import write_pages
from lessons.book.source import ROOT, Links

# The part of the site to which a text belongs.
PLACES = {
    "docs/names.md": "explanation",
    "docs/first_kernel.md": "explanation",
    "docs/derivatives.md": "explanation",
    "docs/cpu.md": "measured",
    "docs/defaults.md": "measured",
    "docs/papers.md": "measured",
    "docs/uses/README.md": "measured",
    "docs/olivetti/README.md": "measured",
    "docs/trust.md": "trust",
    "CHANGELOG.md": "project",
    "CONTRIBUTING.md": "project",
    "lessons/WRITING.md": "project",
}
# Where a link to a text leads that has its page from the book or from this folder.
ELSEWHERE = {
    "README.md": "/index",
    "lessons/README.md": "/course/index",
    "lessons/GLOSSARY.md": "/course/glossary",
    "docs/teaching.md": "/course/teaching",
    "docs/bugs.md": "/course/bugs/index",
}


def texts():
    """{path in the repository: page of the site} of the texts that become pages."""
    found = [*(ROOT / "docs").glob("*.md"), *(ROOT / "docs").glob("*/README.md")]
    paths = {path.relative_to(ROOT).as_posix() for path in found} | set(PLACES)
    pages = {}
    for path in sorted(paths - set(ELSEWHERE)):
        stem = Path(path).parent.name if path.endswith("README.md") else Path(path).stem.lower()
        pages[path] = f"/pages/{PLACES.get(path, 'tasks')}/{stem}"
    return pages


def write(folder, numbers):
    """The pages, in the subfolders ``pages`` and ``course``; all lessons if `numbers` is empty."""
    shutil.rmtree(folder / "pages", ignore_errors=True)
    shutil.rmtree(folder / "course", ignore_errors=True)
    links = Links(numbers or [number for number, _ in way()], "/course")
    figures = []
    for path, page in texts().items():
        text, drawn = linked((ROOT / path).read_text(encoding="utf-8"), path, links)
        figures += [(*figure, page) for figure in drawn]
        _put(folder / f"{page[1:]}.md", links.to_source(text))
    readme, _ = linked((ROOT / "README.md").read_text(encoding="utf-8"), "README.md", links)
    for part in re.split(r"^## ", readme, flags=re.MULTILINE)[1:]:
        title, _, body = part.partition("\n")
        name = re.sub("[^a-z]+", "-", title.lower()).strip("-")
        _put(folder / "pages" / "readme" / f"{name}.md", body)
    _put(folder / "pages" / "gallery.md", gallery(figures))
    write_pages(links, ["--fast"], folder / "course")


def linked(text, path, links):
    """`text` of the file at `path` with the site's links, and its figures as (words, target)."""
    figures = []

    def link(match):
        mark, words, target = match.groups()
        if re.match(r"[a-z]+:|#", target):
            return match[0]
        target, _, place = target.partition("#")
        file = (ROOT / path).parent.joinpath(target).resolve()
        name = file.relative_to(ROOT).as_posix()
        if file.suffix == ".png" and file.is_file():
            new = f"/../../{name}"
            if mark:
                figures.append((words, new))
        elif page := (texts() | ELSEWHERE).get(name):
            new = page + (f".md#{place}" if place else "")
        elif lesson := {p: n for n, p in scripts().items() if n in links.lessons}.get(file):
            new = links.lessons[lesson]
        elif file.is_file():
            new = links.target(name)
        else:
            raise ValueError(f"{path} links to {match[3]}, which is not there")
        return f"{mark}[{words}]({new})"

    parts = re.split(r"(^```.*?^```$)", text, flags=re.DOTALL | re.MULTILINE)
    for k in range(0, len(parts), 2):
        parts[k] = re.sub(r"(!?)\[((?:`[^`]*`|[^\]`])*)\]\(([^)\s]+)\)", link, parts[k])
    return "".join(parts), figures


def gallery(figures):
    """Each figure of the texts as a card that leads to the text."""
    cards = [
        f'<div class="card">\n\n![{words}]({target})\n\n[{words}]({page})\n\n</div>'
        for words, target, page in figures
    ]
    return '<div class="cards">\n\n' + "\n\n".join(cards) + "\n\n</div>\n"


def _put(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
