"""Autoencoder: one estimator in scikit-learn's manner, made of four parts.

The objective, in nats per sample, is the same for all its kinds:
``-log p(x | decode(z)) + divergence(code) + penalties`` with ``z = code(encode(noise(x)))``.
A kind is a choice of parts; the named ones are in ``variants.py``. This file is the public methods;
the loop is in ``training.py``, what a trained network says in ``inference.py``.
"""

from __future__ import annotations

import copy
import functools
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    clone,
)
from sklearn.utils import check_array, check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from minigrad.backend import Array
from minigrad.checkpoint import PathLike

from . import (
    diagnosis,
    export,
    inference,
    parameters,
    persistence,
    pretraining,
    scaling,
    shared,
    training,
)
from .captured_step import can_be_captured
from .checks import as_rows, check_whole, is_on, text_columns
from .networks import Network, build
from .parts import GaussianCode, GaussianLikelihood, assemble, draw_codes
from .progress import progress_bar
from .rows import (
    Rows,
    beside,
    blocks,
    classes_of,
    column_means,
    column_moments,
    numbers_per_row,
    one_hot,
    packed,
    row_weights,
)
from .stream import Stream, as_batches, in_batch

if TYPE_CHECKING:
    from typing import Self

_BLOCK = 256  # rows that results are computed of at a time
FLOATS = [np.float64, np.float32]  # the first is what other data become


def _recent(X):
    """Rows to look at: all of an array, the last ones of a `Stream`."""
    return X.recent if isinstance(X, Stream) else X


class Autoencoder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """A network that describes every row by `n_components` numbers, from which it can be rebuilt.

    Data are arrays (N, D) of float32 or float64; the network and all results have their dtype.

    Parameters
    ----------
    n_components : int or "auto", default="auto"
        The length k of the latent code; "auto" is a quarter of the features, at most 64.
    hidden : tuple of int or "auto", default="auto"
        The widths of the hidden layers from data to code; the decoder mirrors them. "auto" is none
        (with a linear code the network then is a principal component analysis), with an
        `image_shape` ``(16, 32)``.
    activation : {"relu", "sigmoid", "tanh", "softplus", "linear"}, default="relu"
        Of the hidden layers.
    image_shape : (H, W, C) or None, default=None
        Of rows that are images: every entry of `hidden` is then the number of channels of a 3x3
        convolution of stride 2.
    scale : {"auto", "standard"} or None, default="auto"
        The units in which the network works, in which noise, likelihood, penalties, the history and
        `noise_variance_` count. None leaves the data as they are; "standard" gives every column
        mean 0 and variance 1; "auto" is "standard" for data that leave [0, 1] or stay below 1/2, if
        the likelihood is for any numbers, else None. What goes in and comes out has the data's own
        units, densities too.
    network : None, "olivetti", "u_shaped" or function, default=None
        None makes a network of the parameters above. A function ``(sizes, code, rng, dtype) ->
        (encoder, decoder)`` gives two Modules of your own, see ``networks.build``; "olivetti" is
        the reference model's, see ``olivetti``, "u_shaped" a denoiser's, see ``u_shaped``.
    tied : bool, default=False
        Whether the decoder uses the encoder's weights, transposed.
    dropout : float, default=0.0
        The rate at which hidden units are dropped while training.
    noise : None, str or noise, default=None
        What is done to the input while training: "gaussian", "heteroscedastic", "masking",
        "salt_and_pepper", "patches", or a noise from ``autoencoder.parts``.
    code : str or code, default="linear"
        "linear", "relu", "sigmoid", "tanh", "gaussian" (variational), "vector_quantised", or a
        code.
    likelihood : str or likelihood, default="gaussian"
        Of the data: "gaussian" (of variance 1: half the squared error), "optimal_gaussian" (of the
        most likely variance), "bernoulli", "continuous_bernoulli" (both for data in [0, 1]), or a
        likelihood.
    penalty : None, str, penalty or tuple, default=None
        "l1", "kl_sparsity", "contractive", "weight_decay", "mmd", "total_correlation", a penalty,
        or a tuple of them.
    solver : {"adam", "adamw", "sgd", "rmsprop"} or function, default="adam"
        The optimizer; "sgd" has Nesterov's momentum of 0.9. A function ``(parameters, lr) ->
        optimizer`` makes one of your own, or one that several processes share:
        ``minigrad.distributed.AllReduce``, see ``docs/scaling.md``.
    solver_options : dict or None, default=None
        More arguments of the optimizer, such as ``{"epsilon": 1e-7, "epsilon_hat": True}``.
    learning_rate : float, default=0.002
        The size of the first step.
    schedule : None, str or function, default="cooldown"
        How the learning rate falls in the course of a fit: "cooldown" (to 0 over the last quarter;
        not in `partial_fit`), "step" (to a tenth after each third), "exponential" (to a hundredth),
        "cosine" (to 0), None (not at all), a schedule of ``minigrad.optim``,
        or a function that takes the optimizer before every step (its `t` is the number of steps
        made) and returns the rate.
    batch_size : int or "auto", default="auto"
        The rows of one step. "auto" is 32, and more where an epoch would have more than 60 steps,
        at most 256.
    skip_last_batch : bool, default=False
        Whether an epoch leaves out its last batch, be it full or not, unless it has no other.
    max_epochs : int or "auto", default="auto"
        How often `fit` goes through the data; with 0 the network stays untrained. "auto" makes 4000
        steps (at least 10 epochs), and fewer where the (validation) loss levels off before.
    pretrain_epochs : int or "auto", default=0
        How often `fit` goes through the data with each layer and its mirror image by themselves,
        from the data inwards, before it trains the whole network (greedy layer-wise pretraining);
        "auto" as for `max_epochs`. For dense hidden layers; see ``pretraining``.
    validation_fraction : float, default=0.0
        The part of the rows on which the objective is only measured, with the same draws of noise
        and codes each time. The weights of the best epoch are then kept.
    patience : int or None, default=None
        After how many epochs without a better (validation) loss to stop; None never stops.
    restarts : int, default=0
        How often `fit` may begin again with other weights when all rows have had the same code for
        three epochs; a ConvergenceWarning says so.
    missing : {"refuse", "mask"}, default="refuse"
        Whether NaN in the data is an error, or a number that is not known: it is left out of the
        loss and of all scores, and the network reads the mean of its column (of the first fit).
    conditional : bool, default=False
        Whether encoder and decoder read the class labels `y` too, as columns beside data and code
        (K. Sohn et al., 2015). `fit` and all methods that take rows or codes then need `y`, and
        ``sample(n, y=label)`` draws data of one class.
    warm_start : bool, default=False
        Whether `fit` goes on from the weights, the optimizer's state and the random streams of the
        last fit.
    callbacks : None, function or sequence of functions, default=None
        Called as ``callback(estimator, record)`` after every epoch of `fit` with its numbers, a
        dict; one that returns True ends the training.
    device : {"cpu", "cuda"}, default="cpu"
        Where the network is. Arrays come in and go out through main memory.
    verbose : bool or int, default=0
        Whether to show a progress bar.
    random_state : int, RandomState or None, default=None
        An int for results that can be repeated, as everywhere in scikit-learn.

    Attributes
    ----------
    network_ : Network
        The encoder and the decoder: a copy, which can be trained further without changing the
        estimator. Assigning a network of the same shape gives the estimator its weights.
    history_ : dict of lists
        One number for each epoch: "epoch", "loss" and its terms in nats per sample, "l2_loss" (half
        the squared error, summed over the features, of a Gaussian likelihood of fixed variance),
        "learning_rate" (at its first step), "code_mean" and "code_spread" (of the codes' elements,
        and between the rows of the last whole batch), "validation_loss".
    n_iter_, best_epoch_, n_restarts_ : int
        Epochs made, the epoch whose weights the network has, how often the fit began again.
    noise_variance_ : float
        Of the Gaussian likelihood, in the network's units (see `scale`); "optimal" is the mean
        squared error of the rows last trained on.
    diagnosis_ : list of Finding
        What was found wrong with the last `fit`, each with a name, a sentence that says what to do,
        and whether it is a warning; those are also given as a DiagnosisWarning.
    code_mean_, code_covariance_ : arrays (k,) and (k, k)
        Of the codes of the rows last trained on.
    n_features_in_, feature_names_in_ : int, array
        Of the data.
    classes_ : array
        The classes of `y`, where the autoencoder is conditional.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> X = load_digits().data.astype(np.float32) / 16
    >>> model = Autoencoder(8, max_epochs=3, random_state=0).fit(X)
    >>> model.transform(X).shape, model.reconstruct(X).shape, model.history_["epoch"]
    ((1797, 8), (1797, 64), [1, 2, 3])
    """

    history_: dict[str, list[Any]]
    n_iter_: int
    best_epoch_: int
    n_restarts_: int
    noise_variance_: float
    diagnosis_: list[diagnosis.Finding]
    code_mean_: Array
    code_covariance_: Array
    classes_: Array
    n_features_in_: int

    def __init__(
        self,
        n_components: int | str = "auto",
        *,
        hidden: Sequence[int] | str = "auto",
        activation: str = "relu",
        image_shape: tuple[int, int, int] | None = None,
        scale: str | None = "auto",
        network: str | Callable[..., Any] | None = None,
        tied: bool = False,
        dropout: float = 0.0,
        noise: Any = None,
        code: Any = "linear",
        likelihood: Any = "gaussian",
        penalty: Any = None,
        solver: Any = "adam",
        solver_options: dict[str, Any] | None = None,
        learning_rate: float = 2e-3,
        schedule: str | Callable[..., float] | None = "cooldown",
        batch_size: int | str = "auto",
        skip_last_batch: bool = False,
        max_epochs: int | str = "auto",
        pretrain_epochs: int | str = 0,
        validation_fraction: float = 0.0,
        patience: int | None = None,
        restarts: int = 0,
        missing: str = "refuse",
        conditional: bool = False,
        warm_start: bool = False,
        callbacks: Any = None,
        device: str = "cpu",
        verbose: int = 0,
        random_state: Any = None,
    ) -> None:
        self.n_components = n_components
        self.hidden = hidden
        self.activation = activation
        self.image_shape = image_shape
        self.scale = scale
        self.network = network
        self.tied = tied
        self.dropout = dropout
        self.noise = noise
        self.code = code
        self.likelihood = likelihood
        self.penalty = penalty
        self.solver = solver
        self.solver_options = solver_options
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.batch_size = batch_size
        self.skip_last_batch = skip_last_batch
        self.max_epochs = max_epochs
        self.pretrain_epochs = pretrain_epochs
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.restarts = restarts
        self.missing = missing
        self.conditional = conditional
        self.warm_start = warm_start
        self.callbacks = callbacks
        self.device = device
        self.verbose = verbose
        self.random_state = random_state

    # ------------------------------------------------------------------ training
    def fit(self, X: Any, y: Any = None, *, sample_weight: Any = None, X_val: Any = None) -> Self:
        """Train on the rows of `X` (N, D) for `max_epochs` epochs; returns the estimator.

        A sparse matrix is read block by block. `X` may also be an iterable of batches, such as a
        DataLoader, a Dask array or a generator, of which a few are in memory at a time, see
        ``stream.Batches``; what depends on the data before the first step is then taken from the
        first batch, and a generator, which can be read once, gives one epoch.

        `sample_weight` (N,) says how much each row counts: 2 is as if it were there twice. On the
        rows `X_val` (M, D) the objective is only measured; they take the place of a
        `validation_fraction`. `y` (N,) is ignored, unless the autoencoder is `conditional`:
        classes. Raises ValueError for data or parameters that cannot be used. A training that
        diverges ends with a ConvergenceWarning and the best weights so far.
        ``warm_start`` brings a fit that was cut short (saved by a callback, or interrupted) to its
        end.
        """
        with shared.from_the_start(self):
            goes_on = is_on("warm_start", self.warm_start) and self._is_built()
            if (batches := as_batches(X)) is None:
                parts, settings, X = self._prepare(X, y, sample_weight, reset=not goes_on)
            else:
                self._check_streams(y, sample_weight, X_val)
                parts, settings, X = self._prepare_stream(batches, reset=not goes_on)
            if X_val is not None:
                X_val = self._prepare_validation(parts, X_val)
        state = self._training
        goal = state.plan.goal if state.plan else state.epoch + settings.max_epochs
        shown = bool(self.verbose) and shared.speaks(state)
        progress = progress_bar(type(self).__name__, state.epoch, goal, shown)

        def report(record):
            progress.set_postfix({n: f"{record[n]:.4g}" for n in record if n.endswith("loss")})
            progress.update(state.epoch - progress.n)  # fewer than before after a restart
            self._count()
            return self._call_back(record, _recent(X))

        def pretrained(network, streams):
            if self.pretrain_epochs != 0:
                shorter = self._settings(len(X), max_epochs=self.pretrain_epochs, restarts=0)
                given = network, streams, parts, shorter, X, X_val
                pretraining.pretrain(*given, verbose=shown)
            return network

        def renew(streams):
            return pretrained(self._new_network(streams, parts.penalties), streams)

        with progress, shared.together(state):
            try:
                if not goes_on:
                    pretrained(state.network, state.streams)
                training.fit(state, parts, settings, X, report, renew, X_val)
            finally:
                self._finish(_recent(X))  # also when interrupted: the network can be used
            if isinstance(X, Stream) and X.batches.is_read_again and state.epoch:
                self._finish_stream(X)
            noise = parts.noise if parts.scores_in_part else None
            ended = self._model, _recent(X), state, noise, parts.penalties
            self.diagnosis_ = diagnosis.diagnose(*ended) if state.epoch else []
            if names := [f.name for f in self.diagnosis_ if f.is_warning]:
                before = getattr(progress, "postfix", None)  # there where it is shown, at times
                progress.set_postfix_str(", ".join(filter(None, [before, *names])))
        if shared.speaks(state):
            diagnosis.warn(self.diagnosis_, stacklevel=2)
        return self

    def partial_fit(self, X: Any, y: Any = None, *, sample_weight: Any = None) -> Self:
        """Train for one epoch on the rows of `X` (N, D), going on from the last; returns itself.

        All rows are trained on: nothing is held out, no best weights are kept and no callbacks are
        called. Five calls do what one `fit` of five epochs does, to the last bit, unless the
        `schedule` is "cooldown". Mean and units of the data (`scale`) are those of the first call.
        """
        with shared.from_the_start(self):
            parts, settings, X = self._prepare(X, y, sample_weight, reset=not self._is_built())
        with shared.together(self._training):
            try:
                training.partial_fit(self._training, parts, settings, X)
            finally:
                self._finish(X)
        return self

    def _prepare_validation(self, parts, X_val):
        """The rows `X_val` as the network reads them."""
        if self.conditional:
            raise ValueError(
                "fit: X_val has no labels, which conditional=True needs: use validation_fraction"
            )
        X_val = self._checked(X_val)
        self._check_range(parts, X_val)
        return self._in_own_units(X_val).astype(self._dtype, copy=False)

    def _check_streams(self, y, sample_weight, X_val):
        """Raise ValueError for what does not go with batches."""
        for name, value in (("y", y), ("sample_weight", sample_weight)):
            if value is not None:
                raise ValueError(
                    f"fit: X is read in batches, so {name} comes with them: give batches (rows, "
                    "labels) or (rows, labels, sample_weight), and None for what there is not"
                )
        whole = {"validation_fraction": X_val is None, "pretrain_epochs": True}
        for name, counts in whole.items():
            if counts and getattr(self, name) not in (0, 0.0):
                raise ValueError(
                    f"fit: {name}={getattr(self, name)!r} needs all rows at once, and X is read in "
                    f"batches: use {'X_val' if name.startswith('val') else 'an array'}, or "
                    f"{name}=0"
                )

    def _prepare_stream(self, batches, reset):
        """As `_prepare`, of a `Stream` of the batches."""
        stream = Stream(batches)
        with parameters.unchanged_if_refused(self):
            k, first = stream.first()
            with in_batch(k):
                parts, _, rows = self._prepare(*first, reset=reset)
            settings = self._settings(None)
            if not batches.is_read_again:
                if settings.max_epochs > 1:
                    warnings.warn(
                        f"fit: a {type(batches.source).__name__} can be read only once, so there "
                        f"is one epoch (max_epochs={self.max_epochs!r}): give something that can "
                        "be read again, such as Batches(function that returns one)",
                        UserWarning,
                        stacklevel=3,
                    )
                epochs = min(settings.max_epochs, 1)
                settings = settings._replace(max_epochs=epochs, counts_first=False)
        stream.begin_with(rows, functools.partial(self._next_rows, parts), self._sizes.n_labels)
        return parts, settings, stream

    def _next_rows(self, parts, X, y, sample_weight):
        """The rows of one more batch as the network reads them."""
        X = self._validated(X, self.image_shape, reset=False)
        if sample_weight is not None:
            sample_weight = row_weights(sample_weight, X)
        X = packed(X, self._fill, sample_weight)
        self._check_range(parts, X)
        labels = self._learn_labels(X, y, reset=False)
        return beside(self._in_own_units(X), labels).astype(self._dtype, copy=False)

    def _finish_stream(self, stream):
        """What `_finish` finds, from one more pass over all batches of a `Stream`."""
        total, products, variance, rows, numbers = 0.0, 0.0, 0.0, 0.0, 0.0
        center = self.code_mean_.astype(np.float64)  # near the mean, so that little cancels
        optimal = getattr(self._likelihood, "variance", None) == "optimal"
        for X in stream:
            weight = getattr(X, "weight", None)
            deviations = self._codes(X).astype(np.float64) - center  # (n, k)
            counted = deviations if weight is None else deviations * weight[:, None]
            total, products = total + counted.sum(axis=0), products + deviations.T @ counted
            rows += len(X)
            if optimal:
                known = len(X) * numbers_per_row(X, self._sizes.n_features)
                variance += known * inference.mean_squared_error(self._model, X)
                numbers += known
        if not rows:
            warnings.warn(
                "fit: X gave no batches when it was read once more, so the mean and spread of the "
                "codes and the variance are those of the last rows: give something that can be "
                "read again, such as Batches(function)",
                UserWarning,
                stacklevel=3,
            )
            return
        mean = total / rows  # (k,)
        self.code_mean_ = (center + mean).astype(self.code_mean_.dtype)
        self.code_covariance_ = products / rows - np.outer(mean, mean)
        if optimal:
            self.noise_variance_ = float(variance / numbers)

    def _is_built(self):
        return hasattr(self, "_training")

    def fit_transform(self, X: Any, y: Any = None, **fit_params: Any) -> Array:
        """`fit` and then `transform` of the same rows: (N, D) -> (N, n_components)."""
        if as_batches(X) is not None:
            raise ValueError(
                "fit_transform: X is read in batches, and codes are asked for of arrays: use fit, "
                "and then transform of one batch after the other"
            )
        return self.fit(X, y, **fit_params).transform(X, y)

    def _prepare(self, X, y=None, sample_weight=None, *, reset):
        """Parts, settings and checked data for a training, with a new network if `reset`."""
        with parameters.unchanged_if_refused(self):
            if reset:
                self._fill = None
            X = self._validated(X, self.image_shape, reset=reset)
            parameters.check(self, X.shape[1])
            if reset and self.missing == "mask":
                self._fill = column_means(X)
            if sample_weight is not None:
                sample_weight = row_weights(sample_weight, X)
            X = packed(X, self._fill, sample_weight)
            parts = assemble(self.noise, self.code, self.likelihood, self.penalty)
            self._check_range(parts, X)
            labels = self._learn_labels(X, y, reset)
            sizes = parameters.sizes(self, X, 0 if labels is None else labels.shape[1])
            settings = self._settings(len(X))
            code = clone(parts.code, safe=False)  # a copy: the parameter may be changed later
            if not reset:
                before = self._sizes, self._network, self._code
                parameters.check_same(before, (sizes, self.network, code))
            self._code, self._likelihood = code, clone(parts.likelihood, safe=False)
            if reset:
                self._scaling = scaling.choose(self.scale, X, parts.likelihood)
            X = self._in_own_units(X)
            if reset:
                self._center, self._offset = self._beginning(X, sizes.n_labels)
                seed = int(check_random_state(self.random_state).randint(2**31))
                on_device = self.device == "cuda" and can_be_captured(parts)
                on_device = on_device and not callable(self.solver)  # ranks draw in main memory
                streams = training.random_streams(seed, on_device and X.dtype == np.float32)
                self._sizes, self._dtype, self._network = sizes, X.dtype, self.network
                network = self._new_network(streams, parts.penalties)
                self._training = training.Training(network, streams)
            X = beside(X, labels)
            state = self._training
            if (state.solver, state.solver_options) != (settings.solver, settings.solver_options):
                state.change_optimizer(settings)
            self.history_ = state.history
            vars(self).pop("diagnosis_", None)  # of a network that is no more
            self._count()
            return parts, settings, X.astype(self._dtype, copy=False)

    def _settings(self, n_samples, **others):
        """The estimator's `Settings` for so many rows, or None for a stream.

        `others` take the place of its own parameters.
        """
        params = {name: getattr(self, name) for name in training.PARAMETERS} | others
        settings = training.Settings(*map(parameters.plain, params.values()))
        return training.concrete(settings, n_samples)

    def _validated(self, X, image_shape, reset):
        """`X` as an array (N, D) of floats, or a sparse one in CSR format."""
        masks = self.missing == "mask" if reset else self._fill is not None
        X = as_rows(type(self).__name__, X, image_shape)
        finite = "allow-nan" if masks and not sparse.issparse(X) else True
        try:
            return validate_data(
                self, X, dtype=FLOATS, reset=reset, accept_sparse="csr", ensure_all_finite=finite
            )
        except ValueError as error:
            if "could not convert" in str(error) and (names := text_columns(X)):
                raise ValueError(
                    f"{type(self).__name__}: X has columns that are no numbers "
                    f"({', '.join(map(repr, names[:10]))}): leave them out, or make numbers of "
                    "them, as pandas.get_dummies does"
                ) from None
            if "contains NaN" not in str(error):
                raise
            raise ValueError(
                f"{type(self).__name__}: X contains NaN: where that means a missing number, fit "
                'with missing="mask", or fill it in before, as sklearn.impute does'
            ) from None

    def _check_range(self, parts, X):
        """Raise ValueError for data that the likelihood cannot have, or rows that it knows not."""
        for x, *_ in [(X,)] if not isinstance(X, Rows) else blocks(X):
            parts.likelihood.check(x)
        weighted = getattr(X, "weight", None) is not None
        in_part = getattr(X, "observed", None) is not None or parts.scores_in_part
        n_draws = getattr(parts.code, "n_draws", 1)
        if (weighted or in_part or n_draws > 1) and not hasattr(parts.likelihood, "elements"):
            raise ValueError(
                f"{type(parts.likelihood).__name__} has no elements(t, x), the log-densities of "
                "single numbers, which weighted rows, missing or hidden numbers and n_draws above "
                "1 need: write it, or leave those out"
            )
        optimal = getattr(parts.likelihood, "variance", None) == "optimal"
        if in_part and optimal and n_draws > 1:
            raise ValueError(
                "GaussianCode: with n_draws above 1 there is no optimal variance of data with "
                "missing or hidden numbers: use likelihood=GaussianLikelihood(variance), or "
                "n_draws=1"
            )

    def _new_network(self, streams, penalties=()):
        """A network with new weights from the random `streams`, on the device."""
        network = build(
            self._sizes,
            self._code,
            streams["weights"],
            self._dtype,
            network=self._network,
            center=self._center,
            offset=self._offset,
            dropout_rng=streams["dropout"],
        )
        for penalty in penalties:
            if hasattr(penalty, "begin"):
                penalty.begin(network)
        return network.to(self.device).eval()

    def _learn_labels(self, X, y, reset):
        """The labels of the rows `X` as columns, of a conditional autoencoder; else None."""
        if not self.conditional:
            vars(self).pop("classes_", None)
            return None
        if y is None:
            raise ValueError(
                f"{type(self).__name__}: conditional=True requires y to be passed, but the target "
                "y is None: give the label of each row, fit(X, y)"
            )
        if reset or not hasattr(self, "classes_"):
            self.classes_ = classes_of(y)
        return one_hot(y, self.classes_, len(X), X.dtype)

    def _labels(self, who, y, n_rows, dtype):
        """The labels `y` as columns beside `n_rows` rows, of a conditional autoencoder."""
        if not self._sizes.n_labels:
            return None
        if y is None:
            raise ValueError(
                f"{who}: this {type(self).__name__} is conditional and needs labels: give y, a "
                "class for each row"
            )
        return one_hot(y, self.classes_, n_rows, dtype)

    def _beginning(self, X, n_labels):
        """`Network.center` and `Network.offset` for data `X` (N, D) in the network's units."""
        if self.network is not None:
            return None, None
        mean, _ = column_moments(X)  # (D,)
        # a likelihood of your own may lack it
        inverse_mean = getattr(self._likelihood, "inverse_mean", None)
        offset = None if inverse_mean is None else inverse_mean(mean)
        center = np.append(mean, np.zeros(n_labels))
        return center.astype(X.dtype), None if offset is None else offset.astype(X.dtype)

    def _count(self):
        state = self._training
        self.n_iter_, self.best_epoch_ = state.epoch, state.best_epoch
        self.n_restarts_ = state.restarts

    def _call_back(self, record, X):
        """Whether one of the callbacks, who find the estimator ready for use, says to stop."""
        if not self.callbacks:
            return False
        self._estimate_variance(X)
        callbacks = [self.callbacks] if callable(self.callbacks) else self.callbacks
        return any([callback(self, dict(record)) for callback in callbacks])  # all are called

    def _finish(self, X):
        self._count()
        codes, weight = self._codes(X), getattr(X, "weight", None)  # (N, k), (N,) or None
        with np.errstate(over="ignore", invalid="ignore"):  # after a divergence
            counted = codes if weight is None else codes * weight[:, None]
            self.code_mean_ = counted.mean(axis=0)
            deviations = codes.astype(np.float64) - self.code_mean_  # (N, k)
            counted = deviations if weight is None else deviations * weight[:, None]
            self.code_covariance_ = deviations.T @ counted / len(codes)  # (k, k)
        self._estimate_variance(X)

    def _estimate_variance(self, X):
        if isinstance(self._likelihood, GaussianLikelihood):
            variance = self._likelihood.variance
            if variance == "optimal":
                variance = inference.mean_squared_error(self._model, X)
            self.noise_variance_ = float(variance)

    @property
    def network_(self) -> Network:
        check_is_fitted(self, "_training")
        return copy.deepcopy(self._training.network)

    @network_.setter
    def network_(self, network: Network) -> None:
        check_is_fitted(self, "_training")
        self._training.network.load_state_dict(network.state_dict())

    # ------------------------------------------------------------------ codes and data
    def transform(self, X: Any, y: Any = None) -> Array:
        """The codes of the rows of `X`: (N, D) -> (N, n_components); Gaussian codes' means.

        Here and in the methods below, `y` (N,) are the labels of a conditional autoencoder's rows.
        """
        X = self._checked(X)
        codes = self._codes(self._as_read("transform", X, y))
        return inference.finite("transform", codes.astype(X.dtype, copy=False))

    def inverse_transform(self, X: Any, y: Any = None) -> Array:
        """The data that codes stand for, the likelihood's means: (N, n_components) -> (N, D)."""
        check_is_fitted(self)
        Z = check_array(X, dtype=FLOATS, input_name="X")
        width = self._n_features_out
        if Z.shape[1] != width:
            raise ValueError(
                f"inverse_transform: the codes have {Z.shape[1]} columns, this "
                f"{type(self).__name__} has codes of {width}: pass what transform returns"
            )
        data = self._data("inverse_transform", Z, y)
        return inference.finite("inverse_transform", data.astype(Z.dtype, copy=False))

    def reconstruct(self, X: Any, y: Any = None) -> Array:
        """What remains of the rows of `X` after encoding and decoding: (N, D) -> (N, D)."""
        rows = self._checked(X)
        codes = self._codes(self._as_read("reconstruct", rows, y))
        data = self._data("reconstruct", codes, y).astype(rows.dtype, copy=False)
        data = inference.finite("reconstruct", data)
        return data.reshape(X.shape) if getattr(X, "ndim", 2) > 2 else data  # images as given

    def sample(
        self, n_samples: int = 1, *, y: Any = None, prior: Any = None, random_state: Any = None
    ) -> Array:
        """New data (n_samples, D): the likelihood's means for codes drawn from `prior`.

        `prior` is None (N(0, I), for Gaussian codes), "standard_normal" (N(0, I) for all codes),
        "gaussian" (a normal distribution with the mean and covariance of the training codes), or an
        object fitted to codes whose ``sample(n)`` draws them, such as scikit-learn's
        GaussianMixture; it has its own random_state. `y` is a conditional autoencoder's label of
        all, or of each. Raises ValueError where None is given for codes that have no prior.
        """
        check_is_fitted(self)
        check_whole("n_samples", n_samples, 1)
        rng = np.random.default_rng(check_random_state(random_state).randint(2**31))
        mean, covariance = self.code_mean_, self.code_covariance_
        Z = draw_codes(prior, n_samples, self._code, mean, covariance, rng)
        return inference.finite("sample", self._data("sample", Z, y))

    # ------------------------------------------------------------------ scores
    def score_samples(self, X: Any, y: Any = None) -> Array:
        """The log-likelihood of every row of `X`, (N,) float64 in nats.

        It is log p(x | decode(code(x))), and for Gaussian codes the evidence lower bound with
        common random numbers: the same whenever it is computed, and whatever the other rows. A row
        that the likelihood holds for impossible, such as 1.2 where data are in [0, 1], has -inf.
        """
        X = self._as_read("score_samples", self._checked(X), y)
        if isinstance(self._code, GaussianCode):
            return inference.elbo(self._model, X, n_draws=16) - self._log_volume(X)
        return inference.log_prob(self._model, X) - self._log_volume(X)

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """The mean of `score_samples` over the rows of `X`, a float; `sample_weight` is (N,)."""
        return float(np.average(self.score_samples(X, y), weights=sample_weight))

    # ------------------------------------------------------------------ files
    def save(self, path: PathLike, format: str | None = None) -> None:
        """Write the fitted estimator to the file `path`.

        `format` None is the one that the ending of `path` means. "npz", which all other endings
        mean, is what `load` reads (no pickle; see ``persistence``). "onnx" is for other programs: a
        graph that takes rows (see ``export.to_onnx``). "safetensors" and "pytorch" are the weights
        alone, as they are here or with PyTorch's names and layout. Raises ValueError where
        something cannot be written, ImportError without the packages of the extras onnx and
        safetensors. Of several ranks that share a training only the first writes.
        """
        check_is_fitted(self)
        name = export.format_of(path, format)
        if name == "npz":
            persistence.save(self, path)
        elif shared.speaks(self._training):
            export.save(self, path, name)

    @classmethod
    def load(cls, path: PathLike, *, device: str | None = None, network: Any = None) -> Self:
        """Read an estimator that `save` wrote, of the class that it had.

        `device` replaces the one that it was trained on. `network` is the function that made the
        network, where it was a function of your own: files hold no code. A training goes on from
        there to the same bits as without the file. Raises FileNotFoundError, or ValueError where
        the file is damaged, holds something else than a `cls`, or `network` is missing or does not
        fit.
        """
        return persistence.load(path, cls, Autoencoder, device, network)

    # ------------------------------------------------------------------ scikit-learn
    def set_params(self, **params: Any) -> Self:
        """Set parameters, those of parts too: ``noise__std=0.3`` also where noise is a name."""
        return super().set_params(**parameters.with_parts(self, params))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        tags.input_tags.sparse = True
        tags.input_tags.allow_nan = self.missing == "mask"
        tags.target_tags.required = bool(self.conditional)
        return tags

    @property
    def _n_features_out(self):
        return self._sizes.n_components

    # ------------------------------------------------------------------ inside
    @property
    def _model(self):
        variance = getattr(self, "noise_variance_", None)
        return inference.Model(
            self._training.network, self._code, self._likelihood, variance, _BLOCK
        )

    def _checked(self, X):
        check_is_fitted(self)
        X = self._validated(X, self._sizes.image_shape, reset=False)
        return packed(X, self._fill)

    def _in_own_units(self, X):
        """Data (N, D) as the network reads them."""
        if self._scaling is None:
            return X
        with np.errstate(over="ignore"):  # rows far beyond those of the training
            return self._scaling.apply(X)

    def _as_read(self, who, X, y):
        """Checked data (N, D) as the network reads them, the labels `y` beside them."""
        return beside(self._in_own_units(X), self._labels(who, y, X.shape[0], X.dtype))

    def _log_volume(self, X):
        """What log-densities of rows `X` (N, D) in the network's units have too much."""
        return 0.0 if self._scaling is None else self._scaling.log_volume(X)

    def _codes(self, X):
        """The codes of data (N, D) in the network's units."""
        return inference.codes(self._model, X)

    def _data(self, who, Z, y):
        """The data, in their own units, that codes (N, k) of the labels `y` stand for."""
        with np.errstate(over="ignore"):
            Z = beside(Z, self._labels(who, y, len(Z), Z.dtype))
            return inference.means(self._model, Z, self._scaling)
