"""train: a run of any model, or the rest of one."""

import json
from pathlib import Path

from ..datasets import NAMES
from ..runs import MODELS, Config, resume, start
from ..runs.checkpoints import NAME, SECONDS
from ..runs.dataset import source
from ..runs.files import LEFTOVER
from ..runs.run import read_config


def train(options):
    """Train and write a run folder, or go on with one."""
    settings = {name: value for name, value in vars(options).items() if value is not None}
    settings.pop("verb")
    every = settings.pop("checkpoint_every", SECONDS)
    if "resume" in settings:
        _resume(Path(settings.pop("resume")), settings, every)
        return
    model, output = settings.pop("model", "olivetti"), settings.pop("output", None)
    if "hidden" in settings:
        settings["hidden"] = tuple(settings["hidden"])
    config = Config.of(model, **settings)
    output = output or config.default_output(Path(config.data).resolve().stem)
    output = _check_output(output, config.data)
    _print(start(config, output, every=every), config.model, output)


def _resume(folder, settings, every):
    """Go on with the run in `folder`; other `settings` than it was begun with are refused."""
    if not (folder / "config.json").is_file():
        raise ValueError(f"{folder} is no run to go on with, it has no config.json: train one")
    config = read_config(folder / "config.json")
    data, epochs = settings.pop("data", None), settings.pop("epochs", config.get("epochs"))
    begun = {"output": str(folder), **config}
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
    metrics = resume(folder, {**config, "epochs": epochs}, data=data, every=every)
    _print(metrics, config["model"], folder)


def _state(folder):
    """How many epochs a run was trained for and how it ended, (0, None) if it has not."""
    try:
        metrics = json.loads((folder / "metrics.json").read_text())
        return metrics["epochs"], metrics.get("ended", "all epochs")
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return 0, None


def _print(metrics, model, output):
    rows = metrics["evaluation"]["reconstruction"]
    others = [f"{name} {row['PSNR']:.1f}" for name, row in rows.items() if name != "model"]
    print(f"PSNR {rows['model']['PSNR']:.1f} dB ({', '.join(others)}).")
    if "final_loss_as_published" in metrics:
        epoch, loss = MODELS[model].published(0.0)[1][-1]
        print(
            f"Half the squared error of an image {metrics['final_l2_loss']:.3f} (as published: "
            f"{loss:.3f} after {epoch} epochs); counted as there, "
            f"{metrics['final_loss_as_published']:.4f}."
        )
    print(f"{metrics['epochs']} epochs in {metrics['seconds']:.0f} s. Everything is in {output}/")


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
