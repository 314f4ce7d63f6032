"""A make-believe GPU for lesson 24: strict about its arrays, and late as a real one is.

`far` stands for CuPy. Its arrays refuse to become NumPy arrays behind your back, where CuPy refuses
too. Its clock is pretended: a launch costs the host a few microseconds and the device a while, and
nobody waits unless told to. So what a timer measures can be computed, to the last nanosecond.
"""

import types

import numpy as np


class FarArray:
    """An array in the device's memory: only the functions of `far` can work on it."""

    def __init__(self, values):
        self._values = values

    shape = property(lambda self: self._values.shape)
    dtype = property(lambda self: self._values.dtype)

    def get(self):
        """A copy in main memory, asked for by name."""
        return self._values.copy()

    def __array__(self, *args, **options):
        raise TypeError(
            "a far array was given to a NumPy function: use the functions of its module"
        )


def _far(function):
    def on_device(*operands, **options):
        values = [x._values if isinstance(x, FarArray) else x for x in operands]
        if any(isinstance(x, np.ndarray) and x.ndim for x in values if not _inside(x, operands)):
            raise TypeError("a NumPy array was given to a far function: far.asarray copies it")
        return FarArray(np.asarray(function(*values, **options)))

    return on_device


def _inside(x, operands):
    return any(isinstance(o, FarArray) and o._values is x for o in operands)


far = types.SimpleNamespace(
    ndarray=FarArray,
    asarray=lambda x: x if isinstance(x, FarArray) else FarArray(np.array(x)),
    **{
        name: _far(getattr(np, name))
        for name in ("exp", "log1p", "abs", "maximum", "negative", "sum", "sqrt", "tanh")
    },
)
for _name in ("add", "subtract", "multiply", "divide"):
    setattr(far, _name, _far(getattr(np, _name)))
    _right = (lambda f: lambda a, b: f(b, a))(getattr(far, _name))
    _short = {"add": "add", "subtract": "sub", "multiply": "mul", "divide": "truediv"}[_name]
    setattr(FarArray, f"__{_short}__", getattr(far, _name))
    setattr(FarArray, f"__r{_short}__", _right)
FarArray.__neg__ = far.negative


class Device:
    """The pretended clock of a host with a device; all times are in seconds."""

    def __init__(self, launch=5e-6, compilation=0.2):
        self.launch_time, self.compilation = launch, compilation
        self.now, self.busy_until, self.compiled = 0.0, 0.0, set()

    def clock(self):
        """The host's time."""
        return self.now

    def launch(self, kernel, work):
        """Queue a `kernel` of `work` seconds and go on at once; a new kernel is compiled first."""
        if kernel not in self.compiled:
            self.compiled.add(kernel)
            self.now += self.compilation
        self.now += self.launch_time
        self.busy_until = max(self.busy_until, self.now) + work

    def host(self, seconds):
        """Let the host work on something of its own."""
        self.now += seconds

    def synchronise(self):
        """Let the host wait until the device has nothing left to do."""
        self.now = max(self.now, self.busy_until)
