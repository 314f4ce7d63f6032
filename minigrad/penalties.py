"""Weight penalties to add to a loss, and a limit for gradients; part of `minigrad.optim`."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from .ops import abs as absolute
from .ops import sum as sum_over
from .tape import opaque
from .tensor import Tensor


def l1_penalty(parameters: Iterable[Tensor], weight: float) -> Tensor:
    """``weight * sum |w|`` over all parameters, to be added to the loss.

    Parameters
    ----------
    parameters : iterable of Tensors
    weight : float

    Returns
    -------
    Tensor of one element
    """
    total: Any = sum((sum_over(absolute(p)) for p in parameters), start=0.0)
    return weight * total


def l2_penalty(parameters: Iterable[Tensor], weight: float) -> Tensor:
    """``weight / 2 * sum w**2``, to be added to the loss; its gradient is ``weight * w``, so it
    equals PyTorch's ``weight_decay=weight``.

    Parameters
    ----------
    parameters : iterable of Tensors
    weight : float

    Returns
    -------
    Tensor of one element
    """
    total: Any = sum((sum_over(p * p) for p in parameters), start=0.0)
    return weight / 2 * total


def clip_grad_norm(parameters: Iterable[Tensor], max_norm: float) -> float:
    """Scale all gradients together so that their joint norm is at most `max_norm`.

    The scale is PyTorch's ``max_norm / (norm + 1e-6)``.

    Parameters
    ----------
    parameters : iterable of Tensors
    max_norm : float

    Returns
    -------
    float
        The norm before.
    """
    return opaque(_clipped, list(parameters), max_norm)


def _clipped(parameters: list[Tensor], max_norm: float) -> float:
    graded = [(p, p.grad._data) for p in parameters if p.grad is not None]
    squares = [float((g.astype(np.float64) ** 2).sum()) for _, g in graded]
    norm = math.sqrt(math.fsum(squares))
    scale = max_norm / (norm + 1e-6)
    if scale < 1:
        for p, g in graded:
            p.grad = Tensor(g * scale)
    return norm
