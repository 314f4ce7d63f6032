"""Errors name the user's line that made the node."""

import re

import numpy as np
import pytest
from graphs import here, vector

import minigrad as mg


def test_errors_of_the_forward_pass_say_where_the_operands_were_made():
    x = mg.tensor(np.ones((2, 3)), requires_grad=True)
    y = mg.exp(x)
    line = here(1)
    with pytest.raises(ValueError) as caught:
        y + np.ones(4)
    assert f"a (2, 3) float64 Tensor (made by exp at {line})" in str(caught.value)
    assert "b = a (4,) float64 array" in str(caught.value)


def test_errors_of_the_backward_pass_say_which_line_made_the_node():
    @mg.primitive("one array", x=lambda g: g.astype(np.float32))
    def forgetful(x):
        return x * 1

    y = forgetful(vector(1))
    line = here(1)
    with pytest.raises(TypeError) as caught:
        y.backward()
    assert f"the VJP of forgetful at {line} for x gave a float32 gradient" in str(caught.value)


def test_provenance_is_the_users_line_even_within_layers():
    layer = mg.nn.Dense(2, 2, activation="sigmoid", rng=np.random.default_rng(0))
    y = layer(np.ones((1, 2), np.float32))
    line = here(1)
    with pytest.raises(ValueError, match="not a scalar") as caught:
        y.backward()
    assert re.search(f"made by \\w+ at {re.escape(line)}\\)", str(caught.value))
