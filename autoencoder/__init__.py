"""autoencoder: autoencoders built on minigrad, and the data, baselines and pictures they need.

``python -m autoencoder train`` trains the deep convolutional autoencoder on the Olivetti faces.
The estimators and their parts are here by name, and imported when they are first asked for:

>>> import autoencoder
>>> autoencoder.DenoisingAutoencoder(16, noise=autoencoder.MaskingNoise(rate=0.5))
DenoisingAutoencoder(n_components=16, noise=MaskingNoise(rate=0.5))
"""

import importlib
import logging

logging.getLogger(__name__).addHandler(logging.NullHandler())  # who wants messages adds another

_HOMES = {
    "variants": (
        "Autoencoder",
        "ContractiveAutoencoder",
        "DenoisingAutoencoder",
        "SparseAutoencoder",
        "VariationalAutoencoder",
    ),
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


def __getattr__(name):
    if name in _HOME:
        return getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)
    if name == "__version__":
        return importlib.import_module("minigrad").__version__
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted([*globals(), *_HOME])
