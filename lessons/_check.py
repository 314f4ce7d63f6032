"""How an answer is judged, and how a wrong one is recognised.

A `Check` runs the learner's function on cases that are drawn anew, from a fixed seed, for every
call, and asks one or more independent judges: an obvious slow reference first (it can say where the
answer is wrong), then perhaps a derivative measured along a random direction, then PyTorch if it is
installed. What a call must not do, whatever it returns, is in ``_watch.py``. A wrong answer is
compared with what the known mistakes give on the same cases: if it equals one of them, the sentence
of that mistake is the message, and otherwise perhaps one of ``_relation.py``. The tests run the
same mistakes as answers, so every check is known to be able to fail.
"""

import copy
import importlib
import inspect
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from ._compare import array, call, describe_error, difference, full, kind, same
from ._flow import cut_off
from ._relation import relation
from ._watch import TooLong, Watched, Wrong, limited


class Todo(Exception):
    """Raised by an exercise that is not written yet; its text is a hint."""


@dataclass(frozen=True)
class Judge:
    """One independent opinion: `expected(*case)` gives the right value.

    `against` names it in the message. With `view`, not the answer itself is compared but
    ``view(answer, *case)``. `needs` is a module without which the judge is left out.
    """

    against: str
    expected: Callable
    tolerance: float = 1e-10  # relative to the largest element, absolute below `floor`
    view: Callable | None = None
    needs: str | None = None
    floor: float = 1.0


@dataclass(frozen=True)
class Check:
    """Everything about one exercise; see the top of this file.

    `library` is what steps in for an unwritten or wrong answer, `source` where the library does the
    same ("minigrad/shapes.py::sum_to"), `cases()` a list of argument tuples. A mistake is a
    function like the exercise; its docstring is the sentence that the learner reads. `observe(f,
    *case)` says what counts as the answer where it is not simply ``f(*case)``; it may raise Wrong.
    `returns` is the promised kind of thing, `changes` the places of arguments that may be changed
    (both: ``_watch.py``). `trained`: where Tensors came in, the gradient that flows from the
    answer to them is judged too.
    """

    library: Callable
    source: str
    cases: Callable
    judges: list
    mistakes: list
    observe: Callable = field(default=lambda f, *case: f(*case))
    returns: str | tuple | None = None
    changes: tuple = ()
    trained: bool = False

    def verdict(self, f, quick=False):
        """What to say of the function `f`: a Verdict. Never raises because of `f`.

        With `quick`, judges that need another package are left out.
        """
        cases, seen, unfinished = self.cases(), [], None
        for case in cases:
            seen.append(self._run(f, case))
            error = getattr(seen[-1].value, "error", None)
            if isinstance(error, Todo) and len(seen) == 1:
                return Verdict("todo", f"not started: {error}")
            if isinstance(error, Todo):  # what is there already is judged
                unfinished = f"begun, right in {len(seen) - 1} of {len(cases)} cases: {error}"
                cases, seen = cases[: len(seen) - 1], seen[:-1]
                break
            if isinstance(error, TooLong):  # the other cases would take as long
                seen += [seen[-1]] * (len(cases) - len(seen))
                break
        began = time.perf_counter()
        judges = [j for j in self.judges if not j.needs or (not quick and _imported(j.needs))]
        waited, worst = time.perf_counter() - began, 0.0
        for judge in judges:
            for k, (case, (answer, _)) in enumerate(zip(cases, seen, strict=True)):
                fault, gap = _compare(judge, answer, case)
                if fault:
                    why = self._explain(cases, seen)
                    return self._wrong(f, fault, k, cases, judge.against, why, waited)
                worst = max(worst, gap)
        for k, (case, (_, fault)) in enumerate(zip(cases, seen, strict=True)):
            against = "what is promised" if fault else "the slope along a random direction"
            fault = fault or (
                self.trained and cut_off(f, case, self.judges[0].expected, self.library)
            )
            if fault:
                mistake = self.diagnose(cases, seen, faults=True)
                return self._wrong(f, f"wrong: {fault}", k, cases, against, _words(mistake), waited)
        if not self._again(f, cases[0], seen[0]):
            fault = (
                "wrong: right at the first call, another value at the second with the same input: "
                "something is remembered between calls, such as a list among the default values"
            )
            return self._wrong(f, fault, 0, cases, "itself", "", waited)
        if unfinished:
            return Verdict("todo", unfinished, waited)
        against = _listed([judge.against for judge in judges])
        text = f"right: largest difference {worst:.2g} against {against}"
        return Verdict("right", text, waited)

    def diagnose(self, cases, seen, faults=False):
        """The known mistake that gives these answers (and with `faults` commits them), or None."""
        right, partial = [self._run(self.library, case) for case in cases], None
        for mistake in self.mistakes:
            theirs = [self._run(mistake, case) for case in cases]
            alike = [
                same(a.value, b.value) and (not faults or a.fault == b.fault)
                for a, b in zip(seen, theirs, strict=True)
            ]
            if all(alike):
                return mistake
            good = [same(a.value, b.value) for a, b in zip(seen, right, strict=True)]
            made = [s and not g for s, g in zip(alike, good, strict=True)]
            if any(made) and all(s or g for s, g in zip(alike, good, strict=True)):
                partial = partial or mistake  # made in some cases, the others are right
        return partial

    def show(self, f, number):
        """Print case `number` (from 1) in full: inputs, answer, right answer; raise its error."""
        cases = self.cases()
        if not 1 <= number <= len(cases):
            raise SystemExit(f"there are cases 1 to {len(cases)}")
        case = cases[number - 1]
        for x in case:
            print(f"input:    {full(x)}")
        print(f"expected: {full(self._run(self.library, case).value)}")
        try:
            with limited():
                print(f"yours:    {full(self.observe(f, *copy.deepcopy(case)))}")
        except TooLong as error:
            sys.exit(f"yours:    {describe_error(error, None)}")

    # ------------------------------------------------------------------ parts of a verdict
    def _wrong(self, f, fault, k, cases, against, why, waited):
        place = f"case {k + 1} of {len(cases)}, {call(f, cases[k])}"
        return Verdict("wrong", f"{fault} ({place}, against {against}). {why}".strip(), waited, k)

    def _explain(self, cases, seen):
        """The sentence of a known mistake, or what else can be said of wrong values."""
        if any(isinstance(getattr(s.value, "error", None), TooLong) for s in seen):
            return ""
        mistake = self.diagnose(cases, seen)
        if mistake:
            return _words(mistake)
        fault = next((s.fault for s in seen if s.fault), None)
        if fault:
            return f"Also: {fault.removeprefix('the value is right, but ')}."
        right = [self._run(self.library, case).value for case in cases]
        return _relations(cases, [s.value for s in seen], right)

    def _run(self, f, case):
        """What `f` does with a copy of `case`: Seen(value or Raised, fault beside the value)."""
        watched = Watched(f, self.returns, self.changes)
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            try:
                with limited():
                    value = self.observe(watched, *copy.deepcopy(case))
            except (Exception, TooLong) as error:  # whatever a learner's function does, we go on
                file = f.__code__.co_filename if inspect.isfunction(f) else None
                frames = traceback.extract_tb(error.__traceback__)
                mine = [frame.lineno for frame in frames if frame.filename == file]
                if not mine and watched.fault and not isinstance(error, Wrong):
                    error = Wrong(watched.fault)  # what comes of it elsewhere explains nothing
                return Seen(Raised(error, mine[-1] if mine else None), watched.fault)
        return Seen(value, watched.fault)

    def _again(self, f, case, first):
        """Whether `f` gives the same once more."""
        return isinstance(first.value, Raised) or same(self._run(f, case).value, first.value)


class Verdict(NamedTuple):
    status: str  # "todo", "right" or "wrong"
    text: str
    waited: float = 0.0  # seconds for importing what judges need, which no lesson is to blame for
    case: int | None = None  # the one that failed


class Seen(NamedTuple):
    value: object  # the answer, or Raised
    fault: str | None  # what is wrong with the calls, beside the value


class Raised(NamedTuple):
    error: BaseException
    line: int | None  # of the function's own file


def directional(f, *, h=1e-5, tolerance=1e-6):
    """The judge of a vector-Jacobian product ``answer = vjp(g, *inputs)`` of ``f(*inputs)``.

    The answer (one gradient for each input, or a single array) is taken along a random direction v
    and compared with the slope of <g, f> measured along v by central differences.
    """

    def direction(inputs):
        rng = np.random.default_rng(len(inputs))
        return [rng.standard_normal(np.shape(x)) for x in inputs]

    def measured(g, *inputs):
        vs = direction(inputs)
        ahead = f(*(x + h * v for x, v in zip(inputs, vs, strict=True)))
        behind = f(*(x - h * v for x, v in zip(inputs, vs, strict=True)))
        return float(np.sum(g * (ahead - behind)) / (2 * h))

    def view(answer, g, *inputs):
        gradients = answer if isinstance(answer, tuple | list) else [answer]
        pairs = zip(gradients, direction(inputs), strict=True)
        return sum(float(np.sum(np.asarray(a) * v)) for a, v in pairs)

    return Judge("a slope along a random direction", measured, tolerance, view)


# ---------------------------------------------------------------------- one judge
def _compare(judge, answer, case):
    """(what is wrong with the answer or None, largest difference)."""
    if isinstance(answer, Raised):
        return describe_error(answer.error, answer.line), np.inf
    expected = judge.expected(*copy.deepcopy(case))
    if judge.view:
        try:
            answer = judge.view(answer, *copy.deepcopy(case))
        except Exception:  # the answer has not even the right form
            return f"wrong: returned {kind(answer)}", np.inf
    if not isinstance(expected, tuple):
        return difference(answer, expected, judge.tolerance, judge.floor)
    if not isinstance(answer, tuple | list) or len(answer) != len(expected):
        return f"wrong: returned {kind(answer)}, expected {len(expected)} values", np.inf
    worst = 0.0
    for i, (a, e) in enumerate(zip(answer, expected, strict=True)):
        fault, gap = difference(a, e, judge.tolerance, judge.floor)
        if fault:
            return fault.replace("wrong", f"wrong in value {i + 1} of {len(expected)}", 1), np.inf
        worst = max(worst, gap)
    return None, worst


def _relations(cases, answers, right):
    """What wrong values have to do with the right ones, or ""."""
    if any(isinstance(x, Raised) for x in [*answers, *right]):
        return ""
    pairs = list(zip(answers, right, strict=True))
    if not isinstance(right[0], tuple):
        return _relation_of(pairs, cases)
    n = len(right[0])
    if any(not isinstance(a, tuple | list) or len(a) != n for a in answers):
        return ""
    if n == 2 and all(same(a[0], e[1]) and same(a[1], e[0]) for a, e in pairs):
        return "The two values are exchanged."
    first = next((i for i in range(n) if not all(same(a[i], e[i]) for a, e in pairs)), 0)
    words = _relation_of([(a[first], e[first]) for a, e in pairs], cases)
    return words and f"In value {first + 1}: {words[0].lower()}{words[1:]}"


def _relation_of(pairs, cases):
    arrays = [(array(a), array(e)) for a, e in pairs]
    if any(x is None or x.dtype.kind not in "biuf" for pair in arrays for x in pair):
        return ""
    return relation(arrays, cases)


def _words(mistake):
    return " ".join(mistake.__doc__.split()) if mistake else ""


def _listed(names):
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _imported(module):
    try:
        return importlib.import_module(module)
    except ImportError:
        return None
