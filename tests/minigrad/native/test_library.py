"""The compiled library is optional: whatever is wrong with it is a sentence, and NumPy runs."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import minigrad as mg
from minigrad.native import library
from minigrad.native.config import show_config

FOLDER = Path(library.__file__).parent
built = pytest.mark.skipif(library.library is None, reason=f"native: {library.status}")
SANITIZED = Path(__file__).parents[2] / "tools" / "sanitized_native.py"


def python(code, **environment):
    command = [sys.executable, "-W", "error", "-c", code]
    return subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=100
    )


def test_without_the_library_numpy_runs(tmp_path):
    found, words = library.load(tmp_path)
    assert found is None and words.startswith("not built: there was no C compiler when")


@built
def test_a_library_of_another_version_or_kind_is_not_used(tmp_path):
    for file in FOLDER.glob("kernels*"):
        shutil.copy(file, tmp_path)
    assert library.load(tmp_path)[1] == library.load(FOLDER)[1]
    (tmp_path / "kernels.c").write_text("int other;")
    found, words = library.load(tmp_path)
    assert found is None and "built from another kernels.c: install the package again" in words
    other = tmp_path / "other"
    other.mkdir()
    (other / "kernels-baseline.so").write_text("no library at all")
    found, words = library.load(other)
    assert found is None and words.startswith("not there: ")


@built
def test_the_environment_chooses(tmp_path):
    assert library.load(FOLDER, "0") == (None, "off: the environment variable MINIGRAD_NATIVE is 0")
    found, words = library.load(FOLDER, "baseline")
    assert found.panel() == 8 and words.startswith("baseline, compiled by ")
    with pytest.raises(ValueError, match="MINIGRAD_NATIVE: expected 0 or one of baseline, avx2"):
        library.load(FOLDER, "avx1024")
    show = "import minigrad as mg; print(mg.cpu.native, mg.show_config('dicts')['native'])"
    assert python(show, MINIGRAD_NATIVE="0").stdout.startswith("False off: the environment")
    assert python(show, MINIGRAD_NATIVE="baseline").stdout.startswith("True baseline, compiled by")


def test_show_config_says_what_runs(capsys, monkeypatch):
    found = show_config(mode="dicts")
    assert found["NumPy"] == np.__version__ and found["threads"] == str(mg.get_num_threads())
    assert mg.show_config() is None
    printed = capsys.readouterr().out.splitlines()
    assert printed == [f"{name:8} {words}" for name, words in found.items()]
    with pytest.raises(ValueError, match='mode must be "stdout" or "dicts"'):
        show_config(mode="xml")
    monkeypatch.setattr(library, "library", object())
    monkeypatch.setattr(mg.cpu, "native", False)
    assert show_config("dicts")["native"].startswith("off: minigrad.cpu.native is False (")


@pytest.mark.parametrize("flags", ["", "-mavx2 -mfma"], ids=["baseline", "avx2"])
def test_no_kernel_touches_memory_that_is_not_its_own(flags, tmp_path):
    """Every kernel runs under the sanitizers of addresses and of undefined behaviour."""
    compiler = shutil.which("gcc")
    if compiler is None:
        pytest.skip("no gcc")
    if flags and "avx2" not in library._here(FOLDER):
        pytest.skip("this machine has no AVX2, or no library was built")
    code, made = FOLDER / "kernels.c", tmp_path / "kernels.so"
    words = [compiler, "-O1", "-g", *flags.split(), "-fsanitize=address,undefined"]
    words += ["-fno-sanitize-recover=all", "-shared", "-fPIC", "-DSOURCE=0", str(code)]
    subprocess.run([*words, "-o", str(made)], check=True)
    runtime = subprocess.run(
        [compiler, "-print-file-name=libasan.so"], capture_output=True, text=True, check=True
    ).stdout.strip()
    options = {"LD_PRELOAD": runtime, "ASAN_OPTIONS": "detect_leaks=0"}
    for words, found in ([], ""), (["fault"], "heap-buffer-overflow"):
        done = subprocess.run(
            [sys.executable, str(SANITIZED), str(made), *words],
            env={**os.environ, "MINIGRAD_NATIVE": "", **options},
            capture_output=True,
            text=True,
            timeout=200,
        )
        assert done.stdout == "all kernels ran\n" and found in done.stderr, done.stderr
        assert (done.returncode == 0) == (not words)
