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
    assert not interrupt.run_all(moments=60, signals=10, training=False)
    assert " 0 faults" in capsys.readouterr().out


def test_what_is_left_behind_is_noticed(monkeypatch):
    """A hold that no `finally` ends."""

    def careless(function, *arguments, **options):
        own, shared = interrupt.blas._found()
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
