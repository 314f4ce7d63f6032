"""autoencoder: autoencoders built on minigrad, and the data, baselines and pictures they need.

``python -m autoencoder train`` trains the deep convolutional autoencoder on the Olivetti faces.
The estimators and their parts are here by name, and imported when they are first asked for:

>>> import autoencoder
>>> autoencoder.DenoisingAutoencoder(16, noise=autoencoder.MaskingNoise(rate=0.5))
DenoisingAutoencoder(n_components=16, noise=MaskingNoise(rate=0.5))
"""

import importlib

_HOMES = {
    "variants": (  # where all estimators are known, so that `load` finds every class
        "Autoencoder",
        "ContractiveAutoencoder",
        "DenoisingAutoencoder",
        "SparseAutoencoder",
        "VariationalAutoencoder",
    ),
    "detector": ("AutoencoderAnomalyDetector",),
    "noise": ("GaussianNoise", "HeteroscedasticNoise", "MaskingNoise", "SaltAndPepperNoise"),
    "code": ("GaussianCode", "PointCode"),
    "likelihood": ("BernoulliLikelihood", "ContinuousBernoulliLikelihood", "GaussianLikelihood"),
    "penalty": ("ContractivePenalty", "KLSparsity", "L1Penalty", "WeightDecay"),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}

__all__ = sorted([*_HOME, "load"])


def load(path, *, device=None):
    """Read a fitted estimator of any kind from a file that its `save` wrote."""
    return __getattr__("Autoencoder").load(path, device=device)


def __getattr__(name):
    if name in _HOME:
        return getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted([*globals(), *_HOME])
