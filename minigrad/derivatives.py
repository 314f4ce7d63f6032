"""Derivatives of functions, each made of a few walks: vjp, jvp, hvp, jacobian."""

from .backend import array_module, as_array
from .gradient import grad
from .tensor import Tensor


def vjp(f, *inputs):
    """The value of ``f(*inputs)`` and its pullback: ``g -> [g^T J_1, g^T J_2, ...]``.

    >>> import numpy as np
    >>> y, pullback = vjp(lambda a, b: a * b, np.array([1.0, 2.0]), np.array([3.0, 4.0]))
    >>> pullback(np.array([1.0, 1.0]))
    [tensor([3., 4.]), tensor([1., 2.])]
    """
    leaves = [_leaf(x) for x in inputs]
    y = f(*leaves)

    def pullback(g):
        return _grad_or_zero(y, leaves, g, retain_graph=True)

    return y, pullback


def jvp(f, inputs, tangents):
    """The value of ``f(*inputs)`` and its derivative along `tangents`, J_1 t_1 + J_2 t_2 + ...

    The pullback g -> g^T J is linear in g, and the VJP of a linear map is its transpose: two
    reverse passes make a forward one (J. Townsend, "A new trick for calculating Jacobian vector
    products", 2017).

    >>> import numpy as np
    >>> y, dy = jvp(lambda x: x * x, [np.array([1.0, 2.0])], [np.array([1.0, 10.0])])
    >>> dy
    tensor([ 2., 40.])
    """
    leaves = [_leaf(x) for x in inputs]
    y = f(*leaves)
    g = _leaf(array_module(y._data).zeros_like(y._data))
    rows = _grad_or_zero(y, leaves, g, create_graph=True)
    used = [(row, t) for row, t in zip(rows, tangents, strict=True) if row.requires_grad]
    if not used:
        return y.detach(), g.detach()
    rows, tangents = zip(*used, strict=True)
    return y.detach(), _grad_or_zero(list(rows), [g], [_array(t) for t in tangents])[0]


def hvp(f, x, v):
    """The product of the Hessian of a scalar function `f` at `x` with `v`, without the Hessian.

    >>> import numpy as np
    >>> hvp(lambda x: (x * x * x).sum(), np.array([1.0, 2.0]), np.array([1.0, 1.0]))
    tensor([ 6., 12.])
    """
    x = _leaf(x)
    (slope,) = _grad_or_zero(f(x), [x], None, create_graph=True)
    if not slope.requires_grad:  # f is linear
        return Tensor(array_module(x._data).zeros_like(x._data))
    return _grad_or_zero(slope, [x], _array(v))[0]


def jacobian(f, x):
    """All derivatives of ``f(x)``: an array of shape ``y.shape + x.shape``, one walk per element.

    >>> import numpy as np
    >>> jacobian(lambda x: x * x, np.array([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]])
    """
    y, pullback = vjp(f, x)
    xp = array_module(y._data)
    rows = []
    for k in range(y.size):
        one = xp.zeros(y.size, y.dtype)
        one[k] = 1
        rows.append(pullback(one.reshape(y.shape))[0]._data)
    shape = (*y.shape, *_array(x).shape)
    return Tensor(xp.stack(rows).reshape(shape) if rows else xp.zeros(shape, y.dtype))


def _array(x):
    return x._data if isinstance(x, Tensor) else as_array(x)


def _leaf(x):
    """A fresh leaf with the values of `x`, so that nothing leaks into the caller's graph."""
    leaf = Tensor(_array(x))
    leaf.requires_grad = True
    return leaf


def _grad_or_zero(output, inputs, g, **options):
    """`grad` as a list, with zeros where the output does not depend on an input."""
    outputs = output if isinstance(output, list | tuple) else [output]
    depends = any(isinstance(y, Tensor) and y.requires_grad for y in outputs)
    found = [None] * len(inputs)
    if depends:
        found = grad(output, inputs, g, allow_unused=True, **options)
    return [
        Tensor(array_module(x._data).zeros_like(x._data)) if d is None else d
        for x, d in zip(inputs, found, strict=True)
    ]
