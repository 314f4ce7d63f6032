"""Mutants that are known: those that survived once and are tried by name, and those that cannot be
told from the original, with the reason."""

from pathlib import Path

from mutation_changes import Mutant

ROOT = Path(__file__).parents[2]
NAMED = {}  # name: (file, text, what takes its place)
EQUIVALENT = {}  # (file, beginning of the line, change): why


def named():
    """The mutants that have names."""
    found = []
    for name, (file, text, other) in NAMED.items():
        source = (ROOT / file).read_text()
        if source.count(text) != 1:
            raise ValueError(f"{name}: {file} has {source.count(text)} times the text {text!r}")
        line = source[: source.index(text)].count("\n") + 1
        lines = range(line, line + text.count("\n") + 1)
        found.append(Mutant(file, line, name, text.strip(), lines, source.replace(text, other)))
    return found
