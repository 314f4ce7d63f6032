"""Checks of lesson 13; settings and the forward convolution are those of lesson 12."""

from importlib import import_module

from lessons import Check, Judge

import numpy as np

from minigrad import registry
from minigrad.conv import Geometry

forward = import_module("lessons.checks.12")


def geometries():
    """(Geometry, shape of y, shape of w) of each setting."""
    for x, w, stride, pads in forward.SETTINGS:
        geometry = Geometry.of(x[1:3], w[:2], stride, pads)
        yield geometry, (x[0], *geometry.out, w[3]), w


# ---------------------------------------------------------------------- 13.1 conv2d_transpose
def transpose_cases():
    rng = np.random.default_rng(81)
    return [
        (rng.standard_normal(y), rng.standard_normal(w), g.stride, g.pads, g.size)
        for g, y, w in geometries()
    ]


def empty(y, w, pads, size):
    height, width = (sum(pair) + n for pair, n in zip(pads, size, strict=True))
    return np.zeros((len(y), height, width, w.shape[2]))


def cropped(x, pads, size):
    (top, _), (left, _) = pads
    return x[:, top : top + size[0], left : left + size[1]]


def one_product_at_a_time(y, w, stride, pads, size):
    """The formula, with nothing but products of two numbers."""
    x, (s, t) = empty(y, w, pads, size), stride
    for n, p, q, f in np.ndindex(y.shape):
        for i, j, c in np.ndindex(w.shape[:3]):
            x[n, p * s + i, q * t + j, c] += y[n, p, q, f] * w[i, j, c, f]
    return cropped(x, pads, size)


def partner(*shape):
    return np.random.default_rng(len(shape)).standard_normal(shape)


def other_side(y, w, stride, pads, size):
    x = partner(len(y), *size, w.shape[2])
    return float(np.sum(forward.library_conv2d(x, w, stride, pads) * y))


def this_side(x, y, w, stride, pads, size):
    return float(np.sum(x * partner(len(y), *size, w.shape[2])))


def torch_transpose(y, w, stride, pads, size):
    """PyTorch crops nothing: pixels that no window reaches are added, and the pads cut off."""
    torch = import_module("torch")
    y, w = torch.tensor(y).permute(0, 3, 1, 2), torch.tensor(w).permute(3, 2, 0, 1)
    full = torch.conv_transpose2d(y, w, stride=stride).permute(0, 2, 3, 1).numpy()
    x = np.zeros((len(y), *(sum(b) + n for b, n in zip(pads, size, strict=True)), w.shape[1]))
    x[:, : full.shape[1], : full.shape[2]] = full
    return cropped(x, pads, size)


def library_transpose(y, w, stride, pads, size):
    """The readable forward of the library, which `use` leaves alone."""
    return registry["conv_x"].forward(y, w, Geometry.of(tuple(size), w.shape[:2], stride, pads))


def overwrites_windows(y, w, stride, pads, size):
    """Each window overwrites what the windows before it left: add to the pixels, with +=."""
    x, (kh, kw), (s, t) = empty(y, w, pads, size), w.shape[:2], stride
    for p, q in np.ndindex(y.shape[1:3]):
        window = np.tensordot(y[:, p, q], w, (1, 3))
        x[:, p * s : p * s + kh, q * t : q * t + kw] = window
    return cropped(x, pads, size)


def overwrites_taps(y, w, stride, pads, size):
    """Each kernel element overwrites what those before it left: add to the pixels, with +=."""
    x, (s, t), (_, rows, columns, _) = empty(y, w, pads, size), stride, y.shape
    for i, j in np.ndindex(w.shape[:2]):
        pixels = np.ix_(range(len(y)), i + s * np.arange(rows), j + t * np.arange(columns))
        x[pixels] = y @ w[i, j].T
    return cropped(x, pads, size)


def crops_the_other_end(y, w, stride, pads, size):
    """The crop is at the wrong ends: `top` rows and `left` columns go from the beginning."""
    return library_transpose(y, w, stride, tuple(pair[::-1] for pair in pads), size)


def turned_around(y, w, stride, pads, size):
    """The kernel is turned around: nothing is flipped here, element (i, j) goes to p s + i, q t + j
    (it is convolving y, the other way to do this, that needs the flip)."""
    return library_transpose(y, w[::-1, ::-1], stride, pads, size)


def moves_by_one(y, w, stride, pads, size):
    """Windows start at p and q: they are as far apart as on the way forward, at p * s and q * t."""
    x, (kh, kw) = empty(y, w, pads, size), w.shape[:2]
    for p, q in np.ndindex(y.shape[1:3]):
        x[:, p : p + kh, q : q + kw] += np.tensordot(y[:, p, q], w, (1, 3))
    return cropped(x, pads, size)


def averages(y, w, stride, pads, size):
    """You divided by the number of windows that cover a pixel: the transpose sums over them."""
    ones = library_transpose(
        np.ones((1, *y.shape[1:3], 1)), np.ones((*w.shape[:2], 1, 1)), stride, pads, size
    )
    return library_transpose(y, w, stride, pads, size) / np.maximum(ones, 1)


conv2d_transpose = Check(
    library=library_transpose,
    source="minigrad/conv.py::conv_x",
    returns="array",
    cases=transpose_cases,
    judges=[
        Judge("one product at a time", one_product_at_a_time, 1e-12),
        Judge("<conv(x), y>", other_side, 1e-12, this_side),
        Judge("PyTorch", torch_transpose, 1e-12, needs="torch"),
    ],
    mistakes=[
        overwrites_windows,
        overwrites_taps,
        crops_the_other_end,
        turned_around,
        moves_by_one,
        averages,
    ],
)


# ---------------------------------------------------------------------- 13.2 kernel_gradient
def gradient_cases():
    rng = np.random.default_rng(82)
    return [
        (
            rng.standard_normal((y[0], *g.size, w[2])),
            rng.standard_normal(y),
            w[:2],
            g.stride,
            g.pads,
        )
        for g, y, w in geometries()
    ]


def one_weight_at_a_time(x, g, kernel, stride, pads):
    """The formula: what each weight met, times what became of it."""
    (s, t), x = stride, forward.padded(x, pads)
    w = np.zeros((*kernel, x.shape[3], g.shape[3]))
    for i, j, c, f in np.ndindex(w.shape):
        for n, p, q in np.ndindex(g.shape[:3]):
            w[i, j, c, f] += x[n, p * s + i, q * t + j, c] * g[n, p, q, f]
    return w


def along(x, g, kernel, stride, pads):
    """The convolution is linear in w: the slope along v is <g, conv(x, v)>."""
    v = partner(*kernel, x.shape[3], g.shape[3])
    return float(np.sum(g * forward.library_conv2d(x, v, stride, pads)))


def view_along(w, x, g, kernel, stride, pads):
    return float(np.sum(w * partner(*kernel, x.shape[3], g.shape[3])))


def torch_gradient(x, g, kernel, stride, pads):
    torch = import_module("torch")
    w = torch.zeros(g.shape[3], x.shape[3], *kernel, dtype=torch.float64, requires_grad=True)
    x = torch.tensor(forward.padded(x, pads)).permute(0, 3, 1, 2)
    y = torch.conv2d(x, w, stride=stride)
    (w,) = torch.autograd.grad(y, w, torch.tensor(g).permute(0, 3, 1, 2))
    return w.permute(2, 3, 1, 0).numpy()


def library_gradient(x, g, kernel, stride, pads):
    return registry["conv_w"].forward(x, g, Geometry.of(x.shape[1:3], tuple(kernel), stride, pads))


def mean_over_pictures(x, g, kernel, stride, pads):
    """You took the mean over the pictures: what a weight does in each of them is added."""
    return library_gradient(x, g, kernel, stride, pads) / len(x)


def keeps_the_last(x, g, kernel, stride, pads):
    """Only the last window counts, the others were overwritten: add them up, with +=."""
    last = np.zeros_like(g)
    last[:, -1, -1] = g[:, -1, -1]
    return library_gradient(x, last, kernel, stride, pads)


def gradient_turned_around(x, g, kernel, stride, pads):
    """The result is turned around: element (i, j) belongs to the pixels at p s + i, q t + j."""
    return library_gradient(x, g, kernel, stride, pads)[::-1, ::-1]


def takes_each_pixel(x, g, kernel, stride, pads):
    """You took neighbouring pixels: weight (i, j) met every s-th row and every t-th column."""
    rows, columns = g.shape[1:3]
    windows = np.lib.stride_tricks.sliding_window_view(forward.padded(x, pads), kernel, (1, 2))
    return np.einsum("npqcij,npqf->ijcf", windows[:, :rows, :columns], g)


def pads_at_the_other_end(x, g, kernel, stride, pads):
    """The zeros are at the wrong ends: of each pair, the first number is top or left."""
    return library_gradient(x, g, kernel, stride, tuple(pair[::-1] for pair in pads))


kernel_gradient = Check(
    library=library_gradient,
    source="minigrad/conv.py::conv_w",
    returns="array",
    cases=gradient_cases,
    judges=[
        Judge("one weight at a time", one_weight_at_a_time, 1e-12),
        Judge("a slope along a random direction", along, 1e-12, view_along),
        Judge("PyTorch", torch_gradient, 1e-12, needs="torch"),
    ],
    mistakes=[
        mean_over_pictures,
        keeps_the_last,
        gradient_turned_around,
        takes_each_pixel,
        pads_at_the_other_end,
    ],
)


# ---------------------------------------------------------------------- 13.3 overlaps
def overlap_cases():
    drawn = np.random.default_rng(83).integers((3, 2, 1), (12, 8, 5), (2, 3)).tolist()
    cases = [(5, 3, 2), (5, 4, 2), (4, 3, 1), (3, 2, 3), (1, 3, 2), (6, 5, 2), (4, 5, 3)]
    return [*cases, *map(tuple, drawn)]


def pixel_by_pixel(windows, kernel, stride):
    starts = range(0, windows * stride, stride)
    last = (windows - 1) * stride + kernel
    return np.array([sum(s <= pixel < s + kernel for s in starts) for pixel in range(last)])


def as_convolution(windows, kernel, stride):
    """A comb, one tooth for each window, convolved with a window of ones."""
    comb = np.zeros((windows - 1) * stride + 1)
    comb[::stride] = 1
    return np.convolve(comb, np.ones(kernel))


def library_overlaps(windows, kernel, stride):
    return as_convolution(windows, kernel, stride).astype(int)


def everywhere_the_mean(windows, kernel, stride):
    """This is the mean number, kernel / stride: count for each pixel which windows cover it."""
    return np.full((windows - 1) * stride + kernel, kernel / stride)


def no_edges(windows, kernel, stride):
    """This is right far from the ends only: at the ends there are no windows from outside."""
    pixels = np.arange((windows - 1) * stride + kernel)
    return -(-(kernel - pixels % stride) // stride)


def covered_or_not(windows, kernel, stride):
    """You marked the pixels that are covered with 1: add 1 for each window that covers them."""
    return np.minimum(library_overlaps(windows, kernel, stride), 1)


def starts_only(windows, kernel, stride):
    """You counted the windows that start in a pixel: each covers the next kernel - 1 pixels too."""
    counts = np.zeros((windows - 1) * stride + kernel, int)
    counts[: windows * stride : stride] = 1
    return counts


def stride_forgotten(windows, kernel, stride):
    """Your windows start at every pixel: they are `stride` pixels apart."""
    return as_convolution(windows, kernel, 1)


overlaps = Check(
    library=library_overlaps,
    source="minigrad/conv.py::conv_x",
    cases=overlap_cases,
    judges=[
        Judge("asking every window", pixel_by_pixel),
        Judge("a convolution of a comb", as_convolution),
    ],
    mistakes=[everywhere_the_mean, no_edges, covered_or_not, starts_only, stride_forgotten],
)
