"""Anomaly detection: rows that an autoencoder, trained on mostly normal ones, finds unlikely.

With `calibration_fraction` some rows are kept from the training. Their scores are then what a new
normal row's score can be compared with: its rank among them is a conformal p-value, which for
normal rows is at most a with probability at most a, whatever the network learnt (V. Vovk et al.,
"Algorithmic learning in a random world", 2005; S. Bates et al., 2023).
"""

from __future__ import annotations

from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator, OutlierMixin, clone
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from minigrad.backend import Array
from minigrad.checkpoint import PathLike

from . import export, persistence, shared
from .checks import as_rows, check_number
from .estimator import FLOATS
from .parameters import unchanged_if_refused
from .rows import blocks, row_weights
from .stream import as_batches, counts, in_batch
from .variants import Autoencoder  # here all kinds are known, so that `load` finds every one

if TYPE_CHECKING:
    from typing import Self

ROWS = 256  # that are computed with at a time
CRITERIA = ("likelihood", "reconstruction", "code")


class AutoencoderAnomalyDetector(OutlierMixin, BaseEstimator):
    """Finds rows that an autoencoder, trained on the others, does not know.

    Parameters
    ----------
    autoencoder : an `Autoencoder` of any kind, which is cloned; None is an untouched one, of which
        parameters can be set, as in a search over ``autoencoder__learning_rate``.
    criterion : what the scores are, high ones being normal: "likelihood" (the autoencoder's
        `score_samples`), "reconstruction" (minus the squared error, in its units), or "code"
        (minus the squared Mahalanobis distance of the code from the training codes).
    contamination : in (0, 0.5], the fraction of the rows of `fit` that are called anomalies; with
        calibration, of new normal rows, at most.
    calibration_fraction : the fraction of the rows that only calibrate: they should be normal.
    random_state : an int for results that can be repeated; it also replaces the autoencoder's.

    Attributes
    ----------
    autoencoder_ : the fitted autoencoder.
    offset_ : scores below it are anomalies.
    calibration_scores_ : of the rows kept from the training, in rising order, or None.
    classes_ : what `predict` answers, -1 and 1, for scikit-learn's tools that want classifiers.

    Notes
    -----
    As scikit-learn's own detectors this is no classifier, so ``TunedThresholdClassifierCV`` refuses
    it. ``CalibratedClassifierCV(detector)`` makes one of it where there are labels (1 for normal
    rows, -1 for anomalies), with probabilities; that can be tuned. ``scoring="roc_auc"`` works in
    every search.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 1)) * [1, 2, 3, 4] + 0.1 * rng.normal(size=(200, 4))
    >>> model = Autoencoder(1, code="linear", learning_rate=0.05, max_epochs=30)
    >>> detector = AutoencoderAnomalyDetector(model, contamination=0.05, random_state=0).fit(X)
    >>> detector.predict([[1.0, 2.0, 3.0, 4.0], [4.0, -3.0, 2.0, -1.0]])
    array([ 1, -1])
    >>> detector.explain([[1.0, 2.0, 9.0, 4.0]]).argmax()
    np.int64(2)
    """

    autoencoder_: Autoencoder
    offset_: float
    calibration_scores_: Array | None
    classes_: Array

    def __init__(
        self,
        autoencoder: Autoencoder | None = None,
        *,
        criterion: str = "likelihood",
        contamination: float = 0.1,
        calibration_fraction: float = 0.0,
        random_state: Any = None,
    ) -> None:
        self.autoencoder = autoencoder
        self.criterion = criterion
        self.contamination = contamination
        self.calibration_fraction = calibration_fraction
        self.random_state = random_state

    def set_params(self, **params: Any) -> Self:
        """Set parameters, those of the autoencoder too, also where it is None: see there."""
        if self.autoencoder is None and any(name.startswith("autoencoder__") for name in params):
            params = {"autoencoder": Autoencoder(), **params}
        return super().set_params(**params)

    def fit(self, X: Any, y: Any = None, *, sample_weight: Any = None, X_val: Any = None) -> Self:
        """Train the autoencoder on the rows of `X` (N, D) and set the threshold; returns itself.

        `X` can be batches, `sample_weight` and `X_val` are as in `Autoencoder.fit`. A weight counts
        in the threshold, too, but not in a calibration, of which all rows count alike.
        """
        with unchanged_if_refused(self):
            given = {"sample_weight": sample_weight, "X_val": X_val}
            return self._learn(X, True, **{n: v for n, v in given.items() if v is not None})

    def partial_fit(self, X: Any, y: Any = None, *, sample_weight: Any = None) -> Self:
        """Train the autoencoder for one more epoch, on the rows of `X` (N, D); returns itself.

        The threshold, and with a `calibration_fraction` the calibration, are those of these rows
        alone, because the network that gave the scores of earlier ones is no more.
        """
        with unchanged_if_refused(self):
            given = {} if sample_weight is None else {"sample_weight": sample_weight}
            return self._learn(X, not hasattr(self, "autoencoder_"), one_epoch=True, **given)

    def _learn(self, X, anew, one_epoch=False, sample_weight=None, **given):
        self._check()
        if not one_epoch and (batches := as_batches(X)) is not None:
            return self._learn_batches(batches, sample_weight, given)
        image_shape = None if self.autoencoder is None else self.autoencoder.image_shape
        with shared.from_the_start(self.autoencoder if anew else self.autoencoder_):
            X = as_rows(type(self).__name__, X, image_shape)
            X = validate_data(self, X, dtype=FLOATS, ensure_min_samples=2, reset=anew)
            weights = sample_weight
            if sample_weight is not None:
                weights = _check_sample_weight(sample_weight, X, ensure_non_negative=True)
                given["sample_weight"] = weights
        rng = check_random_state(self.random_state)
        model = self._new_autoencoder(rng) if anew else self.autoencoder_
        train = model.partial_fit if one_epoch else model.fit
        if not self.calibration_fraction:
            return self._learnt(train(X, **given))._set_threshold(self._scores(X), weights)
        held_out = round(self.calibration_fraction * len(X))
        p_values = np.arange(1, held_out + 2) / (held_out + 1)  # those that there can be
        rank = np.searchsorted(p_values, self.contamination, side="right")  # of the threshold
        if rank < 1 or held_out >= len(X):
            raise ValueError(
                f"calibration_fraction={self.calibration_fraction} of {len(X)} rows holds out "
                f"{held_out}, but contamination={self.contamination} needs at least "
                f"{int(np.ceil(1 / self.contamination)) - 1}, and rows to train on: change one"
            )
        order = rng.permutation(len(X))
        if weights is not None:
            given["sample_weight"] = weights[order[held_out:]]
        self._learnt(train(X[order[held_out:]], **given))
        self.calibration_scores_ = np.sort(_finite(self._scores(X[order[:held_out]])))
        self.offset_ = self.calibration_scores_[rank - 1]
        return self

    def _learn_batches(self, batches, sample_weight, given):
        """As `_learn`, of batches, which are read once more for the scores."""
        if self.calibration_fraction or not batches.is_read_again:
            problem = f"calibration_fraction={self.calibration_fraction!r} needs all rows at once"
            if not batches.is_read_again:
                problem = f"the threshold needs {type(batches.source).__name__}s a second time"
            raise ValueError(
                f"fit: X is read in batches, and {problem}: use an array, or calibration_fraction=0"
                " and something that can be read again, such as Batches(function)"
            )
        if sample_weight is not None:
            given["sample_weight"] = sample_weight  # for which there is a sentence
        model = self._new_autoencoder(check_random_state(self.random_state)).fit(batches, **given)
        self._learnt(model)
        self.n_features_in_ = model.n_features_in_
        vars(self).pop("feature_names_in_", None)
        if hasattr(model, "feature_names_in_"):
            self.feature_names_in_ = model.feature_names_in_
        scores, weights, weighted = [], [], False
        for k, batch in enumerate(batches, start=1):
            if not counts(batch):
                continue
            X, _, weight = batch
            with in_batch(k):
                X = self._checked(X)
                each = np.ones(X.shape[0]) if weight is None else row_weights(weight, X)
            weighted = weighted or weight is not None
            scores.append(self._scores(X))
            weights.append(each)  # relative to those of the same batch, as in the training
        if not scores:
            raise ValueError(
                "fit: X gave no batches when it was read once more, and the threshold needs them: "
                "give something that can be read again, such as Batches(function)"
            )
        weights = np.concatenate(weights, dtype=np.float64) if weighted else None
        return self._set_threshold(np.concatenate(scores), weights)

    def _learnt(self, model):
        self.autoencoder_, self.calibration_scores_ = model, None
        self._criterion = self.criterion  # of the threshold: the parameter may be changed later
        self.classes_ = np.array([-1, 1])
        return self

    def _set_threshold(self, scores, weights=None):
        """Call the part `contamination` of rows with `scores` (N,) anomalies; returns itself."""
        self.offset_ = _quantile(_finite(scores), float(self.contamination), weights)
        return self

    def _new_autoencoder(self, rng):
        model = Autoencoder() if self.autoencoder is None else clone(self.autoencoder)
        if self.autoencoder is None or self.random_state is not None:
            model.set_params(random_state=rng.randint(2**31))
        return model

    def score_samples(self, X: Any) -> Array:
        """How normal every row is: (N, D) -> (N,) float64, low for anomalies; see `criterion`."""
        return self._scores(self._checked(X))

    def decision_function(self, X: Any) -> Array:
        """`score_samples` less the threshold `offset_`: (N, D) -> (N,), negative for anomalies."""
        return self.score_samples(X) - self.offset_

    def predict(self, X: Any) -> Array:
        """1 for normal rows, -1 for anomalies: (N, D) -> (N,)."""
        return np.where(self.decision_function(X) < 0, -1, 1)

    def explain(self, X: Any) -> Array:
        """Which features are to blame, their squared errors: (N, D) -> (N, D) of the same dtype.

        They count in the autoencoder's units (its `scale`): squared standard deviations where it
        standardises the data.
        """
        rows = self._checked(X)
        errors, start = np.empty_like(rows), 0
        with np.errstate(over="ignore"):
            for block in self._errors(rows):
                errors[start : start + len(block)] = block
                start += len(block)
        return errors.reshape(X.shape) if getattr(X, "ndim", 2) > 2 else errors  # images as given

    def p_values(self, X: Any) -> Array:
        """Conformal p-values, small for anomalies: (N, D) -> (N,) float64 in (0, 1].

        The fraction of the calibration rows, the row itself counted among them, that score no
        higher. Raises ValueError where no rows were held out for that.
        """
        scores = self.score_samples(X)
        if self.calibration_scores_ is None:
            raise ValueError(
                "p_values: scores of rows that the network was trained on are no measure for new "
                "ones: fit with calibration_fraction above 0, such as 0.3"
            )
        below = np.searchsorted(self.calibration_scores_, scores, side="right")
        return (1 + below) / (1 + len(self.calibration_scores_))

    def save(self, path: PathLike, format: str | None = None) -> None:
        """Write the fitted detector to the file `path` (.npz, no pickle); see ``persistence``.

        A generator given as `random_state` is left out. For the other formats see
        `Autoencoder.save`.
        """
        check_is_fitted(self)
        name = export.format_of(path, format)
        if name != "npz":
            export.save(self, path, name)
            return
        seed, scores = self.random_state, self.calibration_scores_
        about = {
            "offset": float(self.offset_),
            "feature_names": list(vars(self).get("feature_names_in_", [])),
            "own_autoencoder": self.autoencoder is not None,
            "params": {
                "criterion": self._criterion,
                "contamination": float(self.contamination),
                "calibration_fraction": float(self.calibration_fraction),
                "random_state": int(seed) if isinstance(seed, Integral) else None,
            },
        }
        arrays = {} if scores is None else {"detector/calibration": scores}
        persistence.save(self.autoencoder_, path, arrays, {"detector": about})

    @classmethod
    def load(cls, path: PathLike, *, device: str | None = None, network: Any = None) -> Self:
        """Read a detector that `save` wrote; see `Autoencoder.load` for the arguments.

        Raises FileNotFoundError, or ValueError where the file is damaged or holds no detector.
        """
        arrays, about = persistence.read_contents(path)
        if "detector" not in about:
            raise ValueError(f"load: {path} holds no detector: use autoencoder.load")
        return cls._restore(path, arrays, about, device, network)

    @classmethod
    def _restore(cls, path, arrays, about, device, network):
        """The detector of which `path` held these contents."""
        model = persistence.restore(path, arrays, about, Autoencoder, Autoencoder, device, network)
        try:
            saved = about["detector"]
            own = saved.get("own_autoencoder", True)
            made = cls(clone(model) if own else None, **saved["params"])
            made._check()
            made._criterion = made.criterion
            made.offset_ = float(saved["offset"])
            names = np.array(saved.get("feature_names", []), dtype=object)
            if len(names) not in (0, model.n_features_in_):
                raise ValueError(f"{len(names)} names of {model.n_features_in_} columns")
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ValueError(
                f"load: {path} does not describe a whole detector ({error}): it is damaged, "
                "restore it from a copy"
            ) from None
        made.classes_ = np.array([-1, 1])
        made.autoencoder_, made.n_features_in_ = model, model.n_features_in_
        if len(names):
            made.feature_names_in_ = names
        made.calibration_scores_ = arrays.get("detector/calibration")
        return made

    def _checked(self, X):
        check_is_fitted(self)
        X = as_rows(type(self).__name__, X, self.autoencoder_.image_shape)
        return validate_data(self, X, dtype=FLOATS, reset=False)

    def _check(self):
        if self.criterion not in CRITERIA:
            names = ", ".join(map(repr, CRITERIA))
            raise ValueError(f"unknown criterion {self.criterion!r}: use {names}")
        check_number("contamination", self.contamination, "in (0, 0.5]", lambda v: 0 < v <= 0.5)
        fraction = self.calibration_fraction
        check_number("calibration_fraction", fraction, "in [0, 1)", lambda v: 0 <= v < 1)
        if self.autoencoder is not None and not isinstance(self.autoencoder, Autoencoder):
            raise ValueError(
                f"autoencoder must be None or an Autoencoder of any kind, got {self.autoencoder!r}"
            )

    def _errors(self, X):
        """The squared errors of `X` (N, D) in the autoencoder's units, in blocks (n, D) float64."""
        model = self.autoencoder_
        for x, *_ in blocks(X, ROWS):
            with np.errstate(over="ignore", invalid="ignore"):
                difference = model._in_own_units(x) - model._in_own_units(model.reconstruct(x))
                yield np.square(difference, dtype=np.float64)

    @np.errstate(over="ignore", invalid="ignore")  # far from all that is known: -inf
    def _scores(self, X):
        model = self.autoencoder_
        if self._criterion == "likelihood":
            return model.score_samples(X)
        if self._criterion == "reconstruction":
            return -np.concatenate([block.sum(axis=1) for block in self._errors(X)])
        difference = model.transform(X).astype(np.float64) - model.code_mean_  # (N, k)
        inverse = np.linalg.pinv(model.code_covariance_.astype(np.float64), hermitian=True)
        return -(difference @ inverse * difference).sum(axis=1)


def _quantile(values, q, weights=None):
    """The quantile `q` of `values` (N,), as if each were there as often as its weight says.

    >>> _quantile(np.array([3.0, 1.0, 2.0]), 0.3, np.array([1, 2, 0]))
    np.float64(1.0)
    >>> _quantile(np.array([1.0, 1.0, 3.0]), 0.75), _quantile(np.arange(3.0), 0.5)
    (np.float64(2.0), np.float64(1.0))
    """
    if weights is None:
        return np.percentile(values, 100 * q)
    order = np.argsort(values)
    ends = np.cumsum(weights[order])  # of the places that each takes in the sorted list
    place = max(q * (ends[-1] - 1), 0.0)  # between two of them, as in np.percentile
    below, above = (
        values[order[min(np.searchsorted(ends, k, side="right"), len(order) - 1)]]
        for k in (np.floor(place), np.floor(place) + 1)
    )
    return below + (place - np.floor(place)) * (above - below)


def _finite(scores):
    """The `scores`, among which a threshold is to be found; ValueError unless they are finite."""
    if not np.isfinite(scores).all():
        raise ValueError(
            "the scores of the rows are not finite, because the data are too large or the training "
            "diverged: scale the data"
        )
    return scores


def load(
    path: PathLike, *, device: str | None = None, network: Any = None
) -> Autoencoder | AutoencoderAnomalyDetector:
    """Read what `save` wrote, an autoencoder of any kind or a detector; see `Autoencoder.load`.

    Parameters
    ----------
    path : str or path
    device : {"cpu", "cuda"}, default=None
        None: the device that it was on.
    network : callable, default=None
        The function that made the network, where it was made by one: files hold no code.

    Returns
    -------
    the estimator that was saved, fitted

    Raises
    ------
    FileNotFoundError
        Where there is no such file.
    ValueError
        Where it is damaged or is something else.
    """
    arrays, about = persistence.read_contents(path)
    if "detector" in about:
        return AutoencoderAnomalyDetector._restore(path, arrays, about, device, network)
    return persistence.restore(path, arrays, about, Autoencoder, Autoencoder, device, network)
