"""Layers that own their weights, and how a model is put together from them.

A `Module` is an ordinary object. Its parameters are the `Parameter`s among its attributes and
those of the Modules (or lists of Modules) among them, in the order in which they were assigned.
"""

import numpy as np

from .backend import array_module, to_numpy
from .conv import key, pair
from .functional import (
    check_rng,
    conv2d,
    conv2d_transpose,
    dense,
    dropout,
    gaussian_noise,
)
from .init import fan_in_out, initialisers
from .ops import relu, sigmoid, tanh
from .shapes import reshape
from .tensor import Tensor, leaf_node


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
        """All parameters, in a fixed order: what optimisers take."""
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


class Dense(Module):
    """``activation(x @ weight + bias)``: (N, in_features) -> (N, out_features).

    `weight_init` is a name or function of ``minigrad.init``; `rng` a numpy Generator.
    """

    def __init__(
        self,
        in_features,
        out_features,
        *,
        activation=None,
        bias=True,
        weight_init="glorot_uniform",
        dtype=np.float32,
        rng,
    ):
        self.activation = activation
        self.weight = _weights((in_features, out_features), weight_init, dtype, rng)
        self.bias = Parameter(np.zeros(out_features, dtype)) if bias else None

    def forward(self, x):
        return dense(x, self.weight, self.bias, activation=self.activation)

    def describe(self):
        return _words(*self.weight.shape, activation=self.activation)


class Conv2D(Module):
    """`minigrad.conv2d` with its own kernel (kh, kw, in_channels / groups, out) and bias (out,)."""

    def __init__(
        self,
        in_channels,
        out_channels,
        kernel_size=3,
        *,
        stride=1,
        padding="same",
        dilation=1,
        groups=1,
        activation=None,
        bias=True,
        weight_init="glorot_uniform",
        dtype=np.float32,
        rng,
    ):
        kernel = pair(key(kernel_size), "kernel_size", 1)
        if in_channels % groups or out_channels % groups:
            raise ValueError(
                f"Conv2D: {in_channels} and {out_channels} channels cannot be divided "
                f"into groups={groups} equal parts"
            )
        shape = (*kernel, in_channels // groups, out_channels)
        self.options = dict(stride=stride, padding=padding, dilation=dilation, groups=groups)
        self.activation = activation
        self.weight = _weights(shape, weight_init, dtype, rng)
        self.bias = Parameter(np.zeros(out_channels, dtype)) if bias else None

    def forward(self, x):
        return conv2d(x, self.weight, self.bias, activation=self.activation, **self.options)

    def describe(self):
        kh, kw, i, o = self.weight.shape
        return _words(
            i * self.options["groups"],
            o,
            kernel=(kh, kw),
            activation=self.activation,
            **self.options,
        )


class Conv2DTranspose(Module):
    """`minigrad.conv2d_transpose` with its own kernel (kh, kw, out_channels, in_channels) and bias.

    With ``padding="same"`` the output is exactly stride times as large as the input.
    """

    def __init__(
        self,
        in_channels,
        out_channels,
        kernel_size=3,
        *,
        stride=1,
        padding="same",
        output_size=None,
        activation=None,
        bias=True,
        weight_init="glorot_uniform",
        dtype=np.float32,
        rng,
    ):
        shape = (*pair(key(kernel_size), "kernel_size", 1), out_channels, in_channels)
        fan_out, fan_in = fan_in_out(shape)  # the kernel is stored the other way round
        self.options = dict(stride=stride, padding=padding, output_size=output_size)
        self.activation = activation
        self.weight = _weights(shape, weight_init, dtype, rng, fans=(fan_in, fan_out))
        self.bias = Parameter(np.zeros(out_channels, dtype)) if bias else None

    def forward(self, x):
        return conv2d_transpose(
            x, self.weight, self.bias, activation=self.activation, **self.options
        )

    def describe(self):
        kh, kw, o, i = self.weight.shape
        return _words(i, o, kernel=(kh, kw), activation=self.activation, **self.options)


class Flatten(Module):
    """(N, ...) -> (N, everything else)."""

    def forward(self, x):
        return reshape(x, (x.shape[0], -1))


class Reshape(Module):
    """(N, ...) -> (N, *shape)."""

    def __init__(self, *shape):
        self.shape = shape

    def forward(self, x):
        return reshape(x, (x.shape[0], *self.shape))

    def describe(self):
        return f"to {self.shape}"


class ReLU(Module):
    """max(x, 0) of each element."""

    def forward(self, x):
        return relu(x)


class Sigmoid(Module):
    """1 / (1 + exp(-x)) of each element."""

    def forward(self, x):
        return sigmoid(x)


class Tanh(Module):
    """tanh of each element."""

    def forward(self, x):
        return tanh(x)


class Dropout(Module):
    """While training, elements are dropped with probability `rate`; see `minigrad.dropout`."""

    def __init__(self, rate, *, rng):
        check_rng("Dropout", rng)
        self.rate, self.rng = rate, rng

    def forward(self, x):
        return dropout(x, self.rate, self.rng) if self.training else x

    def describe(self):
        return f"rate {self.rate}"


class GaussianNoise(Module):
    """While training, normal noise of standard deviation `std` is added."""

    def __init__(self, std, *, rng):
        check_rng("GaussianNoise", rng)
        self.std, self.rng = std, rng

    def forward(self, x):
        return gaussian_noise(x, self.std, self.rng) if self.training else x

    def describe(self):
        return f"std {self.std}"


def _weights(shape, weight_init, dtype, rng, fans=None):
    check_rng("a layer", rng)
    if not callable(weight_init) and weight_init not in initialisers:
        names = ", ".join(map(repr, initialisers))
        raise ValueError(f"unknown weight_init {weight_init!r}: use {names}, or a function")
    make = weight_init if callable(weight_init) else initialisers[weight_init]
    return Parameter(make(shape, rng, dtype, fans))


def _words(i, o, kernel=None, activation=None, **options):
    """The settings of a layer that are not the usual ones, in a few words."""
    usual = {"stride": 1, "padding": "same", "dilation": 1, "groups": 1, "output_size": None}
    words = [f"{i} -> {o}"] + ([f"{kernel[0]}x{kernel[1]}"] if kernel else [])
    words += [f"{name} {value}" for name, value in options.items() if value != usual[name]]
    words += (
        [activation if isinstance(activation, str) else activation.__name__] if activation else []
    )
    return ", ".join(words)
