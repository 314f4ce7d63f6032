"""Random numbers with the same bits on the CPU and the GPU.

NumPy's generators live on the host and CuPy's draw other numbers; neither can be replayed in a
CUDA graph. `Philox` is counter-based: block k of four words is a fixed function of the key and of
k, so each thread makes its own, in any order, and the state is one counter.

Sources: J. Salmon et al., Parallel random numbers: as easy as 1, 2, 3 (SC 2011), for Philox4x32-10;
M. Wichura, Algorithm AS 241 (Applied Statistics 37, 1988), for the normal distribution.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from .backend import Array, array_module, to_device, to_numpy

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

Size: TypeAlias = "int | Sequence[int] | None"

__all__ = ["Philox"]

# device -> function(kernel, out, key, counter) that fills the array `out` with the numbers called
# `kernel` ("uniform" or "normal") and advances the counter; on the CPU that is done here
draws: dict[str, Callable[[str, Array, Array, Array], None]] = {}

_MULTIPLIERS = 0xD2511F53, 0xCD9E8D57
_WEYL = 0x9E3779B9, 0xBB67AE85  # added to the key after each round
_LOW = 0xFFFFFFFF
_BLOCK = 1 << 13  # blocks of four words made at a time: they stay in the cache


class Philox:
    """A generator of random numbers (Philox4x32-10) for device "cpu" or "cuda".

    It draws what `numpy.random.Generator` calls `random` and `standard_normal`, in float32 unless
    `dtype` says otherwise, as arrays on its device; with the same `seed` the same bits on every
    device. `seed` is an integer, a `numpy.random.SeedSequence`, or None for one from the operating
    system. Each draw begins a new block, so 4 numbers are used up even by a draw of one.

    On the GPU the counter lives there too and the kernels advance it: nothing waits, and a draw
    that was captured in a CUDA graph gives new numbers when it is replayed.

    Parameters
    ----------
    seed : int, numpy.random.SeedSequence or None, default=None
    device : {"cpu", "cuda"}, default="cpu"

    Examples
    --------
    >>> rng = Philox(0)
    >>> rng.random(3)
    array([0.12218684, 0.5622784 , 0.54024506], dtype=float32)
    """

    def __init__(
        self, seed: int | list[int] | np.random.SeedSequence | None = None, device: str = "cpu"
    ) -> None:
        try:
            if not isinstance(seed, np.random.SeedSequence):
                seed = np.random.SeedSequence(seed)
            self._sequence = seed
        except (TypeError, ValueError):
            raise ValueError(
                "Philox: seed must be None, integers of at least 0, or a numpy SeedSequence, got "
                f"{seed!r}"
            ) from None
        self.device = device
        self._key = self._sequence.generate_state(2)
        self._counter = to_device(np.zeros(1, np.uint64), device)  # of blocks used

    def random(self, size: Size = None, dtype: DTypeLike = np.float32) -> Any:
        """Uniform numbers in [0, 1): multiples of 2**-24, or of 2**-53 in float64 (CPU only)."""
        dtype = np.dtype(dtype)
        if dtype == np.float64 and self.device == "cpu":
            return self._on_cpu(size, 2, uniform64, dtype)
        self._check("random", dtype, "on the GPU")
        return self._draw("uniform", uniform, size)

    def standard_normal(self, size: Size = None, dtype: DTypeLike = np.float32) -> Any:
        """Numbers from the normal distribution of mean 0 and variance 1, in float32 only.

        The inverse of the distribution function at one of 2**32 points, so none lies beyond 6.4.
        """
        self._check("standard_normal", np.dtype(dtype), "for normal numbers")
        return self._draw("normal", normal, size)

    def spawn(self, n_children: int) -> list[Philox]:
        """`n_children` new generators on the same device, independent of this one and each other
        (as by `numpy.random.SeedSequence.spawn`, which counts them: the next call gives others)."""
        return [Philox(child, self.device) for child in self._sequence.spawn(n_children)]

    @property
    def bit_generator(self) -> Philox:
        """The generator itself, so that ``rng.bit_generator.state`` means what it does in NumPy."""
        return self

    @property
    def state(self) -> dict[str, Any]:
        """What the next draws depend on, as a dict for JSON. Reading it waits for the GPU."""
        key, counter = self._key.tolist(), int(to_numpy(self._counter)[0])
        return {"bit_generator": "Philox4x32-10", "state": {"key": key, "counter": counter}}

    @state.setter
    def state(self, state: dict[str, Any]) -> None:
        try:
            if state["bit_generator"] != "Philox4x32-10":
                raise KeyError(state["bit_generator"])
            low, high = map(operator.index, state["state"]["key"])
            key = np.array([low, high], np.uint32)
            counter = np.uint64(operator.index(state["state"]["counter"]))
        except (KeyError, TypeError, ValueError, OverflowError):
            raise ValueError(
                "Philox: expected a state as its own .state gives it, with a key of two 32-bit "
                f"integers and a 64-bit counter, got {state!r}"
            ) from None
        self._key = key
        self._counter.fill(counter)  # in place: a captured graph knows where it lies

    def __repr__(self) -> str:
        return f"Philox(key={self._key.tolist()}, device={self.device!r})"

    def _check(self, name: str, dtype: np.dtype[Any], where: str) -> None:
        if dtype != np.float32:
            raise TypeError(
                f"Philox.{name}: draws float32 only {where}, got dtype {dtype.name}: draw float32 "
                "and use astype, or take a numpy.random.Generator"
            )

    def _draw(self, kernel: str, function: Callable[[Array], Array], size: Size) -> Any:
        if self.device == "cpu":
            return self._on_cpu(size, 1, function, np.dtype(np.float32))
        out = array_module(self._counter).empty(_shape(size), np.float32)
        if out.size:
            draws[self.device](kernel, out, self._key, self._counter)
        return out

    def _on_cpu(
        self,
        size: Size,
        words_each: int,
        function: Callable[[Array], Array],
        dtype: np.dtype[Any],
    ) -> Any:
        out = np.empty(_shape(size), dtype)
        flat, counter = out.reshape(-1), int(self._counter[0])
        per_piece = 4 * _BLOCK // words_each
        for begin in range(0, out.size, per_piece):
            piece = flat[begin : begin + per_piece]
            blocks = -(-piece.size * words_each // 4)
            words = _words(counter, blocks, self._key)[: piece.size * words_each]
            piece[...] = function(words)
            counter += blocks
        self._counter[0] = counter & (1 << 64) - 1
        return out[()] if size is None else out


def _shape(size: Size) -> tuple[int, ...]:
    if size is None:
        return ()
    try:
        return tuple(map(operator.index, size if isinstance(size, tuple | list) else (size,)))
    except TypeError:
        raise TypeError(
            f"Philox: size must be None, an integer or a tuple of integers, got {size!r}"
        ) from None


# ---------------------------------------------------------------------- the bits
def _words(counter: int, blocks: int, key: Array) -> Array:
    """The words (4 * blocks,) of the blocks from number `counter` on."""
    index = np.arange(blocks, dtype=np.uint64)
    index += np.uint64(counter & (1 << 64) - 1)  # past 2**64 it begins again
    zero = np.zeros_like(index)
    return np.stack(philox4x32(index & _LOW, index >> 32, zero, zero, key), axis=1).reshape(-1)


def philox4x32(a: Array, b: Array, c: Array, d: Array, key: Array) -> tuple[Array, ...]:
    """Ten rounds of Philox on the counters ``(a, b, c, d)``, arrays of 32-bit numbers held in
    uint64: four arrays of uint32."""
    first, second = (int(k) for k in key)
    for _ in range(10):
        x, y = a * np.uint64(_MULTIPLIERS[0]), c * np.uint64(_MULTIPLIERS[1])
        a, b = y >> 32 ^ b ^ np.uint64(first), y & _LOW
        c, d = x >> 32 ^ d ^ np.uint64(second), x & _LOW
        first, second = first + _WEYL[0] & _LOW, second + _WEYL[1] & _LOW
    return tuple(word.astype(np.uint32) for word in (a, b, c, d))


# ---------------------------------------------------------------------- numbers from the bits
# The kernels do the same in the same order. Every operation is one that is exactly rounded (sums,
# products, quotients, square roots, conversions), hence the own logarithm.
_F = np.float32


def uniform(words: Array) -> Array:
    """The upper 24 bits of each word, as a float32 in [0, 1)."""
    return (words >> 8).astype(_F) * _F(2.0**-24)


def uniform64(words: Array) -> Array:
    """53 bits of each pair of words, as a float64 in [0, 1)."""
    high, low = words[::2] >> 5, words[1::2] >> 6
    return (high * 2.0**26 + low) * 2.0**-53


def normal(words: Array) -> Array:
    """The normal distribution's quantile of each word, a float32: AS 241's PPND7.

    The highest bit is the sign. The others are the distance from the median in probability,
    ``(k + 1/2) / 2**32``, and their complement the distance from the tail's end, which so has as
    many digits as the middle.
    """
    k = words & np.uint32(0x7FFFFFFF)
    q = (k.astype(_F) + _F(0.5)) * _F(2.0**-32)
    r = _F(0.180625) - q * q
    z = q * _polynomial(_MIDDLE[0], r) / _polynomial(_MIDDLE[1], r)
    tail = q > _F(0.425)
    p = ((np.uint32(0x7FFFFFFF) - k[tail]).astype(_F) + _F(0.5)) * _F(2.0**-32)
    r = np.sqrt(-_log(p)) - _F(1.6)
    z[tail] = _polynomial(_TAIL[0], r) / _polynomial(_TAIL[1], r)
    sign = words & np.uint32(0x80000000)
    return (z.view(np.uint32) | sign).view(_F)


_MIDDLE = (
    (5.9109374720e01, 1.5929113202e02, 5.0434271938e01, 3.3871327179e00),
    (6.7187563600e01, 7.8757757664e01, 1.7895169469e01, 1.0),
)
_TAIL = (
    (1.7023821103e-01, 1.3067284816e00, 2.7568153900e00, 1.4234372777e00),
    (1.2021132975e-01, 7.3700164250e-01, 1.0),
)
# log(1 + x) = x - x**2 / 2 + x**3 P(x) for x from sqrt(1/2) - 1 to sqrt(2) - 1 (Cephes, logf)
_LOG = (
    7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1,
    -1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1,
)  # fmt: skip


def _polynomial(coefficients: Sequence[float], x: Array) -> Array:
    return functools.reduce(lambda y, c: y * x + _F(c), coefficients[1:], _F(coefficients[0]))  # type: ignore[arg-type]


def _log(p: Array) -> Array:
    """The logarithm of positive float32 numbers (no zeros, subnormals or infinities)."""
    bits = p.view(np.int32) - np.int32(0x3F3504F3)  # the bits of sqrt(1/2)
    exponent = (bits >> 23).astype(_F)
    x = ((bits & np.int32(0x007FFFFF)) + np.int32(0x3F3504F3)).view(_F) - _F(1)
    square = x * x
    y = x * square * _polynomial(_LOG, x) + exponent * _F(-2.12194440e-4)
    y = y - _F(0.5) * square
    return x + y + exponent * _F(0.693359375)  # log 2 in two parts, the second without an error
