"""Solutions of lesson 13."""

import numpy as np


def conv2d_transpose(y, w, stride, pads, size):
    (kh, kw, channels, _), (s, t) = w.shape, stride
    ((top, bottom), (left, right)), (height, width) = pads, size
    x = np.zeros((len(y), top + height + bottom, left + width + right, channels), y.dtype)
    for p in range(y.shape[1]):
        for q in range(y.shape[2]):
            window = np.tensordot(y[:, p, q], w, (1, 3))  # (N, kh, kw, C)
            x[:, p * s : p * s + kh, q * t : q * t + kw] += window
    return x[:, top : top + height, left : left + width]


def kernel_gradient(x, g, kernel, stride, pads):
    (kh, kw), (s, t), (_, rows, columns, features) = kernel, stride, g.shape
    padded = np.pad(x, ((0, 0), *pads, (0, 0)))  # (N, top + H + bottom, left + W + right, C)
    w = np.empty((kh, kw, x.shape[3], features), x.dtype)
    for i in range(kh):
        for j in range(kw):
            met = padded[:, i : i + s * rows : s, j : j + t * columns : t]
            met = met[:, :rows, :columns]  # (N, P, Q, C)
            w[i, j] = np.tensordot(met, g, ((0, 1, 2), (0, 1, 2)))  # (C, F)
    return w


def overlaps(windows, kernel, stride):
    counts = np.zeros((windows - 1) * stride + kernel, int)
    for p in range(windows):
        counts[p * stride : p * stride + kernel] += 1
    return counts
