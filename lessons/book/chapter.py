"""A lesson as a notebook with its outputs, in the words of MyST."""

import base64
import importlib
import re

from lessons._header import FIELDS, read_header, scripts
from lessons._paste import pasted

import nbformat.v4 as nb

from . import MOVING
from .formula import formula
from .source import ROOT

_FENCE = "``````"


def chapter(number, cells, lesson, links):
    """The notebook of lesson `number` from its executed `cells`."""
    header = read_header(scripts()[number])
    made = [nb.new_markdown_cell(_opening(header, links))]
    for cell in cells:
        if cell.kind == "markdown":
            made.append(nb.new_markdown_cell(prose(cell.text, number, links)))
        elif cell.exercise:
            made.append(_code(cell.text.strip()))
            made.append(nb.new_markdown_cell(_answer(lesson, *cell.exercise, links)))
            made.append(nb.new_markdown_cell(_text(cell.printed)))
        else:
            printed = cell.printed.removeprefix(f"{number:02d}  {header.title}\n")
            printed = re.split(r"\n\d+/\d+ exercises, ", printed)[0]  # how the run ended
            text = cell.text.strip().removesuffix("lesson.finish()").strip()
            made.append(_code(text, printed, cell.figures))
            made += [nb.new_markdown_cell(_moving(path, number)) for path, _ in cell.figures]
    made.append(nb.new_markdown_cell(_closing(lesson)))
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    cells = [c for c in made if c.source.strip()]
    return nb.new_notebook(cells=cells, metadata={"kernelspec": kernel})


# ---------------------------------------------------------------------- cells
def _opening(header, links):
    """The title, and the header's fields as a list, without the seconds."""
    needs = links.to_lessons(header.fields["Needs"], r"\b(\d\d|\d{4})\b")
    uses = links.to_source(header.fields["Uses"], plain=True)
    fields = header.fields | {"Needs": needs, "Uses": uses}
    lines = [f"- **{name}:** {fields[name]}" for name in FIELDS if name != "Time"]
    source = links.to_file(header.path.relative_to(ROOT).as_posix())
    return f"# {header.number}  {header.title}\n\n" + "\n".join([*lines, f"- **Script:** {source}"])


def _closing(lesson):
    path = lesson.header.path.relative_to(ROOT).as_posix()
    asked = (
        "Write what is asked for, where it says `raise Todo(...)`, and run it; answers are judged"
    )
    words = asked if lesson.verdicts else "Run it"
    return f"## Do it yourself\n\n{words}:\n\n```sh\npython {path}\n```"


def _code(source, printed="", figures=()):
    outputs = [nb.new_output("stream", name="stdout", text=printed)] if printed.strip() else []
    metadata = {}
    for path, figure in figures:
        image = base64.b64encode(path.read_bytes()).decode()
        outputs.append(nb.new_output("display_data", data={"image/png": image}))
        metadata = {"mystnb": {"image": {"alt": figure.get_suptitle()}}}
    return nb.new_code_cell(source, outputs=outputs, metadata=metadata)


def _text(printed):
    return f"{_FENCE}{{code-block}} text\n:class: verdict\n\n{printed.strip()}\n{_FENCE}"


def _answer(lesson, label, name, links):
    """Behind a click each: the solution, and the mistakes that the judge knows by name."""
    check = lesson.checks[f"{label} {name}"]
    solutions = importlib.import_module(f"lessons.solutions.{lesson.number:02d}")
    solution = pasted(solutions, name, lesson.header.path).rstrip()
    mistakes = "\n".join(f"- {_plain(' '.join(m.__doc__.split()))}" for m in check.mistakes)
    path, _, symbol = check.source.partition("::")
    solution = f"{_FENCE}python\n{solution}\n{_FENCE}"
    return (
        f"{_details(f'A solution of {label}', solution)}\n"
        f"{_details(f'Mistakes that are recognised in {label}', mistakes)}\n"
        f"The library does the same in {links.to_file(path, symbol)}.\n"
    )


def _details(summary, body):
    return f"<details><summary>{summary}</summary>\n\n{body}\n\n</details>\n"


def _moving(path, number):
    """The figure that runs in the page, if one belongs to the lesson's figure at `path`."""
    figure = MOVING.get(path.stem.removeprefix(f"{number:02d}_"))
    if not figure:
        return ""
    return f'<div class="moving" data-figure="{figure}" data-beside="{path.stem[3:]}"></div>'


# ---------------------------------------------------------------------- prose
def prose(text, number, links):
    """Prose of a lesson in MyST: formulas drawn, powers raised, other lessons linked."""
    parts = re.split(r"((?:^    .*(?:\n|$))+)", text, flags=re.MULTILINE)
    for k, part in enumerate(parts):
        if part.startswith("    "):
            drawn = formula("\n".join(line[4:] for line in part.rstrip().splitlines()))
            parts[k] = drawn + "\n" if drawn else part
        else:
            parts[k] = _outside_code(part, number, links)
    return "".join(parts)


def _outside_code(text, number, links):
    """Replacements in what stands in neither backquotes nor a link."""
    parts = re.split(r"(`[^`]*`|\[[^\]]*\]\([^)]*\))", text)
    for k in range(0, len(parts), 2):
        parts[k] = re.sub(r"(?<=[\w)|])(?:\*\*|\^)(-?\w+|\([^)]*\))", r"<sup>\1</sup>", parts[k])
        parts[k] = re.sub(r"(?<=\d) \* (?=\d)", " &times; ", parts[k])
        parts[k] = links.to_lessons(parts[k], r"\blesson (\d+)\b", number)
    return "".join(parts)


def _plain(text):
    """Text of a docstring, in which no character means anything to Markdown."""
    return re.sub(r"([*_`<\[\\])", r"\\\1", text)
