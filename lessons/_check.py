"""How an answer is judged, and how a wrong one is recognised.

A `Check` runs the learner's function on cases that are drawn anew, from a fixed seed, for every
call, and asks one or more independent judges: an obvious slow reference first (it can say where the
answer is wrong), then perhaps a derivative measured along a random direction, then PyTorch if it is
installed. A wrong answer, whatever it is, is compared with what the known mistakes give on the same
cases: if it equals one of them, the sentence of that mistake is the message. The tests run the same
mistakes as answers, so every check is known to be able to fail.
"""

import copy
import importlib
import inspect
import time
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from minigrad import Tensor


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
    tolerance: float = 1e-10  # relative to the largest element, absolute below 1
    view: Callable | None = None
    needs: str | None = None


@dataclass(frozen=True)
class Check:
    """Everything about one exercise; see the top of this file.

    `library` is what steps in for an unwritten or wrong answer, `source` where the library does the
    same ("minigrad/shapes.py::sum_to"), `cases()` a list of argument tuples. A mistake is a
    function like the exercise; its docstring is the sentence that the learner reads. `observe(f,
    *case)` says what counts as the answer where it is not simply ``f(*case)``.
    """

    library: Callable
    source: str
    cases: Callable
    judges: list
    mistakes: list
    observe: Callable = field(default=lambda f, *case: f(*case))

    def verdict(self, f):
        """What to say of the function `f`: a Verdict. Never raises because of `f`."""
        cases, answers = self.cases(), []
        for case in cases:
            answers.append(self._run(f, case))
            if isinstance(answers[-1], _Raised) and isinstance(answers[-1].error, Todo):
                return Verdict("todo", f"not started: {answers[-1].error}")
        began = time.perf_counter()
        judges = [judge for judge in self.judges if not judge.needs or _imported(judge.needs)]
        waited, worst = time.perf_counter() - began, 0.0
        for judge in judges:
            for k, (case, answer) in enumerate(zip(cases, answers, strict=True)):
                fault, difference = _compare(judge, answer, case)
                if fault:
                    place = f"case {k + 1} of {len(cases)}, {_call(f, case)}"
                    mistake = self.diagnose(cases, answers)
                    last = " ".join(mistake.__doc__.split()) if mistake else ""
                    text = f"{fault} ({place}, against {judge.against}). {last}".strip()
                    return Verdict("wrong", text, waited)
                worst = max(worst, difference)
        against = _listed([judge.against for judge in judges])
        text = f"right: largest difference {worst:.2g} against {against}"
        return Verdict("right", text, waited)

    def diagnose(self, cases, answers):
        """The known mistake that gives these answers, or None."""
        right = [self._run(self.library, case) for case in cases]
        partial = None
        for mistake in self.mistakes:
            theirs = [self._run(mistake, case) for case in cases]
            same = [_same(a, b) for a, b in zip(answers, theirs, strict=True)]
            if all(same):
                return mistake
            good = [_same(a, b) for a, b in zip(answers, right, strict=True)]
            made = [s and not g for s, g in zip(same, good, strict=True)]
            if any(made) and all(s or g for s, g in zip(same, good, strict=True)):
                partial = partial or mistake  # made in some cases, the others are right
        return partial

    def _run(self, f, case):
        """The answer of `f` to a copy of `case`, or _Raised."""
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            try:
                return self.observe(f, *copy.deepcopy(case))
            except Exception as error:  # whatever a learner's function does, we go on
                file = f.__code__.co_filename if inspect.isfunction(f) else None
                frames = traceback.extract_tb(error.__traceback__)
                mine = [frame.lineno for frame in frames if frame.filename == file]
                return _Raised(error, mine[-1] if mine else None)


class Verdict(NamedTuple):
    status: str  # "todo", "right" or "wrong"
    text: str
    waited: float = 0.0  # seconds for importing what judges need, which no lesson is to blame for


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


# ---------------------------------------------------------------------- comparing
class _Raised(NamedTuple):
    error: Exception
    line: int | None  # of the function's own file


def _compare(judge, answer, case):
    """(what is wrong with the answer or None, largest difference)."""
    if isinstance(answer, _Raised):
        return _describe_error(answer), np.inf
    expected = judge.expected(*copy.deepcopy(case))
    if judge.view:
        try:
            answer = judge.view(answer, *copy.deepcopy(case))
        except Exception:  # the answer has not even the right form
            return f"wrong: returned {_kind(answer)}", np.inf
    if not isinstance(expected, tuple):
        return _difference(answer, expected, judge.tolerance)
    if not isinstance(answer, tuple | list) or len(answer) != len(expected):
        return f"wrong: returned {_kind(answer)}, expected {len(expected)} values", np.inf
    worst = 0.0
    for i, (a, e) in enumerate(zip(answer, expected, strict=True)):
        fault, difference = _difference(a, e, judge.tolerance)
        if fault:
            return fault.replace("wrong", f"wrong in value {i + 1} of {len(expected)}", 1), np.inf
        worst = max(worst, difference)
    return None, worst


def _difference(answer, expected, tolerance):
    if answer is None:
        return "wrong: returned None, is a return missing?", np.inf
    a, e = _array(answer), np.asarray(expected)
    numeric = e.dtype.kind in "biufc"
    if a is None or (a.dtype.kind in "biufc") != numeric:
        wanted = f"numbers of shape {e.shape}" if numeric else f"{e.tolist()}"
        return f"wrong: returned {_kind(answer)}, expected {wanted}", np.inf
    if a.shape != e.shape:
        return f"wrong: shape {a.shape}, expected {e.shape}", np.inf
    if not a.size:
        return None, 0.0
    if not numeric:
        bad, gap = a != e, np.zeros(a.shape)
    else:
        with np.errstate(all="ignore"):
            gap = np.abs(np.where(a == e, 0.0, a.astype(complex) - e))
        gap = np.where(np.isnan(gap), np.where(np.isnan(a) & np.isnan(e), 0.0, np.inf), gap)
        finite = np.abs(e[np.isfinite(e)])
        bad = gap > tolerance * max(1.0, finite.max(initial=0.0))
    if not bad.any():
        return None, float(gap.max())
    at = np.unravel_index(int(np.argmax(np.where(bad, gap, -1))), a.shape)
    place = f" at {tuple(map(int, at))}" if a.ndim else ""
    return f"wrong{place}: yours {_short(a[at])}, expected {_short(e[at])}", np.inf


def _same(a, b):
    """Whether two answers are one and the same, up to rounding, not only both wrong."""
    if isinstance(a, _Raised) or isinstance(b, _Raised):
        if type(a) is not type(b) or type(a.error) is not type(b.error):
            return False
        return str(a.error).split()[:4] == str(b.error).split()[:4]  # the rest can vary
    if isinstance(a, tuple | list) and isinstance(b, tuple | list) and len(a) == len(b):
        return all(_same(x, y) for x, y in zip(a, b, strict=True))
    a, b = _array(a), _array(b)
    if a is None or b is None:
        return a is b
    return _difference(a, b, 1e-9)[0] is None


def _array(x):
    """`x` as an array of numbers or strings, or None if it is nothing of the kind."""
    if x is None:
        return None
    if isinstance(x, Tensor):
        return x.numpy()
    try:
        array = np.asarray(x)
    except Exception:  # lists of unequal lengths
        return None
    return array if array.dtype.kind in "biufcU" else None


# ---------------------------------------------------------------------- words
def _describe_error(raised):
    text = " ".join(str(raised.error).split())
    place = f" in line {raised.line}" if raised.line else " outside your function"
    return f"wrong: {type(raised.error).__name__}{place}" + (f", {text}" if text else "")


def _call(f, case):
    return f"{getattr(f, '__name__', 'f')}({', '.join(_argument(x) for x in case)})"


def _argument(x):
    if isinstance(x, np.ndarray | Tensor):
        text = np.array2string(_array(x), precision=4) if x.size <= 4 else f"array {tuple(x.shape)}"
        return " ".join(text.split())
    if callable(x):
        return getattr(x, "__name__", type(x).__name__)
    text = f"{x:.6g}" if isinstance(x, float) else repr(x)
    return text if len(text) <= 40 and " at 0x" not in text else _a(x)


def _kind(x):
    if x is None:
        return "None"
    if isinstance(x, np.ndarray | Tensor):
        return f"an array of {x.dtype} of shape {tuple(x.shape)}"
    if isinstance(x, tuple | list):
        return f"{_a(x)} of {len(x)}"
    return _a(x)


def _a(x):
    name = type(x).__name__
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def _short(x):
    return f"{x:.8g}" if isinstance(x, np.floating) else str(x)


def _listed(names):
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _imported(module):
    try:
        return importlib.import_module(module)
    except ImportError:
        return None
