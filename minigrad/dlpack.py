"""Tensors of other libraries' arrays, by DLPack, the protocol in which they hand over memory."""

from __future__ import annotations

from typing import Any

import numpy as np

from .backend import array_module, to_device, type_name
from .tensor import Tensor, tensor

_CPU, _CUDA = 1, 2  # of DLPack's device types


def from_dlpack(x: Any) -> Tensor:
    """A Tensor of the values of `x`, an array of another library, on the device where they are.

    Parameters
    ----------
    x : object with ``__dlpack__``
        Such as a PyTorch tensor, a JAX or a CuPy array, on the CPU or on a CUDA GPU.

    Returns
    -------
    Tensor
        A constant with memory of its own: what happens to `x` later does not change it.

    Raises
    ------
    TypeError
        For what does not speak DLPack, and for values that NumPy cannot hold, such as bfloat16.

    Examples
    --------
    >>> from_dlpack(np.array([1.0, 2.0]))
    tensor([1., 2.])
    """
    if not hasattr(x, "__dlpack__") or not hasattr(x, "__dlpack_device__"):
        raise TypeError(
            f"from_dlpack: a {type_name(x)} does not speak DLPack (it has no __dlpack__): use "
            "tensor(...) for numbers, lists and arrays"
        )
    if isinstance(x, Tensor):
        return x.detach()
    kind, _ = x.__dlpack_device__()
    if kind not in (_CPU, _CUDA):
        raise TypeError(
            f"from_dlpack: the {type_name(x)} is on a device of DLPack's type {kind}, and only the "
            "CPU and CUDA GPUs can be read: copy it there first"
        )
    # on a GPU, says in a sentence where there is none or no CuPy
    module = np if kind == _CPU else array_module(to_device(np.zeros(0), "cuda"))
    try:
        array = module.from_dlpack(x)
    except (BufferError, RuntimeError, ValueError, TypeError) as error:
        raise TypeError(
            f"from_dlpack: the {type_name(x)} cannot be handed over ({error}): it must be dense, "
            "of numbers that NumPy has, and without a gradient of its own (detach it)"
        ) from None
    return tensor(array)
