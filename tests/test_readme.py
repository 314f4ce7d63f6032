"""Proves that the README's code runs as printed, that its numbers are those that come out, that the
files it names exist, and that its two commands are what the gate and the program understand."""

import contextlib
import io
import re
from pathlib import Path

import numpy as np
import pytest

from autoencoder.commands.arguments import parser
from minigrad.testing import gradcheck

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.S)


def test_the_code_runs_and_prints_what_it_says():
    names, promised = {}, 0
    for block in BLOCKS:
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(compile(block, "README.md", "exec"), names)
        expected = re.findall(r"^print\(.*\)  # (.*)$", block, re.M)
        assert out.getvalue().splitlines() == expected
        promised += len(expected)
    assert len(BLOCKS) == 4
    assert promised == 2


def test_the_primitive_of_the_readme_is_right_to_third_order():
    names = {}
    exec(BLOCKS[0] + BLOCKS[1], names)
    assert gradcheck(names["log1p"], [np.array([0.5, 2.0])], order=3) < 1e-7


FOLDERS = "docs|minigrad|autoencoder|benchmarks|lessons|tests"


@pytest.mark.parametrize("path", sorted(set(re.findall(rf"\b(?:{FOLDERS})/[\w/.]*\w", README))))
def test_the_files_that_it_names_exist(path):
    assert (ROOT / path).exists()


def test_the_two_commands_are_understood():
    train, test = re.findall(r"```sh\n(.*)\n```", README)
    arguments = train.partition("-m autoencoder ")[2].split()
    assert parser().parse_args(arguments).epochs == 60
    assert test.endswith(".venv/bin/python -m pytest -n 2 --dist worksteal")
    assert "grep -- '-m pytest -n 2' README.md" in (ROOT / ".ci" / "run").read_text()
