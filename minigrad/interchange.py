"""Weights to and from PyTorch and Keras.

=================  ======================  ============================  ===========================
minigrad           weight here             PyTorch                       Keras
=================  ======================  ============================  ===========================
Dense              (in, out)               Linear (out, in)              Dense, unchanged
Conv2D             (kh, kw, in, out)       Conv2d (out, in, kh, kw)      Conv2D, unchanged
Conv2DTranspose    (kh, kw, out, in)       ConvTranspose2d               Conv2DTranspose, unchanged
                                           (in, out, kh, kw)
all of these       bias (out,)             bias, unchanged               bias, unchanged
norm layers        weight, bias            the same names                gamma, beta
                   running_mean,           the same names                moving_mean,
                   running_var                                           moving_variance
=================  ======================  ============================  ===========================

Names in PyTorch are the attributes' names, as here, but the layers of a Sequential have no
``layers.`` before their number, and an activation is a layer of its own:
``Sequential(Dense(4, 3, activation="relu"), Dense(3, 2))`` has the names of
``torch.nn.Sequential(Linear(4, 3), ReLU(), Linear(3, 2))``, that is ``0.weight`` and ``2.weight``.

Images are NHWC here and NCHW in PyTorch, so `Flatten` and `Reshape` put the pixels in another
order: within a Sequential, the `Dense` layer after a Flatten or before a Reshape to (H, W, C) has
its inputs or outputs reordered. Where ``forward`` itself reshapes images, that is left to you.

A layer of your own with a parameter of two or more axes says how PyTorch orders them, for example
``torch_axes = (1, 0)`` for the transposed. One that is a Linear in PyTorch has ``torch_linear =
True`` as well, and one that flattens images and puts more beside them ``torch_flattened``, how many
of its outputs, the first, are pixels and of how many channels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, NoReturn

import numpy as np

from .backend import Array, to_numpy
from .containers import Sequential
from .module import Module
from .nn import Conv1D, Conv1DTranspose, Conv2D, Conv2DTranspose, Dense, Flatten, Reshape
from .parameter import Buffer, Parameter
from .tensor import Tensor

__all__ = ["from_keras_weights", "from_torch_state_dict", "to_keras_weights", "to_torch_state_dict"]


def to_torch_state_dict(model: Module, channels: int | None = None) -> dict[str, Array]:
    """The weights of the Module `model` as arrays under PyTorch's names and in its layout.

    `channels` is the number of channels of the images that a Flatten gets, where no layer before
    it in its Sequential tells. PyTorch takes them as
    ``theirs.load_state_dict({name: torch.from_numpy(a) for name, a in arrays.items()})``.

    Parameters
    ----------
    model : Module
    channels : int, default=None

    Returns
    -------
    dict of arrays

    Raises
    ------
    ValueError
        Where a layout is not known.

    Examples
    --------
    >>> model = Sequential(Dense(4, 3, activation="relu", rng=np.random.default_rng(0)))
    >>> {name: a.shape for name, a in to_torch_state_dict(model).items()}
    {'0.weight': (3, 4), '0.bias': (3,)}
    """
    return {place.theirs: place.to_torch() for place in _places(model, channels)}


def from_torch_state_dict(
    model: Module, state: Mapping[str, Any], channels: int | None = None
) -> dict[str, Array]:
    """What ``model.load_state_dict`` takes, from the ``state_dict()`` of the same model in PyTorch.

    `state` has PyTorch's tensors, or arrays, by name; `channels` is explained in
    `to_torch_state_dict`.

    Parameters
    ----------
    model : Module
    state : dict of tensors or arrays
    channels : int, default=None

    Returns
    -------
    dict of arrays

    Raises
    ------
    ValueError
        Where names or shapes are not those of `model`.

    Examples
    --------
    >>> model = Dense(2, 1, rng=np.random.default_rng(0))
    >>> state = {"weight": np.array([[1.0, 2.0]]), "bias": np.array([3.0])}
    >>> model.load_state_dict(from_torch_state_dict(model, state))
    >>> model(np.array([[10.0, 1.0]], np.float32)).data
    array([[15.]], dtype=float32)
    """
    places = {place.theirs: place for place in _places(model, channels)}
    arrays = {name: _array(value) for name, value in state.items()}
    problems = [f"{name} is missing" for name in places if name not in arrays]
    # BatchNorm counts its batches in PyTorch, and only PyTorch uses the number
    unknown = [name for name in arrays if name not in places]
    problems += [f"{n} is unknown" for n in unknown if not n.endswith("num_batches_tracked")]
    problems += [
        f"{name} is {arrays[name].shape}, expected {place.shape}"
        for name, place in places.items()
        if name in arrays and arrays[name].shape != place.shape
    ]
    if problems:
        _refuse("from_torch_state_dict", model, problems)
    names = {id(value): name for name, value in model._state().items()}
    mine: dict[str, Array] = {}
    for name, place in places.items():
        array, ours = place.from_torch(arrays[name]), names[id(place.value)]
        if not np.array_equal(mine.setdefault(ours, array), array, equal_nan=True):
            raise ValueError(
                f"from_torch_state_dict: {ours} is shared by several layers of this "
                f"{type(model).__name__}, but {name} has values of its own: share it in PyTorch too"
            )
    return mine


def to_keras_weights(model: Module) -> list[Array]:
    """The weights of the Module `model` as the list that Keras' ``set_weights`` takes.

    They are in the order of the layers, for each the weight, the bias and the running statistics.

    Parameters
    ----------
    model : Module

    Returns
    -------
    list of arrays
    """
    return list(model.state_dict().values())


def from_keras_weights(model: Module, weights: Sequence[Any]) -> dict[str, Array]:
    """What ``model.load_state_dict`` takes, from the list of Keras' ``get_weights()``.

    Every array is taken as it is: the layouts are the same.

    Parameters
    ----------
    model : Module
    weights : list of arrays

    Returns
    -------
    dict of arrays

    Raises
    ------
    ValueError
        Where the number of arrays or their shapes are not those of `model`.

    Examples
    --------
    >>> model = Dense(2, 1, rng=np.random.default_rng(0))
    >>> from_keras_weights(model, [np.array([[1.0], [2.0]]), np.array([3.0])])["bias"]
    array([3.])
    """
    mine, arrays = model.state_dict(), [_array(a) for a in weights]
    if len(arrays) != len(mine):
        _refuse("from_keras_weights", model, [f"{len(arrays)} arrays, expected {len(mine)}"])
    pairs = dict(zip(mine, arrays, strict=True))
    problems = [
        f"{name} is {a.shape}, expected {mine[name].shape}"
        for name, a in pairs.items()
        if a.shape != mine[name].shape
    ]
    if problems:
        _refuse("from_keras_weights", model, problems)
    return pairs


class _Place(NamedTuple):
    """A parameter or buffer under one of its names, and what PyTorch does differently."""

    theirs: str
    value: Tensor
    axes: tuple[int, ...]  # the axes here in PyTorch's order
    orders: dict[
        int, Array
    ]  # by axis here, the order in which PyTorch counts the elements along it

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape in PyTorch."""
        return tuple(self.value.shape[axis] for axis in self.axes)

    def to_torch(self) -> Array:
        array = to_numpy(self.value._data)
        for axis, order in self.orders.items():
            array = array.take(order, axis)
        return np.array(array.transpose(self.axes), order="C")

    def from_torch(self, array: Array) -> Array:
        array = array.transpose(np.argsort(self.axes))
        for axis, order in self.orders.items():
            array = array.take(np.argsort(order), axis)
        return np.array(array, order="C")


def _places(model: Module, channels: int | None) -> list[_Place]:
    """A `_Place` for each name that a parameter or buffer of `model` has in PyTorch."""
    modules = list(model.named_modules(remove_duplicate=False))
    theirs = {"": ""}
    axes: dict[int, tuple[int, ...]] = {}
    for name, module in modules:  # outer ones come first
        numbers = _numbers(module) if isinstance(module, Sequential) else {}
        for child, _ in module._own(Module):
            theirs[_join(name, child)] = _join(theirs[name], numbers.get(child, child))
        for _, value in module._own(Parameter | Buffer):
            if value.ndim < 2:
                axes[id(value)] = tuple(range(value.ndim))
            elif value.ndim == len(module.torch_axes):
                axes[id(value)] = module.torch_axes
    orders = _pixel_orders(modules, channels)
    places = []
    for name, module in modules:
        for inside, value in module._own(Parameter | Buffer):
            if id(value) not in axes:
                raise ValueError(
                    f"{_join(name, inside)} has {value.ndim} axes, and {type(module).__name__} "
                    "does not say how PyTorch orders them: give the class torch_axes, which is "
                    f"{tuple(range(value.ndim))} where the order is the same"
                )
            own = module.torch_axes  # shared weights are read backwards by one of their layers
            mine = own if len(own) == value.ndim > 1 else axes[id(value)]
            order = orders.get(id(value), {})
            places.append(_Place(_join(theirs[name], inside), value, mine, order))
    return places


def _numbers(sequential: Sequential) -> dict[str, str]:
    """The names of its layers in PyTorch, where each activation is one more layer."""
    numbers, k = {}, 0
    for n, layer in enumerate(sequential.layers):
        numbers[f"layers.{n}"] = str(k)
        k += 1 if getattr(layer, "activation", None) is None else 2
    return numbers


def _pixel_orders(
    modules: Iterable[tuple[str, Module]], channels: int | None
) -> dict[int, dict[int, Array]]:
    """For weights beside a Flatten or Reshape: by their id, the orders of a `_Place`."""
    orders: dict[int, dict[int, Array]] = {}
    nested: set[int] = set()
    for _, module in modules:
        if isinstance(module, Sequential) and id(module) not in nested:
            nested.update(id(m) for m in module.modules())
            _follow(_layers(module), channels, orders)
    return orders


def _layers(sequential: Sequential) -> Iterator[Callable[[Any], Any]]:
    """The layers in the order in which they are applied, nested Sequentials unfolded."""
    for layer in sequential.layers:
        if isinstance(layer, Sequential):
            yield from _layers(layer)
        else:
            yield layer


def _follow(
    layers: Iterable[Any], unknown: int | None, orders: dict[int, dict[int, Array]]
) -> None:
    """Follow the data through `layers` and note the `orders` of weights that run over pixels.

    `unknown` is the number of channels where the layers do not tell.
    """
    data, channels, size = "images", None, None
    made: list[
        tuple[Tensor | None, int]
    ] = []  # the (weight, axis) that give features their order; None for a layer of the user
    for layer in layers:
        own = [v for _, v in layer._named(Parameter | Buffer)] if isinstance(layer, Module) else []
        own = [value for value in own if value.ndim]
        if isinstance(layer, Flatten) and data == "images":
            data, channels, size = "flattened", channels or unknown, None
        elif isinstance(layer, Reshape):
            if len(layer.shape) == 3:
                _reorder(made, layer.shape[-1], orders)
            data, channels, made = "images", layer.shape[-1], []
        elif isinstance(layer, Conv1D | Conv2D | Conv2DTranspose):
            transposed = isinstance(layer, Conv1DTranspose | Conv2DTranspose)
            data, channels, made = "images", layer.weight.shape[-2 if transposed else -1], []
        elif isinstance(layer, Dense) or getattr(layer, "torch_linear", False):
            out, into = layer.torch_axes
            if data == "flattened":
                _reorder([(layer.weight, into)], channels, orders, size)
            data = "features"
            made = [(value, out if value is layer.weight else value.ndim - 1) for value in own]
        elif hasattr(layer, "torch_flattened"):
            data, (size, channels), made = "flattened", layer.torch_flattened, []
        elif _foreign(layer) or any(value.ndim > 1 for value in own):  # it may do anything
            if data == "flattened" and own:
                _reorder([(None, 0)], channels, orders, size)
            channels, made = None, [(None, 0)] if own or made else []
        elif data == "flattened":  # normalization of each feature
            _reorder([(value, 0) for value in own], channels, orders, size)
        elif data == "features":
            made += [(value, 0) for value in own]


def _foreign(layer: object) -> bool:
    """Whether it is a layer of the user; minigrad's without weights keep the channels."""
    return not type(layer).__module__.startswith("minigrad.")


def _reorder(
    weights: Iterable[tuple[Tensor | None, int]],
    channels: int | None,
    orders: dict[int, dict[int, Array]],
    size: int | None = None,
) -> None:
    """Note that `weights`, (weight, axis), run over pixels: (H, W, C) here, (C, H, W) there.

    What comes after the first `size` elements, None being all, is no pixels and stays."""
    if channels == 1:
        return
    for value, axis in weights:
        length = 0 if value is None else value.shape[axis]
        size_here = length if size is None else size
        if value is None or channels is None or size_here % channels or size_here > length:
            raise ValueError(
                "the order of the pixels is not known in a Sequential with Flatten or Reshape: "
                "pass channels=, the number of channels of the images that are flattened, and "
                "convert layers of your own between images and features by themselves"
            )
        order = np.arange(length)
        order[:size_here] = order[:size_here].reshape(-1, channels).T.ravel()  # from (H * W, C)
        orders.setdefault(id(value), {})[axis] = order


def _join(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name


def _array(value: Any) -> Array:
    """`value`, also a tensor of PyTorch on any device, as a NumPy array."""
    return np.asarray(value.detach().cpu() if hasattr(value, "cpu") else value)


def _refuse(function: str, model: Module, problems: list[str]) -> NoReturn:
    raise ValueError(
        f"{function}: the weights are not those of this {type(model).__name__}: "
        f"{'; '.join(problems[:5])}{' ...' if len(problems) > 5 else ''}: build both models with "
        "the same layers in the same order"
    )
