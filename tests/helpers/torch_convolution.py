"""Convolutions of every geometry, here and in PyTorch, whose padding is written out by `F.pad`."""

import contextlib
from typing import NamedTuple

import pytest
from hypothesis import strategies as st

import minigrad as mg
from minigrad import registry

torch = pytest.importorskip("torch", reason="PyTorch, the second opinion, is not installed")


F = torch.nn.functional


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
