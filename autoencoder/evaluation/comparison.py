"""One model beside the methods it has to beat, on samples it has not seen.

A number alone says little, so every table has the mean image, PCA with a code of the same size and
the same network before training; for a denoising model also the noisy input and the Wiener filter,
for a variational one probabilistic PCA. Nothing is clipped or selected in anybody's favour.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import clone

from ..checks import SEVERAL, as_numbers, check_whole
from ..parts import GaussianLikelihood, resolve
from ..progress import progress_over
from ..rows import blocks
from . import metrics
from .baselines import ROWS, principal_components, probabilistic_pca, wiener

TITLES = {
    "reconstruction": "Reconstruction of the test samples (PSNR in dB)",
    "rows": "Reconstruction of the test rows (squared standard deviations of a column)",
    "codes": "What the codes of the test samples know",
    "likelihood": "Evidence in nats per test sample",
    "units": "Latent units, by their divergence from the prior",
}
MOST_SHOTS = 5  # labels of each class, where the test has classes that the training has not
NEIGHBOURS = 5  # of a code, for kNN and trustworthiness
MAX_TRUSTWORTHINESS = 2000  # samples; its time and memory grow with their square


def evaluate(
    model: Any,
    X_train: Any,
    X_test: Any,
    *,
    image_shape: tuple[int, int, int] | None = None,
    labels: tuple[Any, Any] | None = None,
    data_range: float = 1.0,
    n_draws: int = 64,
    max_probe: int = 5000,
    rng: np.random.Generator | None = None,
    progress: bool = False,
) -> dict[str, dict[str, dict[str, Any]]]:
    """Measure a fitted model and its baselines: a nested dict, section -> row -> column -> number.

    `X_train` (N, D) is what the model has learnt from (the baselines learn from it now), `X_test`
    (M, D) what all are scored on. Numbers are plain, so that ``json.dumps`` writes them; `table`
    prints them (only an exact reconstruction has a PSNR of infinity). The sections are

    * "reconstruction": MSE (of a pixel), PSNR (of `data_range`), and SSIM where `image_shape`
      (H, W, C) is given or the model has one. If the model has a noise, the test samples are
      corrupted by it and compared with the clean ones after it. The Wiener filter takes any noise
      for white noise of the strength that it shows on `X_train`.
    * "codes", with `labels`, a pair of arrays (N,) and (M,): linear probe, kNN and trustworthiness
      of codes and raw pixels. If the test has classes that the training has not (faces by person),
      a probe of its own with few labels of each class takes the place of the first two.
      At most `max_probe` training and test samples are drawn for this, for trustworthiness of
      those 2000.
    * "likelihood" and "units", if the model has `elbo`: ELBO and the importance-weighted bound of
      `n_draws`, in nats per sample; divergence in nats and activity of every unit.

    `rng` draws noise and samples: by default the same ones each time. `progress` shows bars.

    Parameters
    ----------
    model : fitted estimator
    X_train : array (N, D)
    X_test : array (M, D)
    image_shape : (H, W, C), default=None
    labels : (array (N,), array (M,)), default=None
    data_range : float, default=1.0
    n_draws : int, default=64
    max_probe : int, default=5000
    rng : numpy.random.Generator, default=None
    progress : bool, default=False

    Returns
    -------
    dict of dicts of dicts of numbers

    Raises
    ------
    ValueError
        When the arrays do not fit each other.

    Examples
    --------
    >>> from autoencoder import Autoencoder
    >>> from autoencoder.datasets import load_digits
    >>> X = load_digits().images.reshape(-1, 64)
    >>> model = Autoencoder(8, max_epochs=2, random_state=0).fit(X[:900])
    >>> list(evaluate(model, X[:900], X[900:])["reconstruction"])
    ['model', 'PCA 8', 'untrained network', 'mean image']
    """
    X_train, X_test = _checked(X_train, X_test, image_shape)
    rng = np.random.default_rng(0) if rng is None else rng
    image_shape = image_shape or getattr(model, "image_shape", None)
    linear = principal_components(X_train, X_train.shape[1])
    directions = linear.directions[: model.transform(X_test[:1]).shape[1]]  # (k, D)
    pca, pca_name = linear._replace(directions=directions), f"PCA {len(directions)}"
    rows = {"model": model, pca_name: pca}
    untrained = _untrained(model, X_train)
    if untrained is not None:
        rows["untrained network"] = untrained

    noise = resolve("noise", getattr(model, "noise", None))
    seen = X_test if noise is None else noise.corrupt(X_test.copy(), rng)
    ways = {name: row.reconstruct for name, row in rows.items()}
    if noise is not None:
        errors = [
            metrics.mse(x, noise.corrupt(x.copy(), rng), reduction="none")
            for x, *_ in blocks(X_train, ROWS)
        ]
        std = np.sqrt(np.concatenate(errors).mean())
        if std > 0:
            ways["Wiener filter"] = wiener(X_train, std)
        ways["noisy input"] = lambda x: x
    ways["mean image"] = pca._replace(directions=directions[:0]).reconstruct
    results = {
        "reconstruction": {
            name: _reconstruction(X_test, seen, way, image_shape, data_range)
            for name, way in ways.items()
        }
    }
    if labels is not None:
        results["codes"] = _codes(rows, X_train, X_test, labels, max_probe, rng, progress)
    if hasattr(model, "elbo"):
        variational = [name for name, row in rows.items() if hasattr(row, "elbo")]
        results["likelihood"] = {
            name: _evidence(rows[name], X_test, n_draws)
            for name in progress_over(variational, "measuring evidence", "row", progress)
        }
        gaussian = isinstance(resolve("likelihood", model.likelihood), GaussianLikelihood)
        if gaussian and len(directions) < len(linear.directions):
            exact = float(probabilistic_pca(X_train, len(directions), X_test).mean())
            # Its posterior is exact, so that every bound is the log-density itself.
            bounds = {"ELBO": exact, "importance-weighted bound": exact}
            results["likelihood"][f"probabilistic {pca_name}"] = bounds
        results["units"] = _units(model, X_test)
    return results


def table(results: Any) -> str:
    """The results of `evaluate` as aligned plain text: one table for each section.

    Parameters
    ----------
    results : dict

    Returns
    -------
    str

    Examples
    --------
    >>> print(table({"codes": {"model": {"kNN": 0.912, "units": 7}, "raw pixels": {"kNN": 0.5}}}))
    What the codes of the test samples know
                   kNN  units
    model       0.9120      7
    raw pixels  0.5000      -
    """
    return "\n\n".join(
        "\n".join([TITLES.get(section, section), *_lines(rows)])
        for section, rows in results.items()
    )


def _untrained(model, X):
    """The same network with the weights that it began with, or None if the model has no epochs."""
    silent = {"max_epochs": 0, "verbose": 0, "callbacks": None}
    known = model.get_params(deep=False)
    if "max_epochs" not in known:
        return None
    settings = {name: value for name, value in silent.items() if name in known}
    return clone(model).set_params(**settings).fit(X)


def _reconstruction(X, seen, reconstruct, image_shape, data_range):
    """How near to `X` (M, D) the way to `reconstruct` comes from what was `seen` of it."""
    columns = {}
    for (x, *_), (s, *_) in zip(blocks(X, ROWS), blocks(seen, ROWS), strict=True):
        pair, how = (x, reconstruct(s)), dict(reduction="none")
        columns.setdefault("MSE", []).append(metrics.mse(*pair, **how))
        columns.setdefault("PSNR", []).append(metrics.psnr(*pair, data_range=data_range, **how))
        if image_shape is not None:
            pair = (rows.reshape(-1, *image_shape) for rows in pair)
            columns.setdefault("SSIM", []).append(metrics.ssim(*pair, data_range=data_range, **how))
    return {name: float(np.concatenate(values).mean()) for name, values in columns.items()}


def _codes(rows, X_train, X_test, labels, max_probe, rng, progress):
    """Linear probe, kNN and trustworthiness, or a few-shot probe where classes are new."""
    labels_train, labels_test = (np.asarray(side) for side in labels)
    if labels_train.shape != X_train.shape[:1] or labels_test.shape != X_test.shape[:1]:
        raise ValueError(
            f"evaluate: labels are a pair (of the training, of the test) with one for each of "
            f"{len(X_train)} and {len(X_test)} samples, got {labels_train.shape} and "
            f"{labels_test.shape}"
        )
    train, test = (_draw(len(X), max_probe, rng) for X in (X_train, X_test))
    X_train, labels_train = X_train[train], labels_train[train]
    X_test, labels_test = X_test[test], labels_test[test]
    few = _draw(len(X_test), MAX_TRUSTWORTHINESS, rng)
    known = np.isin(labels_test, labels_train).all()
    shots = min(MOST_SHOTS, np.unique(labels_test, return_counts=True)[1].min() - 1)
    seed = int(rng.integers(2**32))  # every row is asked with the same draws
    results = {}
    for name in progress_over([*rows, "raw pixels"], "measuring codes", "row", progress):
        codes_train, codes_test = X_train, X_test
        if name in rows:
            codes_train, codes_test = rows[name].transform(X_train), rows[name].transform(X_test)
        columns = results[name] = {}
        if known:
            sides = codes_train, labels_train, codes_test, labels_test
            columns["linear probe"] = metrics.linear_probe(*sides)
            columns["kNN"] = metrics.knn_accuracy(*sides, n_neighbors=NEIGHBOURS)
        else:
            shot = metrics.few_shot_accuracy(
                codes_test, labels_test, shots, np.random.default_rng(seed)
            )
            columns[f"probe with {shots} labels each"], columns["its spread"] = shot
        if len(few) > 2 * NEIGHBOURS:
            columns["trustworthiness"] = metrics.trustworthiness(
                X_test[few], codes_test[few], n_neighbors=NEIGHBOURS
            )
    return results


def _evidence(model, X, n_draws):
    """What a variational model says of the log-density, in nats per sample."""
    means, log_variances = model.posterior(X)
    return {
        "ELBO": float(np.mean(model.elbo(X))),
        "importance-weighted bound": float(np.mean(model.log_likelihood(X, n_draws))),
        "KL": float(metrics.kl_per_unit(means, log_variances).sum()),
        "active units": metrics.active_units(means),
    }


def _units(model, X):
    """Divergence (nats per sample) and activity of every unit, the most telling first."""
    means, log_variances = model.posterior(X)
    divergence = metrics.kl_per_unit(means, log_variances)  # (k,)
    activity = np.var(means, axis=0, dtype=np.float64)  # (k,)
    return {
        f"unit {unit}": {"KL": float(divergence[unit]), "variance of mean": float(activity[unit])}
        for unit in np.argsort(-divergence, kind="stable")
    }


def _draw(count, at_most, rng):
    """Which of `count` samples to use: all of them, or `at_most` drawn ones, in order."""
    if count <= at_most:
        return np.arange(count)
    return np.sort(rng.choice(count, at_most, replace=False))


def _checked(X_train, X_test, image_shape):
    X_train = as_numbers("evaluate", "X_train", X_train, None)
    X_test = as_numbers("evaluate", "X_test", X_test, None)
    if X_train.ndim != 2 or X_test.ndim != 2 or X_train.shape[1] != X_test.shape[1]:
        raise ValueError(
            f"evaluate: flat samples (N, D) and (M, D) are needed, "
            f"got {X_train.shape} to learn from and {X_test.shape} to score"
        )
    if image_shape is not None and not (
        isinstance(image_shape, SEVERAL) and getattr(image_shape, "ndim", 1) == 1
    ):
        raise ValueError(f"evaluate: image_shape must be (H, W, C) or None, got {image_shape!r}")
    for length in () if image_shape is None else image_shape:
        check_whole("evaluate: every length in image_shape", length, 1)
    if image_shape is not None and np.prod(image_shape) != X_train.shape[1]:
        raise ValueError(
            f"evaluate: image_shape {tuple(image_shape)} has {np.prod(image_shape)} pixels, "
            f"but the samples have {X_train.shape[1]}"
        )
    return X_train, X_test


def _lines(rows):
    """Header and rows, the first column to the left, numbers to the right."""
    columns = list(dict.fromkeys(name for row in rows.values() for name in row))
    cells = [["", *columns], *([name] for name in rows)]
    for column in columns:
        values = [row[column] for row in rows.values() if column in row]
        decimals = _decimals(values)
        for line, row in zip(cells[1:], rows.values(), strict=True):
            line.append(f"{row[column]:.{decimals}f}" if column in row else "-")
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        "  ".join(
            [first.ljust(widths[0]), *(c.rjust(w) for c, w in zip(rest, widths[1:], strict=True))]
        )
        for first, *rest in cells
    ]


def _decimals(values):
    """As many as show the middle one of a column with four digits: 0.01828, 0.9120, 25.24."""
    if all(isinstance(value, int) for value in values):
        return 0
    finite = [abs(value) for value in values if np.isfinite(value)]
    middle = np.median(finite) if finite else 0
    return next((digits for limit, digits in ((0.1, 5), (10, 4), (1e4, 2)) if middle < limit), 1)
