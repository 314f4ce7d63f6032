"""A training step as a list of kernel calls: noted once, then replayed without the rest of Python.

To record an operation takes the host several microseconds, and the arithmetic of a small network
less. What a step does is the same every time, but for the numbers: ``tape`` notes the kernels
that it runs, forward and backward, and a replay runs these alone. No graph is built, no constant is
copied and no array sealed, BLAS is held to one thread once, and the bits are the same.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from ..state import Block, mode
from ..tape import Tape
from ..tape.source import rebuilt, written
from .blas import one_blas_thread
from .pool import compiled_kernels_run


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
        rebuild = rebuilt(result, then, tape)
        self._nodes = [(t, t.node) for _, _, t in tape.inputs if t is not None]
        leaves = [node.leaf for _, node in self._nodes if node is not None]
        self._within = [(t, array) for _, array, t in tape.within if t is not None]
        self._empty = [leaf for leaf in tape.empty if any(leaf is known for known in leaves)]
        self._native = compiled_kernels_run()  # which VJPs share what depends on it
        self._modes = [(module, module.training) for module in tape.modules]
        names: dict[str, Any] = {}
        self.source = written(tape, rebuild, names)
        exec(compile(self.source, "<captured step>", "exec"), names)
        self.replay: Callable[[], Any] = names["step"]

    def holds(self) -> bool:
        """Whether the step would still do what was noted."""
        alike = self._native == compiled_kernels_run()
        alike = alike and all(tensor.node is node for tensor, node in self._nodes)
        alike = alike and all(tensor._array is array for tensor, array in self._within)
        alike = alike and all(leaf.grad is None for leaf in self._empty)
        return alike and all(module.training == training for module, training in self._modes)
