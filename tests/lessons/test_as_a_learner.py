"""Lessons as a learner runs them: scripts from any folder, exit status, watching, notebooks."""

import functools
import importlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys

from lessons import _lesson
from lessons._header import FOLDER, lessons
from lessons._run import run

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
    done = python(script, "--fast", "--all", cwd=tmp_path)
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
    done = python(script, "--fast", "--all", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (1, "")
    assert "x 2.1 product_rule  wrong in value 1 of 2: yours" in done.stdout
    assert "The factors are exchanged" in done.stdout
    assert "o 2.2 visiting_order  not started" in done.stdout and "wrote" in done.stdout


def test_watch_runs_again_when_the_file_is_saved(copy):
    words = [sys.executable, "-m", "lessons", "3", "--watch", "--fast", "--all"]
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


def test_watch_notices_a_save_while_the_lesson_runs(copy):
    words = [sys.executable, "-m", "lessons", "2", "--watch", "--fast", "--all"]
    script = copy / "lessons" / lessons()[2].name
    source = script.read_text(encoding="utf-8")
    asleep = "print('sleeping')\nimport time\ntime.sleep(60)\n"
    script.write_text(source.replace("lesson = Lesson(", f"{asleep}lesson = Lesson(", 1))
    with subprocess.Popen(words, cwd=copy, stdout=subprocess.PIPE, text=True) as watching:
        try:
            assert next(iter(watching.stdout.readline, "")) == "sleeping\n"
            script.write_text(source, "utf-8")
            again = list(iter(watching.stdout.readline, "waiting for you to save; Ctrl-C ends\n"))
        finally:
            watching.kill()
    assert "saved meanwhile: once more from the beginning\n" in again
    assert any("exercises, " in line for line in again)


@pytest.mark.parametrize("module", [False, True])
def test_ctrl_c_ends_in_a_sentence(copy, module):
    script = copy / "lessons" / lessons()[4].name
    source = script.read_text(encoding="utf-8")
    script.write_text(
        source.replace("lesson = Lesson(4)", "import time\nlesson = Lesson(4)\ntime.sleep(60)")
    )
    words = [sys.executable, *(["-m", "lessons", "4"] if module else [script])]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    # as in a terminal, also where the tests run in the background and so ignore Ctrl-C
    heeds = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    try:
        with subprocess.Popen(words, cwd=copy, preexec_fn=heeds, **pipes) as running:
            assert running.stdout.readline().startswith("04  ")
            running.send_signal(signal.SIGINT)
            _, said = running.communicate(timeout=20)
    finally:
        script.write_text(source)
    assert said.startswith("\nStopped. Nothing is lost") and "Traceback" not in said
    assert running.returncode == 130


@pytest.mark.parametrize(
    "words", ["{lessons}/{script} --fast --all", "-m lessons 1 3 --fast --all", "-m lessons"]
)
def test_a_reader_that_has_seen_enough_ends_it_quietly(copy, words):
    words = words.format(lessons=copy / "lessons", script=lessons()[1].name)
    line = f"{sys.executable} {words} | head -1"
    done = subprocess.run(["bash", "-c", line], cwd=copy, capture_output=True, text=True)
    assert done.stderr == ""
    assert done.stdout.count("\n") == 1


def test_where_nothing_can_be_written_it_goes_elsewhere_and_says_so(copy, tmp_path, monkeypatch):
    out = copy / "lessons" / "out"
    if out.exists():
        out.rename(copy / "lessons" / "out_aside")
    out.write_text("a file is no folder")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    try:
        done = python(copy / "lessons" / lessons()[1].name, "--fast", "--all", cwd=tmp_path)
        listed = python("-m", "lessons", cwd=copy)
    finally:
        out.unlink()
    assert (done.returncode, done.stderr) == (0, "")
    elsewhere = tmp_path / "minigrad-lessons"
    assert f"{out} cannot be written: figures and progress go to {elsewhere}\n" in done.stdout
    assert (elsewhere / "01_the_v.png").exists()
    assert "|    1  oo " in listed.stdout


@pytest.mark.parametrize("words", ["{lessons}/{script}", "-m lessons"])
def test_without_numpy_one_sentence_says_what_to_do(copy, words):
    words = words.format(lessons=copy / "lessons", script=lessons()[1].name)
    done = python("-S", *words.split(), cwd=copy)
    assert done.returncode == 1
    assert done.stderr.startswith("The lessons need numpy: run  pip install -e .  in ")
    assert "Traceback" not in done.stderr


def test_a_full_run_that_was_interrupted_goes_on_where_it_was(tmp_path, monkeypatch):
    monkeypatch.setattr(_lesson, "OUT", tmp_path)

    def small(source):
        source = source.replace("(16, 32, 64, 128), 600, 50, 0.001", "(2, 2), 6, 50, 0.001")
        source = source.replace("small = make_faces(size=16)", "small = make_faces(4, 3, size=16)")
        return source.replace('load("olivetti")', "make_faces(20, 4, size=32)")

    def interrupted(source):
        lines = "losses.append(epoch(forward, images, optimizer, batch_size, rng))"
        return small(source).replace(
            lines, f"{lines}\n        if done == 4: raise KeyboardInterrupt"
        )

    whole = run(17, "--full", "--all", quiet=True, change=small)
    assert not whole.error, whole.error
    with pytest.raises(KeyboardInterrupt):
        run(17, "--full", "--all", quiet=True, change=interrupted)
    assert (tmp_path / "17_training.npz").exists()
    rest = run(17, "--full", "--all", quiet=True, change=small)
    assert "going on after epoch 3, from 17_training.npz" in rest.text
    assert rest.lesson.numbers == whole.lesson.numbers
    assert not (tmp_path / "17_training.npz").exists()


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
    assert not {output["output_type"] for output in outputs} & {"error", "execute_result"}
