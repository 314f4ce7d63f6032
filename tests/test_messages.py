"""Proves that the packages log where they have something to say, and that only commands print."""

import ast
import logging
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from autoencoder.__main__ import main
from autoencoder.commands import train as command
from autoencoder.datasets import load_digits
from autoencoder.runs import Config, resume, start, train
from minigrad.cuda.launch import Launcher

ROOT = Path(__file__).parent.parent
# to the user who called them
TALKERS = ("autoencoder/commands", "autoencoder/__main__.py", "minigrad/native/config.py")


def test_only_commands_print():
    paths = [p for name in ("minigrad", "autoencoder") for p in (ROOT / name).rglob("*.py")]
    assert len(paths) > 100
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in paths
        if not path.relative_to(ROOT).as_posix().startswith(TALKERS)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "print"
    ]
    assert found == []


def test_no_text_has_colours_of_its_own():
    names = ("minigrad", "autoencoder", "lessons")
    paths = [path for name in names for path in (ROOT / name).rglob("*.py")]
    escape = re.compile(r"\x1b|\\x1b|\\033|\\u001b|\\N\{ESCAPE\}", re.I)
    assert [str(path) for path in paths if escape.search(path.read_text())] == []


def test_no_color_is_heard(monkeypatch, capsys):
    """From Python 3.14 on argparse colours what --help says on a terminal, or where it is told."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    out = capsys.readouterr().out
    assert "--learning-rate" in out and "\x1b" not in out


def test_nobody_hears_the_loggers_unless_he_wants_to():
    code = (
        "import logging, minigrad, autoencoder\n"
        "for name in ('minigrad.cuda.launch', 'autoencoder.runs.train'):\n"
        "    logging.getLogger(name).error('unheard')\n"
        "print(logging.root.handlers, logging.getLogger('autoencoder').level)\n"
        "logging.basicConfig(level=logging.INFO, format='%(name)s %(message)s')\n"
        "logging.getLogger('autoencoder.runs.train').info('heard')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "[] 0\n"
    assert done.stderr == "autoencoder.runs.train heard\n"


def test_a_run_logs_what_the_command_prints(tmp_path, caplog, capsys, monkeypatch):
    np.savez(tmp_path / "d.npz", images=load_digits().images[:30])
    monkeypatch.setattr(train.figures, "draw", lambda *a, **k: [])
    config = Config.of("dense", data=str(tmp_path / "d.npz"), epochs=1, n_components=3)
    with caplog.at_level(logging.INFO, logger="autoencoder"):
        folder, _ = start(config, tmp_path / "run", progress=False)
        assert resume(folder, progress=False) is None
    assert capsys.readouterr() == ("", "")
    assert {record.name for record in caplog.records} == {"autoencoder.runs.train"}
    assert "64 pixels, a latent code of 3 numbers" in caplog.messages[0]


def test_a_kernel_that_is_compiled_is_logged_once(caplog):
    launcher = Launcher(compile=lambda code, options: len(code))
    with caplog.at_level(logging.INFO, logger="minigrad"):
        launcher.module("adam", ("-DA=1",))
        launcher.module("adam", ("-DA=1",))
    assert caplog.messages == ["compiling kernels/adam.cu -DA=1"]


@pytest.mark.parametrize("error", [OSError("closed pipe"), ValueError("closed file")])
def test_nobody_has_to_read_what_a_training_says(monkeypatch, error):
    def fails(*_):
        raise error

    monkeypatch.setattr("builtins.print", fails)
    command.tell("a word")
