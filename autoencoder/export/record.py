"""Which operations turn rows into results: a function is run with `minigrad.hook` listening.

ONNX files and the pages of `explore` are made of what is found.

The hook sees the arrays that go into every primitive and the one that comes out, so an array is
known by where it lies in memory. The function is run several times, with other rows and another
number of them. What differs between the runs although no operation made it was computed behind the
engine's back, and is refused: a file that holds the first run's numbers would be wrong without a
word. So is whatever depends on the number of rows otherwise than by having so many rows, and a
sequence of operations that is not always the same.
"""

from typing import NamedTuple

import numpy as np

from minigrad import Tensor, hook, no_grad
from minigrad.backend import is_array
from minigrad.tensor import checksum, describe

_FIRST, _OTHERS = 2, 3  # rows of the first run, and of all others
_SIZES = (1.0, -4.0, 0.3, 1e6, 20.0, -1.0)  # of the numbers in each run
# arguments that say the shape of the result, which is compared anyway, or follow from shapes
_SHAPES = {"reshape": "shape", "broadcast_to": "shape", "sum_to": "shape", "concatenate": "ends"}


class Rows(NamedTuple):
    """A length that is `times` the number of rows."""

    times: int


class Value(NamedTuple):
    """A recorded array: its `number`, its `shape` of integers and `Rows`, its dtype."""

    number: int
    shape: tuple
    dtype: np.dtype


class Call(NamedTuple):
    """A primitive, its arguments (a `Value`, or what is the same for all rows), the result."""

    primitive: object
    args: tuple
    out: Value


class Recording(NamedTuple):
    """The `Value`s that went in, the calls that are needed, in order, and what came out."""

    inputs: list
    calls: list
    outputs: list


def record(function, *inputs, who="export"):
    """The `Recording` of ``function(*Tensors)``, which returns a list of Tensors or arrays.

    `inputs` are the (width, dtype) of the arguments. Raises ValueError, in the name of `who`, where
    a result depends on something else than operations of minigrad.

    >>> from minigrad import tanh
    >>> found = record(lambda x: [tanh(x) * 2.0], (3, np.float32))
    >>> [call.primitive.name for call in found.calls], found.outputs[0].shape
    (['tanh', 'multiply'], (Rows(times=1), 3))
    """
    rng = np.random.default_rng(0)
    runs = []
    for k, size in enumerate(_SIZES):
        run, n = _Run(), _OTHERS if k else _FIRST
        tensors = [Tensor(size * rng.standard_normal((n, w)).astype(d)) for w, d in inputs]
        run.inputs = [run.add(x.data) for x in tensors]
        with no_grad(), hook(run.around), np.errstate(all="ignore"):
            results = function(*tensors)
        run.outputs = [run.find(y.data if isinstance(y, Tensor) else y) for y in results]
        runs.append(run)
    try:
        return [_merged(runs[0], other) for other in runs[1:]][-1]
    except _Refused as why:
        raise ValueError(f"{who}: {why}") from None


class _Refused(Exception):
    """Why the runs make no `Recording`."""


class _Run:
    """One run: the calls so far, and the arrays that went in and that they made."""

    def __init__(self):
        self.inputs, self.calls, self.outputs = [], [], []
        self.values, self.kept, self.inside = {}, [], False

    def add(self, array):
        """The new `Value` of an array."""
        value = Value(len(self.kept), array.shape, array.dtype)
        self.kept.append(array)  # so that no other array can come to lie there
        if array.size:
            self.values[_place(array)] = value, checksum(array)
        return value

    def find(self, x):
        """The `Value` of an array, or `x` itself if no operation made it as it is now."""
        value, then = self.values.get(_place(x), (x, None)) if is_array(x) else (x, None)
        return x if then is None or checksum(x) != then else value

    def around(self, primitive, where, phase, function, args):
        """Run one operation and note it, but not what it calls itself."""
        if self.inside:
            return function(*args)
        found = tuple(map(self.find, args))
        self.inside = True
        try:
            out = function(*args)
        finally:
            self.inside = False
        out = np.asarray(out) if isinstance(out, np.generic) else out
        self.calls.append(Call(primitive, found, self.add(out)))
        return out


def _place(array):
    pointer = array.__array_interface__["data"][0]
    return pointer, array.shape, array.strides, array.dtype.str


# ---------------------------------------------------------------------- runs compared
def _merged(first, second):
    calls, others = _needed(first), _needed(second)
    if [c.primitive for c in calls] != [c.primitive for c in others]:
        raise _Refused(
            "which operations the model calls depends on the values or the number of the rows, but "
            "a file holds one sequence of them: decide with where(), not with if"
        )
    values, partner = {}, {}  # number -> the merged Value, or an array if it is always the same

    def pair(a, b, name):
        values[a.number], partner[b.number] = _merged_value(a, b, name), a.number

    for a, b in zip(first.inputs, second.inputs, strict=True):
        pair(a, b, "the model")
    found = []
    for a, b in zip(calls, others, strict=True):
        name, names = a.primitive.name, map(a.primitive.argument, range(len(a.args)))
        for argument, x, y in zip(names, a.args, b.args, strict=True):
            both = isinstance(x, Value) and isinstance(y, Value)
            same = partner[y.number] == x.number if both else _same(x, y)
            if not same and argument != _SHAPES.get(name):
                raise _stray(f"the argument {argument} of {name}", x)
        args = tuple(values[x.number] if isinstance(x, Value) else x for x in a.args)
        pair(a.out, b.out, name)
        if any(isinstance(x, Value | Rows) for x in (*args, *values[a.out.number].shape)):
            found.append(Call(a.primitive, args, values[a.out.number]))
        else:
            values[a.out.number] = first.kept[a.out.number]
    outputs = [values[y.number] if isinstance(y, Value) else y for y in first.outputs]
    for y in outputs:
        if not isinstance(y, Value):
            raise _stray("the result of the model", y)
    return Recording([values[x.number] for x in first.inputs], found, outputs)


def _needed(run):
    """The calls that the outputs of a run depend on."""
    wanted, kept = {y.number for y in run.outputs if isinstance(y, Value)}, []
    for call in reversed(run.calls):
        if call.out.number in wanted:
            kept.append(call)
            wanted |= {a.number for a in call.args if isinstance(a, Value)}
    return kept[::-1]


def _merged_value(a, b, name):
    shape = []
    for m, n in zip(a.shape, b.shape, strict=True):
        times = m // _FIRST
        if m != n and (m, n) != (_FIRST * times, _OTHERS * times):
            raise _Refused(
                f"{name} makes an array {a.shape} of {_FIRST} rows, and {b.shape} of "
                f"{_OTHERS}: every row must be computed by itself"
            )
        shape.append(m if m == n else Rows(times))
    return Value(a.number, tuple(shape), a.dtype)


def _same(a, b):
    """Whether two arguments that are no recorded arrays are equal."""
    if a is b:
        return True
    if type(a) is not type(b):
        return False
    if is_array(a):
        return a.dtype == b.dtype and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
    if isinstance(a, tuple | list):
        return len(a) == len(b) and all(map(_same, a, b))
    return bool(a == b)


def _stray(what, x):
    return _Refused(
        f"{what}, {describe(x)}, changes with the rows or their number, or is all that "
        "there is of them, but no operation of minigrad made it: use minigrad's functions on "
        "Tensors, not NumPy's on x.data, comparisons of values, or len(x)"
    )
