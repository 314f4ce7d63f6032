"""A finished run, opened again: one interface for the reference model and for the estimators.

`open_run` reads the folder that a training wrote (`config.json`, `model.npz`, `history.csv`) and
says in one sentence what is wrong with a folder that is something else, or damaged.
"""

import csv
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import autoencoder
from minigrad import checkpoint

from . import dataset as examples
from ..parts.noise import GaussianNoise
from ..reference import ReferenceModel

FILES = ("config.json", "model.npz")


@dataclass(frozen=True, eq=False)
class Run:
    """A trained model with its settings.

    `model` works on flat rows (N, D): ``transform inverse_transform reconstruct score_samples
    sample``; the methods here on images (N, H, W, C) of values in [0, 1].
    """

    folder: Path
    config: dict
    model: object
    image_shape: tuple

    @property
    def kind(self):
        """The name of the model: "olivetti" for the reference model, "dense", "vae", ..."""
        return self.config.get("model", "olivetti")

    @property
    def data_name(self):
        """The name of the data that it was really trained on."""
        return self.config["data_used"]

    @property
    def is_variational(self):
        """Whether its codes have a distribution and a prior."""
        return hasattr(self.model, "elbo")

    @property
    def code_length(self):
        """How many numbers describe an image."""
        model = self.model
        return model.code_length if self.kind == "olivetti" else len(model.code_mean_)

    @property
    def title(self):
        """The model and its data in a few words, for figures."""
        kind = "deep convolutional" if self.kind == "olivetti" else self.kind
        if self.kind == "olivetti" and self.model.noise is not None:
            kind = "denoising " + kind
        kind = "Variational autoencoder" if kind == "vae" else f"{kind.capitalize()} autoencoder"
        return f"{kind}, {self.data_name}, {self.epochs} epochs"

    @property
    def epochs(self):
        """How many epochs it was trained for."""
        return len(self.history()["epoch"])

    def history(self):
        """The rows of history.csv as a dict of lists of numbers, among them "epoch" and "loss"."""
        path = self.folder / "history.csv"
        try:
            with open(path, newline="") as file:
                header, *rows = csv.reader(file)
            columns = {name: [float(row[k]) for row in rows] for k, name in enumerate(header)}
            columns["epoch"] = [int(epoch) for epoch in columns["epoch"]]
        except (OSError, ValueError, KeyError, IndexError) as error:
            raise ValueError(f"{path} is missing or damaged ({error}): train again") from None
        if "loss_per_sample" in columns:  # the reference model's
            columns = {"epoch": columns["epoch"], "loss": columns["loss_per_sample"]}
        return columns

    def rows(self, images, name="the input"):
        """Images as rows for the model: (N, H, W, C) -> (N, D) float32, made smaller if need be."""
        shrinks = self.config.get("image_size") is not None
        images = examples.fit_size(images, self.image_shape, name, shrinks)
        return np.ascontiguousarray(images, np.float32).reshape(len(images), -1)

    def images(self, rows):
        """Rows as images limited to [0, 1]: (N, D) -> (N, H, W, C)."""
        return np.clip(rows, 0, 1).reshape(len(rows), *self.image_shape)

    def encode(self, images):
        """The codes of images: (N, H, W, C) -> (N, k)."""
        return self.model.transform(self.rows(images))

    def decode(self, codes):
        """The images that codes stand for: (N, k) -> (N, H, W, C)."""
        return self.images(self.model.inverse_transform(codes))

    def reconstruct(self, images):
        """Images after encoding and decoding: (N, H, W, C) -> (N, H, W, C)."""
        return self.decode(self.encode(images))

    def sample(self, count, prior=None, seed=0, examples=None):
        """New images (count, H, W, C) for codes from `prior`, None or "gaussian".

        For the reference model, whose file holds no codes, `examples` are what the prior is
        fitted to: by default its own, read again.
        """
        if self.kind == "olivetti" and prior is not None:
            self.model.fit_prior((examples or self.examples()).rows[0])
        elif prior is None and not self.is_variational:
            raise ValueError(
                "only a variational autoencoder has a prior: ask for --prior gaussian, a "
                "normal distribution fitted to the codes of the training images"
            )
        return self.images(self.model.sample(count, prior=prior, random_state=seed))

    def examples(self, override=None):
        """The training and test images, see `examples.load`."""
        return examples.load(self.config, self.image_shape, override)


def open_run(folder, *, device=None):
    """Open a run folder; FileNotFoundError or ValueError, in one sentence, if it is none."""
    folder = Path(folder)
    if not folder.exists():
        raise FileNotFoundError(f"there is no folder {folder}: train writes one")
    missing = [name for name in FILES if not (folder / name).is_file()]
    if missing:
        begun = "config.json" not in missing
        advice = f"finish it with train --resume {folder}" if begun else "give one that train wrote"
        raise ValueError(
            f"{folder} is not a finished run, it has no {' and no '.join(missing)}: {advice}"
        )
    config = read_config(folder / "config.json")
    try:
        if config.get("model", "olivetti") == "olivetti":
            return Run(folder, config, *_reference(config, folder, device))
        model = autoencoder.load(folder / "model.npz", device=device)
        shape = tuple(int(n) for n in config["image_shape"])
        fits = len(shape) == 3 and np.prod(shape) == model.n_features_in_
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{folder} is damaged: {type(error).__name__} at {error}; train again, or restore it "
            "from a copy"
        ) from None
    if not fits:
        raise ValueError(
            f"{folder} is damaged: config.json speaks of images {shape}, model.npz of "
            f"{model.n_features_in_} pixels: restore them from a copy"
        )
    return Run(folder, config, model, shape)


def _reference(config, folder, device):
    """The reference model of a run and the shape of its images."""
    noisy = config["noise"] == "gaussian"
    model = ReferenceModel(
        image_size=config["image_size"],
        code_length=config["code_length"],
        noise=GaussianNoise(config["noise_std"], clip=(0, 1)) if noisy else None,
        learning_rate=config["learning_rate"],
        batch_size=config["batch_size"],
        max_epochs=config["epochs"],
        device=device or "cpu",
        random_state=config["seed"],
    )
    model.build()
    checkpoint.load(folder / "model.npz", into=model.network_)
    return model, model.image_shape


def read_config(path):
    """The settings in the config.json of a run; ValueError if that is something else."""
    try:
        config = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} is damaged ({error}): restore it from a copy") from None
    if not isinstance(config, dict) or not {"data", "data_used"} <= set(config):
        raise ValueError(f"{path} does not describe a run: give a folder that train wrote")
    return config
