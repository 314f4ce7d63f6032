# PYTHON_ARGCOMPLETE_OK
"""The command line: ``autoencoder COMMAND``, or ``python -m autoencoder COMMAND``.

See docs/commands.md.
"""

import contextlib
import importlib
import os
import sys
import warnings

from .commands.arguments import UsageError, parser

HOMES = {
    "train": ("train",),
    "assess": ("evaluate", "plot", "info", "data"),
    "convert": ("reconstruct", "denoise", "encode", "decode", "sample"),
    "detect": ("detect",),
    "compress": ("compress", "decompress"),
    "explore": ("explore",),
    "export": ("export",),
}
HOME = {verb: module for module, verbs in HOMES.items() for verb in verbs}
PROGRAM = "python -m autoencoder"


def main(arguments=None):
    """Run a command; returns the exit status: 0, or 2 after one sentence on what was wrong.

    A training that diverged gives 1. A second Ctrl-C, or one outside of a training, gives 130.
    """
    try:
        options = parser().parse_args(arguments)
    except UsageError as error:
        print(error, file=sys.stderr)
        return 2
    verb = options.verb
    with warnings.catch_warnings():
        warnings.simplefilter("default", UserWarning)
        warnings.showwarning = lambda message, *_, **__: _say(verb, f"warning: {message}")
        try:
            # here, so that --help and slips of the pen need not wait for scikit-learn
            home = importlib.import_module(f".commands.{HOME[verb]}", __package__)
            return getattr(home, verb)(options) or 0
        except (ValueError, OSError, RuntimeError) as error:
            _say(verb, error)
            return 2
        except MemoryError as error:
            reason = f" ({error})" if str(error) else ""
            _say(verb, f"there is not enough memory{reason}: use fewer or smaller images")
            return 2
        except KeyboardInterrupt:
            _say(verb, "interrupted")
            return 130


def _say(verb, message):
    with contextlib.suppress(OSError, ValueError):  # where nobody reads it, the status says so
        print(f"{PROGRAM} {verb}: {message}", file=sys.stderr)


def command():
    """The program ``autoencoder``, which pip installs: `main`, with any names of files in print."""
    if hasattr(sys.stdout, "reconfigure"):  # names of files may be no text
        sys.stdout.reconfigure(errors="backslashreplace")
    if "_ARGCOMPLETE" in os.environ:  # a shell asks what may be written next
        with contextlib.suppress(ModuleNotFoundError):
            importlib.import_module("argcomplete").autocomplete(parser())
    return main()


if __name__ == "__main__":
    sys.exit(command())
