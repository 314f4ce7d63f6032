"""Checks of lesson 12."""

from importlib import import_module

from lessons import Check, Judge, use

import numpy as np

import minigrad as mg
from minigrad import registry
from minigrad.conv import Geometry


# ---------------------------------------------------------------------- 12.1 out_size
def size_cases():
    cases = [(7, 3, 2, 0, 0), (8, 3, 2, 0, 0), (5, 5, 1, 0, 0), (32, 3, 2, 0, 1), (32, 3, 1, 1, 1)]
    drawn = np.random.default_rng(71).integers((20, 2, 2, 0, 0), (90, 9, 6, 4, 4), (3, 5)).tolist()
    return [*cases, (224, 7, 2, 2, 3), (10, 3, 3, 1, 0), (9, 4, 4, 0, 3), *map(tuple, drawn)]


def count_windows(size, kernel, stride, before, after):
    """Move the window until it sticks out."""
    count, start = 0, -before
    while start + kernel <= size + after:
        count, start = count + 1, start + stride
    return count


def torch_windows(size, kernel, stride, before, after):
    pixels = import_module("torch").zeros(before + size + after)
    return len(pixels.unfold(0, kernel, stride))


def library_size(size, kernel, stride, before, after):
    return Geometry.of((size, 1), (kernel, 1), stride, ((before, after), (0, 0))).out[0]


def forgets_the_first(size, kernel, stride, before, after):
    """You counted how often the window moves: there is one window more, the first."""
    return (before + size + after - kernel) // stride


def rounds_up(size, kernel, stride, before, after):
    """You rounded up: a window that would stick out at the end is left out, so round down."""
    return -((kernel - before - size - after) // stride) + 1


def forgets_the_pads(size, kernel, stride, before, after):
    """You left out the zeros: the windows slide over before + size + after pixels."""
    return (size - kernel) // stride + 1


def same_pads(size, kernel, stride, before, after):
    """You counted the zeros before twice: those at the end can be another number."""
    return (2 * before + size - kernel) // stride + 1


def forgets_the_kernel(size, kernel, stride, before, after):
    """You let windows start at every pixel: the last start is a kernel's length before the end."""
    return (before + size + after - 1) // stride + 1


def not_whole(size, kernel, stride, before, after):
    """You divided without rounding: half a window does not count, so use // for /."""
    return (before + size + after - kernel) / stride + 1


out_size = Check(
    library=library_size,
    source="minigrad/conv.py::Geometry",
    returns="whole number",
    cases=size_cases,
    judges=[
        Judge("counting the windows", count_windows),
        Judge("PyTorch", torch_windows, needs="torch"),
    ],
    mistakes=[
        forgets_the_first,
        rounds_up,
        forgets_the_pads,
        same_pads,
        forgets_the_kernel,
        not_whole,
    ],
)


# ---------------------------------------------------------------------- 12.2 pad_same
def pad_cases():
    cases = [(32, 3, 1), (32, 3, 2), (224, 7, 2), (33, 3, 2), (32, 4, 1), (8, 1, 2), (10, 5, 3)]
    drawn = np.random.default_rng(72).integers((20, 2, 1), (90, 9, 6), (3, 3)).tolist()
    return [*cases, (5, 2, 1), (13, 2, 4), *map(tuple, drawn)]


def fewest_zeros(size, kernel, stride):
    """Try totals until there are as many windows as strides begin in the picture."""
    wanted, total = len(range(0, size, stride)), 0
    while count_windows(size, kernel, stride, 0, total) < wanted:
        total += 1
    return total // 2, total - total // 2


def library_pads(size, kernel, stride):
    return Geometry.of((size, 1), (kernel, 1), (stride, 1), "same").pads[0]


def on_both_sides(size, kernel, stride):
    """You put kernel // 2 zeros on both sides, PyTorch's habit: one too many at stride 2 or with an
    even kernel, and the windows then start elsewhere."""
    return kernel // 2, kernel // 2


def extra_zero_first(size, kernel, stride):
    """The extra zero of an odd total is at the beginning: TensorFlow's rule puts it at the end."""
    return library_pads(size, kernel, stride)[::-1]


def as_at_stride_1(size, kernel, stride):
    """This is right at stride 1 only: with a stride the last window starts (windows - 1) * stride
    after the first, and may need fewer zeros."""
    return (kernel - 1) // 2, kernel - 1 - (kernel - 1) // 2


def windows_rounded_down(size, kernel, stride):
    """You rounded size / stride down: "same" has a window for the last pixels too, so round up."""
    total = max((size // stride - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def less_than_none(size, kernel, stride):
    """A negative number of zeros: a window shorter than the stride needs none, so stop at 0."""
    total = (-(-size // stride) - 1) * stride + kernel - size
    return total // 2, total - total // 2


def all_at_the_end(size, kernel, stride):
    """All zeros are at the end: half of them, rounded down, come before the picture."""
    return 0, sum(library_pads(size, kernel, stride))


pad_same = Check(
    library=library_pads,
    source="minigrad/conv.py::Geometry.of",
    returns=("whole number", "whole number"),
    cases=pad_cases,
    judges=[Judge("trying 0, 1, 2, ... zeros", fewest_zeros)],
    mistakes=[
        on_both_sides,
        extra_zero_first,
        as_at_stride_1,
        windows_rounded_down,
        less_than_none,
        all_at_the_end,
    ],
)


# ---------------------------------------------------------------------- 12.3 conv2d
SETTINGS = [  # images, kernel, stride, pads
    ((1, 4, 5, 1), (3, 3, 1, 1), (1, 1), ((0, 0), (0, 0))),
    ((3, 3, 3, 1), (2, 3, 1, 2), (1, 1), ((0, 0), (0, 0))),  # more pictures than windows
    ((2, 5, 6, 3), (3, 2, 3, 4), (1, 1), ((1, 1), (0, 1))),
    ((2, 8, 6, 2), (3, 3, 2, 3), (2, 2), ((0, 1), (0, 1))),
    ((1, 7, 10, 2), (2, 3, 2, 3), (2, 3), ((2, 0), (2, 0))),
]


def conv_cases():
    rng = np.random.default_rng(73)
    return [
        (rng.standard_normal(x), rng.standard_normal(w), stride, pads)
        for x, w, stride, pads in SETTINGS
    ]


def padded(x, pads):
    return np.pad(x, ((0, 0), *pads, (0, 0)))


def one_product_at_a_time(x, w, stride, pads):
    """The formula, with nothing but products of two numbers."""
    (kh, kw, channels, features), (s, t) = w.shape, stride
    p, q = (
        count_windows(*a, *b) for *a, b in zip(x.shape[1:3], (kh, kw), stride, pads, strict=True)
    )
    x, y = padded(x, pads), np.zeros((len(x), p, q, features))
    for n, p, q, f in np.ndindex(y.shape):
        for i, j, c in np.ndindex(kh, kw, channels):
            y[n, p, q, f] += x[n, p * s + i, q * t + j, c] * w[i, j, c, f]
    return y


def scipy_correlation(x, w, stride, pads):
    correlate = import_module("scipy.signal").correlate
    full = [
        np.concatenate([correlate(image, kernel, "valid") for kernel in np.moveaxis(w, 3, 0)], 2)
        for image in padded(x, pads)
    ]
    return np.stack(full)[:, :: stride[0], :: stride[1]]


def torch_conv2d(x, w, stride, pads):
    torch = import_module("torch")
    x, w = torch.tensor(padded(x, pads)), torch.tensor(w)
    y = torch.conv2d(x.permute(0, 3, 1, 2), w.permute(3, 2, 0, 1), stride=stride)
    return y.permute(0, 2, 3, 1).numpy()


def in_its_place(f, *case):
    """The answer of f while the library computes with it, as it does at the lesson's end."""
    with use(conv2d=f):
        return f(*case)


def library_conv2d(x, w, stride, pads):
    """The readable forward of the library, which `use` leaves alone."""
    return registry["conv_y"].forward(x, w, Geometry.of(x.shape[1:3], w.shape[:2], stride, pads))


def turned_around(x, w, stride, pads):
    """The kernel is turned around, as in mathematics: element (i, j) of the window meets element
    (i, j) of the kernel."""
    return library_conv2d(x, w[::-1, ::-1], stride, pads)


def pads_at_the_other_end(x, w, stride, pads):
    """The zeros are at the wrong ends: of each pair, the first number is top or left."""
    return library_conv2d(x, w, stride, tuple(pair[::-1] for pair in pads))


def strides_exchanged(x, w, stride, pads):
    """The strides are exchanged: the first moves windows down, the second to the right."""
    return library_conv2d(x, w, stride[::-1], pads)


def moves_by_one(x, w, stride, pads):
    """Windows start at p and q: they move on by the stride, so start at p * s and q * t."""
    rows, columns = library_conv2d(x, w, stride, pads).shape[1:3]
    return library_conv2d(x, w, (1, 1), pads)[:, :rows, :columns]


def calls_the_library(x, w, stride, pads):
    """You call the library's convolution, but `use` puts yours in its place, so that it would call
    itself for ever: NumPy alone is enough."""
    return mg.conv2d(x, w, stride=stride, padding=pads)


def no_zeros(x, w, stride, pads):
    """You left out the zeros around the picture: np.pad puts them there."""
    return library_conv2d(x, w, stride, ((0, 0), (0, 0)))


conv2d = Check(
    library=library_conv2d,
    source="minigrad/conv.py::conv_y",
    returns="array",
    cases=conv_cases,
    observe=in_its_place,
    judges=[
        Judge("one product at a time", one_product_at_a_time, 1e-12),
        Judge("SciPy", scipy_correlation, 1e-12, needs="scipy"),
        Judge("PyTorch", torch_conv2d, 1e-12, needs="torch"),
    ],
    mistakes=[
        turned_around,
        pads_at_the_other_end,
        strides_exchanged,
        moves_by_one,
        calls_the_library,
        no_zeros,
    ],
)
