"""The page docs/uses/README.md, made of results.json and of each use's own words."""

import anomalies
import compressing
import denoising
import dimension_reduction
import generation
import kinds
import pretraining
import same_in_pytorch
import sparse_contractive
import writing

USES = {
    "dimension_reduction": dimension_reduction,
    "denoising": denoising,
    "sparse_contractive": sparse_contractive,
    "generation": generation,
    "anomalies": anomalies,
    "compressing": compressing,
    "pretraining": pretraining,
    "kinds": kinds,
    "same_in_pytorch": same_in_pytorch,
}

HEAD = """# What autoencoders are for, measured

Each section is one experiment of `benchmarks/uses/`, which also wrote this page: every number here
comes from `results.json`. `python benchmarks/uses --all` repeats all of it ({minutes:.0f} minutes,
on two cores shared with other work, when this page was made), `--only NAME` one section.
Baselines are fitted to the same
training pictures; where one wins, it says so. Faces are 32x32 and always split by person, so that
nobody in a test was seen in training, except where a section says otherwise.
"""


def keep(folder, name, results):
    """Put the results of one use into results.json, beside those of the others."""
    writing.keep(folder / "results.json", name, results, USES)


def render(results):
    """The whole page as Markdown."""
    minutes = sum(numbers["seconds"] for numbers in results.values()) / 60
    sections = [HEAD.format(minutes=max(minutes, 1))]
    for name, numbers in results.items():
        use = USES[name]
        seconds = f"`python benchmarks/uses --only {name}`, {numbers['seconds']:.0f} s."
        sections.append(f"## {use.TITLE}\n\n{use.text(numbers)}\n\n{seconds}\n")
    return writing.wrapped("\n".join(sections))


def write(folder):
    """Write README.md into `folder`, from the results there."""
    (folder / "README.md").write_text(render(writing.load(folder / "results.json")))
