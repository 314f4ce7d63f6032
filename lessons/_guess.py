"""A guess before a number is shown: asked for only where somebody can type it."""

import sys


def can_ask():
    """Whether both ends are a terminal: a pipe, a test, a notebook or a server is never asked."""
    try:
        return sys.stdin.isatty() and sys.stdout.isatty()
    except (AttributeError, ValueError):  # no stdin at all, or a closed one
        return False


def ask(question):
    """What is typed, or "" for nothing; the end of the input is nothing too."""
    try:
        return input(f"? {question} (Enter: no guess) ").strip()
    except EOFError:
        print()
        return ""
