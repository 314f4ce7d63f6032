"""A code of whole numbers: each vector of the code is replaced by the nearest of a codebook."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad import concatenate, matmul, primitive, reshape
from minigrad.backend import array_module, to_numpy
from minigrad.nn import Module, Parameter
from minigrad.tape import opaque
from minigrad.whole_batch import whole_sum

from ..checks import check_number, check_whole
from .code import Code

_USE = "codebook_use"  # how often each vector was chosen in an epoch, in the memory


class VectorQuantisedCode(Code):
    """The nearest vectors of a codebook that is learnt: a VQ-VAE (A. van den Oord et al., 2017).

    The n_components numbers of the encoder are cut into vectors of `length`, and the decoder reads
    for each the nearest vector of the codebook, the same for all. The gradient goes straight
    through from the decoder to the encoder. Two terms bring both together: "codebook", the squared
    distance that moves the codebook's vectors to the encoder's, so that each becomes the mean of
    those that chose it, as in k-means; and "commitment", `commitment` times the same distance,
    which moves the encoder's. The history has the "perplexity" of the codebook's use too: how many
    vectors were in use, if all were used alike.

    Parameters
    ----------
    n_vectors : int, default=64
        Of the codebook.
    length : int or None, default=None
        Of a vector; it divides n_components. None makes one vector of the whole code.
    commitment : float, default=0.25
        The weight of the term of that name.

    Examples
    --------
    >>> from autoencoder import Autoencoder
    >>> X = np.random.default_rng(0).normal(size=(60, 8))
    >>> code = VectorQuantisedCode(n_vectors=16, length=2)
    >>> model = Autoencoder(4, code=code, max_epochs=2, random_state=0).fit(X)
    >>> code.numbers(model.network_.encode(X)).shape, len(np.unique(model.transform(X))) <= 2 * 16
    ((60, 2), True)
    >>> all(perplexity <= 16 for perplexity in model.history_["perplexity"])
    True
    """

    steps = True  # what is small for the encoder changes nothing, or everything

    def __init__(
        self, n_vectors: int = 64, length: int | None = None, commitment: float = 0.25
    ) -> None:
        self.n_vectors = n_vectors
        self.length = length
        self.commitment = commitment

    def check(self) -> None:
        """Raise ValueError unless the parameters can be used."""
        check_whole("VectorQuantisedCode: n_vectors", self.n_vectors, 2)
        if self.length is not None:
            check_whole("VectorQuantisedCode: length", self.length, 1, "None or ")
        check_number(
            "VectorQuantisedCode: commitment",
            self.commitment,
            "of at least 0",
            lambda v: 0 <= v < np.inf,
        )

    def width(self, n_components: int) -> int:
        """How many outputs the encoder needs for `n_components` numbers: as many."""
        return n_components

    def layer(self, n_components: int, rng: np.random.Generator, dtype: Any) -> Any:
        """The codebook, which follows the encoder: a `Codebook` with vectors drawn from `rng`."""
        self.check()
        length = n_components if self.length is None else int(self.length)
        if n_components % length:
            raise ValueError(
                f"VectorQuantisedCode: a code of {n_components} numbers is not made of vectors of "
                f"{length}: choose n_components as a multiple of length"
            )
        return Codebook(int(self.n_vectors), length, rng, dtype)

    def _cut(self, h):
        """What the encoder said, and the nearest vectors: (N, k) both."""
        k = _length(h.shape[1], self.length)
        return h[:, :k], h[:, k : 2 * k]

    def mean(self, h: Any) -> Any:
        """The nearest vectors of the codebook: (N, 2k + k / length) -> (N, k)."""
        return self._cut(h)[1]

    def numbers(self, h: Any) -> Any:
        """Which vectors of the codebook these are: (N, 2k + k / length) -> ints (N, k / length)."""
        h = h.numpy() if hasattr(h, "numpy") else h
        return h[:, 2 * _length(h.shape[1], self.length) :].astype(int)

    def sample(self, h: Any, rng: np.random.Generator) -> Any:
        """The nearest vectors, with the gradient going straight through to the encoder: (N, k)."""
        said, nearest = self._cut(h)
        return said + (nearest - said).detach()

    def terms(self, h: Any, weight: Any = None, memory: Any = None) -> Any:
        """The terms "codebook" and "commitment"; the codebook's use is kept in the `memory`."""
        said, nearest = self._cut(h)
        pairs = {"codebook": (said.detach(), nearest), "commitment": (said, nearest.detach())}
        costs = {}
        for name, (a, b) in pairs.items():
            squares = ((a - b) * (a - b)).sum(axis=1)  # (N,)
            costs[name] = (squares if weight is None else squares * weight).mean()
        costs["commitment"] = float(self.commitment) * costs["commitment"]
        if memory is not None:
            opaque(_count, h._data, memory, 2 * said.shape[1], int(self.n_vectors))
        return costs

    def measures(self, memory: Any) -> dict[str, float]:
        """The "perplexity" of the codebook's use since the last call, a dict."""
        if _USE not in memory:
            return {}
        use = memory[_USE]
        shares = to_numpy(use).astype(np.float64)  # a copy
        use[...] = 0
        shares = shares[shares > 0] / shares.sum()
        return {"perplexity": float(np.exp(-(shares * np.log(shares)).sum()))}


def _count(h, memory, first, n_vectors):
    """Add to the `memory` how often each vector was chosen, by the numbers from column `first`."""
    xp = array_module(h)
    use = memory.setdefault(_USE, xp.zeros(n_vectors, h.dtype))
    chosen = h[:, first:].reshape(-1, 1) == xp.arange(n_vectors)  # (M, n_vectors)
    use += whole_sum(chosen.sum(axis=0).astype(use.dtype))


class Codebook(Module):
    """`vectors` (n_vectors, length), of which the nearest take the place of those of the encoder.

    (N, k) -> (N, 2k + k / length): what came in, the nearest vectors, and their numbers.
    """

    torch_axes = (0, 1)  # of an Embedding, as here

    def __init__(
        self, n_vectors: int, length: int | None, rng: np.random.Generator, dtype: Any
    ) -> None:
        self.length = length
        vectors = rng.uniform(-1 / n_vectors, 1 / n_vectors, (n_vectors, length))
        self.vectors = Parameter(vectors.astype(dtype))

    def forward(self, z: Any) -> Any:
        flat = reshape(z.detach(), (-1, self.length))  # (M, length)
        chosen = nearest(flat, self.vectors.detach())  # (M, n_vectors)
        count = array_module(z._data).arange(len(self.vectors), dtype=z.dtype)
        numbers = reshape(matmul(chosen, count), (len(z), -1))  # which each is; exact
        found = reshape(chosen @ self.vectors, z.shape)  # its gradient is a sum, without scatter
        return concatenate([z, found, numbers], axis=1)

    def extra_repr(self) -> str:
        n_vectors, length = self.vectors.shape
        return f"{n_vectors} vectors of {length}"


@primitive("vectors z (M, length) and those of a codebook (n_vectors, length)")
def nearest(z, vectors):
    """Which of the `vectors` is nearest to each row of `z`: (M, n_vectors), 1 there and else 0."""
    distances = (vectors * vectors).sum(axis=1) - 2 * matmul(z, vectors.T)  # (M, n_vectors)
    numbers = distances.argmin(axis=1)  # (M,)
    return (numbers[:, None] == array_module(z).arange(len(vectors))).astype(z.dtype)


def _length(width, length):
    """The k of which ``2k + k / length`` (`length` may be k itself, None) is the `width`."""
    return (width - 1) // 2 if length is None else width * length // (2 * length + 1)
