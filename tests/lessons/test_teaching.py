"""What docs/teaching.md promises: fresh seeds, verdicts as JSON, grading, nbgrader."""

import ast
import importlib
import inspect
import json
import re
import sys
import types

from lessons import Check, _grade, _lesson, _nbgrader
from lessons import __main__ as runner
from lessons._header import FOLDER, lessons, scripts
from lessons._percent import cells_of
from lessons._run import run
from lessons._seeds import fresh

import numpy as np
import pytest

NUMBERS = sorted(lessons())
every_lesson = pytest.mark.parametrize("number", NUMBERS, ids=[f"lesson_{n:02d}" for n in NUMBERS])
every_script = pytest.mark.parametrize("number", sorted(scripts()))


def exercises(number):
    """(check, solution) of each exercise of a lesson."""
    checks = importlib.import_module(f"lessons.checks.{number:02d}")
    solutions = importlib.import_module(f"lessons.solutions.{number:02d}")
    pairs = [(getattr(checks, name, None), f) for name, f in vars(solutions).items()]
    return [(check, f) for check, f in pairs if isinstance(check, Check)]


# ---------------------------------------------------------------------- seeds
@every_lesson
def test_solutions_are_right_on_fresh_numbers(number):
    assert exercises(number)
    for check, solution in exercises(number):
        with fresh(20261128):
            verdict = check.verdict(solution)
        assert verdict.status == "right", f"{solution.__name__}: {verdict.text}"


@every_lesson
def test_answers_that_know_the_usual_cases_by_heart_fail_on_fresh_ones(number):
    """Every call of the usual run is answered from memory, any other as if it were the first."""
    for check, solution in exercises(number):
        known = []

        def remembering(*arguments, solution=solution, known=known):
            known.append((repr(arguments), solution(*arguments)))
            return known[-1][1]

        def by_heart(*arguments, known=known):
            return dict(known).get(repr(arguments), known[0][1])

        if not isinstance(check.cases()[0], tuple) or check.changes:
            continue  # an answer that changes its arguments is no table
        assert check.verdict(remembering).status == "right"
        with fresh(20261128), np.printoptions(threshold=sys.maxsize):
            seen = [repr(case) for case in check.cases()]
        usual = [repr(case) for case in check.cases()]
        inside = _observed(check, solution)
        assert seen != usual or inside, f"{solution.__name__}: the same cases for every seed"
        if seen != usual and " at 0x" not in str(usual):  # an address tells no cases apart
            with fresh(20261128):
                assert check.verdict(by_heart).status == "wrong", solution.__name__


def _observed(check, solution):
    """Whether `observe` draws numbers of its own, so that the same cases give other values."""
    values = []
    for seed in (1, 2):
        with fresh(seed):
            values.append(repr([check._run(solution, case).value for case in check.cases()]))
    return values[0] != values[1]


def test_fresh_numbers_end_with_the_block():
    usual = np.random.default_rng(1).random()
    with pytest.raises(ZeroDivisionError), fresh(3):
        assert np.random.default_rng(1).random() != usual
        assert np.random.default_rng() is not None
        generator = np.random.default_rng(5)
        assert np.random.default_rng(generator) is generator
        raise ZeroDivisionError
    with fresh(None):
        assert np.random.default_rng(1).random() == usual
    assert np.random.default_rng(1).random() == usual


# ---------------------------------------------------------------------- results and grading
def answered(number, body):
    """The script of a lesson with `body` in the place of its first exercise's."""
    source = lessons()[number].read_text(encoding="utf-8")
    return re.sub(r"raise Todo\(.*?\)\n", lambda _: f"{body}\n", source, count=1, flags=re.DOTALL)


SLOPE = "return (f(x + h) - f(x - h)) / (2 * h)"


def test_verdicts_are_added_to_a_file(tmp_path, monkeypatch):
    monkeypatch.setattr(_lesson, "OUT", tmp_path)
    path = tmp_path / "mine.json"
    run(2, "--fast", "--all", "--json", str(path), quiet=True)
    run(
        1,
        "--fast",
        "--json",
        str(path),
        "--seed",
        "5",
        quiet=True,
        change=lambda s: answered(1, SLOPE),
    )
    found = json.loads(path.read_text(encoding="utf-8"))
    assert list(found) == ["2", "1"]
    assert (found["1"]["right"], found["1"]["of"], found["1"]["seed"]) == (1, 2, 5)
    assert [e["status"] for e in found["1"]["exercises"].values()] == ["right", "todo"]
    assert found["2"]["right"] == 0 and found["2"]["seed"] is None
    path.write_text("[]", encoding="utf-8")
    outcome = run(1, "--fast", "--all", "--json", str(path), quiet=True)
    assert outcome.status == 1
    assert path.read_text(encoding="utf-8") == "[]"


def test_the_command_that_shows_a_case_names_the_seed(tmp_path, monkeypatch):
    monkeypatch.setattr(_lesson, "OUT", tmp_path)

    def change(source):
        return answered(1, "return 1.0")

    wrong = run(1, "--fast", "--all", "--seed", "7", quiet=True, change=change)
    command = re.search(r"--case (1\.1:\d+) --seed 7\n", wrong.text)
    assert command
    shown = [
        run(1, "--case", command[1], *seed, quiet=True, change=change).text
        for seed in (("--seed", "7"), ("--seed", "8"))
    ]
    assert "yours:    1" in shown[0] and shown[0] != shown[1]


def test_grading_runs_each_answer_on_its_own_and_on_fresh_numbers(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = lessons()[1].name
    scripts = {
        "alice": answered(1, SLOPE),
        "bob": "raise SystemExit('no')",
    }
    for author, text in scripts.items():
        (tmp_path / "in" / author).mkdir(parents=True)
        (tmp_path / "in" / author / name).write_text(text, encoding="utf-8")
    (tmp_path / "in" / "alice" / "lessons.py").write_text("raise ValueError", encoding="utf-8")
    assert _grade.main(["in"]) == 0
    printed = capsys.readouterr().out
    found = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    alice, bob = found["results"]
    assert (alice["author"], alice["right"], alice["of"]) == ("alice", 1, 2)
    assert alice["seed"] == found["seed"]
    assert bob["stopped"] == "no"
    script = tmp_path / "in" / "alice" / name
    assert _grade.grade(script, 1, 5, seconds=0.1) == {"stopped": "it ran for more than 0.1 s"}
    assert re.search(rf"alice +{name} +1/2\n", printed) and f"seed {found['seed']}" in printed
    with pytest.raises(SystemExit):
        _grade.main([str(tmp_path / "in" / "alice" / "nothing")])


# ---------------------------------------------------------------------- nbgrader
@every_lesson
def test_the_assignment_has_two_cells_for_each_exercise(number):
    pytest.importorskip("nbformat", reason="nbformat is not installed: pip install -e '.[docs]'")
    cells = _nbgrader.assignment(number, seed=3).cells
    marks = [cell.metadata["nbgrader"] for cell in cells]
    assert len({mark["grade_id"] for mark in marks}) == len(marks)
    solved = [c for c in cells if c.metadata["nbgrader"]["solution"]]
    tests = [c for c in cells if c.metadata["nbgrader"]["grade"]]
    assert len(solved) == len(tests) == len(exercises(number))
    for cell, (_, solution) in zip(solved, exercises(number), strict=True):
        (function,) = ast.parse(cell.source).body
        names = [node.arg for node in ast.walk(function.args) if isinstance(node, ast.arg)]
        assert sorted(names) == sorted(inspect.signature(solution).parameters)
        assert cell.source.count("### BEGIN SOLUTION") == cell.source.count("### END SOLUTION") == 1
        outside = re.sub(
            r"### BEGIN SOLUTION.*### END SOLUTION", "pass", cell.source, flags=re.DOTALL
        )
        assert not any(isinstance(node, ast.Return) for node in ast.walk(ast.parse(outside)))
    for cell, mark in zip(cells, marks, strict=True):
        assert mark["locked"] != mark["solution"]
        assert ("points" in mark) == mark["grade"]
        assert mark.get("points", 1) == 1
        assert "raise Todo" not in cell.source


def test_the_assignment_runs_and_its_tests_can_fail(tmp_path, monkeypatch):
    pytest.importorskip("nbformat", reason="nbformat is not installed: pip install -e '.[docs]'")
    monkeypatch.setattr(_lesson, "OUT", tmp_path)
    monkeypatch.setitem(sys.modules, "ipykernel", types.ModuleType("ipykernel"))  # as in a notebook
    cells = [c.source for c in _nbgrader.assignment(2, seed=3).cells if c.cell_type == "code"]
    names = {"__name__": "__main__"}
    for cell in cells:
        exec(cell, names)
    assert names["lesson"].fast
    stubs = [
        re.sub(r"### BEGIN SOL.*### END SOLUTION", 'raise Todo("")', c, flags=re.DOTALL)
        for c in cells
    ]
    names, failed = {"__name__": "__main__"}, 0
    for cell in stubs:
        try:
            exec(cell, names)
        except AssertionError as error:
            failed += 1
            assert str(error).startswith("not started")
    assert failed == len(exercises(2))


def test_an_assignment_is_written_for_each_lesson_and_a_configuration_once(tmp_path, capsys):
    pytest.importorskip("nbformat", reason="nbformat is not installed: pip install -e '.[docs]'")
    folder = tmp_path / "course"
    assert _nbgrader.main([str(folder), "1", "2", "--seed", "3"]) == 0
    stems = [lessons()[n].stem for n in (1, 2)]
    paths = [folder / "source" / stem / f"{stem}.ipynb" for stem in stems]
    assert capsys.readouterr().out == (
        f"{paths[0]}\n{paths[1]}\n\n"
        f"seed 3; next:  cd {folder} && nbgrader generate_assignment NAME\n"
    )
    assert sorted(p for p in folder.rglob("*") if p.is_file()) == [
        folder / "nbgrader_config.py", *paths,
    ]  # fmt: skip
    cells = json.loads(paths[0].read_text(encoding="utf-8"))["cells"]
    assert len(cells) == len(_nbgrader.assignment(1, 3).cells)
    (folder / "nbgrader_config.py").write_text("mine")
    assert _nbgrader.main([str(folder), "1"]) == 0
    assert (folder / "nbgrader_config.py").read_text() == "mine"
    with pytest.raises(SystemExit):
        _nbgrader.main([str(folder), "99"])
    assert "there is no lesson 99" in capsys.readouterr().err


def test_nbgrader_itself_accepts_the_assignment(tmp_path, capsys):
    reason = "nbgrader is not installed: pip install nbgrader"
    validator = pytest.importorskip("nbgrader.nbgraderformat.v3", reason=reason)
    preprocessors = pytest.importorskip("nbgrader.preprocessors", reason=reason)
    import nbformat

    assert _nbgrader.main([str(tmp_path), "2", "--seed", "3"]) == 0
    stem = lessons()[2].stem
    path = tmp_path / "source" / stem / f"{stem}.ipynb"
    assert str(path) in capsys.readouterr().out
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    validator.MetadataValidatorV3().validate_nb(notebook)
    for preprocessor in (preprocessors.ClearSolutions(), preprocessors.ClearHiddenTests()):
        notebook, _ = preprocessor.preprocess(notebook, {})
    text = "\n".join(cell.source for cell in notebook.cells)
    assert "SOLUTION" not in text and "HIDDEN" not in text and "seed" not in text
    assert text.count("raise NotImplementedError()") == len(exercises(2))


# ---------------------------------------------------------------------- notebooks
@every_script
def test_no_cell_of_a_notebook_prints_what_it_is(number):
    """Jupyter prints the value of a cell's last expression, if it is more than None."""
    path = scripts()[number]
    for cell in cells_of(path.read_text(encoding="utf-8")):
        last = (ast.parse(cell.text).body or [None])[-1] if cell.kind == "code" else None
        assert not isinstance(last, ast.Expr) or isinstance(last.value, ast.Call), cell.text
    jupytext = pytest.importorskip("jupytext", reason="jupytext is not installed")
    theirs = [c.source for c in jupytext.read(path).cells]
    ours = [c.text.strip() for c in cells_of(path.read_text(encoding="utf-8"))]
    assert [s.strip() for s in theirs] == ours


@every_script
def test_markdown_reads_no_power_as_bold(number):
    markdown = pytest.importorskip("markdown_it", reason="markdown-it-py is not installed")
    words = (FOLDER / "GLOSSARY.md").read_text(encoding="utf-8")
    for cell in cells_of(scripts()[number].read_text(encoding="utf-8")):
        if cell.kind == "markdown":
            html = markdown.MarkdownIt().render(cell.text)
            for bold in re.findall(r"<(?:strong|em)>(.*?)</", html, re.DOTALL):
                assert f"**{' '.join(bold.split())}**" in words, cell.text


def test_the_runner_hands_words_over(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["python -m lessons", "grade", "--help"])
    with pytest.raises(SystemExit) as end:
        runner.main()
    assert end.value.code == 0 and "python -m lessons grade" in capsys.readouterr().out
    monkeypatch.setitem(runner.COMMANDS, "book", ("lessons.no_such_module", "docs"))
    monkeypatch.setattr(sys, "argv", ["python -m lessons", "book"])
    with pytest.raises(SystemExit, match=r"This needs .*: run  pip install -e '\.\[docs\]'  in /"):
        runner.main()
