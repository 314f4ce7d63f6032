"""Progress bars, which never end the work: where they cannot be shown, they are not."""

import contextlib
import sys

from tqdm import tqdm


class Forgiving:
    """A text stream whose writes may fail: closed, on a full disk, or a pipe that nobody reads.

    >>> Forgiving(None).write("whatever")
    """

    def __init__(self, stream):
        self._stream = stream

    def write(self, text):
        """Write if that is possible."""
        with contextlib.suppress(OSError, ValueError, AttributeError):
            self._stream.write(text)

    def flush(self):
        """Flush if that is possible."""
        with contextlib.suppress(OSError, ValueError, AttributeError):
            self._stream.flush()

    def __getattr__(self, name):
        return getattr(self._stream, name)


def progress_bar(name, done, goal, shown):
    """A tqdm bar over epochs, on stderr as it is now."""
    return tqdm(
        desc=name,
        initial=done,
        total=goal,
        unit="epoch",
        disable=not shown,
        file=Forgiving(sys.stderr),
    )


def progress_over(items, what, unit, shown):
    """The `items`, with a tqdm bar where `shown` and stderr is a terminal."""
    hidden = None if shown else True  # None: unless it is a terminal
    return tqdm(items, desc=what, unit=unit, disable=hidden, file=Forgiving(sys.stderr))
