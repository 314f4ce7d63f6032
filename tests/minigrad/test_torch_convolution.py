"""Convolution, its transpose, its weight gradient and bicubic resizing equal PyTorch's.

PyTorch's padding is written out with `F.pad` from TensorFlow's rule, so that nothing of the
library's own geometry is used to check it. Small integers in float32 are compared bit for bit.
"""

import contextlib
import math
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from second_opinion import compare, numbers

import minigrad as mg
from minigrad import registry, tensor
from minigrad.conv import Geometry
from minigrad.testing import assert_close_to_torch, check_adjoint

torch = pytest.importorskip("torch", reason="PyTorch, the second opinion, is not installed")
F = torch.nn.functional

SOME = settings(deadline=None, max_examples=60, derandomize=True)


@contextlib.contextmanager
def exact(kernels):
    """Convolve by sums of products alone, without Winograd's algorithm, which rounds.

    "specification" is `minigrad.conv` itself; "direct" the fast kernels, where they are installed.
    """
    triple = [registry[name] for name in ("conv_y", "conv_x", "conv_w")]
    cpu, before = getattr(mg, "cpu", None), [p.cpu for p in triple]
    method = cpu and cpu.convolution.method
    try:
        if kernels == "specification":
            for p in triple:
                p.cpu = p.forward
        elif cpu:
            cpu.convolution.method = "direct"
        yield
    finally:
        for p, kernel in zip(triple, before, strict=True):
            p.cpu = kernel
        if cpu:
            cpu.convolution.method = method


KERNELS = pytest.mark.parametrize(
    "kernels",
    [
        "specification",
        pytest.param(
            "direct",
            marks=pytest.mark.skipif(
                not hasattr(mg, "cpu"), reason="minigrad comes without fast CPU kernels"
            ),
        ),
    ],
)


# ---------------------------------------------------------------------- geometries
class Setting(NamedTuple):
    """One convolution: shapes, minigrad's options, and the padding written out."""

    x: tuple  # (N, H, W, C)
    w: tuple  # (kh, kw, C / groups, F)
    stride: object
    padding: object
    dilation: object
    groups: int

    @property
    def pads(self):
        """((top, bottom), (left, right)) by TensorFlow's rule for "same"."""
        if self.padding == "valid":
            return (0, 0), (0, 0)
        if self.padding == "same":
            return tuple(
                tensorflow_same(
                    self.x[1 + i], self.w[i], two(self.stride)[i], two(self.dilation)[i]
                )
                for i in (0, 1)
            )
        if isinstance(self.padding, int):
            return (self.padding, self.padding), (self.padding, self.padding)
        return self.padding

    @property
    def y(self):
        """The shape of the output (N, P, Q, F)."""
        extent = [(k - 1) * d + 1 for k, d in zip(self.w, two(self.dilation), strict=False)]
        out = [
            (n + sum(p) - e) // s + 1
            for n, p, e, s in zip(self.x[1:3], self.pads, extent, two(self.stride), strict=True)
        ]
        return (self.x[0], *out, self.w[3])


def tensorflow_same(size, kernel, stride, dilation):
    """The padding of TensorFlow's "SAME", from its documentation."""
    extent = dilation * (kernel - 1) + 1
    total = max(extent - (size % stride or stride), 0)
    return total // 2, total - total // 2


def two(value):
    return value if isinstance(value, tuple) else (value, value)


@st.composite
def convolutions(draw):
    small = st.integers(1, 3)
    one_or_two = small | st.tuples(small, small)
    stride, dilation, groups = draw(one_or_two), draw(one_or_two), draw(small)
    kernel = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    pad = st.integers(0, 3)
    padding = draw(
        st.sampled_from(["same", "valid"])
        | pad
        | st.tuples(st.tuples(pad, pad), st.tuples(pad, pad))
    )
    size = []
    for i in (0, 1):
        extent = (kernel[i] - 1) * two(dilation)[i] + 1
        around = 0 if isinstance(padding, str) else sum(two(two(padding)[i]))
        least = 1 if padding == "same" else max(1, extent - around)
        size.append(draw(st.integers(least, least + 6)))
    n, c, f = draw(small), draw(small) * groups, draw(small) * groups
    x, w = (n, *size, c), (*kernel, c // groups, f)
    return Setting(x, w, stride, padding, dilation, groups)


def options(s):
    return dict(stride=s.stride, padding=s.padding, dilation=s.dilation, groups=s.groups)


def my_conv(s):
    return lambda x, w: mg.conv2d(x, w, **options(s))


def my_transpose(s):
    return lambda y, w: mg.conv2d_transpose(y, w, output_size=s.x[1:3], **options(s))


def my_weight(s):
    return lambda x, y: mg.conv2d_weight(x, y, s.w[:2], **options(s))


def channels_first(x):
    """NHWC as NCHW, contiguous: some of PyTorch's gradients refuse anything else."""
    return x.permute(0, 3, 1, 2).contiguous()


def out_in_first(w):
    """HWIO as OIHW."""
    return w.permute(3, 2, 0, 1).contiguous()


def torch_conv(s):
    """PyTorch's convolution in NHWC and HWIO."""

    def conv(x, w):
        x = F.pad(channels_first(x), (*s.pads[1], *s.pads[0]))
        y = F.conv2d(x, out_in_first(w), None, s.stride, 0, s.dilation, s.groups)
        return y.permute(0, 2, 3, 1)

    return conv


def torch_transpose(s):
    """PyTorch's full transposed convolution, brought to the padded image and cropped."""

    def transpose(y, w):
        y, w = channels_first(y), out_in_first(w)
        x = F.conv_transpose2d(y, w, None, s.stride, 0, 0, s.groups, s.dilation)
        (top, bottom), (left, right) = s.pads
        below = s.x[1] + top + bottom - x.shape[2]  # rows that no window reached
        beside = s.x[2] + left + right - x.shape[3]
        x = F.pad(x, (0, beside, 0, below))
        x = x[:, :, top : top + s.x[1], left : left + s.x[2]]
        return x.permute(0, 2, 3, 1)

    return transpose


def torch_weight(s):
    """Windows times outputs. (PyTorch's own weight gradient is compared as that of conv2d; its
    second derivative fails for some shapes, "slow_conv2d: grad_weight must be contiguous".)"""

    def weight(x, y):
        kh, kw, c, _ = s.w
        x = F.pad(x.permute(0, 3, 1, 2), (*s.pads[1], *s.pads[0]))
        windows = F.unfold(x, (kh, kw), s.dilation, 0, s.stride)  # (N, C * kh * kw, P * Q)
        windows = windows.reshape(len(x), s.groups, c, kh * kw, -1)
        y = y.reshape(len(y), windows.shape[-1], s.groups, -1)  # (N, P * Q, groups, F / groups)
        return torch.einsum("ngckl,nlgf->kcgf", windows, y).reshape(s.w)

    return weight


TRIPLE = [
    pytest.param(my_conv, torch_conv, "xw", id="conv2d"),
    pytest.param(my_transpose, torch_transpose, "yw", id="conv2d_transpose"),
    pytest.param(my_weight, torch_weight, "xy", id="conv2d_weight"),
]


# ---------------------------------------------------------------------- against PyTorch
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


# ---------------------------------------------------------------------- the three identities
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


# ---------------------------------------------------------------------- four loops
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


# ---------------------------------------------------------------------- large arrays
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


# ---------------------------------------------------------------------- bicubic resizing
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
