"""compress and decompress: images as few bytes, and how few they are beside other things.

The tables of the entropy coder are learnt from the training images once for each step, and kept in
the run folder as codec.npz or codec-STEP.npz: the receiver needs them, and the model.
"""

from pathlib import Path

import numpy as np

from minigrad.checkpoint import whole

from ..codec import Codec, eight_bits, jpeg_curve, parameter_bytes, usual_step
from ..evaluation import psnr
from ..runs import open_run
from ..runs.files import own
from . import files

PATIENCE = 60  # seconds for which another compress may keep its tables


def compress(options):
    """Write images as one compressed file and print what that costs and keeps."""
    run = open_run(options.run, device=options.device)
    files.for_images(run, "compress")
    output = files.check_output(options.output, (".mgae",), options.input)
    given = run.read(options.input)
    rows = run.rows(given.images, given.name)
    codec = _codec(run, options.step)
    packed = codec.compress(rows)
    rebuilt = run.images(codec.decompress(packed))
    with files.written(output), whole(output) as file:
        file.write(packed)
    images = run.images(rows)
    quality = psnr(eight_bits(images), eight_bits(rebuilt), data_range=255)
    pixels = np.prod(images.shape[:3])
    jpegs = jpeg_curve(images[:200])
    jpeg = min(jpegs, key=lambda point: abs(point.psnr - quality))
    print(f"{output}: {len(images)} images, step {codec.step:.4g}")
    print(f"{'':24}{'bytes':>12}{'bits/pixel':>12}{'PSNR (dB)':>12}")
    for name, size, ratio in (
        ("this file", len(packed), quality),
        (f"JPEG files, quality {jpeg.setting}", round(jpeg.bpp * pixels / 8), jpeg.psnr),
        ("8-bit pixels", images.size, np.inf),
    ):
        rate = 8 * size / pixels
        print(f"{name:24}{size:12,}{rate:12.3f}{ratio:12.1f}")
    size = parameter_bytes(run.estimator) + codec.nbytes
    print(f"The receiver needs model and tables as well: {size:,} bytes, once.")


def decompress(options):
    """Write the images of a compressed file."""
    run = open_run(options.run, device=options.device)
    files.for_images(run, "decompress")
    output = files.check_output(options.output, files.PICTURES, options.input)
    path = Path(options.input)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    images = run.images(_decompress(run, path))
    files.write_images(output, images, f"{run.title}: decompressed from {path.name}")
    print(f"{len(images)} images from {path.stat().st_size:,} bytes: {output}")


def _codec(run, step):
    """The codec of a run for `step`, from its folder or, the first time, learnt and kept there."""
    path = run.folder / ("codec.npz" if step is None else f"codec-{step:g}.npz")
    if path.exists():
        return Codec.load(path, run.estimator)
    X, _ = run.samples().rows
    codec = Codec(run.estimator, usual_step(run.estimator, X) if step is None else step).fit(X)
    with files.writes_into(run.folder, PATIENCE), files.written(path):
        codec.save(own(path))
    return codec


def _decompress(run, path):
    """The rows in a file, by whichever of the run's codecs wrote it."""
    data, reason = path.read_bytes(), None
    for tables in sorted(run.folder.glob("codec*.npz")):
        try:
            return Codec.load(tables, run.estimator).decompress(data)
        except ValueError as error:
            reason = error
    if reason is None:
        reason = f"{run.folder} has no codec.npz: compress something with this run first"
    raise ValueError(f"{path}: {reason}")
