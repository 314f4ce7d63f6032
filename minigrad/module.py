"""How a model is put together from layers.

A `Module` is an ordinary object. What it trains are the `Parameter`s among its attributes, what
it keeps besides are the `Buffer`s, and its children are the Modules; lists, tuples and dicts of
them count as well. They are looked for when somebody asks, so there is no registry that could
disagree with the attributes.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from .backend import Array, to_numpy
from .hooks import Hook, call
from .notebook import table_html
from .parameter import Buffer, Parameter
from .state import taping
from .tensor import Tensor, describe
from .weights import assigned, check_fit, fitting

if TYPE_CHECKING:
    from typing import Self

    from numpy.typing import ArrayLike

X = TypeVar("X")


class Module:
    """The base of all layers and models: subclass it and write ``forward``.

    >>> import numpy as np
    >>> class Line(Module):
    ...     def __init__(self):
    ...         self.slope = Parameter(np.ones((1, 1), np.float32))
    ...     def forward(self, x):
    ...         return x @ self.slope
    >>> [name for name, _ in Line().named_parameters()]
    ['slope']
    """

    training = True
    torch_axes: tuple[
        int, ...
    ] = ()  # the axes of the weights in PyTorch's order, see interchange.py
    _hooks: tuple[Hook, ...] = ()

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError(f"{type(self).__name__} does not say what it computes: write forward(x)")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        tape = taping()
        if tape is not None:
            tape.modules.append(self)
        if self._hooks:
            return call(self, args, kwargs)
        return self.forward(*args, **kwargs)

    def register_forward_pre_hook(self, hook: Callable[[Self, tuple[Any, ...]], Any]) -> Hook:
        """Call ``hook(module, args)`` before each forward; what it returns replaces `args`.

        None leaves them as they are. Returns a handle: ``remove()`` it, or use it in ``with``.
        """
        return Hook(self, hook, before=True)

    def register_forward_hook(self, hook: Callable[[Self, tuple[Any, ...], Any], Any]) -> Hook:
        """Call ``hook(module, args, output)`` after each forward; a result replaces `output`.

        None leaves it as it is. Returns a handle: ``remove()`` it, or use it in ``with``.

        >>> from minigrad.nn import Tanh
        >>> import numpy as np
        >>> layer = Tanh()
        >>> with layer.register_forward_hook(lambda layer, args, output: print(output)):
        ...     _ = layer(np.zeros(2))
        [0. 0.]
        """
        return Hook(self, hook, before=False)

    # ------------------------------------------------------------------ attributes
    def __setattr__(self, name: str, value: Any) -> None:
        old = self.__dict__.get(name)
        if isinstance(value, Tensor) or isinstance(old, (Tensor, Module)):
            value = self._checked(name, old, value)
        object.__setattr__(self, name, value)

    def _checked(self, name: str, old: Any, value: Any) -> Any:
        """What to store for ``self.name = value`` in place of `old`; refuses what would be lost."""
        if value is None or isinstance(value, _KEPT):
            return value
        what = f"{type(self).__name__}.{name}"
        if isinstance(old, Buffer):
            number = isinstance(value, int | float | np.number)
            old.data = np.asarray(value, old.dtype) if number else value
            return old
        if isinstance(old, Parameter):
            raise TypeError(
                f"{what} is a Parameter and {describe(value)} is not, so it would not be trained: "
                f"set {name}.data to change the values, or assign Parameter(...) or None"
            )
        if isinstance(value, Tensor) and value.is_leaf:
            raise TypeError(_untrained(what, value))
        if callable(value) and isinstance(old, Module) and any(old._named(_STATE)):
            raise TypeError(
                f"{what} is a {type(old).__name__} with parameters, which would be lost behind "
                f"{describe(value)}: assign a Module that holds it, or None"
            )
        return value

    def register_buffer(self, name: str, data: ArrayLike | Tensor | None) -> None:
        """The same as ``self.name = Buffer(data)``, refused where there is such an attribute."""
        if hasattr(self, name) or not name.isidentifier():
            raise ValueError(
                f"register_buffer: {name!r} cannot become a buffer of this {type(self).__name__}, "
                "it is an attribute already or no name for one: choose another name"
            )
        setattr(self, name, None if data is None else Buffer(data))

    # ------------------------------------------------------------------ what is inside
    def _attributes(self) -> Iterable[tuple[str, Any]]:
        """(name, value) for all that can hold Parameters, Buffers and Modules."""
        return vars(self).items()

    def _own(self, kind: Any) -> Iterator[tuple[str, Any]]:
        """(name, value) for all of `kind` directly inside this Module, also in its containers."""
        for name, value in self._attributes():
            for inside, found in _unpacked(name, value):
                if isinstance(found, kind):
                    yield inside, found
                elif isinstance(found, Tensor) and not isinstance(found, _KEPT):
                    raise TypeError(_untrained(f"{type(self).__name__}.{inside}", found))

    def _named(self, kind: Any) -> Iterator[tuple[str, Any]]:
        """(dotted name, value) for all of `kind`, here and in the Modules inside, each once."""
        found = (
            (f"{prefix}.{name}" if prefix else name, value)
            for prefix, module in self.named_modules()
            for name, value in module._own(kind)
        )
        return _once(found)

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The Modules directly inside this one as (name, Module), each once."""
        return _once(self._own(Module))

    def children(self) -> Iterator[Module]:
        """The Modules directly inside this one, each once."""
        return (child for _, child in self.named_children())

    def named_modules(
        self, prefix: str = "", remove_duplicate: bool = True, _seen: set[int] | None = None
    ) -> Iterator[tuple[str, Module]]:
        """This Module and all inside it as (dotted name, Module), outer ones first.

        Each comes once, or with ``remove_duplicate=False`` under each of its names. A Module that
        holds itself is not entered a second time.
        """
        seen = set() if _seen is None else _seen
        if id(self) in seen:
            return
        seen.add(id(self))
        yield prefix, self
        for name, child in self._own(Module):
            name = f"{prefix}.{name}" if prefix else name
            yield from child.named_modules(name, remove_duplicate, seen)
        if not remove_duplicate:
            seen.remove(id(self))

    def modules(self) -> Iterator[Module]:
        """This Module and all inside it, each once."""
        return (module for _, module in self.named_modules())

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """All parameters as (dotted name, Parameter), each once even if it is shared."""
        return self._named(Parameter)

    def parameters(self) -> list[Parameter]:
        """All parameters, in a fixed order: what optimizers take."""
        return [parameter for _, parameter in self.named_parameters()]

    def named_buffers(self) -> Iterator[tuple[str, Buffer]]:
        """All buffers as (dotted name, Buffer), each once even if it is shared."""
        return self._named(Buffer)

    def buffers(self) -> list[Buffer]:
        """All buffers, in a fixed order."""
        return [buffer for _, buffer in self.named_buffers()]

    # ------------------------------------------------------------------ the state
    def _state(self) -> dict[str, Parameter | Buffer]:
        """All parameters and buffers by name."""
        state: dict[str, Parameter | Buffer] = {}
        for name, value in self._named(_STATE):
            if name in state:
                raise ValueError(
                    f"{type(self).__name__} has two parameters or buffers with the name {name}: "
                    "rename an attribute or a key so that each has a name of its own"
                )
            state[name] = value
        return state

    def state_dict(self) -> dict[str, Array]:
        """Copies of all parameters and buffers, in main memory, by name."""
        return {name: np.array(to_numpy(p._data)) for name, p in self._state().items()}

    def load_state_dict(self, state: Mapping[str, Any], *, assign: bool = False) -> None:
        """Set all parameters and buffers from `state`, or refuse it and change nothing.

        With `assign` they become the arrays in `state`, not copies of them, and are asked for one
        after another: of a `state` that reads them from a file there are never two of all.

        Names and shapes must be exactly this model's. Raises ValueError where they are not, and
        for arrays of PyTorch, whose layout is another: see ``minigrad.interchange``.
        """
        mine = self._state()
        check_fit(self, mine, state)
        arrays = assigned(mine, state) if assign else list(fitting(mine, state))
        for p, array in zip(mine.values(), arrays, strict=True):
            p._data = array

    def train(self, training: bool = True) -> Self:
        """Switch dropout and noise on (off with False); returns the module."""
        self.training = training
        for child in self.children():
            child.train(training)
        return self

    def eval(self) -> Self:
        """Switch dropout and noise off; returns the module."""
        return self.train(False)

    def to(self, device: str) -> Self:
        """Move all parameters and buffers to "cpu" or "cuda"; returns the module."""
        mine = self._state().values()
        for p, moved in [(p, Tensor.to(p, device)) for p in mine]:
            p._data, p.node = moved._data, moved.node
        return self

    # ------------------------------------------------------------------ the table
    def extra_repr(self) -> str:
        """The settings of a layer, for the table that repr prints."""
        return ""

    def __repr__(self) -> str:
        rows = self._rows()
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            "  ".join([*map(str.ljust, row[:-1], widths[:-1]), row[-1].rjust(widths[-1])]).rstrip()
            for row in rows
        ]
        return "\n".join([*lines, self._total()])

    def _repr_html_(self) -> str:  # what a notebook shows
        caption = f"{type(self).__name__}, {self._total()}"
        head = ("name", "layer", "settings", "shapes", "parameters")
        return table_html(caption, head, self._rows())

    def _rows(self) -> list[tuple[str, ...]]:
        return [module._row(name) for name, module in self.named_modules(remove_duplicate=False)]

    def _total(self) -> str:
        return f"{sum(p.size for p in self.parameters()):,} parameters"

    def _row(self, name: str) -> tuple[str, ...]:
        own = list(self._own(Parameter))
        shapes = "  ".join(f"{n} {v.shape}" for n, v in own)
        count = f"{sum(v.size for _, v in own):,}" if own else ""
        return name, type(self).__name__, self.extra_repr(), shapes, count


_STATE = (Parameter, Buffer)
_KEPT = (Parameter, Buffer, Module)  # tuples: isinstance is much slower with A | B


def _unpacked(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """(dotted name, it) for each Parameter, Buffer, Module and leaf in an attribute's `value`."""
    if isinstance(value, _KEPT):
        yield name, value
    elif isinstance(value, Tensor):
        if value.is_leaf:
            yield name, value
    elif isinstance(value, list | tuple):
        for k, item in enumerate(value):
            yield from _unpacked(f"{name}.{k}", item)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _unpacked(f"{name}.{key}", item)
    elif isinstance(value, set | frozenset | deque):
        for inside, _ in itertools.chain.from_iterable(_unpacked(name, item) for item in value):
            raise TypeError(
                f"{inside} is a {type(value).__name__} that holds Parameters or Modules, which has "
                "no names to save them under: use a list, a dict, ModuleList or ModuleDict"
            )


def _once(pairs: Iterable[tuple[str, X]]) -> Iterator[tuple[str, X]]:
    """The (name, value) pairs without those whose value came before."""
    seen = set()
    for name, value in pairs:
        if id(value) not in seen:
            seen.add(id(value))
            yield name, value


def _untrained(what: str, value: object) -> str:
    """Why a leaf that is no Parameter is refused."""
    return (
        f"{what} is {describe(value)} but no Parameter, so it would not be trained: "
        "make it Parameter(...), or detach() it if it is a constant"
    )
