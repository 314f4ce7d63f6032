"""Images in few bytes: a model's codes, quantised and entropy coded into a strict container.

A transform coder in three parts. The model (an autoencoder, PCA, anything with ``transform`` and
``inverse_transform``) turns images into codes, the quantiser (`codec.quantiser`) turns codes into
symbols, and range coding (Martin, 1979; here the library constriction) writes each symbol in
about -log2 of its frequency bits. The bytes are the real ones; the model and the tables that the
receiver must have as well are not among them, so their size belongs beside every rate
(`autoencoder.codec.rate_distortion`).

A file is 17 bytes of header and the range coder's 32-bit words, all little-endian:
magic ``MGAE``, version (1 byte), identity of the tables (4), number of samples (4), CRC-32 of all
the rest (4). The CRC finds damage; it is no protection against a forger.
"""

from __future__ import annotations

import struct
import zlib
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
from constriction import stream

from minigrad import checkpoint
from minigrad.backend import Array
from minigrad.checkpoint import PathLike

from ..checks import as_numbers
from .quantiser import MAX_LEVELS, TOTAL, Quantiser, decoder_gains, fit_quantiser
from .weights import weights_crc32

if TYPE_CHECKING:
    from typing import Self

_HEADER = struct.Struct("<4sBIII")
_MAGIC = b"MGAE"
_VERSION = 1
_KIND = "autoencoder codec 1"
_ROWS = 4096  # samples that every 4 bytes may stand for, however little each has to say
_OTHER = "load: the codec in {} belongs to another model: give the model that it was fitted with"
_SHARE = 0.1  # of the model's own squared error: what the usual step adds to it


class Codec:
    """Compress samples to bytes, and back, with a fitted `model` and one quantiser step.

    `step` is a distance in the model's output: quantisation adds about step**2 / 12 for each unit
    to the squared error of a sample. Larger steps make smaller files. Each unit's own step, range
    and table of frequencies come from the training samples given to `fit`.

    A file has 17 bytes of header, and a few more are lost to whole words: compress many samples at
    once. Codes outside the trained range (a quarter of it further on either side) are clamped, so
    a sample unlike all training samples comes back distorted; it is not refused.

    Parameters
    ----------
    model : fitted estimator
        With ``transform`` and ``inverse_transform``.
    step : float

    Examples
    --------
    >>> from sklearn.decomposition import PCA
    >>> from autoencoder.datasets import load_digits
    >>> X = load_digits().images.reshape(1797, 64)
    >>> codec = Codec(PCA(16).fit(X[:1300]), step=0.5).fit(X[:1300])
    >>> data = codec.compress(X[1300:])
    >>> len(data) < X[1300:].size / 8, codec.decompress(data).shape
    (True, (497, 64))
    """

    def __init__(self, model: Any, step: Any) -> None:
        self.model = model
        self.step = step

    def fit(self, X: Any) -> Self:
        """Learn steps, ranges and frequencies from training samples X (N, D); returns self.

        Raises ValueError when the step is not a positive number or is too small (4096 levels a
        unit at most).
        """
        codes = self.model.transform(X)  # (N, k)
        return self.fit_codes(codes, decoder_gains(self.model.inverse_transform, _finite(codes)))

    def fit_codes(self, codes: Any, gains: Any) -> Self:
        """What `fit` does, from the codes (N, k) of the training rows and the decoder's gains (k,).

        Both are the same for every step and take longer than all the rest.
        """
        if not (isinstance(self.step, Real) and 0 < self.step < np.inf):
            raise ValueError(f"Codec: the step must be a positive number, got {self.step!r}")
        with np.errstate(divide="ignore"):  # what does not move the output has an infinite step
            self.quantiser_ = fit_quantiser(_finite(codes), float(self.step) / gains)
        self._prepare()
        return self

    def compress(self, X: Any) -> bytes:
        """Turn samples X (N, D) into the bytes of a file; the same X gives the same bytes."""
        return self.encode(self.model.transform(X))

    def decompress(self, data: bytes, *, max_examples: int = 1_000_000) -> Array:
        """Turn the bytes that `compress` made back into samples (N, D), as far as they survived.

        Raises ValueError for anything else: damaged or foreign files, those of a codec with other
        tables, and files that claim more than `max_examples`.
        """
        return self.model.inverse_transform(self.decode(data, max_examples=max_examples))

    def encode(self, codes: Any) -> bytes:
        """Turn codes (N, k) into the bytes of a file."""
        symbols = self._fitted().quantise(codes)
        if not len(symbols):
            raise ValueError("encode: there are no samples to write")
        payload = self._range_encode(symbols)
        start = _HEADER.pack(_MAGIC, _VERSION, self._identity, len(symbols), 0)[:-4]
        return start + struct.pack("<I", zlib.crc32(start + payload)) + payload

    def decode(self, data: bytes, *, max_examples: int = 1_000_000) -> Array:
        """Turn the bytes of a file into the quantised codes (N, k); errors as in `decompress`."""
        quantiser = self._fitted()
        try:
            data = bytes(memoryview(data))
        except TypeError:
            raise TypeError(
                f"decode: the bytes of a file are needed, got {type(data).__name__}"
            ) from None
        if len(data) < _HEADER.size or data[:4] != _MAGIC:
            raise ValueError("decode: these bytes are no file of this format, or only its start")
        _, version, identity, count, crc = _HEADER.unpack_from(data)
        payload = data[_HEADER.size :]
        if version != _VERSION:
            raise ValueError(f"decode: the file has version {version}, this program reads 1")
        if zlib.crc32(data[: _HEADER.size - 4] + payload) != crc:
            raise ValueError("decode: the file is damaged: its checksum is wrong")
        if identity != self._identity:
            raise ValueError(
                "decode: the file was written with other tables: load the codec that wrote it"
            )
        if not 0 < count <= max_examples:
            raise ValueError(
                f"decode: the file claims {count} samples, between 1 and {max_examples} are "
                "accepted: raise max_examples if you trust it"
            )
        # Each sample costs at least this, so a short file cannot hold many. What follows needs
        # memory for `count` samples.
        short = len(payload) < _least_bytes(count)
        if short or len(payload) % 4 or count * self._least_bits > 8 * len(payload) + 64:
            raise ValueError(f"decode: {len(payload)} bytes do not hold {count} samples")
        symbols = self._range_decode(payload, count)
        if self._range_encode(symbols) != payload:
            raise ValueError("decode: the file is not one that this program writes")
        return quantiser.dequantise(symbols)

    @property
    def nbytes(self) -> int:
        """The size of the tables in bytes, which the receiver needs besides the model."""
        return sum(table.nbytes for table in self._fitted())

    def save(self, path: PathLike) -> None:
        """Write the tables to `path` (.npz, no pickle); save the model by its own means."""
        tables = {**self._fitted()._asdict(), "witness": self._witness()}
        about = {"kind": _KIND, "step": float(self.step), "model": weights_crc32(self.model)}
        checkpoint.save(path, tables, about)

    @classmethod
    def load(cls, path: PathLike, model: Any) -> Self:
        """Read a codec that `save` wrote, for the same `model`.

        Raises FileNotFoundError, and ValueError where the file is damaged, is something else, or
        belongs to a model of other weights, or one that decodes differently.
        """
        arrays, about = checkpoint.load(path)
        if about.get("kind") != _KIND or set(arrays) != {*Quantiser._fields, "witness"}:
            raise ValueError(f"load: {path} holds no codec: give the file that Codec.save wrote")
        witness = arrays.pop("witness")
        if about.get("model") != weights_crc32(model):
            raise ValueError(_OTHER.format(path))
        codec = cls(model, about.get("step"))
        codec.quantiser_ = Quantiser(**arrays)
        if not _consistent(codec.quantiser_):
            raise ValueError(f"load: the tables in {path} contradict each other: it is damaged")
        codec._prepare()
        try:
            same = np.allclose(codec._witness(), witness, rtol=1e-3, atol=1e-3 * np.std(witness))
        except ValueError:  # the model has another number of units or of features
            same = False
        if not same:
            raise ValueError(_OTHER.format(path))
        return codec

    def _fitted(self):
        if not hasattr(self, "quantiser_"):
            raise ValueError("Codec: there are no tables yet: call fit, or Codec.load")
        return self.quantiser_

    def _prepare(self):
        """Make from the tables what coding needs."""
        quantiser = self.quantiser_
        tables = quantiser.by_unit(quantiser.frequencies)
        # Units of one level are not coded. Whole numbers below 2**53 are exact in float64, and the
        # coder scales them by one IEEE multiplication each, equal on every machine.
        self._tables = {
            unit: stream.model.Categorical(table.astype(np.float64), perfect=False)
            for unit, table in enumerate(tables)
            if len(table) > 1
        }
        self._least_bits = -sum(np.log2(table.max() / TOTAL) for table in tables)
        self._identity = 0
        for table in quantiser:
            little = np.ascontiguousarray(table, table.dtype.newbyteorder("<"))
            self._identity = zlib.crc32(little.tobytes(), self._identity)

    def _range_encode(self, symbols):
        encoder = stream.queue.RangeEncoder()
        for unit, table in self._tables.items():
            encoder.encode(np.ascontiguousarray(symbols[:, unit]), table)
        payload = encoder.get_compressed().astype("<u4").tobytes()
        return payload.ljust(_least_bytes(len(symbols)), b"\0")

    def _range_decode(self, payload, count):
        decoder = stream.queue.RangeDecoder(np.frombuffer(payload, "<u4").astype(np.uint32))
        symbols = np.zeros((count, len(self.quantiser_.levels)), np.int32)
        try:
            for unit, table in self._tables.items():
                symbols[:, unit] = decoder.decode(table, count)
        except AssertionError:  # what constriction raises where no symbol fits
            raise ValueError("decode: the file is damaged: no symbols fit its bits") from None
        return symbols

    def _witness(self):
        """What the model makes of the codes at the lowest and the highest level: (2, D)."""
        levels = self.quantiser_.levels
        symbols = np.stack([np.zeros_like(levels), levels - 1])  # (2, k)
        return np.asarray(self.model.inverse_transform(self.quantiser_.dequantise(symbols)))


def _least_bytes(count):
    """The least payload of `count` samples; zeros fill it up where their codes say nothing."""
    return count // _ROWS * 4


def _finite(codes):
    codes = np.asarray(codes)
    if codes.ndim != 2 or not codes.size or not np.isfinite(codes).all():
        raise ValueError(
            f"fit: the model's codes have shape {codes.shape}, or are not all finite, but finite "
            "(N, k) codes are needed: fit the model first"
        )
    return codes


def _consistent(quantiser):
    """Whether tables read from a file are those of a quantiser."""
    edges, steps, levels, values, frequencies = quantiser
    return bool(
        all(table.ndim == 1 for table in quantiser)
        and levels.dtype == frequencies.dtype == np.int64
        and all(table.dtype.kind == "f" for table in (edges, steps, values))
        and len(edges) == len(steps) == len(levels) > 0
        and all(np.isfinite(table).all() for table in (edges, steps, values))
        and (steps > 0).all()
        and ((levels >= 1) & (levels <= MAX_LEVELS)).all()
        and len(values) == len(frequencies) == levels.sum()
        and ((frequencies >= 1) & (frequencies <= TOTAL)).all()
        and all(table.sum() == TOTAL for table in quantiser.by_unit(frequencies))
    )


def usual_step(model: Any, X: Any) -> float:
    """A step for a fitted `model` that adds a tenth to its squared error, from rows X (N, D).

    A step adds about step**2 / 12 to the squared error for each of the k units (see `Codec`), so
    it is sqrt(12 * 0.1 * error / k).

    Parameters
    ----------
    model : fitted estimator
    X : array (N, D)

    Returns
    -------
    float

    Examples
    --------
    >>> from autoencoder import Autoencoder
    >>> X = np.random.default_rng(0).random((20, 6))
    >>> model = Autoencoder(2, max_epochs=5, random_state=0).fit(X)
    >>> 0.1 < usual_step(model, X) < 1
    True
    """
    X = as_numbers("usual_step", "X", X, None)
    error = np.square(X - model.reconstruct(X), dtype=np.float64).sum(axis=1).mean()
    k = model.transform(X[:1]).shape[1]
    step = np.sqrt(12 * _SHARE * error / k)
    return float(max(step, 1e-3))
