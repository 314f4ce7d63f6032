"""How a model is put together from layers.

A `Module` is an ordinary object. Its parameters are the `Parameter`s among its attributes and
those of the Modules (or lists of Modules) among them, in the order in which they were assigned.
"""

import numpy as np

from .backend import array_module, to_numpy
from .node import leaf_node
from .tensor import Tensor


class Parameter(Tensor):
    """A leaf Tensor that a Module trains."""

    __slots__ = ()

    def __init__(self, data):
        data = array_module(data).array(data, order="C")  # a copy: nobody else can change it
        super().__init__(data, leaf_node(data))


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

    def forward(self, x):
        raise TypeError(f"{type(self).__name__} does not say what it computes: write forward(x)")

    def __call__(self, *args):
        return self.forward(*args)

    def children(self):
        """The Modules directly inside this one, as (name, Module)."""
        for name, value in vars(self).items():
            if isinstance(value, Module):
                yield name, value
            elif isinstance(value, list | tuple):
                for k, item in enumerate(value):
                    if isinstance(item, Module):
                        yield f"{name}.{k}", item

    def named_parameters(self):
        """All parameters as (dotted name, Parameter), each once even if it is shared."""
        seen = set()
        for name, parameter in self._walk(""):
            if id(parameter) not in seen:
                seen.add(id(parameter))
                yield name, parameter

    def _walk(self, prefix):
        for name, value in vars(self).items():
            if isinstance(value, Parameter):
                yield prefix + name, value
        for name, child in self.children():
            yield from child._walk(f"{prefix}{name}.")

    def parameters(self):
        """All parameters, in a fixed order: what optimizers take."""
        return [parameter for _, parameter in self.named_parameters()]

    def state_dict(self):
        """Copies of all parameters, in main memory, by name."""
        return {name: np.array(to_numpy(p._data)) for name, p in self.named_parameters()}

    def load_state_dict(self, state):
        """Set all parameters from `state`; names and shapes must be exactly this model's."""
        mine = dict(self.named_parameters())
        problems = [f"{name} is missing" for name in mine if name not in state]
        problems += [f"{name} is not in this model" for name in state if name not in mine]
        problems += [
            f"{name} is {np.shape(state[name])}, expected {p.shape}"
            for name, p in mine.items()
            if name in state and np.shape(state[name]) != p.shape
        ]
        if problems:
            raise ValueError(
                f"load_state_dict: the weights are not those of this {type(self).__name__}: "
                f"{'; '.join(problems[:5])}{' ...' if len(problems) > 5 else ''}: "
                "build the model with the settings that it was saved with"
            )
        for name, p in mine.items():
            p.data = array_module(p._data).asarray(state[name], dtype=p.dtype)

    def train(self, training=True):
        """Switch dropout and noise on (off with False); returns the module."""
        self.training = training
        for _, child in self.children():
            child.train(training)
        return self

    def eval(self):
        """Switch dropout and noise off; returns the module."""
        return self.train(False)

    def to(self, device):
        """Move all parameters to "cpu" or "cuda"; returns the module."""
        for p in self.parameters():
            moved = Tensor.to(p, device)
            p._data, p.node = moved._data, moved.node
        return self

    def describe(self):
        """The settings of a layer, for the table that repr prints."""
        return ""

    def __repr__(self):
        rows = list(self._rows(""))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            "  ".join([*map(str.ljust, row[:-1], widths[:-1]), row[-1].rjust(widths[-1])]).rstrip()
            for row in rows
        ]
        total = sum(p.size for p in self.parameters())
        return "\n".join([*lines, f"{total:,} parameters"])

    def _rows(self, name):
        own = [(n, v) for n, v in vars(self).items() if isinstance(v, Parameter)]
        shapes = "  ".join(f"{n} {v.shape}" for n, v in own)
        count = f"{sum(v.size for _, v in own):,}" if own else ""
        yield name, type(self).__name__, self.describe(), shapes, count
        for child_name, child in self.children():
            yield from child._rows(f"{name}.{child_name}" if name else child_name)


class Sequential(Module):
    """Layers applied one after the other.

    >>> from minigrad.nn import Dense
    >>> rng = np.random.default_rng(0)
    >>> Sequential(Dense(784, 64, activation="relu", rng=rng), Dense(64, 784, rng=rng))
              Sequential
    layers.0  Dense       784 -> 64, relu  weight (784, 64)  bias (64,)   50,240
    layers.1  Dense       64 -> 784        weight (64, 784)  bias (784,)  50,960
    101,200 parameters
    """

    def __init__(self, *layers):
        self.layers = list(layers)

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x

    def __getitem__(self, index):
        return Sequential(*self.layers[index]) if isinstance(index, slice) else self.layers[index]

    def __len__(self):
        return len(self.layers)
