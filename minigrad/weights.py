"""Whether saved weights fit a model: all of them are checked before the first is used."""

import numpy as np

from .backend import device_of, is_array, own_copy, to_device
from .tensor import Tensor


def fitting(owner, mine, state):
    """Copies of the arrays in `state` for the Tensors `mine`, both by name, in the order of `mine`.

    Raises ValueError, in the name of the Module `owner`, where names, shapes or dtypes differ.
    """
    arrays = {name: _array(value) for name, value in state.items()}
    problems = [f"{name} is missing" for name in mine if name not in arrays]
    problems += [f"{name} is not in this model" for name in arrays if name not in mine]
    problems += [
        f"{name} is {misfit}"
        for name, p in mine.items()
        if name in arrays and (misfit := _misfit(state[name], arrays[name], p))
    ]
    if problems:
        raise ValueError(
            f"load_state_dict: the weights are not those of this {type(owner).__name__}: "
            f"{'; '.join(problems[:5])}{' ...' if len(problems) > 5 else ''}: "
            "build the model with the settings that it was saved with; weights of PyTorch or Keras "
            "are converted by minigrad.interchange"
        )
    return [
        own_copy(to_device(arrays[name], device_of(p._data)), p.dtype) for name, p in mine.items()
    ]


def _array(value):
    """`value` as an array; PyTorch's tensors stay what they are and are refused by `_misfit`."""
    value = value._data if isinstance(value, Tensor) else value
    return value if is_array(value) or _of_torch(value) else np.asarray(value)


def _misfit(value, array, p):
    """What `value` is that the parameter or buffer `p` cannot take; None where it can."""
    if _of_torch(value) or (array.ndim > 1 and _of_torch(array.base)):
        return "PyTorch's, where weights have their axes in another order"
    if array.shape != p.shape:
        return f"{array.shape}, expected {p.shape}"
    if not np.can_cast(array.dtype, p.dtype, "same_kind"):
        return f"{array.dtype}, expected {p.dtype}"
    return None


def _of_torch(value):
    """Whether it is PyTorch's tensor. The array that ``numpy()`` gives has the tensor as `base`."""
    return type(value).__module__.split(".")[0] == "torch"
