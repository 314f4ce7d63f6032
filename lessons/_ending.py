"""How a run ends that does not come to its end: in a sentence, not in a traceback."""

import contextlib
import os
import sys
import traceback
from pathlib import Path

INTERRUPTED = 130  # as the shell has it: 128 + SIGINT


def sentence(error):
    """What to say of `error`: a sentence, "" to say nothing, None for whoever wrote the program."""
    if isinstance(error, KeyboardInterrupt):
        return "\nStopped. Nothing is lost: run it again, and a --full run goes on where it was."
    if isinstance(error, BrokenPipeError):  # `| head` has read enough
        return ""
    if isinstance(error, ModuleNotFoundError) and error.name not in ("lessons", None):
        here = Path(__file__).resolve().parents[1]
        return f"The lessons need {error.name}: run  pip install -e .  in {here}"
    return None


def hook(kind, error, trace):
    """The sys.excepthook of a lesson that runs as a script."""
    text = sentence(error)
    if text is None:
        traceback.print_exception(kind, error, trace)
        return
    if text:
        print(text, file=sys.stderr)
    _leave(error)


@contextlib.contextmanager
def polite():
    """The same for ``python -m lessons``."""
    try:
        yield
        sys.stdout.flush()
    except (KeyboardInterrupt, BrokenPipeError) as error:
        if sentence(error):
            print(sentence(error), file=sys.stderr)
        _leave(error)


def _leave(error):
    """End now, with nothing more to be written to a pipe that nobody reads."""
    sys.stderr.flush()
    if isinstance(error, BrokenPipeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        os._exit(0)
    with contextlib.suppress(OSError):
        sys.stdout.flush()
    os._exit(INTERRUPTED if isinstance(error, KeyboardInterrupt) else 1)
