"""The code of docs/export.md runs as printed and shows what it says, from top to bottom."""

import contextlib
import io
import re
from pathlib import Path

import pytest

for _package in ("onnx", "onnxruntime", "safetensors", "tensorboardX", "torch"):
    pytest.importorskip(_package, reason=f"{_package}, which the page uses, is not installed")

PAGE = Path(__file__).parents[1] / "docs" / "export.md"
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.S)


def test_the_code_runs_and_prints_what_it_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "export_page"}
    for block in BLOCKS:
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(compile(block, PAGE.name, "exec"), names)
        assert out.getvalue().splitlines() == re.findall(r"^ *print\(.*\)  # (.*)$", block, re.M)
    assert len(BLOCKS) == 8
    assert {p.name for p in tmp_path.iterdir()} == {
        *("model.onnx", "decoder.onnx", "model.safetensors", "plain.safetensors"),
        *("history.csv", "curves"),
    }
