"""Every operation equals PyTorch's: values, gradients, their gradients, ties."""

import inspect
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import mutually_broadcastable_shapes
from second_opinion import TOLERANCE, compare

import minigrad as mg
from minigrad.engine import Primitive

torch = pytest.importorskip("torch", reason="PyTorch, the second opinion, is not installed")
F = torch.nn.functional
RNG = np.random.default_rng(2024)


class Case(NamedTuple):
    """One operation, the same in PyTorch, and float64 arrays to give to both."""

    name: str
    mine: object
    theirs: object
    inputs: tuple


def normal(*shape):
    return RNG.standard_normal(shape)


def positive(*shape):
    return RNG.uniform(0.5, 2.0, shape)


def few(*shape):
    """Small integers, so that many elements are equal."""
    return RNG.integers(-1, 2, shape).astype(np.float64)


def dims(x, axis):
    return tuple(range(x.ndim)) if axis is None else axis


def unary():
    same = {
        "negative": normal,
        "exp": normal,
        "log": positive,
        "sqrt": positive,
        "tanh": normal,
        "sigmoid": normal,
        "relu": normal,
        "abs": normal,
        "sign": normal,
    }
    for name, draw in same.items():
        for shape in ((3, 4), (), (2, 0)):
            yield Case(name, getattr(mg, name), getattr(torch, name), (draw(*shape),))
    yield Case("softplus", mg.softplus, F.softplus, (normal(3, 4),))
    yield Case("relu", mg.relu, torch.relu, (few(3, 4),))  # 0 at 0
    yield Case("abs", mg.abs, torch.abs, (few(3, 4),))
    yield Case("sign", mg.sign, torch.sign, (few(3, 4),))
    yield Case("negative", lambda x: -x, lambda x: -x, (normal(3),))
    for bounds in ((-0.5, 0.5), (-1.0, 1.0), (0, 3)):
        for draw in (normal, few):  # few: many elements are at a bound
            yield Case(
                "clip",
                lambda x, bounds=bounds: mg.clip(x, *bounds),
                lambda x, bounds=bounds: torch.clamp(x, *bounds),
                (draw(4, 5),),
            )
    yield Case("clip", lambda x: mg.clip(x, low=0), lambda x: x.clamp(min=0), (few(4, 5),))
    yield Case("clip", lambda x: x.clip(high=0), lambda x: x.clamp(max=0), (few(4, 5),))


PAIRS = {
    "add": (torch.add, normal),
    "subtract": (torch.subtract, normal),
    "multiply": (torch.multiply, normal),
    "divide": (torch.divide, positive),
    "power": (torch.pow, positive),
    "maximum": (torch.maximum, normal),
    "minimum": (torch.minimum, normal),
}


def binary():
    for name, (theirs, draw) in PAIRS.items():
        for a, b in (((3, 4), (3, 4)), ((3, 1), (1, 4)), ((), (2, 3)), ((2, 1, 3), (4, 1))):
            yield Case(name, getattr(mg, name), theirs, (draw(*a), draw(*b)))
    for name in ("maximum", "minimum"):
        mine, theirs = getattr(mg, name), getattr(torch, name)
        yield Case(name, mine, theirs, (few(5, 6), few(5, 6)))  # many ties
        yield Case(name, mine, theirs, (few(5, 6), few(6)))
        yield Case(
            name,
            lambda x, f=mine: f(x, 0.0),
            lambda x, f=theirs: f(x, torch.zeros((), dtype=x.dtype)),
            (few(5, 6),),
        )
    # operators, with numbers on either side
    yield Case("add", lambda x: 2 + (x + 3.5), lambda x: 2 + (x + 3.5), (normal(3),))
    yield Case("subtract", lambda x: 2 - (x - 3.5), lambda x: 2 - (x - 3.5), (normal(3),))
    yield Case("multiply", lambda x: 2 * (x * 3.5), lambda x: 2 * (x * 3.5), (normal(3),))
    yield Case("divide", lambda x: 2 / x + x / 3, lambda x: 2 / x + x / 3, (positive(3),))
    for exponent in (0, 1, 2, 3, -1, -2.5, 0.5):
        raised = lambda x, e=exponent: x**e  # noqa: E731  (the same operator for both)
        yield Case("power", raised, raised, (positive(3),))
    for exponent in (0, 1, 2, 3, -1):
        raised = lambda x, e=exponent: x**e  # noqa: E731
        yield Case("power", raised, raised, (-positive(3),))
    for exponent in (0, 1, 2, 3, 2.5):
        raised = lambda x, e=exponent: x**e  # noqa: E731
        yield Case("power", raised, raised, (np.zeros(2),))
    mask = RNG.random((3, 4)) > 0.5
    for a, b in (((3, 4), (3, 4)), ((4,), (3, 1)), ((2, 3, 4), ())):
        yield Case(
            "where",
            lambda a, b: mg.where(mask, a, b),
            lambda a, b: torch.where(torch.tensor(mask), a, b),
            (normal(*a), normal(*b)),
        )
    yield Case(
        "where",
        lambda x: mg.where(x > 0, x, 0.1 * x),
        lambda x: torch.where(x > 0, x, 0.1 * x),
        (normal(3, 4),),
    )
    for shapes in (
        ((3, 4), (4, 5)),
        ((4,), (4, 5)),
        ((3, 4), (4,)),
        ((4,), (4,)),
        ((2, 3, 4), (4, 5)),
        ((3, 4), (2, 4, 5)),
        ((2, 3, 4), (2, 4, 5)),
        ((2, 1, 3, 4), (5, 4, 2)),
        ((4,), (2, 4, 3)),
        ((2, 3, 4), (4,)),
        ((3, 0), (0, 4)),
        ((0, 3), (3, 2)),
        ((1, 1), (1, 1)),
    ):
        yield Case("matmul", lambda a, b: a @ b, torch.matmul, tuple(normal(*s) for s in shapes))
    yield Case("matmul", mg.matmul, torch.matmul, (normal(3, 4), normal(4, 5)))


def reductions():
    def one(name, mine, theirs, shape, draw=normal):
        return Case(name, mine, theirs, (draw(*shape),))

    def same(name):
        return getattr(mg, name), getattr(torch, {"max": "amax", "min": "amin"}.get(name, name))

    for axis in (None, 0, -1, (0, 2), (1,)):
        for keep in (False, True):
            their, my = dict(keepdim=keep), dict(axis=axis, keepdims=keep)
            for name, draw in (
                ("sum", normal),
                ("mean", normal),
                ("max", normal),
                ("min", normal),
                ("max", few),  # ties share equally
                ("min", few),
                ("logsumexp", normal),
            ):
                mine, theirs = same(name)
                yield one(
                    name,
                    lambda x, f=mine, o=my: f(x, **o),
                    lambda x, f=theirs, o=their, a=axis: f(x, dim=dims(x, a), **o),
                    (2, 3, 4),
                    draw,
                )
            for ddof in (0, 1):
                yield one(
                    "var",
                    lambda x, o=my, d=ddof: mg.var(x, ddof=d, **o),
                    lambda x, o=their, a=axis, d=ddof: torch.var(x, dims(x, a), correction=d, **o),
                    (3, 4, 2),
                )
    yield one("max", lambda x: x.max(), torch.max, (3, 4), few)  # the other function of PyTorch
    yield one("min", lambda x: x.min(), torch.min, (3, 4), few)
    yield one("max", lambda x: x.max(), torch.max, ())
    yield one("sum", lambda x: x.sum(), torch.sum, ())
    yield one("mean", lambda x: x.mean(0), lambda x: x.mean(0), (4,))
    yield one("sum", lambda x: x.sum(1), lambda x: x.sum(1), (2, 0))  # of nothing: 0
    for name in ("softmax", "log_softmax"):
        mine, theirs = same(name)
        for axis in (-1, 0, 1):
            yield one(
                name,
                lambda x, f=mine, a=axis: f(x, axis=a),
                lambda x, f=theirs, a=axis: f(x, dim=a),
                (3, 4, 2),
            )
        yield one(name, mine, lambda x, f=theirs: f(x, dim=-1), (5,))


INDICES = [
    0,
    -1,
    (1, 2),
    slice(1, 3),
    (slice(None), slice(None, None, 2)),
    (..., 1),
    (None, 2, ..., None),
    (),
    slice(0, 0),
    [0, 2, 0, 0],  # repeated: gradients add up
    np.array([1, 1, -1]),
    np.array([[0, 1], [1, 1]]),
    (np.array([0, 0, 2]), np.array([1, 1, 3])),
    (np.array([[0], [2]]), np.array([1, 1])),  # broadcast against one another
    (slice(None), np.array([1, 1, 0])),
    (np.array([0, 0]), slice(None), np.array([1, 1])),  # separated: their axis comes first
    (np.array([1, 1]), slice(1, 3), 0),
    np.arange(24).reshape(3, 4, 2) % 3 == 0,  # masks
    np.array([True, False, True]),
    np.zeros(3, bool),
    (slice(None), np.array([False, True, True, False])),
]


def torch_index(index):
    if isinstance(index, tuple):
        return tuple(map(torch_index, index))
    return torch.tensor(index) if isinstance(index, np.ndarray) else index


def shapes():
    x = normal(2, 3, 4)
    for shape in ((6, 4), (-1,), (4, 1, 6), (2, 3, 4)):
        yield Case(
            "reshape", lambda x, s=shape: x.reshape(*s), lambda x, s=shape: x.reshape(s), (x,)
        )
    yield Case("reshape", lambda x: mg.reshape(x, ()), lambda x: x.reshape(()), (normal(1, 1),))
    for axes in ((2, 0, 1), (0, 2, 1), (2, 1, 0), (-1, 0, 1), (0, -1, -2)):
        yield Case(
            "transpose", lambda x, a=axes: mg.transpose(x, a), lambda x, a=axes: x.permute(a), (x,)
        )
    yield Case("transpose", lambda x: x.T, lambda x: x.permute(2, 1, 0), (x,))
    for old, new in (((4,), (3, 4)), ((3, 1), (2, 3, 5)), ((), (2, 2)), ((1, 4), (0, 4))):
        yield Case(
            "broadcast_to",
            lambda x, s=new: mg.broadcast_to(x, s),
            lambda x, s=new: torch.broadcast_to(x, s),
            (normal(*old),),
        )
        yield Case(
            "sum_to",
            lambda x, s=old: mg.sum_to(x, s),
            lambda x, s=old: x.sum_to_size(s),
            (normal(*new),),
        )
    for to, theirs in ((np.float32, torch.float32), (np.float64, torch.float64)):
        yield Case("astype", lambda x, t=to: x.astype(t), lambda x, t=theirs: x.to(t), (x,))
    for axis in (0, 1, -1):
        parts = tuple(np.moveaxis(normal(n, 2, 3), 0, axis) for n in (1, 3, 0, 2))
        yield Case(
            "concatenate",
            lambda *xs, a=axis: mg.concatenate(xs, axis=a),
            lambda *xs, a=axis: torch.cat(xs, a),
            parts,
        )
    for axis in (0, 1, 2, -1, -2):
        yield Case(
            "stack",
            lambda *xs, a=axis: mg.stack(xs, axis=a),
            lambda *xs, a=axis: torch.stack(xs, a),
            tuple(normal(2, 3) for _ in range(3)),
        )
    yield Case("stack", lambda x: mg.stack([x, x]), lambda x: torch.stack([x, x]), (normal(3),))
    for widths, value in ((((1, 2), (0, 3)), 0.0), (((0, 0), (2, 0)), -1.5)):
        flat = [w for two in reversed(widths) for w in two]  # PyTorch starts from the last axis
        yield Case(
            "pad",
            lambda x, w=widths, v=value: mg.pad(x, w, v),
            lambda x, w=flat, v=value: F.pad(x, w, value=v),
            (normal(2, 3),),
        )
    image = normal(3, 4, 2)
    for index in INDICES:
        yield Case(
            "getitem",
            lambda x, i=index: x[i],
            lambda x, i=index: x[torch_index(i)],
            (image,),
        )
        yield Case(
            "scatter",
            lambda x, i=index: mg.scatter(x, i, (3, 4, 2)),
            lambda x, i=index: scattered(x, i),
            (normal(*image[index].shape),),
        )
    yield Case("getitem", lambda x: x[::-1, 3:0:-2], lambda x: x.flip(0)[:, [3, 1]], (image,))
    yield Case(
        "dropout",  # PyTorch has other random numbers: the same mask is given to both
        lambda x: mg.dropout(x, 0.3, np.random.default_rng(5)),
        lambda x: x * torch.tensor(np.random.default_rng(5).random(x.shape) >= 0.3) / (1 - 0.3),
        (normal(5, 6),),
    )
    yield Case(
        "gaussian_noise",
        lambda x: mg.gaussian_noise(x, 0.3, np.random.default_rng(5)),
        lambda x: x + 0.3 * torch.tensor(np.random.default_rng(5).standard_normal((5, 6))).to(x),
        (normal(5, 6),),
    )


def scattered(x, index):
    """PyTorch's counterpart: the gradient of indexing, element by element."""
    places = torch.arange(24).reshape(3, 4, 2)[torch_index(index)].reshape(-1)
    return torch.zeros(24, dtype=x.dtype).index_add(0, places, x.reshape(-1)).reshape(3, 4, 2)


CASES = [*unary(), *binary(), *reductions(), *shapes()]
ELSEWHERE = {  # name: the file that compares it with PyTorch
    "conv2d": "../helpers/torch_convolution.py",
    "conv2d_transpose": "../helpers/torch_convolution.py",
    "conv2d_weight": "../helpers/torch_convolution.py",
    "resize_bicubic": "test_torch_resize.py",
    "dense": "test_torch_layers.py",
    **dict.fromkeys(
        [
            "argmax",
            "argmin",
            "conv1d",
            "conv1d_transpose",
            "cos",
            "cumsum",
            "einsum",
            "elu",
            "embedding",
            "expm1",
            "flatten",
            "gelu",
            "hard_sigmoid",
            "leaky_relu",
            "log1p",
            "log_sigmoid",
            "norm",
            "normal_cdf",
            "prod",
            "remainder",
            "silu",
            "sin",
            "sort",
            "split",
            "squeeze",
            "std",
            "unsqueeze",
            "value_and_grad",
        ],
        "test_torch_functions.py",
    ),
    **dict.fromkeys(
        [
            "avg_pool2d",
            "batch_norm",
            "global_avg_pool2d",
            "global_max_pool2d",
            "group_norm",
            "layer_norm",
            "max_pool2d",
            "resize_bilinear",
            "upsample2d",
        ],
        "test_torch_images.py",
    ),
}
NO_ARRAYS = {  # functions that are not operations on arrays
    "tensor": "makes a leaf",
    "grad": "walks the graph: used by every test of this file",
    "vjp": "takes a function",
    "jvp": "takes a function",
    "hvp": "takes a function",
    "jacobian": "takes a function",
    "primitive": "takes a function",
    "override": "takes a function",
    "from_dlpack": "makes a tensor of a foreign array: test_dlpack.py",
    "get_num_threads": "a setting",
    "set_num_threads": "a setting",
    "show_config": "says what runs: native/test_library.py",
}


def test_no_operation_is_missing():
    functions = {
        name
        for name in mg.__all__
        if isinstance(getattr(mg, name), Primitive) or inspect.isfunction(getattr(mg, name))
    }
    compared = {case.name for case in CASES} | ELSEWHERE.keys()
    assert compared | NO_ARRAYS.keys() == functions
    assert not compared & NO_ARRAYS.keys()
    for name, file in ELSEWHERE.items():
        assert f"mg.{name}(" in (Path(__file__).parent / file).read_text(encoding="utf-8")


def ids(case):
    return f"{case.name}-{'-'.join(str(x.shape) for x in case.inputs)}"


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("case", CASES, ids=ids)
def test_value_and_derivatives(case, dtype):
    arrays = [x.astype(dtype) for x in case.inputs]
    tolerance = TOLERANCE[np.float32 if case.name == "astype" else dtype]
    compare(case.mine, case.theirs, arrays, tolerance=tolerance)


@pytest.mark.parametrize("case", CASES, ids=ids)
def test_arrays_in_fortran_order(case):
    arrays = [np.asfortranarray(x) for x in case.inputs]
    tolerance = TOLERANCE[np.float32 if case.name == "astype" else np.float64]
    compare(case.mine, case.theirs, arrays, tolerance=tolerance, order=1)


@settings(deadline=None, max_examples=25, derandomize=True)
@given(mutually_broadcastable_shapes(num_shapes=2, min_side=0, max_side=4, max_dims=4), st.data())
def test_any_shapes_that_broadcast(shapes, data):
    name = data.draw(st.sampled_from(sorted(PAIRS)))
    theirs, draw = PAIRS[name]
    compare(getattr(mg, name), theirs, [np.asarray(draw(*s)) for s in shapes.input_shapes])


@pytest.mark.parametrize("base", [2, 0.5, 0.0])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_number_to_the_power(base, dtype):
    # order 1 for base 0: the second derivative, 0 here, is NaN in PyTorch
    raised, x = lambda x: base**x, positive(3).astype(dtype)
    compare(raised, raised, [x], tolerance=TOLERANCE[dtype], order=2 if base else 1)


@pytest.mark.parametrize(("old", "new"), [((2, 3), (3, 2)), ((4,), (2, 2))])
def test_sum_to_refuses_what_does_not_broadcast(old, new):
    with pytest.raises(RuntimeError):
        torch.ones(old).sum_to_size(new)
    with pytest.raises(ValueError, match="sum_to"):
        mg.sum_to(np.ones(old), new)


def test_transposes_back_from_axes_in_any_form():
    for axes in (None, (1, 0, 2), [-1, 0, 1], np.array([2, 0, 1])):
        x = mg.tensor(np.arange(24.0).reshape(2, 3, 4), requires_grad=True)
        y = mg.transpose(x, axes)
        y.backward(y.numpy().copy())
        np.testing.assert_array_equal(x.grad.data, x.data)
    x = mg.tensor(2.0, requires_grad=True)
    mg.transpose(x, np.array([], int)).backward()
    assert x.grad.item() == 1


def test_var_divides_by_the_number_of_elements_unless_told():
    x = np.random.default_rng(0).standard_normal((3, 4))
    np.testing.assert_allclose(mg.var(x), np.var(x))
    np.testing.assert_allclose(mg.var(x, axis=1), np.var(x, axis=1))
