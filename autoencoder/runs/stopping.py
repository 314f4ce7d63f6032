"""Ctrl-C as a wish: the work in hand is brought to an end, and what there is gets written."""

import contextlib
import signal


@contextlib.contextmanager
def interruptible():
    """Yields a list that is empty until Ctrl-C; a second Ctrl-C interrupts as usual."""
    seen = []

    def first(signum, frame):
        seen.append(signum)
        signal.signal(signal.SIGINT, before)

    try:
        before = signal.signal(signal.SIGINT, first)
    except ValueError:  # not in the main thread: Ctrl-C is somebody else's business
        yield seen
        return
    try:
        yield seen
    finally:
        signal.signal(signal.SIGINT, before)
