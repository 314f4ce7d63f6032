"""Solutions of lesson 16."""

import numpy as np


def im2col(x, kernel, stride, pads):
    padded = np.pad(x, ((0, 0), *pads, (0, 0)))  # (N, H', W', C)
    windows = np.lib.stride_tricks.sliding_window_view(padded, kernel, axis=(1, 2))
    windows = windows[:, :: stride[0], :: stride[1]]  # (N, P, Q, C, kh, kw), no copy so far
    n, p, q, c, kh, kw = windows.shape
    return windows.transpose(0, 1, 2, 4, 5, 3).reshape(n * p * q, kh * kw * c)


def col2im(cols, shape, kernel, stride, pads):
    (n, height, width, c), (kh, kw), (s, t) = shape, kernel, stride
    (top, bottom), (left, right) = pads
    p = (top + height + bottom - kh) // s + 1
    q = (left + width + right - kw) // t + 1
    cols = cols.reshape(n, p, q, kh, kw, c)
    x = np.zeros((n, top + height + bottom, left + width + right, c), cols.dtype)
    for i in range(kh):
        for j in range(kw):
            x[:, i : i + s * p : s, j : j + t * q : t][:, :p, :q] += cols[:, :, :, i, j]
    return x[:, top : top + height, left : left + width]


def conv2d_shifts(x, w, stride, pads):
    padded = np.pad(x, ((0, 0), *pads, (0, 0)))  # (N, H', W', C)
    (kh, kw, _, f), (s, t) = w.shape, stride
    p = (padded.shape[1] - kh) // s + 1
    q = (padded.shape[2] - kw) // t + 1
    y = np.zeros((len(x), p, q, f), x.dtype)
    for i in range(kh):
        for j in range(kw):
            y += padded[:, i : i + s * p : s, j : j + t * q : t] @ w[i, j]  # (N, P, Q, C) @ (C, F)
    return y
