"""Run a lesson inside this process, as the script it is, and keep what it found."""

import contextlib
import io
import sys
import traceback
from typing import NamedTuple

from ._header import read_header, scripts, way
from ._lesson import Lesson


class Run(NamedTuple):
    lesson: Lesson | None  # None if it did not come so far
    status: int  # as the script's exit status
    text: str  # what it printed, if `quiet`
    error: str  # the last line of a traceback, or ""


def run(number, *flags, quiet=False, change=None):
    """Run lesson `number` with command line `flags`: a Run.

    `change` is a function of the source text, with which tests write into exercises.
    """
    path = scripts()[number]
    source = path.read_text(encoding="utf-8")
    source = change(source) if change else source
    names = {"__name__": "__main__", "__file__": str(path)}
    argv, printed, status, error = sys.argv, io.StringIO(), 0, ""
    try:
        sys.argv = [str(path), *flags]
        with contextlib.redirect_stdout(printed) if quiet else contextlib.nullcontext():
            exec(compile(source, str(path), "exec"), names)
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    except BrokenPipeError:  # `| head`: whoever reads has seen enough
        raise
    except Exception as problem:
        status, error = 1, traceback.format_exception_only(problem)[-1].strip()
        if not quiet:
            traceback.print_exc()
    finally:
        sys.argv = argv
    return Run(names.get("lesson"), status, printed.getvalue(), error)


def problem(outcome, mode, timed=False):
    """What is wrong with a Run, in a few words; "" if nothing is. Only with `timed` is the budget
    of seconds asked for: it binds authors, whose machine is known, not learners."""
    lesson = outcome.lesson
    if outcome.error or lesson is None or lesson.seconds is None:
        return f"stopped: {outcome.error or 'no lesson.finish()'}"
    wrong = [title for title, verdict in lesson.verdicts.items() if verdict.status == "wrong"]
    budget = lesson.header.budget.get(mode) if timed else None
    if wrong:
        return f"wrong: {', '.join(wrong)}"
    if lesson.waits:
        return ""
    if lesson.stale:
        return f"numbers: {'; '.join(lesson.stale)}"
    if budget and lesson.seconds > 2 * budget:
        return f"too slow: more than twice its {budget:g} s"
    if timed and lesson.seconds < 0.05:
        return "too fast: less than 0.05 s, so it ran nothing"
    return ""


def table():
    """The table of all lessons for README.md, from their headers and recorded runs."""
    from ._header import FOLDER
    from ._numbers import EXPECTED, read_expected

    rows = ["| | lesson | you write | you get | seconds | |", "|---|---|---|---|---|---|"]
    for number, path in way():
        header, record = read_header(path), read_expected(number).get("default", {})
        seconds = f"{record['seconds']:.1f}" if record else ""
        picture = EXPECTED / f"{number:02d}.png"
        thumbnail = f"![]({EXPECTED.name}/{picture.name})" if picture.exists() else ""
        link = path.relative_to(FOLDER).as_posix()
        name = f"**[{header.title}]({link})** {header.fields['Idea']}"
        written, got = header.fields["You write"], header.fields["You get"]
        rows.append(f"| {number} | {name} | {written} | {got} | {seconds} | {thumbnail} |")
    return "\n".join(rows)
