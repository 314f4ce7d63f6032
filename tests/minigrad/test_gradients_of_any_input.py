"""Every primitive takes inputs of any memory layout, and gives gradients of their own dtype, shape
and memory."""

import numpy as np
import pytest
from every_primitive import cotangent, for_every_case, leaf, nodes_below, run

import minigrad as mg


def assert_same(got, expected):
    """Equal but for the rounding of another order of summation."""
    assert (got.shape, got.dtype) == (expected.shape, expected.dtype)
    if got.size:
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-13 * np.abs(expected).max())


def fortran(x):
    return np.asfortranarray(x) if x.ndim else x


def backwards(x):
    flip = (slice(None, None, -1),) * x.ndim
    return x[flip].copy()[flip] if x.ndim else x


def strided(x):
    wide = np.full([2 * n for n in x.shape], np.nan, x.dtype)
    part = wide[(..., *(slice(None, None, 2),) * x.ndim)]
    part[...] = x
    return part


def read_only(x):
    x = x.copy()
    x.flags.writeable = False
    return x


LAYOUTS = [fortran, backwards, strided, read_only]


@for_every_case
def test_memory_layout_does_not_matter(case):
    y, grads = run(case.function, case.inputs)
    g = cotangent(y)
    for layout in LAYOUTS:
        y2, grads2 = run(case.function, [layout(x) for x in case.inputs], layout(g))
        assert_same(y2, y)
        for mine, theirs in zip(grads2, grads, strict=True):
            assert_same(mine, theirs)


@for_every_case
def test_stride_0_inputs_and_cotangents(case):
    """Broadcast arrays, in which one element of memory is many of the array."""
    stretched = [np.broadcast_to(x[:1], x.shape) if x.ndim else x for x in case.inputs]
    xs = [x.copy() for x in stretched]
    y = case.function(*xs)
    g = np.broadcast_to(np.asarray(0.7, y.dtype), y.shape)
    for mine, theirs in zip(
        run(case.function, stretched, g)[1], run(case.function, xs, g.copy())[1], strict=True
    ):
        assert_same(mine, theirs)


@for_every_case
def test_inputs_stay_and_gradients_are_their_own(case):
    xs = [leaf(x.copy()) for x in case.inputs]
    y = case.function(*xs)
    g, before = cotangent(y), y._data.copy()
    kept = g.copy()
    y.backward(g, retain_graph=True)
    np.testing.assert_array_equal(g, kept)
    np.testing.assert_array_equal(y._data, before)
    for x, value in zip(xs, case.inputs, strict=True):
        assert x._data.tobytes() == value.tobytes()
    grads = [x.grad._data for x in xs]
    for i, d in enumerate(grads):
        owner = d if d.base is None else d.base
        assert (
            d.flags.writeable and d.flags.c_contiguous and memoryview(owner).nbytes <= 2 * d.nbytes
        )
        others = [g, y._data, *(x._data for x in xs), *grads[:i]]
        others += [v for n in nodes_below(y) for v in n.saved if isinstance(v, np.ndarray)]
        assert not any(np.shares_memory(d, other) for other in others)


def test_grad_returns_arrays_of_their_own():
    a, b = leaf(np.ones(3)), leaf(np.ones(3))
    g = np.ones(3)
    ga, gb = (d.data for d in mg.grad(a + b, [a, b], g))
    gs = mg.grad(a.sum(), a).data
    assert not np.shares_memory(ga, gb) and not np.shares_memory(ga, g)
    assert gs.flags.writeable and gs.strides == (8,)


@for_every_case
def test_dtype_and_shape_are_those_of_the_input(case):
    for dtype in (np.float32, np.float64):
        _check_dtype(case, dtype)


def _check_dtype(case, dtype):
    xs = [x.astype(dtype) for x in case.inputs]
    y, grads = run(case.function, xs)
    assert y.dtype == dtype
    assert [(d.shape, d.dtype) for d in grads] == [(x.shape, dtype) for x in xs]
    exact = run(case.function, case.inputs, cotangent(y).astype(np.float64))[1]
    for mine, theirs in zip(grads, exact, strict=True):
        if mine.size:
            np.testing.assert_allclose(mine, theirs, atol=3e-5 * max(1, np.abs(theirs).max()))
    leaves = [leaf(x) for x in xs]  # the recorded backward pass keeps the dtype as well
    y = case.function(*leaves)
    firsts = mg.grad(y, leaves, cotangent(y), create_graph=True, allow_unused=True)
    for x, d in zip(leaves, firsts, strict=True):
        assert (d.shape, d.dtype) == (x.shape, dtype)


@pytest.mark.parametrize("old, new", [(np.float32, np.float64), (np.float64, np.float32)])
def test_astype_casts_the_gradient_back(old, new):
    x = leaf(np.array([1.0, 2.0], old))
    y = x.astype(new)
    assert y.dtype == new
    y.backward(np.array([3.0, 4.0], new))
    assert x.grad.dtype == old and x.grad.data.tolist() == [3, 4]
    assert x.astype(np.int64).dtype == np.int64 and not x.astype(np.int64).requires_grad


@for_every_case
def test_a_cotangent_of_zero_gives_exact_zeros(case):
    y = case.function(*case.inputs)
    for d in run(case.function, case.inputs, np.zeros_like(y))[1]:
        assert not d.any()


@for_every_case
def test_two_runs_are_the_same_to_the_bit(case):
    (y1, first), (y2, second) = (run(case.function, case.inputs) for _ in range(2))
    assert y1.tobytes() == y2.tobytes()
    assert [d.tobytes() for d in first] == [d.tobytes() for d in second]


@for_every_case
def test_arrays_and_tensors_give_the_same_values(case):
    plain = case.function(*case.inputs)
    recorded = case.function(*[leaf(x) for x in case.inputs])
    constant = case.function(*[mg.tensor(x) for x in case.inputs])
    assert isinstance(plain, np.ndarray)
    assert isinstance(recorded, mg.Tensor) and isinstance(constant, mg.Tensor)
    assert recorded.requires_grad and not constant.requires_grad
    assert plain.tobytes() == recorded._data.tobytes() == constant._data.tobytes()


@for_every_case
def test_one_wanted_input_gets_what_it_gets_among_all(case):
    """Inputs that need no gradient are left out, and the others do not notice."""
    grads = run(case.function, case.inputs)[1]
    for i, expected in enumerate(grads):
        xs = [mg.tensor(x) for x in case.inputs]
        xs[i].requires_grad = True
        y = case.function(*xs)
        y.backward(cotangent(y))
        assert xs[i].grad.data.tobytes() == expected.tobytes()
        assert all(x.grad is None for j, x in enumerate(xs) if j != i)
