"""What a codec costs and what it keeps: rate in real bits per pixel against PSNR.

Rates count every byte of the file, headers too. Distortion is measured as a viewer meets it: images
and reconstructions are limited to [0, 1] and rounded to 8 bits, and the PSNRs of the images are
averaged. Beside every rate stands what the receiver must have had beforehand, the model and the
tables: a model of megabytes that saves kilobytes is a lesson, not a compressor.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from PIL import Image
from scipy.interpolate import PchipInterpolator

from minigrad.backend import Array

from ..checks import SEVERAL, as_numbers, check_whole
from ..evaluation import psnr
from .codec import Codec
from .quantiser import decoder_gains
from .weights import parameter_bytes


class RatePoint(NamedTuple):
    """One point of a rate-distortion curve."""

    bpp: float  # bits per pixel, from the length of the real file
    psnr: float  # dB at 8 bits, mean over the images; infinite when one of them came back exactly
    setting: float  # the step, or JPEG's quality
    model_bytes: int  # what the receiver needs besides the file


def bits_per_pixel(data: bytes, images: Array) -> float:
    """The rate of `data` (bytes) for `images` (N, H, W) or (N, H, W, C), in bits per pixel.

    The C channels of a place are one pixel.

    Parameters
    ----------
    data : bytes
    images : array (N, H, W) or (N, H, W, C)

    Returns
    -------
    float

    Examples
    --------
    >>> bits_per_pixel(bytes(8), np.zeros((1, 8, 8, 3)))
    1.0
    """
    if not isinstance(data, bytes | bytearray | memoryview):
        raise TypeError(f"bits_per_pixel: data must be bytes, got {type(data).__name__}")
    count, height, width = _shape(images)[:3]
    return 8 * len(data) / (count * height * width)


def rate_distortion(
    model: Any, train: Any, images: Array, steps: Sequence[float]
) -> list[RatePoint]:
    """Compress `images` (M, H, W) or (M, H, W, C) in [0, 1] at each of `steps`: RatePoints.

    The fitted `model` works on flat images; the codec's tables are learnt from the images `train`.
    All images go into one file. With scikit-learn's PCA as `model` it is the baseline to beat:

    >>> from sklearn.decomposition import PCA
    >>> from autoencoder.datasets import load_digits
    >>> digits = load_digits().images
    >>> pca = PCA(32).fit(digits[:1300].reshape(1300, 64))
    >>> for point in rate_distortion(pca, digits[:1300], digits[1300:], steps=(1, 0.25)):
    ...     print(f"{point.bpp:.1f} bits per pixel, {point.psnr:.0f} dB")
    0.3 bits per pixel, 16 dB
    1.1 bits per pixel, 24 dB
    """
    shape = _shape(images)
    _shape(train)
    train, flat = (
        as_numbers("rate_distortion", "images", a, None).reshape(len(a), -1)
        for a in (train, images)
    )
    _check_list("rate_distortion", "steps", steps)
    codes, curve = model.transform(train), []
    gains = decoder_gains(model.inverse_transform, codes)
    for step in steps:
        codec = Codec(model, step).fit_codes(codes, gains)
        data = codec.compress(flat)
        rebuilt = codec.decompress(data).reshape(shape)
        size = parameter_bytes(model) + codec.nbytes
        quality = psnr(eight_bits(images), eight_bits(rebuilt), data_range=255)
        curve.append(RatePoint(bits_per_pixel(data, images), quality, step, size))
    return curve


def jpeg_curve(
    images: Array, qualities: Sequence[int] = (5, 10, 20, 40, 60, 80, 95), *, headers: bool = True
) -> list[RatePoint]:
    """Compress `images` (N, H, W) or (N, H, W, C) in [0, 1] with JPEG (Pillow): RatePoints.

    Each image is a file of its own. ``headers=True`` counts whole files, with Huffman tables
    optimised for each. Of a thumbnail's file 100 to 200 bytes are headers and tables, at 64x64 some
    0.3 bits per pixel, which flatters whatever is compared with it. ``headers=False`` counts only
    the scans, coded with JPEG's standard tables, as if sender and receiver had agreed upon all
    else: no real file, but the fair number beside a codec whose tables are not in its files either.

    Parameters
    ----------
    images : array (N, H, W) or (N, H, W, C) in [0, 1]
    qualities : sequence of ints, default=(5, 10, 20, 40, 60, 80, 95)
    headers : bool, default=True

    Returns
    -------
    list of RatePoint

    Examples
    --------
    >>> flat = np.full((1, 64, 64), 0.5)
    >>> whole, scan = (jpeg_curve(flat, [50], headers=h)[0].bpp for h in (True, False))
    >>> scan < 0.1 < 0.3 < whole
    True
    """
    shape = _shape(images)
    if len(shape) == 4 and shape[3] not in (1, 3):
        raise ValueError(f"jpeg_curve: 1 or 3 channels are needed, got images of shape {shape}")
    pictures = eight_bits(images)
    _check_list("jpeg_curve", "qualities", qualities)
    for quality in qualities:
        check_whole("jpeg_curve: every quality", quality, 1)
    if len(shape) == 4 and shape[3] == 1:
        pictures = pictures[..., 0]  # (N, H, W), as Pillow wants grey ones
    curve = []
    for quality in qualities:
        data, rebuilt = [], []
        for picture in pictures:
            file = io.BytesIO()
            Image.fromarray(picture).save(file, "JPEG", quality=quality, optimize=headers)
            data.append(file.getvalue() if headers else _scan(file.getvalue()))
            rebuilt.append(np.asarray(Image.open(file)))
        bpp = bits_per_pixel(b"".join(data), images)
        curve.append(RatePoint(bpp, psnr(pictures, np.stack(rebuilt), data_range=255), quality, 0))
    return curve


def bd_rate(curve: Sequence[RatePoint], reference: Sequence[RatePoint]) -> float:
    """The bits that `curve` needs more than `reference` for equal PSNR, in percent of them.

    Minus 50 means half the bits. Both are lists of (bits per pixel, PSNR, ...) of at least two
    points. The mean difference of the logarithmic rates is taken over the PSNRs that both reach
    (Bjontegaard, 2001, VCEG-M33), between points interpolated piecewise by monotone cubics as in
    the common test conditions of HEVC (JCTVC-L1100).

    Parameters
    ----------
    curve, reference : list of (bits per pixel, PSNR, ...)

    Returns
    -------
    float

    Raises
    ------
    ValueError
        When the curves share no PSNR or do not rise.

    Examples
    --------
    >>> round(bd_rate([(0.5, 30), (1, 34), (2, 39)], [(1, 30), (2, 34), (4, 39)]), 9)
    -50.0
    """
    ours, theirs = _log_rate(curve), _log_rate(reference)
    low, high = max(ours.x[0], theirs.x[0]), min(ours.x[-1], theirs.x[-1])
    if low >= high:
        raise ValueError(
            f"bd_rate: one curve has {ours.x[0]:.1f} to {ours.x[-1]:.1f} dB, the other "
            f"{theirs.x[0]:.1f} to {theirs.x[-1]:.1f}: choose settings that overlap"
        )
    difference = (ours.integrate(low, high) - theirs.integrate(low, high)) / (high - low)
    return float(100 * np.expm1(difference))


def eight_bits(images: Array) -> Array:
    """Limit images to [0, 1] and round them to 8 bits: uint8 of the same shape.

    Parameters
    ----------
    images : array

    Returns
    -------
    array of uint8
    """
    images = as_numbers("eight_bits", "the images", images, None)
    if np.isnan(images).any():
        raise ValueError("eight_bits: the images hold NaN, which no grey level stands for")
    return np.rint(np.clip(images, 0, 1) * 255).astype(np.uint8)


def _check_list(who, name, values):
    if not isinstance(values, SEVERAL) or getattr(values, "ndim", 1) != 1:
        raise ValueError(f"{who}: {name} must be a list of numbers, got {values!r}")


def _log_rate(curve):
    """The logarithm of the rate as a function of PSNR."""
    if isinstance(curve, list | tuple):
        curve = [point[:2] if isinstance(point, SEVERAL) else point for point in curve]
    points = as_numbers("bd_rate", "a curve", curve)  # (points, 2)
    if points.ndim != 2 or points.shape[1] != 2 or len(points) < 2:
        raise ValueError(f"bd_rate: at least two points (rate, PSNR) are needed, got {curve!r}")
    points = points[np.lexsort(points.T[::-1])]
    if not np.isfinite(points).all() or points[0, 0] <= 0:
        raise ValueError(
            f"bd_rate: at least two points of finite PSNR and positive rate are needed, got "
            f"{points.tolist()}"
        )
    rates, ratios = points.T
    if not (np.diff(ratios) > 0).all():
        raise ValueError(
            f"bd_rate: PSNR must rise with the rate, but it goes {ratios.round(2).tolist()}: leave "
            "out settings that another one beats in both"
        )
    return PchipInterpolator(ratios, np.log(rates))


def _shape(images):
    shape = as_numbers("images", "they", images, None).shape
    if len(shape) not in (3, 4) or 0 in shape:
        raise ValueError(
            f"Images of shape (N, H, W) or (N, H, W, C) are needed, got {shape}: pixels can only "
            "be counted in images that are not flat"
        )
    return shape


def _scan(jpeg):
    """The entropy-coded part of a baseline JPEG file, between the scan's header and the end."""
    start = jpeg.index(b"\xff\xda")
    return jpeg[start + 2 + int.from_bytes(jpeg[start + 2 : start + 4]) : -2]
