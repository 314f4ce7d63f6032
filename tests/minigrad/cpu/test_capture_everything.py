"""Captured, every operation gives the bits that it gives as it is, forward and backward: in random
graphs of all of them, with other numbers at each call."""

import numpy as np
import pytest

from minigrad.cpu import Captured

pytest.importorskip("torch", reason="the random graphs are made with PyTorch")

import random_programs

MADE = range(150)
CALLS = 5


def calls_of(program, captured):
    """The results and gradients of some calls, as bytes; whether the last was a replay."""
    names = {}
    exec(f"{random_programs.HEADER}\n\n{program.definitions()}", names)
    leaves = [names["leaf"](value) for value in names["leaves"]]
    shown = [x.data for x in leaves]

    def step():
        for x in leaves:
            x.grad = None
        y = names["mine"](*leaves)
        if y.requires_grad:
            y.backward()
        return y, [x.grad for x in leaves]

    step, seen = Captured(step) if captured else step, []
    for k in range(CALLS):
        for x, first in zip(shown, names["leaves"], strict=True):
            x[...] = first * (1 + k / 64)
        try:
            y, gradients = step()
        except RuntimeError as error:
            return str(error), seen
        arrays = [g._data for g in (y, *gradients) if g is not None]
        seen.append([np.ascontiguousarray(a).tobytes() for a in arrays])
        kept = [x.grad._data for x in leaves if x.grad is not None]
        assert seen[-1][1:] == [np.ascontiguousarray(a).tobytes() for a in kept]
    return "", seen


@pytest.mark.parametrize("seed", MADE)
def test_graphs_are_the_same_to_the_last_bit(seed):
    program, _ = random_programs.random_program(seed)
    _, expected = calls_of(program, captured=False)
    problem, found = calls_of(program, captured=True)
    assert found == expected[: len(found)]
    assert not problem or "index that the step computes" in problem
