"""The report of a run, made of the files in its folder: numbers, figures and settings."""

import json
from pathlib import Path

from ..evaluation.comparison import TITLES
from .files import EXPLORER, as_json
from .html import Link, Picture, Section, Table, settings_table, write_report
from .records import read_config, read_metrics
from .verdict import verdict

FIGURES = {  # name (or how it begins) -> caption, and what is seen in words
    "reconstructions": (
        "What goes in, and what comes out.",
        "Rows of original images above their reconstructions.",
    ),
    "full_size": (
        "The same in the size of the data.",
        "A row of original images above their enlarged reconstructions.",
    ),
    "samples": (
        "New images, each above the training image that it resembles most.",
        "Rows of drawn images above their nearest training images.",
    ),
    "training_curve": (
        "Half the squared error of an image, epoch by epoch, beside what simple methods reach.",
        "A falling curve of the loss against the epochs, with horizontal lines for baselines.",
    ),
    "loss": (
        "The loss and its terms in the course of the training.",
        "Curves of the loss and each of its terms against the epochs.",
    ),
    "error_maps": (
        "Where the reconstructions are too bright or too dark.",
        "Original images, reconstructions, and their signed differences.",
    ),
    "codes": (
        "How the codes spread: all values, and each unit by itself.",
        "A histogram of code values, and the mean and deviation of each unit.",
    ),
    "scatter": (
        "The codes in two dimensions, by their label.",
        "A scatter plot of codes, one colour and marker for each label.",
    ),
    "filters": (
        "What the units of the first layer look for.",
        "The weights of the first layer as small images.",
    ),
    "interpolations": (
        "From the code of one image to the code of another.",
        "Rows of images that change step by step from one to another.",
    ),
    "manifold": (
        "What the decoder makes of a grid of codes.",
        "A square grid of images that change smoothly from each to the next.",
    ),
    "traversals": (
        "One unit of the code is moved, the others stay.",
        "Rows of images, in each of which one code unit takes different values.",
    ),
    "units": (
        "How much each unit of the code tells about the image.",
        "Bars of the divergence from the prior of each code unit.",
    ),
    "rate_distortion": (
        "Quality against size, in real bytes beside PCA and JPEG. The model is not counted.",
        "Curves of the PSNR against bits per pixel for the model, PCA and JPEG.",
    ),
}


def report(folder, title, metrics=None):
    """Write report.html into a run folder from its config.json, figures and `metrics`, a dict.

    Without `metrics` they are read from metrics.json, which a training writes after the report. The
    page that the command explore writes is linked to, where there is one.
    """
    folder = Path(folder)
    config = read_config(folder / "config.json")
    metrics = read_metrics(folder) if metrics is None else json.loads(as_json(metrics))
    sentences, found = verdict(metrics), metrics.pop("diagnosis", None) or []
    evaluation = metrics.pop("evaluation", {})
    metrics.pop("evaluation_of_other_data", None)
    split = config.pop("split", None)
    everything = "rows" if config.get("columns") else "images"
    how = f"Held out: {split['how']}." if split else f"The model was trained on all {everything}."
    results = [_results(TITLES.get(name, name), rows, "model") for name, rows in evaluation.items()]
    first, *others = [*pictures(folder)] or [None]
    came = {name: _rounded(value) for name, value in metrics.items()}
    explorer = Link("Explore the codes: a map of them, and a decoder to play with", EXPLORER)
    sections = [
        Section("Verdict", (" ".join(sentences), *filter(None, [first]))),
        Section("Results", (how, *results)),
        Section("Figures", (*([explorer] if (folder / EXPLORER).is_file() else []), *others)),
        Section("Training", (*_sentences(found), settings_table(came, "What came of it"))),
        Section("Settings", (settings_table({k: v for k, v in config.items() if v is not None}),)),
    ]
    summary = "Written by python -m autoencoder; config.json repeats the run."
    return write_report(folder, title=title, sections=sections, summary=summary)


def _rounded(value):
    """Numbers with the digits that mean something."""
    return float(f"{value:.5g}") if isinstance(value, float) else value


def _sentences(found):
    """What the diagnosis found, each sentence as a paragraph."""
    return [f"{sentence[0].upper()}{sentence[1:]}." for sentence in found]


def _results(caption, rows, ours):
    return Table(caption, rows, ours if ours in rows else None)


def pictures(folder):
    """The figures of a run in the order of `FIGURES`."""
    paths = sorted((folder / "figures").glob("*.png"))
    for name, (caption, alt) in FIGURES.items():
        for path in paths:
            if path.stem == name or path.stem.startswith(f"{name}_"):
                yield Picture(path.relative_to(folder), caption, alt)
