"""autoencoder: autoencoders built on minigrad, and the data, baselines and pictures they need.

``python -m autoencoder train`` trains the deep convolutional autoencoder on the Olivetti faces.
The estimators and their parts are here by name, and imported when they are first asked for:

>>> import autoencoder
>>> autoencoder.DenoisingAutoencoder(16, noise=autoencoder.MaskingNoise(rate=0.5))
DenoisingAutoencoder(n_components=16, noise=MaskingNoise(rate=0.5))
"""

import importlib
import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the names of _HOMES, for type checkers
    from minigrad import __version__ as __version__

    from .callbacks import CSVLogger as CSVLogger
    from .callbacks import TensorBoardLogger as TensorBoardLogger
    from .detector import AutoencoderAnomalyDetector as AutoencoderAnomalyDetector
    from .detector import load as load
    from .diagnosis import DiagnosisWarning as DiagnosisWarning
    from .parts import BernoulliLikelihood as BernoulliLikelihood
    from .parts import ColumnLikelihood as ColumnLikelihood
    from .parts import ContinuousBernoulliLikelihood as ContinuousBernoulliLikelihood
    from .parts import ContractivePenalty as ContractivePenalty
    from .parts import GaussianCode as GaussianCode
    from .parts import GaussianLikelihood as GaussianLikelihood
    from .parts import GaussianNoise as GaussianNoise
    from .parts import HeteroscedasticNoise as HeteroscedasticNoise
    from .parts import KLSparsity as KLSparsity
    from .parts import L1Penalty as L1Penalty
    from .parts import MaskingNoise as MaskingNoise
    from .parts import MMDPenalty as MMDPenalty
    from .parts import PatchMasking as PatchMasking
    from .parts import PointCode as PointCode
    from .parts import SaltAndPepperNoise as SaltAndPepperNoise
    from .parts import TotalCorrelation as TotalCorrelation
    from .parts import VectorQuantisedCode as VectorQuantisedCode
    from .parts import WeightDecay as WeightDecay
    from .stream import Batches as Batches
    from .variants import Autoencoder as Autoencoder
    from .variants import ContractiveAutoencoder as ContractiveAutoencoder
    from .variants import DenoisingAutoencoder as DenoisingAutoencoder
    from .variants import SparseAutoencoder as SparseAutoencoder
    from .variants import VariationalAutoencoder as VariationalAutoencoder

logging.getLogger(__name__).addHandler(logging.NullHandler())  # who wants messages adds another

_HOMES = {
    "variants": (
        "Autoencoder",
        "ContractiveAutoencoder",
        "DenoisingAutoencoder",
        "SparseAutoencoder",
        "VariationalAutoencoder",
    ),
    "callbacks": ("CSVLogger", "TensorBoardLogger"),
    "diagnosis": ("DiagnosisWarning",),
    "stream": ("Batches",),
    "detector": ("AutoencoderAnomalyDetector", "load"),
    "parts": (
        "BernoulliLikelihood",
        "ColumnLikelihood",
        "ContinuousBernoulliLikelihood",
        "ContractivePenalty",
        "GaussianCode",
        "GaussianLikelihood",
        "GaussianNoise",
        "HeteroscedasticNoise",
        "KLSparsity",
        "L1Penalty",
        "MMDPenalty",
        "MaskingNoise",
        "PatchMasking",
        "PointCode",
        "SaltAndPepperNoise",
        "TotalCorrelation",
        "VectorQuantisedCode",
        "WeightDecay",
    ),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME)


if not TYPE_CHECKING:  # to whom any name would be there

    def __getattr__(name):
        if name in _HOME:
            return getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)
        if name == "__version__":
            return importlib.import_module("minigrad").__version__
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
