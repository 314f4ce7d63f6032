"""Checks of derivatives, for this library's own operations and for yours.

`gradcheck` compares the derivative that the engine computes with one that is measured: for a
random cotangent u and a random direction d,

    <grad of <f(x), u>, d>   against   (<f(x + h d), u> - <f(x - h d), u>) / 2h

with h extrapolated to 0 (L. F. Richardson, 1911). A random cotangent matters: the sum of a softmax
is constant, so a check of the sum accepts any multiple of its gradient. Higher orders check the
derivative of the derivative in the same way, which finds faults that the first order cannot show.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Collection, Sequence
from typing import Any, TypeAlias

import numpy as np

from .backend import FLOATS, Array, to_numpy
from .gradient import grad
from .tensor import Shape, Tensor, tensor

Function: TypeAlias = Callable[..., Any]

__all__ = ["GradientError", "assert_close_to_torch", "check_adjoint", "gradcheck"]

_STEP = 2e-3


class GradientError(AssertionError):
    """The derivative computed is not the derivative measured."""


def gradcheck(
    f: Function,
    inputs: Sequence[Any],
    order: int = 1,
    *,
    rng: np.random.Generator | None = None,
    tolerance: float = 1e-7,
    directions: int = 2,
) -> float:
    """Check the derivatives of ``f(*inputs)`` up to `order`; returns the largest relative error.

    `f` takes Tensors and returns a Tensor or a tuple of them. `inputs` are arrays or Tensors of any
    shape; those of floating dtype are converted to float64 and differentiated, others are passed on
    as they are. Points where `f` has a kink are reported as such.

    Parameters
    ----------
    f : callable
    inputs : sequence of Tensors or arrays
    order : {1, 2, 3}, default=1
    rng : numpy.random.Generator, default=None
        Draws the directions; by default the same ones each time.
    tolerance : float, default=1e-7
    directions : int, default=2
        How many random directions are measured.

    Returns
    -------
    float

    Raises
    ------
    GradientError
        Where computed and measured derivatives differ.

    Examples
    --------
    >>> from minigrad import exp
    >>> gradcheck(lambda x: exp(x) * x, [np.array([0.5, -1.0])], order=3) < 1e-7
    True
    >>> from minigrad import primitive
    >>> @primitive("an array", x=lambda g, x: g * x)  # should be 2 * g * x
    ... def wrong_square(x):
    ...     return x * x
    >>> gradcheck(wrong_square, [np.array([2.0])])
    Traceback (most recent call last):
        ...
    minigrad.testing.GradientError: order 1: the derivative along a random direction is \
-0.06643829, measured -0.1328766 (relative error 0.5). Most of the difference is due to input 0
    """
    rng = np.random.default_rng(0) if rng is None else rng
    values = [_prepared(x) for x in inputs]
    worst = 0.0
    for k in range(1, order + 1):
        for _ in range(directions if k == 1 else 1):
            worst = max(worst, _check(f, values, k, rng, tolerance))
        if k < order:
            f, values = _derivative(f, values, rng)
    return worst


def check_adjoint(
    f: Function, transposed: Function, x: Array, y: Array, *, tolerance: float = 1e-12
) -> float:
    """Check that two linear maps are adjoint: ``<f(x), y> = <x, transposed(y)>``.

    The error is relative to the sizes of the factors.

    Parameters
    ----------
    f, transposed : callable
    x, y : array
        Arguments of `f` and of `transposed`.
    tolerance : float, default=1e-12

    Returns
    -------
    float

    Raises
    ------
    GradientError
        Where the error is larger.

    Examples
    --------
    >>> w = np.array([[1.0, 2.0], [3.0, 4.0]])
    >>> float(check_adjoint(lambda x: w @ x, lambda y: w.T @ y, np.ones(2), np.ones(2)))
    0.0
    """
    fx, ty = _numpy(f(x)), _numpy(transposed(y))
    left, right = float((fx * y).sum()), float((x * ty).sum())
    scale = np.linalg.norm(fx) * np.linalg.norm(y) + np.linalg.norm(x) * np.linalg.norm(ty)
    error: Any = abs(left - right) / max(scale, np.finfo(np.float64).tiny)
    if not error <= tolerance:
        raise GradientError(
            f"not adjoint: <f(x), y> = {left:.15g}, but <x, transposed(y)> = {right:.15g} "
            f"(relative error {error:.2g}, allowed {tolerance:.2g})"
        )
    return error


def assert_close_to_torch(
    mine: Tensor | Array, theirs: Any, *, tolerance: float = 1e-12, what: str = "value"
) -> float:
    """Assert that a Tensor or array equals a PyTorch tensor to `tolerance`, relative to the largest
    element; returns the error. Shapes and dtypes must be the same. Needs no PyTorch itself.

    Parameters
    ----------
    mine : Tensor or array
    theirs : torch.Tensor
    tolerance : float, default=1e-12
    what : str, default="value"
        How it is called in the error.

    Returns
    -------
    float

    Raises
    ------
    AssertionError
        Where they differ.
    """
    mine, theirs = _numpy(mine), theirs.numpy(force=True)
    if (mine.shape, mine.dtype) != (theirs.shape, theirs.dtype):
        raise AssertionError(
            f"{what}: minigrad gives {mine.shape} {mine.dtype}, "
            f"PyTorch {theirs.shape} {theirs.dtype}"
        )
    if not mine.size:
        return 0.0
    if not (np.isfinite(mine) == np.isfinite(theirs)).all():
        raise AssertionError(f"{what}: not finite in other places than PyTorch's")
    finite = np.isfinite(theirs)
    np.testing.assert_array_equal(mine[~finite], theirs[~finite], err_msg=what)
    if not finite.any():
        return 0.0
    difference = np.zeros(mine.shape, mine.dtype)
    np.subtract(mine, theirs, where=finite, out=difference)
    difference = np.abs(difference)
    error = float(difference.max()) / max(float(np.abs(theirs[finite]).max()), 1e-300)
    if error > tolerance:
        k = np.unravel_index(difference.argmax(), difference.shape)
        raise AssertionError(
            f"{what} at {tuple(map(int, k))}: minigrad {mine[k]!r}, PyTorch {theirs[k]!r}, "
            f"relative error {error:.2g} of the largest element (allowed {tolerance:.2g})"
        )
    return error


# ---------------------------------------------------------------------- one order of the check
def _check(
    f: Function, values: Sequence[Any], order: int, rng: np.random.Generator, tolerance: float
) -> float:
    """The relative error of the first derivative of `f`, which is the one of order `order`."""
    leaves = [tensor(v, requires_grad=True) if _differentiable(v) else v for v in values]
    inputs = [x for x in leaves if isinstance(x, Tensor)]
    outputs = _outputs(f(*leaves))
    cotangents = [np.asarray(rng.standard_normal(y.shape)) for y in outputs]
    found = [None] * len(inputs)  # an output that claims to be constant is measured all the same
    recorded = [(y, u) for y, u in zip(outputs, cotangents, strict=True) if y.requires_grad]
    if recorded:
        ys, us = zip(*recorded, strict=True)
        found = grad(ys, inputs, us, allow_unused=True)
    ds = [_direction(x.shape, rng) for x in inputs]
    products = [  # of gradient and direction, element by element
        np.zeros(x.shape) if g is None else g.numpy() * d
        for x, g, d in zip(inputs, found, ds, strict=True)
    ]
    computed = [float(p.sum()) for p in products]

    def along(active: Collection[int], h: float) -> list[Array]:
        """<f, u> at the inputs moved by h along the directions of the `active` inputs."""
        moved, k = [], -1
        for v in values:
            if _differentiable(v):
                k += 1
                v = Tensor(np.asarray(v + h * ds[k]) if k in active else v)
            moved.append(v)
        return [y.numpy() for y in _outputs(f(*moved))]

    def measure(active: Collection[int], h: float) -> float:
        ahead, behind = along(active, h), along(active, -h)
        return sum(
            float(((a - b) * u).sum()) for a, b, u in zip(ahead, behind, cotangents, strict=True)
        ) / (2 * h)

    def extrapolated(active: Collection[int]) -> float:
        d1, d2, d4 = (measure(active, _STEP / n) for n in (1, 2, 4))
        return (d1 - 20 * d2 + 64 * d4) / 45  # two Richardson steps: the error is of order h**6

    everything = set(range(len(inputs)))
    total, measured = sum(computed), extrapolated(everything)
    scale = max(abs(measured), math.sqrt(sum(float((p * p).sum()) for p in products)))
    terms = zip(outputs, cotangents, strict=True)
    size = sum(float(np.abs(y.numpy() * u).sum()) for y, u in terms)
    noise = 30 * np.finfo(np.float64).eps * size / _STEP  # rounding in the differences
    difference = abs(total - measured)
    if difference <= tolerance * scale + noise:
        return difference / scale if scale > noise else 0.0
    kink = _kink(along, everything, cotangents)
    if kink > 0.2 * difference:
        raise GradientError(
            f"order {order}: the function has a kink at this point (its slope jumps by about "
            f"{kink:.3g}), where no derivative can be measured: move the inputs away from it"
        )
    shares = [abs(c - extrapolated({k})) for k, c in enumerate(computed)]
    raise GradientError(
        f"order {order}: the derivative along a random direction is {total:.7g}, measured "
        f"{measured:.7g} (relative error {difference / max(scale, 1e-300):.2g}). Most of the "
        f"difference is due to input {int(np.argmax(shares))}"
    )


def _kink(along: Function, active: Collection[int], cotangents: Sequence[Array]) -> float:
    """How much the slope jumps near the point; almost 0 where the function is smooth.

    (F(h) - 2 F(0) + F(-h)) / h halves with h where F is smooth. It does not at a kink, nor where
    one of the steps still reaches across a kink and the next does not.
    """

    def jump(h: float) -> float:
        three = zip(along(active, h), along((), 0), along(active, -h), cotangents, strict=True)
        return sum(float(((a - 2 * o + b) * u).sum()) for a, o, b, u in three) / h

    jumps = [jump(_STEP / n) for n in (1, 2, 4, 8)]
    return max(abs(a - 2 * b) for a, b in itertools.pairwise(jumps))


def _derivative(
    f: Function, values: Sequence[Any], rng: np.random.Generator
) -> tuple[Function, list[Any]]:
    """The function (inputs, cotangents) -> gradients, and a point to check it at."""
    leaves = [tensor(v, requires_grad=True) if _differentiable(v) else v for v in values]
    n = len(values)
    cotangents = [np.asarray(rng.standard_normal(y.shape)) for y in _outputs(f(*leaves))]

    def derivative(*arguments: Any) -> tuple[Tensor, ...]:
        xs = [_leaf(x) if isinstance(x, Tensor) else x for x in arguments[:n]]
        pairs = [
            (y, u) for y, u in zip(_outputs(f(*xs)), arguments[n:], strict=True) if y.requires_grad
        ]
        wanted = [x for x in xs if isinstance(x, Tensor)]
        if not pairs:
            return tuple(Tensor(np.zeros(x.shape)) for x in wanted)
        ys, us = zip(*pairs, strict=True)
        found = grad(list(ys), wanted, list(us), create_graph=True, allow_unused=True)
        return tuple(
            Tensor(np.zeros(x.shape)) if g is None else g
            for x, g in zip(wanted, found, strict=True)
        )

    return derivative, [*values, *cotangents]


def _leaf(x: Tensor) -> Tensor:
    return x if x.requires_grad else tensor(x, requires_grad=True)


def _prepared(x: Any) -> Any:
    x = to_numpy(x.detach().data if isinstance(x, Tensor) else x)  # float64 is the CPU's
    if isinstance(x, float):
        x = np.array(x)
    return x.astype(np.float64) if _differentiable(x) else x


def _differentiable(x: object) -> bool:
    return isinstance(x, np.ndarray) and x.dtype in FLOATS


def _direction(shape: Shape, rng: np.random.Generator) -> Array:
    """A random direction whose largest element is 1, so that `h` means the same everywhere."""
    d = rng.standard_normal(shape)
    return d / max(np.abs(d).max(initial=0.0), 0.5)


def _outputs(y: Any) -> list[Any]:
    return list(y) if isinstance(y, list | tuple) else [y]


def _numpy(x: Any) -> Array:
    return x.detach().numpy() if isinstance(x, Tensor) else np.asarray(x)
