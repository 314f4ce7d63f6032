"""train: the reference model, or an estimator with the parts that the options name."""

from pathlib import Path

from .. import run
from ..examples import NAMES, source
from ..experiment import Experiment
from ..experiment import run as run_experiment

REFERENCE_ONLY = ("restarts",)
ESTIMATORS_ONLY = (
    "hidden", "convolutional", "likelihood", "beta", "penalty_weight", "validation_fraction",
    "patience", "test_fraction",
)  # fmt: skip


def train(options):
    """Train and write a run folder."""
    settings = {name: value for name, value in vars(options).items() if value is not None}
    model, output = settings.pop("model"), settings.pop("output", None)
    settings.pop("verb")
    foreign = ESTIMATORS_ONLY if model == "olivetti" else REFERENCE_ONLY
    for name in foreign:
        if name in settings:
            raise ValueError(f"--model {model} has no --{name.replace('_', '-')}")
    if "hidden" in settings:
        settings["hidden"] = tuple(settings["hidden"])
    if model == "olivetti":
        reference = run.Config(**settings)
        output = _check_output(output or "runs/olivetti", reference.data)
        metrics = run.run(reference, output)
        print(
            f"Loss per image {metrics['loss_all_images']:.4f}, PSNR {metrics['psnr_db']:.1f} dB, "
            f"{metrics['epochs']} epochs in {metrics['seconds']:.0f} s. "
            f"Everything is in {output}/"
        )
        return
    experiment = Experiment.of(model, **settings)
    name = experiment.data if experiment.data in NAMES else Path(experiment.data).resolve().stem
    output = _check_output(output or f"runs/{model}-{name}", experiment.data)
    metrics = run_experiment(experiment, output)
    rows = metrics["evaluation"]["reconstruction"]
    beside = ", ".join(f"{name} {row['PSNR']:.1f}" for name, row in rows.items() if name != "model")
    print(
        f"PSNR {rows['model']['PSNR']:.1f} dB on the images held out ({beside}), "
        f"{metrics['epochs']} epochs in {metrics['seconds']:.0f} s. Everything is in {output}/"
    )


def _check_output(output, data):
    """The folder to write, which must be new, empty or an earlier run, and not hold the data."""
    output = Path(output)
    here, given = output.resolve(), Path(source(data)).resolve()
    if data not in NAMES and (here == given or here in given.parents):
        raise ValueError(f"the data are in {output}: give another --output")
    if output.is_dir() and any(output.iterdir()) and not (output / "config.json").is_file():
        raise FileExistsError(f"{output} holds something else than a run: give another --output")
    return output
