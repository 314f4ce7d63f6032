"""The settings of a run, and the table of models: what each name stands for."""

import math
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import NamedTuple

from .. import budget, olivetti
from ..datasets import NAMES
from ..datasets.pictures import FITS, checked_size
from ..datasets.tables import is_table
from ..parameters import usual_length
from ..parts import ContractivePenalty, GaussianCode, GaussianNoise, KLSparsity, PatchMasking
from ..variants import (
    Autoencoder,
    ContractiveAutoencoder,
    DenoisingAutoencoder,
    SparseAutoencoder,
    VariationalAutoencoder,
)

FORMAT = 2  # of a run folder; 1 is that of version 0.1
NEWER = ("size", "fit", "label")  # fields that older runs of the format have not
SIZED = ("n_components", "batch_size", "epochs")  # may be None until the data's size is known


class Model(NamedTuple):
    """What a name of a model stands for.

    Attributes
    ----------
    estimator : its class.
    title : in a few words, for figures and reports.
    defaults : the fields of `Config` that differ from its own defaults.
    parameters : a function of the `Config` that gives more parameters of the estimator.
    fixed : the fields of `Config` that cannot be chosen.
    penalty : the class that ``penalty_weight`` is the weight of, or None.
    grey : whether it reads grey images only.
    published : of a published model a function ``(l2_loss, n_samples, batch_size)`` that gives the
        loss as the publication counts it, with its curve; see `olivetti.published`.
    """

    estimator: type
    title: str
    defaults: dict
    parameters: Callable = lambda config: {}
    fixed: tuple = ()
    penalty: type | None = None
    grey: bool = False
    published: Callable | None = None


MODELS = {
    "olivetti": Model(
        Autoencoder,
        "Deep convolutional autoencoder",
        {
            "data": "olivetti",
            "n_components": 256,
            "image_size": 32,
            "epochs": 600,
            "batch_size": 50,
            "learning_rate": 0.001,
            "likelihood": "gaussian",
            "test_fraction": 0.0,
            "restarts": 10,
        },
        parameters=lambda config: olivetti.settings(config.image_size, config.batch_size),
        fixed=("hidden", "convolutional", "likelihood"),
        grey=True,
        published=olivetti.published,
    ),
    "dense": Model(Autoencoder, "Dense autoencoder", {}),
    "conv": Model(
        Autoencoder,
        "Convolutional autoencoder",
        {"hidden": (16, 32), "convolutional": True},
    ),
    "denoising": Model(
        DenoisingAutoencoder, "Denoising autoencoder", {"hidden": (256,), "noise": "gaussian"}
    ),
    "sparse": Model(
        SparseAutoencoder, "Sparse autoencoder", {"n_components": 128}, penalty=KLSparsity
    ),
    "contractive": Model(
        ContractiveAutoencoder, "Contractive autoencoder", {}, penalty=ContractivePenalty
    ),
    "vae": Model(
        VariationalAutoencoder, "Variational autoencoder", {"n_components": 16, "hidden": (256,)}
    ),
}


def size_of(text):
    """The size (height, width) that ``--size`` says, or None.

    >>> size_of("64x48"), size_of("32")
    ((48, 64), (32, 32))
    """
    if text is None:
        return None
    width, _, height = str(text).lower().partition("x")
    try:
        return checked_size((int(height or width), int(width)), "crop")
    except ValueError:
        raise ValueError(
            f"--size must be like 64 or 64x48 (width and height), got {text!r}"
        ) from None


def reading(config):
    """How the data of a run with this `config`, a dict, are read: arguments of `datasets.load`."""
    size, fit = size_of(config.get("size")), config.get("fit", "crop")
    return {"size": size, "fit": fit, "label": config.get("label")}


@dataclass(frozen=True)
class Config:
    """The settings of a run; None means what the part itself has.

    Those in `SIZED` can be None until the size of the data is known: see `concrete`.

    Parameters
    ----------
    model : str, default="dense"
        One of ``runs.MODELS``.
    data : str, default="mnist"
        A name of ``datasets.NAMES``, or a path.
    n_components, hidden, epochs, batch_size, learning_rate, likelihood, patience, restarts,
    validation_fraction, device : as in `autoencoder.Autoencoder`, where some have other names
    convolutional : bool, default=False
        Whether `hidden` are channels.
    image_size : int, default=None
        To which images are resized.
    size, fit : str
        WIDTHxHEIGHT that images are brought to when they are read, and how, see
        `datasets.load_images`.
    label : str, default=None
        The column of a table that holds a class.
    noise, noise_std, beta, penalty_weight : of the model's parts
    test_fraction : float, default=None
        None: see the commands; 0: train on all images.
    seed : int, default=0

    Examples
    --------
    >>> Config.of("vae", epochs=5).n_components
    16
    """

    model: str = "dense"
    data: str = "mnist"
    n_components: int | None = None
    hidden: tuple = ()
    convolutional: bool = False  # `hidden` are then channels
    image_size: int | None = None
    size: str | None = None  # WIDTHxHEIGHT that pictures are brought to when they are read
    fit: str = "crop"
    label: str | None = None  # the column of a table that holds a class
    epochs: int | None = None
    batch_size: int | None = None
    learning_rate: float = 0.002
    likelihood: str = "bernoulli"
    noise: str = "none"
    noise_std: float | None = None
    beta: float | None = None
    penalty_weight: float | None = None
    patience: int | None = None
    validation_fraction: float = 0.0
    test_fraction: float | None = None  # None: see `dataset.hold_out`; 0: train on all images
    restarts: int = 0
    seed: int = 0
    device: str = "cpu"

    @classmethod
    def of(cls, model, **settings):
        """The usual settings of `model`, with other `settings`; ValueError for what it fixes."""
        usual = cls(model, **MODELS[model].defaults)
        for name in MODELS[model].fixed:
            if settings.get(name, getattr(usual, name)) != getattr(usual, name):
                raise ValueError(f"--model {model} has no --{name.replace('_', '-')}")
        usual = dict(MODELS[model].defaults)
        if is_table(settings.get("data", "")):  # whose numbers are not limited to [0, 1]
            variational = issubclass(MODELS[model].estimator, VariationalAutoencoder)
            usual["likelihood"] = "optimal_gaussian" if variational else "gaussian"
        return cls(model, **{**usual, **settings})

    @classmethod
    def recorded(cls, config):
        """The settings that a config.json holds, a dict; KeyError for one that is missing."""
        older = {field.name: field.default for field in fields(cls) if field.name in NEWER}
        settings = {f.name: {**older, **config}[f.name] for f in fields(cls)}
        return cls(**settings | {"hidden": tuple(settings["hidden"])})

    def __post_init__(self):
        if self.noise_std is not None and self.noise != "gaussian":
            raise ValueError("--noise-std belongs to --noise gaussian")
        if self.model == "denoising" and self.noise == "none":
            raise ValueError("--model denoising without noise is --model dense")
        self._only("beta", lambda model: issubclass(model.estimator, VariationalAutoencoder))
        self._only("penalty_weight", lambda model: model.penalty is not None)
        for name in (
            "epochs",
            "batch_size",
            "n_components",
            "learning_rate",
            "image_size",
            "noise_std",
        ):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError(f"{name} must be above 0, got {value}")
        for name in ("beta", "penalty_weight", "seed", "restarts"):
            value = getattr(self, name)
            if value is not None and not value >= 0:
                raise ValueError(f"{name} must be 0 or more, got {value}")
        if self.fit not in FITS:
            raise ValueError(f"--fit must be one of {', '.join(FITS)}, got {self.fit!r}")
        size_of(self.size)
        if self.is_table:
            for_images = {
                f"--model {self.model}": MODELS[self.model].grey,
                "--convolutional": self.convolutional,
                "--size": self.size is not None,
                "--image-size": self.image_size is not None,
                "--noise patches": self.noise == "patches",
            }
            wrong = [name for name, is_so in for_images.items() if is_so]
            if wrong:
                raise ValueError(
                    f"{wrong[0]} is for images, and {self.data} is a table: leave it out, or take "
                    "--model dense, denoising, sparse, contractive or vae"
                )
        elif self.label is not None:
            raise ValueError(f"--label names a column of a table, and {self.data} is none")
        if self.convolutional and not self.hidden:
            raise ValueError("a convolutional network needs --hidden, the channels of its layers")

    @property
    def is_table(self):
        """Whether the data are a table."""
        return is_table(self.data)

    @property
    def reading(self):
        """How the data are read: arguments of `datasets.load`."""
        return reading(vars(self))

    def concrete(self, n_images, n_features):
        """The same settings, with what an estimator's "auto" gives in place of None.

        >>> config = Config().concrete(60_000, 784)
        >>> config.n_components, config.batch_size, config.epochs
        (64, 256, 18)
        """
        batch_size = self.batch_size or budget.batch_size(n_images)
        return replace(
            self,
            n_components=self.n_components or usual_length(n_features),
            batch_size=batch_size,
            epochs=self.epochs or budget.max_epochs(math.ceil(n_images / batch_size)),
        )

    def _only(self, name, fits):
        if getattr(self, name) is not None and not fits(MODELS[self.model]):
            models = " or ".join(other for other, model in MODELS.items() if fits(model))
            raise ValueError(f"--{name.replace('_', '-')} belongs to --model {models}")

    def estimator(self, image_shape):
        """The estimator that the settings describe, for images (H, W, C)."""
        model = MODELS[self.model]
        more = model.parameters(self)
        parts = {"noise": None if self.noise == "none" else self.noise}
        if self.noise == "gaussian":  # limited to the range of pixels, as a camera's
            given = {} if self.noise_std is None else {"std": self.noise_std}
            parts["noise"] = GaussianNoise(**given, clip=None if self.is_table else (0, 1))
        if self.is_table:
            more = {**more, "missing": "mask"}
        if self.noise == "patches":
            large = all(side > 8 and side % 4 == 0 for side in image_shape[:2])
            parts["noise"] = PatchMasking(4 if large else 2, image_shape=image_shape)
        if self.beta is not None:
            parts["code"] = GaussianCode(self.beta)
        if self.penalty_weight is not None:
            parts["penalty"] = model.penalty(weight=self.penalty_weight)
        if self.convolutional or "image_shape" in more:
            parts["image_shape"] = image_shape
        own = dict(
            n_components=self.n_components,
            hidden=tuple(self.hidden),
            likelihood=self.likelihood,
            learning_rate=self.learning_rate,
            batch_size=self.batch_size,
            max_epochs=self.epochs,
            validation_fraction=self.validation_fraction,
            patience=self.patience,
            restarts=self.restarts,
            device=self.device,
            random_state=self.seed,
        )
        return model.estimator(**{**more, **own, **parts})

    def default_output(self, stem):
        """The folder that a run is written to unless it is told; `stem` is the name of a path."""
        data = self.data if self.data in NAMES else stem
        return f"runs/{self.model}" if data == self.model else f"runs/{self.model}-{data}"
