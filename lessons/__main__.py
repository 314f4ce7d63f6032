"""``python -m lessons``: the list of lessons; with numbers or ``all``, run them."""

import argparse
import importlib
import subprocess
import sys
import time

from . import _lesson, _numbers
from ._ending import polite
from ._header import FOLDER, lessons, read_header
from ._lesson import add_options
from ._progress import read_progress, writable
from ._run import problem, run, table

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
    parser.add_argument("lesson", nargs="*", help="numbers, or all; none: the list with progress")
    add_options(parser)
    parser.add_argument("--watch", action="store_true", help="run again whenever you save")
    parser.add_argument("--record", action="store_true", help="record the numbers (authors)")
    parser.add_argument(
        "--table", action="store_true", help="write the table in README.md (authors)"
    )
    options = parser.parse_args()
    numbers = _numbers_of(parser, options.lesson)
    names = [n for n in ("fast", "full", "show", "solution", "give_up") if getattr(options, n)]
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
        return list(lessons())
    numbers = [int(word) if word.isdecimal() else word for word in words]
    unknown = [str(n) for n in numbers if n not in lessons()]
    if unknown:
        known = ", ".join(map(str, lessons()))
        parser.error(f"there is no lesson {', '.join(unknown)}; there are {known}")
    return numbers


def show_list():
    """One line for each lesson: what is done of it, how long it takes."""
    progress = read_progress(writable(_lesson.OUT))
    for number, path in lessons().items():
        header, status = read_header(path), progress.get(str(number))
        done = f"{status.count('right')}/{len(status)}" if status else "   "
        print(
            f"{number:2d}  {header.title:52} {done:5} {header.budget['default']:3g} s  {path.name}"
        )
    print("\nRun one with  python -m lessons 1  (or as a script); write where it says Todo.")
    return 0


def run_all(numbers, flags, mode):
    """Run lessons one after the other; with several, end with a table. 1 if any failed."""
    rows, failed = [], False
    for number in numbers:
        outcome = run(number, *flags)
        said = problem(outcome, mode)
        seconds = outcome.lesson.seconds if outcome.lesson else None
        rows.append((number, seconds, said))
        failed |= bool(said)
        print()
    if len(rows) > 1 or failed:
        print("lesson  seconds")
        for number, seconds, said in rows:
            taken = f"{seconds:7.1f}" if seconds is not None else "      -"
            print(f"{number:6d}  {taken}  {said or 'ok'}")
        print(f"   all  {sum(row[1] or 0 for row in rows):7.1f}")
    return int(failed)


def watch(numbers, flags):
    """Run the lesson, and again in a new process whenever its file changes, until Ctrl-C.

    A run that is still going on when its file is saved is ended: what it says is of the past.
    """
    paths = [lessons()[n] for n in numbers]
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
    with subprocess.Popen([sys.executable, str(path), *flags]) as running:
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
    for number in numbers:
        records = {}
        for mode, flags in (("fast", ["--fast"]), ("default", [])):
            outcome = run(number, "--solution", *flags)
            lesson = outcome.lesson
            if outcome.status or lesson is None or lesson.seconds is None:
                print(f"lesson {number} failed, nothing is recorded: {outcome.error}")
                return 1
            lesson.stale.clear()  # the old record
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
