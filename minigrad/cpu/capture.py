"""A training step as a list of kernel calls: noted once, then replayed without the rest of Python.

To record an operation takes the host several microseconds, and the arithmetic of a small network
less. What a step does is the same every time, but for the numbers: ``tape`` notes the kernels
that it runs, forward and backward, and a replay runs these alone. No graph is built, no constant is
copied and no array sealed, BLAS is held to one thread once, and the bits are the same.
"""

from __future__ import annotations

import inspect
import itertools
import keyword
import re
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..backend import plain
from ..state import Block, mode
from ..tape import Tape, same
from ..tensor import Tensor, describe
from .blas import one_blas_thread
from .pool import compiled_kernels_run

_CONSTANTS = type(None), bool, int, float, str, np.generic


class Captured:
    """`function`, which takes no arguments, as a list of kernel calls: call it instead of it.

    Its first `warm_up` calls (at least 1) run the function as it is, the next one does so too and
    notes the kernels; from then on every call replays them: the same kernels on the same arrays, so
    the same bits. A call returns what the function does, a Tensor, array or number, or some of them
    in tuples, lists and dicts; its Tensors have no graph.

    What the function reads has to stay in place: give it the next batch by ``x.data[...] = batch``
    before the call, all batches of one shape. Numbers that it makes by `minigrad.dropout`,
    `minigrad.gaussian_noise` and the like are new at each replay. Optimizers in it step as they
    always do, with their settings as they are when it is called: change them between the calls. A
    number that changes, such as the weight of a term that warms up, has to be a Tensor, too:
    ``weight = tensor(0.1)``, and between the calls ``weight.data[...] = 0.2``. It is noted anew
    where a module in it changes between ``train()`` and ``eval()``, a leaf is frozen, or compiled
    kernels are switched on or off. Everything else that it does in Python happens only while it is
    noted, and numbers of its own are replayed as they were; so are arrays that it makes by NumPy,
    such as one-hot labels of a batch, where they were the same in both calls: make them before the
    call.

    A step that could not be replayed with the right result raises RuntimeError when it is noted,
    after it is done: it reads numbers (``item()``, ``x.data``, ``if loss > 1``), does other
    operations at each call, computes with an array that is another one each time, or chooses
    elements by a mask that it computes. A copy or pickle of a captured step is noted anew. Within a
    `minigrad.hook`, or `minigrad.no_grad`, the function runs as it is.

    Parameters
    ----------
    function : callable
    warm_up : int, default=2
    refuse : bool, default=True
        False: a step that cannot be replayed goes on as it is, and no error says so.

    Examples
    --------
    >>> import numpy as np
    >>> from minigrad import optim, tensor
    >>> w, x = tensor(np.ones(3), requires_grad=True), tensor(np.zeros(3))
    >>> optimizer = optim.SGD([w], lr=0.1)
    >>> def step():
    ...     loss = ((w - x) ** 2).sum()
    ...     optimizer.zero_grad()
    ...     loss.backward()
    ...     optimizer.step()
    ...     return loss
    >>> step = Captured(step)
    >>> for _ in range(5):
    ...     x.data[...] = 0.5
    ...     loss = step()
    >>> print(f"{loss.item():.4f}")
    0.1258
    """

    def __init__(self, function: Callable[[], Any], warm_up: int = 2, refuse: bool = True) -> None:
        if not callable(function):
            raise TypeError(
                f"Captured: expected a function without arguments, got {type(function).__name__}"
            )
        needs = _needed(function)
        if needs:
            raise TypeError(
                f"Captured: expected a function without arguments, got one that needs {needs}: "
                "let it read a Tensor that is filled before each call by x.data[...] = values"
            )
        if not isinstance(warm_up, int) or warm_up < 1:
            raise ValueError(f"Captured: warm_up must be an integer of at least 1, got {warm_up!r}")
        self.function, self._left, self._refuse = function, warm_up, refuse
        self._problem = ""
        self._before: tuple[Tape, Any] | None = None  # of the last call that ran as it is
        self._record: _Record | None = None

    def __call__(self) -> Any:
        now = mode.get()
        if isinstance(now.around, Tape):
            raise RuntimeError("a captured step cannot be part of another one")
        if self._problem and self._refuse:
            raise RuntimeError(self._problem)
        if self._problem or now.around is not None or not now.recording:
            return self.function()
        if self._record is not None and not self._record.holds():
            self._record, self._left = None, 1
        if self._record is not None:
            return one_blas_thread(self._record.replay)
        self._left -= 1
        if self._left > 0:
            return self.function()
        return self._noted()

    def __getstate__(self) -> dict[str, Any]:  # a copy reads other arrays: it is noted anew
        return {**vars(self), "_before": None, "_record": None, "_left": max(self._left, 1)}

    @property
    def source(self) -> str:
        """The step as it is replayed, as Python code to read: one line for each kernel call, and
        where it ends the life of what is not needed any more. Empty while nothing is noted.

        x are arrays (of Tensors t, or computed), c constants; a kernel is called after its
        operation, its derivatives ``vjp_of_`` it, and ``step_`` is an optimizer's step.
        """
        return self._record.source if self._record is not None else ""

    def _noted(self) -> Any:
        """Call the function and note what it does, the second time for good."""
        tape = Tape(self._before[0] if self._before else None)
        with Block(around=tape):
            result = self.function()
        tape.end()
        if self._before is None:
            self._before = tape, result
            problem = tape.problem
        else:
            before, then = self._before
            self._before = None
            problem = tape.problem or tape.unlike(before)
            if not problem:
                try:
                    self._record = _Record(tape, result, then)
                except TypeError as error:
                    problem = str(error)
        if problem:
            self._before = None
            self._problem = (
                f"Captured: the step was done, but cannot be replayed: {problem}. Change it, or "
                "call the function itself"
            )
            if self._refuse:
                raise RuntimeError(self._problem)
        return result


def _needed(function: Callable[..., Any]) -> str:
    """The arguments without which a function cannot be called."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # of C's functions some do not say
        return ""
    variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return ", ".join(p.name for p in parameters if p.default is p.empty and p.kind not in variadic)


class _Record:
    """What a tape has noted, written as a Python function and ready to be called."""

    def __init__(self, tape: Tape, result: Any, then: Any) -> None:
        rebuild = _rebuilt(result, then, tape)
        self._nodes = [(t, t.node) for _, _, t in tape.inputs if t is not None]
        leaves = [node.leaf for _, node in self._nodes if node is not None]
        self._within = [(t, array) for _, array, t in tape.within if t is not None]
        self._empty = [leaf for leaf in tape.empty if any(leaf is known for known in leaves)]
        self._native = compiled_kernels_run()  # which VJPs share what depends on it
        self._modes = [(module, module.training) for module in tape.modules]
        names: dict[str, Any] = {"Tensor": Tensor}
        self.source = _written(tape, rebuild, names)
        exec(compile(self.source, "<captured step>", "exec"), names)
        self.replay: Callable[[], Any] = names["step"]

    def holds(self) -> bool:
        """Whether the step would still do what was noted."""
        alike = self._native == compiled_kernels_run()
        alike = alike and all(tensor.node is node for tensor, node in self._nodes)
        alike = alike and all(tensor._array is array for tensor, array in self._within)
        alike = alike and all(leaf.grad is None for leaf in self._empty)
        return alike and all(module.training == training for module, training in self._modes)


class _At(NamedTuple):
    """A value that a replay computes or reads; `tensor` says to wrap it in one."""

    place: int
    tensor: bool


def _written(tape: Tape, rebuild: Any, names: dict[str, Any]) -> str:
    """The source of a function ``step()`` that makes the calls; what it uses goes into `names`.

    Its variables are called x and the place of the value, constants c and the place. Each is
    deleted after its last use, so that its memory can be used again.
    """
    kept, variable, lines = set(_places(rebuild)), {}, ["def step():"]
    for place, value, tensor in tape.inputs:
        variable[place] = f"x{place}" if tensor is not None else _constant(place, value, names)
        if tensor is not None:
            names[f"t{place}"] = tensor
            lines.append(f"x{place} = t{place}._array")
    last = {i: k for k, call in enumerate(tape.calls) for i in (*call.arguments, call.result)}
    gone: list[list[int]] = [[] for _ in tape.calls]
    for i, k in last.items():
        if i not in kept and variable.get(i, "x")[0] == "x":
            gone[k].append(i)
    known: dict[int, str] = {}
    for k, call in enumerate(tape.calls):
        function = known.get(id(call.function))
        if function is None:
            function = known[id(call.function)] = _named(call.name, names)
            names[function] = call.function
        arguments = ", ".join(variable[i] for i in call.arguments)
        variable[call.result] = f"x{call.result}"
        unused = call.result in gone[k]
        lines.append(f"{'' if unused else variable[call.result] + ' = '}{function}({arguments})")
        over = [f"x{i}" for i in gone[k] if i != call.result]
        if over:
            lines.append("del " + ", ".join(over))
    lines.append(f"return {_expression(rebuild, variable, names)}")
    return "\n    ".join(lines) + "\n"


def _constant(place: int, value: Any, names: dict[str, Any]) -> str:
    """How a constant is written: a simple one as it is, every other as a name."""
    if type(value) in (int, bool, str, type(None)):
        return repr(value)
    names[f"c{place}"] = value
    return f"c{place}"


def _named(name: str, names: dict[str, Any]) -> str:
    """A name for a function, after what it computes, that is not in `names`."""
    name = re.sub(r"\W", "_", name.replace("backward of ", "vjp of ")).strip("_")
    name = f"{name}_" if keyword.iskeyword(name) or name in ("step", "Tensor") else name
    taken = itertools.chain([name], (f"{name}_{k}" for k in itertools.count(2)))
    return next(n for n in taken if n not in names)


def _expression(rebuild: Any, variable: dict[int, str], names: dict[str, Any]) -> str:
    """The source of what the step returns."""
    kind = type(rebuild)
    if kind is _At:
        value = variable[rebuild.place]
        return f"Tensor({value})" if rebuild.tensor else value
    if kind is dict:
        pairs = (
            f"{_expression(k, variable, names)}: {_expression(v, variable, names)}"
            for k, v in rebuild.items()
        )
        return "{" + ", ".join(pairs) + "}"
    if kind is tuple or kind is list:
        parts = [_expression(v, variable, names) for v in rebuild]
        return f"[{', '.join(parts)}]" if kind is list else f"({''.join(p + ', ' for p in parts)})"
    names[f"r{len(names)}"] = rebuild
    return f"r{len(names) - 1}"


def _rebuilt(result: Any, then: Any, tape: Tape) -> Any:
    """`result` with an `_At` in place of each array; `then` is what the call before returned."""
    if isinstance(result, Tensor):
        if result.is_leaf and result is then:
            return result
        place = tape.known(result._array)
    else:
        result = plain(result)  # not `Watched` any more
        place = tape.known(result)
    if place is not None:
        return _At(place, isinstance(result, Tensor))
    several = type(result) in (tuple, list, dict) and type(then) is type(result)
    if several and len(result) == len(then):
        if type(result) is not dict:
            pairs = zip(result, then, strict=True)
            return type(result)(_rebuilt(*pair, tape) for pair in pairs)
        if result.keys() == then.keys():
            return {k: _rebuilt(v, then[k], tape) for k, v in result.items()}
    if isinstance(result, _CONSTANTS) and same(result, then):
        return result
    raise TypeError(
        f"it returns {describe(result)} that the operations in it have not computed: return "
        "Tensors, arrays and numbers that stay the same, in tuples, lists and dicts"
    )


def _places(rebuild: Any) -> list[int]:
    if isinstance(rebuild, _At):
        return [rebuild.place]
    parts = rebuild.values() if type(rebuild) is dict else rebuild
    return [i for v in parts for i in _places(v)] if type(rebuild) in (tuple, list, dict) else []
