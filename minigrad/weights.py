"""Whether saved weights fit a model: all of them are checked before the first is used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from .backend import Array, device_of, is_array, own_copy, to_device
from .tensor import Tensor


def check_fit(owner: object, mine: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
    """Raise ValueError, in the name of the Module `owner`, unless the arrays in `state` have the
    names, shapes and dtypes of the Tensors `mine`."""
    problems = [f"{name} is missing" for name in mine if name not in state]
    problems += [f"{name} is not in this model" for name in state if name not in mine]
    problems += [
        f"{name} is {misfit}"
        for name, p in mine.items()
        if name in state and (misfit := _misfit(state[name], p))
    ]
    if problems:
        raise ValueError(
            f"load_state_dict: the weights are not those of this {type(owner).__name__}: "
            f"{'; '.join(problems[:5])}{' ...' if len(problems) > 5 else ''}: "
            "build the model with the settings that it was saved with; weights of PyTorch or Keras "
            "are converted by minigrad.interchange"
        )


def fitting(mine: Mapping[str, Tensor], state: Mapping[str, Any]) -> Iterator[Array]:
    """Copies of the arrays in `state` for the Tensors `mine`, one after another."""
    for name, p in mine.items():
        yield own_copy(to_device(_array(state[name]), device_of(p._data)), p.dtype)


def assigned(mine: Mapping[str, Tensor], state: Mapping[str, Any]) -> Iterator[Array]:
    """The arrays in `state` themselves for the Tensors `mine`, which lose their own before."""
    for name, p in mine.items():
        device, dtype, p._data = device_of(p._data), p.dtype, p._data[:0]
        yield to_device(_array(state[name]), device).astype(dtype, copy=False)


def _array(value: Any) -> Any:
    """`value` as an array; PyTorch's tensors stay what they are and are refused by `_misfit`."""
    value = value._data if isinstance(value, Tensor) else value
    return value if is_array(value) or _of_torch(value) else np.asarray(value)


def _misfit(value: Any, p: Tensor) -> str | None:
    """What `value` is that the parameter or buffer `p` cannot take; None where it can."""
    array = _array(value)
    if _of_torch(value) or (array.ndim > 1 and _of_torch(array.base)):
        return "PyTorch's, where weights have their axes in another order"
    if array.shape != p.shape:
        return f"{array.shape}, expected {p.shape}"
    if not np.can_cast(array.dtype, p.dtype, "same_kind"):
        return f"{array.dtype}, expected {p.dtype}"
    return None


def _of_torch(value: object) -> bool:
    """Whether it is PyTorch's tensor. The array that ``numpy()`` gives has the tensor as `base`."""
    return type(value).__module__.split(".")[0] == "torch"
