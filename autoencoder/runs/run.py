"""A finished run, opened again.

`open_run` reads the folder that a training wrote (`config.json`, `model.npz`) and says in one
sentence what is wrong with a folder that is something else, or damaged.
"""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from minigrad import checkpoint

from .. import persistence
from ..datasets.loaders import load_path
from ..variants import Autoencoder, VariationalAutoencoder
from . import dataset
from .config import MODELS, Config
from .files import fingerprint
from .notebook import run_html
from .records import read_config

FILES = ("config.json", "model.npz")


@dataclass(frozen=True, eq=False)
class Run:
    """A trained estimator with its settings.

    `estimator` works on flat rows (N, D); the methods here on images (N, H, W, C) of values in
    [0, 1].

    Parameters
    ----------
    folder : pathlib.Path
    config : dict
    estimator : fitted estimator
    image_shape : (H, W, C)
    """

    folder: Path
    config: dict
    estimator: object
    image_shape: tuple

    def _repr_html_(self):  # what a notebook shows
        return run_html(self)

    @property
    def model(self):
        """The entry of `MODELS` that was trained."""
        return MODELS[self.config["model"]]

    @property
    def data_name(self):
        """The name of the data that it was really trained on."""
        return self.config["data_used"]

    @property
    def is_variational(self):
        """Whether its codes have a distribution and a prior."""
        return isinstance(self.estimator, VariationalAutoencoder)

    @property
    def is_table(self):
        """Whether it was trained on rows of a table, and not on images."""
        return self.config.get("columns") is not None

    @property
    def unit(self):
        """What one of its samples is called, in the plural."""
        return "rows" if self.is_table else "images"

    def read(self, path):
        """The `Dataset` in a file or folder, read as the run's own data were."""
        if not Path(path).exists():
            raise FileNotFoundError(f"There is no file or folder {path}")
        return load_path(path, **dataset.reading(self.config, path))

    @property
    def n_components(self):
        """How many numbers describe an image."""
        return self.estimator._n_features_out

    @property
    def title(self):
        """The model and its data in a few words, for figures."""
        title = self.model.title
        if self.estimator.noise is not None and "noise" not in self.model.defaults:
            title = f"Denoising {title.lower()}"
        return f"{title}, {self.data_name}, {self.epochs} epochs"

    @property
    def published(self):
        """`Model.published`, if this run has the data and settings of the publication, or None."""
        own = {n: v for n, v in self.model.defaults.items() if n not in ("epochs", "restarts")}
        usual = {"noise": "none", **own, "data_used": own.get("data")}
        same = all(self.config[name] == value for name, value in usual.items())
        return self.model.published if same else None

    @property
    def epochs(self):
        """How many epochs it was trained for."""
        return len(self.history()["epoch"])

    def history(self):
        """What history.csv shows, as the model knows it: lists, among them "epoch" and "loss"."""
        return {name: list(values) for name, values in self.estimator.history_.items()}

    def rows(self, images, name="the input"):
        """Images as rows for the model: (N, H, W, C) -> (N, D) float32, made smaller if need be."""
        shrinks = self.config.get("image_size") is not None
        images = dataset.fit_size(images, self.image_shape, name, shrinks)
        return np.ascontiguousarray(images, np.float32).reshape(len(images), -1)

    def images(self, rows):
        """Rows as images limited to [0, 1], of a table not: (N, D) -> (N, H, W, C)."""
        rows = rows if self.is_table else np.clip(rows, 0, 1)
        return rows.reshape(len(rows), *self.image_shape)

    def encode(self, images):
        """The codes of images: (N, H, W, C) -> (N, k)."""
        return self.estimator.transform(self.rows(images))

    def decode(self, codes):
        """The images that codes stand for: (N, k) -> (N, H, W, C)."""
        return self.images(self.estimator.inverse_transform(codes))

    def reconstruct(self, images):
        """Images after encoding and decoding: (N, H, W, C) -> (N, H, W, C)."""
        return self.decode(self.encode(images))

    def sample(self, count, prior=None, seed=0):
        """New images (count, H, W, C) for codes from `prior`, None or "gaussian"."""
        if prior is None and not self.is_variational:
            raise ValueError(
                "only a variational autoencoder has a prior: ask for --prior gaussian, a "
                "normal distribution fitted to the codes of the training images"
            )
        return self.images(self.estimator.sample(count, prior=prior, random_state=seed))

    def samples(self, override=None):
        """The training and test images, see `dataset.load`."""
        return dataset.load(self.config, self.image_shape, override)


def open_run(folder, *, device=None):
    """Open a run folder; FileNotFoundError or ValueError, in one sentence, if it is none.

    Parameters
    ----------
    folder : str or path
    device : {"cpu", "cuda"}, default=None

    Returns
    -------
    Run
    """
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
    path = folder / "model.npz"
    arrays, about = checkpoint.load(path, lazy=True)
    tie = about.pop("run", None)  # a model saved by hand has none
    if tie is not None and tie != {"settings": fingerprint(config)}:
        raise ValueError(
            f"{folder} is damaged, its files are not of one run: model.npz was trained under other "
            f"settings than config.json has: restore both from a copy, or if a training was cut "
            f"short go on with train --resume {folder}"
        )
    estimator = persistence.restore(path, arrays, about, Autoencoder, Autoencoder, device)
    try:
        shape = tuple(config["image_shape"])
        described = Config.recorded(config).estimator(shape).set_params(device=estimator.device)
        other = [
            f"{name}={value!r} in config.json and {getattr(estimator, name)!r} in model.npz"
            for name, value in described.get_params(deep=False).items()
            if repr(value) != repr(getattr(estimator, name))
        ]
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{folder} is damaged: {type(error).__name__} at {error}; train again, or restore it "
            "from a copy"
        ) from None
    if not hasattr(estimator, "code_covariance_"):
        raise ValueError(
            f"{folder} is damaged: model.npz is of a training that has not ended: restore it from "
            "a copy"
        )
    if math.prod(shape) != estimator.n_features_in_:
        raise ValueError(
            f"{folder} is damaged: config.json speaks of images {shape}, model.npz of "
            f"{estimator.n_features_in_} pixels: restore them from a copy"
        )
    if other:
        raise ValueError(
            f"{folder} is damaged, its files are not of one run: {'; '.join(other)}: restore them "
            "from a copy"
        )
    return Run(folder, config, estimator, shape)
