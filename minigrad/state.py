"""What holds at this moment: whether to record, which hook listens, and where the user stands.

Recording and hook are one context variable, so every thread and every asyncio task has its own.
"""

import contextlib
import functools
import inspect
import os
import sys
import types
from contextvars import ContextVar
from typing import NamedTuple

PACKAGE = os.path.dirname(os.path.abspath(__file__)) + os.sep


class Mode(NamedTuple):
    """What the engine asks before each operation, and the mode of the block around this one."""

    recording: bool = True
    around: object = None  # a hook: around(primitive, where, phase, function, args)
    outer: "Mode | None" = None


_USUAL = Mode()
mode = ContextVar("mode", default=_USUAL)


def enter(recording=None, around=None):
    """Change the mode, where something is given, until `leave`."""
    now = mode.get()
    recording = now.recording if recording is None else recording
    mode.set(Mode(recording, around or now.around, now))


def leave():
    """Back to the mode before the last `enter`."""
    mode.set(mode.get().outer)


def call_site():
    """The innermost frame outside this package, as (code, instruction): cheap to take, and turned
    into file:line only when an error is printed."""
    frame = sys._getframe(3)  # below are this function, `_record` and `__call__`
    while frame is not None and frame.f_code.co_filename.startswith(PACKAGE):
        frame = frame.f_back
    return None if frame is None else (frame.f_code, frame.f_lasti)


class no_grad:
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

    def __enter__(self):
        enter(recording=False)

    def __exit__(self, *exception):
        leave()

    def __call__(self, function):
        if inspect.isasyncgenfunction(function) or not inspect.isroutine(function):
            raise TypeError(
                f"no_grad: expected a function, a generator function or an async function, got "
                f"{function!r}: write `with no_grad():` inside it instead"
            )

        @functools.wraps(function)
        def plain(*args, **options):
            with self:
                return function(*args, **options)

        @functools.wraps(function)
        def generator(*args, **options):
            return (yield from _without_recording(function(*args, **options)))

        @functools.wraps(function)
        async def asynchronous(*args, **options):
            return await _awaitable(function(*args, **options).__await__())

        if inspect.isgeneratorfunction(function):
            return generator
        return asynchronous if inspect.iscoroutinefunction(function) else plain


def _without_recording(steps):
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


@contextlib.contextmanager
def hook(around):
    """Within the block call ``around(primitive, where, phase, function, args)`` in place of every
    forward function and VJP of this thread or task; it must return ``function(*args)``. Hooks
    nest."""
    outer = mode.get().around

    def both(p, where, phase, function, args):
        return around(p, where, phase, lambda *a: outer(p, where, phase, function, a), args)

    enter(around=around if outer is None else both)
    try:
        yield
    finally:
        leave()
