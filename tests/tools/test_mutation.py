"""Proves that the mutation tester's changes are what they say, and that its named mutants exist."""

import ast

import pytest
from mutation_changes import mutants
from mutation_known import named
from mutation_server import changed

SOURCE = '''
"""A docstring - 1."""
LIMIT = 3


def f(x, y=2):
    """Not 2 - 1 either."""
    if x < LIMIT:
        raise ValueError(f"{x + 1} is below {LIMIT - 1}")
    total = 0
    for k in range(x):
        total += (k -
                  y)
    return g(total, x) if x else -total
'''


def test_every_change_is_one_and_lines_keep_their_numbers():
    found = {(m.line, m.words) for m in mutants("f.py", SOURCE)}
    assert found == {
        (3, "3 -> 4"),
        (6, "2 -> 3"),
        (8, "Lt -> LtE"),
        (9, "statement left out"),
        (10, "0 -> 1"),
        (12, "Add -> Sub"),
        (12, "Sub -> Add"),
        (12, "operands of Sub exchanged"),
        (12, "statement left out"),
        (14, "branches exchanged"),
        (14, "condition reversed"),
        (14, "arguments exchanged"),
        (14, "USub dropped"),
    }
    for mutant in mutants("f.py", SOURCE):
        assert ast.dump(ast.parse(mutant.source)) != ast.dump(ast.parse(SOURCE))
        assert mutant.source.count("\n") == SOURCE.count("\n")


def test_what_is_done_at_import_cannot_be_changed_in_place():
    at_import = {m.line for m in mutants("f.py", SOURCE) if not changed("f.py", SOURCE, m.source)}
    assert at_import == {3, 6}


@pytest.mark.parametrize("mutant", named(), ids=lambda mutant: mutant.words)
def test_named_mutants_are_in_the_source(mutant):
    compile(mutant.source, mutant.file, "exec")


def test_a_comprehension_of_a_module_runs_at_import():
    source = "TABLE = [k + 1 for k in range(3)]\n\n\ndef f(n):\n    return [k + 1 for k in n]\n"
    found = {m.line: changed("f.py", source, m.source) for m in mutants("f.py", source)}
    assert found[1] is None and found[5]
