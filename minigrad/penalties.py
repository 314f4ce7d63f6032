"""Weight penalties to add to a loss, and a limit for gradients; part of `minigrad.optim`."""

import math

import numpy as np

from .ops import abs as absolute
from .ops import sum as sum_over
from .tensor import Tensor


def l1_penalty(parameters, weight):
    """``weight * sum |w|`` over all parameters, to be added to the loss."""
    return weight * sum((sum_over(absolute(p)) for p in parameters), start=0.0)


def l2_penalty(parameters, weight):
    """``weight / 2 * sum w**2``, to be added to the loss; its gradient is ``weight * w``, so it
    equals PyTorch's ``weight_decay=weight``."""
    return weight / 2 * sum((sum_over(p * p) for p in parameters), start=0.0)


def clip_grad_norm(parameters, max_norm):
    """Scale all gradients together so that their joint norm is at most `max_norm`.

    Returns the norm before. The scale is PyTorch's ``max_norm / (norm + 1e-6)``.
    """
    graded = [p for p in parameters if p.grad is not None]
    squares = [float((p.grad._data.astype(np.float64) ** 2).sum()) for p in graded]
    norm = math.sqrt(math.fsum(squares))
    scale = max_norm / (norm + 1e-6)
    if scale < 1:
        for p in graded:
            p.grad = Tensor(p.grad._data * scale)
    return norm
