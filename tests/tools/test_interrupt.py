"""A short version of `interrupt.py`: Ctrl-C at many moments leaves no state behind."""

import sys
import threading

import interrupt
import pytest

pytestmark = pytest.mark.skipif(
    sys.gettrace() is not None or threading.current_thread() is not threading.main_thread(),
    reason="the trace function is another's, or signals go to another thread",
)


def test_nothing_is_left_behind(capsys):
    assert not interrupt.run_all(moments=15, signals=5, training=False)
    assert " 0 faults" in capsys.readouterr().out


@pytest.mark.parametrize(
    "action", ["hold", "job", "block", "decorated", "recycled", "count", "new_pool"]
)
def test_nothing_is_left_behind_at_any_moment(action):
    actions = [getattr(interrupt, action)]
    _, interrupted, found = zip(*interrupt.at_chosen_moments(actions, 10_000, None), strict=True)
    assert sum(interrupted) > 50  # else the signals do not arrive
    assert not any(found)


def test_what_is_left_behind_is_noticed(monkeypatch):
    """A hold that no `finally` ends."""

    def careless(function, *arguments, **options):
        shared = interrupt.blas._found()[1]
        shared.lower(holder := object())
        result = function(*arguments, **options)
        shared.restore(holder)
        return result

    monkeypatch.setattr(interrupt.blas, "one_blas_thread", careless)
    shared = interrupt.blas._found()[1]
    found = []
    try:
        for _, _, faults in interrupt.at_chosen_moments([interrupt.hold], 1000, None):
            found += faults
    finally:
        shared.holders.clear()
        shared.restore(None)
    assert any("BLAS has" in fault for fault in found) or not shared.libraries
