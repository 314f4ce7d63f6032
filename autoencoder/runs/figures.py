"""The figures of a run by name: each draws what the model makes of images that it has not seen.

`FIGURES` names them all, with what each needs; `draw` makes those that apply to a run.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from .. import plots
from ..evaluation.metrics import kl_per_unit, psnr
from ..parts.assembly import resolve
from ..codec.rate_distortion import jpeg_curve, rate_distortion
from ..codec.steps import usual_step

SHOWN = 20  # images in a grid
MANY = 2000  # codes in a scatter
COMPRESSED = 100  # images for the rate-distortion curves


class Figure(NamedTuple):
    """A figure: ``draw(run, examples, path)`` and ``applies(run, examples)``."""

    draw: Callable
    applies: Callable = lambda run, examples: True
    needs: str = ""


def draw(run, examples, only=None):
    """Draw the figures of a `Run` for its `Examples` into its folder; returns their paths.

    `only` is a sequence of names; ValueError for one that is unknown or that this run cannot have.
    """
    for name in only or ():
        if name not in FIGURES:
            raise ValueError(f"there is no figure {name!r}: use {', '.join(FIGURES)}")
        if not FIGURES[name].applies(run, examples):
            raise ValueError(f"the figure {name} needs {FIGURES[name].needs}")
    names = only or [name for name, figure in FIGURES.items() if figure.applies(run, examples)]
    folder = run.folder / "figures"
    folder.mkdir(exist_ok=True)
    for name in names:
        FIGURES[name].draw(run, examples, folder / f"{name}.png")
    return [folder / f"{name}.png" for name in names]


def corrupted(run, images):
    """What the model read while training: `images`, or noisy ones, the same each time."""
    noise = resolve("noise", run.model.noise)
    if noise is None:
        return images
    rows = noise.corrupt(run.rows(images), np.random.default_rng(0))
    return rows.reshape(images.shape)


def _some(run, examples):
    """Test images of as many labels as possible, and what the model makes of them."""
    chosen = np.arange(min(SHOWN, len(examples.test)))
    if examples.labels is not None:
        _, first = np.unique(examples.labels[1], return_index=True)
        rest = np.setdiff1d(np.arange(len(examples.test)), first)
        chosen = np.sort(np.concatenate([first, rest])[:SHOWN])
    clean = examples.test[chosen]
    seen = corrupted(run, clean)
    rebuilt = run.images(run.model.reconstruct(run.rows(seen)))
    return clean, np.clip(seen, 0, 1), rebuilt


def _reconstructions(run, examples, path):
    clean, seen, rebuilt = _some(run, examples)
    title = f"{run.title}: {_which(examples)}"
    if resolve("noise", run.model.noise) is None:
        plots.reconstruction_grid(clean, rebuilt, path, title=title)
        return
    notes = [f"{psnr(a[None], b[None]):.1f} dB" for a, b in zip(clean, rebuilt, strict=True)]
    rows = [("original", clean), ("noisy input", seen), ("rebuilt", rebuilt)]
    footer = "Below each its PSNR (peak 1), against the original. Grey scale: 0 black, 1 white."
    plots.image_rows(rows, path, title=title, notes=notes, footer=footer)


def _which(examples):
    return "images it was trained on" if examples.test is examples.train else "unseen images"


def _error_maps(run, examples, path):
    clean, _, rebuilt = _some(run, examples)
    plots.error_maps(clean, rebuilt, path, title=f"{run.title}: errors on {_which(examples)}")


def _loss(run, examples, path):
    unit = "loss (per image)" if run.kind == "olivetti" else "loss (nats per example)"
    plots.loss_curves(run.history(), path, title=run.title, ylabel=unit)


def _codes(run, examples, path):
    plots.code_distribution(run.encode(examples.test), path, title=f"{run.title}: codes")


def _scatter(run, examples, path):
    codes = run.encode(examples.test[:MANY])
    names = ("unit 1", "unit 2")
    if codes.shape[1] > 2:
        centred = codes - codes.mean(axis=0)
        codes = centred @ np.linalg.svd(centred, full_matrices=False)[2][:2].T  # (N, 2)
        names = ("first principal component of the codes", "second")
    plots.latent_scatter(
        codes,
        examples.labels[1][:MANY],
        path,
        title=f"{run.title}: codes of {_which(examples)}",
        axis_names=names,
    )


def _filters(run, examples, path):
    first = next(x for x in run.model.network_.encoder.layers if hasattr(x, "weight"))
    units = np.moveaxis(first.weight.numpy(), -1, 0)  # (K, D), of a convolution (K, 3, 3, 1)
    shape = run.image_shape if units.ndim == 2 else None
    plots.filters(units, path, title=f"{run.title}: first layer", image_shape=shape)


def _samples(run, examples, path):
    prior = None if run.is_variational else "gaussian"
    samples = run.sample(SHOWN, prior, 0, examples)
    source = "the prior" if run.is_variational else "a normal distribution fitted to the codes"
    title = f"{run.title}: samples from {source}"
    plots.samples_and_neighbours(samples, examples.train, path, title=title)


def _interpolations(run, examples, path):
    codes = run.encode(examples.test[:4])
    half = len(codes) // 2
    plots.interpolations(
        run.decode, codes[:half], codes[half : 2 * half], path, title=f"{run.title}: between images"
    )


def _manifold(run, examples, path):
    codes = None if run.is_variational else run.encode(examples.test)
    plots.latent_manifold(run.decode, path, title=f"{run.title}: manifold", codes=codes)


def _divergence(run, examples):
    return kl_per_unit(*run.model.posterior(run.rows(examples.test)))


def _traversals(run, examples, path):
    kl = _divergence(run, examples)
    title = f"{run.title}: one unit at a time"
    plots.latent_traversals(run.decode, np.zeros(len(kl)), kl, path, title=title)


def _units(run, examples, path):
    plots.kl_per_unit(_divergence(run, examples), path, title=f"{run.title}: latent units")


def _rate_distortion(run, examples, path):
    from sklearn.decomposition import PCA

    rows, _ = examples.rows
    images = examples.test[:COMPRESSED]
    steps = usual_step(run.model, rows) * np.array([0.5, 1, 2, 4, 8])
    units = run.encode(images[:1]).shape[1]
    units = min(units, *rows.shape)
    curves = {
        "autoencoder": rate_distortion(run.model, examples.train, images, steps),
        f"PCA {units}": rate_distortion(PCA(units).fit(rows), examples.train, images, steps),
        "JPEG without headers": jpeg_curve(images, headers=False),
    }
    points = {name: ([p.bpp for p in c], [p.psnr for p in c]) for name, c in curves.items()}
    title = f"{run.title}: {len(images)} {_which(examples)} in real bytes"
    plots.rate_distortion(points, path, title=title)


def _is_grey(run, examples):
    return run.image_shape[2] == 1


def _varies(run, examples):
    return len(run.history()["epoch"]) > 0


FIGURES = {
    "reconstructions": Figure(_reconstructions),
    "error_maps": Figure(_error_maps),
    "loss": Figure(_loss, _varies, "an epoch of training"),
    "codes": Figure(_codes),
    "scatter": Figure(
        _scatter,
        lambda run, examples: (
            examples.labels is not None and min(run.code_length, len(examples.test)) > 1
        ),
        "images with labels that several share, and codes of two units or more",
    ),
    "filters": Figure(_filters, _is_grey, "grey images"),
    "samples": Figure(_samples),
    "interpolations": Figure(
        _interpolations, lambda run, examples: len(examples.test) > 1, "two test images"
    ),
    "manifold": Figure(
        _manifold, lambda run, examples: run.code_length == 2, "a code of two units"
    ),
    "traversals": Figure(
        _traversals, lambda run, examples: run.is_variational, "a variational autoencoder"
    ),
    "units": Figure(_units, lambda run, examples: run.is_variational, "a variational autoencoder"),
    "rate_distortion": Figure(_rate_distortion),
}
