"""Numbers that lessons report, and how near a new one must be to the recorded one.

``expected/NN.json`` holds {"fast": {...}, "default": {...}}, each with the numbers by name as
{"value": ..., "tolerance": ...} and the seconds that the run took. ``python -m lessons --record N``
writes it. A tolerance is one of

    "exact"    1e-10 of the value          "5%"      five per cent of the value
    "close"    1e-6 of the value           "x3"      up to three times larger or smaller
    "any"      shown, never compared       "+-0.02"  0.02 more or less
"""

import json

import numpy as np

from ._header import FOLDER

EXPECTED = FOLDER / "expected"


def within(value, expected, tolerance):
    """Whether `value` (a number or a list) equals `expected` to `tolerance`, one of the above.

    >>> within(2.1, 2.0, "10%"), within(2.1, 2.0, "close"), within([1, 2], [1, 2], "exact")
    (True, False, True)
    """
    if tolerance == "any":
        return True
    value, expected = np.asarray(value), np.asarray(expected)
    if value.shape != expected.shape or not np.isfinite(value).all():
        return False
    if tolerance.startswith("x"):
        factor = float(tolerance[1:])
        low, high = expected / factor, expected * factor
        return bool(((value >= np.minimum(low, high)) & (value <= np.maximum(low, high))).all())
    if tolerance.startswith("+-"):
        return bool((np.abs(value - expected) <= float(tolerance[2:])).all())
    relative = {"exact": 1e-10, "close": 1e-6}.get(tolerance)
    if relative is None and tolerance.endswith("%"):
        relative = float(tolerance[:-1]) / 100
    if relative is None:
        raise ValueError(f'unknown tolerance {tolerance!r}: "exact", "close", "5%", "x3", "+-0.02"')
    return bool((np.abs(value - expected) <= relative * np.abs(expected)).all())


def plain(value):
    """A number or sequence as what JSON can hold."""
    return np.asarray(value).tolist()


def show(value, tolerance="any"):
    """A value with the digits that its tolerance makes worth reading: six or three.

    >>> show(1234567), show(0.000123456), show([1, 24.70408], "exact")
    ('1,234,567', '0.000123', '1, 24.7041')
    """
    if isinstance(value, list):
        return ", ".join(show(v, tolerance) for v in value)
    digits = 6 if tolerance in ("exact", "close") else 3
    return f"{value:,}" if isinstance(value, int) else f"{value:.{digits}g}"


def read_stored(name):
    """The contents of ``expected/<name>.json``, which no lesson writes."""
    return json.loads((EXPECTED / f"{name}.json").read_text(encoding="utf-8"))


def read_expected(number):
    """What is recorded of lesson `number`: {} if nothing is."""
    path = EXPECTED / f"{number:02d}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def write_expected(number, records):
    path = EXPECTED / f"{number:02d}.json"
    path.write_text(json.dumps(records, indent=1) + "\n", encoding="utf-8")
