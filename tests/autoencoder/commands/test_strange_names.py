"""Proves that commands work with names of any kind, without memory, and where nobody reads them."""

import io
import os
import subprocess
import sys

import numpy as np
import pytest

from autoencoder.__main__ import main
from autoencoder.commands import assess
from autoencoder.datasets import load_digits
from autoencoder.runs import figures

NAMES = (r"$\frac$", "<script>alert(1)<|script>", "a\nb", "\udcff", "%s{0}", "x" * 240)


@pytest.mark.parametrize("name", NAMES)
def test_data_of_any_name(tmp_path, monkeypatch, name):
    few = {k: figures.FIGURES[k] for k in ("reconstructions", "codes")}
    monkeypatch.setattr(figures, "FIGURES", few)
    digits = load_digits()
    np.savez(tmp_path / f"{name}.npz", images=digits.images[:40], labels=digits.labels[:40])
    monkeypatch.chdir(tmp_path)
    train = ["train", "--model", "dense", "--n-components", "2", "--epochs", "1"]
    # stdout as the program has it
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), errors="backslashreplace"))
    output = ["--output", "run"] if len(name) > 200 else []  # else a folder of that name
    assert main([*train, "--data", f"{name}.npz", *output]) == 0
    run = "run" if output else f"runs/dense-{name}"
    assert main(["reconstruct", run, f"{name}.npz", "out.png"]) == 0
    assert "<script" not in (tmp_path / run / "report.html").read_text()


def test_too_little_memory_is_one_sentence(monkeypatch, capsys):
    def too_large(*_, **__):
        return np.empty(2**57)

    monkeypatch.setattr(assess.datasets, "load", too_large)
    assert main(["data", "digits"]) == 2
    error = capsys.readouterr().err
    assert "there is not enough memory (Unable to allocate" in error
    assert len(error.splitlines()) == 1


def test_a_training_that_nobody_listens_to_is_finished(tmp_path):
    np.savez(tmp_path / "digits.npz", images=load_digits().images[:40])
    reading, writing = os.pipe()
    os.close(reading)
    train = [sys.executable, "-m", "autoencoder", "train", "--model", "dense", "--epochs", "3"]
    train += ["--n-components", "2", "--data", str(tmp_path / "digits.npz")]
    train += ["--output", str(tmp_path / "run")]
    subprocess.run(train, timeout=300, stdout=writing, stderr=writing)
    os.close(writing)
    assert (tmp_path / "run" / "metrics.json").exists()
