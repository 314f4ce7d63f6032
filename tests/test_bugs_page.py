"""Proves that every block of docs/bugs.md runs as printed and prints what its comments say, and
that every check it names exists in the file it names."""

import ast
import contextlib
import functools
import io
import re
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "bugs.md").read_text()
FIRST, *ENTRIES = re.split(r"^### ", PAGE, flags=re.M)
NUMBERS = [int(entry.partition(".")[0]) for entry in ENTRIES]


def blocks(text):
    return re.findall(r"^```python\n(.*?)^```$", text, re.S | re.M)


(COMMON,) = blocks(FIRST)


def promised(block):
    """The lines that the block says it prints: the comment behind each print."""
    comments = re.findall(r"^\s*print\(.*\)  # (.*)$", block, re.M)
    assert len(comments) == len(re.findall(r"\bprint\(", block)), "a print without its comment"
    return comments


def printed(block):
    names, out = {}, io.StringIO()
    state = np.random.get_state()  # noqa: NPY002  (one entry is about those who change it)
    try:
        with contextlib.redirect_stdout(out):
            exec(compile(COMMON + block, "docs/bugs.md", "exec"), names)
    finally:
        np.random.set_state(state)  # noqa: NPY002
    return out.getvalue().splitlines()


def parts(entry):
    """What is said, the one block, where it happened, and what catches it."""
    said, block, rest = re.split(r"^```(?:python)?$\n?", entry, flags=re.M)
    _, where, caught = re.split(r"^\*(?:Where|Caught by):\*", rest, flags=re.M)
    return said, block, where, caught


@functools.cache
def names_in(path):
    """The functions, classes and variables at the top of a file of Python."""
    found = set()
    for node in ast.parse((ROOT / path).read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Assign):
            found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return found


@pytest.mark.parametrize("entry", ENTRIES, ids=NUMBERS)
def test_the_block_prints_what_it_says(entry):
    _, block, _, _ = parts(entry)
    expected = promised(block)
    assert expected
    assert printed(block) == expected


@pytest.mark.parametrize("entry", ENTRIES, ids=NUMBERS)
def test_the_checks_that_are_named_exist(entry):
    _, _, _, caught = parts(entry)
    checks = re.findall(r"`([\w/]+\.py)::(\w+)`", caught)
    assert checks
    for path, name in checks:
        assert name in names_in(path), f"{path} has no {name}"


@pytest.mark.parametrize("entry", ENTRIES, ids=NUMBERS)
def test_it_is_short_and_says_where_it_happened(entry):
    said, block, where, _ = parts(entry)
    assert len(said.split()) < 110
    assert sum(bool(line) for line in block.splitlines()) <= 18  # not counting empty ones
    assert max(map(len, block.splitlines())) <= 105
    assert re.search(r"\]\(https://github\.com/[\w.-]+/[\w.-]+/(issues|pull|blob)/\w+", where)


def test_the_entries_are_numbered():
    assert list(range(1, len(ENTRIES) + 1)) == NUMBERS
    assert len(ENTRIES) == 25
    assert PAGE.startswith("# A page of real bugs\n\nTwenty-five mistakes")
    assert len(blocks(PAGE)) == 1 + len(ENTRIES)


def test_a_wrong_comment_would_be_noticed():
    assert promised("x = 2\nprint(x)  # 3\n") == ["3"] != printed("x = 2\nprint(x)  # 3\n") == ["2"]
    with pytest.raises(AssertionError, match="without its comment"):
        promised("print(2)\n")
    assert "test_that_is_not_there" not in names_in("tests/minigrad/test_tensor.py")
