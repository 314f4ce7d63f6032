"""evaluate, plot, info and data: what a model is worth, and what there is."""

import json
import textwrap
from pathlib import Path

import numpy as np

from minigrad import checkpoint

from .. import datasets
from ..codec import parameter_bytes
from ..evaluation import table
from ..runs import figures, open_run
from ..runs.config import size_of
from ..runs.files import write_json
from ..runs.records import read_metrics
from ..runs.report import report
from ..runs.train import assess
from . import files

ABOUT = {
    "olivetti": "400 photographs of 40 people, 64x64 grey; downloaded once by scikit-learn",
    "faces": "400 drawings of 40 invented people, 64x64 grey; made by this program",
    "digits": "1797 handwritten digits, 8x8 grey; inside scikit-learn",
    "mnist": "70000 handwritten digits, 28x28 grey; downloaded once (11 MB)",
}


def evaluate(options):
    """Print the numbers of a run beside the baselines', and keep them in its metrics.json."""
    with files.writes_into(options.run):
        run = open_run(options.run, device=options.device)
        metrics = read_metrics(run.folder)
        samples = run.samples(options.data)
        results = assess(run, samples, progress=True)
        print(f"{run.title}; test: {samples.how}.\n\n{table(results)}")
        if options.data is None:
            metrics["evaluation"] = results
        else:
            metrics.setdefault("evaluation_of_other_data", {})[options.data] = results
        with files.written(run.folder):
            write_json(run.folder / "metrics.json", metrics)


def plot(options):
    """Draw figures and report."""
    with files.writes_into(options.run):
        run = open_run(options.run, device=options.device)
        samples = run.samples(options.data)
        with files.written(run.folder):
            paths = figures.draw(run, samples, options.only, progress=True)
            paths.append(report(run.folder, run.title))
        print("\n".join(map(str, paths)))


def info(options):
    """Print what a run folder or a model file is."""
    path = Path(options.path)
    if path.is_file():
        print(_about_file(path))
        return
    run = open_run(path)
    config = {n: v for n, v in run.config.items() if v is not None}
    split = config.pop("split", None)
    network = run.estimator.network_
    print(run.title)
    what = f"images {run.image_shape}"
    if run.is_table:
        what = f"rows of {', '.join(config.pop('columns'))}"
    print(textwrap.fill(f"{what}, {run.n_components} code units", 100, initial_indent="  "))
    print(f"  parameters {parameter_bytes(run.estimator):,} bytes")
    print(f"  held out for the test: {split['how'] if split else 'nothing'}")
    settings = ", ".join(f"{name} {value}" for name, value in config.items())
    print(textwrap.fill(settings, 100, initial_indent="  ", subsequent_indent="  "))
    found = read_metrics(run.folder).get("evaluation", {})
    rows = found.get("reconstruction") or found.get("rows", {})
    for name, row in rows.items():
        numbers = (f"{c} {v:.5g}" for c, v in row.items() if v is not None)
        print(f"  {name}: {', '.join(numbers)}")
    print(network)


def _print_columns(table):
    rows, width = table.images[:, 0, :, 0], max(map(len, table.columns))  # (N, D)
    for name, column in zip(table.columns, rows.T, strict=True):
        known = column[~np.isnan(column)]
        values = "no number at all"
        if len(known):
            values = f"{known.min():.4g} to {known.max():.4g}, mean {known.mean():.4g}"
        missing = len(column) - len(known)
        print(f"  {name.ljust(width)}  {values}{f', {missing} missing' if missing else ''}")


def _about_file(path):
    arrays, about = checkpoint.load(path)
    about = about if isinstance(about, dict) else {}
    size = sum(array.nbytes for array in arrays.values())
    kind = about.get("estimator") or about.get("kind") or "weights"
    lines = [f"{path}: {kind}, {len(arrays)} arrays of {size:,} bytes"]
    for name in ("params", "config"):
        given = {n: v for n, v in about.get(name, {}).items() if v is not None}
        lines += [f"  {n}: {json.dumps(v)}" for n, v in given.items()]
    weights = {name: a for name, a in arrays.items() if not name.startswith("optimizer/")}
    lines += [f"  {name} {a.shape} {a.dtype}" for name, a in weights.items()]
    return "\n".join(lines)


def data(options):
    """Print what data sets there are, or describe one."""
    if options.name == "list":
        width = max(map(len, datasets.NAMES))
        print("\n".join(f"{name.ljust(width)}  {ABOUT[name]}" for name in datasets.NAMES))
        print("Your own: an .npz or .npy file, a folder of images, or a table (.csv, .parquet).")
        return
    how = {"size": size_of(options.size), "label": options.label}
    found = datasets.load(options.name, fall_back=False, **how)
    count, height, width, channels = found.images.shape
    labels = len(np.unique(found.labels))
    print(f"{found.name}: {found.description}")
    if found.columns is not None:
        _print_columns(found)
        return
    print(f"  {count} images, {width}x{height}, {'grey' if channels == 1 else 'in colour'}")
    print(f"  values {found.images.min():.3g} to {found.images.max():.3g}, ", end="")
    print(f"mean {found.images.mean():.3g}")
    print(f"  {labels} labels" if labels < count else "  no labels")
