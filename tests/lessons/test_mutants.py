"""A sample of changed solutions, spread over the course: the judge rejects each that gives other
results. All of them: ``python tests/tools/lesson_mutants.py``."""

import warnings

from lessons._header import lessons

import numpy as np
import pytest
from lesson_mutants import exercises, judged, mutants, new_cases

SLOW = ("6 train", "12 conv2d", "16 conv2d_shifts", "17 epoch", "17 build", "9 adam_step")


@pytest.fixture(scope="module")
def quick():
    """The exercises whose judges are quick."""
    return [exercise for exercise in exercises(lessons()) if exercise[0] not in SLOW]


@pytest.mark.parametrize("k", range(60))
def test_a_changed_solution_with_other_results_is_rejected(quick, k):
    label, solutions, name, check = quick[k % len(quick)]
    found = mutants(getattr(solutions, name))
    _, words, text = found[(7 * k + 5) % len(found)]
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        cases = new_cases(check, label)
        wanted = [check._run(getattr(solutions, name), case) for case in cases]
        found = judged(label, solutions, name, check, text, cases, wanted)
    assert found["status"] in ("right", "wrong")
    assert found["status"] == "wrong" or not found["other"], f"{label}: {words}"
    assert "\n" not in found["text"] and "Traceback" not in found["text"]


def test_there_are_more_than_a_thousand_mutants():
    made = [mutants(getattr(s, name)) for _, s, name, _ in exercises(range(1, 7))]
    assert all(len(m) >= 20 for m in made)
    assert sum(map(len, made)) > 1000
