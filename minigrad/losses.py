"""Loss functions, in nats per example.

Every loss is summed over the features of an example; `reduction` then says what happens to the
examples (axis 0): "mean" over the batch, their "sum", or "none" to keep one number for each. The
exceptions carry the names of something else: `l2_loss` is TensorFlow's (a sum by default), while
`mse_loss`, `l1_loss`, `huber_loss` and `smooth_l1_loss` have PyTorch's mean over everything.
"""

from __future__ import annotations

import math
from numbers import Real
from typing import Any

import numpy as np

from .backend import Array, array_module, plain
from .checks import check_numbers, check_probabilities, check_same_shape
from .engine import primitive
from .ops import abs as absolute
from .ops import clip, exp, log, log_softmax, maximum, sigmoid, where
from .ops import sum as sum_over
from .shapes import reshape
from .tape import opaque
from .tensor import Plain, T, Tensor, describe

__all__ = [
    "bernoulli_kl",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "cross_entropy",
    "gaussian_kl",
    "huber_loss",
    "kl_divergence",
    "l1_loss",
    "l2_loss",
    "mse_loss",
    "smooth_l1_loss",
]


def l2_loss(prediction: T | Array, target: T | Array, reduction: str = "sum") -> T:
    """``sum((prediction - target)**2) / 2``: any shape (N, ...), as ``tf.nn.l2_loss``.

    Parameters
    ----------
    prediction, target : Tensor or array (N, ...)
    reduction : {"sum", "mean", "none"}, default="sum"

    Returns
    -------
    Tensor or array
        One number, or (N,) for "none".

    Examples
    --------
    >>> from minigrad import tensor
    >>> l2_loss(tensor([1.0, 2.0]), tensor([0.0, 0.0])).item()
    2.5
    """
    check_same_shape("l2_loss", prediction, target)
    return _half_squares("l2_loss", prediction, target, reduction)


def mse_loss(prediction: T | Array, target: T | Array, reduction: str = "mean") -> T:
    """The mean of ``(prediction - target)**2`` over all elements ("mean"), or their sum ("sum").

    Parameters
    ----------
    prediction, target : Tensor or array (N, ...)
    reduction : {"mean", "sum", "none"}, default="mean"

    Returns
    -------
    Tensor or array
        One number, or (N,) for "none".
    """
    check_same_shape("mse_loss", prediction, target)
    if reduction == "mean":
        _batch("mse_loss", prediction)
        return squared_distance(prediction, target) / (prediction.size / 2)
    return _half_squares("mse_loss", prediction, target, reduction) * 2


def _half_squares(name: str, prediction: T | Array, target: T | Array, reduction: str) -> T:
    if reduction in ("sum", "mean"):
        total = squared_distance(prediction, target)
        return total if reduction == "sum" else total / _batch(name, prediction)
    d = prediction - target
    return _reduce(name, d * d, reduction) / 2


def l1_loss(prediction: T | Array, target: T | Array, reduction: str = "mean") -> T:
    """The mean of ``|prediction - target|`` over all elements ("mean"), or their sum ("sum").

    Parameters
    ----------
    prediction, target : Tensor or array (N, ...)
    reduction : {"mean", "sum", "none"}, default="mean"

    Returns
    -------
    Tensor or array
        One number, or (N,) for "none".
    """
    check_same_shape("l1_loss", prediction, target)
    return _over_elements("l1_loss", absolute(prediction - target), reduction)


def huber_loss(
    prediction: T | Array, target: T | Array, reduction: str = "mean", delta: float = 1.0
) -> T:
    """The mean of ``d**2 / 2`` for differences d up to `delta`, and from there on a straight line,
    ``delta (|d| - delta / 2)`` (P. Huber, 1964).

    Parameters
    ----------
    prediction, target : Tensor or array (N, ...)
    reduction : {"mean", "sum", "none"}, default="mean"
    delta : float, default=1.0

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> from minigrad import tensor
    >>> huber_loss(tensor([0.5, 3.0]), tensor([0.0, 0.0]), "none")
    tensor([0.125, 2.5  ])
    """
    return _huber("huber_loss", prediction, target, reduction, "delta", delta)


def smooth_l1_loss(
    prediction: T | Array, target: T | Array, reduction: str = "mean", beta: float = 1.0
) -> T:
    """`huber_loss` with delta `beta`, divided by `beta`: far out its slope is that of `l1_loss`.

    Parameters
    ----------
    prediction, target : Tensor or array (N, ...)
    reduction : {"mean", "sum", "none"}, default="mean"
    beta : float, default=1.0

    Returns
    -------
    Tensor or array
    """
    return _huber("smooth_l1_loss", prediction, target, reduction, "beta", beta) / beta


def _huber(
    name: str, prediction: T | Array, target: T | Array, reduction: str, what: str, delta: float
) -> T:
    check_same_shape(name, prediction, target)
    if not (isinstance(delta, Real) and delta > 0):
        raise ValueError(f"{name}: {what} must be positive, got {delta!r}: for 0 use l1_loss")
    d = prediction - target
    near = clip(d, -delta, delta)
    return _over_elements(name, near * (d - near / 2), reduction)


def _over_elements(name: str, terms: T | Array, reduction: str) -> T:
    if reduction == "mean":
        _batch(name, terms)
        return sum_over(terms) / terms.size
    return _reduce(name, terms, reduction)


@primitive(
    "two arrays p and t of one shape",
    p=lambda g, p, t: scaled_difference(g, p, t),
    t=lambda g, p, t: scaled_difference(g, t, p),
)
def squared_distance(p: Array, t: Array) -> Array:
    """``sum((p - t)**2) / 2``, a single number."""
    d = p - t
    return (d * d).sum() / 2


@primitive(
    "a factor s and arrays p and t that broadcast together",
    s=lambda g, p, t: g * (p - t),
    p=lambda g, s: g * s,
    t=lambda g, s: -g * s,
)
def scaled_difference(s: Array, p: Array, t: Array) -> Array:
    """``s (p - t)``: s times the derivative of `squared_distance` by p."""
    return s * (p - t)


@primitive(
    "probabilities p and targets t of one shape",
    p=lambda g, p, t: g * (p - t) / maximum(p * (1 - p), 1e-12),
    t=lambda g, p: g * (_log(1 - p) - _log(p)),
)
def bernoulli_nll(p: Array, t: Array) -> Array:
    """``-(t log p + (1 - t) log(1 - p))`` of each element, the logarithms at least -100."""
    return -(t * _log(p) + (1 - t) * _log(1 - p))


def _log(p: Any) -> Any:
    return maximum(log(maximum(p, 1e-44)), -100.0)


def binary_cross_entropy(
    probabilities: T | Array, targets: T | Array, reduction: str = "mean"
) -> T:
    """``-sum(t log p + (1 - t) log(1 - p))`` for probabilities p and targets t in [0, 1].

    Logarithms stop at -100 as in PyTorch, so that p = 0 and p = 1 have a loss. Where the
    probabilities come from a sigmoid, `binary_cross_entropy_with_logits` is exact and faster.

    Parameters
    ----------
    probabilities, targets : Tensor or array (N, ...) in [0, 1]
    reduction : {"mean", "sum", "none"}, default="mean"

    Returns
    -------
    Tensor or array
        One number, or (N,) for "none".

    Examples
    --------
    >>> from minigrad import tensor
    >>> binary_cross_entropy(tensor([[0.5, 0.5]]), tensor([[1.0, 0.0]]))
    tensor(1.38629436)
    """
    check_same_shape("binary_cross_entropy", probabilities, targets)
    check_probabilities("binary_cross_entropy", "probabilities", probabilities)
    check_probabilities("binary_cross_entropy", "targets", targets)
    if targets.dtype.kind == "b":
        targets = targets.astype(probabilities.dtype)  # 1 - True would be an integer
    return _reduce("binary_cross_entropy", bernoulli_nll(probabilities, targets), reduction)


def binary_cross_entropy_with_logits(
    logits: T | Array, targets: T | Array, reduction: str = "mean"
) -> T:
    """`binary_cross_entropy` of ``sigmoid(logits)``, computed without the sigmoid.

    -log sigmoid(x) = softplus(-x) and -log(1 - sigmoid(x)) = softplus(x), so nothing is rounded to
    0 or 1 on the way. For grey targets the minimum is their entropy, not 0.

    Parameters
    ----------
    logits : Tensor or array (N, ...)
    targets : Tensor or array (N, ...) in [0, 1]
    reduction : {"mean", "sum", "none"}, default="mean"

    Returns
    -------
    Tensor or array
        One number, or (N,) for "none".
    """
    check_same_shape("binary_cross_entropy_with_logits", logits, targets)
    check_probabilities("binary_cross_entropy_with_logits", "targets", targets)
    terms = bernoulli_nll_of_logits(logits, targets)
    return _reduce("binary_cross_entropy_with_logits", terms, reduction)


@primitive(
    "logits x and targets t of one shape",
    x=lambda g, x, t: bernoulli_slope(g, x, t),
    t=lambda g, x: -g * x,
)
def bernoulli_nll_of_logits(x: Array, t: Array) -> Array:
    """``softplus(x) - t x`` of each element, with no difference of large numbers."""
    return np.maximum(x, 0) - t * x + np.log1p(np.exp(-np.abs(x)))


@primitive(
    "factors s, logits x and targets t that broadcast together",
    s=lambda g, x, t: bernoulli_slope(g, x, t),
    x=lambda g, s, x: g * s * (sigmoid(x) * sigmoid(-x)),
    t=lambda g, s: -g * s,
)
def bernoulli_slope(s: Array, x: Array, t: Array) -> Array:
    """``s (sigmoid(x) - t)``: s times the derivative of `bernoulli_nll_of_logits` by x."""
    return s * (sigmoid(x) - t)


def cross_entropy(logits: T | Array, targets: T | Array, reduction: str = "mean") -> T:
    """``-log softmax(logits)[target]`` for logits (N, K).

    `targets` are class numbers (N,) of an integer dtype, or probabilities (N, K).

    Parameters
    ----------
    logits : Tensor or array (N, K)
    targets : array (N,) of integers, or Tensor or array (N, K)
    reduction : {"mean", "sum", "none"}, default="mean"

    Returns
    -------
    Tensor or array
        One number, or (N,) for "none".
    """
    if getattr(logits, "ndim", 0) != 2:
        raise ValueError(f"cross_entropy: expected logits (N, K), got {describe(logits)}")
    targets = targets if hasattr(targets, "shape") else np.asarray(targets)
    check_numbers("cross_entropy", logits, targets)
    classes = targets._data if isinstance(targets, Tensor) else targets
    log_p = log_softmax(logits, axis=1)
    if tuple(targets.shape) == tuple(logits.shape):
        return _reduce("cross_entropy", -(targets * log_p), reduction)
    n, k = logits.shape
    if tuple(classes.shape) != (n,) or classes.dtype.kind not in "iu":
        raise ValueError(
            f"cross_entropy: for {describe(logits)} expected {n} integer class numbers or "
            f"probabilities of shape {(n, k)}, got {describe(targets)}"
        )
    opaque(_check_classes, plain(targets), k)
    return _reduce("cross_entropy", -log_p[array_module(classes).arange(n), classes], reduction)


def _check_classes(classes: Array, k: int) -> None:
    if classes.size and (classes.min() < 0 or classes.max() >= k):
        raise ValueError(
            f"cross_entropy: class numbers must be from 0 to {k - 1} for logits of {k} classes, "
            f"got {classes.min()} to {classes.max()}"
        )


def kl_divergence(p: T | Array, q: T | Array, reduction: str = "mean") -> T:
    """``sum(p log(p / q))`` of discrete distributions over all axes but the first; 0 log 0 is 0.

    Parameters
    ----------
    p, q : Tensor or array (N, ...)
    reduction : {"mean", "sum", "none"}, default="mean"

    Returns
    -------
    Tensor or array
        One number, or (N,) for "none".
    """
    check_same_shape("kl_divergence", p, q)
    check_probabilities("kl_divergence", "p", p)
    check_probabilities("kl_divergence", "q", q)
    return _reduce("kl_divergence", _p_log_ratio(p, q), reduction)


def bernoulli_kl(p: T | Plain, q: T | Plain, reduction: str = "sum") -> T:
    """``sum(p log(p / q) + (1 - p) log((1 - p) / (1 - q)))`` of Bernoulli probabilities.

    With a target activation p and the mean activations q of all units it is the penalty of sparse
    autoencoders (A. Ng, CS294A notes, 2011); `p` may be a number.

    Parameters
    ----------
    p, q : Tensor, array or number in [0, 1]
    reduction : {"sum", "mean", "none"}, default="sum"

    Returns
    -------
    Tensor or array
        One number, or (N,) for "none".

    Examples
    --------
    >>> from minigrad import tensor
    >>> round(bernoulli_kl(0.05, tensor([0.05, 0.5])).item(), 6)
    0.494632
    """
    check_probabilities("bernoulli_kl", "p", p)
    check_probabilities("bernoulli_kl", "q", q)
    return _reduce("bernoulli_kl", _p_log_ratio(p, q) + _p_log_ratio(1 - p, 1 - q), reduction)


def gaussian_kl(mean: T | Array, log_variance: T | Array, reduction: str = "mean") -> T:
    """The divergence of N(mean, exp(log_variance)) from N(0, 1), summed over the features.

    ``sum(mean**2 + variance - 1 - log_variance) / 2`` (D. Kingma and M. Welling, 2014, appendix B).

    Parameters
    ----------
    mean, log_variance : Tensor or array (N, ...)
    reduction : {"mean", "sum", "none"}, default="mean"

    Returns
    -------
    Tensor or array
        One number, or (N,) for "none".

    Examples
    --------
    >>> from minigrad import tensor
    >>> gaussian_kl(tensor([[1.0]]), tensor([[0.0]])).item()
    0.5
    """
    check_same_shape("gaussian_kl", mean, log_variance)
    terms = mean * mean + exp(log_variance) - 1 - log_variance
    return _reduce("gaussian_kl", terms, reduction) / 2


# ---------------------------------------------------------------------- helpers
def _p_log_ratio(p: Any, q: Any) -> Any:
    """``p log(p / q)`` of each element, 0 where p is 0."""
    if not hasattr(p, "shape"):  # a number
        return p * (math.log(p) - log(q)) if p else 0 * q
    zero = p == 0
    return p * (log(where(zero, 1.0, p)) - log(where(zero, 1.0, q)))


def _reduce(name: str, terms: T | Array, reduction: str) -> T:
    """Terms (N, ...) summed over the features, then reduced over the examples."""
    if reduction == "sum":
        return sum_over(terms)
    n = _batch(name, terms)
    if reduction == "mean":
        return sum_over(terms) / n
    if reduction == "none":
        return sum_over(reshape(terms, (n, -1)), axis=1)
    raise ValueError(f'{name}: reduction must be "mean", "sum" or "none", got {reduction!r}')


def _batch(name: str, terms: Any) -> int:
    if not terms.size:
        raise ValueError(
            f"{name}: got an empty batch of shape {tuple(terms.shape)}, whose mean has no value: "
            'leave it out, or use reduction="sum"'
        )
    return terms.shape[0] if terms.ndim else 1
