"""train: a run of any model, or the rest of one."""

import contextlib
import platform
from pathlib import Path

import numpy as np

from ..datasets import NAMES
from ..datasets.tables import is_table
from ..runs import MODELS, Config, resume, start
from ..runs.checkpoints import SECONDS
from ..runs.dataset import source
from ..runs.records import read_config, read_metrics
from .config_file import read_settings


def train(options):
    """Train and write a run folder, or go on with one; returns 1 if the training diverged."""
    settings = {name: value for name, value in vars(options).items() if value is not None}
    settings.pop("verb")
    file = settings.pop("config", None)
    if "resume" in settings:
        if file is not None:
            raise ValueError("--resume has the settings of its run: leave --config out")
        every = settings.pop("checkpoint_every", SECONDS)
        return _resume(Path(settings.pop("resume")), settings, every)
    again = None
    if file is not None:
        from_file, recorded = read_settings(file)
        again = recorded if "data" not in settings else None  # the same images, or a sentence
        settings = {**from_file, **settings}
    if again is not None:
        _compare_versions(file, again)
    every = settings.pop("checkpoint_every", SECONDS)
    usual = "dense" if is_table(settings.get("data", "")) else "olivetti"
    model, output = settings.pop("model", usual), settings.pop("output", None)
    if "hidden" in settings:  # a list, as argparse and files have it
        settings["hidden"] = tuple(settings["hidden"])
    overwrite = settings.pop("overwrite", False)
    config = Config.of(model, **settings)
    _check_output(output or config.default_output(Path(config.data).resolve().stem), config.data)
    folder, metrics = start(config, output, overwrite=overwrite, every=every, again=again, say=tell)
    return _print(metrics, config.model, folder)


def _resume(folder, settings, every):
    """Go on with the run in `folder`; other `settings` than it was begun with are refused."""
    if not (folder / "config.json").is_file():
        raise ValueError(f"{folder} is no run to go on with, it has no config.json: train one")
    begun = {"output": str(folder), **read_config(folder / "config.json")}
    data, epochs = settings.pop("data", None), settings.pop("epochs", None)
    for name, value in settings.items():
        if begun.get(name) != value:
            raise ValueError(
                f"{folder} was not begun with --{name.replace('_', '-')} {value}: leave that out, "
                "the settings are those in its config.json"
            )
    metrics = resume(folder, epochs=epochs, data=data, every=every, say=tell)
    if metrics is None:
        done = read_metrics(folder)["epochs"]
        print(f"{folder} is finished, after {done} epochs: there is nothing left to do.")
        return 0
    return _print(metrics, begun["model"], folder)


def tell(text):
    """Print, if that is possible: a training is worth more than what it says."""
    with contextlib.suppress(OSError, ValueError):
        print(text)


def _compare_versions(file, recorded):
    """Say where the run of `file` had other versions, with which its numbers may be others."""
    here = {"python": platform.python_version(), "numpy": np.__version__}
    other = [f"{n} {recorded.get(n)}, here {v}" for n, v in here.items() if recorded.get(n) != v]
    if other:
        tell(f"The run of {file} had {' and '.join(other)}: the last digits may differ.")


def _print(metrics, model, output):
    """Say what came of a training; returns the exit status."""
    evaluation = metrics["evaluation"]
    kind, column, unit, digits = "reconstruction", "PSNR", " dB", ".1f"
    if kind not in evaluation:
        kind, column, unit, digits = "rows", "MSE", " squared standard deviations", ".3g"
    rows = {name: f"{row[column]:{digits}}" for name, row in evaluation[kind].items()}
    others = ", ".join(f"{name} {number}" for name, number in rows.items() if name != "model")
    print(f"{column} {rows['model']}{unit} ({others}).")
    if "final_loss_as_published" in metrics:
        epoch, loss = MODELS[model].published(0.0)[1][-1]
        print(
            f"Half the squared error of an image {metrics['final_l2_loss']:.3f} (as published: "
            f"{loss:.3f} after {epoch} epochs); counted as there, "
            f"{metrics['final_loss_as_published']:.4f}."
        )
    for sentence in metrics.get("diagnosis", []):
        print(f"{sentence[0].upper()}{sentence[1:]}.")
    print(f"{metrics['epochs']} epochs in {metrics['seconds']:.0f} s. Everything is in {output}/")
    if metrics["ended"] != "diverged":
        return 0
    print("It diverged, and these are the weights from before: use a smaller --learning-rate.")
    return 1


def _check_output(output, data):
    """The folder to write must not be where the data are."""
    here, given = Path(output).resolve(), Path(source(data)).resolve()
    if data not in NAMES and (here == given or here in given.parents):
        raise ValueError(f"the data are in {output}: give another --output")
