"""What a Module keeps: Parameters, which are trained, and Buffers, which are not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .tensor import Tensor, tensor

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


class Parameter(Tensor):
    """A leaf Tensor that a Module trains: a copy of `data`, an array or Tensor of floats.

    Parameters
    ----------
    data : array or Tensor of floats

    Examples
    --------
    >>> Parameter([1.0, 2.0])
    tensor([1., 2.], requires_grad=True)
    """

    __slots__ = ()

    def __init__(self, data: ArrayLike | Tensor) -> None:
        made = tensor(data, requires_grad=True)
        super().__init__(made._data, made.node)


class Buffer(Tensor):
    """A constant that belongs to a Module's state but is not trained: a copy of `data`.

    It is in ``state_dict()`` and moves with ``to(device)``. Assigning an array, number or Tensor to
    the attribute sets the values, and no gradient flows through them.

    Parameters
    ----------
    data : array, Tensor or number

    Examples
    --------
    >>> import numpy as np
    >>> from minigrad.nn import Module
    >>> class Centered(Module):
    ...     def __init__(self):
    ...         self.mean = Buffer(np.zeros(2))
    ...     def forward(self, x):
    ...         self.mean = 0.9 * self.mean + 0.1 * x.mean(0)
    ...         return x - self.mean
    >>> centered = Centered()
    >>> _ = centered(np.ones((5, 2)))
    >>> centered.state_dict()
    {'mean': array([0.1, 0.1])}
    """

    __slots__ = ()

    def __init__(self, data: ArrayLike | Tensor) -> None:
        super().__init__(tensor(data)._data)
