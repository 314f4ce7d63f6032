"""The machinery of the lessons: what it says of answers and numbers, and that it can fail them."""

import doctest
import importlib
import re
import signal
import sys
from concurrent.futures import ThreadPoolExecutor

from lessons import Check, Judge, Todo, _lesson, _percent, _progress, _watch, directional, use
from lessons import __main__ as runner
from lessons._header import FOLDER, lessons, read_header
from lessons._numbers import within
from lessons._run import Run, problem, run, table

import numpy as np
import pytest

import minigrad as mg


# ---------------------------------------------------------------------- verdicts
def forgets(x):
    """You forgot the square."""
    return x


def negative(x):
    """The sign is wrong."""
    return -(x * x)


def check(**changes):
    settings = {
        "library": lambda x: x * x,
        "source": "minigrad/ops.py::multiply",
        "cases": lambda: [(np.array([1.0, 2.0]),), (np.array([[3.0], [4.0]]),)],
        "judges": [Judge("a square", lambda x: x**2)],
        "mistakes": [forgets, negative],
    }
    return Check(**(settings | changes))


def test_a_right_answer_says_how_near_and_to_what():
    verdict = check().verdict(lambda x: x * x + 1e-12)
    assert verdict.status == "right"
    assert verdict.text == "right: largest difference 1e-12 against a square"


def test_a_body_that_raises_todo_is_not_started():
    def f(x):
        raise Todo("multiply")

    assert check().verdict(f)[:2] == ("todo", "not started: multiply")


def test_what_is_written_of_an_answer_is_judged_though_it_is_not_finished():
    def half(x):
        if x.ndim == 1:
            return x * x
        raise Todo("and columns")

    def wrong_half(x):
        if x.ndim == 1:
            return x
        raise Todo("and columns")

    assert check().verdict(half)[:2] == ("todo", "begun, right in 1 of 2 cases: and columns")
    verdict = check().verdict(wrong_half)
    assert verdict.status == "wrong" and verdict.text.endswith("You forgot the square.")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda x: x * x + (x == 4), "wrong at (1, 0): yours 17, expected 16 (case 2 of 2, "),
        (lambda x: x.ravel() ** 2, "wrong: shape (2,), expected (2, 1) (case 2 of 2, "),
        (lambda x: None, "wrong: returned None, is a return missing? (case 1 of 2, "),
        (lambda x: "4", "wrong: returned a str, expected numbers of shape (2,) (case 1"),
        (lambda x: x.nothing, "wrong: AttributeError in line "),
        (lambda x: x * np.nan, "wrong at (0,): yours nan, expected 1"),
        (lambda x: x.__imul__(np.inf), "wrong at (0,): yours inf, expected 1"),
    ],
)
def test_a_wrong_answer_says_where_yours_and_the_expected_one(answer, words):
    verdict = check().verdict(answer)
    assert verdict.status == "wrong"
    assert verdict.text.startswith(words)


def test_a_known_mistake_is_named_even_where_it_is_made_in_some_cases_only():
    assert check().verdict(forgets).text.endswith("You forgot the square.")
    assert check().verdict(negative).text.endswith("The sign is wrong.")
    sometimes = check().verdict(lambda x: x if x.ndim == 2 else x * x)
    assert sometimes.text.endswith("You forgot the square.")
    assert check().verdict(lambda x: x + 1).text.endswith("against a square).")


def test_an_answer_that_changes_its_arguments_does_not_change_the_question():
    def in_place(x):
        x *= x
        return x

    assert check(changes=(0,)).verdict(in_place).status == "right"
    text = check().verdict(in_place).text
    assert text.startswith("wrong: the value is right, but the call changed its input x, ")


def test_a_mistake_in_the_value_is_named_whatever_else_is_wrong_with_the_call():
    def also_in_place(x):
        y = x.copy()
        x += 1
        return y

    assert check().verdict(also_in_place).text.endswith("You forgot the square.")


def test_what_breaks_elsewhere_is_explained_by_the_call_that_was_wrong():
    elsewhere = eval(compile("lambda f, x: f(x) + 1", "elsewhere", "eval"))
    watched = check(returns="array", observe=elsewhere, mistakes=[])
    text = watched.verdict(lambda x: list(x)).text
    assert text.startswith("wrong: returned a list of 2, expected an array of floats: np.array(...")
    text = watched.verdict(lambda x: None).text
    assert text.startswith("wrong: returned None, is a return missing?")


def test_answers_of_several_values_are_judged_one_by_one():
    both = lambda x: (x, 2 * x)  # noqa: E731
    two = check(library=both, judges=[Judge("both", both)], mistakes=[])
    assert two.verdict(lambda x: [mg.tensor(x), x + x]).status == "right"
    assert two.verdict(lambda x: x).text.startswith("wrong: returned an array of float64")
    assert two.verdict(lambda x: (2 * x, x)).text.endswith(" The two values are exchanged.")
    text = two.verdict(lambda x: (x, 4 * x)).text
    assert text.endswith(" In value 2: yours is 2 times the expected one.")
    assert two.verdict(lambda x: (x, x, x)).text.endswith("against both).")
    text = two.verdict(lambda x: (x, 3 * x)).text
    assert text.startswith("wrong in value 2 of 2 at (1,): yours 6, expected 4")


def test_the_directional_judge_needs_no_other_reference_and_can_fail():
    rng = np.random.default_rng(0)
    cases = [(rng.standard_normal(4), rng.standard_normal(4))]  # g, x

    def softmax(x):
        return np.exp(x) / np.exp(x).sum()

    def vjp(g, x):
        return softmax(x) * (g - (g * softmax(x)).sum())

    judged = check(library=vjp, cases=lambda: cases, judges=[directional(softmax)], mistakes=[])
    assert judged.verdict(vjp).status == "right"
    for wrong in (lambda g, x: 0 * x, lambda g, x: 2 * vjp(g, x), lambda g, x: -vjp(g, x)):
        assert judged.verdict(wrong).status == "wrong"  # all pass a check of the sum of outputs


def test_a_judge_whose_library_is_missing_is_left_out():
    absent = Judge("nobody", lambda x: 1 / 0, needs="a_module_that_is_not_there")
    verdict = check(judges=[Judge("a square", lambda x: x**2), absent]).verdict(lambda x: x * x)
    assert verdict.status == "right" and "nobody" not in verdict.text


# ---------------------------------------------------------------------- a call that does not end
def turns_for_ever(x):
    while True:
        pass


def shrugs_for_ever(x):
    while True:
        try:
            while True:
                pass
        except Exception:
            pass


@pytest.mark.parametrize("answer", [turns_for_ever, shrugs_for_ever])
def test_an_endless_loop_is_stopped_and_named_by_its_line(answer, monkeypatch):
    monkeypatch.setattr(_watch, "SECONDS", 0.1)
    verdict = check().verdict(answer)
    assert verdict.status == "wrong"
    assert re.match(r"wrong: still running after 10 s in line \d+, stopped: an endl", verdict.text)
    assert verdict.text.endswith(").")
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_an_answer_that_does_not_end_is_not_called_again(monkeypatch):
    monkeypatch.setattr(_watch, "SECONDS", 0.05)
    called = []

    def answer(x):
        called.append(x.ndim)
        turns_for_ever(x)

    assert check().verdict(answer).status == "wrong"
    assert called == [1]


def test_a_thread_says_that_it_cannot_stop_an_endless_loop(tmp_path, monkeypatch):
    monkeypatch.setattr(_lesson, "OUT", tmp_path)
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(check().verdict, lambda x: x * x).result().status == "right"
        text = pool.submit(run, 1, "--fast", quiet=True).result().text
    assert "is not stopped here: only the main thread of a program can be interrupted." in text


def test_what_is_remembered_between_calls_is_noticed():
    def counts(x, calls=[]):  # noqa: B006
        calls.append(x)
        return x * x if len(calls) <= 2 else x

    assert "another value at the second with the same input" in check().verdict(counts).text


# ---------------------------------------------------------------------- numbers, headers, table
@pytest.mark.parametrize(
    ("value", "expected", "tolerance", "good"),
    [
        (1 + 1e-11, 1.0, "exact", True),
        (1 + 1e-9, 1.0, "exact", False),
        (1 + 1e-7, 1.0, "close", True),
        (1 + 1e-5, 1.0, "close", False),
        (104, 100, "5%", True),
        (94, 100, "5%", False),
        (2.9e-5, 1e-5, "x3", True),
        (3.1e-5, 1e-5, "x3", False),
        (-2.0, -1.0, "x3", True),
        (2.0, -1.0, "x3", False),
        (0.01, 0.0, "+-0.02", True),
        (0.03, 0.0, "+-0.02", False),
        (7, 1, "any", True),
        ([1, 2], [1, 3], "exact", False),
        ([1, 2], [1, 2, 3], "exact", False),
        (float("nan"), float("nan"), "5%", False),
    ],
)
def test_tolerances(value, expected, tolerance, good):
    assert within(value, expected, tolerance) is good


def test_an_unknown_tolerance_is_an_error():
    with pytest.raises(ValueError, match="unknown tolerance 'roughly'"):
        within(1, 1, "roughly")


def test_a_case_is_shown_with_all_its_numbers(tmp_path, monkeypatch):
    monkeypatch.setattr(_lesson, "OUT", tmp_path)

    def answer(source):
        return re.sub(r"raise Todo\(.*?\)\n", "return g\n", source, count=1)

    wrong = run(3, "--fast", "--all", quiet=True, change=answer)
    assert "03_the_shape_of_the_gradient.py --case 3.1:1\n" in wrong.text
    shown = run(3, "--case", "3.1:1", quiet=True, change=answer)
    assert shown.status == 0 and "3.2" not in shown.text
    assert "input:    an array of float64 of shape (3, 4)\n[[" in shown.text
    assert "expected: an array of float64 of shape (3, 1)\n[[" in shown.text
    assert "yours:    an array of float64 of shape (3, 4)\n[[" in shown.text
    assert run(3, "--fast", "--case", "3.9", quiet=True).status == 1


def test_only_cases_that_there_are_can_be_shown():
    for number in (0, 3):
        with pytest.raises(SystemExit, match="there are cases 1 to 2"):
            check().show(lambda x: x, number)


def test_cells_know_their_first_lines():
    source = '\n'.join([
        '"""01  A title"""', 'import a', '', '# %% [markdown]', '# Text', '# %%', 'b = 1', '',
        '@lesson.exercise("1.1")', 'def f():', '    return 2', '', 'c = 3', '',
    ])  # fmt: skip
    cells = [(c.kind, c.line, c.exercise, c.text.strip()) for c in
             _percent.exercises_apart(_percent.cells_of(source))]  # fmt: skip
    assert cells == [
        ("code", 2, None, "import a"),
        ("markdown", 5, None, "Text"),
        ("code", 7, None, "b = 1"),
        ("code", 9, ("1.1", "f"), '@lesson.exercise("1.1")\ndef f():\n    return 2'),
        ("code", 12, None, "c = 3"),
    ]


def test_every_field_of_the_header_is_needed(tmp_path):
    source = lessons()[1].read_text(encoding="utf-8")
    path = tmp_path / "01_a.py"
    for line in (
        "01  A slope",
        "Idea:",
        "You write:",
        "You get:",
        "Needs:",
        "Read:",
        "Uses:",
        "Time: fast",
    ):
        path.write_text(source.replace(line, "", 1), encoding="utf-8")
        with pytest.raises(ValueError, match=r"01_a\.py"):
            read_header(path)
    path.write_text(source, encoding="utf-8")
    assert read_header(path).budget == {"fast": 1, "default": 1}


def test_the_table_in_the_readme_is_the_one_that_runs_and_headers_give():
    assert table() in (FOLDER / "README.md").read_text(encoding="utf-8"), (
        "lessons/README.md is stale: python -m lessons --table"
    )


def test_a_number_that_is_not_the_recorded_one_is_noticed(tmp_path, monkeypatch):
    monkeypatch.setattr(_lesson, "OUT", tmp_path)

    def change(source):
        return source.replace(
            '"pairs of shapes that agree", agree', '"pairs of shapes that agree", 39'
        )

    outcome = run(3, "--fast", "--all", quiet=True, change=change)
    assert outcome.lesson.stale == ["pairs of shapes that agree: 39, recorded 40 (exact)"]
    assert "not the recorded 40" in outcome.text
    assert problem(outcome, "fast").startswith("numbers: pairs")


def test_the_runner_fails_what_is_slow_empty_or_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr(_lesson, "OUT", tmp_path)
    outcome = run(1, "--fast", "--all", quiet=True)
    lesson = outcome.lesson
    lesson.seconds = 0.5
    assert problem(outcome, "fast", timed=True) == ""
    lesson.seconds = 2 * lesson.header.budget["fast"] + 0.1
    assert problem(outcome, "fast", timed=True).startswith("too slow")
    assert problem(outcome, "fast") == ""  # a learner's machine is his own
    lesson.seconds = 0.01
    assert problem(outcome, "fast", timed=True).startswith("too fast")
    assert problem(Run(None, 1, "", "ValueError: no"), "fast") == "stopped: ValueError: no"
    flags = ("--fast", "--all")
    unfinished = run(1, *flags, quiet=True, change=lambda s: s.replace("lesson.finish()", ""))
    assert problem(unfinished, "fast") == "stopped: no lesson.finish()"


def test_the_list_shows_progress_and_all_runs_end_with_a_table(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(_lesson, "OUT", tmp_path)
    monkeypatch.setattr(sys, "argv", ["python -m lessons", "1", "2", "--fast", "--all"])
    assert runner.main() == 0
    assert re.search(r"\nlesson  seconds\n     1  .*\n     2  .*\n", capsys.readouterr().out)
    monkeypatch.setattr(sys, "argv", ["python -m lessons"])
    assert runner.main() == 0
    printed = capsys.readouterr().out
    assert "|    1  oo " in printed and "|    2  ooo " in printed
    assert all(p.name in printed for p in lessons().values())
    monkeypatch.setattr(sys, "argv", ["python -m lessons", "99"])
    with pytest.raises(SystemExit):
        runner.main()
    assert "there is no lesson 99" in capsys.readouterr().err


def test_the_solutions_run_in_the_place_of_answers(tmp_path, monkeypatch):
    monkeypatch.setattr(_lesson, "OUT", tmp_path)
    outcome = run(1, "--fast", "--solution", quiet=True)
    assert [v.status for v in outcome.lesson.verdicts.values()] == ["right"] * 2
    assert 0 < outcome.lesson.seconds < 100
    assert f" {outcome.lesson.seconds:.1f} s, wrote " in outcome.text
    ends = [line for line in outcome.text.splitlines() if line.startswith("compare ")]
    assert [line.split(": ")[0] for line in ends] == ["compare 1.1 slope", "compare 1.2 best_step"]
    assert all("solutions/01.py, and in the library minigrad/" in line for line in ends)
    assert not (tmp_path / "progress.json").exists()


def test_give_up_prints_the_solutions(tmp_path, monkeypatch):
    monkeypatch.setattr(_lesson, "OUT", tmp_path)
    text = run(1, "--fast", "--give-up", quiet=True).text
    assert "def slope(f, x, h):\n    return" in text and "def best_step" in text
    assert "return" not in run(1, "--fast", "--all", quiet=True).text


# ---------------------------------------------------------------------- suspense
def first_solved(source):
    answer = "return (f(x + h) - f(x - h)) / (2 * h)\n"
    return re.sub(r"raise Todo\(.*?\)\n", answer, source, count=1, flags=re.DOTALL)


def test_it_stops_at_the_next_exercise_that_is_not_solved(tmp_path, monkeypatch):
    monkeypatch.setattr(_lesson, "OUT", tmp_path)
    outcome = run(1, "--fast", quiet=True)
    assert (outcome.status, outcome.lesson.waits) == (0, "1.1")
    assert outcome.text.endswith("The rest waits for 1.1: --hint helps, --all goes on without it\n")
    assert "1.2" not in outcome.text and not outcome.lesson.figures
    assert problem(outcome, "fast") == ""
    assert (tmp_path / "progress.json").read_text() == '{"1": ["todo", "todo"]}'
    further = run(1, "--fast", quiet=True, change=first_solved)
    assert further.lesson.waits == "1.2" and "+ 1.1 slope  right" in further.text
    assert (tmp_path / "progress.json").read_text() == '{"1": ["right", "todo"]}'

    def wrong(source):
        return first_solved(source).replace("/ (2 * h)", "/ h")

    stopped = run(1, "--fast", quiet=True, change=wrong)
    assert (stopped.status, stopped.lesson.waits) == (1, "1.1")
    assert problem(stopped, "fast") == "wrong: 1.1 slope"
    assert stopped.text.endswith("The rest waits for 1.1: --all goes on without it\n")
    hinted = run(1, "--fast", "--hint", quiet=True).text
    assert hinted.endswith("The rest waits for 1.1: --all goes on without it\n")
    assert run(1, "--fast", "--all", quiet=True, change=wrong).lesson.waits is None


def test_hints_and_predictions_are_shown_when_asked_for(tmp_path, monkeypatch):
    monkeypatch.setattr(_lesson, "OUT", tmp_path)
    plain = run(1, "--fast", "--all", quiet=True).text
    assert "o 1.1 slope  not started\n" in plain
    assert "(predicted: ?)" in plain and "shown by --reveal" in plain
    asked = run(1, "--fast", "--all", "--hint", "--reveal", quiet=True).text
    assert "o 1.1 slope  not started: the change of f" in asked
    assert "(predicted 0)" in asked and "?" not in asked


def test_a_guess_is_asked_for_in_a_terminal_and_shown_beside_the_number(tmp_path, monkeypatch):
    monkeypatch.setattr(_lesson, "OUT", tmp_path)
    asked = []

    def change(source):
        line = 'lesson.guess("pairs of shapes that agree", "How many of 40?")\nagree = 0'
        return source.replace("agree = 0", line, 1)

    monkeypatch.setattr("builtins.input", lambda question: asked.append(question) or "39")
    outcome = run(3, "--fast", "--all", quiet=True, change=change)
    text = outcome.text
    assert outcome.lesson.asked == [
        "pairs of shapes that agree",
        "pairs of shapes that agree",  # the lesson's own
        "loss of perfect predictions",
    ]
    assert not asked and "you guessed" not in text  # no terminal: not asked, not blocked
    monkeypatch.setattr(_lesson, "can_ask", lambda: True)
    text = run(3, "--fast", "--all", quiet=True, change=change).text
    assert "? How many of 40? (Enter: no guess) " in asked
    assert "pairs of shapes that agree: 40   (you guessed 39; predicted 40)" in text
    asked.clear()
    run(3, "--fast", "--all", "--solution", quiet=True, change=change)
    assert not asked

    def ended(question):
        raise EOFError

    monkeypatch.setattr("builtins.input", ended)
    outcome = run(3, "--fast", "--all", quiet=True, change=change)
    assert not outcome.error and "you guessed" not in outcome.text


# ---------------------------------------------------------------------- use
def test_use_trains_on_the_learners_functions_and_puts_the_library_back():
    rng = np.random.default_rng(0)
    x, w, b = rng.standard_normal((2, 5, 5, 3)), rng.standard_normal((3, 3, 3, 4)), np.ones(4)
    calls = []

    def loops(x, w, stride, pads):
        calls.append("conv2d")
        x = np.pad(x, ((0, 0), *pads, (0, 0)))
        rows = (x.shape[1] - w.shape[0]) // stride[0] + 1
        columns = (x.shape[2] - w.shape[1]) // stride[1] + 1
        y = np.zeros((len(x), rows, columns, w.shape[3]), x.dtype)
        for p, q in np.ndindex(rows, columns):
            i, j = p * stride[0], q * stride[1]
            window = x[:, i : i + w.shape[0], j : j + w.shape[1]]
            y[:, p, q] = np.tensordot(window, w, 3)
        return y

    def scatter(y, w, stride, pads, size):
        calls.append("conv2d_transpose")
        (top, bottom), (left, right) = pads
        x = np.zeros((len(y), top + size[0] + bottom, left + size[1] + right, w.shape[2]), y.dtype)
        for p, q in np.ndindex(y.shape[1:3]):
            i, j = p * stride[0], q * stride[1]
            x[:, i : i + w.shape[0], j : j + w.shape[1]] += np.tensordot(y[:, p, q], w, (1, 3))
        return x[:, top : top + size[0], left : left + size[1]]

    def step():
        images = mg.tensor(x, requires_grad=True)
        kernel = mg.tensor(w, requires_grad=True)
        y = mg.conv2d(images, kernel, b, stride=2, activation="relu")
        z = mg.conv2d_transpose(y, kernel, np.zeros(3), stride=2, activation="tanh")
        return [g.numpy() for g in mg.grad((z * z).sum(), [images, kernel])]

    expected = step()
    with use(conv2d=loops, conv2d_transpose=scatter):
        mine = step()
    assert {"conv2d", "conv2d_transpose"} <= set(calls)
    for a, e in zip(mine, expected, strict=True):
        np.testing.assert_allclose(a, e, rtol=1e-10, atol=1e-10)
    count = len(calls)
    step()
    assert len(calls) == count
    with pytest.raises(TypeError, match="conv2d, conv2d_transpose, not dense"), use(dense=loops):
        pass


@pytest.mark.parametrize("module", ["_numbers", "_use"])
def test_the_examples_in_the_docstrings_run(module):
    result = doctest.testmod(importlib.import_module(f"lessons.{module}"))
    assert result.attempted and not result.failed


@pytest.mark.parametrize(
    ("folder", "beside"),
    [("checkout/lessons", True), ("lib/python3.11/site-packages/lessons", False)],
)
def test_installed_lessons_write_into_the_users_own_folder(folder, beside, tmp_path, monkeypatch):
    monkeypatch.setattr(_progress, "FOLDER", tmp_path / folder)
    monkeypatch.setattr(_progress, "users", lambda: tmp_path / "own")
    assert _progress.usual() == (tmp_path / folder / "out" if beside else tmp_path / "own")
    assert _progress.writable(_progress.usual()) == _progress.usual()
