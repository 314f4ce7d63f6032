"""The figures of a run by name: each draws what the model makes of images that it has not seen.

`FIGURES` names them all, with what each needs; `draw` makes those that apply to a run.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from sklearn.decomposition import PCA

from minigrad import resize_bicubic
from minigrad.cpu.blas import one_blas_thread

from .. import plots
from ..codec import jpeg_curve, usual_step
from ..codec.rate_distortion import rate_distortion
from ..evaluation import kl_per_unit, ladder, psnr
from ..parts import resolve
from ..progress import progress_over
from .files import own

OF_TABLES = ("loss", "codes", "scatter", "units")  # the figures that need no images
SHOWN = 20  # images in a grid
MANY = 2000  # codes in a scatter
COMPRESSED = 100  # images for the rate-distortion curves


class Figure(NamedTuple):
    """A figure: ``draw(run, samples, path)`` and ``applies(run, samples)``."""

    draw: Callable
    applies: Callable = lambda run, samples: True
    needs: str = ""


def draw(run, samples, only=None, progress=False):
    """Draw the figures of a `Run` for its `Samples` into its folder; returns their paths.

    `only` is a sequence of names; ValueError for one that is unknown or that this run cannot have.
    `progress` shows a bar.
    """
    for name in only or ():
        if name not in FIGURES:
            raise ValueError(f"there is no figure {name!r}: use {', '.join(FIGURES)}")
        if run.is_table and name not in OF_TABLES:
            raise ValueError(f"the figure {name} is of images, and this run is of a table")
        if not FIGURES[name].applies(run, samples):
            raise ValueError(f"the figure {name} needs {FIGURES[name].needs}")
    known = {n: FIGURES[n] for n in FIGURES if not run.is_table or n in OF_TABLES}
    names = only or [name for name, figure in known.items() if figure.applies(run, samples)]
    folder = own(run.folder / "figures")
    folder.mkdir(exist_ok=True)
    for name in progress_over(names, "drawing", "figure", progress):
        one_blas_thread(FIGURES[name].draw, run, samples, own(folder / f"{name}.png"))
    return [folder / f"{name}.png" for name in names]


def corrupted(run, images):
    """What the model read while training: `images`, or noisy ones, the same each time."""
    noise = resolve("noise", run.estimator.noise)
    if noise is None:
        return images
    rows = noise.corrupt(run.rows(images).copy(), np.random.default_rng(0))
    return rows.reshape(images.shape)


def _some(run, samples):
    """Test images of as many labels as possible, and what the model makes of them."""
    chosen = np.arange(min(SHOWN, len(samples.test)))
    if samples.labels is not None:
        _, first = np.unique(samples.labels[1], return_index=True)
        rest = np.setdiff1d(np.arange(len(samples.test)), first)
        chosen = np.sort(np.concatenate([first, rest])[:SHOWN])
    clean = samples.test[chosen]
    seen = corrupted(run, clean)
    rebuilt = run.images(run.estimator.reconstruct(run.rows(seen)))
    return chosen, clean, np.clip(seen, 0, 1), rebuilt


def _reconstructions(run, samples, path):
    _, clean, seen, rebuilt = _some(run, samples)
    title = f"{run.title}: {_which(samples)}"
    if resolve("noise", run.estimator.noise) is None:
        plots.reconstruction_grid(clean, rebuilt, path, title=title)
        return
    notes = [f"{psnr(a[None], b[None]):.1f} dB" for a, b in zip(clean, rebuilt, strict=True)]
    rows = [("original", clean), ("noisy input", seen), ("rebuilt", rebuilt)]
    footer = f"Below each its PSNR (peak 1), against the original. {plots.SCALE}"
    plots.image_rows(rows, path, title=title, notes=notes, footer=footer)


def _which(samples):
    what = "rows" if samples.is_table else "images"
    return f"{what} it was trained on" if samples.test is samples.train else f"unseen {what}"


def _error_maps(run, samples, path):
    _, clean, _, rebuilt = _some(run, samples)
    plots.error_maps(clean, rebuilt, path, title=f"{run.title}: errors on {_which(samples)}")


def _loss(run, samples, path):
    plots.loss_curves(run.history(), path, title=run.title, ylabel="loss (nats per sample)")


def _training_curve(run, samples, path):
    history = run.history()
    curve = {"epoch": history["epoch"], "loss": history["l2_loss"]}
    points = {"the article": run.published(0.0)[1]} if run.published else None
    plots.training_curve(
        curve,
        ladder(samples.train),
        path,
        title=f"{run.title}: half the squared error",
        points=points,
    )


def _full_size(run, samples, path):
    """Test images in the size of the data, above their reconstructions brought to that size."""
    chosen, _, _, rebuilt = _some(run, samples)
    height, width = samples.full.shape[1:3]
    rebuilt = np.clip(resize_bicubic(rebuilt, (height, width), half_pixel_centers=False), 0, 1)
    rows = [("original", samples.full[chosen]), ("rebuilt", rebuilt)]
    plots.image_rows(rows, path, title=f"{run.title}: {_which(samples)}, {height}x{width}")


def _codes(run, samples, path):
    plots.code_distribution(run.encode(samples.test), path, title=f"{run.title}: codes")


def _scatter(run, samples, path):
    codes = run.encode(samples.test[:MANY])
    names = ("unit 1", "unit 2")
    if codes.shape[1] > 2:
        centred = codes - codes.mean(axis=0)
        codes = centred @ np.linalg.svd(centred, full_matrices=False)[2][:2].T  # (N, 2)
        names = ("first principal component of the codes", "second")
    plots.latent_scatter(
        codes,
        samples.labels[1][:MANY],
        path,
        title=f"{run.title}: codes of {_which(samples)}",
        axis_names=names,
    )


def _filters(run, samples, path):
    first = next(x for x in run.estimator.network_.encoder.layers if hasattr(x, "weight"))
    units = np.moveaxis(first.weight.numpy(), -1, 0)  # (K, D), of a convolution (K, 3, 3, 1)
    shape = run.image_shape if units.ndim == 2 else None
    plots.filters(units, path, title=f"{run.title}: first layer", image_shape=shape)


def _samples(run, samples, path):
    prior = None if run.is_variational else "gaussian"
    drawn = run.sample(SHOWN, prior, 0)
    source = "the prior" if run.is_variational else "a normal distribution fitted to the codes"
    title = f"{run.title}: samples from {source}"
    plots.samples_and_neighbours(drawn, samples.train, path, title=title)


def _interpolations(run, samples, path):
    codes = run.encode(samples.test[:4])
    half = len(codes) // 2
    plots.interpolations(
        run.decode, codes[:half], codes[half : 2 * half], path, title=f"{run.title}: between images"
    )


def _manifold(run, samples, path):
    codes = None if run.is_variational else run.encode(samples.test)
    plots.latent_manifold(run.decode, path, title=f"{run.title}: manifold", codes=codes)


def _divergence(run, samples):
    return kl_per_unit(*run.estimator.posterior(run.rows(samples.test)))


def _traversals(run, samples, path):
    kl = _divergence(run, samples)
    title = f"{run.title}: one unit at a time"
    plots.latent_traversals(run.decode, np.zeros(len(kl)), kl, path, title=title)


def _units(run, samples, path):
    plots.kl_per_unit(_divergence(run, samples), path, title=f"{run.title}: latent units")


def _rate_distortion(run, samples, path):
    rows, _ = samples.rows
    images = samples.test[:COMPRESSED]
    steps = usual_step(run.estimator, rows) * np.array([0.5, 1, 2, 4, 8])
    units = run.encode(images[:1]).shape[1]
    units = min(units, *rows.shape)
    curves = {
        "autoencoder": rate_distortion(run.estimator, samples.train, images, steps),
        f"PCA {units}": rate_distortion(PCA(units).fit(rows), samples.train, images, steps),
        "JPEG without headers": jpeg_curve(images, headers=False),
    }
    points = {name: ([p.bpp for p in c], [p.psnr for p in c]) for name, c in curves.items()}
    title = f"{run.title}: {len(images)} {_which(samples)} in real bytes"
    plots.rate_distortion(points, path, title=title)


def _is_grey(run, samples):
    return run.image_shape[2] == 1


def _varies(run, samples):
    return len(run.history()["epoch"]) > 0


FIGURES = {
    "reconstructions": Figure(_reconstructions),
    "error_maps": Figure(_error_maps),
    "full_size": Figure(
        _full_size, lambda run, samples: samples.full is not None, "data larger than the network"
    ),
    "training_curve": Figure(
        _training_curve,
        lambda run, samples: bool(run.history().get("l2_loss")),
        "a Gaussian likelihood of fixed variance",
    ),
    "loss": Figure(_loss, _varies, "an epoch of training"),
    "codes": Figure(_codes),
    "scatter": Figure(
        _scatter,
        lambda run, samples: (
            samples.labels is not None and min(run.n_components, len(samples.test)) > 1
        ),
        "images with labels that several share, and codes of two units or more",
    ),
    "filters": Figure(_filters, _is_grey, "grey images"),
    "samples": Figure(_samples),
    "interpolations": Figure(
        _interpolations, lambda run, samples: len(samples.test) > 1, "two test images"
    ),
    "manifold": Figure(
        _manifold, lambda run, samples: run.n_components == 2, "a code of two units"
    ),
    "traversals": Figure(
        _traversals, lambda run, samples: run.is_variational, "a variational autoencoder"
    ),
    "units": Figure(_units, lambda run, samples: run.is_variational, "a variational autoencoder"),
    "rate_distortion": Figure(_rate_distortion),
}
