"""Every lesson three ways: untouched it says so and works, its solutions are right, and every known
mistake is rejected with its own sentence."""

import ast
import importlib
import re

from lessons import _lesson, _numbers
from lessons._header import FOLDER, lessons, read_header
from lessons._paste import pasted
from lessons._run import run

import numpy as np
import pytest

NUMBERS = sorted(lessons())
every_lesson = pytest.mark.parametrize("number", NUMBERS, ids=[f"lesson_{n:02d}" for n in NUMBERS])


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """A function (number, *flags) -> Run, that runs each once, fast, into a folder of our own."""
    patch, runs = pytest.MonkeyPatch(), {}
    patch.setattr(_lesson, "OUT", tmp_path_factory.mktemp("out"))

    def once(number, *flags):
        if (number, *flags) not in runs:
            runs[number, *flags] = run(number, "--fast", "--all", *flags, quiet=True)
        assert not runs[number, *flags].error, runs[number, *flags].error
        return runs[number, *flags]

    yield once
    patch.undo()


@every_lesson
def test_untouched_it_says_so_and_shows_its_figures(ran, number):
    outcome = ran(number)
    assert outcome.status == 0
    verdicts = outcome.lesson.verdicts
    assert 1 <= len(verdicts) <= 3
    for title, verdict in verdicts.items():
        assert verdict.status == "todo"
        assert f"o {title}  not started\n" in outcome.text
        assert title.startswith(f"{number}.") or title.startswith(f"{number:02d}.")


@every_lesson
def test_the_solutions_are_right_when_pasted_as_give_up_prints_them(ran, number):
    solutions = importlib.import_module(f"lessons.solutions.{number:02d}")

    def paste(source):
        lines = source.splitlines()
        functions = [f for f in ast.parse(source).body if isinstance(f, ast.FunctionDef)]
        for f in reversed(functions):
            if hasattr(solutions, f.name) and "lesson.exercise" in ast.unparse(f.decorator_list[0]):
                text = pasted(solutions, f.name, lessons()[number])
                imports, _, body = text.rpartition(f"def {f.name}(")
                lines[f.lineno - 1 : f.end_lineno] = [f"def {f.name}({body}"]
                lines[f.lineno - 2 : f.lineno - 2] = imports.splitlines()
        return "\n".join(lines)

    outcome = run(number, "--fast", quiet=True, change=paste)
    assert not outcome.error, outcome.error
    assert outcome.status == 0
    for title, verdict in outcome.lesson.verdicts.items():
        assert verdict.status == "right", verdict.text
        assert f"+ {title}  right: largest difference " in outcome.text
    assert f"{number:02d}.py" in outcome.text  # where to compare


@every_lesson
def test_every_known_mistake_is_rejected_with_its_own_sentence(ran, number):
    for title, check in ran(number).lesson.checks.items():
        assert 3 <= len(check.mistakes) <= 9, title
        for mistake in check.mistakes:
            verdict = check.verdict(mistake)
            assert verdict.status == "wrong", f"{title} accepts {mistake.__name__}"
            assert verdict.text.endswith(" ".join(mistake.__doc__.split())), (
                f"{title}: {mistake.__name__} is taken for something else: {verdict.text}"
            )


@every_lesson
def test_nonsense_is_one_sentence_and_never_a_traceback(ran, number):
    def raises(*args):
        return {}["no such key"]

    nonsense = [
        raises,
        lambda: None,  # takes no arguments
        lambda *args: None,
        lambda *args: "a string",
        lambda *args: object(),
        lambda *args: [1, [2, 3]],
        lambda *args: (),
        lambda *args: np.full((3, 1, 2), np.nan),
        lambda *args: 1e300,
    ]
    for title, check in ran(number).lesson.checks.items():
        for answer in nonsense:
            verdict = check.verdict(answer)
            assert verdict.status == "wrong", title
            assert "\n" not in verdict.text and "Traceback" not in verdict.text


@every_lesson
def test_wrong_answers_do_not_stop_the_lesson(ran, number):
    def break_it(source):
        return re.sub(r"raise Todo\(.*?\)\n", "return None\n", source, flags=re.DOTALL)

    outcome = run(number, "--fast", "--all", quiet=True, change=break_it)
    assert not outcome.error, outcome.error
    assert outcome.status == 1
    assert "x " in outcome.text and "Traceback" not in outcome.text
    assert all(v.status == "wrong" for v in outcome.lesson.verdicts.values())
    assert outcome.lesson.numbers.keys() == ran(number).lesson.numbers.keys()


@every_lesson
def test_the_numbers_are_the_recorded_ones(ran, number):
    lesson = ran(number).lesson
    assert not lesson.stale, lesson.stale
    record = _numbers.read_expected(number)
    assert record["fast"]["numbers"].keys() == lesson.numbers.keys()
    assert record["default"]["numbers"].keys() == lesson.numbers.keys()
    for mode in ("fast", "default"):
        assert 0.05 <= record[mode]["seconds"] <= 2 * lesson.header.budget[mode]


@every_lesson
def test_what_the_learner_guesses_is_reported_later(ran, number):
    lesson = ran(number).lesson
    assert set(lesson.asked) <= set(lesson.numbers)


def test_the_course_asks_for_guesses(ran):
    assert sum(len(ran(n).lesson.asked) for n in NUMBERS) >= 20


@every_lesson
def test_the_figures_are_small_and_have_their_arrays_beside_them(ran, number):
    figures = ran(number).lesson.figures
    assert figures, "a lesson draws one figure at least"
    for path, figure in figures:
        assert path.stat().st_size <= 100_000
        assert tuple(figure.get_size_inches()) <= (6, 4) and figure.get_size_inches()[1] <= 4
        assert figure.get_suptitle()
        with np.load(path.with_suffix(".npz")) as arrays:
            assert arrays.files and all(arrays[name].size for name in arrays.files)


@every_lesson
def test_the_library_has_what_each_exercise_is_compared_with(ran, number):
    for title, check in ran(number).lesson.checks.items():
        path, _, name = check.source.partition("::")
        scope = ast.parse((FOLDER.parent / path).read_text(encoding="utf-8"))
        for word in name.split("."):  # a class, then a method of it
            inside = {getattr(node, "name", None): node for node in scope.body}
            assert word in inside, f"{title}: {check.source}"
            scope = inside[word]


@every_lesson
def test_the_header_and_the_prose(ran, number):
    path = lessons()[number]
    header, source = read_header(path), path.read_text(encoding="utf-8")
    names = {title.split()[1] for title in ran(number).lesson.verdicts}
    assert set(re.findall(r"(\w+)\(", header.fields["You write"])) == names
    for used in re.findall(r"[\w/]+\.py", header.fields["Uses"]):
        assert (FOLDER.parent / used).exists(), used
    assert all(0 < int(n) < number for n in re.findall(r"\d+", header.fields["Needs"]))
    assert header.budget["fast"] <= 5
    assert header.budget["default"] <= (15 if number <= 16 else 60)
    assert 60 <= len(source.splitlines()) <= 220
    for cell in source.split("# %% [markdown]\n")[1:]:
        prose = cell.partition("\n# %%")[0].strip().splitlines()
        assert len(prose) <= 12, prose[0]
        assert all(line.startswith("#") for line in prose), prose
    tree = ast.parse(source)
    imported = [n for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and n.module]
    assert {n.module for n in imported if n.module.startswith("lessons")} <= {
        "lessons",
        "lessons._device",  # the make-believe GPU
        "lessons._figures",
    }


@every_lesson
def test_the_library_has_what_the_lesson_says_it_has(ran, number):
    for check in ran(number).lesson.checks.values():
        path, _, name = check.source.partition("::")
        assert re.search(
            rf"^\s*(def|class) {re.escape(name.split('.')[-1])}\b",
            (FOLDER.parent / path).read_text(encoding="utf-8"),
            re.MULTILINE,
        ), check.source


def test_known_mistakes_are_many(ran):
    mistakes = [m for n in NUMBERS for c in ran(n).lesson.checks.values() for m in c.mistakes]
    sentences = [" ".join(m.__doc__.split()) for m in mistakes]
    assert len(mistakes) >= 3 * len(NUMBERS)
    assert all(s.endswith((".", "?")) and len(s) < 200 for s in sentences)


def test_the_words_of_the_glossary_are_bold_where_it_says_and_nowhere_else():
    text = (FOLDER / "GLOSSARY.md").read_text(encoding="utf-8")
    words = re.findall(r"^\| \*\*(.+?)\*\* \|.*\| (\d+) \|$", text, re.MULTILINE)
    bold = []
    for number, path in lessons().items():
        prose = " ".join(path.read_text(encoding="utf-8").replace("\n# ", " ").split())
        found = re.findall(r"(?<=[ (])\*\*([A-Za-z][A-Za-z -]+)\*\*(?=[ ,.:()])", prose)
        bold += [(word, str(number)) for word in found]
    needed = {"chain rule", "topological order", "backpropagation", "forward mode", "reverse mode"}
    needed |= {"vector-Jacobian product", "Jacobian", "computational graph"}
    assert needed | {"latent space", "bottleneck"} <= {word for word, _ in words}
    assert sorted(bold) == sorted(words)
