"""Proves that a shell is told what may be written next, through argcomplete."""

import os
import subprocess
import sys

import pytest

from autoencoder.commands import arguments
from autoencoder.datasets import NAMES

argcomplete = pytest.importorskip("argcomplete", reason="the extra completion is not installed")


def completions(line, folder):
    """What the program `autoencoder` offers a shell after `line`."""
    answer = folder / "answer"
    asked = {"COMP_LINE": line, "COMP_POINT": str(len(line)), "_ARGCOMPLETE": "1"}
    asked |= {"_ARGCOMPLETE_IFS": "\n", "_ARGCOMPLETE_STDOUT_FILENAME": str(answer)}
    code = "from autoencoder.__main__ import command; command()"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=os.environ | asked, capture_output=True
    )
    assert (done.returncode, done.stdout) == (0, b"")
    return {word.strip() for word in answer.read_text().split("\n")}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("autoencoder rec", {"reconstruct"}),
        ("autoencoder train --model d", {"dense", "denoising"}),
        ("autoencoder train --n", {"--n-components", "--noise", "--noise-std"}),
        ("autoencoder train --data ", {*NAMES, "mine.npz", "answer"}),
        ("autoencoder evaluate mi", {"mine.npz"}),
    ],
)
def test_what_may_come_next(line, expected, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(p for p in sys.path if p))
    (tmp_path / "mine.npz").touch()
    (tmp_path / "answer").touch()
    assert completions(line, tmp_path) == expected


def test_the_names_of_data_are_those_of_the_package():
    assert arguments.NAMES == NAMES
