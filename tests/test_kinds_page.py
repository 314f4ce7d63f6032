"""The code of docs/kinds.md runs as printed and shows what it says, and there is some for every
part of the package that is not a plain one."""

import contextlib
import io
import re
from pathlib import Path

import pytest

TEXT = (Path(__file__).parents[1] / "docs" / "kinds.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, re.S)
KINDS = re.findall(r"^## (.*\(.* \d{4}.*\))$", TEXT, re.M)


@pytest.fixture(scope="module")
def names():
    found = {}
    exec(compile(BLOCKS[0], "kinds.md", "exec"), found)
    return found


def test_there_are_eight_kinds_each_with_its_source():
    assert len(KINDS) == 8 == len(BLOCKS) - 1


@pytest.mark.parametrize("k", range(len(KINDS)), ids=KINDS)
def test_the_code_runs_and_prints_what_it_says(names, k):
    block, out = BLOCKS[1 + k], io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(block, "kinds.md", "exec"), names)
    assert out.getvalue().splitlines() == re.findall(r"^print\(.*\)  # (.*)$", block, re.M)
    assert len(block.splitlines()) <= 3
