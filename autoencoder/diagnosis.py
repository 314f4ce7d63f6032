"""What is wrong with a fit, and what to do: found by looking, said as warnings.

A network that has learnt nothing gives codes and reconstructions all the same. So every `fit` is
compared with what needs no network (the mean, principal components), its loss is looked at, and its
units are counted. What comes of it is in `diagnosis_`; what a user should act on is a warning, too.
"""

import warnings
from typing import NamedTuple

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from . import collapse, inference
from .parts import BernoulliLikelihood, ContinuousBernoulliLikelihood, KLSparsity
from .rows import beside, blocks, column_moments, unpacked

_ROWS = 1024  # that are looked at, so that looking takes a small part of the training's time
_TOLERANCE = 1.1  # times the error of principal components, which a fit may have
_LEAST_KL = 0.01  # nats: a unit of less says nothing
_FALLING = 0.02  # of the loss's whole fall, in the last tenth of the epochs
_DENSE = 3.0  # times the activation that was asked for
_SATURATED = 15.0  # logits from which the probability is 0 or 1 within 3e-7


class DiagnosisWarning(ConvergenceWarning):
    """A fit ended, but not with the model that its user wants."""


class Finding(NamedTuple):
    """One thing that was found: its `name`, a `sentence`, and whether it `is_warning`."""

    name: str
    sentence: str
    is_warning: bool


def diagnose(model, X, training, noise=None, penalties=()):
    """Find what is wrong with a fit to `X` (N, D), a list of `Finding`; the worst come first.

    `model` is an ``inference.Model``, `training` the ``Training`` that has ended; data and errors
    are in the network's units. `noise` is one that has only what it hides scored, or None: the
    network is then asked about that. `penalties` are those that were paid.
    """
    rows, weight, observed = unpacked(
        X[:: max(1, -(-len(X) // _ROWS))]
    )  # (n, D), labels beside them
    some, labels = model.network.split(rows)
    seen = rows
    if noise is not None:
        seen, hidden = noise.found(noise.marked(some, np.random.default_rng(0)))
        seen = beside(seen.numpy(), labels)
        observed = hidden.numpy() if observed is None else hidden.numpy() * observed
    h = inference.encode(model, seen)  # (n, code.width)
    codes = model.code.mean(h)  # (n, k)
    read = beside(codes, labels)
    t = inference.decode(model, read)  # (n, D)
    found = [
        _error(model, X if labels is None else some, some, t, codes.shape[1], observed),
        _collapse(some, codes) or _silent_units(model, some, h, codes),
        _not_sparse(penalties, codes, weight),
        _dead_units(model, seen, read),
        None if noise is not None else _saturated(model, t, some),
        _still_falling(training.history),
        _validation(training),
        _held_out(training.history),
        _large_code(X, codes.shape[1], some.shape[1]),
    ]
    return sorted(filter(None, found), key=lambda finding: not finding.is_warning)


def warn(found, stacklevel):
    """Warn of every one of the findings that a user should act on."""
    for finding in found:
        if finding.is_warning:
            warnings.warn(finding.sentence, DiagnosisWarning, stacklevel=stacklevel + 1)


# ---------------------------------------------------------------------- Finding or None
@np.errstate(over="ignore", invalid="ignore")
def _error(model, X, some, t, k, observed):
    error = np.square(model.likelihood.mean(t) - some, dtype=np.float64)  # (n, D)
    spread = np.square(some - some.mean(axis=0), dtype=np.float64)
    error, spread = (np.average(squares, weights=observed) for squares in (error, spread))
    if not error < spread and spread > 0:
        return Finding(
            "worse than the mean",
            f"the mean squared error {error:.4g} is not below that of the mean of the data, "
            f"{spread:.4g}, so the codes say nothing: train longer (max_epochs), change "
            "learning_rate, or weaken the penalty or code__beta",
            True,
        )
    if observed is not None:  # principal components need all numbers
        return None
    least, tolerance = principal_error(X, some, k)
    if least > 1e-6 * spread and error > tolerance * least:
        return Finding(
            "worse than PCA",
            f"the mean squared error {error:.4g} is above that of a principal component analysis "
            f"of {k} components, {least:.4g}: train longer (max_epochs), add a hidden layer, or "
            "weaken what is paid for (noise, penalty, code__beta), unless that is what you want",
            True,
        )
    return None


def principal_error(X, some, k):
    """The mean squared error of k principal components of `X` (N, D), and what may be above it.

    Where D is large it is that of the rows `some` (n, D) alone, to which components fit better than
    to all: what may be above is then more.
    """
    tolerance = _TOLERANCE
    if X.shape[1] <= _ROWS:
        mean = column_moments(X)[0].astype(X.dtype)  # (D,)
        centred = (x - mean for x, *_ in blocks(X))
        squares = sum(x.T @ x for x in centred) / len(X)  # (D, D)
    else:
        tolerance += 2 * k / len(some) if len(some) < len(X) else 0
        centred = some - some.mean(axis=0)
        squares = centred @ centred.T / len(some)  # (n, n): the same eigenvalues
    values = np.linalg.eigvalsh(squares.astype(np.float64))  # rising
    return float(values[: max(len(values) - k, 0)].clip(0).sum()) / X.shape[1], tolerance


def _collapse(some, codes):
    if not collapse.are_equal(codes) or (some == some[0]).all():
        return None
    advice = "fit again with restarts=5, another random_state or a smaller learning_rate"
    return Finding("codes all equal", f"{collapse.MESSAGE}: {advice}", True)


def _silent_units(model, some, h, codes):
    """Code units that are the same for all rows; of Gaussian codes, those that carry no nats."""
    k = codes.shape[1]
    if hasattr(model.code, "log_variance"):
        log_variance = model.code.log_variance(h)  # (n, k)
        nats = (np.square(codes) + np.exp(log_variance) - 1 - log_variance).mean(axis=0) / 2  # (k,)
        silent, what = int((nats < _LEAST_KL).sum()), f"carry less than {_LEAST_KL} nats"
        advice = "a smaller code__beta, code__warm_up=0.3 or likelihood='optimal_gaussian'"
    else:
        spread = codes.std(axis=0)  # (k,)
        silent, what = int((spread <= 1e-4 * spread.max()).sum()), "are the same for all rows"
        advice = "code='linear', a smaller learning_rate or another random_state"
    if not silent or (some == some[0]).all():  # equal rows have equal codes
        return None
    sentence = f"{silent} of the {k} code units {what}, so the code is shorter than it looks"
    worst = silent == k if hasattr(model.code, "log_variance") else silent > k / 10
    return Finding("silent code units", f"{sentence}: use {advice}" if worst else sentence, worst)


def _not_sparse(penalties, codes, weight=None):
    """Whether code units are on for much more of the data than a `KLSparsity` asks."""
    targets = [p.target for p in penalties if isinstance(p, KLSparsity)]
    some = weight is not None and weight.any()
    mean = float(np.average(codes.mean(axis=1), weights=weight if some else None))
    if not targets or not mean > _DENSE * min(targets):
        return None
    return Finding(
        "code not sparse",
        f"the mean activation of the code is {mean:.2g} where the penalty asks for "
        f"{min(targets):.2g}: a larger penalty__weight makes it sparser, and the error larger",
        False,
    )


def _dead_units(model, some, codes):
    """Hidden relu units that are 0 for all rows; found by hooks on the layers.

    `some` and `codes` are what encoder and decoder read.
    """
    network = model.network
    layers = [m for m in network.modules() if getattr(m, "activation", None) == "relu"]
    alive = {}

    def look(layer, args, output):
        units = output.numpy()
        alive[id(layer)] = (units > 0).any(axis=tuple(range(units.ndim - 1)))

    hooks = [layer.register_forward_hook(look) for layer in layers]
    try:
        inference.encode(model._replace(block=len(some)), some)
        inference.decode(model._replace(block=len(some)), codes)
    finally:
        for hook in hooks:
            hook.remove()
    units = sum(map(len, alive.values()))
    dead = units - sum(int(each.sum()) for each in alive.values())
    if not dead:
        return None
    sentence = f"{dead} of the {units} hidden relu units are 0 for all rows: they learn no more"
    worst = dead > units / 4
    advice = ": use a smaller learning_rate, or activation='softplus' or 'tanh'"
    return Finding("dead units", sentence + advice if worst else sentence, worst)


def _saturated(model, t, some):
    if not isinstance(model.likelihood, BernoulliLikelihood | ContinuousBernoulliLikelihood):
        return None  # the outputs are no logits
    wrong = (np.abs(t) > _SATURATED) & (np.abs(model.likelihood.mean(t) - some) > 0.01)
    if wrong.mean() <= 0.01:
        return None
    return Finding(
        "saturated outputs",
        f"{wrong.mean():.0%} of the outputs are 0 or 1 where the data are not, and hardly any "
        "gradient comes back from there: use a smaller learning_rate",
        True,
    )


def _still_falling(history):
    """Whether the loss fell up to the end; a learning rate that falls always lowers it a little."""
    rates = np.array(history["learning_rate"])
    losses = np.array(history["loss"], dtype=np.float64)[rates == rates.max()]
    tenth = max(1, len(losses) // 10)
    if len(losses) < 3:
        return None
    before, now = losses[-2 * tenth : -tenth].mean(), losses[-tenth:].mean()
    if not before - now > _FALLING * (losses[0] - now) > 0:
        return None
    return Finding(
        "loss still falling",
        f"after {len(history['loss'])} epochs the loss was still falling, from {before:.5g} to "
        f"{now:.5g} over {tenth} of them: use a larger max_epochs, or begin with a larger "
        "learning_rate",
        True,
    )


def _validation(training):
    losses = training.history.get("validation_loss")
    if not losses or not _rises(losses, training.best_epoch / training.epoch):
        return None
    best = training.best_epoch
    return Finding(
        "validation loss rising",
        f"the validation loss was lowest after epoch {best} of {training.epoch}, "
        "whose weights were kept, and rose afterwards: patience=10 saves the rest; more data, "
        "noise or a penalty let the network learn longer",
        False,
    )


def _held_out(history):
    """Whether images that had no say in the training, see ``runs.train``, were better rebuilt."""
    losses = history.get("held_out_loss", [])
    if not losses or not np.isfinite(losses).all():
        return None
    best = int(np.argmin(losses))
    if not _rises(losses, (best + 1) / len(losses)):
        return None
    return Finding(
        "held-out loss rising",
        f"the loss of held-out images was lowest after epoch {best + 1} of {len(losses)} "
        f"({losses[best]:.5g} against {losses[-1]:.5g} at the end): train for fewer epochs, or "
        "hold out a validation_fraction, whose best weights are kept; more data, noise or a "
        "penalty let the network learn longer",
        True,
    )


def _rises(losses, best):
    """Whether `losses` rose again by more than a fiftieth of their fall.

    The lowest came when the part `best` of the epochs was over; after four fifths it is no rise.
    """
    losses = [loss for loss in losses if np.isfinite(loss)]
    if len(losses) < 5 or best > 0.8:
        return False
    return losses[-1] - min(losses) > 0.02 * (losses[0] - min(losses))


def _large_code(X, k, n_features):
    if k < len(X) or k >= n_features:  # what is as long as the rows is not meant to describe them
        return None
    return Finding(
        "more code than data",
        f"a code of {k} numbers for {len(X)} rows can name every row instead of describing it: use "
        "a smaller n_components",
        True,
    )
