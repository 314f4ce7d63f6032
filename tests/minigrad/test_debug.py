"""Proves that the debugging tools name the right operation, line and time, and cost nothing off."""

import time

import numpy as np
import pytest

import minigrad as mg
from minigrad.debug import explain, nan_trace, profile
from minigrad.state import mode


def test_explain_lists_operations_in_order_with_what_they_keep():
    x = mg.tensor(np.ones((10, 100)), requires_grad=True)
    y = mg.exp(x) * 2.0
    lines = explain(y.sum()).splitlines()
    assert [line.split("  ")[0] for line in lines] == [
        "%1 = leaf",
        "%2 = exp(%1)",
        "%3 = multiply(%2, _)",
        "%4 = sum(%3, _, _)",
    ]
    assert "keeps 8.0 kB" in lines[1]
    assert f"{__file__}:" in lines[1]
    loss = y.sum()
    loss.backward()
    assert "released" in explain(loss)
    with pytest.raises(ValueError, match="no recorded computation"):
        explain(mg.tensor(1.0))


def test_nan_trace_names_the_first_culprit_forward():
    x = mg.tensor([1.0, 0.0, 4.0], requires_grad=True)
    with np.errstate(all="ignore"):
        mg.exp(mg.log(x)) * np.inf  # nobody watches
        with pytest.raises(FloatingPointError, match="forward of log at") as caught, nan_trace():
            mg.exp(mg.log(x))
    assert __file__ in str(caught.value)
    assert "1 of 3 numbers" in str(caught.value)
    assert "from 0 to 4" in str(caught.value)


def test_nan_trace_names_the_first_culprit_backward():
    x = mg.tensor([1.0, 0.0], requires_grad=True)
    y = mg.sqrt(x).sum()
    with np.errstate(all="ignore"), pytest.raises(FloatingPointError) as caught, nan_trace():
        y.backward()
    assert "backward of sqrt" in str(caught.value) or "forward of divide" in str(caught.value)


def test_nan_trace_lets_through_what_was_not_finite_before():
    with nan_trace():
        y = mg.tensor([np.nan, np.inf]) * 2.0 + 1.0
    assert not np.isfinite(y.data).any()


def test_profile_counts_and_times_each_operation_by_itself():
    @mg.primitive("an array", x=lambda g: slow(g))
    def slow(x):
        time.sleep(0.02)
        return x

    began = time.perf_counter()
    with profile() as table:
        x = mg.tensor(1.0, requires_grad=True)
        mg.exp(slow(slow(x))).backward()
    passed = 1000 * (time.perf_counter() - began)
    rows = {tuple(line.split()[:2]): line.split()[2:] for line in table().splitlines()[1:]}
    assert rows["slow", "forward"][0] == "4"  # two, and two inside the VJPs
    assert rows["slow", "backward"][0] == "2"
    assert float(rows["slow", "forward"][1]) > 70
    assert float(rows["slow", "backward"][1]) < 20
    assert rows["exp", "forward"][0] == "1"
    assert sum(float(row[1]) for row in rows.values()) <= passed + 1  # nothing is counted twice


def test_hooks_are_gone_after_the_block_even_after_an_error():
    with pytest.raises(ZeroDivisionError), nan_trace(), profile():
        raise ZeroDivisionError
    assert mode.get().around is None
