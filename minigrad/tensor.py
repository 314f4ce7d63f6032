"""Tensor: an array and, where a gradient is wanted, the Node that made it. No mathematics here.

Operators and mathematical methods are put on Tensor in ``operators.py``, and
``backward`` in ``gradient.py``: this file is below both and imports neither.
"""

from __future__ import annotations

import os
import threading
import warnings
import zlib
from collections.abc import Iterator
from copy import copy
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import numpy as np
from numpy import ndarray

from .backend import (
    FLOATS,
    Array,
    array_module,
    device_of,
    is_array,
    is_capturing,
    own_copy,
    plain,
    to_device,
    to_numpy,
    type_name,
)
from .node import Node, at, leaf_node
from .notebook import array_html
from .state import taping

Shape: TypeAlias = tuple[int, ...]
Axis: TypeAlias = "int | tuple[int, ...] | None"  # of a reduction; None is all axes
Plain: TypeAlias = "Array | float | np.number[Any]"  # what is no Tensor
Operand: TypeAlias = "Tensor | Array | float | np.number[Any]"

# What functions of Tensors or arrays give, def f(a: T | Plain, b: T | Plain) -> T: a Tensor where
# one of the arguments is a Tensor, and where none is, T is its default, an array.
if TYPE_CHECKING:
    from typing import Never, Self

    from numpy.typing import ArrayLike, DTypeLike
    from typing_extensions import TypeVar as TypeVarWithDefault

    from .attached import Attached

    T = TypeVarWithDefault("T", "Tensor", "Tensor", default=Array)
else:
    Attached = object
    T = TypeVar("T")


_lending = threading.RLock()  # to lend an array and to give it out exclude each other


def _after_fork() -> None:
    global _lending
    _lending = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def checksum(array: Array) -> int:
    """A number that changes when any element of `array` does."""
    return zlib.crc32(np.ascontiguousarray(to_numpy(array)))  # type: ignore[arg-type]


class Tensor(Attached):
    """An array that remembers how it was computed, so that it can be differentiated.

    Make one with `tensor`. ``x.data`` is the array, ``x.grad`` its gradient after ``backward``.

    Parameters
    ----------
    data : array
        Of NumPy or CuPy; it is not copied.
    node : Node, default=None
        Where the graph goes on; for the engine alone.
    """

    # Of a constant that `tensor` or an operation made, nobody else has the array: graphs may keep
    # it without a copy, as long as it is not given out. `_lent` says whether one does; it is None
    # for all other Tensors. Whoever asks for ``_data`` may keep the array or change it, so then the
    # constant gets another one, if graphs have it. To look at it, or to compute with it, is to ask
    # for ``_array``.
    __slots__ = ("_array", "_lent", "node")
    _array: Array
    _lent: bool | None
    node: Node | None

    def __init__(self, data: Array | np.generic, node: Node | None = None) -> None:
        if type(data) is not ndarray:
            data = np.asarray(data) if isinstance(data, np.generic) else data
            if not is_array(data):
                raise TypeError(
                    f"Tensor: expected an array, got {describe(data)}: make it with tensor(...)"
                )
            data = plain(data)
        self._array, self._lent = data, None
        self.node = node

    # ------------------------------------------------------------------ the array
    @property
    def _data(self) -> Array:
        if self._lent is not None:
            with _lending:
                if self._lent:
                    self._array = own_copy(self._array)
                self._lent = None
        return self._array

    @_data.setter
    def _data(self, array: Array) -> None:
        with _lending:
            self._array, self._lent = array, None

    def _lend(self, array: Array) -> Array | None:
        """A view of `array` for a graph to keep, if it is this constant's and nobody else can
        change it."""
        with _lending:
            if self._lent is None or self._array is not array:
                return None
            self._lent = True
        return array.view()

    @property
    def data(self) -> Array:
        """The array itself. Changing a leaf's array between forward and backward is noticed and
        refused; results of recorded operations are given out read-only, on the GPU, where no array
        is, as copies."""
        refuse_while_taping("x.data", "compute with the Tensor itself, and fill it before the call")
        return self._handed_out()

    @data.setter
    def data(self, value: Tensor | Array) -> None:
        value = plain(value._data if isinstance(value, Tensor) else value)
        if self.requires_grad and not self.is_leaf:
            raise ValueError(
                f"{describe(self)} is the result of an operation, its data cannot be replaced: "
                "change the leaf it was computed from, or detach() it first"
            )
        if not is_array(value) or (value.shape, value.dtype) != (self.shape, self.dtype):
            got = f"{value.shape} {value.dtype}" if is_array(value) else type(value).__name__
            raise ValueError(
                f"data of a {self.shape} {self.dtype} Tensor can only be replaced by an array of "
                f"the same shape and dtype, got {got}: reshape or astype it, or make a new tensor()"
            )
        if value is not self._data:  # x.data -= ... gives back the array itself
            tape = taping()
            if tape is not None and self.requires_grad:
                tape.refuse("the data of a leaf is replaced")
            if tape is None:
                self._replace(value)
            else:
                tape.call(Tensor._replace, self, value)

    def _handed_out(self) -> Array:
        node = self.node
        if node is None:
            return self._data
        if self.is_leaf:
            if node.leaf.handed_out is None and not is_capturing(self._data):
                node.leaf.handed_out = self._data, checksum(self._data)
            return self._data
        if array_module(self._data) is not np:
            return own_copy(self._data)
        view = self._data.view()
        view.flags.writeable = False
        return view

    def _replace(self, value: Array) -> Array:
        self._data = own_copy(value)
        return self._data

    @property
    def shape(self) -> Shape:
        """The lengths of the axes."""
        return self._array.shape

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self._array.ndim

    @property
    def size(self) -> int:
        """The number of elements."""
        return self._array.size

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the elements."""
        return self._array.dtype

    @property
    def device(self) -> str:
        """Where the array is: "cpu" or "cuda"."""
        return device_of(self._array)

    # ------------------------------------------------------------------ gradient
    @property
    def requires_grad(self) -> bool:
        """Whether gradients flow to this Tensor. Can be set on leaves, to freeze and unfreeze."""
        return self.node is not None

    @requires_grad.setter
    def requires_grad(self, wanted: bool) -> None:
        if self.requires_grad and not self.is_leaf:
            raise ValueError(
                f"{describe(self)} is the result of an operation: use detach() to stop gradients"
            )
        if not wanted:
            _ = self._handed_out()  # graphs made before notice whoever changes it from now on
            self.node = None
        elif self.node is None:
            self.node = leaf_node(_differentiable(self._data))
            _ = self._handed_out()  # somebody may have taken hold of it already

    @property
    def is_leaf(self) -> bool:
        """Whether ``backward`` leaves a gradient here: made by the user, not by an operation."""
        return self.node is not None and self.node.primitive is None

    @property
    def grad(self) -> Tensor | None:
        """The gradient that ``backward`` added up here (a Tensor), or None."""
        return self.node.leaf.grad if self.node is not None and self.is_leaf else None

    @grad.setter
    def grad(self, value: Tensor | Array | None) -> None:
        if value is not None:
            if is_array(value):
                value = Tensor(value)
            elif not isinstance(value, Tensor):
                raise TypeError(
                    f"cannot set the gradient of {describe(self)} to {describe(value)}: give a "
                    "Tensor or an array of its shape and dtype, or None to clear it"
                )
            if not self.is_leaf or (value.shape, value.dtype) != (self.shape, self.dtype):
                raise ValueError(
                    f"cannot set a {value.shape} {value.dtype} gradient on {describe(self)}: "
                    "it must be a leaf that requires a gradient, of the same shape and dtype"
                )
        if self.node is not None and self.is_leaf:
            self.node.leaf.set_grad(value)

    def detach(self) -> Tensor:
        """The same array as a constant: gradients do not flow through it. Of a result on the GPU it
        is a copy, see `data`."""
        shown, tape = self._handed_out(), taping()
        if tape is not None:
            tape.detached(self, shown)
        return Tensor(shown)

    # ------------------------------------------------------------------ out of the library
    def numpy(self) -> Array:
        """The values as a NumPy array (shared memory on the CPU, a copy from the GPU)."""
        return self.data if array_module(self._data) is np else to_numpy(self._data)

    def item(self) -> Any:
        """The only element, as a Python number."""
        if self.size != 1:
            raise ValueError(f"item() needs exactly one element, {describe(self)} has {self.size}")
        refuse_while_taping("x.item()", "return the Tensor, and look at it after the call")
        return self._array.item()

    def to(self, device: str) -> Tensor:
        """The same values on ``"cpu"`` or ``"cuda"``, as a new leaf (itself if already there)."""
        if device == self.device:
            return self
        data = to_device(self._data, device)
        return Tensor(data, leaf_node(data) if self.requires_grad else None)

    def __dlpack__(self, **options: Any) -> Any:
        if self.requires_grad:
            raise TypeError(f"{describe(self)} requires a gradient: export x.detach() instead")
        refuse_while_taping("x.__dlpack__()", "compute with the Tensor itself")
        data = self._data
        if device_of(data) == "cpu" and not data.flags.writeable and not options.get("copy"):
            data = own_copy(data)  # who reads this would not hear that it must not be written to
        return data.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self._data.__dlpack_device__()

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        memo[id(self)] = made = copy(self)
        if self.grad is not None:
            made.grad = own_copy(self.grad._data)
        return made

    def __getstate__(
        self,
    ) -> dict[str, Any]:  # copies and pickles carry the values, never the graph
        if self.requires_grad and not self.is_leaf:
            raise TypeError(
                f"{describe(self)} is the result of an operation; a copy or a pickle of it would "
                "lose the graph: take detach(), or copy the leaves and compute it again"
            )
        refuse_while_taping("a copy or a pickle of x", "use tensor(x)")
        return {"data": self._data, "requires_grad": self.requires_grad}

    def __setstate__(self, state: dict[str, Any]) -> None:
        data = own_copy(state["data"])  # copy.copy hands over the array itself
        Tensor.__init__(self, data, leaf_node(data) if state["requires_grad"] else None)

    # ------------------------------------------------------------------ Python
    def __repr__(self) -> str:
        body = np.array2string(to_numpy(self._data), separator=", ", prefix="tensor(")
        notes = [] if self.dtype == np.float64 else [f"dtype={self.dtype}"]
        notes += [] if self.device == "cpu" else [f"device={self.device}"]
        if self.node is not None:
            primitive = self.node.primitive
            notes.append(f"made by {primitive.name}" if primitive else "requires_grad=True")
        return f"tensor({', '.join([body, *notes])})"

    def _repr_html_(self) -> str:  # what a notebook shows
        return array_html(describe(self).removeprefix("a "), to_numpy(self._data))

    def __len__(self) -> int:
        if not self.ndim:
            raise TypeError("a 0-d Tensor has no length: use item() for its value")
        return self.shape[0]

    def __iter__(self) -> Iterator[Tensor]:
        return (self[i] for i in range(len(self)))

    def __bool__(self) -> bool:
        if self.size != 1:
            raise ValueError(
                f"{describe(self)} has {self.size} elements and so no single truth value: "
                "use .data.any() or .data.all()"
            )
        refuse_while_taping("if x", "use where(condition, a, b)")
        return bool(self._array)

    def __float__(self) -> float:
        self._warn_of_lost_gradient()
        return float(self.item())

    def __int__(self) -> int:
        self._warn_of_lost_gradient()
        return int(self.item())

    def _warn_of_lost_gradient(self) -> None:
        if self.requires_grad:  # so array[0] = x[0] and math.exp(x) lose it, too, as in PyTorch
            warnings.warn(
                f"{describe(self)} requires a gradient, and becomes a number without one: write "
                "x.item() if that is meant, or stack Tensors instead of filling an array",
                stacklevel=3,
            )

    def __format__(self, spec: str) -> str:
        if not spec:
            return str(self)
        if self.size != 1:
            raise TypeError(
                f"{describe(self)} cannot be written as {spec!r}: only one element has a format"
            )
        return format(self.item(), spec)

    def __setitem__(self, index: Any, value: Never) -> None:
        raise TypeError(
            f"{describe(self)}: elements of a Tensor cannot be assigned, gradients would be wrong. "
            "Use where(mask, new, x) to make a changed copy, or write to the array of a leaf, "
            "x.data[...] = value, before it is used"
        )

    __hash__ = object.__hash__  # == compares elements; identity is what dictionaries need


def tensor(
    data: ArrayLike | Tensor,
    requires_grad: bool = False,
    dtype: DTypeLike | None = None,
    device: str | None = None,
) -> Tensor:
    """A new Tensor that owns a copy of `data` (array, number or nested lists of any shape).

    The dtype is NumPy's choice for `data` unless `dtype` is given; ``requires_grad=True`` needs
    float32 or float64 and raises TypeError otherwise.

    Parameters
    ----------
    data : array, Tensor, number or nested lists
    requires_grad : bool, default=False
        Whether gradients with respect to it are wanted.
    dtype : numpy dtype or its name, default=None
    device : {"cpu", "cuda"}, default=None
        None: where `data` is.

    Returns
    -------
    Tensor

    Raises
    ------
    TypeError
        Where `requires_grad` is asked of a dtype that is not of floats.

    Examples
    --------
    >>> x = tensor([1.0, 2.0], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    tensor([2., 4.])
    """
    given = data
    if isinstance(data, Tensor):
        data = data._data
    if not is_array(data):
        try:
            data = np.asarray(data)
        except ValueError:
            raise ValueError(
                "tensor: the nested lists do not have the same lengths, so they form no array: "
                "pad them to one length"
            ) from None
    for kind in (data.dtype, np.dtype(data.dtype if dtype is None else dtype)):
        if kind.kind not in "biuf":
            raise TypeError(
                f"tensor: cannot make a Tensor of {kind} data: "
                "convert it to numbers (float32, float64, integers or booleans) first"
            )
    tape = taping()
    copied = own_copy(data, dtype)
    if tape is not None:
        given = given if isinstance(given, Tensor) else data
        tape.note(own_copy, (data, dtype), copied, "tensor", (given, dtype))
    data = copied
    data = data if device is None else to_device(data, device)
    if requires_grad:
        return Tensor(data, leaf_node(_differentiable(data)))
    made = Tensor(data)
    made._lent = False if type(data) is ndarray else None
    return made


def describe(x: Any) -> str:
    """`x` in a few words for an error message: shape, dtype and what made it."""
    if not hasattr(x, "shape"):
        return f"{x!r}" if isinstance(x, int | float | bool) else f"a {type_name(x)}"
    words = f"{tuple(x.shape)} {x.dtype}"
    if not isinstance(x, Tensor) and not is_array(x):
        return f"a {words} {type_name(x)}"
    node = getattr(x, "node", None)
    if node is None:
        return f"a {words} {'Tensor' if isinstance(x, Tensor) else 'array'}"
    if node.primitive is None:
        return f"a {words} leaf"
    return f"a {words} Tensor (made by {node.primitive.name}{at(node)})"


def refuse_while_taping(what: str, instead: str) -> None:
    """Let a captured step that is being noted know that it reads numbers."""
    tape = taping()
    if tape is not None:
        tape.refuse(f"the step reads numbers by {what}, which a replay would not: {instead}")


def _differentiable(array: Array) -> Array:
    if array.dtype not in FLOATS:
        raise TypeError(
            f"requires_grad needs float32 or float64 data, got {array.dtype}: "
            "write 1.0 instead of 1, or give dtype=np.float32"
        )
    return array
