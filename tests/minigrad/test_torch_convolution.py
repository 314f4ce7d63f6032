"""Convolution, its transpose and its weight gradient equal PyTorch's.

PyTorch's padding is written out with `F.pad` from TensorFlow's rule, so that nothing of the
library's own geometry is used to check it. Small integers in float32 are compared bit for bit.
"""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from second_opinion import compare, numbers
from torch_convolution import (
    KERNELS,
    TRIPLE,
    Setting,
    channels_first,
    convolutions,
    exact,
    my_conv,
    my_transpose,
    my_weight,
    options,
    out_in_first,
    torch_conv,
    torch_transpose,
    two,
)

import minigrad as mg
from minigrad import registry
from minigrad.conv import Geometry
from minigrad.testing import check_adjoint

torch = pytest.importorskip("torch", reason="PyTorch, the second opinion, is not installed")
F = torch.nn.functional
SOME = settings(deadline=None, max_examples=60, derandomize=True)


@pytest.mark.parametrize(("mine", "theirs", "arguments"), TRIPLE)
@SOME
@given(s=convolutions())
def test_values_and_two_orders_of_derivatives(mine, theirs, arguments, s):
    rng = np.random.default_rng(1)
    arrays = [rng.standard_normal(getattr(s, name)) for name in arguments]
    compare(mine(s), theirs(s), arrays)


@pytest.mark.parametrize(("mine", "theirs", "arguments"), TRIPLE)
@KERNELS
@SOME
@given(s=convolutions())
def test_small_integers_in_float32_bit_for_bit(mine, theirs, arguments, kernels, s):
    rng = np.random.default_rng(1)
    arrays = [numbers(rng, getattr(s, name), np.float32, True) for name in arguments]
    with exact(kernels):
        compare(mine(s), theirs(s), arrays, tolerance=0.0, integers=True)


@SOME
@given(s=convolutions())
def test_the_shape_is_the_one_expected(s):
    y = mg.conv2d(np.zeros(s.x), np.zeros(s.w), **options(s))
    assert y.shape == s.y
    if s.padding == "same":
        assert y.shape[1:3] == tuple(
            math.ceil(n / k) for n, k in zip(s.x[1:3], two(s.stride), strict=True)
        )


@SOME
@given(
    n=st.integers(1, 2),
    size=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    kernel=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    stride=st.integers(1, 3) | st.tuples(st.integers(1, 3), st.integers(1, 3)),
    dilation=st.integers(1, 2),
    groups=st.integers(1, 2),
)
def test_transpose_with_same_padding_crops_to_size_times_stride(
    n, size, kernel, stride, dilation, groups
):
    large = tuple(p * s for p, s in zip(size, two(stride), strict=True))
    c, f = 2 * groups, 3 * groups
    s = Setting((n, *large, c), (*kernel, c // groups, f), stride, "same", dilation, groups)
    rng = np.random.default_rng(2)
    y, w = rng.standard_normal((n, *size, f)), rng.standard_normal(s.w)
    compare(lambda y, w: mg.conv2d_transpose(y, w, **options(s)), torch_transpose(s), [y, w])
    assert mg.conv2d_transpose(y, w, **options(s)).shape == s.x


@SOME
@given(s=convolutions().filter(lambda s: s.padding != "same"))
def test_transpose_without_an_output_size_is_pytorchs(s):
    """The smallest image that conv2d maps to y; PyTorch: the same padding, no output_padding."""
    symmetric = all(a == b for a, b in s.pads)
    rng = np.random.default_rng(3)
    y, w = rng.standard_normal(s.y), rng.standard_normal(s.w)
    extents = [(k - 1) * d + 1 for k, d in zip(s.w, two(s.dilation), strict=False)]
    size = [
        (p - 1) * t + e - sum(pad)
        for p, t, e, pad in zip(s.y[1:3], two(s.stride), extents, s.pads, strict=True)
    ]
    if min(size) < 1:
        return  # nothing is left
    s = s._replace(x=(s.x[0], *size, s.x[3]))
    theirs = torch_transpose(s)
    if symmetric:
        theirs = lambda y, w: F.conv_transpose2d(  # noqa: E731
            channels_first(y),
            out_in_first(w),
            stride=s.stride,
            padding=tuple(p for p, _ in s.pads),
            dilation=s.dilation,
            groups=s.groups,
        ).permute(0, 2, 3, 1)
    compare(lambda y, w: mg.conv2d_transpose(y, w, **options(s)), theirs, [y, w], order=1)


@pytest.mark.parametrize("activation", [None, "relu", "sigmoid", "tanh", "softplus", mg.exp])
@pytest.mark.parametrize("transposed", [False, True])
def test_bias_and_activation(transposed, activation):
    s = Setting((2, 6, 5, 3), (3, 2, 3, 4), (2, 1), "same", 1, 1)
    rng = np.random.default_rng(4)
    image = rng.standard_normal(s.y if transposed else s.x)
    w, b = rng.standard_normal(s.w), rng.standard_normal(3 if transposed else 4)
    mine, theirs = (
        (mg.conv2d_transpose, torch_transpose(s)) if transposed else (mg.conv2d, torch_conv(s))
    )
    last = {None: lambda y: y, "softplus": F.softplus, mg.exp: torch.exp}.get(
        activation, getattr(torch, str(activation), None)
    )
    extra = dict(output_size=s.x[1:3]) if transposed else {}
    compare(
        lambda x, w, b: mine(x, w, b, stride=(2, 1), activation=activation, **extra),
        lambda x, w, b: last(theirs(x, w) + b),
        [image, w, b],
    )


@KERNELS
@SOME
@given(s=convolutions())
def test_trilinear_identity_and_adjoints_exactly(kernels, s):
    rng = np.random.default_rng(5)
    x, w, y = (rng.integers(-9, 10, shape).astype(np.float64) for shape in (s.x, s.w, s.y))
    conv, transpose, weight = my_conv(s), my_transpose(s), my_weight(s)
    with exact(kernels):
        form = (conv(x, w) * y).sum()
        assert form == (transpose(y, w) * x).sum() == (weight(x, y) * w).sum()
        for f, transposed, a, b in (
            (lambda x: conv(x, w), lambda y: transpose(y, w), x, y),
            (lambda w: conv(x, w), lambda y: weight(x, y), w, y),
            (lambda w: transpose(y, w), lambda x: weight(x, y), w, x),
        ):
            check_adjoint(f, transposed, a, b, tolerance=0.0)


def four_loops(x, w, stride, pads, dilation):
    """Convolution by its definition."""
    (top, bottom), (left, right) = pads
    padded = np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)))
    kh, kw = w.shape[:2]
    height = (padded.shape[1] - (kh - 1) * dilation - 1) // stride + 1
    width = (padded.shape[2] - (kw - 1) * dilation - 1) // stride + 1
    y = np.zeros((len(x), height, width, w.shape[3]), x.dtype)
    for p in range(height):
        for q in range(width):
            for i in range(kh):
                for j in range(kw):
                    pixel = padded[:, p * stride + i * dilation, q * stride + j * dilation]
                    y[:, p, q] += pixel @ w[i, j]  # (N, C) @ (C, F)
    return y


@KERNELS
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("size", "kernel", "stride", "padding", "pads", "dilation"),
    [
        ((32, 32), (3, 3), 2, "same", ((0, 1), (0, 1)), 1),  # TensorFlow's: one pixel, at the end
        ((9, 7), (2, 4), 3, ((2, 0), (1, 3)), ((2, 0), (1, 3)), 2),
        ((7, 7), (3, 3), 2, "same", ((1, 1), (1, 1)), 1),
        ((8, 5), (4, 2), 1, "same", ((1, 2), (0, 1)), 1),
    ],
)
def test_four_loops_give_the_same(size, kernel, stride, padding, pads, dilation, dtype, kernels):
    assert Geometry.of(size, kernel, stride, padding, dilation).pads == pads
    rng = np.random.default_rng(6)
    x, w = numbers(rng, (2, *size, 3), dtype, True), numbers(rng, (*kernel, 3, 5), dtype, True)
    with exact(kernels):
        y = mg.conv2d(x, w, stride=stride, padding=padding, dilation=dilation)
    expected = four_loops(x, w, stride, pads, dilation)
    assert y.dtype == expected.dtype == dtype
    assert np.array_equal(y, expected)


LARGE = [  # batches that do not fit in one block, and the layers of the reference model
    Setting((9, 32, 32, 32), (3, 3, 32, 8), 1, "same", 1, 1),
    Setting((3, 16, 16, 64), (3, 3, 64, 128), 1, "same", 1, 1),
    Setting((5, 32, 32, 128), (3, 3, 128, 1), 2, "same", 1, 1),  # convt_0, seen from its output
    Setting((5, 64, 64, 16), (3, 3, 8, 16), 2, "same", 1, 2),
]


@pytest.mark.parametrize(("mine", "theirs", "arguments"), TRIPLE)
@KERNELS
@pytest.mark.parametrize("s", LARGE, ids=lambda s: f"{s.x}*{s.w}")
def test_large_integers_bit_for_bit(mine, theirs, arguments, s, kernels):
    rng = np.random.default_rng(8)
    arrays = [numbers(rng, getattr(s, name), np.float32, True) for name in arguments]
    with exact(kernels):
        compare(mine(s), theirs(s), arrays, tolerance=0.0, order=1, integers=True)


@pytest.mark.parametrize(("mine", "theirs", "arguments"), TRIPLE)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("s", LARGE[:2], ids=lambda s: f"{s.x}*{s.w}")
def test_large_arrays_with_the_kernels_in_use(mine, theirs, arguments, s, dtype):
    """Winograd's algorithm, where it is used, rounds differently: some 1e-6 in float32."""
    rng = np.random.default_rng(9)
    arrays = [numbers(rng, getattr(s, name), dtype, False) for name in arguments]
    tolerance = 1e-5 if dtype == np.float32 else 1e-12
    compare(mine(s), theirs(s), arrays, tolerance=tolerance, order=1)


def test_exact_switches_the_kernels_and_back():
    """Tests that need exact sums rely on it."""
    before = [registry[f"conv_{k}"].cpu for k in "xyw"]
    with exact("specification"):
        assert all(registry[f"conv_{k}"].cpu is registry[f"conv_{k}"].forward for k in "xyw")
    assert [registry[f"conv_{k}"].cpu for k in "xyw"] == before
