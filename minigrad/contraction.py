"""Einstein sums, made of transposes, reshapes and matrix products.

Two operands at a time: their letters are those of both that stay (a batch), those of both that are
summed over, and those of one alone, and each kind becomes one axis of a matrix product. So the
derivatives of every order are those of `matmul`, and so is the speed.
"""

from __future__ import annotations

import math
import string
from collections.abc import Collection, Sequence
from typing import Any

from .backend import Array, array_module
from .ops import matmul, sum
from .shapes import getitem, reshape, transpose
from .tensor import T, Tensor, describe


def einsum(subscripts: str, *operands: T | Array) -> T:
    """The sum of products that `subscripts` describes, as in NumPy: ``"ij,jk->ik"`` is a matrix
    product; ``...`` stands for leading axes, a letter twice in one operand for its diagonal.

    Parameters
    ----------
    subscripts : str
    *operands : Tensors or arrays

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import numpy as np
    >>> x = np.arange(4.0).reshape(2, 2)
    >>> einsum("ii->", x), einsum("ij,j->i", x, np.ones(2))
    (array(3.), array([1., 5.]))
    """
    if not isinstance(subscripts, str):
        raise TypeError(f"einsum: expected subscripts as a text, got {describe(subscripts)}")
    terms, output = _terms(subscripts, operands)
    sizes: dict[str, int] = {}
    for term, x in zip(terms, operands, strict=True):
        for letter, n in zip(term, x.shape, strict=True):
            firm = n != 1 or term.count(letter) > 1  # other axes of length 1 are stretched
            if firm and sizes.setdefault(letter, n) != n:
                raise ValueError(
                    f"einsum: {letter} is {sizes[letter]} long in one operand of {subscripts!r} "
                    f"and {n} in {describe(x)}"
                )
    y, had = None, ""
    for k, x in enumerate(operands):
        x, term = _one_of_each(x, terms[k], sizes)
        keep = set(output).union(*terms[k + 1 :])
        x, term = _without(x, term, keep | set(had))
        if y is not None:
            y, had = _without(y, had, keep | set(term))
            x, term = _product(y, had, x, term, keep)
        y, had = x, term
    y = _arranged(y, had, [c for c in output if c in had])
    return reshape(y, tuple(sizes.get(c, 1) for c in output))


def _terms(subscripts: str, operands: Sequence[Any]) -> tuple[list[str], str]:
    """The letters of each operand's axes and of the result's, ``...`` spelled out."""
    inputs, arrow, output = subscripts.replace(" ", "").partition("->")
    terms = inputs.split(",")
    free = [c for c in string.ascii_letters if c not in subscripts]
    most = ""
    for k, (term, x) in enumerate(zip(terms, operands, strict=False)):
        extra = getattr(x, "ndim", -1) - len(term.replace("...", "", 1))
        if extra < 0 or (extra and "..." not in term):
            break
        letters = "".join(free[len(free) - extra :])
        most = max(most, letters, key=len)
        terms[k] = term.replace("...", letters)
    else:
        every = "".join(terms)
        once = sorted(c for c in set(every) - set(most) if every.count(c) == 1)
        output = output.replace("...", most) if arrow else most + "".join(once)
        known = set(output) <= set(every) and set(every) <= set(string.ascii_letters)
        if len(terms) == len(operands) and len(set(output)) == len(output) and known:
            return terms, output
    raise ValueError(
        f"einsum: {subscripts!r} does not fit {', '.join(map(describe, operands)) or 'no operands'}"
        ': expected a letter for each axis of each operand, and after "->" some of them, once each'
    )


def _one_of_each(x: Any, term: str, sizes: dict[str, int]) -> tuple[Any, str]:
    """`x` with the diagonal where a letter is there twice, and without axes that are only
    stretched."""
    for letter in dict.fromkeys(term):
        while term.count(letter) > 1:
            i = term.index(letter)
            j = term.index(letter, i + 1)
            others = [a for a in range(len(term)) if a not in (i, j)]
            data = x._data if isinstance(x, Tensor) else x
            both = array_module(data).arange(x.shape[i])
            x = getitem(transpose(x, (i, j, *others)), (both, both))  # (diagonal, others)
            term = letter + "".join(term[a] for a in others)
    kept = [(c, n) for c, n in zip(term, x.shape, strict=True) if n == sizes.get(c)]
    return reshape(x, tuple(n for _, n in kept)), "".join(c for c, _ in kept)


def _without(x: Any, term: str, keep: Collection[str]) -> tuple[Any, str]:
    """`x` summed over the axes whose letters nobody needs any more."""
    gone = tuple(a for a, c in enumerate(term) if c not in keep)
    return (sum(x, gone), "".join(c for c in term if c in keep)) if gone else (x, term)


def _product(a: Any, of_a: str, b: Any, of_b: str, keep: Collection[str]) -> tuple[Any, str]:
    """The product of two operands, summed over the letters of both that are not in `keep`."""
    both = [c for c in of_a if c in of_b]
    batch, summed = [c for c in both if c in keep], [c for c in both if c not in keep]
    left, right = [c for c in of_a if c not in both], [c for c in of_b if c not in both]
    a = _arranged(a, of_a, [*batch, *left, *summed])
    b = _arranged(b, of_b, [*batch, *summed, *right])
    many, rows = a.shape[: len(batch)], a.shape[len(batch) : len(batch) + len(left)]
    columns = b.shape[len(both) :]
    n, m, k = (math.prod(v) for v in (rows, b.shape[len(batch) : len(both)], columns))
    lead = (math.prod(many),) if batch else ()
    a, b = reshape(a, (*lead, n, m)), reshape(b, (*lead, m, k))
    y = matmul(a, b) if summed else a * b  # with nothing to sum over, columns times rows
    return reshape(y, (*many, *rows, *columns)), "".join([*batch, *left, *right])


def _arranged(x: Any, term: str, letters: Sequence[str]) -> Any:
    """`x` with its axes in the order of `letters`."""
    order = tuple(term.index(c) for c in letters)
    return x if order == tuple(range(len(order))) else transpose(x, order)
