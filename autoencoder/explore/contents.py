"""What the page knows: the samples, their codes and places on the map, the units, the decoder.

Everything here becomes JSON: numbers, texts, and arrays as base64 of float32.
"""

from numbers import Integral

import numpy as np
from scipy import sparse

from .. import inference
from ..checks import SEVERAL, as_numbers, check_whole, visible
from ..datasets.splits import as_labels
from ..evaluation import kl_per_unit
from ..parts import GaussianCode, PointCode, VectorQuantisedCode
from .choice import order
from .program import Program, rounded
from .recording import difference, record, tolerance, with_labels
from .samples import as_base64, described, fitting, rows_of

MOST_SLIDERS = 64
LARGEST_WEIGHTS = 4 << 20  # bytes up to which weights are written as float32
LARGEST_PAGE = 32 << 20  # bytes of weights
LIVE_NATS, LIVE_SHARE = 0.01, 1e-6  # of a unit: its divergence; its variance beside the largest
WEIGHTS = ("auto", "float32", "float16")
MEASURED = 8  # samples on which the error of rounded weights is measured
CHECKED = 3  # samples with which the page checks its decoder
CHECKED_NUMBERS = 2048  # of each


def collect(estimator, X, y, *, title, image_shape, names, columns, which, budget, seed, weights):
    """The page's dict; see `explore.write_explorer` for the arguments."""
    check_whole("explore: budget", budget, 1)
    check_whole("explore: seed", seed, 0)
    if weights not in WEIGHTS:
        raise ValueError(f"explore: weights must be one of {WEIGHTS}, got {weights!r}")
    X, image_shape = _as_table(X, image_shape, estimator)
    y = None if y is None else as_labels("explore: y", y)
    names, columns = _texts("names", names), _texts("columns", columns)
    for name, given in (("y", y), ("names", names)):
        if given is not None and len(given) != X.shape[0]:
            raise ValueError(f"explore: {name} has {len(given)} entries for {X.shape[0]} samples")
    steps = record(estimator)
    drawn = order(y if _shared(y) else None, X.shape[0], seed)
    chosen, shown = fitting(estimator, X, image_shape, columns, drawn, budget)
    rows, labels = rows_of(X, chosen), None if y is None else y[chosen]
    read = labels if estimator._sizes.n_labels else None  # what encoder and decoder read
    Z = np.asarray(estimator.transform(rows, read))
    program, error = _program(estimator, steps, weights, Z[:MEASURED], _first(read, MEASURED))
    return {
        "title": visible(title),
        "which": visible(which),
        "drawn": "" if len(chosen) == X.shape[0] else _how(len(chosen), X.shape[0], y, seed),
        "k": Z.shape[1],
        "plane": _plane(Z),
        "units": _units(estimator, rows, read, Z),
        "samples": described(chosen, Z, labels if _shared(y) else None, names),
        "classes": [visible(c) for c in estimator.classes_] if read is not None else [],
        "own_class": None if read is None else np.searchsorted(estimator.classes_, read).tolist(),
        "prior": isinstance(estimator._code, GaussianCode),
        "quantised": isinstance(estimator._code, VectorQuantisedCode),
        **shown,
        "program": program.as_json(),
        "weights": {"half": program.half, "bytes": len(program.blob), "error": error},
        "check": _checked(estimator, Z[:CHECKED], _first(read, CHECKED), error),
    }


def _as_table(X, image_shape, estimator):
    """The samples as rows, and the shape of the images that they are, or None."""
    if image_shape is None:
        image_shape = estimator._sizes.image_shape
    elif (
        not isinstance(image_shape, SEVERAL)
        or len(image_shape) != 3
        or not all(isinstance(n, Integral) and n > 0 for n in image_shape)
    ):
        raise ValueError(
            "explore: image_shape must be (height, width, channels), whole numbers above 0, got "
            f"{image_shape!r:.80}"
        )
    if not hasattr(X, "shape"):
        X = as_numbers("explore", "X", X, None)
    X = X.tocsr() if sparse.issparse(X) else X
    if len(X.shape) > 2:
        image_shape = (*X.shape[1:], 1)[:3] if image_shape is None else image_shape
        X = np.asarray(X).reshape(len(X), -1)
    if len(X.shape) != 2 or not X.shape[0]:
        raise ValueError(f"explore: X must be samples (N, D), at least one, got shape {X.shape}")
    return X, image_shape


def _texts(name, given):
    """The `names` or `columns` that were given, as a list, or None."""
    if given is None:
        return None
    if isinstance(given, str | dict | set) or not hasattr(given, "__iter__"):
        raise ValueError(f"explore: {name} must be a list of texts, got {given!r:.80}")
    return list(given)


def _first(labels, count):
    return None if labels is None else labels[:count]


def _shared(y):
    """Whether labels are worth showing: several samples share one."""
    return y is not None and len(np.unique(y)) < len(y)


def _how(shown, count, y, seed):
    stratified = ", as many of each label as there are" if _shared(y) else ""
    return f"{shown} of {count} samples, drawn with seed {seed}{stratified}."


# ---------------------------------------------------------------------- the map
def _plane(Z):
    """The plane of the map: codes are ``origin + x axes[0] + y axes[1]``, and where samples are."""
    n, k = Z.shape
    axes = np.zeros((2, k))
    if k <= 2:
        origin, explained = np.zeros(k), None
        axes[:k] = np.eye(k)
        points = Z @ axes.T
        if k == 1:  # the second place means nothing
            points[:, 1] = (np.arange(n) * 0.6180339887) % 1 - 0.5
            points[:, 1] *= float(np.ptp(Z)) / 2
    else:
        origin = Z.mean(axis=0, dtype=np.float64)
        centred = Z - origin
        _, values, right = np.linalg.svd(centred, full_matrices=False)
        axes[: min(2, len(right))] = right[:2]
        signs = np.sign(axes[np.arange(2), np.abs(axes).argmax(axis=1)])
        axes *= np.where(signs == 0, 1, signs)[:, None]  # the same in every LAPACK
        squares = values**2
        total = squares.sum()
        explained = (squares[:2] / total).tolist() if total > 0 else [0.0]
        points = centred @ axes.T
    return {
        "origin": origin.tolist(),
        "axes": axes.tolist(),
        "points": as_base64(points),
        "explained": explained,
    }


def _units(estimator, rows, read, Z):
    """The live units, the most telling first, with what each is worth and the range it moves in."""
    code, variances = estimator._code, Z.var(axis=0, dtype=np.float64)
    if isinstance(code, GaussianCode):
        rows = estimator._as_read("explore", estimator._checked(rows), read)
        h = inference.encode(estimator._model, rows)
        worth, measure = kl_per_unit(code.mean(h), code.log_variance(h)), "KL"
        live = worth > LIVE_NATS
    else:
        worth, measure = variances, "variance"
        live = worth > LIVE_SHARE * max(worth.max(), 1e-30)
    ranked = [j for j in np.argsort(-worth, kind="stable") if live[j]]
    low, high = Z.min(axis=0).astype(float), Z.max(axis=0).astype(float)
    margin = 0.1 * (high - low)
    low, high = low - margin, high + margin
    if isinstance(code, GaussianCode):
        low, high = np.minimum(low, -3), np.maximum(high, 3)
    bounds = {"relu": (0, np.inf), "sigmoid": (0, 1), "tanh": (-1, 1)}
    if isinstance(code, PointCode) and code.activation in bounds:
        low, high = (np.clip(v, *bounds[code.activation]) for v in (low, high))
    return {
        "measure": measure,
        "dead": int((~live).sum()),
        "left_out": max(0, len(ranked) - MOST_SLIDERS),
        "live": [
            {"unit": int(j), "worth": float(worth[j]), "low": float(low[j]), "high": float(high[j])}
            for j in ranked[:MOST_SLIDERS]
        ],
    }


# ---------------------------------------------------------------------- the decoder
def _program(estimator, steps, weights, Z, read):
    """The `Program` with the weights as they are asked for, and the error that its rounding makes.

    The error is the largest over the codes `Z`, or None where weights are written in full.
    """
    width = estimator._sizes.n_components + estimator._sizes.n_labels
    program = Program(steps, width, half=weights == "float16")
    if weights == "auto" and len(program.blob) > LARGEST_WEIGHTS:
        program = Program(steps, width, half=True)
    if len(program.blob) > LARGEST_PAGE:
        raise ValueError(
            f"explore: the decoder's weights take {len(program.blob) / 1e6:.0f} MB, a page holds "
            f"{LARGEST_PAGE / 1e6:.0f} MB: use weights of float16, or a smaller network"
        )
    return program, difference(rounded(steps), estimator, Z, read) if program.half else None


def _checked(estimator, Z, read, error):
    """Codes of some samples and what the estimator makes of them, for the page's check of itself.

    Of large samples every so many numbers are enough. `error` is that of rounded weights, or None.
    """
    expected = np.asarray(estimator.inverse_transform(Z, read))
    allowed = tolerance(estimator, expected, least=1e-30) + 2 * (error or 0)  # (D,)
    stride = max(1, expected.shape[1] // CHECKED_NUMBERS)
    return {
        "codes": with_labels(estimator, Z, read).astype(float).tolist(),
        "stride": stride,
        "expected": as_base64(expected[:, ::stride], expected.dtype),
        "doubles": expected.dtype == np.float64,
        "allowed": allowed[::stride].tolist(),
    }
