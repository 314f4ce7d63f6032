"""reconstruct, denoise, encode, decode and sample: from images to codes and back."""

import numpy as np

from .. import plots
from ..evaluation import psnr
from ..parts import GaussianNoise
from ..runs import open_run
from . import files

SHEET = 12  # images that a .png of reconstructions shows


def reconstruct(options):
    """Write what the model makes of images; a .png shows them below the originals."""
    run = open_run(options.run, device=options.device)
    output = files.check_output(options.output, files.endings(run), options.input)
    given = run.read(options.input)
    clean = run.images(run.rows(given.images, given.name))
    rebuilt = run.reconstruct(clean)
    title = f"{run.title}: {given.name}"
    rows = [("original", clean), ("rebuilt", rebuilt)]
    grid = None if run.is_table else _grid(rows, title, given.names, clean, rebuilt)
    files.write_samples(run, output, rebuilt, title, grid, given.names)
    quality = "" if run.is_table else f", PSNR {psnr(clean, rebuilt):.1f} dB"
    print(f"{len(rebuilt)} {run.unit}{quality}: {output}")


def denoise(options):
    """Write images without their noise; with --noise-std it is added first, and told how much."""
    run = open_run(options.run, device=options.device)
    output = files.check_output(options.output, files.endings(run), options.input)
    given = run.read(options.input)
    clean = seen = run.images(run.rows(given.images, given.name))
    if options.noise_std is not None:
        if not options.noise_std > 0:
            raise ValueError(f"--noise-std must be above 0, got {options.noise_std}")
        files.for_images(run, "--noise-std")
        noise = GaussianNoise(options.noise_std, clip=(0, 1))
        seen = noise.corrupt(clean, np.random.default_rng(_seed(options)))
    rebuilt = run.reconstruct(seen)
    title = f"{run.title}: {given.name}"
    rows = [("noisy", seen), ("rebuilt", rebuilt)]
    if seen is clean:
        grid = _grid(rows, title, given.names)
    else:
        grid = _grid([("original", clean), *rows], title, given.names, clean, rebuilt)
    files.write_samples(run, output, rebuilt, title, grid, given.names)
    if run.estimator.noise is None:
        print(f"This model was not trained on noise: --model denoising is. ({run.title})")
    gain = ""
    if seen is not clean:
        gain = f", PSNR {psnr(clean, seen):.1f} dB noisy, {psnr(clean, rebuilt):.1f} dB rebuilt"
    print(f"{len(rebuilt)} {run.unit}{gain}: {output}")


def encode(options):
    """Write the codes of images."""
    run = open_run(options.run, device=options.device)
    output = files.check_output(
        options.output, (".npz", ".npy", ".csv"), options.input, arrays=("codes", "labels")
    )
    given = run.read(options.input)
    codes = run.estimator.transform(run.rows(given.images, given.name))
    files.write_codes(output, codes, given.labels, given.names)
    print(f"{len(codes)} codes of {codes.shape[1]} numbers: {output}")


def decode(options):
    """Write the images that codes stand for."""
    run = open_run(options.run, device=options.device)
    output = files.check_output(options.output, files.endings(run), options.codes)
    images = run.decode(files.read_codes(options.codes, run.n_components))
    names = files.read_names(options.codes, len(images))
    files.write_samples(run, output, images, f"{run.title}: decoded codes", names=names)
    print(f"{len(images)} {run.unit}: {output}")


def sample(options):
    """Write new images."""
    run = open_run(options.run, device=options.device)
    output = files.check_output(options.output, files.endings(run))
    if options.number < 1:
        raise ValueError(f"-n must be 1 or more, got {options.number}")
    images = run.sample(options.number, options.prior, _seed(options))
    source = "the prior" if options.prior is None else "a normal distribution of codes"
    files.write_samples(run, output, images, f"{run.title}: samples from {source}")
    print(f"{len(images)} {run.unit}: {output}")


def _grid(rows, title, names, clean=None, rebuilt=None):
    """A function that draws the first of some images in labelled rows, with names and PSNR."""
    footer, notes = plots.SCALE, names
    if clean is not None:
        pairs = zip(clean[:SHEET, None], rebuilt[:SHEET, None], strict=True)  # (1, H, W, C) each
        notes = [f"{psnr(a, b):.1f} dB" for a, b in pairs]
        if names is not None:
            notes = [f"{name}\n{note}" for name, note in zip(names, notes, strict=False)]
        footer = f"Below each its PSNR (peak 1), against the original. {footer}"
    return lambda path: plots.image_rows(rows, path, title=title, notes=notes, footer=footer)


def _seed(options):
    if options.seed < 0:
        raise ValueError(f"--seed must be 0 or more, got {options.seed}")
    return options.seed
