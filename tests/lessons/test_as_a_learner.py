"""Lessons as a learner runs them: scripts from any folder, exit status, watching, notebooks."""

import importlib
import json
import os
import re
import shutil
import subprocess
import sys

from lessons._header import FOLDER, lessons

import pytest

ROOT = FOLDER.parent


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """The lessons in a folder of their own, with minigrad beside them."""
    root = tmp_path_factory.mktemp("project")
    ignore = shutil.ignore_patterns("out", "__pycache__")
    shutil.copytree(FOLDER, root / "lessons", ignore=ignore)
    shutil.copytree(ROOT / "minigrad", root / "minigrad", ignore=ignore)
    return root


def python(*arguments, cwd):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    words = [sys.executable, *map(str, arguments)]
    return subprocess.run(words, cwd=cwd, env=environment, capture_output=True, text=True)


def test_a_lesson_is_a_script_that_runs_from_anywhere(copy, tmp_path):
    script = copy / "lessons" / lessons()[1].name
    done = python(script, "--fast", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "o 1.1 slope  not started" in done.stdout
    assert not list(tmp_path.iterdir())
    assert sorted(p.suffix for p in (copy / "lessons" / "out").iterdir()) == [
        ".json",
        ".npz",
        ".png",
    ]
    progress = json.loads((copy / "lessons" / "out" / "progress.json").read_text())
    assert progress == {"1": ["todo", "todo"]}


def test_a_wrong_answer_makes_the_exit_status_1(copy, tmp_path):
    script = copy / "lessons" / lessons()[2].name
    source = script.read_text(encoding="utf-8")
    answer = re.sub(r"raise Todo\(.*\)", "return g * a, g * b", source, count=1)
    script.write_text(answer, encoding="utf-8")
    done = python(script, "--fast", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (1, "")
    assert "x 2.1 product_rule  wrong in value 1 of 2: yours" in done.stdout
    assert "The factors are exchanged" in done.stdout
    assert "o 2.2 visiting_order  not started" in done.stdout and "wrote" in done.stdout


def test_watch_runs_again_when_the_file_is_saved(copy):
    words = [sys.executable, "-m", "lessons", "3", "--watch", "--fast"]
    with subprocess.Popen(words, cwd=copy, stdout=subprocess.PIPE, text=True) as watching:
        try:
            first = list(iter(watching.stdout.readline, "waiting for you to save; Ctrl-C ends\n"))
            script = copy / "lessons" / lessons()[3].name
            source = script.read_text(encoding="utf-8")
            script.write_text(re.sub(r"raise Todo\(.*\)", "return g", source, count=1), "utf-8")
            again = list(iter(watching.stdout.readline, "waiting for you to save; Ctrl-C ends\n"))
        finally:
            watching.kill()
    assert any(line.startswith("o 3.1 unbroadcast  not started") for line in first)
    assert any(line.startswith("x 3.1 unbroadcast  wrong: shape (3, 4)") for line in again)


def test_without_the_project_one_sentence_says_what_to_do(tmp_path):
    folder = tmp_path / "lessons"
    folder.mkdir()
    shutil.copy(FOLDER / "lessons.py", folder)
    (folder / "__init__.py").write_text("import a_module_that_is_not_there\n")
    (folder / "01_a.py").write_text("from lessons import Lesson\n")
    done = python(folder / "01_a.py", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr == (
        f"The lessons need a_module_that_is_not_there: run  pip install -e .  in {tmp_path}\n"
    )


@pytest.mark.parametrize("number", [1, 3])
def test_a_lesson_is_a_notebook(copy, tmp_path, number):
    for module in ("jupytext", "nbclient", "ipykernel"):
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed")
    notebook = copy / "lessons" / f"{number}.ipynb"
    script = (
        "import sys, jupytext, nbclient\n"
        "lesson, folder, notebook = sys.argv[1:]\n"
        "cells = jupytext.read(lesson)\n"
        "where = {'metadata': {'path': folder}}\n"
        "nbclient.NotebookClient(cells, resources=where, kernel_name='python3').execute()\n"
        "jupytext.write(cells, notebook)\n"
    )
    paths = FOLDER / lessons()[number].name, copy / "lessons", notebook
    done = python("-c", script, *paths, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    kinds = [cell["cell_type"] for cell in cells]
    assert kinds.count("markdown") >= 3 and kinds.count("code") >= 5
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    assert any("image/png" in output.get("data", {}) for output in outputs)
    assert any("not started" in "".join(output.get("text", [])) for output in outputs)
    assert not any(output["output_type"] == "error" for output in outputs)
