"""A fitted estimator as an ONNX model, which takes raw rows and gives what the methods give.

The units of the data (`scale`), missing numbers and labels are in the graph as they are in the
estimator. Noise, penalties and dropout belong to the training and are not; nothing is drawn.
"""

from __future__ import annotations

import copy
import json
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

import minigrad
from minigrad import astype, checkpoint
from minigrad.checkpoint import PathLike

from .. import inference
from ..parts import GaussianCode, VectorQuantisedCode
from .graph import Graph
from .record import record

PARTS = ("all", "encoder", "decoder", "scores")
_SINGLE, _DOUBLE = np.dtype(np.float32), np.dtype(np.float64)
_DRAWS = 16  # of `score_samples`


def save_onnx(model: Any, path: PathLike, part: str = "all", dtype: Any = None) -> None:
    """Write a fitted estimator or detector to an ONNX file, which appears complete or not at all.

    Parameters
    ----------
    model : Autoencoder or AutoencoderAnomalyDetector
        Fitted.
    path : str or Path
        Of the file.
    part, dtype : str
        See `to_onnx`, which also says what is raised.
    """
    content = to_onnx(model, part, dtype).SerializeToString(deterministic=True)
    with checkpoint.whole(path) as file:
        file.write(content)


def to_onnx(model: Any, part: str = "all", dtype: Any = None) -> Any:
    """The fitted estimator or detector `model` as an ``onnx.ModelProto``.

    Parameters
    ----------
    model : Autoencoder or AutoencoderAnomalyDetector
        Fitted.
    part : {"all", "encoder", "decoder", "scores"}, default="all"
        "all" of an autoencoder reads rows "X" (N, D) and gives "codes" and "reconstruction",
        "encoder" only the codes; "decoder" reads "codes" (N, k) and gives "data". Of Gaussian codes
        there is "log_variance" beside the codes, which are the means, of quantised ones "numbers".
        "scores" gives "score_samples" of rows. "all" of a detector gives "score_samples",
        "decision_function" and "predict". Conditional autoencoders read labels "y" (N,) too; a
        label that was not among those of `fit` gives NaN.
    dtype : None or "float32", default=None
        Of what goes in and out: the estimator's own, or float32 also where that is float64.

    Returns
    -------
    onnx.ModelProto

    Raises
    ------
    ValueError
        Where the model does something that is no operation of ONNX, with its name.
    ImportError
        Without the package onnx.

    Examples
    --------
    >>> from autoencoder import VariationalAutoencoder
    >>> X = np.random.default_rng(0).random((60, 8), dtype=np.float32)
    >>> model = VariationalAutoencoder(2, max_epochs=1, random_state=0).fit(X)
    >>> [output.name for output in to_onnx(model).graph.output]
    ['codes', 'log_variance', 'reconstruction']
    """
    check_is_fitted(model)
    if part not in PARTS:
        raise ValueError(f"export: unknown part {part!r}: use {', '.join(map(repr, PARTS))}")
    if dtype is not None and dtype not in ("float32", np.float32, _SINGLE):
        raise ValueError(f'export: dtype must be None or "float32", got {dtype!r}')
    inner = getattr(model, "autoencoder_", model)  # of a detector
    writer = _Writer(inner, inner._dtype if dtype is None else _SINGLE)
    if inner is not model and part == "all":
        writer.detector(model)
    else:
        getattr(writer, part)()
    about = {
        "estimator": type(model).__name__,
        "part": part,
        "version": minigrad.__version__,
        "feature_names": json.dumps(list(vars(model).get("feature_names_in_", []))),
    }
    return writer.graph.model(type(model).__name__, about)


class _Writer:
    """Writes an estimator's parts into a `Graph`, of which the rows have the `dtype`."""

    def __init__(self, estimator, dtype):
        self.estimator, self.dtype = estimator, dtype
        self.code, self.likelihood = estimator._code, estimator._likelihood
        self.scaling = estimator._scaling
        self.network = copy.deepcopy(estimator._training.network).to("cpu").eval()
        for array in self.network._state().values():
            array._data = array._data.astype(dtype, copy=False)
        self.model = estimator._model._replace(network=self.network)
        named = {name: a._data for name, a in self.network._state().items()}
        self.graph = Graph(named)
        sizes = estimator._sizes
        self.n_features, self.n_components = sizes.n_features, sizes.n_components
        self.n_labels = sizes.n_labels

    # ------------------------------------------------------------------ the parts
    def all(self):
        """Codes and reconstructions of rows."""

        def function(x):
            h, (_, labels) = self.network.encode(x), self.network.split(x)
            z = self.code.mean(h)
            return [*self._codes(h), inference.block_means(self.model, z, self.scaling, labels)]

        *codes, data = self._record(function, self._rows(), self.n_features)
        self._write_codes(codes)
        self._write("reconstruction", data, self.n_features)

    def encoder(self):
        """Codes of rows."""
        x = self._rows()
        self._write_codes(
            self._record(lambda x: self._codes(self.network.encode(x)), x, self.n_features)
        )

    def decoder(self):
        """Data of codes."""
        z = self._with_labels(self.graph.input("codes", self.dtype, self.n_components))
        (data,) = self._record(
            lambda z: [inference.block_means(self.model, z, self.scaling)], z, self.n_components
        )
        self._write("data", data, self.n_features)

    def scores(self):
        """`score_samples` of rows."""
        self.graph.output("score_samples", self._likelihoods(self._rows()), _DOUBLE, "N")

    def detector(self, detector):
        """What a detector says of rows."""
        rows = self._rows()
        scores = getattr(self, f"_by_{detector._criterion}")(rows)
        node = self.graph.node
        broken = node("IsNaN", node("Add", scores, self.graph.zeros(rows, self.dtype, _DOUBLE)))
        scores = node("Where", broken, np.array(-np.inf), scores)  # the estimator raises for them
        margin = node("Sub", scores, np.array(detector.offset_, _DOUBLE))
        normal, anomaly = np.array(1), np.array(-1)
        verdict = node("Where", node("Less", margin, np.array(0.0)), anomaly, normal)
        self.graph.output("score_samples", scores, _DOUBLE, "N")
        self.graph.output("decision_function", margin, _DOUBLE, "N")
        self.graph.output("predict", verdict, np.int64, "N")

    # ------------------------------------------------------------------ what goes in and out
    def _rows(self):
        """The input X as the network reads it: filled, in its units, with labels beside it."""
        x, fill = self.graph.input("X", self.dtype, self.n_features), self.estimator._fill
        if fill is not None:
            missing = self.graph.node("IsNaN", x)
            x = self.graph.node("Where", missing, fill.astype(self.dtype), x)
        return self._with_labels(self._in_own_units(x))

    def _with_labels(self, x):
        if not self.n_labels:
            return x
        node, classes = self.graph.node, np.asarray(self.estimator.classes_)
        y = self.graph.input("y", classes.dtype)
        found = node("Equal", node("Unsqueeze", y, np.array([1])), classes[None])  # (N, classes)
        found = self.graph.cast(found, self.dtype)
        known = node("ReduceSum", found, np.array([1]), keepdims=1)
        return node("Concat", x, node("Div", found, known), axis=1)  # 0 / 0 where it is unknown

    def _in_own_units(self, x):
        """`Scaling.apply`, in float64 as there."""
        scaling, node = self.scaling, self.graph.node
        if scaling is None:
            return x
        x = node("Sub", self.graph.cast(x, _DOUBLE), scaling.mean)
        return self.graph.cast(node("Div", x, scaling.std), self.dtype)

    def _codes(self, h):
        more = []
        if isinstance(self.code, GaussianCode):
            more = [self.code.log_variance(h)]
        elif isinstance(self.code, VectorQuantisedCode):
            more = [h[:, 2 * self.n_components :]]
        return [self.code.mean(h), *more]

    def _write_codes(self, codes):
        self._write("codes", codes[0], self.n_components)
        for name in codes[1:]:
            if isinstance(self.code, GaussianCode):
                self._write("log_variance", name, self.n_components)
            else:
                node = self.graph.node
                name = node("Where", node("IsNaN", name), np.array(-1, self.dtype), name)
                numbers = self.graph.cast(name, np.int64)
                length = self.code.length or self.n_components
                self.graph.output("numbers", numbers, np.int64, "N", self.n_components // length)

    def _write(self, output, name, width):
        self.graph.output(output, name, self.dtype, "N", width)

    def _record(self, function, name, width):
        recording = record(function, (width + self.n_labels, self.dtype))
        return self.graph.write(recording, name)

    # ------------------------------------------------------------------ scores
    def _likelihoods(self, rows):
        """What `score_samples` of the estimator says, computed in float64 as there."""
        if self.estimator._fill is not None:
            raise ValueError(
                'export: scores of rows with missing numbers (missing="mask") are not written: '
                "fill them in before, and fit without it"
            )

        def function(x):
            h, (target, labels) = self.network.encode(x), self.network.split(x)
            target = astype(target, _DOUBLE)

            def log_prob(z):
                t = astype(self.network.decode(astype(z, self.dtype), labels), _DOUBLE)
                return self.likelihood.log_prob(t, target, variance=self.model.variance)

            if not isinstance(self.code, GaussianCode):
                return [log_prob(self.code.mean(h))]
            h = astype(h, _DOUBLE)
            total = sum(log_prob(z) for z in inference.draws(self.model, h, _DRAWS))
            return [total / _DRAWS - self.code.divergence(h)]

        (scores,) = self._record(function, rows, self.n_features)
        node, scaling = self.graph.node, self.scaling
        scores = node("Where", node("IsNaN", scores), np.array(-np.inf), scores)
        if scaling is None:
            return scores
        return node("Sub", scores, np.array(scaling.log_volume(np.empty(0))))

    _by_likelihood = _likelihoods

    def _by_reconstruction(self, rows):
        """Minus the squared errors in the estimator's units."""

        def function(x):
            h, (_, labels) = self.network.encode(x), self.network.split(x)
            z = self.code.mean(h)
            return [inference.block_means(self.model, z, self.scaling, labels)]

        (data,) = self._record(function, rows, self.n_features)
        difference = self.graph.node("Sub", rows, self._in_own_units(data))
        return self._minus_squares(difference, np.eye(0))

    def _by_code(self, rows):
        """Minus the squared Mahalanobis distances of the codes."""
        (z,) = self._record(
            lambda x: [self.code.mean(self.network.encode(x))], rows, self.n_features
        )
        mean, covariance = self.estimator.code_mean_, self.estimator.code_covariance_
        inverse = np.linalg.pinv(covariance.astype(_DOUBLE), hermitian=True)
        z = self.graph.node("Sub", self.graph.cast(z, _DOUBLE), mean.astype(_DOUBLE))
        return self._minus_squares(z, inverse)

    def _minus_squares(self, x, matrix):
        """``-x^T matrix x`` of each row, in float64; an empty matrix is the identity."""
        node, x = self.graph.node, self.graph.cast(x, _DOUBLE)
        product = node("MatMul", x, matrix) if matrix.size else x
        squares = node("Mul", product, x)
        return node("Neg", node("ReduceSum", squares, np.array([1]), keepdims=0))
