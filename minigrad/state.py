"""What holds at this moment: whether to record, which hook listens, and where the user stands.

Recording and hook are one context variable, so every thread and every asyncio task has its own.
"""

from __future__ import annotations

import ctypes
import functools
import inspect
import os
import sys
import types
from collections.abc import Callable, Generator
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, TypeVar

if TYPE_CHECKING:
    from types import FrameType

    from .engine import Primitive
    from .node import Place
    from .tape import Tape

Around: TypeAlias = "Callable[[Primitive, Place | None, str, Callable[..., Any], Any], Any]"
F = TypeVar("F", bound=Callable[..., Any])

PACKAGE = os.path.dirname(os.path.abspath(__file__)) + os.sep


class Mode(NamedTuple):
    """What the engine asks before each operation, and whose mode it is."""

    recording: bool = True
    around: Around | None = None  # a hook: around(primitive, where, phase, function, args)
    block: Block | None = None
    outer: Mode | None = None


_USUAL = Mode()
mode = ContextVar("mode", default=_USUAL)

# Ctrl-C can come before the first line of an `__exit__` in Python, which would leave the mode as it
# is. So `with` gets a function in C, bound to the variable and a token: `mode.reset(token)`, which
# ignores the three arguments that an `__exit__` is given. (Not in WebAssembly, which checks them.)
_reset = None
if sys.platform not in ("emscripten", "wasi"):
    _reset = ctypes.PYFUNCTYPE(ctypes.c_int, *5 * [ctypes.py_object])(
        ("PyContextVar_Reset", ctypes.pythonapi)
    )


class _Exit:
    """The ``__exit__`` of a `Block`. A `with` statement looks it up before it enters."""

    def __get__(self, block: Block | None, owner: type | None = None) -> Callable[..., None]:
        if block is None:
            return _leave
        now = mode.get()
        if now.block is block or not _reset:  # it has been entered already
            return functools.partial(_leave, block)
        return functools.partial(_reset, mode, mode.set(now))


def _leave(block: Block, *exception: object) -> None:
    mode.set(mode.get().outer or _USUAL)


class Block:
    """Within ``with Block(recording, around):`` the mode is another, where something is given."""

    def __init__(self, recording: bool | None = None, around: Around | None = None) -> None:
        self.recording, self.around = recording, around

    def within(self, now: Mode) -> tuple[bool, Around | None]:
        """Recording and hook of the block, in a block with the mode `now`."""
        recording = now.recording if self.recording is None else self.recording
        return recording, self.around or now.around

    def __enter__(self) -> None:
        now = mode.get()
        try:
            mode.set(Mode(*self.within(now), self, now))
        except BaseException:  # Ctrl-C
            mode.set(now)
            raise

    __exit__ = _Exit()


def taping() -> Tape | None:
    """The tape of the captured step that is being noted here (see ``tape``), or None."""
    return getattr(mode.get().around, "tape", None)


def call_site() -> Place | None:
    """The innermost frame outside this package, as (code, instruction): cheap to take, and turned
    into file:line only when an error is printed."""
    frame: FrameType | None = sys._getframe(3)  # below are this function, `_record` and `__call__`
    while frame is not None and frame.f_code.co_filename.startswith(PACKAGE):
        frame = frame.f_back
    return None if frame is None else (frame.f_code, frame.f_lasti)


class no_grad(Block):
    """Within ``with no_grad():`` nothing is recorded, nor in a function decorated by it.

    The function may be a generator or asynchronous: recording is off while its own body runs, and
    not in the code that it yields to or that runs while it waits.

    >>> from minigrad import tensor
    >>> x = tensor(2.0, requires_grad=True)
    >>> with no_grad():
    ...     print((x * x).requires_grad)
    False
    >>> @no_grad()
    ... def powers(x):
    ...     yield x
    ...     yield x * x
    >>> [y.requires_grad for y in powers(x)]
    [True, False]
    """

    def __init__(self) -> None:
        super().__init__(recording=False)

    def __call__(self, function: F) -> F:
        if inspect.isasyncgenfunction(function) or not inspect.isroutine(function):
            raise TypeError(
                f"no_grad: expected a function, a generator function or an async function, got "
                f"{function!r}: write `with no_grad():` inside it instead"
            )

        @functools.wraps(function)
        def plain(*args: Any, **options: Any) -> Any:
            with no_grad():
                return function(*args, **options)

        @functools.wraps(function)
        def generator(*args: Any, **options: Any) -> Generator[Any, Any, Any]:
            return (yield from _without_recording(function(*args, **options)))

        @functools.wraps(function)
        async def asynchronous(*args: Any, **options: Any) -> Any:
            return await _awaitable(function(*args, **options).__await__())

        if inspect.isgeneratorfunction(function):
            return generator  # type: ignore[return-value]
        return asynchronous if inspect.iscoroutinefunction(function) else plain  # type: ignore[return-value]


def _without_recording(steps: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
    """What the generator `steps` yields, with recording switched off while it runs."""
    resume, value = steps.send, None
    while True:
        try:
            with no_grad():
                value = resume(value)
        except StopIteration as stop:
            return stop.value
        try:
            resume, value = steps.send, (yield value)
        except BaseException as error:  # also GeneratorExit: the body may clean up
            resume, value = steps.throw, error


_awaitable = types.coroutine(_without_recording)


class hook(Block):
    """Within the block call ``around(primitive, where, phase, function, args)`` in place of every
    forward function and VJP of this thread or task; it must return ``function(*args)``. Hooks
    nest.

    Parameters
    ----------
    around : callable
        What is called for every operation.
    """

    def __init__(self, around: Around) -> None:
        super().__init__(around=around)

    def within(self, now: Mode) -> tuple[bool, Around | None]:
        inner, outer = self.around, now.around

        def both(
            p: Primitive, where: Place | None, phase: str, function: Callable[..., Any], args: Any
        ) -> Any:
            return inner(p, where, phase, lambda *a: outer(p, where, phase, function, a), args)

        return now.recording, inner if outer is None else both
