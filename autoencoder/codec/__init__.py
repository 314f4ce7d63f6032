"""Compression: codes quantised, entropy coded and read back, measured in real bytes."""

from .codec import Codec, usual_step
from .rate_distortion import (
    bd_rate,
    bits_per_pixel,
    eight_bits,
    jpeg_curve,
)
from .weights import parameter_bytes

__all__ = [
    "Codec",
    "bd_rate",
    "bits_per_pixel",
    "eight_bits",
    "jpeg_curve",
    "parameter_bytes",
    "usual_step",
]
