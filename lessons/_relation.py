"""What a wrong answer has to do with the right one, where no known mistake explains it.

`relation` tries the usual accidents on all cases at once: a sign, a factor, a transpose, float32.
"""

import warnings

import numpy as np

from ._compare import same

_FACTORS = {2: "2 times", 0.5: "half", 4: "4 times", 0.25: "a quarter of", -1: "-1 times"}


def relation(pairs, cases):
    """A sentence that begins "Yours is", or "". `pairs` are (yours, expected), a pair for a case.

    Both of a pair are arrays of numbers. Only what holds for every wrong case is said.
    """
    with warnings.catch_warnings(), np.errstate(all="ignore"):  # answers can be anything
        warnings.simplefilter("ignore")
        return _relation(pairs, cases)


def _relation(pairs, cases):
    wrong = [(a, e, c) for (a, e), c in zip(pairs, cases, strict=True) if not same(a, e)]
    if not wrong or any(not x.size for a, e, _ in wrong for x in (a, e)):
        return ""
    wrong = [(a.astype(float), e.astype(float), c) for a, e, c in wrong]
    for holds, words in _SIMPLE:
        if all(holds(a, e) for a, e, _ in wrong):
            return f"Yours is {words}."
    for found in (_factor, _offset, _axis, _length):
        words = found(wrong)
        if words:
            return f"Yours is {words}."
    for holds, words in _LAST:
        if all(holds(a, e) for a, e, _ in wrong):
            return f"Yours is {words}."
    return ""


def _is(change, least=1):
    """Whether `change` of the expected one gives yours; it must do something to it."""

    def holds(a, e):
        with np.errstate(all="ignore"):
            try:
                changed = np.asarray(change(e))
            except (ValueError, IndexError):  # not for this shape
                return False
        return e.size >= least and same(a, changed) and not same(changed, e)

    return holds


def _rounded(a, e):
    """Right to the digits that float32 has, and to no more."""
    return a.shape == e.shape and np.allclose(a, e, rtol=3e-6, atol=3e-6 * np.abs(e).max(initial=0))


_SIMPLE = [
    (_is(lambda e: 0 * e), "0 everywhere"),
    (_is(lambda e: -e), "-1 times the expected one: a sign"),
    (_is(lambda e: e.T, 2), "the transpose of the expected one"),
    (_is(lambda e: np.swapaxes(e, -1, -2), 2), "the expected one with its last two axes exchanged"),
    (_is(lambda e: e[::-1], 2), "the expected one in reverse order"),
    (_is(lambda e: e[..., ::-1], 2), "the expected one in reverse order along its last axis"),
    (_is(lambda e: 1 - e), "1 less the expected one"),
    (_is(lambda e: 1 / e), "1 over the expected one"),
    (_is(np.square), "the square of the expected one"),
    (_is(np.sqrt), "the root of the expected one"),
    (_is(np.exp), "the exponential of the expected one"),
    (_is(np.log), "the logarithm of the expected one"),
    (_is(np.abs), "the expected one without its sign"),
    (_is(np.rint), "the expected one rounded to whole numbers"),
    (lambda a, e: a.size == e.size > 0 and a.shape != e.shape and same(a.ravel(), e.ravel()),
     "right in its numbers, but not in its shape"),
]  # fmt: skip
_LAST = [
    (lambda a, e: a.size == e.size > 1 and same(np.sort(a, None), np.sort(e, None)),
     "right in its numbers, but they stand in another order"),
    (_rounded, "right to the digits of float32 only: something was rounded to float32 on the way"),
]  # fmt: skip


def _factor(wrong):
    """One factor for all cases."""
    ratios = []
    for a, e, _ in wrong:
        if a.shape != e.shape or not np.isfinite(a).all() or not np.abs(e).max(initial=0) > 0:
            return None
        ratios.append(float((a * e).sum() / (e * e).sum()))
        if not same(a, ratios[-1] * e):
            return None
    c = ratios[0]
    if not np.allclose(ratios, c, rtol=1e-9, atol=0):
        return None
    if len(wrong) == 1 and wrong[0][1].size == 1 and min(abs(c - k) for k in _FACTORS) > 1e-9:
        return None  # two numbers always have some ratio
    if c == 0:
        return "0 everywhere"
    nice = next((words for k, words in _FACTORS.items() if abs(c - k) < 1e-9 * abs(k)), None)
    return f"{nice or f'{c:.6g} times'} the expected one"


def _offset(wrong):
    """One number added in all cases."""
    if any(a.shape != e.shape or not np.isfinite(a).all() or not a.size for a, e, _ in wrong):
        return None
    offsets = np.concatenate([np.ravel(a - e) for a, e, _ in wrong])
    if len(offsets) == 1 and abs(offsets[0]) not in (0.5, 1, 2):
        return None
    if not np.allclose(offsets, offsets[0], rtol=1e-9, atol=1e-12):
        return None
    return f"the expected one {'plus' if offsets[0] > 0 else 'minus'} {abs(offsets[0]):.6g}"


def _axis(wrong):
    """Off by one along an axis, or not summed over one."""
    for axis in range(max(x.ndim for a, e, _ in wrong for x in (a, e))):
        for step, words in ((1, "later"), (-1, "earlier")):
            if all(
                a.shape == e.shape and a.ndim > axis and a.shape[axis] > 2
                and same(*_shifted(a, e, axis, step)) for a, e, _ in wrong
            ):  # fmt: skip
                return f"the expected one, one place {words} along axis {axis}: off by one"
        for reduce, words in ((np.sum, "sum"), (np.mean, "mean")):
            if all(a.ndim > axis and same(reduce(a, axis=axis), e) for a, e, _ in wrong):
                return f"not summed up yet: its {words} over axis {axis} is the expected one"
        if all(e.ndim > axis and same(a, e.sum(axis=axis)) for a, e, _ in wrong):
            return f"the expected one summed over axis {axis}"
    for reduce, words in ((np.sum, "sum"), (np.mean, "mean")):
        if all(a.ndim > e.ndim and same(np.asarray(reduce(a)), e) for a, e, _ in wrong):
            return f"not summed up yet: the {words} of all its elements is the expected one"
        if all(e.ndim > a.ndim and same(a, np.asarray(reduce(e))) for a, e, _ in wrong):
            return f"the {words} of the expected elements"
    return None


def _shifted(a, e, axis, step):
    a, e = np.moveaxis(a, axis, 0), np.moveaxis(e, axis, 0)
    return (a[1:], e[:-1]) if step > 0 else (a[:-1], e[1:])


def _length(wrong):
    """A factor that is a length of an input: a sum instead of a mean, or the other way round."""
    arrays = [k for k, x in enumerate(wrong[0][2]) if getattr(x, "ndim", 0)]
    for k in arrays:
        for axis in [*range(wrong[0][2][k].ndim), None]:
            for power in (1, -1):
                if all(_is_times(a, e, c[k], axis, power) for a, e, c in wrong):
                    n = "number of elements" if axis is None else f"length along axis {axis}"
                    where = f"input {k + 1}, its {n}"
                    if power > 0:
                        return f"N times the expected one, N from {where}: a sum for a mean?"
                    return f"the expected one divided by N, N from {where}: a mean for a sum?"
    return None


def _is_times(a, e, x, axis, power):
    if axis is not None and getattr(x, "ndim", 0) <= axis:
        return False
    n = x.size if axis is None else x.shape[axis]
    return a.shape == e.shape and same(a, e * float(n) ** power)
