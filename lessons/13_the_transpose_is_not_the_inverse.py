"""13  The transpose is not the inverse

Idea: a transposed convolution is what a convolution does to gradients; it brings nothing back.
You write: conv2d_transpose(y, w, stride, pads, size), kernel_gradient(x, g, kernel, stride, pads),
  overlaps(windows, kernel, stride).
You get: the checkerboard of an untrained decoder, counted before it is seen.
Needs: 03, 12.
Read: Odena, Dumoulin, Olah, Deconvolution and checkerboard artifacts (Distill, 2016).
Uses: minigrad/conv.py.
Time: fast 4 s, default 4 s (2 cores).
"""

from lessons import Lesson, Todo

import numpy as np

import minigrad as mg
from autoencoder import datasets

lesson = Lesson(13)  # float64
rng = np.random.default_rng(8)

# %% [markdown]
# Lesson 3: what was copied on the way forward is summed on the way back. A convolution copies each
# pixel into every window that covers it, so on the way back each pixel sums over those windows.
# With X the padded pictures, all 0 at first, and y the gradient of the outputs (or anything else):
#
#     X[n, p s + i, q t + j, c] += sum over f of y[n, p, q, f] * w[i, j, c, f]
#
# for all p, q, i, j. What fell on the padding is then cut off: the `pads` of a transposed
# convolution crop, and where the way forward padded the end, the end is cropped. `size` is the
# height and width of what is left, with zeros where no window came.


# %%
@lesson.exercise("13.1")
def conv2d_transpose(y, w, stride, pads, size):  # (N, P, Q, F), (kh, kw, C, F) -> (N, *size, C)
    """stride is (s, t); pads is ((top, bottom), (left, right))."""
    raise Todo(
        "zeros of the padded size; a loop over p and q adds to one window; cut out the middle"
    )


# %% [markdown]
# As a matrix, lesson 12: y = M x, and this is M transposed. So for all x and y, however random,
#
#     <conv(x), y> = <x, transpose(y)>
#
# The number <conv(x), g> is linear in x, and its slope in x is transpose(g). It is linear in w too,
# and its slope in w is what training needs. What multiplies w[i, j, c, f] in it? Every pixel that
# this weight met, times g at the output that the product went to: the sum over n, p, q of
# X[n, p s + i, q t + j, c] * g[n, p, q, f]. Fix (i, j): the pixels that it met are every s-th row
# from row i and every t-th column from column j, P rows and Q columns of them, an array
# (N, P, Q, C) beside g (N, P, Q, F). Multiply, and sum over the three axes that they share.


# %%
@lesson.exercise("13.2")
def kernel_gradient(x, g, kernel, stride, pads):  # (N, H, W, C), (N, P, Q, F) -> (kh, kw, C, F)
    """kernel is (kh, kw); g is the gradient of the outputs."""
    raise Todo("for each i and j slice the padded x with steps s and t; then np.tensordot with g")


# %%
x, w = rng.standard_normal((2, 8, 6, 3)), rng.standard_normal((3, 3, 3, 4))
y = rng.standard_normal((2, 4, 3, 4))
pads = (0, 1), (0, 1)
forward = np.sum(mg.conv2d(x, w, stride=2, padding=pads) * y)
from_y = np.sum(x * conv2d_transpose(y, w, (2, 2), pads, (8, 6)))
lesson.report("<x, transpose(y)>", from_y, "close", predicted=forward)
from_w = np.sum(w * kernel_gradient(x, y, (3, 3), (2, 2), pads))
lesson.report("<w, kernel_gradient(x, y)>", from_w, "close", predicted=forward)

# %% [markdown]
# Libraries crop differently, too. PyTorch's padding=1, output_padding=1 makes 32 of 16 pixels like
# TensorFlow's "same" does, but crops the first row and column where TensorFlow crops the last
# (tensorflow/tensorflow#50168, Samsung/TICO#420). How many of 32 * 32 pixels agree after moving one
# by a pixel?

# %%
lesson.guess("after moving by one", "How many of the 1,024 pixels agree after moving?")
w, y = rng.standard_normal((3, 3, 1, 1)), rng.standard_normal((1, 16, 16, 1))
last = conv2d_transpose(y, w, (2, 2), ((0, 1), (0, 1)), (32, 32))  # (1, 32, 32, 1)
first = conv2d_transpose(y, w, (2, 2), ((1, 0), (1, 0)), (32, 32))  # (1, 32, 32, 1)
lesson.report("pixels that agree at once", np.isclose(first, last).sum(), "exact", predicted=0)
agree = np.isclose(first[:, :-1, :-1], last[:, 1:, 1:]).sum()
lesson.report("after moving by one", agree, "exact", predicted=31 * 31)

# %% [markdown]
# How many windows cover a pixel? Along one axis `windows` windows of `kernel` pixels start every
# `stride` pixels, at 0; in two dimensions the counts multiply. Write down kernel 3, stride 2 first.


# %%
@lesson.exercise("13.3")
def overlaps(windows, kernel, stride):
    """For each pixel from the first window's start to the last one's end, how many cover it."""
    raise Todo("an array or list of (windows - 1) * stride + kernel counts; add 1 window by window")


# %% [markdown]
# An untrained decoder has random weights and gets codes that are nearly even. So the variance of
# each output pixel is proportional to the number of products that it sums: 1, 2, 2 or 4. That is
# the checkerboard that people find in generated pictures
# (junyanz/pytorch-CycleGAN-and-pix2pix#190), there before any training. Kernel 4 at stride 2 covers
# evenly, which removes the cause; a network can still learn one. The other remedy is to enlarge the
# picture first, and to convolve it then.

# %%
code = np.full((1, 4, 4, 1), 0.5)
kernels = rng.uniform(-1, 1, (3, 3, 4096, 1))  # 4096 channels, each with random weights
output = conv2d_transpose(code, kernels, (2, 2), ((0, 1), (0, 1)), (8, 8))[0]  # (8, 8, 4096)
variance = np.mean(output**2, axis=2) / (0.5**2 / 3)  # (8, 8), in units of a product's variance
count = np.array(overlaps(4, 3, 2)[:8])  # (8,): the last pixel is cropped
phases = [variance[2 + i :: 2, 2 + j :: 2].mean() for i in (1, 0) for j in (1, 0)]
theory = [int(count[2 + i] * count[2 + j]) for i in (1, 0) for j in (1, 0)]
lesson.report("variance: odd pixels, ..., even", phases, "5%", predicted=theory)


claim = "Uneven overlaps make a checkerboard before anything is learned"
lesson.draw("overlaps", claim, overlaps, count, variance)

# %% [markdown]
# And it is no inverse, whatever "deconvolution" suggests. A convolution of stride 2 keeps 256 of
# 1024 numbers. Is its transpose at least good at painting pictures from 256 numbers z? The z whose
# picture comes nearest to x (by least squares) has to undo the overlaps first:
#
#     z = solve(G, conv(x)), where G is conv(transpose(.)) written as a 256 by 256 matrix
#
# If windows do not overlap and the kernel has length 1 (kernel 2, all 1/2), G is the identity: z is
# conv(x). With kernel 3, all 1/3, not even an even grey can be painted: along one axis the nearest
# to 1, 1, 1, ... is 6/5, 3/5, 6/5, ..., which has 9/10 of its energy, and in two dimensions 0.81.
# That leaves an error of sqrt(0.19). A face is mostly grey.


# %%
def paint(x, w, pads):
    """conv(x); x from it by the transpose, times the best factor; the nearest picture to x."""

    def conv(x):
        return mg.conv2d(x, w, stride=2, padding=pads)  # (N, 16, 16, 1)

    def transpose(z):
        return conv2d_transpose(z, w, (2, 2), pads, (32, 32))  # (N, 32, 32, 1)

    y = conv(x)
    G = conv(transpose(np.eye(256).reshape(256, 16, 16, 1))).reshape(256, 256)
    back, z = transpose(y), np.linalg.solve(G, y.reshape(-1, 256).T).T.reshape(y.shape)
    along, length = (np.sum(back * a, axis=(1, 2), keepdims=True) for a in (x, back))
    return y, back * along / length, transpose(z)


face = datasets.make_faces(1, 1, size=32).images.astype(float)  # (1, 32, 32, 1)
x = np.concatenate([np.ones_like(face), face])  # (2, 32, 32, 1): even grey, and a face
for kernel, pad, theory in ((2, 0, 0.0), (3, 1, np.sqrt(1 - 0.9**2))):
    y, *painted = paint(x, np.full((kernel, kernel, 1, 1), 1 / kernel), ((0, pad), (0, pad)))
    for k, name in enumerate(("grey", "a face")):
        errors = [np.linalg.norm(p[k] - x[k]) / np.linalg.norm(x[k]) for p in painted]
        known = {"predicted": [theory, theory]} if name == "grey" else {}
        lesson.report(f"kernel {kernel}, {name}: errors", np.round(errors, 6), "1%", **known)

lesson.draw("no_inverse", "The transpose does not undo a convolution", x, y, painted)

# %% [markdown]
# Threads named here:
#
# [tensorflow/tensorflow#50168](https://github.com/tensorflow/tensorflow/issues/50168),
# [Samsung/TICO#420](https://github.com/Samsung/TICO/issues/420),
# [junyanz/pytorch-CycleGAN-and-pix2pix#190](https://github.com/junyanz/pytorch-CycleGAN-and-pix2pix/issues/190).

# %%
lesson.finish()
