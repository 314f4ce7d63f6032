"""``python -m lessons``: the list of lessons; with numbers or ``all``, run them."""

import argparse
import importlib.util
import re
import subprocess
import sys
import time

from . import _doctor, _lesson, _numbers
from ._ending import polite
from ._header import FOLDER, read_header, scripts, way
from ._lesson import add_options
from ._progress import read_progress, writable
from ._run import problem, run, table

_FLAGS = ("fast", "full", "show", "solution", "give_up", "all", "hint", "reveal")
# Words in the place of numbers: the module whose main(arguments) does it, and what it needs.
COMMANDS = {
    "book": ("lessons.book.build", "docs"),
    "grade": ("lessons._grade", "test"),
    "nbgrader": ("lessons._nbgrader", "docs"),
}


def main():
    if sys.argv[1:2] and sys.argv[1] in COMMANDS:
        return command(*COMMANDS[sys.argv[1]], sys.argv[2:])
    parser = argparse.ArgumentParser(prog="python -m lessons", description=__doc__)
    words = "numbers of lessons, years of milestones, all, or doctor; none: how far you are"
    parser.add_argument("lesson", nargs="*", help=words)
    add_options(parser)
    parser.add_argument("--watch", action="store_true", help="run again whenever you save")
    parser.add_argument("--record", action="store_true", help="record the numbers (authors)")
    parser.add_argument(
        "--table", action="store_true", help="write the table in README.md (authors)"
    )
    options = parser.parse_args()
    if options.lesson == ["doctor"]:
        return _doctor.main()
    numbers = _numbers_of(parser, options.lesson)
    options.all |= options.lesson == ["all"]
    names = [n for n in _FLAGS if getattr(options, n)]
    flags = ["--" + n.replace("_", "-") for n in names]
    valued = {"--case": options.case, "--seed": options.seed, "--json": options.json}
    flags += [str(x) for pair in valued.items() if pair[1] is not None for x in pair]
    if options.record:
        return record(numbers)
    if options.table:
        return write_table()
    if not numbers:
        return show_list()
    if options.watch:
        return watch(numbers, flags)
    mode = "fast" if options.fast else "full" if options.full else "default"
    return run_all(numbers, flags, mode)


def command(module, extra, arguments):
    """Call main of a `module` that may need packages of the `extra`; say so where they are not."""
    try:
        found = importlib.import_module(module)
    except ModuleNotFoundError as error:
        sys.exit(f"This needs {error.name}: run  pip install -e '.[{extra}]'  in {FOLDER.parent}")
    return found.main(arguments)


def _numbers_of(parser, words):
    if words == ["all"]:
        return [number for number, _ in way()]
    numbers = [int(word) if word.isdecimal() else word for word in words]
    unknown = [str(n) for n in numbers if n not in scripts()]
    if unknown:
        known = ", ".join(map(str, scripts()))
        parser.error(f"there is no lesson {', '.join(unknown)}; there are {known}")
    return numbers


def show_list():
    """The way as a line of time: what is done of each lesson, and where the milestones stand."""
    progress = read_progress(writable(_lesson.OUT))
    marks = {"right": "+", "wrong": "x", "todo": "o"}
    solved, here = 0, None
    for number, path in way():
        header, status = read_header(path), progress.get(str(number))
        if number > 100:
            needs = re.findall(r"\d+", header.fields["Needs"])
            ready = all(_whole(progress.get(str(int(n)))) for n in needs)
            rail = "*" if status is not None else ">" if ready else "|"
            state = "seen" if status is not None else "yours now" if ready else ""
        else:
            rail, state = "#" if _whole(status) else "|", "".join(marks[s] for s in status or ())
            solved += (status or []).count("right")
            here = here or (number if not _whole(status) else None)
        note = "   <- here" if number == here else ""
        seconds = f"{header.budget['default']:g} s"
        print(f"{rail} {number:4d}  {state:9}  {header.title:46} {seconds:>5}  {path.name}{note}")
    print(f"\n{solved} exercises solved. Run the next lesson with  python -m lessons {here or 1}")
    print("(or as a script); write where it says Todo. The years are milestones, which run on what")
    print("you have written. python -m lessons doctor  examines the installation.")
    return 0


def _whole(status):
    """Whether every exercise of a lesson is right."""
    return bool(status) and set(status) == {"right"}


def run_all(numbers, flags, mode):
    """Run lessons one after the other; with several, end with a table. 1 if any failed."""
    rows, failed = [], False
    for number in numbers:
        outcome = run(number, *flags)
        said, lesson = problem(outcome, mode), outcome.lesson
        waits = f"waits for {lesson.waits}" if lesson and lesson.waits else "ok"
        rows.append((number, lesson.seconds if lesson else None, said or waits))
        failed |= bool(said)
        print()
    if len(rows) > 1 or failed:
        print("lesson  seconds")
        for number, seconds, said in rows:
            taken = f"{seconds:7.1f}" if seconds is not None else "      -"
            print(f"{number:6d}  {taken}  {said}")
        print(f"   all  {sum(row[1] or 0 for row in rows):7.1f}")
    return int(failed)


def watch(numbers, flags):
    """Run the lesson, and again in a new process whenever its file changes, until Ctrl-C.

    A run that is still going on when its file is saved is ended: what it says is of the past.
    """
    paths = [scripts()[n] for n in numbers]
    try:
        while True:
            seen = _times(paths)
            if all(_run_until_saved(path, flags, paths, seen) for path in paths):
                print("\nwaiting for you to save; Ctrl-C ends", flush=True)
                while _times(paths) == seen:
                    time.sleep(0.2)
            else:
                print("\nsaved meanwhile: once more from the beginning\n", flush=True)
    except KeyboardInterrupt:
        return 0


def _run_until_saved(path, flags, paths, seen):
    """Whether the run came to its end before a file was saved."""
    words = [sys.executable, str(path), *flags]
    with subprocess.Popen(words, stdin=subprocess.DEVNULL) as running:  # it asks for no guesses
        try:
            while running.poll() is None:
                if _times(paths) != seen:
                    return False
                time.sleep(0.1)
            return True
        finally:
            if running.poll() is None:
                running.kill()


def _times(paths):
    """When each file was saved; 0 while an editor replaces it."""
    return [path.stat().st_mtime_ns if path.exists() else 0 for path in paths]


def record(numbers):
    """Run the solutions, fast and by default, and record numbers, times and a small picture."""
    if importlib.util.find_spec("torch"):
        importlib.import_module("torch")  # whose seconds are not the lesson's
    for number in numbers:
        records = {}
        for mode, flags in (("fast", ["--fast"]), ("default", [])):
            began = time.process_time()
            outcome = run(number, "--solution", *flags)
            lesson, worked = outcome.lesson, time.process_time() - began
            if outcome.status or lesson is None or lesson.seconds is None:
                print(f"lesson {number} failed, nothing is recorded: {outcome.error}")
                return 1
            lesson.stale.clear()  # the old record
            lesson.seconds = min(lesson.seconds, worked)  # on a busy machine it had to wait
            if said := problem(outcome, mode, timed=True):
                print(f"lesson {number}, nothing is recorded: {said}")
                return 1
            records[mode] = {"seconds": round(lesson.seconds, 2), "numbers": lesson.numbers}
        _numbers.write_expected(number, records)
        _, figure = lesson.figures[0]
        figure.savefig(_numbers.EXPECTED / f"{number:02d}.png", dpi=45)
    return write_table()


def write_table():
    """Put the table of lessons between the two marks in README.md."""
    path = FOLDER / "README.md"
    before, mark, rest = path.read_text(encoding="utf-8").partition("<!-- table -->\n")
    after = rest.partition("<!-- end of table -->")[2]
    path.write_text(f"{before}{mark}\n{table()}\n\n<!-- end of table -->{after}", encoding="utf-8")
    return 0


if __name__ == "__main__":
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(line_buffering=True)
    with polite():
        sys.exit(main())
