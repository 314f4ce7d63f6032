"""Proves that what the programs and the course read is in the package that pip installs."""

import contextlib
import fnmatch
import io
import json
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import autoencoder
import minigrad
from autoencoder.__main__ import main

ROOT = Path(__file__).parent.parent
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text())
DATA = SETTINGS["tool"]["setuptools"]["package-data"]


def files():
    """The files of the three packages that are no Python, as git knows them."""
    words = ["git", "ls-files", "minigrad", "autoencoder", "lessons"]
    try:
        listed = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    return [line for line in listed.splitlines() if not line.endswith(".py")]


def test_every_file_is_installed():
    found = files()
    assert len(found) > 60
    patterns = [f"{name.replace('.', '/')}/{each}" for name, some in DATA.items() for each in some]
    left_out = [f for f in found if not any(fnmatch.fnmatch(f, p) for p in patterns)]
    assert left_out == []


def test_the_lock_has_a_version_of_all_that_the_gate_installs():
    lines = (ROOT / ".ci" / "constraints.txt").read_text().splitlines()
    locked = dict(line.split("==") for line in lines if not line.startswith("#"))
    project = SETTINGS["project"]
    extras = project["optional-dependencies"]
    wanted = [*SETTINGS["build-system"]["requires"], *project["dependencies"]]
    todo = ["test", "parity"]
    while todo:
        wanted += extras[extra := todo.pop()]
        todo += [
            e
            for r in map(Requirement, extras[extra])
            if r.name == project["name"]
            for e in r.extras
        ]
    found = [r for r in map(Requirement, wanted) if r.name != project["name"]]
    names = {r.name: canonicalize_name(r.name) for r in found}
    advice = "run .ci/lock, and commit .ci/constraints.txt"
    assert [r.name for r in found if names[r.name] not in locked] == [], advice
    assert [str(r) for r in found if locked[names[r.name]] not in r.specifier] == [], advice
    assert not [version for version in locked.values() if "+" in version]  # one machine's builds


def test_the_version_is_one():
    assert autoencoder.__version__ == minigrad.__version__
    with pytest.raises(SystemExit) as ended, contextlib.redirect_stdout(io.StringIO()) as out:
        main(["--version"])
    assert ended.value.code == 0
    assert out.getvalue() == f"autoencoder {minigrad.__version__}\n"
    assert f"## {minigrad.__version__}" in (ROOT / "CHANGELOG.md").read_text()
    assert f"version: {minigrad.__version__}\n" in (ROOT / "CITATION.cff").read_text()


def test_the_files_that_contributors_are_sent_to_exist():
    words = (ROOT / "CONTRIBUTING.md").read_text()
    named = re.findall(r"\b(?:minigrad|autoencoder|lessons|tests|docs)/[\w/]+\.\w+", words)
    assert len(named) > 15
    assert [path for path in named if not (ROOT / path).exists() and "NN_" not in path] == []


def test_the_stored_runs_of_lesson_17_are_those_of_the_documentation():
    runs = json.loads((ROOT / "lessons" / "expected" / "olivetti_runs.json").read_text())
    for path in (ROOT / "docs" / "olivetti").glob("*_seed?.json"):
        run = runs.pop(path.stem)
        lines = path.with_suffix(".csv").read_text().splitlines()[1:]
        assert run.pop("losses") == [float(line.split(",")[1]) for line in lines]
        assert run == json.loads(path.read_text())
    assert runs == {}
