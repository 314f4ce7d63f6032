"""Every derivative function inside every other, to the right values."""

import numpy as np
import pytest

import minigrad as mg

# f(x) = x^5, elementwise: d/dx is 5 x^4, d^2/dx^2 is 20 x^3, ...
X, V = np.array([0.5, -1.5]), np.array([2.0, 3.0])


def power(n, x):
    """d^n/dx^n of x**5."""
    return [x**5, 5 * x**4, 20 * x**3, 60 * x**2, 120 * x][n]


def by_grad(f, x):
    x = x if getattr(x, "requires_grad", False) else mg.tensor(x, requires_grad=True)
    return mg.grad(f(x).sum(), x, create_graph=True)


def by_backward(f, x):
    """Backward fills leaves. So the derivative with respect to a leaf that is 0, added to x."""
    zero = mg.tensor(np.zeros(x.shape), requires_grad=True)
    y = f(x + zero).sum()
    zero.grad = None  # a backward inside f has filled it, too
    y.backward(create_graph=True)
    return zero.grad


def by_vjp(f, x):
    return mg.vjp(f, x)[1](np.ones(x.shape))[0]


def by_jvp(f, x):
    return mg.jvp(f, [x], [np.ones(x.shape)])[1]


def by_jacobian(f, x):
    return mg.jacobian(f, x).sum(axis=1)  # f works elementwise: the diagonal


FIRST = [by_grad, by_backward, by_vjp, by_jvp, by_jacobian]


@pytest.mark.parametrize("outer", FIRST)
@pytest.mark.parametrize("inner", FIRST)
def test_each_in_each(inner, outer):
    second = outer(lambda x: inner(lambda x: x**5, x), X)
    np.testing.assert_allclose(second.data, power(2, X), rtol=1e-13)


@pytest.mark.parametrize("middle", FIRST)
@pytest.mark.parametrize("inner", FIRST)
def test_three_deep(inner, middle):
    third = by_jvp(lambda x: middle(lambda x: inner(lambda x: x**5, x), x), X)
    np.testing.assert_allclose(third.data, power(3, X), rtol=1e-12)


def hessian_diagonal(f, x):
    """hvp of the sum: f'' along (1, 1)."""
    return mg.hvp(lambda x: f(x).sum(), x, np.ones(x.shape))


@pytest.mark.parametrize("other", [*FIRST, hessian_diagonal])
def test_hvp_in_each_and_each_in_hvp(other):
    order = 4 if other is hessian_diagonal else 3
    for inner, outer in ((hessian_diagonal, other), (other, hessian_diagonal)):
        found = outer(lambda x, inner=inner: inner(lambda x: x**5, x), X)
        np.testing.assert_allclose(found.data, power(order, X), rtol=1e-12)


def test_a_function_that_uses_the_same_tensor_from_outside_is_not_confused():
    """d/dx (x d/dy (x y)) at y = x is 2 x: a copy of x is what y is, not x itself. (J. Siskind and
    B. Pearlmutter, "Perturbation confusion and referential transparency", 2005.)"""
    for inner in (by_vjp, by_jvp, by_jacobian):
        for outer in FIRST:
            found = outer(lambda x, inner=inner: x * inner(lambda y: x * y, x), X)
            np.testing.assert_allclose(found.data, 2 * X, rtol=1e-14)


@pytest.mark.parametrize("derivative", [by_vjp, by_jvp, by_jacobian, hessian_diagonal])
def test_a_penalty_on_a_derivative_reaches_the_weights(derivative):
    w = mg.tensor(V, requires_grad=True)
    slope = derivative(lambda x: w * w * x * x, X)
    (slope * slope).sum().backward()
    inside = 2 * X if derivative is not hessian_diagonal else np.full(2, 2.0)
    np.testing.assert_allclose(w.grad.data, 4 * V**3 * inside**2, rtol=1e-13)


def test_values_and_cotangents_are_differentiated_too():
    x, g = mg.tensor(X, requires_grad=True), mg.tensor(V, requires_grad=True)
    y, pullback = mg.vjp(lambda x: x**3, x)
    np.testing.assert_allclose(mg.grad(y.sum(), x, retain_graph=True).data, 3 * X**2)
    (row,) = pullback(g)
    dx, dg = mg.grad(row.sum(), [x, g])
    np.testing.assert_allclose(dx.data, 6 * X * V)
    np.testing.assert_allclose(dg.data, 3 * X**2)
    t = mg.tensor(V, requires_grad=True)
    y, dy = mg.jvp(lambda x: x**3, [X], [t])
    np.testing.assert_allclose(mg.grad(dy.sum(), t).data, 3 * X**2)
    v = mg.tensor(V, requires_grad=True)
    along = mg.hvp(lambda x: (x**3).sum(), X, v)
    np.testing.assert_allclose(mg.grad(along.sum(), v).data, 6 * X)
    x = mg.tensor(X, requires_grad=True)
    y, _ = mg.jvp(lambda x: x**3, [x], [V])
    np.testing.assert_allclose(mg.grad(y.sum(), x).data, 3 * X**2)


def test_two_inputs():
    def cross(a, b):
        return mg.jvp(lambda a: a * a * b * b, [a], [np.ones(2)])[1]

    (da, db) = mg.vjp(cross, X, V)[1](np.ones(2))
    np.testing.assert_allclose(da.data, 2 * V**2)
    np.testing.assert_allclose(db.data, 4 * X * V)


def test_plain_arrays_make_no_graph():
    assert not mg.jacobian(mg.tanh, X).requires_grad
    assert not mg.hvp(lambda x: (x**3).sum(), X, V).requires_grad
    assert not any(y.requires_grad for y in mg.jvp(mg.tanh, [X], [V]))
    assert not mg.vjp(mg.tanh, X)[1](V)[0].requires_grad


def test_under_no_grad_the_derivatives_are_right_and_constant():
    x = mg.tensor(X, requires_grad=True)
    with mg.no_grad():
        found = [
            mg.jacobian(lambda v: v**3, x).sum(axis=1),
            mg.jvp(lambda v: v**3, [x], [np.ones(2)])[1],
            mg.vjp(lambda v: v**3, x)[1](np.ones(2))[0],
            mg.hvp(lambda v: (v**4).sum(), x, np.full(2, 0.25)),
        ]
    for derivative in found:
        np.testing.assert_allclose(derivative.data, 3 * X**2, rtol=1e-13)
        assert not derivative.requires_grad


def test_functions_that_do_not_depend_on_their_input():
    w = mg.tensor(V, requires_grad=True)
    for f in (lambda x: w * 2, lambda x: V, lambda x: mg.tensor(V)):
        assert not mg.jacobian(f, X).data.any()
        assert not mg.jvp(f, [X], [V])[1].data.any()
        assert not mg.hvp(lambda x, f=f: mg.sum(f(x)), X, V).data.any()


@pytest.mark.parametrize("result", [lambda x: (x, x), lambda x: None, lambda x: [x]])
def test_several_results_are_refused(result):
    for derivative in (lambda f: mg.jacobian(f, X), lambda f: mg.jvp(f, [X], [V])):
        with pytest.raises(TypeError, match=r"returned .*, expected one Tensor: concatenate\(\)"):
            derivative(result)
