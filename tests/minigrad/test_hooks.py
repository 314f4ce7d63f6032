"""Hooks surround every forward and every VJP within their block."""

import pytest
from graphs import here, vector

import minigrad as mg


def test_hooks_nest_and_change_nothing():
    log = []

    def watch(name):
        def around(p, where, phase, function, args):
            log.append((name, p.name, phase))
            return function(*args)

        return around

    def f():
        x = vector(0.5)
        mg.exp(x).backward()
        return x.grad.item()

    plain = f()
    with mg.hook(watch("outer")), mg.hook(watch("inner")):
        assert f() == plain
    assert log == [
        (name, "exp", phase) for phase in ("forward", "backward") for name in ("inner", "outer")
    ]
    log.clear()
    f()
    assert log == []


def test_a_hook_sees_and_may_change_results():
    def doubled(p, where, phase, function, args):
        return 2 * function(*args) if phase == "forward" else function(*args)

    with mg.hook(doubled):
        assert mg.exp(vector(0)).item() == 2
    assert mg.exp(vector(0)).item() == 1


def test_a_hook_ends_with_its_block_also_after_an_error():
    def fails(p, where, phase, function, args):
        raise KeyError(p.name)

    with pytest.raises(KeyError, match="exp"), mg.hook(fails):
        mg.exp(vector(0))
    assert mg.exp(vector(0)).item() == 1


def test_a_hook_is_told_the_line_in_backward():
    y = mg.exp(vector(0))
    line = here(1)
    seen = []

    def look(p, where, phase, function, args):
        seen.append((phase, where))
        return function(*args)

    with mg.hook(look):
        y.backward()
    ((phase, (code, instruction)),) = seen
    made = list(code.co_positions())[instruction // 2][0]
    assert phase == "backward" and f"{code.co_filename}:{made}" == line
