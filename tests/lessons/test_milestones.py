"""Milestones: each runs on the learner's engine, reports the recorded numbers, and stands in the
timeline after the lessons that it needs; the doctor says what is missing."""

import ast
import json
import re
import sys

from lessons import __main__ as runner
from lessons import _doctor, _lesson, _numbers
from lessons._earlier import earlier
from lessons._header import FOLDER, lessons, milestones, read_header, way
from lessons._run import run

import numpy as np
import pytest

every_milestone = pytest.mark.parametrize("year", sorted(milestones()))


@pytest.fixture
def out(tmp_path, monkeypatch):
    monkeypatch.setattr(_lesson, "OUT", tmp_path)
    return tmp_path


def test_there_is_one_for_each_of_four_papers():
    assert sorted(milestones()) == [1986, 1989, 2006, 2014]


@every_milestone
def test_it_runs_on_the_engine_and_its_numbers_are_the_recorded_ones(out, year):
    outcome = run(year, "--fast", quiet=True)
    assert not outcome.error, outcome.error
    assert not outcome.lesson.stale, outcome.lesson.stale
    record = _numbers.read_expected(year)
    assert record["fast"]["numbers"].keys() == outcome.lesson.numbers.keys()
    for mode in ("fast", "default"):
        assert 0.05 <= record[mode]["seconds"] <= 2 * outcome.lesson.header.budget[mode]
    assert "from lesson 5: " in outcome.text and "the library's rule, gradients" in outcome.text
    source = milestones()[year].read_text(encoding="utf-8")
    imported = [n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Import)]
    assert "minigrad" not in {a.name for n in imported for a in n.names}  # the engine is yours
    for path, figure in outcome.lesson.figures:
        assert path.stat().st_size <= 100_000 and figure.get_suptitle()
        assert tuple(figure.get_size_inches()) <= (6, 4)
    assert json.loads((out / "progress.json").read_text()) == {str(year): []}


@every_milestone
def test_its_header_names_what_it_needs_and_the_paper(year):
    header = read_header(milestones()[year])
    assert str(year) in header.fields["Read"]
    needs = [int(n) for n in re.findall(r"\d+", header.fields["Needs"])]
    assert set(needs) <= set(lessons()) and 5 in needs
    order = [number for number, _ in way()]
    assert order.index(year) == order.index(max(needs)) + 1


def test_the_numbers_tell_what_the_papers_told():
    def value(year, name):
        return _numbers.read_expected(year)["default"]["numbers"][name]["value"]

    codes = value(1986, "different codes, rounded to 0 and 1, of 8, each start")
    assert np.mean(np.array(codes) >= 7) == 1
    ends = np.array(value(1989, "loss from each start"))
    assert np.ptp(ends) < 0.05 * ends.mean()
    assert value(2006, "loss on new digits, network / PCA") < 0.8
    bounds = [value(2014, f"bound on new digits, code of {k}") for k in (2, 5, 12, 30)]
    assert bounds[0] < min(bounds[1:]) and np.ptp(bounds[1:]) < 0.5


# ---------------------------------------------------------------------- earlier lessons
def test_an_earlier_answer_is_used_where_it_is_right(tmp_path, monkeypatch):
    from lessons import _earlier

    source = lessons()[2].read_text(encoding="utf-8")
    path = tmp_path / lessons()[2].name
    monkeypatch.setattr(_earlier, "lessons", lambda: lessons() | {2: path})
    path.write_text(re.sub(r"raise Todo\(.*\)", "return g * b, g * a", source, count=1))
    (mine, order), sentence = earlier(2, "product_rule", "visiting_order")
    assert mine.__code__.co_filename == str(path)
    assert order.__code__.co_filename != str(path)
    assert sentence.startswith("  from lesson 2: your product_rule; the library's visiting_order, ")
    path.write_text(re.sub(r"raise Todo\(.*\)", "return g * a, g * b", source, count=1))
    rule, sentence = earlier(2, "product_rule")
    assert rule(1.0, 2.0, 3.0) == (3.0, 2.0) and "the library's product_rule" in sentence
    path.write_text("def broken(:\n")
    with pytest.raises(SystemExit, match=r"02_one_visit_per_node\.py, which Python cannot read"):
        earlier(2)


# ---------------------------------------------------------------------- timeline and doctor
def test_the_list_is_a_line_of_time(out, monkeypatch, capsys):
    done = {str(n): ["right"] * 2 for n in (1, 2, 3, 4, 5, 6)} | {"7": ["right", "wrong"]}
    (out / "progress.json").write_text(json.dumps(done))
    monkeypatch.setattr(sys, "argv", ["python -m lessons"])
    assert runner.main() == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("#    1  ++  ")
    assert lines[6].startswith("> 1986  yours now  A code that nobody designed")
    assert lines[7].startswith("|    7  +x  ") and lines[7].endswith("<- here")
    assert "13 exercises solved. Run the next lesson with  python -m lessons 7" in lines


def test_the_doctor_says_what_is_missing_and_how_to_mend_it(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["python -m lessons", "doctor"])
    assert runner.main() == 0
    printed = capsys.readouterr().out
    assert printed.startswith("+ Python 3.") and "\n+ numpy 2" in printed
    assert printed.endswith("Begin with  python -m lessons 1\n")

    versions = {"numpy": "1.26.4"}
    real = _doctor.importlib.metadata.version

    def version(name):
        if name == "scipy":
            raise _doctor.importlib.metadata.PackageNotFoundError(name)
        return versions.get(name) or real(name)

    monkeypatch.setattr(_doctor.importlib.metadata, "version", version)
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    assert _doctor.main() == 1
    printed = capsys.readouterr().out
    assert "x numpy 1.26.4: 2.0 or newer is needed, pip install -U numpy\n" in printed
    assert f"x scipy is missing: run  pip install -e .  in {FOLDER.parent}\n" in printed
    assert "o no display: --show cannot open windows" in printed
    assert printed.endswith("2 to mend: the lines with an x say what to do.\n")
