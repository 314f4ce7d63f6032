"""train: the reference model, or an estimator with the parts that the options name."""

import json
from pathlib import Path

from ..runs import old_run as run
from ..runs import train as experiment
from ..runs.checkpoints import NAME, SECONDS
from ..runs.dataset import NAMES, source
from ..runs.files import LEFTOVER
from ..runs.run import read_config
from ..runs.train import Experiment

REFERENCE_ONLY = ("restarts",)
ESTIMATORS_ONLY = (
    "hidden", "convolutional", "likelihood", "beta", "penalty_weight", "validation_fraction",
    "patience", "test_fraction",
)  # fmt: skip


def train(options):
    """Train and write a run folder, or go on with one."""
    settings = {name: value for name, value in vars(options).items() if value is not None}
    settings.pop("verb")
    every = settings.pop("checkpoint_every", SECONDS)
    if "resume" in settings:
        _resume(Path(settings.pop("resume")), settings, every)
        return
    model, output = settings.pop("model", "olivetti"), settings.pop("output", None)
    foreign = ESTIMATORS_ONLY if model == "olivetti" else REFERENCE_ONLY
    for name in foreign:
        if name in settings:
            raise ValueError(f"--model {model} has no --{name.replace('_', '-')}")
    if "hidden" in settings:
        settings["hidden"] = tuple(settings["hidden"])
    if model == "olivetti":
        reference = run.Config(**settings)
        output = _check_output(output or "runs/olivetti", reference.data)
        metrics = run.run(reference, output, every=every)
    else:
        described = Experiment.of(model, **settings)
        data = described.data
        name = data if data in NAMES else Path(data).resolve().stem
        output = _check_output(output or f"runs/{model}-{name}", data)
        metrics = experiment.run(described, output, every=every)
    _print(metrics, output)


def _resume(folder, settings, every):
    """Go on with the run in `folder`; other `settings` than it was begun with are refused."""
    if not (folder / "config.json").is_file():
        raise ValueError(f"{folder} is no run to go on with, it has no config.json: train one")
    config = read_config(folder / "config.json")
    data, epochs = settings.pop("data", None), settings.pop("epochs", config.get("epochs"))
    begun = {"model": "olivetti", "output": str(folder), **config}
    for name, value in settings.items():
        if begun.get(name) != value:
            raise ValueError(
                f"{folder} was not begun with --{name.replace('_', '-')} {value}: leave that out, "
                "the settings are those in its config.json"
            )
    done, ended = _state(folder)
    whole = ended == "early" or (ended == "all epochs" and done == epochs)
    if whole and epochs == config["epochs"]:
        print(f"{folder} is finished, after {done} epochs: there is nothing left to do.")
        return
    if ended == "early":
        raise ValueError(
            f"{folder} ended early, after {done} epochs: its patience ran out or it diverged, and "
            "with more epochs it would do the same"
        )
    if not (folder / NAME).is_file() and (folder / "model.npz").is_file():
        raise ValueError(f"{folder} has no {NAME} to go on from: train it again")
    resume = run.resume if begun["model"] == "olivetti" else experiment.resume
    metrics = resume(folder, {**config, "epochs": epochs}, data=data, every=every)
    _print(metrics, folder)


def _state(folder):
    """How many epochs a run was trained for and how it ended, (0, None) if it has not."""
    try:
        metrics = json.loads((folder / "metrics.json").read_text())
        return metrics["epochs"], metrics.get("ended", "all epochs")
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return 0, None


def _print(metrics, output):
    if "evaluation" in metrics:
        rows = metrics["evaluation"]["reconstruction"]
        others = [f"{name} {row['PSNR']:.1f}" for name, row in rows.items() if name != "model"]
        quality = f"PSNR {rows['model']['PSNR']:.1f} dB on the images held out"
        quality += f" ({', '.join(others)})"
    else:
        loss, psnr = metrics["loss_all_images"], metrics["psnr_db"]
        quality = f"Loss per image {loss:.4f}, PSNR {psnr:.1f} dB"
    print(
        f"{quality}, {metrics['epochs']} epochs in {metrics['seconds']:.0f} s. "
        f"Everything is in {output}/"
    )


def _check_output(output, data):
    """The folder to write, which must be new, empty or an earlier run, and not hold the data."""
    output = Path(output)
    here, given = output.resolve(), Path(source(data)).resolve()
    if data not in NAMES and (here == given or here in given.parents):
        raise ValueError(f"the data are in {output}: give another --output")
    found = {path.name for path in output.iterdir()} if output.is_dir() else {"config.json"}
    if "config.json" not in found and not all(map(LEFTOVER.fullmatch, found)):
        raise FileExistsError(f"{output} holds something else than a run: give another --output")
    return output
