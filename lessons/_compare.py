"""Comparing an answer with the expected one, and the words for what differs."""

import re

import numpy as np

from minigrad import Tensor

from ._watch import SECONDS, TooLong, Wrong, a, kind


def difference(answer, expected, tolerance, floor=1.0):
    """(what is wrong with the answer or None, largest difference)."""
    if answer is None:
        return "wrong: returned None, is a return missing?", np.inf
    x, e = array(answer), np.asarray(expected)
    numeric = e.dtype.kind in "biufc"
    if x is None or (x.dtype.kind in "biufc") != numeric:
        wanted = f"numbers of shape {e.shape}" if numeric else f"{e.tolist()}"
        return f"wrong: returned {kind(answer)}, expected {wanted}", np.inf
    if x.shape != e.shape:
        return f"wrong: shape {x.shape}, expected {e.shape}", np.inf
    if not x.size:
        return None, 0.0
    if not numeric:
        bad, gap = x != e, np.zeros(x.shape)
    else:
        with np.errstate(all="ignore"):
            gap = np.abs(np.where(x == e, 0.0, x.astype(complex) - e))
        gap = np.where(np.isnan(gap), np.where(np.isnan(x) & np.isnan(e), 0.0, np.inf), gap)
        finite = np.abs(e[np.isfinite(e)])
        bad = gap > tolerance * max(floor, finite.max(initial=0.0))
    if not bad.any():
        return None, float(gap.max())
    at = np.unravel_index(int(np.argmax(np.where(bad, gap, -1))), x.shape)
    place = f" at {tuple(map(int, at))}" if x.ndim else ""
    yours, right = apart(x[at], e[at])
    return f"wrong{place}: yours {yours}, expected {right}", np.inf


def same(x, y):
    """Whether two answers are one and the same, up to rounding, not only both wrong."""
    errors = getattr(x, "error", None), getattr(y, "error", None)
    if any(errors):
        if type(errors[0]) is not type(errors[1]):
            return False
        if isinstance(errors[0], RecursionError):  # where it was met is chance
            return True
        words = [re.sub(r"[\d\s,()]+", " ", str(error)) for error in errors]  # shapes can vary
        return words[0] == words[1]
    if isinstance(x, tuple | list) and isinstance(y, tuple | list) and len(x) == len(y):
        return all(same(p, q) for p, q in zip(x, y, strict=True))
    x, y = array(x), array(y)
    if x is None or y is None:
        return x is y
    if x.shape != y.shape or (x.dtype.kind == "U") != (y.dtype.kind == "U"):
        return False
    if x.dtype.kind == "U":
        return bool((x == y).all())
    small = 1e-13 * max(np.abs(y[np.isfinite(y)]).max(initial=0.0), 1e-6)
    return bool(np.allclose(x, y, rtol=1e-9, atol=small, equal_nan=True))


def array(x):
    """`x` as an array of numbers or strings, or None if it is nothing of the kind."""
    if x is None:
        return None
    if isinstance(x, Tensor):
        return x.numpy()
    try:
        values = np.asarray(x)
    except Exception:  # lists of unequal lengths
        return None
    return values if values.dtype.kind in "biufcU" else None


# ---------------------------------------------------------------------- words
def describe_error(error, line):
    """The sentence for an exception of an answer, raised in this line of it."""
    if isinstance(error, TooLong):
        place = f" in line {line}" if line else ""
        return f"wrong: still running after {SECONDS} s{place}, stopped: an endless loop?"
    text = " ".join(str(error).split())
    if isinstance(error, Wrong):
        return f"wrong: {text}"
    place = f" in line {line}" if line else " outside your function"
    if isinstance(error, RecursionError):
        text = "a function calls itself without end"
    return f"wrong: {type(error).__name__}{place}" + (f", {text}" if text else "")


def call(f, case):
    """How `f` was called, arrays in short."""
    return f"{getattr(f, '__name__', 'f')}({', '.join(argument(x) for x in case)})"


def argument(x):
    if isinstance(x, np.ndarray | Tensor):
        text = np.array2string(array(x), precision=4) if x.size <= 4 else f"array {tuple(x.shape)}"
        return " ".join(text.split())
    if callable(x):
        return getattr(x, "__name__", type(x).__name__)
    text = f"{x:.6g}" if isinstance(x, float) else repr(x)
    return text if len(text) <= 40 and " at 0x" not in text else a(x)


def apart(x, y):
    """Two numbers (or words) with as many digits as it takes to tell them apart, 8 at least."""
    for digits in range(8, 18):
        texts = [f"{n:.{digits}g}" if isinstance(n, np.floating) else str(n) for n in (x, y)]
        if texts[0] != texts[1]:
            break
    return texts


def full(x):
    """`x` with all its numbers."""
    if hasattr(x, "error"):
        return describe_error(x.error, x.line)
    if isinstance(x, tuple | list):
        return ", ".join(map(full, x))
    if isinstance(x, np.ndarray | Tensor):
        text = np.array2string(array(x), max_line_width=100, threshold=200, precision=17)
        return f"{kind(x)}\n{text}"
    return getattr(x, "__name__", None) or repr(x)
