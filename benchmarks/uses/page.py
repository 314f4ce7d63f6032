"""The page docs/uses/README.md, made of results.json and of each use's own words."""

import json
import textwrap

import anomalies
import compressing
import denoising
import dimension_reduction
import generation
import pretraining
import sparse_contractive

USES = {
    "dimension_reduction": dimension_reduction,
    "denoising": denoising,
    "sparse_contractive": sparse_contractive,
    "generation": generation,
    "anomalies": anomalies,
    "compressing": compressing,
    "pretraining": pretraining,
}

HEAD = """# What autoencoders are for, measured

Each section is one experiment of `benchmarks/uses/`, which also wrote this page: every number here
comes from `results.json`. `python benchmarks/uses --all` repeats all of it ({minutes:.0f} minutes,
on two cores shared with other work, when this page was made), `--only NAME` one section.
Baselines are fitted to the same
training pictures; where one wins, it says so. Faces are 32x32 and always split by person, so that
nobody in a test was seen in training, except where a section says otherwise.
"""


def load(folder):
    """The results so far: name of the use -> numbers."""
    path = folder / "results.json"
    return json.loads(path.read_text()) if path.exists() else {}


def keep(folder, name, results):
    """Put the results of one use into results.json, beside those of the others."""
    every = {**load(folder), name: results}
    ordered = {use: every[use] for use in USES if use in every}
    (folder / "results.json").write_text(json.dumps(ordered, indent=1) + "\n")


def render(results):
    """The whole page as Markdown."""
    minutes = sum(numbers["seconds"] for numbers in results.values()) / 60
    sections = [HEAD.format(minutes=max(minutes, 1))]
    for name, numbers in results.items():
        use = USES[name]
        seconds = f"`python benchmarks/uses --only {name}`, {numbers['seconds']:.0f} s."
        sections.append(f"## {use.TITLE}\n\n{use.text(numbers)}\n\n{seconds}\n")
    return _wrapped("\n".join(sections))


def _wrapped(text):
    """Paragraphs broken at 100 letters, whatever the lengths of the numbers in them."""
    blocks = text.split("\n\n")
    return "\n\n".join(b if b[:1] in "|#!" else _paragraph(b) for b in blocks)


def _paragraph(block):
    end = "\n" if block.endswith("\n") else ""
    return textwrap.fill(" ".join(block.split()), 100, break_on_hyphens=False) + end


def write(folder):
    """Write README.md into `folder`, from the results there."""
    (folder / "README.md").write_text(render(load(folder)))
