"""A primitive can be defined by the user, and a device's kernel replaces its forward only."""

import numpy as np
from graphs import vector

import minigrad as mg


def test_override_replaces_only_the_forward(monkeypatch):
    p = mg.registry["exp"]
    monkeypatch.setattr(p, "cpu", p.cpu)  # put back afterwards
    vjps, forward = p.vjps, p.forward

    @mg.override("exp", "cpu")
    def kernel(x):
        return np.exp(x) * 3

    x = vector(0)
    y = mg.exp(x)
    y.backward()
    assert y.item() == 3 and x.grad.item() == 3  # the VJP is g * y
    assert p.cpu is kernel and p.forward is forward and p.vjps is vjps and p.cuda is not kernel


def test_a_primitive_of_ones_own():
    @mg.primitive("one array", x=lambda g, x: g * 3 * x * x)
    def cube(x):
        """x cubed."""
        return x**3

    assert "cube" not in mg.registry  # the library's list is the library's
    assert cube.__doc__ == "x cubed." and cube.name == "cube"
    assert cube(np.array(2.0)) == 8 and cube(x=vector(2)).item() == 8
    assert mg.jacobian(cube, np.array(2.0)).item() == 12
