"""A page on which to explore a latent space: one HTML file with a decoder of its own.

``python -m autoencoder explore RUN`` writes it; `write_explorer` does so for any autoencoder.
"""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from sklearn.utils.validation import check_is_fitted

from minigrad.checkpoint import whole

from ..estimator import Autoencoder
from .contents import collect
from .page import START, render

__all__ = ["BUDGET", "START", "write_explorer"]

BUDGET = 2_000_000  # bytes of the samples


def write_explorer(
    path: str | PathLike[str],
    estimator: Autoencoder,
    X: Any,
    y: Any = None,
    *,
    title: str | None = None,
    image_shape: tuple[int, int, int] | None = None,
    names: Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
    which: str = "",
    budget: int = BUDGET,
    seed: int = 0,
    weights: str = "auto",
) -> Path:
    """Write a page on which to explore the codes of a fitted autoencoder; returns its `Path`.

    It has a map of the samples' codes, a slider for each live unit, the way between two samples,
    and the decoder in JavaScript. It opens from disk in any browser and loads nothing.

    Parameters
    ----------
    path : str or Path
        The file to write, which is replaced where it exists.
    estimator : Autoencoder
        Of any kind, fitted. Its decoder may be a network of your own made of minigrad's operations.
    X : array (N, D), or images (N, H, W, C)
        The samples to show, as `estimator.transform` takes them.
    y : array (N,), default=None
        Their labels, for colours, and for a conditional autoencoder to read.
    title : str, default=None
        None is the name of the estimator's class.
    image_shape : (H, W, C), default=None
        Of rows that are images; None is the estimator's own, or that of `X`. Without one, the page
        shows the columns of a table.
    names : sequence of N str, default=None
        What to call the samples.
    columns : sequence of D str, default=None
        What to call the columns of a table; None is the estimator's ``feature_names_in_``.
    which : str, default=""
        A sentence on what the samples are.
    budget : int, default=2_000_000
        Bytes for the samples. Where they need more, some are drawn, as many of each label as there
        are; never more than 2000.
    seed : int, default=0
        Of that draw.
    weights : {"auto", "float32", "float16"}, default="auto"
        How weights are written; "auto" is float32 up to 4 MB. The page says what float16 changes.

    Raises
    ------
    ValueError
        Where the decoder, its likelihood or the samples cannot be shown, in a sentence.

    Examples
    --------
    >>> import numpy as np
    >>> from tempfile import TemporaryDirectory
    >>> from autoencoder import VariationalAutoencoder
    >>> X = np.random.default_rng(0).normal(size=(60, 5))
    >>> model = VariationalAutoencoder(2, max_epochs=3, random_state=0).fit(X)
    >>> with TemporaryDirectory() as folder:
    ...     write_explorer(f"{folder}/page.html", model, X, columns=list("abcde")).name
    'page.html'
    """
    if not isinstance(estimator, Autoencoder):
        raise TypeError(
            f"explore: expected an Autoencoder, got {type(estimator).__name__}: give a detector's "
            "autoencoder_"
        )
    check_is_fitted(estimator)
    if title is None:
        title = type(estimator).__name__
    contents = collect(
        estimator,
        X,
        y,
        title=title,
        image_shape=image_shape,
        names=names,
        columns=columns,
        which=which,
        budget=budget,
        seed=seed,
        weights=weights,
    )
    text = render(contents)
    with whole(path) as file:
        file.write(text)
    return Path(path)
