"""Checks of lesson 16; settings and the forward convolution are those of lesson 12."""

from importlib import import_module

from lessons import Check, Judge

import numpy as np

from minigrad.conv import Geometry

forward, adjoint = (import_module(f"lessons.checks.{lesson}") for lesson in ("12", "13"))


def settings():
    """(shape of x, shape of w, (kernel, stride, pads)) of each setting."""
    for x, w, stride, pads in forward.SETTINGS:
        yield x, w, (w[:2], stride, pads)


def geometry_of(x_shape, kernel, stride, pads):
    return Geometry.of(tuple(x_shape[1:3]), tuple(kernel), stride, pads)


def with_float32(cases):
    """The cases, and the last again as integers in float32, with which sums are exact."""
    arrays = [np.round(3 * a) if isinstance(a, np.ndarray) else a for a in cases[-1]]
    return [*cases, tuple(np.float32(a) if isinstance(a, np.ndarray) else a for a in arrays)]


same_dtype = Judge(
    "the dtype that went in",
    expected=lambda array, *_: str(array.dtype),
    view=lambda answer, *_: str(np.asarray(answer).dtype),
)


# ---------------------------------------------------------------------- 16.1 im2col
def row_cases():
    rng = np.random.default_rng(101)
    return with_float32([(rng.standard_normal(x), *where) for x, _, where in settings()])


def window_by_window(x, kernel, stride, pads):
    """Cut out each window, and flatten it."""
    (p, q), (kh, kw), (s, t) = geometry_of(x.shape, kernel, stride, pads).out, kernel, stride
    x = forward.padded(x, pads)
    corners = [(n, i * s, j * t) for n, i, j in np.ndindex(len(x), p, q)]
    return np.array([x[n, i : i + kh, j : j + kw].ravel() for n, i, j in corners])


def torch_unfold(x, kernel, stride, pads):
    """PyTorch's rows, brought from (C, kh, kw) to (kh, kw, C)."""
    torch = import_module("torch")
    images = torch.tensor(forward.padded(x, pads)).permute(0, 3, 1, 2)
    cols = torch.nn.functional.unfold(images, kernel, stride=stride)  # (N, C * kh * kw, P * Q)
    cols = cols.reshape(len(x), x.shape[3], kernel[0] * kernel[1], -1).permute(0, 3, 2, 1)
    return cols.reshape(-1, kernel[0] * kernel[1] * x.shape[3]).numpy()


def library_rows(x, kernel, stride, pads):
    geometry = geometry_of(x.shape, kernel, stride, pads)
    return geometry.patches(geometry.padded(x))


def views(x, kernel, stride, pads):
    """(N, P, Q, kh, kw, C)"""
    all_windows = np.lib.stride_tricks.sliding_window_view(forward.padded(x, pads), kernel, (1, 2))
    return all_windows[:, :: stride[0], :: stride[1]].transpose(0, 1, 2, 4, 5, 3)


def flat(windows):
    return windows.reshape(np.prod(windows.shape[:3]), -1)


def channels_first(x, kernel, stride, pads):
    """Channels come first in your rows, as sliding_window_view puts them: the kernel's order is
    (kh, kw, C), so transpose before you flatten."""
    return flat(views(x, kernel, stride, pads).transpose(0, 1, 2, 5, 3, 4))


def not_transposed(x, kernel, stride, pads):
    """The shape is right, but numbers of different windows share a row: reshape moves no numbers,
    so bring the axes into the order (N, P, Q, kh, kw, C) with transpose first."""
    windows = views(x, kernel, stride, pads)
    return windows.transpose(3, 4, 5, 0, 1, 2).reshape(np.prod(windows.shape[:3]), -1)


def stride_in_the_window(x, kernel, stride, pads):
    """The stride is applied within the windows: it is their corners that are s and t apart."""
    every = views(x, kernel, (1, 1), pads)
    return flat(every[:, :, :, :: stride[0], :: stride[1]])


def every_window(x, kernel, stride, pads):
    """These are the windows at all pixels: take every s-th row and every t-th column of them."""
    return flat(views(x, kernel, (1, 1), pads))


def down_first(x, kernel, stride, pads):
    """Your rows go down the picture first: along a row of windows first, as in an array (P, Q)."""
    return flat(views(x, kernel, stride, pads).swapaxes(1, 2))


def rows_in_float64(x, kernel, stride, pads):
    """The numbers are right, but float32 became float64: give np.zeros or np.empty x.dtype."""
    return library_rows(x, kernel, stride, pads).astype(float)


im2col = Check(
    library=library_rows,
    source="minigrad/conv.py::Geometry.patches",
    returns="array",
    cases=row_cases,
    judges=[
        Judge("window by window", window_by_window, 1e-12),
        same_dtype,
        Judge("PyTorch", torch_unfold, 1e-12, needs="torch"),
    ],
    mistakes=[
        channels_first,
        not_transposed,
        stride_in_the_window,
        every_window,
        down_first,
        rows_in_float64,
    ],
)


# ---------------------------------------------------------------------- 16.2 col2im
def column_cases():
    rng = np.random.default_rng(102)
    cases = []
    for x, _, where in settings():
        rows = x[0] * int(np.prod(geometry_of(x, *where).out))
        cases.append((rng.standard_normal((rows, int(np.prod(where[0])) * x[3])), x, *where))
    return with_float32(cases)


def one_number_at_a_time(cols, shape, kernel, stride, pads):
    """Add each number to the pixel it was copied from."""
    (p, q), (s, t) = geometry_of(shape, kernel, stride, pads).out, stride
    numbers = cols.reshape(shape[0], p, q, *kernel, shape[3])
    x = forward.padded(np.zeros(shape), pads)
    for (n, p, q, i, j, c), value in np.ndenumerate(numbers):
        x[n, p * s + i, q * t + j, c] += value
    return adjoint.cropped(x, pads, shape[1:3])


def rows_side(cols, shape, kernel, stride, pads):
    return float(np.sum(library_rows(adjoint.partner(*shape), kernel, stride, pads) * cols))


def pixels_side(x, cols, shape, kernel, stride, pads):
    return float(np.sum(x * adjoint.partner(*shape)))


def torch_fold(cols, shape, kernel, stride, pads):
    torch = import_module("torch")
    (n, h, w, c), taps = shape, kernel[0] * kernel[1]
    cols = torch.tensor(cols).reshape(n, -1, taps, c).permute(0, 3, 2, 1).reshape(n, c * taps, -1)
    full = (h + sum(pads[0]), w + sum(pads[1]))
    x = torch.nn.functional.fold(cols, full, kernel, stride=stride)
    return adjoint.cropped(x.permute(0, 2, 3, 1).numpy(), pads, (h, w))


def scatter(cols, shape, kernel, stride, pads, add=True, step=True):
    """By kernel elements, with ways to spoil it."""
    (p, q), (s, t) = geometry_of(shape, kernel, stride, pads).out, stride if step else (1, 1)
    cols = cols.reshape(shape[0], p, q, *kernel, shape[3])
    x = forward.padded(np.zeros(shape, cols.dtype), pads)
    for i, j in np.ndindex(*kernel):
        pixels = np.ix_(range(shape[0]), i + s * np.arange(p), j + t * np.arange(q))
        x[pixels] = cols[:, :, :, i, j] + (x[pixels] if add else 0)
    return adjoint.cropped(x, pads, shape[1:3])


def library_pixels(cols, shape, kernel, stride, pads):
    return scatter(cols, shape, kernel, stride, pads)


def overwrites_taps(cols, shape, kernel, stride, pads):
    """Each kernel element overwrites what those before it left: add to the pixels, with +=."""
    return scatter(cols, shape, kernel, stride, pads, add=False)


def overwrites_windows(cols, shape, kernel, stride, pads):
    """Each window overwrites what the windows before it left: add to the pixels, with +=."""
    (p, q), (kh, kw), (s, t) = geometry_of(shape, kernel, stride, pads).out, kernel, stride
    numbers = cols.reshape(shape[0], p, q, kh, kw, shape[3])
    x = forward.padded(np.zeros(shape), pads)
    for i, j in np.ndindex(p, q):
        x[:, i * s : i * s + kh, j * t : j * t + kw] = numbers[:, i, j]
    return adjoint.cropped(x, pads, shape[1:3])


def inverse(cols, shape, kernel, stride, pads):
    """You divided by the number of windows that cover a pixel: that makes an inverse of im2col, but
    its adjoint, which gradients need, adds up."""
    counts = scatter(np.ones_like(cols), shape, kernel, stride, pads)
    return scatter(cols, shape, kernel, stride, pads) / np.maximum(counts, 1)


def crops_the_other_end(cols, shape, kernel, stride, pads):
    """The crop is at the wrong ends: `top` rows and `left` columns go from the beginning."""
    return scatter(cols, shape, kernel, stride, tuple(pair[::-1] for pair in pads))


def pixels_in_float64(cols, shape, kernel, stride, pads):
    """The numbers are right, but float32 became float64: give np.zeros the dtype of cols."""
    return library_pixels(cols, shape, kernel, stride, pads).astype(float)


def moves_by_one(cols, shape, kernel, stride, pads):
    """Windows start at p and q: they are s and t apart, so the slices have steps s and t."""
    return scatter(cols, shape, kernel, stride, pads, step=False)


col2im = Check(
    library=library_pixels,
    source="minigrad/conv.py::conv_x",
    returns="array",
    cases=column_cases,
    judges=[
        Judge("one number at a time", one_number_at_a_time, 1e-12),
        Judge("<im2col(x), cols>", rows_side, 1e-12, pixels_side),
        same_dtype,
        Judge("PyTorch", torch_fold, 1e-12, needs="torch"),
    ],
    mistakes=[
        overwrites_taps,
        overwrites_windows,
        inverse,
        crops_the_other_end,
        moves_by_one,
        pixels_in_float64,
    ],
)


# ---------------------------------------------------------------------- 16.3 conv2d_shifts
def shifts(x, w, stride, pads, start=lambda i, s: i, step=True, taps=None):
    """By kernel elements, with ways to spoil it; beyond the pictures are zeros."""
    (p, q), (s, t) = geometry_of(x.shape, w.shape[:2], stride, pads).out, stride
    x = np.pad(forward.padded(x, pads), ((0, 0), (0, 9), (0, 9), (0, 0)))
    y = np.zeros((len(x), p, q, w.shape[3]), x.dtype)
    for i, j in taps or np.ndindex(w.shape[:2]):
        rows = start(i, s) + (s if step else 1) * np.arange(p)
        columns = start(j, t) + (t if step else 1) * np.arange(q)
        y += x[np.ix_(range(len(x)), rows, columns)] @ w[i, j]
    return y


def library_shifts(x, w, stride, pads):
    return shifts(x, w, stride, pads)


def keeps_the_last(x, w, stride, pads):
    """Only the last kernel element counts, the others were overwritten: add them up, with +=."""
    return shifts(x, w, stride, pads, taps=[(w.shape[0] - 1, w.shape[1] - 1)])


def turned_around(x, w, stride, pads):
    """The kernel is turned around: w[i, j] meets the pixels that start at row i and column j."""
    return shifts(x, w[::-1, ::-1], stride, pads)


def slices_without_steps(x, w, stride, pads):
    """Your slices take neighbouring pixels: w[i, j] meets pixels s rows and t columns apart."""
    return shifts(x, w, stride, pads, step=False)


def starts_too_far(x, w, stride, pads):
    """Your slices start at i * s and j * t: the stride moves the window, not the elements in it."""
    return shifts(x, w, stride, pads, start=lambda i, s: i * s)


def sums_in_float64(x, w, stride, pads):
    """The numbers are right, but float32 became float64: give np.zeros the dtype of x."""
    return shifts(x, w, stride, pads).astype(float)


conv2d_shifts = Check(
    library=library_shifts,
    source="minigrad/conv.py::Geometry.taps",
    returns="array",
    cases=lambda: with_float32(forward.conv_cases()),
    observe=forward.in_its_place,
    judges=[
        Judge("one product at a time", forward.one_product_at_a_time, 1e-12),
        same_dtype,
        Judge("PyTorch", forward.torch_conv2d, 1e-12, needs="torch"),
    ],
    mistakes=[
        keeps_the_last,
        turned_around,
        slices_without_steps,
        starts_too_far,
        sums_in_float64,
        forward.calls_the_library,
    ],
)
