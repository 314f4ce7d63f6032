"""explore: a page on which to explore the codes of a model in a browser."""

from pathlib import Path

import numpy as np

from .. import datasets
from ..datasets.tables import is_table
from ..detector import AutoencoderAnomalyDetector, load
from ..explore import BUDGET, write_explorer
from ..runs import open_run
from ..runs.files import EXPLORER, own
from ..runs.report import report
from . import files


def explore(options):
    """Write the page for a run, or for a saved model and data."""
    path = Path(options.run)
    if path.is_file():
        output = _output(options, path.parent / EXPLORER)
        _write(options, output, **_of_model(path, options))
        return
    if options.table:
        raise ValueError("--table goes with a model.npz: a run knows whether its data are a table")
    with files.writes_into(path):
        run = open_run(path)
        output = _output(options, run.folder / EXPLORER)
        ours = output.absolute() == (run.folder / EXPLORER).absolute()
        _write(options, own(output) if ours else output, **_of_run(run, options))
        if ours and (run.folder / "report.html").is_file():
            with files.written(run.folder / "report.html"):
                report(run.folder, run.title)
            print(f"{run.folder / 'report.html'} links to it.")


def _output(options, usual):
    """The file to write, which is none that is read."""
    given = [] if options.data in (None, *datasets.NAMES) else [options.data]
    return files.check_output(options.output or usual, (".html",), *given)


def _write(options, output, estimator, X, **about):
    with files.written(output):
        write_explorer(
            output,
            estimator,
            X,
            **about,
            budget=BUDGET if options.budget is None else options.budget,
            seed=options.seed,
            weights=options.weights,
        )
    size = output.stat().st_size
    print(f"{output}: {size / 1000:,.0f} kB, opens in any browser, without a network.")


def _of_run(run, options):
    samples = run.samples(options.data)
    seen = samples.test is samples.train
    if run.is_table:
        return _of_table(run, samples)
    which = f"{samples.name}: {'images' if seen else 'test images'} ({samples.how})."
    return {
        "estimator": run.estimator,
        "X": samples.rows[1],
        "y": None if samples.labels is None else samples.labels[1],
        "title": run.title,
        "image_shape": run.image_shape,
        "names": None if seen or options.data else _names(run.config["split"]),
        "which": which,
    }


def _of_table(run, samples):
    X = samples.rows[1]
    whole = ~np.isnan(X).any(axis=1)  # the page shows all numbers of a row
    return {
        "estimator": run.estimator,
        "X": X[whole],
        "y": None if samples.labels is None else samples.labels[1][whole],
        "title": run.title,
        "which": f"{samples.name}: {whole.sum()} rows without missing numbers ({samples.how}).",
    }


def _names(split):
    """What to call the test images, which are in the order of the data: files, or their numbers."""
    names = split.get("files") or [f"image {k}" for k in split["test"]]
    return [names[k] for k in np.argsort(split["test"])]


def _of_model(path, options):
    model = load(path)
    if isinstance(model, AutoencoderAnomalyDetector):
        model = model.autoencoder_
    if options.data is None:
        raise ValueError(
            f"{path} is a model without its data: name the images to show with --data, or give the "
            "folder of a run"
        )
    about = {"estimator": model, "title": f"{type(model).__name__}, {path.name}"}
    if options.table:
        X, y = _table(options.data)
        return {**about, "X": X, "y": y, "which": f"The rows of {options.data}."}
    if is_table(options.data) and Path(options.data).is_file():
        raise ValueError(
            f"{options.data} is a table, whose columns {path} does not know by their names: give "
            "the folder of the run, or --table and an .npz of rows in the model's order of columns"
        )
    data = datasets.load(options.data, fall_back=False)
    shared = len(np.unique(data.labels)) < len(data.labels)  # else each has a number of its own
    if data.images[0].size != model.n_features_in_:
        raise ValueError(
            f"the images of {options.data} have {data.images[0].size} numbers each, the model in "
            f"{path} reads {model.n_features_in_}: give images of the size that it was trained on, "
            "or --table for rows of a table"
        )
    return {
        **about,
        "X": data.images.reshape(len(data.images), -1),
        "y": data.labels if shared or model._sizes.n_labels else None,
        "image_shape": data.images.shape[1:],
        "names": data.names,
        "which": f"The {len(data.images)} images of {data.name}.",
    }


def _table(path):
    """Rows (N, D) and their labels or None, from "X" and "y" of an .npz, or from an .npy."""
    path, y = Path(path), None
    if is_table(path) and path.is_file():
        raise ValueError(f"{path} is a table with names: give the folder of the run, or an .npz")
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    try:
        with open(path, "rb") as file:
            X = np.load(file, allow_pickle=False)
            if not isinstance(X, np.ndarray):
                y = X["y"] if "y" in X.files else None
                X = X["X" if "X" in X.files or len(X.files) != 1 else X.files[0]]
    except Exception as error:  # a damaged file can raise nearly anything
        raise ValueError(
            f'{path} holds no table: give an .npy, or an .npz with "X" and perhaps "y"'
        ) from error
    if X.ndim != 2 or X.dtype.kind not in "fiu" or (y is not None and y.shape != X.shape[:1]):
        raise ValueError(
            f"{path} holds no table: X must be numbers (N, D) and y one label for each row, got "
            f"{X.dtype} of shape {X.shape}" + ("" if y is None else f" and labels {y.shape}")
        )
    return X.astype(np.float64 if X.dtype == np.float64 else np.float32), y
