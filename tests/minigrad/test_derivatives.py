"""`vjp`, `jvp`, `hvp` and `jacobian` are products with the dense matrices of derivatives."""

import numpy as np
from graphs import vector

import minigrad as mg


def _f(x):
    """From 3 numbers to 4, with every element of the Jacobian its own."""
    return mg.concatenate([mg.exp(x[:2]) * x[2], (x * x).sum()[None], mg.tanh(x[1:2] * x[0])])


def _jacobian(x):
    a, b, c = x
    t = 1 - np.tanh(a * b) ** 2
    return np.array(
        [[np.exp(a) * c, 0, np.exp(a)], [0, np.exp(b) * c, np.exp(b)], 2 * x, [b * t, a * t, 0]]
    )


POINT = np.array([0.3, -0.8, 1.7])


def test_jacobian_is_the_dense_one():
    np.testing.assert_allclose(mg.jacobian(_f, POINT).data, _jacobian(POINT), rtol=1e-14)
    shape = mg.jacobian(lambda x: x[:, None] * x, POINT).shape
    assert shape == (3, 3, 3)
    assert mg.jacobian(lambda x: x[:0], POINT).shape == (0, 3)
    assert mg.jacobian(mg.exp, np.array(0.0)).shape == ()


def test_vjp_and_jvp_are_products_with_the_jacobian():
    rng = np.random.default_rng(0)
    u, v = rng.standard_normal(4), rng.standard_normal(3)
    y, pullback = mg.vjp(_f, POINT)
    np.testing.assert_allclose(pullback(u)[0].data, u @ _jacobian(POINT), rtol=1e-13)
    np.testing.assert_allclose(pullback(2 * u)[0].data, 2 * u @ _jacobian(POINT), rtol=1e-13)
    value, dy = mg.jvp(_f, [POINT], [v])
    np.testing.assert_allclose(dy.data, _jacobian(POINT) @ v, rtol=1e-13)
    np.testing.assert_array_equal(value.data, y.data)
    assert not dy.requires_grad and not value.requires_grad


def test_jvp_of_two_inputs():
    a, b, da, db = (np.random.default_rng(k).standard_normal((2, 2)) for k in range(4))
    _, dy = mg.jvp(mg.matmul, [a, b], [da, db])
    np.testing.assert_allclose(dy.data, da @ b + a @ db, rtol=1e-13)
    _, dy = mg.jvp(lambda a, b: mg.exp(a), [a, b], [mg.tensor(da), db])
    np.testing.assert_allclose(dy.data, np.exp(a) * da, rtol=1e-13)


def test_hvp_is_the_product_with_the_hessian():
    v = np.array([1.0, -2.0, 0.5])

    def f(x):
        return (x[0] * mg.exp(x[1]) + x[2] ** 3 * x[0]).sum()

    a, b, c = POINT
    e = np.exp(b)
    hessian = np.array([[0, e, 3 * c * c], [e, a * e, 0], [3 * c * c, 0, 6 * a * c]])
    np.testing.assert_allclose(mg.hvp(f, POINT, v).data, hessian @ v, rtol=1e-13)
    assert mg.hvp(lambda x: x.sum(), POINT, v).data.tolist() == [0, 0, 0]
    nested = mg.jacobian(lambda x: mg.grad(f(x), x, create_graph=True), POINT)
    np.testing.assert_allclose(nested.data, hessian, rtol=1e-13)


def test_derivatives_of_functions_leave_their_arguments_alone():
    x = vector(1, 2, 3)
    mg.vjp(_f, x)[1](np.ones(4))
    mg.jvp(_f, [x], [np.ones(3)])
    mg.jacobian(_f, x)
    mg.hvp(lambda x: _f(x).sum(), x, np.ones(3))
    assert x.grad is None


def test_derivatives_of_a_constant_are_zero():
    one = np.ones(2)
    assert not mg.vjp(mg.sign, one)[1](one)[0].data.any()
    assert not mg.jvp(mg.sign, [one], [one])[1].data.any()
    assert mg.jacobian(mg.sign, one).data.tolist() == [[0, 0], [0, 0]]
    assert not mg.hvp(lambda x: mg.sign(x).sum(), one, one).data.any()
