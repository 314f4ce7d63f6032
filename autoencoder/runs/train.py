"""Training an estimator, from the data to a folder with everything that came of it.

The folder has the form of the reference model's (`run`): ``config.json`` (how to repeat it, and
which images were held out), ``history.csv``, ``model.npz``, ``metrics.json`` (beside the baselines,
on the images held out), ``figures/`` and ``report.html``. What a model is called and what it is
made of unless somebody says otherwise is in `MODELS`.
"""

import platform
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

import autoencoder

from .. import persistence
from . import dataset as examples
from . import figures
from .checkpoints import SECONDS, Checkpoints, understood
from ..parts.code import GaussianCode
from ..datasets.loaders import load
from ..estimator import Autoencoder
from ..evaluation.evaluate import evaluate
from ..parts.likelihood import GaussianLikelihood
from ..parts.noise import GaussianNoise
from ..parts.penalty import ContractivePenalty, KLSparsity
from .report import report
from .files import begin, reopen, write_history, write_json
from .run import Run, open_run
from .stopping import interruptible

CLASSES = {
    "dense": "Autoencoder",
    "conv": "Autoencoder",
    "denoising": "DenoisingAutoencoder",
    "sparse": "SparseAutoencoder",
    "contractive": "ContractiveAutoencoder",
    "vae": "VariationalAutoencoder",
}
MODELS = {  # what differs from the defaults of `Experiment`
    "dense": {},
    "conv": {"hidden": (16, 32), "epochs": 20, "convolutional": True},
    "denoising": {"hidden": (256,), "noise": "gaussian"},
    "sparse": {"code_length": 128},
    "contractive": {},
    "vae": {"code_length": 16, "hidden": (256,)},
}
LIKELIHOODS = {
    "gaussian": "gaussian",
    "optimal_gaussian": GaussianLikelihood(variance="optimal"),
    "bernoulli": "bernoulli",
    "continuous_bernoulli": "continuous_bernoulli",
}
PROBED = 2000  # images for linear probe and kNN, so that measuring takes seconds
WEIGHTED = {"sparse": KLSparsity, "contractive": ContractivePenalty}


@dataclass(frozen=True)
class Experiment:
    """The settings of a run; None means what the part itself has.

    >>> Experiment.of("vae", epochs=5).code_length
    16
    """

    model: str = "dense"
    data: str = "mnist"
    code_length: int = 64
    hidden: tuple = ()
    convolutional: bool = False  # `hidden` are then channels
    epochs: int = 50
    batch_size: int = 256
    learning_rate: float = 0.001
    likelihood: str = "bernoulli"
    noise: str = "none"
    noise_std: float | None = None
    beta: float | None = None
    penalty_weight: float | None = None
    patience: int | None = None
    validation_fraction: float = 0.0
    test_fraction: float | None = None
    image_size: int | None = None
    seed: int = 0
    device: str = "cpu"

    @classmethod
    def of(cls, model, **settings):
        """The usual settings of `model`, with other `settings`."""
        return cls(model, **{**MODELS[model], **settings})

    def __post_init__(self):
        if self.noise_std is not None and self.noise != "gaussian":
            raise ValueError("--noise-std belongs to --noise gaussian")
        if self.noise_std is not None and not self.noise_std > 0:
            raise ValueError(f"noise_std must be above 0, got {self.noise_std}")
        if self.model == "denoising" and self.noise == "none":
            raise ValueError("--model denoising without noise is --model dense")
        if self.beta is not None and self.model != "vae":
            raise ValueError("--beta belongs to --model vae")
        if self.penalty_weight is not None and self.model not in WEIGHTED:
            raise ValueError(f"--penalty-weight belongs to --model {' or '.join(WEIGHTED)}")
        for name in ("epochs", "batch_size", "code_length", "learning_rate", "image_size"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError(f"{name} must be above 0, got {value}")
        for name in ("beta", "penalty_weight"):
            value = getattr(self, name)
            if value is not None and not value >= 0:
                raise ValueError(f"{name} must be 0 or more, got {value}")
        if self.seed < 0:
            raise ValueError(f"seed must be 0 or more, got {self.seed}")
        if self.convolutional and not self.hidden:
            raise ValueError("a convolutional network needs --hidden, the channels of its layers")

    def estimator(self, image_shape):
        """The estimator that the settings describe, for images (H, W, C)."""
        parts = {"noise": None if self.noise == "none" else self.noise}
        if self.noise_std is not None:
            parts["noise"] = GaussianNoise(self.noise_std)
        if self.beta is not None:
            parts["code"] = GaussianCode(self.beta)
        if self.penalty_weight is not None:
            parts["penalty"] = WEIGHTED[self.model](weight=self.penalty_weight)
        return getattr(autoencoder, CLASSES[self.model])(
            self.code_length,
            hidden=tuple(self.hidden),
            image_shape=image_shape if self.convolutional else None,
            likelihood=LIKELIHOODS[self.likelihood],
            learning_rate=self.learning_rate,
            batch_size=self.batch_size,
            max_epochs=self.epochs,
            validation_fraction=self.validation_fraction,
            patience=self.patience,
            device=self.device,
            random_state=self.seed,
            **parts,
        )


def run(experiment, output, *, every=SECONDS, progress=True, say=print):
    """Train as `experiment` says and write the run folder `output`; returns the metrics (a dict).

    Ctrl-C ends the training after the current epoch; everything is still written. `every` is how
    often there is a checkpoint, see `Checkpoints`. Data and settings that do not go together raise
    ValueError before anything is written.
    """
    data = load(experiment.data, say=say)
    image_shape = data.images.shape[1:]
    if experiment.image_size is not None:
        image_shape = (experiment.image_size, experiment.image_size, image_shape[2])
    split = examples.hold_out(
        data, experiment.test_fraction, np.random.default_rng(experiment.seed)
    )
    material = examples.part(data, split, image_shape, experiment.image_size is not None)
    X, _ = material.rows
    model = experiment.estimator(image_shape)
    model.set_params(max_epochs=0).fit(X[:2])  # what cannot be built is refused before writing
    config = {
        **asdict(replace(experiment, data=examples.source(experiment.data))),
        "data_used": data.name,
        "data_crc32": examples.checksum(data),
        "image_shape": list(image_shape),
        "split": split,
        "python": platform.python_version(),
        "numpy": np.__version__,
    }
    checkpoints = Checkpoints(output, config, every)
    begin(Path(output), config, figures.FIGURES)
    model = experiment.estimator(image_shape)
    return _train(experiment, model, material, checkpoints, progress, say)


def resume(folder, config, *, data=None, every=SECONDS, progress=True, say=print):
    """Go on with the run in `folder` from its last checkpoint, to the end that its settings name.

    `config` is what its config.json holds, maybe with other ``"epochs"``, and `data` where the same
    images are now. What comes of it is what an uninterrupted run of so many epochs would have
    written, to the last bit.
    """
    with understood(folder):
        settings = {name: config[name] for name in Experiment.__dataclass_fields__}
        experiment = Experiment(**settings | {"hidden": tuple(config["hidden"])})
        split, image_shape = dict(config["split"]), tuple(config["image_shape"])
    original = examples.original(config, data)
    material = examples.part(original, split, image_shape, experiment.image_size is not None)
    checkpoints = Checkpoints(folder, config, every)

    def restored(arrays, about):
        kind = getattr(autoencoder, CLASSES[experiment.model])
        model = persistence.restore(
            checkpoints.path, arrays, about, kind, Autoencoder, experiment.device
        )
        model._training.plan.goal = experiment.epochs
        return model.set_params(max_epochs=experiment.epochs)

    model = checkpoints.restore(restored)
    checkpoints.go_on(config, model.n_iter_ if model else 0, say)
    if model is None:
        model = experiment.estimator(image_shape)
    return _train(experiment, model, material, checkpoints, progress, say)


def _train(experiment, model, material, checkpoints, progress, say):
    X, _ = material.rows
    say(
        f"{X.shape[1]} pixels, {experiment.code_length} code units; {len(X)} images to "
        f"train on, {len(material.test)} held out ({material.how})."
    )
    with interruptible() as interrupted:

        def after_epoch(model, record):
            last = bool(interrupted) or model._training.is_over(experiment.patience)
            checkpoints.offer(lambda: persistence.contents(model), must=last)
            return bool(interrupted)

        model.set_params(callbacks=after_epoch, verbose=int(progress), warm_start=True).fit(X)
    model.set_params(callbacks=None, verbose=0, warm_start=False)
    ended = "all epochs" if model.n_iter_ == experiment.epochs else "early"
    if ended == "early" and interrupted:
        ended = "interrupted"
        say(f"Stopped after {model.n_iter_} of {experiment.epochs} epochs; writing what there is.")
    with checkpoints.explained():
        return _write(model, material, ended, checkpoints, say)


def _write(model, material, ended, checkpoints, say):
    """Write what came of a training into its folder, metrics.json last; returns the metrics."""
    output, seconds = checkpoints.folder, checkpoints.seconds
    reopen(output)
    model.save(output / "model.npz")
    write_history(output / "history.csv", model.history_)

    say("Measuring the model and its baselines, and drawing the figures.")
    finished = open_run(output)
    metrics = {
        "data": finished.data_name,
        "epochs": model.n_iter_,
        "ended": ended,
        "best_epoch": model.best_epoch_,
        "seconds": round(seconds, 1),
        "final_loss": model.history_["loss"][-1] if model.history_["loss"] else None,
        "parameters": sum(p.size for p in model.network_.parameters()),
        "evaluation": assess(finished, material),
    }
    figures.draw(finished, material)
    report(output, finished.title, metrics)
    write_json(output / "metrics.json", metrics)
    return metrics


def assess(finished: Run, material):
    """The numbers of `evaluate` for a run and its `Examples`, labels where they are of use."""
    labels = material.labels
    if labels is not None:
        known = np.isin(labels[1], labels[0]).all()
        counts = np.unique(labels[1], return_counts=True)[1]
        enough = known or (len(counts) > 1 and counts.min() > 1)
        if len(np.unique(labels[0])) < 2 or not enough:
            labels = None
    shape = finished.image_shape if min(finished.image_shape[:2]) >= 3 else None  # SSIM's least
    return evaluate(
        finished.model, *material.rows, image_shape=shape, labels=labels, max_probe=PROBED
    )
