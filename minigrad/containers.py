"""Modules that hold other Modules: one after the other, in a list, in a dict."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping, MutableSequence
from typing import Any

from .module import Module
from .tensor import describe


class Sequential(Module):
    """Layers applied one after the other.

    Parameters
    ----------
    *layers : Modules or functions of one Tensor

    Examples
    --------
    >>> import numpy as np
    >>> from minigrad.nn import Dense
    >>> rng = np.random.default_rng(0)
    >>> Sequential(Dense(784, 64, activation="relu", rng=rng), Dense(64, 784, rng=rng))
              Sequential
    layers.0  Dense       784 -> 64, relu  weight (784, 64)  bias (64,)   50,240
    layers.1  Dense       64 -> 784        weight (64, 784)  bias (784,)  50,960
    101,200 parameters
    """

    def __init__(self, *layers: Callable[[Any], Any]) -> None:
        self.layers = list(layers)

    def forward(self, x: Any) -> Any:
        for layer in self.layers:
            x = layer(x)
        return x

    def __getitem__(self, index: Any) -> Any:
        return Sequential(*self.layers[index]) if isinstance(index, slice) else self.layers[index]

    def __len__(self) -> int:
        return len(self.layers)


class _Container(Module):
    """What `ModuleList` and `ModuleDict` share: Modules in `_items`, a list or a dict.

    The Modules are named by index or key alone, as if they were attributes.
    """

    _items: Any

    def _attributes(self) -> list[tuple[str, Any]]:
        pairs = self._items.items() if isinstance(self._items, dict) else enumerate(self._items)
        own = [(name, value) for name, value in vars(self).items() if name != "_items"]
        return own + [(str(key), module) for key, module in pairs]

    def __getitem__(self, key: Any) -> Any:
        return self._items[key]

    def __setitem__(self, key: Any, module: Any) -> None:
        self._items[key] = self._module(module)

    def __delitem__(self, key: Any) -> None:
        del self._items[key]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def _module(self, module: Any) -> Module:
        if not isinstance(module, Module):
            raise TypeError(f"{type(self).__name__} holds Modules, got {describe(module)}")
        return module


class ModuleList(_Container, MutableSequence[Module]):
    """A list of Modules: append, insert, index and iterate as in any list.

    A plain list as an attribute is found as well; this one refuses what is no Module.

    Parameters
    ----------
    modules : iterable of Modules, default=()

    Examples
    --------
    >>> import numpy as np
    >>> from minigrad.nn import Dense
    >>> rng = np.random.default_rng(0)
    >>> heads = ModuleList(Dense(8, n, rng=rng) for n in (1, 2))
    >>> heads.append(Dense(8, 3, rng=rng))
    >>> [name for name, _ in heads.named_parameters()][:3]
    ['0.weight', '0.bias', '1.weight']
    """

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        self._items = []
        self.extend(modules)

    def __getitem__(self, index: Any) -> Any:
        found = self._items[index]
        return ModuleList(found) if isinstance(index, slice) else found

    def __setitem__(self, index: Any, module: Any) -> None:
        if isinstance(index, slice):
            self._items[index] = [self._module(m) for m in module]
        else:
            super().__setitem__(index, module)

    def insert(self, index: int, module: Module) -> None:
        """Put `module` before position `index`."""
        self._items.insert(index, self._module(module))


class ModuleDict(_Container, MutableMapping[str, Module]):
    """A dict of Modules by name: everything that a dict does.

    Parameters
    ----------
    modules : dict or pairs of names and Modules, default=()

    Examples
    --------
    >>> from minigrad.nn import Dense, ReLU
    >>> import numpy as np
    >>> parts = ModuleDict({"body": Dense(2, 2, rng=np.random.default_rng(0)), "bend": ReLU()})
    >>> [name for name, _ in parts.named_children()]
    ['body', 'bend']
    """

    __eq__, __hash__ = Module.__eq__, Module.__hash__  # a Module is equal to nothing but itself

    def __init__(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]] = ()) -> None:
        self._items = {}
        self.update(modules)

    def __setitem__(self, name: str, module: Module) -> None:
        if not isinstance(name, str) or not name or "." in name:
            raise ValueError(
                f"ModuleDict: a name must be a string without dots, got {name!r}: dots separate "
                "the names in state_dict()"
            )
        super().__setitem__(name, module)
