"""What a step does, noted as a list of calls that can be made again without the step itself.

While a `Tape` listens (it is the hook of the mode, see ``state.py``) every kernel that a forward
pass runs, every VJP of a backward pass and every sum of gradients is noted: a function on arrays,
and where its arguments come from. They are results of earlier calls, or **inputs**: the arrays of
leaves and constants, settings, numbers. To replay is to make the same calls in the same order, so
it gives the same bits; no graph is built, nothing is checked, and a result is given up after its
last use.

What else the step does in Python is not repeated, and a wrong gradient without a word is worse than
an error. So two calls of the step are noted, and `unlike` says whether the second did the same as
the first, with the same inputs; `problem` says what it did that a replay would leave out.
"""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..backend import is_array
from ..node import Place, at_place
from ..state import call_site, taping
from ..tensor import Tensor, checksum, describe
from .alike import same

Function = Callable[..., Any]
SETTING = "a setting of an optimizer is changed in the step: change it between the calls"


class Call(NamedTuple):
    """One call: ``values[result] = function(*(values[i] for i in arguments))``."""

    function: Function
    arguments: list[int]
    result: int
    name: str
    where: Place | None


class Input(NamedTuple):
    """A value that no call of the step computes; read from the `tensor`, if it has one."""

    place: int
    value: Any
    tensor: Tensor | None


class Tape:
    """Notes the calls of a step.

    Parameters
    ----------
    before : Tape, default=None
        Of the step's call before this one.
    """

    def __init__(self, before: Tape | None = None) -> None:
        self.calls: list[Call] = []
        self.inputs: list[Input] = []
        self.modules: list[Any] = []  # that the step calls
        self.within: list[Input] = []  # whose arrays are part of an index
        self.settings: list[tuple[Any, Any]] = []  # (optimizer, its settings as the step began)
        self.empty: list[Any] = []  # leaves that have to be without a gradient when it begins
        self._set: set[int] = set()  # the ids of the leaves whose gradients it has set
        self.problem = ""  # the first thing that a replay would leave out, as a sentence
        # by the id of a value: what gives it, while it is alive, and its place
        self._places: dict[int, tuple[Callable[[], Any], int]] = {}
        self.count, self._depth = 0, 0
        self._sums: dict[int, tuple[Any, Tensor | None, int, int]] = {}
        for optimizer, _ in before.settings if before else ():
            self.settings.append((optimizer, _settings(optimizer)))
        for _, value, tensor in before.inputs if before else ():
            if type(value) is np.ndarray:
                self._remember_sum(value if tensor is None else tensor._array, tensor)

    @property
    def tape(self) -> Tape | None:
        """Itself, for `state.taping`; nothing within a call that is noted as a whole."""
        return None if self._depth else self

    # ------------------------------------------------------------------ what the engine calls
    def forward(self, function: Function, values: Any, args: Any, name: str) -> Any:
        """Run a kernel on `values`, the arrays of the operation's `args`."""
        if self._depth:
            return function(*values)
        if name == "getitem" and _is_mask(values[1]) and self.knows(values[1]):
            self.refuse("how many elements a mask takes depends on numbers, use where(mask, x, 0)")
        return self._run(function, values, args, name)

    def __call__(
        self,
        primitive: Any,
        where: Place | None,
        phase: str,
        function: Function,
        args: Any,
    ) -> Any:
        """The hook, see `minigrad.hook`: run a VJP."""
        if phase == "forward":
            self.refuse("a hook listens to the operations inside it")
        if self._depth or phase == "forward" or any(isinstance(a, Tensor) for a in args):
            return function(*args)
        return self._run(function, args, args, f"backward of {primitive.name}")

    def call(self, function: Function, *args: Any) -> Any:
        """``function(*args)``, noted as a whole: it may draw numbers, and change what it keeps."""
        return self.note(function, args, self.inside(function, args))

    def note(
        self,
        function: Function,
        values: Sequence[Any],
        out: Any,
        name: str = "",
        args: Sequence[Any] | None = None,
    ) -> Any:
        """Note a call that has been made already, with the result `out`; `args` are what was given,
        where `values` are the arrays of Tensors: a replay reads their arrays of then."""
        name = name or getattr(function, "__name__", "a call")
        self._note(function, values, values if args is None else args, out, name)
        return out

    def detached(self, tensor: Tensor, shown: Any) -> None:
        """Note that `shown`, the array of `tensor` or a view of it, goes on as a constant."""
        if shown is tensor._array:
            self._place(shown, tensor, "detach", None)
        else:
            self._note(np.ndarray.view, (tensor._array,), (tensor,), shown, "detach")

    def sets_gradient(self, leaf: Any, grad: Any) -> None:
        """Note that the gradient of a `leaf` is about to become `grad`."""
        if id(leaf) not in self._set and leaf.grad is None and grad is not None:
            self.empty.append(leaf)
        self._set.add(id(leaf))

    def steps(self, optimizer: Any) -> None:
        """Note that an `optimizer` is about to step, and whether the step has changed a setting."""
        for known, then in self.settings:
            if known is optimizer:
                if not same(then, _settings(optimizer)):
                    self.refuse(SETTING)
                return
        self.settings.append((optimizer, _settings(optimizer)))

    def knows(self, array: Any) -> bool:
        """Whether a call of this step has computed the `array`."""
        i = self.known(array)
        return i is not None and all(given.place != i for given in self.inputs)

    def refuse(self, why: str) -> None:
        """Take note of something that a replay would leave out."""
        if not self._depth and not self.problem:
            self.problem = why + at_place(call_site())

    # ------------------------------------------------------------------ how calls are noted
    def inside(self, function: Function, values: Any) -> Any:
        """``function(*values)``, nothing of which is noted."""
        self._depth += 1
        try:
            return function(*values)
        finally:
            self._depth -= 1

    def _run(self, function: Function, values: Any, args: Any, name: str) -> Any:
        out = self.inside(function, values)
        if is_array(out) and type(out) is not np.ndarray:
            self.refuse("it works on the GPU, use minigrad.cuda.Captured")
        if isinstance(out, np.generic | int | float):  # the engine makes arrays of them
            out, function = np.asarray(out), functools.partial(_as_array, function)
        self._note(function, values, args, out, name)
        return out

    def _note(self, function: Function, values: Any, args: Any, out: Any, name: str) -> None:
        where = call_site()
        found = [self._place(v, a, name, where) for v, a in zip(values, args, strict=True)]
        self.calls.append(Call(function, found, self._new(), name, where))
        self._remember(out)

    def _new(self) -> int:
        self.count += 1
        return self.count - 1

    def _remember(self, out: Any) -> None:
        """Know `out`, the result of the last call, when it is used."""
        last = self.calls[-1]
        if type(out) is np.ndarray:
            self._places[id(out)] = weakref.ref(out), last.result
        elif isinstance(out, np.generic | float):
            self._places[id(out)] = (lambda: out), last.result
        elif type(out) is tuple:
            for k, part in enumerate(out):
                taken = functools.partial(_part, k)
                call = last._replace(function=taken, arguments=[last.result], result=self._new())
                self.calls.append(call)
                self._remember(part)

    def known(self, value: Any) -> int | None:
        """The index of a value that a call has computed, or of an array that is an input."""
        itself, index = self._places.get(id(value), (None, None))
        return index if itself is not None and itself() is value else None

    def _place(self, value: Any, given: Any, name: str, where: Place | None) -> int:
        """The index of an argument's value; `given` is the argument itself, perhaps a Tensor."""
        index = self.known(value)
        if index is not None:
            return index
        for array in _arrays_in(value):
            self.within += [i for i in self.inputs if i.tensor is not None and i.value is array]
            if self.knows(array):
                self.refuse(f"{name} has an index that the step computes")
        index = self._new()
        tensor = given if isinstance(given, Tensor) and given._array is value else None
        self.inputs.append(Input(index, value, tensor))
        if type(value) is np.ndarray:
            self._places[id(value)] = (lambda: value), index
            if id(value) in self._sums:
                self._check_unchanged(value, f"before {name}{at_place(where)} used it")
            else:
                self._remember_sum(value, tensor)
        return index

    def _remember_sum(self, array: Any, tensor: Tensor | None) -> None:
        self._sums[id(array)] = array, tensor, checksum(array), _version(tensor)

    def _check_unchanged(self, array: Any, when: str) -> None:
        _, tensor, then, version = self._sums[id(array)]
        if _version(tensor) == version and checksum(array) != then:
            self.problem = self.problem or (
                f"{describe(array)} was changed inside the step, {when}: do that between the calls"
            )

    # ------------------------------------------------------------------ whether it can be replayed
    def end(self) -> None:
        """Look at the inputs once more: none may have been changed by the step."""
        for array, *_ in self._sums.values():
            self._check_unchanged(array, "by something that is not noted")

    def unlike(self, before: Tape) -> str:
        """What this call of the step did otherwise than the call `before`, as a sentence."""
        for mine, theirs in zip(self.calls, before.calls, strict=False):
            alike = mine.arguments == theirs.arguments and mine.result == theirs.result
            if not (alike and same(mine.function, theirs.function)):
                return f"it did not make the same operations twice{at_place(mine.where)}"
        if len(self.calls) != len(before.calls):
            return "it did not make the same number of operations twice"
        for given, then in zip(self.inputs, before.inputs, strict=True):
            alike = given.tensor is not None and given.tensor is then.tensor
            if not alike and not same(given.value, then.value):
                user = next(call for call in self.calls if given.place in call.arguments)
                return (
                    f"{user.name}{at_place(user.where)} was given {_words(given.value)} that is "
                    "another one at each call, and a replay would use that of today: let it be the "
                    "data of one Tensor, which is filled before each call by x.data[...] = values "
                    "(noise of minigrad.dropout and minigrad.gaussian_noise is new by itself)"
                )
        return ""


def opaque(function: Function, *args: Any) -> Any:
    """``function(*args)``, which a captured step is to call anew at each replay: for what draws
    random numbers, and what changes arrays that are kept.

    Parameters
    ----------
    function : callable
    *args
        Tensors are given to the function as their arrays, at a replay as those of then. Arrays that
        the step computes are at a replay those of the replay. Everything else that the
        function uses has to be here too, and always the same.

    Returns
    -------
    what the function returns
    """
    tape = taping()
    values = [a._array if isinstance(a, Tensor) else a for a in args]
    if tape is None:
        return function(*values)
    return tape.note(function, values, tape.inside(function, values), args=args)


def _settings(optimizer: Any) -> list[dict[str, Any]]:
    groups = optimizer.param_groups
    return [{k: v for k, v in group.items() if k != "params"} for group in groups]


def _is_mask(index: Any) -> bool:
    return isinstance(index, np.ndarray) and index.dtype == np.dtype(bool)


def _as_array(function: Function, *args: Any) -> Any:
    return np.asarray(function(*args))


def _part(k: int, values: tuple[Any, ...]) -> Any:
    return values[k]


def _version(tensor: Tensor | None) -> int:
    """How often optimizers have changed the array of a Tensor."""
    return getattr(getattr(getattr(tensor, "node", None), "leaf", None), "version", 0)


def _arrays_in(value: Any) -> list[Any]:
    """The arrays in a container such as an index, and NumPy's numbers."""
    if type(value) is tuple or type(value) is list:
        return [a for v in value for a in _arrays_in(v)]
    return [value] if isinstance(value, np.ndarray | np.generic) else []


def _words(value: Any) -> str:
    return describe(value) if hasattr(value, "shape") or np.isscalar(value) else repr(value)[:60]
