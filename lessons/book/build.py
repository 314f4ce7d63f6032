"""``python -m lessons book``: execute lessons, write pages, call Sphinx."""

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

from lessons._header import FOLDER, read_header, scripts, way
from lessons._progress import writable

import nbformat
from sphinx.cmd.build import main as sphinx

from . import museum
from .chapter import chapter
from .execute import execute
from .source import ROOT, Links


def main(arguments):
    """Build the book; the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m lessons book", description="Write the course as a static site."
    )
    parser.add_argument("lesson", nargs="*", type=int, help="only these lessons; none: all")
    parser.add_argument("--fast", action="store_true", help="run the lessons with --fast")
    parser.add_argument("--output", type=Path, metavar="FOLDER", help="default: lessons/out/book")
    options = parser.parse_args(arguments)
    numbers = options.lesson or [number for number, _ in way()]
    if unknown := [n for n in numbers if n not in scripts()]:
        parser.error(f"there is no lesson {', '.join(map(str, unknown))}")
    if not museum.PATH.exists():
        sys.exit(f"The book is made in a checkout of the project: {museum.PATH} is missing")
    output = (options.output or writable(FOLDER / "out") / "book").resolve()
    if output.exists() and any(output.iterdir()) and not (output / ".buildinfo").exists():
        sys.exit(f"{output} holds something that is not a book: give another folder to --output")
    with tempfile.TemporaryDirectory() as scratch:
        pages = Path(scratch) / "pages"
        write_pages(Links(numbers), ["--fast"] if options.fast else [], pages)
        shutil.rmtree(output, ignore_errors=True)
        settings = ["-c", str(Path(__file__).parent), "-d", str(Path(scratch) / "doctrees")]
        flags = ["-q", "-W", "--keep-going", "-b", "html"]
        status = sphinx([*flags, *settings, str(pages), str(output)])
    if status == 0:
        print(f"\nThe book: {output / 'index.html'}")
    return status


def write_pages(links, flags, folder):
    """The book in `folder`: an index, the lessons of `links`, the museum, files linked to."""
    (folder / "lessons").mkdir(parents=True)
    (folder / "pictures").mkdir()
    for number in links.lessons:
        began = time.perf_counter()
        with tempfile.TemporaryDirectory() as figures:
            cells, lesson = execute(number, ["--solution", *flags], Path(figures))
            path = folder / "lessons" / f"{scripts()[number].stem}.ipynb"
            nbformat.write(chapter(number, cells, lesson, links), path)
            picture, _ = lesson.figures[0]
            shutil.copy(picture, folder / "pictures" / f"{number:02d}.png")
        seconds = time.perf_counter() - began
        print(f"{number:2d}  {lesson.header.title:60} {seconds:6.1f} s", flush=True)
    museum.write(folder / "bugs", links)
    glossary = (FOLDER / "GLOSSARY.md").read_text(encoding="utf-8")
    glossary = links.to_lessons(glossary, r"(?<=\| )(\d+)(?= \|\n)")
    (folder / "glossary.md").write_text(glossary, encoding="utf-8")
    teaching = (ROOT / "docs" / "teaching.md").read_text(encoding="utf-8")
    (folder / "teaching.md").write_text(links.to_source(teaching), encoding="utf-8")
    (folder / "index.md").write_text(_index(links.lessons), encoding="utf-8")
    links.write(folder / "source")


def _index(numbers):
    """The first page: what the book is, and a card for each lesson."""
    cards, tree = [], []
    for number in numbers:
        header, stem = read_header(scripts()[number]), scripts()[number].stem
        title = f"[{number}  {header.title}](lessons/{stem})"
        idea = header.fields["Idea"][0].upper() + header.fields["Idea"][1:]
        card = f"![](pictures/{number:02d}.png)\n\n{title}\n\n{idea}"
        cards.append(f'<div class="card">\n\n{card}\n\n</div>\n')
        tree.append(f"lessons/{stem}")
    return _INDEX.format(cards="\n".join(cards), tree="\n".join(tree))


_INDEX = """# From a slope to a variational autoencoder

Each page is a lesson of the course, run from its first line to its last, with what it printed and
drew. The exercises stand as a learner finds them; a solution is behind a click. Four figures move:
change their numbers and see what happens. To write the exercises yourself and have them judged,
install the project and run `python -m lessons`.

<div class="cards">

{cards}
</div>

```{{toctree}}
:hidden:
:caption: Lessons

{tree}
```

```{{toctree}}
:hidden:
:caption: Beside them

glossary
bugs/index
teaching
source/index
```
"""
