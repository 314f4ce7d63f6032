"""The four parts of an autoencoder: noise, code, likelihood and penalties, and the codes' prior.

A part is a few numbers and one or two methods. An estimator is given parts by name or as objects;
`assemble` turns names into objects and checks that they fit together.
"""

from .assembly import CHOICES, Parts, assemble, resolve
from .code import Code, GaussianCode, PointCode, importance_bound
from .columns import ColumnLikelihood
from .likelihood import (
    BernoulliLikelihood,
    ContinuousBernoulliLikelihood,
    GaussianLikelihood,
    Likelihood,
)
from .mmd import MMDPenalty
from .noise import GaussianNoise, HeteroscedasticNoise, MaskingNoise, SaltAndPepperNoise
from .patches import PatchMasking
from .penalty import ContractivePenalty, KLSparsity, L1Penalty, WeightDecay
from .prior import draw_codes
from .quantised import VectorQuantisedCode
from .total_correlation import TotalCorrelation

__all__ = [
    "CHOICES",
    "BernoulliLikelihood",
    "Code",
    "ColumnLikelihood",
    "ContinuousBernoulliLikelihood",
    "ContractivePenalty",
    "GaussianCode",
    "GaussianLikelihood",
    "GaussianNoise",
    "HeteroscedasticNoise",
    "KLSparsity",
    "L1Penalty",
    "Likelihood",
    "MMDPenalty",
    "MaskingNoise",
    "Parts",
    "PatchMasking",
    "PointCode",
    "SaltAndPepperNoise",
    "TotalCorrelation",
    "VectorQuantisedCode",
    "WeightDecay",
    "assemble",
    "draw_codes",
    "importance_bound",
    "resolve",
]
