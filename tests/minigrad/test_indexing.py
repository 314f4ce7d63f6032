"""Indices in every container that NumPy takes: values, and gradients of repeated elements."""

from array import array
from collections import deque

import numpy as np
import pytest

import minigrad as mg

X = np.arange(12.0).reshape(3, 4)
REPEATED = {  # the container comes alone or in a tuple; each names rows of X, row 0 twice
    "list": [0, 2, 0],
    "tuple": (0, 2, 0),
    "nested list": [[0, 2], [0, 1]],
    "nested tuple": ((0, 2), (0, 1)),
    "range and list": [*range(2), 0],
    "array": np.array([0, 2, 0]),
    "int8": np.array([0, 2, 0], np.int8),
    "0-d arrays": [np.array(0), np.array(2), np.array(0)],
    "negative": [0, -3, -1],
    "array.array": array("l", [0, 2, 0]),
    "deque": deque([0, 2, 0]),
    "memmap": np.array([0, 2, 0]).view(np.memmap),
    "Tensor": mg.tensor([0, 2, 0]),
    "Tensors": [mg.tensor(0), mg.tensor(2), mg.tensor(0)],
}


def plain(index):
    """The index with an integer array in place of each container."""
    if isinstance(index, tuple):
        return tuple(map(plain, index))
    if index is None or index is ... or isinstance(index, slice | int | np.integer | np.bool_):
        return index
    if isinstance(index, mg.Tensor):
        return index.data
    return np.array([plain(i) for i in index] if not isinstance(index, np.ndarray) else index)


def right(index):
    """The gradient of ``(X[index] * g).sum()`` by addition, and g."""
    g = np.random.default_rng(0).integers(1, 9, X[index].shape).astype(float)
    out = np.zeros_like(X)
    np.add.at(out, index, g)
    return out, g


def checked(index, meaning):
    expected, g = right(meaning)
    x = mg.tensor(X, requires_grad=True)
    y = x[index]
    np.testing.assert_array_equal(y.data, X[meaning])
    y.backward(g)
    np.testing.assert_array_equal(x.grad.data, expected)


@pytest.mark.parametrize("rows", REPEATED.values(), ids=REPEATED.keys())
def test_repeated_elements_add_up(rows):
    meaning = np.array(plain(list(rows) if isinstance(rows, tuple) else rows))
    if not isinstance(rows, tuple):  # which would be an index for each axis
        checked(rows, meaning)
    checked((rows,), (meaning,))
    checked((slice(None), rows), (slice(None), meaning))
    checked((rows, slice(1, 3)), (meaning, slice(1, 3)))
    checked((rows, rows), (meaning, meaning))
    checked((..., rows), (..., meaning))
    checked((None, rows, 1), (None, meaning, 1))
    checked((rows, np.int64(1)), (meaning, 1))


OTHERS = {
    "integer": 1,
    "NumPy integer": np.int32(-1),
    "0-d array": np.array(1),
    "slice": slice(None, None, -2),
    "slice of NumPy integers": slice(np.int64(0), np.array(2)),
    "nothing": (),
    "ellipsis": ...,
    "new axis": (None, 1),
    "mask": X > 4,
    "list of truth values": [True, False, True],
    "tuple of truth values": (slice(None), (True, False, True, True)),
    "True": True,
    "False": False,
    "True beside": (True, [0, 0]),
    "np.bool_": np.bool_(True),
    "empty list": [],
    "empty tuple inside": (slice(None), ()),
}


@pytest.mark.parametrize("index", OTHERS.values(), ids=OTHERS.keys())
def test_every_other_index(index):
    checked(index, index)


def test_scatter_is_the_adjoint_for_every_container():
    for index in ((0, 0), [0, 0], np.array([0, 0])):
        np.testing.assert_array_equal(
            mg.scatter(np.array([1.0, 2.0]), (index,), (2,)), [3.0, 0.0], err_msg=repr(index)
        )
    x = mg.tensor([1.0, 2.0], requires_grad=True)
    mg.scatter(x, ((0, 0),), (2,)).backward(np.array([5.0, 7.0]))
    np.testing.assert_array_equal(x.grad.data, [5.0, 5.0])


def test_second_derivatives_through_repeated_indices():
    mg.testing.gradcheck(lambda x: x[:, (0, 0, 3)] ** 3, [X / 5 + 1], order=3)


@pytest.mark.parametrize("index", [1.0, "a", [0.5], (0, [0.5]), (0, 0, 0), 3])
def test_no_index(index):
    with pytest.raises(IndexError, match="getitem: expected an index within the shape; got x = a"):
        mg.tensor(X, requires_grad=True)[index]
