"""The page docs/papers.md, made of papers.json, of published.py and of each experiment's words."""

import bounds_2016
import codes_2010
import deep_2006
import encoder_1986
import faces_2006
import linear_1989
import writing

PAPERS = {
    "encoder_1986": encoder_1986,
    "linear_1989": linear_1989,
    "deep_2006": deep_2006,
    "faces_2006": faces_2006,
    "codes_2010": codes_2010,
    "bounds_2016": bounds_2016,
}

HEAD = """# The literature, reproduced

What papers report, what this package gives, and what differs: data, sizes, lengths. Written by
`python benchmarks/papers --all --digits FILE` in {minutes:.0f} minutes of one core, with the digits
named below; without `--digits` the same command downloads all of MNIST. Every measured number comes
from `papers.json`, and what papers say from `benchmarks/papers/published.py`.
"""


def keep(page, name, results):
    """Put the results of one experiment into papers.json beside those of the others."""
    writing.keep(page.with_suffix(".json"), name, results, PAPERS)


def render(results):
    """The whole page as Markdown."""
    minutes = sum(numbers["seconds"] for numbers in results.values()) / 60
    lines = [
        [PAPERS[name].TITLE.split(":")[0], *row]
        for name, numbers in results.items()
        for row in PAPERS[name].rows(numbers)
    ]
    sections = [HEAD.format(minutes=max(minutes, 1))]
    header = ["year", "what", "published", "ours", "what differs in ours"]
    sections.append(writing.table(header, lines, left=len(header)) + "\n")
    sections += [_section(name, numbers) for name, numbers in results.items()]
    return writing.wrapped("\n".join(sections))


def _section(name, numbers):
    paper = PAPERS[name]
    sources = "\n\n".join(f"{s.name}; {s.place}. {s.checked}" for s in paper.SOURCES)
    seconds = f"`python benchmarks/papers --only {name}`, {numbers['seconds']:.0f} s of one core."
    return f"## {paper.TITLE}\n\n{sources}\n\n{paper.text(numbers)}\n\n{seconds}\n"


def write(page):
    """Write the `page`, a path, from the results beside it."""
    page.write_text(render(writing.load(page.with_suffix(".json"))))
