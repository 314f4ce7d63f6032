"""One run of one lesson: its options, exercises, numbers and figures, and the last line."""

import argparse
import importlib
import sys
import time
import warnings
from contextlib import contextmanager
from pathlib import Path

from . import _figures, _numbers
from ._earlier import earlier
from ._guess import ask, can_ask
from ._header import FOLDER, read_header, scripts
from ._paste import pasted
from ._progress import remember, usual, writable
from ._results import add_result
from ._resume import Saved
from ._seeds import fresh
from ._watch import why_no_timer

OUT = usual()
_MARKS = {"todo": "o", "right": "+", "wrong": "x"}


class Lesson:
    """``lesson = Lesson(3)`` at the top of a lesson: reads the command line, starts the clock.

    `fast`, `full`, `show` and `solution` are the options as attributes. In a notebook, which has no
    command line, they follow the number: ``Lesson(3, "--fast")``.
    """

    def __init__(self, number, *flags):
        self.header = read_header(scripts()[number])
        self.number, options = number, _options(self.header, flags)
        self.fast, self.full, self.show = options.fast, options.full, options.show
        self.solution, self.give_up, self.case = options.solution, options.give_up, options.case
        self.all, self.hint = options.all, options.hint
        self.seed, self.json = options.seed, options.json
        self.reveal = options.reveal or self.solution or _in_notebook()
        self.asked, self.guesses, self.hidden, self.waits = [], {}, False, None
        self.mode = "fast" if self.fast else "full" if self.full else "default"
        self.expected = _numbers.read_expected(number).get(self.mode, {}).get("numbers", {})
        self.checks, self.verdicts = {}, {}  # by title, such as "3.1 unbroadcast"
        self.answers = {}  # label, such as "3.1": (check, your function)
        self.numbers, self.stale, self.figures = {}, [], []
        self.out = writable(OUT)
        self.began, self.seconds = time.perf_counter(), None
        _leave_the_judgement_to_the_lesson()
        print(f"{number:02d}  {self.header.title}\n")
        if self.full:
            budget = self.header.budget.get("full")
            takes = f"takes about {budget / 60:.0f} min" if budget else "changes nothing here"
            print(f"--full {takes}\n")
        if why_no_timer():
            print(f"An endless loop in an exercise is not stopped here: {why_no_timer()}.\n")

    # ------------------------------------------------------------------ exercises
    def exercise(self, label):
        """Judge the decorated function and print one line.

        What the name stands for from here on is your function if it is right, else the library's,
        so that the rest of the lesson always works.
        """

        def judge(f):
            name, title = f.__name__, f"{label} {f.__name__}"
            check = getattr(importlib.import_module(f"lessons.checks.{self.number:02d}"), name)
            solution = importlib.import_module(f"lessons.solutions.{self.number:02d}")
            if self.solution:
                f = getattr(solution, name)
            f.__globals__[name] = f  # an answer may call itself
            self.answers[label] = check, f
            self._show_case(label, check, f)
            with fresh(self.seed):
                verdict = check.verdict(f)
            self.checks[title], self.verdicts[title] = check, verdict
            self.began += verdict.waited
            words = verdict.text
            if verdict.status == "todo" and not self.hint and not _in_notebook():
                words = words.partition(":")[0]
            print(f"{_MARKS[verdict.status]} {title}  {words}")
            if verdict.case is not None and not _in_notebook():
                script = _relative(self.header.path)
                seed = "" if self.seed is None else f" --seed {self.seed}"
                print(f"    its numbers: python {script} --case {label}:{verdict.case + 1}{seed}")
            if self.give_up and verdict.status != "right":
                print("\n" + pasted(solution, name, self.header.path))
            goes_on = self.all or self.give_up or self.case or _in_notebook()
            if verdict.status != "right" and not goes_on:
                self._stop(label, verdict.status)
            return f if verdict.status == "right" else check.library

        return judge

    def _stop(self, label, status):
        """End here: what comes next is more exciting when this exercise is solved."""
        self.waits, self.seconds = label, time.perf_counter() - self.began
        found = [verdict.status for verdict in self.verdicts.values()]
        missing = self.header.exercises - len(found)
        if self.json:
            add_result(self.json, self)
        remember(self.out, self.number, [*found, *["todo"] * missing])
        figures = "".join(f", wrote {_relative(path)}" for path, _ in self.figures)
        hint = "--hint helps, " if status == "todo" and not self.hint else ""
        print(f"\nThe rest waits for {label}: {hint}--all goes on without it{figures}")
        sys.exit(int(status == "wrong"))

    def _show_case(self, label, check, f):
        """With --case 3.1:2, show case 2 of exercise 3.1 and stop there."""
        wanted, _, number = (self.case or "").partition(":")
        if wanted == label:
            with fresh(self.seed):
                check.show(f, int(number or 1))
            sys.exit(0)

    def earlier(self, number, *names):
        """What lesson `number` defines under these `names`, or all of it, as a namespace: your
        answers where they are right."""
        values, sentence = earlier(number, *names, solution=self.solution)
        if sentence:
            print(sentence)
        return values

    def grade(self, label, seed=None):
        """Raise AssertionError with the verdict unless exercise `label` is right, on other numbers
        for each `seed`; for test cells of notebooks."""
        check, f = self.answers[label]
        with fresh(seed):
            verdict = check.verdict(f)
        assert verdict.status == "right", verdict.text

    # ------------------------------------------------------------------ numbers and figures
    def guess(self, name, question):
        """Ask for the number that will be reported under this `name`, where somebody can answer.

        That is in a terminal; elsewhere, and in a run of the solutions, nothing happens.
        """
        self.asked.append(name)
        if can_ask() and not (self.solution or self.case):
            began = time.perf_counter()
            self.guesses[name] = ask(question)
            self.began += time.perf_counter() - began

    def stored(self, name):
        """What long runs found that were made before: ``expected/<name>.json``."""
        return _numbers.read_stored(name)

    def report(self, name, value, tolerance, *, predicted=None, unit=""):
        """Print the number `value`, beside what theory `predicted`, and compare it with the record.

        `tolerance` is one of those in ``_numbers.py``: "exact", "close", "5%", "x3", "any", ...
        """
        value = _numbers.plain(value)
        self.numbers[name] = {"value": value, "tolerance": tolerance}
        words = f"  {name}: {_numbers.show(value, tolerance)}{unit and ' ' + unit}"
        guess = self.guesses.get(name)
        said = [f"you guessed {guess}"] if guess else []
        if predicted is not None and (self.reveal or guess):
            said.append(f"predicted {_numbers.show(_numbers.plain(predicted), tolerance)}")
        elif predicted is not None:
            said.append("predicted: ?")
            self.hidden = True
        words += f"   ({'; '.join(said)})" if said else ""
        known = self.expected.get(name)
        if known is None or known["tolerance"] != tolerance:
            if self.mode != "full":  # hours: not recorded
                self.stale.append(f"{name} is not recorded with tolerance {tolerance}")
        elif not _numbers.within(value, known["value"], tolerance):
            words += f"   not the recorded {_numbers.show(known['value'], tolerance)} ({tolerance})"
            self.stale.append(f"{name}: {value}, recorded {known['value']} ({tolerance})")
        print(words)

    @contextmanager
    def fig(self, name, title, size=(6, 4)):
        """Draw on a matplotlib figure: ``with lesson.fig("v", "The claim") as figure``.

        It is saved as out/NN_name.png, with the plotted arrays in the .npz beside it.
        """
        figure = _figures.new_figure(size, self.show)
        yield figure
        path = self.out / f"{self.number:02d}_{name}.png"
        _figures.save_figure(figure, title, path)
        self.figures.append((path, figure))
        if _in_notebook():
            from IPython.display import Image, display

            display(Image(str(path)))

    def draw(self, name, title, *data):
        """The figure that the function `name` of figures/NN.py draws of the `data`.

        SIZES there has the sizes in inches of those that are not (6, 4).
        """
        module = importlib.import_module(f"lessons.figures.{self.number:02d}")
        with self.fig(name, title, getattr(module, "SIZES", {}).get(name, (6, 4))) as figure:
            getattr(module, name)(figure, *data)

    def saved(self, name, **settings):
        """What a long run keeps in a file, to go on from there after an interruption: a Saved."""
        return Saved(self.out / f"{self.number:02d}_{name}.npz", settings)

    # ------------------------------------------------------------------ the end
    def finish(self):
        """Print what is done; leave with exit status 1 if an answer is wrong."""
        self.seconds = time.perf_counter() - self.began
        if self.case:
            sys.exit(f"--case {self.case}: this lesson has {', '.join(self.verdicts)}")
        status = [verdict.status for verdict in self.verdicts.values()]
        if self.hidden:
            print("\nWhat theory predicts for the numbers with a ? is shown by --reveal")
        done = f"{status.count('right')}/{len(status)} exercises, " if status else ""
        print(
            f"\n{done}{self.seconds:.1f} s"
            + "".join(f", wrote {_relative(path)}" for path, _ in self.figures)
        )
        for title in [t for t, v in self.verdicts.items() if v.status == "right"]:
            print(f"compare {title}: {self._solution()}, and in the library {self._source(title)}")
        if self.json:
            add_result(self.json, self)
        if not self.solution:
            remember(self.out, self.number, status)
        if self.show:
            from matplotlib import pyplot

            pyplot.show()
        if "wrong" in status and not _in_notebook():
            sys.exit(1)

    def _solution(self):
        return _relative(FOLDER / "solutions" / f"{self.number:02d}.py")

    def _source(self, title):
        return self.checks[title].source


def add_options(parser):
    """The options of a lesson, the same for a script and for ``python -m lessons``."""
    speed = parser.add_mutually_exclusive_group()
    speed.add_argument("--fast", action="store_true", help="everything small: a few seconds")
    speed.add_argument("--full", action="store_true", help="the real thing, however long it takes")
    parser.add_argument("--all", action="store_true", help="go on where an exercise is not solved")
    parser.add_argument("--hint", action="store_true", help="say how an exercise may be begun")
    parser.add_argument("--reveal", action="store_true", help="show what theory predicts")
    parser.add_argument("--show", action="store_true", help="open the figures in windows")
    parser.add_argument("--solution", action="store_true", help="run the solutions, not your code")
    parser.add_argument("--give-up", action="store_true", help="print the solutions still missing")
    parser.add_argument(
        "--seed", type=int, metavar="N", help="judge on other numbers than usual (teachers)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="add the verdicts to a file")
    parser.add_argument(
        "--case", metavar="3.1:2", help="show case 2 of exercise 3.1 with all its numbers, and stop"
    )


def _options(header, flags):
    parser = argparse.ArgumentParser(description=f"Lesson {header.number}: {header.title}")
    add_options(parser)
    script = (
        Path(sys.argv[0]).name == header.path.name
    )  # else a notebook, with arguments of its own
    return parser.parse_args(None if script else flags)


def _in_notebook():
    return "ipykernel" in sys.modules


def _relative(path):
    """`path` from where we are, if that is shorter to read."""
    path, here = Path(path), Path.cwd()
    return path.relative_to(here).as_posix() if path.is_relative_to(here) else str(path)


def _leave_the_judgement_to_the_lesson():
    """Silence what estimators say about their fits, which are bad on purpose in some lessons."""
    if "autoencoder" in sys.modules:
        from autoencoder.diagnosis import DiagnosisWarning

        warnings.simplefilter("ignore", DiagnosisWarning)
