"""What holds for the running thread: whether to record, who listens, and where the user stands."""

import contextlib
import os
import sys
import threading

PACKAGE = os.path.dirname(os.path.abspath(__file__)) + os.sep


class _State(threading.local):
    recording = True
    around = None  # a hook: around(primitive, where, phase, function, args) -> function(*args)


state = _State()


def call_site():
    """The innermost frame outside this package, as (code, instruction): cheap to take, and turned
    into file:line only when an error is printed."""
    frame = sys._getframe(2)
    while frame is not None and frame.f_code.co_filename.startswith(PACKAGE):
        frame = frame.f_back
    return None if frame is None else (frame.f_code, frame.f_lasti)


class no_grad(contextlib.ContextDecorator):
    """Within ``with no_grad():`` (or a function decorated by it) nothing is recorded.

    >>> from minigrad import tensor
    >>> x = tensor(2.0, requires_grad=True)
    >>> with no_grad():
    ...     print((x * x).requires_grad)
    False
    """

    def __enter__(self):
        self._before = [*getattr(self, "_before", ()), state.recording]
        state.recording = False

    def __exit__(self, *exception):
        state.recording = self._before.pop()

    def _recreate_cm(self):  # every call of a decorated function has one of its own
        return type(self)()


@contextlib.contextmanager
def hook(around):
    """Within the block call ``around(primitive, where, phase, function, args)`` in place of every
    forward function and VJP of this thread; it must return ``function(*args)``. Hooks nest."""
    outer = state.around
    if outer is None:
        state.around = around
    else:
        state.around = lambda p, where, phase, function, args: around(
            p, where, phase, lambda *a: outer(p, where, phase, function, a), args
        )
    try:
        yield
    finally:
        state.around = outer
