"""Penalties: what an autoencoder pays for beside a wrong reconstruction.

A penalty is called with a `Batch` and returns a scalar Tensor in nats per sample, to be added to
the loss. Only `KLSparsity` remembers anything, in the dictionary that the batch brings along.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import BaseEstimator

from minigrad import Tensor, grad, maximum, reshape, tensor
from minigrad.backend import array_module, to_device
from minigrad.functional import check_rng
from minigrad.losses import bernoulli_kl
from minigrad.nn import Dense, Sequential
from minigrad.optim import l1_penalty, l2_penalty
from minigrad.tape import opaque
from minigrad.whole_batch import whole_mean, whole_sum

from ..checks import check_number

_USUAL = 0.2  # nats for each feature and a unit's whole divergence
_EPSILON = 1e-6  # how near to 0 and 1 KLSparsity lets a mean activation come


class Batch(NamedTuple):
    """What a penalty may look at, for one minibatch of N samples."""

    network: object  # a Network
    code: object  # a PointCode or GaussianCode
    x: object  # what the network read, noise included, labels beside it: (N, D)
    h: object  # the encoder's outputs: (N, code.width)
    z: object  # what the decoder read: (N, k)
    rng: object  # a numpy Generator
    memory: dict  # of plain arrays; the trainer's, saved with it
    weight: object = None  # of each sample, (N,), or None: all count the same

    @property
    def n_features(self):
        """How many of the columns of `x` are data."""
        return self.network.split(self.x)[0].shape[1]


class L1Penalty(BaseEstimator):
    """``weight * sum |code|``: most code units at zero most of the time.

    Parameters
    ----------
    weight : float, default=0.001
    """

    name = "l1"

    def __init__(self, weight: Any = 1e-3) -> None:
        self.weight = weight

    def __call__(self, batch: Batch) -> Any:
        code = batch.code.mean(batch.h)  # (N, k)
        return float(self.weight) * _total(abs(code), batch.weight) / code.shape[0]


class KLSparsity(BaseEstimator):
    """Every code unit is to be on for a fraction `target` of the data (A. Ng, CS294A notes, 2011).

    ``weight * sum_j KL(Bernoulli(target) || Bernoulli(mean activation of unit j))``. The mean is
    over the data: a running mean over minibatches, which remembers `momentum` of itself, because
    the divergence is convex and so too large on average for the mean of one small batch. The
    gradient goes through the mean of the present batch. Needs codes in (0, 1): a sigmoid.

    A `weight` of "auto" is ``0.2 D / k`` for k units and D features: the reconstruction is a sum
    over features and this one over units, and neither then outweighs the other in wide data.

    Parameters
    ----------
    target : float in (0, 1), default=0.05
    weight : float or "auto", default="auto"
    momentum : float in [0, 1], default=0.9
    """

    name = "kl_sparsity"

    usual_weight = "auto"

    def __init__(self, target: float = 0.05, weight: Any = "auto", momentum: float = 0.9) -> None:
        self.target = target
        self.weight = weight
        self.momentum = momentum

    def check(self, code: Any) -> None:
        """Raise ValueError unless the `code`, `target` and `momentum` lie between 0 and 1."""
        for name in ("target", "momentum"):
            value = getattr(self, name)
            check_number(f"KLSparsity: {name}", value, "from 0 to 1", lambda v: 0 <= v <= 1)
        activation = getattr(code, "activation", None)
        if activation != "sigmoid":
            raise ValueError(
                "KLSparsity: the codes must lie between 0 and 1, "
                f"got a {f'{activation} code' if activation else type(code).__name__}: "
                "use code='sigmoid'"
            )

    def begin(self, network):
        """Let the units of a new `network` start at `target`: its last biases are the logit of it.

        From 1/2, where they would start, they take most of a short training to come down. Biases
        that are not 0 are somebody's choice, and stay.
        """
        layer = network.encoder[-1] if isinstance(network.encoder, Sequential) else network.encoder
        plain = isinstance(layer, Dense) and layer.activation is None and layer.bias is not None
        if plain and not layer.bias.data.any():
            target = min(max(float(self.target), _EPSILON), 1 - _EPSILON)
            layer.bias.data[...] = math.log(target / (1 - target))

    def __call__(self, batch: Batch) -> Any:
        self.check(batch.code)
        now, total = _mean_code(batch)  # (k,)
        if total is not None and not total.item() > 0:
            return 0 * now.sum()  # nobody in this batch counts
        memory = batch.memory if batch.network.training else None
        value = Tensor(opaque(_running, now.detach()._data, memory, self.name, self.momentum))
        # The value is that of the running mean, the derivative that of the batch mean.
        activation = value + (now - now.detach())
        weight = self.weight
        if weight == "auto":
            weight = _USUAL * batch.n_features / now.shape[0]
        return float(weight) * bernoulli_kl(float(self.target), activation)


def _running(now, memory, name, momentum):
    """The running mean in the `memory`, moved towards the array `now`; or `now` without a memory.
    It stays a little within 0 and 1."""
    if memory is not None:
        running = memory.setdefault(name, now.copy())  # stays where it is: a captured step on the
        running += (1 - float(momentum)) * (now - running)  # GPU knows its address
        now = running
    return now.clip(_EPSILON, 1 - _EPSILON)


class ContractivePenalty(BaseEstimator):
    """``weight * ||J||_F**2``: the code hardly moves when the data do (S. Rifai et al., 2011).

    J is the derivative (k, D) of the code (of a Gaussian code's mean) with respect to what the
    network read, without dropout; the mean over the samples is taken. ``method="exact"`` walks
    back once for each of the k rows; of an encoder without hidden layers it knows the norm,
    ``sum_j slope_j**2 sum_i W_ij**2``. ``"hutchinson"`` estimates the norm by ``|J^T u|**2`` with
    random signs u, which has the right expectation (M. Hutchinson, 1990), in one walk.

    Parameters
    ----------
    weight : float, default=0.1
    method : {"exact", "hutchinson"}, default="exact"
    """

    name = "contractive"

    def __init__(self, weight: Any = 0.1, method: str = "exact") -> None:
        self.weight = weight
        self.method = method

    def check(self, code: Any) -> None:
        """Raise ValueError for an unknown method, or a code that has no derivative."""
        if getattr(code, "steps", False):
            raise ValueError(
                f"ContractivePenalty: the derivative of {type(code).__name__} is 0, it changes by "
                "steps: use another code, or no such penalty"
            )
        if not isinstance(self.method, str) or self.method not in ("exact", "hutchinson"):
            raise ValueError(
                f"ContractivePenalty: method must be 'exact' or 'hutchinson', got {self.method!r}"
            )

    def __call__(self, batch: Batch) -> Any:
        self.check(batch.code)
        network, training = batch.network, batch.network.training
        x = batch.x.detach() if isinstance(batch.x, Tensor) else tensor(batch.x)
        x.requires_grad = True
        network.eval()
        h = network.encode(x)  # (N, code.width)
        network.train(training)
        code = batch.code.mean(h)  # (N, k)
        data = batch.n_features if network.n_labels else None  # J is not by labels
        if self.method == "hutchinson":
            squares = _random_row(code, x, batch.rng, batch.weight, data)
        else:
            weight = _only_weight(network.encoder)
            one = weight is not None
            each = batch.weight
            squares = (
                _one_layer(code, h, weight[:data], each) if one else _rows(code, x, each, data)
            )
        return float(self.weight) * squares / x.shape[0]


def _total(values, weight):
    """The sum of `values` (N, m), where each sample counts by its `weight` (N,) or None."""
    return values.sum() if weight is None else (values.sum(axis=1) * weight).sum()


def _mean_code(batch):
    """The weighted mean of the codes (k,), 0 where no sample counts, and the sum of the weights."""
    code, weight = batch.code.mean(batch.h), batch.weight  # (N, k)
    if weight is None:
        return whole_mean(code.mean(axis=0)), None
    counted = (code * reshape(weight, (-1, 1))).sum(axis=0)
    total = whole_sum(weight.sum())
    return whole_sum(counted) / maximum(total, np.finfo(total.dtype).tiny), total


def _only_weight(encoder):
    """The weight of an encoder that is one `Dense` layer without an activation, else None."""
    layer = encoder[0] if isinstance(encoder, Sequential) and len(encoder) == 1 else encoder
    single = isinstance(layer, Dense) and layer.activation is None
    return layer.weight if single else None


def _one_layer(code, h, weight, each=None):
    """``||J||**2`` summed over the samples, where ``code = activation(h)``, ``h = x W + b``."""
    ones = array_module(code._data).ones_like(code._data)
    slope = grad(code, h, ones, create_graph=True)  # (N, code.width), elementwise
    squares = slope * slope @ (weight * weight).sum(axis=0)  # (N,)
    return squares.sum() if each is None else (squares * each).sum()


def _rows(code, x, each=None, n_features=None):
    """``||J||**2`` summed over the samples: each of the k rows by one walk for all samples.

    One walk for all rows, with every sample repeated k times, was measured to be 6 to 25 % slower
    and to take up to 2.5 times the memory, but for networks of a few dozen units, where it is
    twice as fast.
    """
    total = 0.0
    for j in range(code.shape[1]):
        unit = array_module(code._data).zeros_like(code._data)
        unit[:, j] = 1
        row = grad(code, x, unit, create_graph=True)  # (N, D): row n depends on sample n only
        total = total + _total(_squares(row, n_features), each)
    return total


def _random_row(code, x, rng, each=None, n_features=None):
    """``|J^T u|**2`` summed over the samples, with signs u drawn for each."""
    check_rng("ContractivePenalty", rng, or_philox=True)
    signs = opaque(_signs, rng, code.shape, code.device, code.dtype)
    row = grad(code, x, signs, create_graph=True)  # (N, D)
    return _total(_squares(row, n_features), each)


def _signs(rng, shape, device, dtype):
    uniform = to_device(rng.random(shape, dtype=np.float32), device)
    return array_module(uniform).where(uniform < 0.5, -1, 1).astype(dtype)


def _squares(row, n_features):
    """The squares of the first `n_features` columns of `row` (N, D), of all where that is None."""
    row = row if n_features is None else row[:, :n_features]
    return row * row


class WeightDecay(BaseEstimator):
    """``weight / 2 * sum w**2`` ("l2") or ``weight * sum |w|`` ("l1") of all matrices and kernels.

    Biases are left alone. The "l2" gradient is ``weight * w``, as PyTorch's ``weight_decay``.

    Parameters
    ----------
    weight : float, default=1e-4
    norm : {"l1", "l2"}, default="l2"
    """

    name = "weight_decay"

    def __init__(self, weight: Any = 1e-4, norm: str = "l2") -> None:
        self.weight = weight
        self.norm = norm

    def check(self, code: Any) -> None:
        """Raise ValueError for an unknown norm."""
        if not isinstance(self.norm, str) or self.norm not in ("l1", "l2"):
            raise ValueError(f"WeightDecay: norm must be 'l1' or 'l2', got {self.norm!r}")

    def __call__(self, batch: Batch) -> Any:
        self.check(batch.code)
        weights = [p for p in batch.network.parameters() if p.ndim > 1]
        if self.norm == "l2":
            return l2_penalty(weights, float(self.weight))
        return l1_penalty(weights, float(self.weight))
