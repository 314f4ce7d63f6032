"""Checks of lesson 03."""

from importlib import import_module

from lessons import Check, Judge, directional

import numpy as np

from minigrad import sum_to


# ---------------------------------------------------------------------- 3.1 unbroadcast
def shape_cases():
    rng = np.random.default_rng(3)
    pairs = [((3, 4), (3, 1)), ((3, 4), (1, 4)), ((3, 4), (4,)), ((3, 4), ()), ((3, 4), (3, 4))]
    pairs += [((2, 3, 4), (3, 1)), ((2, 1, 4), (1, 4)), ((2, 5, 3), (2, 1, 3)), ((1,), (1,))]
    return [(rng.standard_normal(full), shape) for full, shape in pairs]


def add_up(g, shape):
    """Element by element: where did it come from?"""
    total, lead = np.zeros(shape), g.ndim - len(shape)
    for at, value in np.ndenumerate(g):
        total[tuple(0 if n == 1 else i for i, n in zip(at[lead:], shape, strict=True))] += value
    return total


def sum_to_size(g, shape):
    torch = import_module("torch")
    return torch.tensor(g).sum_to_size(shape).numpy()


def random_like(shape):
    return np.random.default_rng(len(shape)).standard_normal(shape)


def copied(g, shape):
    return float(np.sum(g * np.broadcast_to(random_like(shape), g.shape)))


def stretched(g, shape):
    """The axes of g that broadcasting added, and those that it lengthened."""
    lead = g.ndim - len(shape)
    longer = (i + lead for i, n in enumerate(shape) if n == 1 and g.shape[i + lead] > 1)
    return tuple(range(lead)), tuple(longer)


def sums_everything(g, shape):
    """You summed over every axis: an element gets the sum over its own copies only."""
    return np.full(shape, g.sum())


def takes_the_mean(g, shape):
    """You took the mean of the copies: slopes along several paths are added."""
    return sum_to(g, shape) * (np.prod(shape) / g.size)


def keeps_one_slice(g, shape):
    """You kept one of the copies and dropped the others: each of them moves the result."""
    lead = g.ndim - len(shape)
    return g[(0,) * lead + tuple(slice(0, n) for n in shape)]


def drops_the_axis(g, shape):
    """You lost the axes of length 1 in the sum: keepdims=True keeps them."""
    return g.sum(axis=sum(stretched(g, shape), ()))


def only_in_front(g, shape):
    """You summed over the axes in front only: those that `shape` has as 1 were stretched too."""
    return g.sum(axis=stretched(g, shape)[0])


def only_lengthened(g, shape):
    """You summed over the axes of length 1 only: those in front, which `shape` lacks, count too."""
    return g.sum(axis=stretched(g, shape)[1], keepdims=True)


unbroadcast = Check(
    library=sum_to,
    source="minigrad/shapes.py::sum_to",
    returns="array",
    cases=shape_cases,
    judges=[
        Judge("a loop over every element", add_up, 1e-12),
        Judge("the adjoint", copied, 1e-12, lambda y, g, s: float(np.sum(y * random_like(s)))),
        Judge("PyTorch", sum_to_size, 1e-12, needs="torch"),
    ],
    mistakes=[
        sums_everything,
        takes_the_mean,
        keeps_one_slice,
        drops_the_axis,
        only_in_front,
        only_lengthened,
    ],
)


# ---------------------------------------------------------------------- 3.2 matmul_vjp
def matmul_cases():
    rng = np.random.default_rng(32)
    sizes = [((2, 3), (3, 4)), ((3, 3), (3, 3)), ((1, 5), (5, 2)), ((5, 2, 3), (5, 3, 4))]
    pairs = [(rng.standard_normal(a), rng.standard_normal(b)) for a, b in sizes]
    return [(rng.standard_normal((a @ b).shape), a, b) for a, b in pairs]


def one_product_at_a_time(g, a, b):
    da, db = np.zeros(a.shape), np.zeros(b.shape)
    for *batch, i, k in np.ndindex(a.shape):
        for j in range(b.shape[-1]):  # c[i, j] contains a[i, k] * b[k, j]
            da[(*batch, i, k)] += g[(*batch, i, j)] * b[(*batch, k, j)]
            db[(*batch, k, j)] += g[(*batch, i, j)] * a[(*batch, i, k)]
    return da, db


def torch_gradients(g, a, b):
    torch = import_module("torch")
    a, b = torch.tensor(a, requires_grad=True), torch.tensor(b, requires_grad=True)
    return tuple(x.numpy() for x in torch.autograd.grad(a @ b, (a, b), torch.tensor(g)))


def turned(x):
    return np.swapaxes(x, -1, -2)


def library_matmul_vjp(g, a, b):
    return g @ turned(b), turned(a) @ g


def exchanged(g, a, b):
    """The two gradients are exchanged: the first answer is a's, and has its shape."""
    return turned(a) @ g, g @ turned(b)


def not_transposed(g, a, b):
    """The shapes can fit only if the other factor is transposed: g is (m, n), b is (k, n)."""
    return g @ b, a @ g


def order_exchanged(g, a, b):
    """The factors stand in the wrong order: g comes first for a, and last for b."""
    return turned(b) @ g, g @ turned(a)


def turns_all_axes(g, a, b):
    """.T reverses all axes, also the one that counts the matrices of a stack: turn the last two."""
    return g @ b.T, a.T @ g


def ignores_g(g, a, b):
    """You left out g, as if each element of a @ b had slope 1."""
    return np.ones(g.shape) @ turned(b), turned(a) @ np.ones(g.shape)


def sums_the_stack(g, a, b):
    """You summed over the stack: every matrix of it has a gradient of its own."""
    da, db = library_matmul_vjp(g, a, b)
    return (da.sum(axis=0), db.sum(axis=0)) if g.ndim > 2 else (da, db)


matmul_vjp = Check(
    library=library_matmul_vjp,
    source="minigrad/ops.py::matmul",
    returns=("array", "array"),
    cases=matmul_cases,
    judges=[
        Judge("a loop over every product", one_product_at_a_time, 1e-12),
        directional(np.matmul),
        Judge("PyTorch", torch_gradients, 1e-12, needs="torch"),
    ],
    mistakes=[
        exchanged,
        not_transposed,
        order_exchanged,
        turns_all_axes,
        ignores_g,
        sums_the_stack,
    ],
)
