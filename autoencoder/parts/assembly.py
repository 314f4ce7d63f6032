"""The four parts of an autoencoder by name, and which of them fit together."""

from __future__ import annotations

from numbers import Real
from typing import Any, NamedTuple

from .code import GaussianCode, PointCode
from .likelihood import BernoulliLikelihood, ContinuousBernoulliLikelihood, GaussianLikelihood
from .mmd import MMDPenalty
from .noise import GaussianNoise, HeteroscedasticNoise, MaskingNoise, SaltAndPepperNoise
from .patches import PatchMasking
from .penalty import ContractivePenalty, KLSparsity, L1Penalty, WeightDecay
from .quantised import VectorQuantisedCode
from .total_correlation import TotalCorrelation

CHOICES = {
    "noise": {
        "gaussian": GaussianNoise,
        "heteroscedastic": HeteroscedasticNoise,
        "masking": MaskingNoise,
        "salt_and_pepper": SaltAndPepperNoise,
        "patches": PatchMasking,
    },
    "code": {
        "linear": lambda: PointCode("linear"),
        "relu": lambda: PointCode("relu"),
        "sigmoid": lambda: PointCode("sigmoid"),
        "tanh": lambda: PointCode("tanh"),
        "gaussian": GaussianCode,
        "vector_quantised": VectorQuantisedCode,
    },
    "likelihood": {
        "gaussian": GaussianLikelihood,
        "optimal_gaussian": lambda: GaussianLikelihood(variance="optimal"),
        "bernoulli": BernoulliLikelihood,
        "continuous_bernoulli": ContinuousBernoulliLikelihood,
    },
    "penalty": {
        "l1": L1Penalty,
        "kl_sparsity": KLSparsity,
        "contractive": ContractivePenalty,
        "weight_decay": WeightDecay,
        "mmd": MMDPenalty,
        "total_correlation": TotalCorrelation,
    },
}
_METHODS = {"noise": "corrupt", "code": "terms", "likelihood": "loss", "penalty": "name"}


class Parts(NamedTuple):
    """The resolved parts: a noise or None, a code, a likelihood, a tuple of penalties.

    Parameters
    ----------
    noise : noise or None
    code : Code
    likelihood : Likelihood
    penalties : tuple of penalties
    """

    noise: object
    code: object
    likelihood: object
    penalties: tuple

    @property
    def scores_in_part(self):
        """Whether the noise has only what it hides scored, see `PatchMasking`."""
        return getattr(self.noise, "scored", "all") != "all"


def resolve(kind: str, value: Any) -> Any:
    """The part of `kind` ("noise", "code", "likelihood", "penalty") that `value` names.

    `value` is a name, a part already made, or None for no noise and no penalty. Penalties are
    returned as a tuple, and may be given as one.

    Parameters
    ----------
    kind : {"noise", "code", "likelihood", "penalty"}
    value : None, str, part or, of penalties, a tuple of them

    Returns
    -------
    part, None, or a tuple of penalties

    Raises
    ------
    ValueError
        With the choices.

    Examples
    --------
    >>> resolve("noise", "masking")
    MaskingNoise()
    >>> resolve("penalty", ("l1", "weight_decay"))
    (L1Penalty(), WeightDecay())
    """
    if not isinstance(kind, str) or kind not in CHOICES:
        raise ValueError(f"resolve: a kind of part is one of {', '.join(CHOICES)}, got {kind!r}")
    if kind == "penalty":
        several = value if isinstance(value, tuple | list) else () if value is None else (value,)
        return tuple(_part(kind, v) for v in several)
    if kind == "noise" and value is None:
        return None
    return _part(kind, value)


def assemble(
    noise: Any = None, code: Any = "linear", likelihood: Any = "gaussian", penalty: Any = None
) -> Parts:
    """All parts, resolved and checked against each other, as `Parts`.

    Parameters
    ----------
    noise : None, str or noise, default=None
    code : str or Code, default="linear"
    likelihood : str or Likelihood, default="gaussian"
    penalty : None, str, penalty or tuple of them, default=None

    Returns
    -------
    Parts

    Raises
    ------
    ValueError
        Where a name is unknown, a weight negative, or a penalty does not fit the code.

    Examples
    --------
    >>> assemble(code="sigmoid", penalty="kl_sparsity").penalties
    (KLSparsity(),)
    """
    parts = Parts(
        resolve("noise", noise),
        resolve("code", code),
        resolve("likelihood", likelihood),
        resolve("penalty", penalty),
    )
    names = [p.name for p in parts.penalties]
    if len(set(names)) < len(names):
        raise ValueError(f"each penalty can be given once, got {', '.join(names)}: add the weights")
    for part, name in [(parts.code, "beta"), *((p, "weight") for p in parts.penalties)]:
        value = getattr(part, name, 0)
        if isinstance(value, str) and value == getattr(part, "usual_weight", None):
            continue
        if not isinstance(value, Real) or not 0 <= value < float("inf"):
            raise ValueError(
                f"{type(part).__name__}: {name} must be a number of at least 0, got {value!r}: a "
                "negative one would be paid for being large"
            )
    for part in (parts.noise, parts.code):
        if hasattr(part, "check"):
            part.check()
    for penalty in parts.penalties:
        if hasattr(penalty, "check"):
            penalty.check(parts.code)
    return parts


def _part(kind, value):
    choices = CHOICES[kind]
    if isinstance(value, str) and value in choices:
        return choices[value]()
    if not isinstance(value, str | type) and hasattr(value, _METHODS[kind]):
        return value
    none = ["None"] if kind in ("noise", "penalty") else []
    names = ", ".join([*none, *map(repr, choices)])
    raise ValueError(
        f"unknown {kind} {value!r}: use {names}, or an object of autoencoder.parts.{kind}"
    )
