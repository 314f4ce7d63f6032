"""Bicubic resizing equals PyTorch's, and TensorFlow 1's where it is asked for."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from second_opinion import compare

import minigrad as mg
from minigrad import tensor
from minigrad.testing import assert_close_to_torch

torch = pytest.importorskip("torch", reason="PyTorch, the second opinion, is not installed")
F = torch.nn.functional
SOME = settings(deadline=None, max_examples=60, derandomize=True)


def torch_resize(size, antialias):
    return lambda x: F.interpolate(
        x.permute(0, 3, 1, 2),
        size=size,
        mode="bicubic",
        align_corners=False,
        antialias=antialias,
    ).permute(0, 2, 3, 1)


def my_resize(size, antialias):
    a = -0.5 if antialias else -0.75  # what PyTorch uses, without an option
    return lambda x: mg.resize_bicubic(x, size, a=a, antialias=antialias)


SIZES = [
    ((8, 8), (4, 4)),
    ((4, 4), (8, 8)),
    ((64, 64), (32, 32)),
    ((32, 32), (64, 64)),
    ((7, 5), (3, 11)),
    ((5, 7), (13, 2)),
    ((9, 9), (9, 9)),
    ((1, 6), (4, 5)),
    ((6, 6), (1, 1)),
    ((2, 3), (31, 17)),
    ((31, 17), (2, 3)),
]


@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize(("old", "new"), SIZES)
def test_resize_and_its_derivatives(old, new, antialias):
    x = np.random.default_rng(10).standard_normal((2, *old, 3))
    compare(my_resize(new, antialias), torch_resize(new, antialias), [x])


@pytest.mark.parametrize("antialias", [False, True])
@SOME
@given(*[st.integers(1, 20)] * 4)
def test_resize_to_any_size(antialias, h, w, height, width):
    x = np.random.default_rng(11).standard_normal((1, h, w, 2))
    new = (height, width)
    compare(my_resize(new, antialias), torch_resize(new, antialias), [x], order=1)


@pytest.mark.parametrize("antialias", [False, True])
def test_resize_in_float32(antialias):
    x = np.random.default_rng(12).random((2, 21, 30, 1), np.float32)
    mine, theirs = my_resize((14, 45), antialias), torch_resize((14, 45), antialias)
    compare(mine, theirs, [x], tolerance=5e-6)  # PyTorch's weights are float32 too


def tensorflow_1(x, new):
    """TensorFlow 1's resize_bicubic along axis 1, without its rounding of the offset to 1/1024."""
    old, a = x.shape[1], -0.75
    y = np.zeros((x.shape[0], new, *x.shape[2:]))
    for i in range(new):
        place = i * old / new
        left = math.floor(place)
        for k in range(left - 1, left + 3):
            t = abs(place - k)
            if t <= 1:
                weight = (a + 2) * t**3 - (a + 3) * t**2 + 1
            else:
                weight = a * t**3 - 5 * a * t**2 + 8 * a * t - 4 * a
            y[:, i] += weight * x[:, min(max(k, 0), old - 1)]
    return y


@pytest.mark.parametrize(
    ("old", "new"), [((64, 64), (32, 32)), ((8, 5), (16, 3)), ((3, 9), (7, 6))]
)
def test_the_rule_of_tensorflow_1(old, new):
    x = np.random.default_rng(13).standard_normal((2, *old, 3))
    rows = tensorflow_1(x, new[0])
    expected = tensorflow_1(rows.transpose(0, 2, 1, 3), new[1]).transpose(0, 2, 1, 3)
    mine = mg.resize_bicubic(x, new, half_pixel_centers=False)
    assert_close_to_torch(mine, torch.tensor(expected))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_64_to_32_takes_every_second_pixel_exactly(dtype):
    x = np.random.default_rng(14).random((3, 64, 64, 1)).astype(dtype)
    small = mg.resize_bicubic(x, 32, half_pixel_centers=False)
    assert small.dtype == dtype
    assert np.array_equal(small, x[:, ::2, ::2])
    leaf, theirs = tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    u = np.random.default_rng(15).standard_normal(small.shape).astype(dtype)
    mg.resize_bicubic(leaf, 32, half_pixel_centers=False).backward(u)
    theirs[:, ::2, ::2].backward(torch.tensor(u))
    assert np.array_equal(leaf.grad.numpy(), theirs.grad.numpy())
