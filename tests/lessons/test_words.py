"""What the course says, of answers, of numbers and of the machine, word for word."""

import importlib
import importlib.metadata
import json
import os
import re
import signal
import subprocess
import sys
import types
from pathlib import Path

from lessons import (
    Todo,
    _doctor,
    _ending,
    _guess,
    _lesson,
    _numbers,
    _paste,
    _progress,
    _results,
    _resume,
    _run,
    _watch,
)
from lessons import __main__ as runner
from lessons._check import Verdict
from lessons._compare import apart, argument, call, describe_error, difference, full, same
from lessons._device import Device, FarArray, far
from lessons._earlier import earlier
from lessons._header import FOLDER, lessons, milestones, read_header, scripts, way
from lessons._relation import relation
from lessons._run import Run

import numpy as np
import pytest

import minigrad as mg

A = np.array([[1.5, 2.0, -3.0], [4.0, 5.0, 0.25]])
B = np.array([[0.5, -1.0, 7.0], [2.0, 8.0, 3.0]])


# ---------------------------------------------------------------------- wrong, and how
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda e: 0 * e, "0 everywhere"),
        (lambda e: -e, "-1 times the expected one: a sign"),
        (lambda e: e.T, "the transpose of the expected one"),
        (lambda e: e[::-1], "the expected one in reverse order"),
        (lambda e: e[:, ::-1], "the expected one in reverse order along its last axis"),
        (lambda e: 1 - e, "1 less the expected one"),
        (lambda e: 1 / e, "1 over the expected one"),
        (np.square, "the square of the expected one"),
        (np.exp, "the exponential of the expected one"),
        (np.abs, "the expected one without its sign"),
        (np.rint, "the expected one rounded to whole numbers"),
        (np.ravel, "right in its numbers, but not in its shape"),
        (lambda e: 2 * e, "2 times the expected one"),
        (lambda e: e / 2, "half the expected one"),
        (lambda e: 4 * e, "4 times the expected one"),
        (lambda e: e / 4, "a quarter of the expected one"),
        (lambda e: 1.75 * e, "1.75 times the expected one"),
        (lambda e: e + 0.5, "the expected one plus 0.5"),
        (lambda e: e - 2, "the expected one minus 2"),
        (lambda e: np.roll(e, 1, 1) + [[9.0, 0, 0], [8.0, 0, 0]],
         "the expected one, one place later along axis 1: off by one"),
        (lambda e: np.roll(e, -1, 1) + [[0, 0, 9.0], [0, 0, 8.0]],
         "the expected one, one place earlier along axis 1: off by one"),
        (lambda e: e.sum(axis=0), "the expected one summed over axis 0"),
        (lambda e: e.sum(axis=1), "the expected one summed over axis 1"),
        (lambda e: np.stack([e / 2, e / 2]),
         "not summed up yet: its sum over axis 0 is the expected one"),
        (lambda e: np.stack([e - 1, e + 1]),
         "not summed up yet: its mean over axis 0 is the expected one"),
        (lambda e: e.sum(), "the sum of the expected elements"),
        (lambda e: e.mean(), "the mean of the expected elements"),
        (lambda e: np.sort(e, None).reshape(e.shape),
         "right in its numbers, but they stand in another order"),
        (lambda e: (e * (1 + 1e-7 * np.sign(e - 1))), "right to the digits of float32 only: "
         "something was rounded to float32 on the way"),
    ],
)  # fmt: skip
def test_a_wrong_answer_is_recognised_by_what_was_done_to_the_right_one(change, words):
    pairs = [(np.asarray(change(e)), e) for e in (A, B)]
    assert relation(pairs, [(), ()]) == f"Yours is {words}."
    # One right answer among them, such as a case in which the mistake changes nothing, is no
    # reason to say less; but one that is wrong in another way is.
    assert relation([*pairs, (A, A)], [(), (), ()]) == f"Yours is {words}."
    assert relation([*pairs, (A**3 + 0.3 * B, A)], [(), (), ()]) == ""


def test_the_last_two_axes_and_roots_are_recognised():
    e = np.arange(1.0, 13).reshape(2, 2, 3) ** 2
    swapped = "the expected one with its last two axes exchanged"
    assert relation([(np.swapaxes(e, 1, 2), e)], [()]) == f"Yours is {swapped}."
    assert relation([(np.sqrt(e), e)], [()]) == "Yours is the root of the expected one."
    assert relation([(np.log(e), e)], [()]) == "Yours is the logarithm of the expected one."


def test_all_elements_that_ought_to_be_summed():
    x = np.arange(1.0, 5)
    e = np.asarray(x.sum())
    assert relation([(x, e)], [()]) == (
        "Yours is not summed up yet: its sum over axis 0 is the expected one."
    )
    x = x.reshape(2, 2)
    assert relation([(x, e)], [()]) == (
        "Yours is not summed up yet: the sum of all its elements is the expected one."
    )
    assert relation([(x, e / 4)], [()]) == (
        "Yours is not summed up yet: the mean of all its elements is the expected one."
    )


@pytest.mark.parametrize(
    ("axis", "words"),
    [(0, "length along axis 0"), (1, "length along axis 1"), (None, "number of elements")],
)
def test_a_sum_for_a_mean_is_recognised_by_the_lengths_of_the_input(axis, words):
    cases = [(2.0, np.ones((3, 5))), (2.0, np.ones((7, 11)))]
    n = [15, 77] if axis is None else [c[1].shape[axis] for c in cases]
    pairs = [(A * n[0], A), (B * n[1], B)]
    assert relation(pairs, cases) == (
        f"Yours is N times the expected one, N from input 2, its {words}: a sum for a mean?."
    )
    pairs = [(A / n[0], A), (B / n[1], B)]
    assert relation(pairs, cases) == (
        f"Yours is the expected one divided by N, N from input 2, its {words}: a mean for a sum?."
    )


def test_a_length_that_only_some_inputs_have_explains_nothing():
    assert relation([(A * 5, A), (B * 2, B)], [(np.ones((3, 5)),), (np.ones(7),)]) == ""
    assert relation([(A * 3, A), (B * 7, B)], [(np.ones((3, 5)),), (np.ones(7),)]) == (
        "Yours is N times the expected one, N from input 1, its length along axis 0: a sum for a "
        "mean?."
    )


def test_what_two_single_numbers_have_to_do_with_each_other_is_not_guessed():
    def of(a, e):
        return relation([(np.array(a), np.array(e))], [()])

    assert of(6.0, 3.0) == "Yours is 2 times the expected one."
    assert of(0.6, 0.3) == "Yours is 2 times the expected one."
    assert of([2.0, 1.0], [1.0, 2.0]) == "Yours is the expected one in reverse order."
    assert of([[2.0, 1.0]], [[1.0, 2.0]]).endswith("in reverse order along its last axis.")
    assert of(4.5, 3.7) == ""
    assert of(5.2, 3.2) == "Yours is the expected one plus 2."
    assert of(3.2 - 0.5, 3.2) == "Yours is the expected one minus 0.5."
    assert of([], []) == ""
    assert of([1.0, np.inf], [1.0, 2.0]) == ""
    assert of([1.0, 2.0], [0.0, 0.0]) == ""
    assert relation([(A, A)], [()]) == ""


def test_differences_are_measured_where_they_are_largest():
    assert difference(np.array([1.0, 2.0]), np.array([1.0, 2.5]), 1e-3) == (
        "wrong at (1,): yours 2, expected 2.5",
        np.inf,
    )
    assert difference(np.array([1.1, 2.0]), np.array([1.0, 9.0]), 1e-3)[0].startswith("wrong at (1")
    assert difference(np.array([1.0, 2.0 + 1e-6]), np.array([1.0, 2.0]), 1e-3) == (
        None,
        pytest.approx(1e-6),
    )
    assert difference(np.array([1e-4]), np.array([0.0]), 1e-3) == (None, 1e-4)
    assert difference(np.array([1e-4]), np.array([0.0]), 1e-3, floor=0.01)[0] is not None
    assert difference(np.array([100.05]), np.array([100.0]), 1e-3)[0] is None
    assert difference(np.array([np.nan, 1]), np.array([np.nan, 1]), 1e-9) == (None, 0.0)
    assert difference(np.array([np.inf]), np.array([np.inf]), 1e-9) == (None, 0.0)
    assert difference(np.array(["a", "b"]), np.array(["a", "b"]), 1e-9) == (None, 0.0)
    assert difference(np.array(["a", "c"]), np.array(["a", "b"]), 1e-9)[0] == (
        "wrong at (1,): yours c, expected b"
    )
    assert difference(3, np.array("b"), 1e-9)[0] == "wrong: returned an int, expected b"
    assert difference(np.zeros(0), np.zeros(0), 1e-9) == (None, 0.0)
    assert difference(2.0, 3.0, 1e-9)[0] == "wrong: yours 2, expected 3"


def test_answers_are_the_same_up_to_rounding_and_errors_up_to_their_numbers():
    raised = [types.SimpleNamespace(error=ValueError(f"shape ({k}, 2) is bad")) for k in (1, 22)]
    assert same(*raised)
    assert not same(raised[0], types.SimpleNamespace(error=ValueError("another")))
    assert not same(raised[0], types.SimpleNamespace(error=KeyError("shape (1, 2) is bad")))
    assert not same(raised[0], 1.0)
    deep = [types.SimpleNamespace(error=RecursionError(text)) for text in ("here", "there")]
    assert same(*deep)
    assert same((1.0, [2.0]), [1.0, (2.0 + 1e-12,)])
    assert not same((1.0, 2.0), (1.0, 3.0))
    assert same(np.array([np.nan, 1.0]), np.array([np.nan, 1.0 + 1e-10]))
    assert not same(1.0, 1.0 + 1e-8)
    assert not same(np.array([0.0]), np.array([1e-12]))
    assert same(None, None) and not same(None, 1.0)
    assert not same("a", 1.0) and same("a", "a") and not same("a", "b")
    assert not same(np.ones(2), np.ones(3))


def test_words_for_values_and_errors():
    assert apart(np.float64(1), np.float64(1 + 1e-10)) == ["1", "1.0000000001"]
    assert apart(np.float64(1 / 3), np.float64(1 / 3 + 1e-9)) == ["0.333333333", "0.333333334"]
    x = np.float64(0.1)
    assert apart(x, np.nextafter(x, 1)) == ["0.10000000000000001", "0.10000000000000002"]
    assert apart("a", 2) == ["a", "2"]
    assert argument(np.array([1.23456, 2.0])) == "[1.2346 2. ]"
    assert argument(np.zeros((2, 3))) == "array (2, 3)"
    assert argument(mg.tensor([1.0, 2, 3, 4])) == "[1. 2. 3. 4.]"
    assert argument(np.exp) == "exp" and argument(0.123456789) == "0.123457"
    assert argument("x" * 38) == repr("x" * 38) and argument("x" * 39) == "a str"
    assert argument(object()) == "an object"
    assert call(np.exp, (1, 2.5)) == "exp(1, 2.5)"
    assert full((1, "a")) == "1, 'a'" and full(np.exp) == "exp"
    wide = full(np.arange(200.0).reshape(2, 100) / 3)
    assert wide.startswith("an array of float64 of shape (2, 100)\n[[")
    assert "..." not in wide
    assert "0.3333333333333333 " in wide
    assert "..." in full(np.arange(201.0))
    assert max(map(len, wide.splitlines())) <= 100
    assert full(types.SimpleNamespace(error=ValueError("no"), line=3)) == (
        "wrong: ValueError in line 3, no"
    )
    assert describe_error(RecursionError("x" * 99), 4) == (
        "wrong: RecursionError in line 4, a function calls itself without end"
    )
    assert describe_error(ValueError(), None) == "wrong: ValueError outside your function"
    assert describe_error(_watch.Wrong("not that"), 7) == "wrong: not that"
    assert describe_error(_watch.TooLong(), None) == (
        "wrong: still running after 10 s, stopped: an endless loop?"
    )


# ---------------------------------------------------------------------- the timer
def test_a_block_without_end_is_interrupted_again_and_again(monkeypatch):
    set_timers, setitimer = [], signal.setitimer

    def hasty(which, seconds, interval=0.0):
        set_timers.append((seconds, interval))
        return setitimer(which, seconds / 10, interval / 10)

    monkeypatch.setattr(signal, "setitimer", hasty)
    rings = 0
    with pytest.raises(_watch.TooLong), _watch.limited(0.5):
        while True:
            try:
                while True:
                    pass
            except _watch.TooLong:  # as a bare except: does
                rings += 1
                if rings > 1:
                    raise
    assert set_timers[0] == (0.5, 1.0)  # after half a second, and then each second
    assert set_timers[1] == (0, 0.0)


def test_a_timer_and_a_handler_of_ones_own_are_put_back():
    def own(*_):
        raise AssertionError("too early")

    before = signal.signal(signal.SIGALRM, own)
    try:
        signal.setitimer(signal.ITIMER_REAL, 100, 7)
        with _watch.limited(5):
            assert signal.getsignal(signal.SIGALRM) is not own
            assert 4 < signal.getitimer(signal.ITIMER_REAL)[0] <= 5
        assert signal.getsignal(signal.SIGALRM) is own
        left, again = signal.getitimer(signal.ITIMER_REAL)
        assert 90 < left <= 100 and again == 7
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


# ---------------------------------------------------------------------- the make-believe GPU
def test_the_clock_of_the_device_is_that_of_the_story():
    device = Device(launch=1.0, compilation=10.0)
    assert device.clock() == 0.0
    device.synchronise()
    assert device.clock() == 0.0
    device.launch("exp", 5.0)
    assert device.clock() == 11.0  # compiled, and launched
    device.launch("exp", 5.0)
    assert device.clock() == 12.0
    device.synchronise()
    assert device.clock() == 21.0  # 11 + 5 + 5
    device.host(4.0)
    device.launch("exp", 1.0)
    device.synchronise()
    assert device.clock() == 27.0
    usual = Device()
    usual.launch("exp", 0.0)
    assert usual.clock() == 0.2 + 5e-6


def test_far_arrays_are_strict_about_where_they_are():
    x = far.asarray([1.0, 4.0])
    assert isinstance(x, FarArray) and far.asarray(x) is x
    assert x.shape == (2,) and x.dtype == np.float64
    np.testing.assert_array_equal((2 / x - x * 3 + (-x)).get(), [-2.0, -15.5])
    np.testing.assert_array_equal((1 - far.sqrt(x)).get(), [0.0, -1.0])
    copy = x.get()
    copy[0] = 9
    assert x.get()[0] == 1
    with pytest.raises(TypeError, match="was given to a NumPy function"):
        np.exp(x)
    with pytest.raises(TypeError, match=r"a NumPy array was given to a far function: far\.asarray"):
        far.maximum(x, np.ones(2))
    assert far.maximum(x, np.float64(2)).get().tolist() == [2.0, 4.0]


# ---------------------------------------------------------------------- how a run ends
@pytest.mark.parametrize(
    ("raising", "status", "said"),
    [
        ("raise KeyboardInterrupt", 130, "Stopped. Nothing is lost: run it again, and a --full"),
        ("raise ModuleNotFoundError('no', name='scipy')", 1, "The lessons need scipy: run  pip"),
        ("raise ValueError('mine')", 1, "ValueError: mine"),
        ("raise ModuleNotFoundError('no', name='lessons')", 1, "Traceback"),
        ("raise BrokenPipeError", 0, ""),
        ("pass", 0, ""),
    ],
)
@pytest.mark.parametrize("how", ["sys.excepthook = _ending.hook", "with _ending.polite():"])
def test_a_run_that_is_cut_short_ends_in_a_sentence(raising, status, said, how):
    if how.startswith("with") and ("Module" in raising or "Value" in raising):
        pytest.skip("python -m lessons leaves these to the lesson")
    lines = ["import sys", "sys.path.insert(0, sys.argv[1])", "sys.modules['minigrad'] = sys",
             "import importlib.util as u", "s = u.spec_from_file_location('e', sys.argv[2])",
             "_ending = u.module_from_spec(s)", "s.loader.exec_module(_ending)"]  # fmt: skip
    lines += [how, f"    {raising}"] if how.endswith(":") else [how, raising]
    words = [sys.executable, "-c", "\n".join(lines), str(FOLDER.parent), _ending.__file__]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == status
    assert said in done.stderr and bool(done.stderr) == bool(said)
    assert said == "Traceback" or said.startswith("Value") or "Traceback" not in done.stderr


class Left(BaseException):
    """In the place of the end of the process."""


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (KeyboardInterrupt(), 130, "\nStopped. Nothing is lost: run it again, and a --full run "
         "goes on where it was.\n"),
        (BrokenPipeError(), 0, ""),
        (ModuleNotFoundError("no", name="scipy"), 1,
         f"The lessons need scipy: run  pip install -e .  in {FOLDER.parent}\n"),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_the_end_is_said_and_has_its_status(error, status, said, monkeypatch, capfd):
    def leave(status):
        raise Left(status)

    double = types.SimpleNamespace(**{n: getattr(os, n) for n in ("open", "devnull", "O_WRONLY")})
    double.dup2 = lambda new, old: os.close(new)  # the test's own output stays
    double._exit = leave
    monkeypatch.setattr(_ending, "os", double)
    with pytest.raises(Left) as left:
        _ending.hook(type(error), error, None)
    assert (left.value.args, capfd.readouterr().err) == ((status,), said)
    if not isinstance(error, ModuleNotFoundError):
        with pytest.raises(Left) as left, _ending.polite():
            raise error
        assert (left.value.args, capfd.readouterr().err) == ((status,), said)


def test_other_ends_are_for_whoever_wrote_the_program(monkeypatch, capsys):
    monkeypatch.setattr(_ending, "_leave", lambda error: 1 / 0)
    for error in (ValueError("mine"), ModuleNotFoundError("no", name="lessons"),
                  ModuleNotFoundError("no")):  # fmt: skip
        assert _ending.sentence(error) is None
        _ending.hook(type(error), error, None)
        assert type(error).__name__ in capsys.readouterr().err
        with pytest.raises(type(error)), _ending.polite():
            raise error


# ---------------------------------------------------------------------- files
def test_what_is_recorded_comes_back(tmp_path, monkeypatch):
    monkeypatch.setattr(_numbers, "EXPECTED", tmp_path)
    assert _numbers.read_expected(7) == {}
    records = {"fast": {"seconds": 1.5, "numbers": {"a": {"value": 2, "tolerance": "5%"}}}}
    _numbers.write_expected(7, records)
    assert [path.name for path in tmp_path.iterdir()] == ["07.json"]
    assert _numbers.read_expected(7) == records


@pytest.mark.parametrize(
    ("value", "expected", "tolerance", "good"),
    [
        ([1.0, 30.0], [1.0, 10.0], "x3", True),
        ([1.0, 31.0], [1.0, 10.0], "x3", False),
        ([4.0, 10.0], [1.0, 10.0], "x3", False),
        (1 / 3 + 1e-9, 1.0, "x3", True),
        (-1 / 3 - 1e-9, -1.0, "x3", True),
        (-3.1, -1.0, "x3", False),
        (95, 100, "5%", True),
        (95, 90, "5%", False),
        (-95, -100, "5%", True),
        (0.02, 0.0, "+-0.02", True),
        (0.98, 1.0, "+-0.03", True),
    ],
)
def test_tolerances_at_their_limits(value, expected, tolerance, good):
    assert _numbers.within(value, expected, tolerance) is good


def test_numbers_are_shown_with_the_digits_worth_reading():
    assert _numbers.show(1234.5678) == "1.23e+03"
    assert _numbers.show(1234.5678, "close") == "1234.57"
    assert _numbers.show([0.5, 2], "exact") == "0.5, 2"


def test_progress_is_kept_where_something_can_be_written(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(_progress, "_told", set())
    out, cache = tmp_path / "out", tmp_path / "cache"
    assert _progress.writable(out) == out and out.is_dir()
    _progress.remember(out, 3, ["right", "todo"])
    _progress.remember(out, 4, ["wrong"])
    _progress.remember(out, 3, ["right"])
    assert _progress.read_progress(out) == {"3": ["right"], "4": ["wrong"]}
    (out / "progress.json").write_text("damaged")
    assert _progress.read_progress(out) == {}
    monkeypatch.setattr(_progress, "users", lambda: cache)
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setattr(_progress, "FOLDER", blocked)
    for _ in range(2):  # said once
        assert _progress.writable(blocked / "out") == cache
    assert capsys.readouterr().out == (
        f"{blocked / 'out'} cannot be written: figures and progress go to {cache}\n\n"
    )
    monkeypatch.setattr(_progress, "_told", set())
    assert _progress.writable(cache) == cache  # the usual one of an installed course
    assert capsys.readouterr().out == f"Figures and progress go to {cache}\n\n"
    monkeypatch.setattr(_progress, "users", lambda: blocked / "cache")
    monkeypatch.setattr(_progress.tempfile, "gettempdir", lambda: str(tmp_path / "tmp"))
    assert _progress.writable(blocked / "out") == tmp_path / "tmp/minigrad-lessons"
    monkeypatch.setattr(_progress.tempfile, "gettempdir", lambda: str(blocked))
    with pytest.raises(SystemExit, match="There is no folder to write to: tried"):
        _progress.writable(blocked / "out")


def test_a_long_run_goes_on_from_what_it_saved(tmp_path):
    def state(seed):
        rng = np.random.default_rng(seed)
        parameters = [mg.nn.Parameter(rng.standard_normal(n)) for n in (2, 3)]
        return parameters, mg.optim.Adam(parameters, lr=0.1), rng, {"losses": [float(seed)] * seed}

    path, first = tmp_path / "run.npz", state(3)
    first[0][0].grad = first[0][1].grad = None
    mg.sum(first[0][0] * first[0][0]).backward()
    first[1].step()
    _resume.Saved(path, {"size": (2, 3)}).keep(*first)
    other = state(5)
    assert not _resume.Saved(path, {"size": (2, 4)}).restore(*other)
    saved = _resume.Saved(path, {"size": (2, 3)})
    assert saved.restore(*other)
    for mine, theirs in zip(other[0], first[0], strict=True):
        np.testing.assert_array_equal(mine.numpy(), theirs.numpy())
    assert other[3] == first[3] and other[1].t == first[1].t == 1
    assert other[2].random() == first[2].random()
    saved.forget()
    assert not path.exists() and not saved.restore(*other)


def test_verdicts_are_added_to_those_in_the_file(tmp_path):
    path = tmp_path / "results.json"
    verdicts = {"3.1 f": Verdict("right", "right: 0"), "3.2 g": Verdict("wrong", "wrong: 1")}
    header = types.SimpleNamespace(title="A title", exercises=3)
    lesson = types.SimpleNamespace(number=3, header=header, seed=7, verdicts=verdicts)
    assert _results.read_results(path) == {}
    _results.add_result(path, lesson)
    lesson.number = 4
    _results.add_result(path, lesson)
    found = json.loads(path.read_text())
    assert list(found) == ["3", "4"] and found["3"] == found["4"]
    assert found["3"] == {
        "title": "A title", "seed": 7, "right": 1, "of": 3,
        "exercises": {"3.1 f": {"status": "right", "text": "right: 0"},
                      "3.2 g": {"status": "wrong", "text": "wrong: 1"}},
    }  # fmt: skip
    for content in ("[]", "no JSON"):
        path.write_text(content)
        with pytest.raises(SystemExit, match="is not a file of --json: give another name, or remo"):
            _results.read_results(path)


def test_a_solution_is_pasted_with_the_imports_that_the_lesson_lacks(tmp_path):
    (tmp_path / "pasted_module.py").write_text(
        "import os.path\nimport numpy as np\nimport math, cmath\nfrom json import dumps, loads\n"
        "import re\n\n\ndef f(x):\n    return np.exp(x) + math.pi + dumps(x) + os.sep + re.X\n"
    )
    (tmp_path / "lesson.py").write_text("import numpy as np\nos = 1\nclass re: pass\n")
    sys.path.insert(0, str(tmp_path))
    try:
        module = importlib.import_module("pasted_module")
        text = _paste.pasted(module, "f", tmp_path / "lesson.py")
    finally:
        sys.path.remove(str(tmp_path))
    lines = text.splitlines()
    assert lines[:4] == ["import math", "from json import dumps", "", ""]
    assert lines[4] == "def f(x):"
    (tmp_path / "lesson.py").write_text(
        "import math\nfrom json import dumps\nimport numpy as np\nimport os.path\nimport re\n"
    )
    assert _paste.pasted(module, "f", tmp_path / "lesson.py").startswith("def f(x):")


def test_what_an_earlier_lesson_gives_is_said():
    values, words = earlier(1, "slope")
    assert callable(values)
    assert words == "  from lesson 1: the library's slope, until you have solved it there"
    space, words = earlier(1)
    assert callable(space.slope) and callable(space.best_step)
    assert words.endswith("the library's slope, best_step, until you have solved them there")
    assert earlier(1, "slope", solution=True)[1] == "  from lesson 1: your slope"
    first, second = earlier(1, "slope", "best_step")[0]
    assert first.__name__ and second.__name__


# ---------------------------------------------------------------------- the way
def test_milestones_stand_after_the_last_lesson_that_they_need():
    order = [number for number, _ in way()]
    assert sorted(order) == sorted([*lessons(), *milestones()])
    for year, path in milestones().items():
        needs = [int(n) for n in re.findall(r"\d+", read_header(path).fields["Needs"])]
        place = order.index(year)
        assert all(order.index(n) < place for n in needs)
        assert all(order.index(n) > place for n in lessons() if n > max(needs))
    assert [n for n in order if n > 100] == sorted(milestones())


@pytest.fixture
def listed(tmp_path, monkeypatch, capsys):
    """A function from progress to the lines of the list, by number."""
    monkeypatch.setattr(_lesson, "OUT", tmp_path)

    def listed(progress):
        (tmp_path / "progress.json").write_text(json.dumps(progress))
        assert runner.show_list() == 0
        return capsys.readouterr().out.splitlines()

    return listed


def test_the_list_says_what_is_solved_and_where_one_is(listed):
    lines = listed({"1": ["right", "right"], "2": ["right", "wrong", "todo"], "3": ["todo"]})
    assert lines[0].startswith("#    1  ++ ") and "<- here" not in lines[0]
    assert lines[1].startswith("|    2  +xo ") and lines[1].endswith("<- here")
    assert lines[2].startswith("|    3  o ") and not lines[2].endswith("<- here")
    assert " 1 s  01_" in lines[0]
    assert "3 exercises solved. Run the next lesson with  python -m lessons 2" in lines
    first = min(milestones())
    (row,) = [line for line in lines if f" {first} " in line]
    assert row.startswith(f"| {first}             ")
    solved = {str(n): ["right"] for n in lessons()}
    lines = listed(solved)
    assert all(line[0] in "#>" for line in lines[: len(way())])
    (row,) = [line for line in lines if f" {first} " in line]
    assert row.startswith(f"> {first}  yours now  ")
    assert f"{len(lessons())} exercises solved. Run the next lesson with  python -m lessons 1" in (
        lines
    )
    (row,) = [line for line in listed({**solved, str(first): []}) if f" {first} " in line]
    assert row.startswith(f"* {first}  seen  ")


# ---------------------------------------------------------------------- the runner
def outcome(seconds=1.0, error="", status=0, **more):
    lesson = types.SimpleNamespace(
        seconds=seconds, verdicts={}, waits=None, stale=[], numbers={"n": 1}, mode="fast",
        header=types.SimpleNamespace(budget={"fast": 1, "default": 1}), **more,
    )  # fmt: skip
    return Run(lesson, status, "", error)


def test_several_lessons_end_with_a_table(monkeypatch, capsys):
    said = {1: outcome(1.25), 2: outcome(2.5), 3: Run(None, 1, "", "ValueError: no")}
    said[2].lesson.waits = "2.1"
    monkeypatch.setattr(runner, "run", lambda number, *flags: said[number])
    assert runner.run_all([1], [], "fast") == 0
    assert capsys.readouterr().out == "\n"
    assert runner.run_all([1, 2], [], "fast") == 0
    assert capsys.readouterr().out.splitlines()[-4:] == [
        "lesson  seconds",
        "     1      1.2  ok",
        "     2      2.5  waits for 2.1",
        "   all      3.8",
    ]
    assert runner.run_all([3], [], "fast") == 1
    assert capsys.readouterr().out.splitlines()[-3:] == [
        "lesson  seconds",
        "     3        -  stopped: ValueError: no",
        "   all      0.0",
    ]


def test_the_words_of_the_command_line_reach_the_lessons(monkeypatch):
    called = []
    monkeypatch.setattr(runner, "run_all", lambda *a: called.append(a) or 0)
    monkeypatch.setattr(runner, "watch", lambda *a: called.append(a) or 0)
    monkeypatch.setattr(runner, "record", lambda *a: called.append(a) or 0)
    monkeypatch.setattr(runner, "write_table", lambda *a: called.append("table") or 0)
    for words, expected in (
        ("3 --fast", ([3], ["--fast"], "fast")),
        ("3 1986 --full --hint", ([3, 1986], ["--full", "--hint"], "full")),
        ("all --give-up", ([*dict(way())], ["--give-up", "--all"], "default")),
        ("2 --case 2.1:2 --seed 4", ([2], ["--case", "2.1:2", "--seed", "4"], "default")),
        ("2 --watch --show", ([2], ["--show"])),
        ("2 3 --record", ([2, 3],)),
        ("--table", "table"),
    ):
        monkeypatch.setattr(sys, "argv", ["python -m lessons", *words.split()])
        assert runner.main() == 0
        assert called.pop() == expected


def test_recording_keeps_the_numbers_of_both_modes_and_a_picture(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(_numbers, "EXPECTED", tmp_path)
    monkeypatch.setattr(runner, "write_table", lambda: 0)
    monkeypatch.setattr(runner.importlib.util, "find_spec", lambda _: None)
    drawn = []
    figure = types.SimpleNamespace(savefig=lambda path, dpi: drawn.append((path, dpi)))
    called = []

    def solved(number, *flags):
        called.append((number, *flags))
        return outcome(1.234 if "--fast" in flags else 0.567, figures=[("p", figure)])

    monkeypatch.setattr(runner, "run", solved)
    monkeypatch.setattr(runner.time, "process_time", iter([0, 9, 0, 9, 0, 9]).__next__)
    assert runner.record([7]) == 0
    assert called == [(7, "--solution", "--fast"), (7, "--solution")]
    assert _numbers.read_expected(7) == {
        "fast": {"seconds": 1.23, "numbers": {"n": 1}},
        "default": {"seconds": 0.57, "numbers": {"n": 1}},
    }
    assert drawn == [(tmp_path / "07.png", 45)]
    monkeypatch.setattr(runner.time, "process_time", iter([0, 0.125] * 2).__next__)
    assert runner.record([8]) == 0  # the machine was busy: it worked an eighth of a second only
    assert _numbers.read_expected(8)["fast"]["seconds"] == 0.12
    monkeypatch.setattr(runner.time, "process_time", lambda: 0.0)
    assert runner.record([9]) == 1
    assert capsys.readouterr().out == (
        "lesson 9, nothing is recorded: too fast: less than 0.05 s, so it ran nothing\n"
    )
    monkeypatch.setattr(runner, "run", lambda *_: Run(None, 1, "", "ValueError: no"))
    assert runner.record([9]) == 1
    assert capsys.readouterr().out == "lesson 9 failed, nothing is recorded: ValueError: no\n"
    assert not (tmp_path / "09.json").exists()


def test_the_table_takes_its_place_between_the_marks(tmp_path, monkeypatch):
    monkeypatch.setattr(runner, "FOLDER", tmp_path)
    monkeypatch.setattr(runner, "table", lambda: "| new |")
    path = tmp_path / "README.md"
    path.write_text("before\n<!-- table -->\n\n| old |\n\n<!-- end of table -->\nafter\n")
    for _ in range(2):
        assert runner.write_table() == 0
        assert path.read_text() == (
            "before\n<!-- table -->\n\n| new |\n\n<!-- end of table -->\nafter\n"
        )


def test_what_was_wrong_with_a_run():
    assert _run.problem(outcome(2.0), "fast", timed=True) == ""
    assert _run.problem(outcome(2.01), "fast", timed=True) == "too slow: more than twice its 1 s"
    assert _run.problem(outcome(0.05), "fast", timed=True) == ""
    stale = outcome()
    stale.lesson.stale += ["a: 1, recorded 2", "b: 3, recorded 4"]
    assert _run.problem(stale, "fast") == "numbers: a: 1, recorded 2; b: 3, recorded 4"


def test_the_script_ends_as_it_says(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(_lesson, "OUT", tmp_path)
    argv = sys.argv
    for ending, status in (("sys.exit()", 0), ("sys.exit(3)", 3), ("sys.exit('no')", 1)):
        done = _run.run(1, quiet=True, change=lambda _, e=ending: f"import sys\nprint(1)\n{e}")
        assert (done.status, done.error, done.text, done.lesson) == (status, "", "1\n", None)
    done = _run.run(
        1, "--fast", quiet=True, change=lambda _: "import sys\nprint(sys.argv[1:])\n1/0"
    )
    assert done.text == "['--fast']\n" and done.status == 1
    assert done.error == "ZeroDivisionError: division by zero"
    assert capsys.readouterr() == ("", "")
    _run.run(1, change=lambda _: "1/0")
    assert "ZeroDivisionError" in capsys.readouterr().err
    assert sys.argv is argv
    with pytest.raises(BrokenPipeError):
        _run.run(1, quiet=True, change=lambda _: "raise BrokenPipeError")


def test_files_are_seen_to_be_saved(tmp_path):
    path, other = tmp_path / "a.py", tmp_path / "b.py"
    path.write_text("")
    os.utime(path, ns=(5, 7))
    assert runner._times([path, other]) == [7, 0]


def test_a_guess_is_what_is_typed(monkeypatch, capsys):
    monkeypatch.setattr("builtins.input", lambda question: f"  {question} ")
    assert _guess.ask("How many?") == "? How many? (Enter: no guess)"

    def ended(question):
        raise EOFError

    monkeypatch.setattr("builtins.input", ended)
    assert _guess.ask("How many?") == ""
    assert capsys.readouterr().out == "\n"  # what comes next has a line of its own

    class Terminal:
        def __init__(self, there):
            self.isatty = lambda: there

    for stdin, stdout, can in (
        (Terminal(True), Terminal(True), True),
        (Terminal(True), Terminal(False), False),
        (Terminal(False), Terminal(True), False),
        (None, Terminal(True), False),
    ):
        monkeypatch.setattr(_guess, "sys", types.SimpleNamespace(stdin=stdin, stdout=stdout))
        assert _guess.can_ask() is can


# ---------------------------------------------------------------------- the doctor
def test_the_doctor_says_what_to_mend(monkeypatch, capsys):
    monkeypatch.setattr(_doctor, "python", lambda: iter([(True, "good"), (None, "so so")]))
    for name in ("packages", "project", "writing", "timer", "faces", "display", "optional", "gpu"):
        monkeypatch.setattr(_doctor, name, lambda: iter(()))
    assert _doctor.main() == 0
    assert capsys.readouterr().out == (
        "+ good\no so so\n\nAll that the course needs is there. Begin with  python -m lessons 1\n"
    )
    monkeypatch.setattr(_doctor, "project", lambda: iter([(False, "bad"), (False, "worse")]))
    assert _doctor.main() == 1
    assert capsys.readouterr().out == (
        "+ good\no so so\nx bad\nx worse\n\n2 to mend: the lines with an x say what to do.\n"
    )


def test_the_doctor_knows_versions(monkeypatch):
    assert _doctor._numbers("1.22.3rc4") == (1, 22, 3) and _doctor._numbers("2") == (2,)
    wanted = {"requires-python": ">=3.99", "dependencies": ["no-such-package>=1.0", "numpy>=999.0",
                                                            "matplotlib>=1.0"]}  # fmt: skip
    monkeypatch.setattr(_doctor, "_wanted", lambda: wanted)
    ((good, words),) = _doctor.python()
    assert good is False and words.endswith("3.99 or newer is needed, see https://www.python.org")
    now = importlib.metadata.version("numpy")
    assert list(_doctor.packages()) == [
        (False, f"no-such-package is missing: run  pip install -e .  in {_doctor.ROOT}"),
        (False, f"numpy {now}: 999.0 or newer is needed, pip install -U numpy"),
        (True, f"matplotlib {importlib.metadata.version('matplotlib')}"),
    ]
    wanted["dependencies"] = [f"numpy>={now}"]
    wanted["requires-python"] = f">={'.'.join(map(str, sys.version_info[:3]))}"
    assert [good for good, _ in (*_doctor.packages(), *_doctor.python())] == [True, True]


def test_the_doctor_knows_where_things_are(monkeypatch, tmp_path):
    assert list(_doctor.project()) == [(True, f"minigrad, from {_doctor.ROOT}")]
    monkeypatch.setattr(_doctor, "ROOT", tmp_path)
    assert _doctor._wanted() == {}
    ((good, words),) = _doctor.project()
    assert good is False and words.startswith("minigrad comes from ") and "not from" in words
    monkeypatch.setattr(_doctor.importlib.util, "find_spec", lambda name: None)
    assert next(_doctor.project())[0] is False
    assert [good for good, _ in _doctor.optional()] == [None, None]
    assert list(_doctor.gpu()) == [(None, "no CuPy, so no GPU: no lesson needs one")]
    (tmp_path / "lessons").mkdir()
    out = tmp_path / "lessons/out"
    monkeypatch.setattr(_progress, "usual", lambda: out)
    monkeypatch.setattr(_progress, "users", lambda: Path("/mine"))
    assert list(_doctor.writing()) == [(True, f"figures and progress are written to {out}")]
    assert out.is_dir()
    out.rmdir()
    out.write_text("a file")
    ((good, words),) = _doctor.writing()
    assert good is None and words.endswith(": figures and progress go to /mine")
    for home, good in ((tmp_path / "no", None), (tmp_path, True)):
        monkeypatch.setenv("SCIKIT_LEARN_DATA", str(home))
        (tmp_path / "olivetti_py3.pkz").write_bytes(b"")
        assert next(_doctor.faces())[0] is good
    for variables, good in (((), None), (("DISPLAY",), True), (("WAYLAND_DISPLAY",), True)):
        for name in ("DISPLAY", "WAYLAND_DISPLAY"):
            monkeypatch.delenv(name, raising=False)
        for name in variables:
            monkeypatch.setenv(name, ":0")
        if sys.platform not in ("win32", "darwin"):
            assert next(_doctor.display())[0] is good
    assert next(_doctor.timer())[0] is (True if hasattr(signal, "setitimer") else None)


def test_hints_are_hints():
    assert str(Todo("a hint")) == "a hint"
    assert set(scripts()) == {*lessons(), *milestones()}
    assert Path(FOLDER).name == "lessons"
