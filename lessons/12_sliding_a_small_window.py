"""12  Sliding a small window

Idea: a convolution is a dense layer that shares weights, and "same" padding is a choice.
You write: out_size(size, kernel, stride, before, after), pad_same(size, kernel, stride),
  conv2d(x, w, stride, pads).
You get: the one pixel in which libraries differ; a network for faces that trains on your loops.
Needs: 03.
Read: Dumoulin and Visin, A guide to convolution arithmetic for deep learning (2016).
Uses: minigrad/conv.py.
Time: fast 4 s, default 6 s (2 cores).
"""

import time

from lessons import Lesson, Todo, use

import numpy as np

import minigrad as mg
from autoencoder import datasets
from minigrad import nn

lesson = Lesson(12)  # float64
rng = np.random.default_rng(7)

# %% [markdown]
# A dense layer from a picture of 32 by 32 to another has a million weights, and knows nothing of
# neighbours. A convolution slides a small window over the picture instead, and each output is a
# weighted sum of what the window shows, with the same few weights everywhere.
#
# Along one axis: `size` pixels get `before` and `after` zeros at their ends; windows of `kernel`
# pixels start at the first of all and then every `stride`; none may stick out. How many fit?


# %%
@lesson.exercise("12.1")
def out_size(size, kernel, stride, before, after):
    """How many windows fit along an axis."""
    raise Todo("how many times can the first window move on by stride, and it stays inside?")


# %% [markdown]
# "Same" padding means: at stride 1 the output is as large as the picture. At other strides s, by
# TensorFlow's rule, there are size / s windows, rounded up. That fixes the total of zeros: just so
# many that the last window ends where the zeros do, and never less than none. But an odd total does
# not divide into two. In TensorFlow, and here, the extra zero goes to the end.


# %%
@lesson.exercise("12.2")
def pad_same(size, kernel, stride):
    """(zeros before, zeros after), for as many windows as size / stride, rounded up."""
    raise Todo("from where the last window starts and its length: how far beyond the picture?")


# %%
for case, pads in (((32, 3, 2), (0, 1)), ((224, 7, 2), (2, 3)), ((33, 3, 2), (1, 1))):
    lesson.report(f"(size, kernel, stride) {case}", pad_same(*case), "exact", predicted=pads)

# %% [markdown]
# Now the convolution, on stacks of pictures with channels. With padded pictures X, stride (s, t):
#
#     y[n, p, q, f] = sum over i, j, c of X[n, p s + i, q t + j, c] * w[i, j, c, f]
#
# Mathematicians call this correlation: their convolution turns the kernel around first. A network
# that learns its kernels does not care, but your check does.


# %%
@lesson.exercise("12.3")
def conv2d(x, w, stride, pads):  # (N, H, W, C), (kh, kw, C, F) -> (N, P, Q, F)
    """stride is (s, t); pads is ((top, bottom), (left, right))."""
    raise Todo("np.pad, then a loop over p and q (and more if you like): cut out a window, and sum")


# %% [markdown]
# What is the matrix of this layer, written as a dense one? Feed it all pictures of 8 by 8 with a
# single 1: the answers are its rows. How many of the 64 * 36 are not 0? How many different ones?

# %%
lesson.guess("elements that are not 0", "How many of the 2,304 elements are not 0?")
kernel = rng.standard_normal((3, 3, 1, 1))
one_hot = np.eye(64).reshape(64, 8, 8, 1)
matrix = conv2d(one_hot, kernel, (1, 1), ((0, 0), (0, 0))).reshape(64, 36)
lesson.report("elements that are not 0", np.count_nonzero(matrix), "exact", predicted=36 * 9)
lesson.report("different ones", len(set(matrix[matrix != 0])), "exact", predicted=9)

# %% [markdown]
# PyTorch has no "same" at stride 2. People write padding=1 for it, (1, 1), where TensorFlow has (0,
# 1): the shape is the same, so nothing complains (keras-team/keras#19291, pytorch/pytorch#67551).
# Take 32 by 32 pixels of noise: how many of the 16 * 16 outputs agree? And if the picture for
# PyTorch is first moved by one pixel, up and to the left?

# %%
lesson.guess("outputs that agree, at once", "How many of the 256 outputs agree?")
noise = rng.standard_normal((1, 32, 32, 1))
moved = np.pad(noise[:, 1:, 1:], ((0, 0), (0, 1), (0, 1), (0, 0)))  # (1, 32, 32, 1)
ours, theirs = (pad_same(32, 3, 2),) * 2, ((1, 1), (1, 1))
y = conv2d(noise, kernel, (2, 2), ours)  # (1, 16, 16, 1)
for name, x, theory in (("at once", noise, 0), ("moved one pixel", moved, 15 * 15)):
    agree = np.isclose(y, conv2d(x, kernel, (2, 2), theirs)).sum()
    lesson.report(f"outputs that agree, {name}", agree, "exact", predicted=theory)

# %%
face = datasets.make_faces(1, 1, size=32).images.astype(float)  # (1, 32, 32, 1)
blur = np.full((3, 3, 1, 1), 1 / 9)
small = [conv2d(face, blur, (2, 2), pads)[0, ..., 0] for pads in (ours, theirs)]  # (16, 16) each


lesson.draw("where_the_pad_goes", "One shape, two results: where the pad goes", small)

# %% [markdown]
# What do kernels see? Two by hand: differences across and down find edges. A network finds its own,
# and each layer sees through the one before. How many pixels across do layers of strides 2, 1, 1, 1
# see, those of the faces network? A kernel of 3 adds 2 steps of the layer's input, and after the
# first layer a step is 2 pixels. The gradient shows it: where is it not 0?

# %%
across = np.outer([1, 2, 1], [-1, 0, 1]).reshape(3, 3, 1, 1) / 4.0  # (3, 3, 1, 1)
kernels = np.concatenate([across, across.transpose(1, 0, 2, 3)], axis=3)  # (3, 3, 1, 2)
edges = conv2d(face, kernels, (1, 1), ((0, 0), (0, 0)))[0]  # (30, 30, 2)
lesson.draw("edges", "Nine weights find the edges of one direction", edges, face)

picture = mg.tensor(np.ones((1, 64, 64, 1)), requires_grad=True)
seen, y = [], picture
for stride in (2, 1, 1, 1):
    y = mg.conv2d(y, np.ones((3, 3, 1, 1)), stride=stride)
    gradient = mg.grad(y[0, 16, 16, 0], [picture], retain_graph=True)[0].numpy()  # (1, 64, 64, 1)
    seen.append(int(gradient.any(axis=(0, 2, 3)).sum()))
lesson.report("pixels across seen by layers 1 to 4", seen, "exact", predicted=[3, 7, 11, 15])

# %% [markdown]
# Your loops can train a network: `use` puts them in the library's place, forward and wherever a
# derivative is a convolution. A small autoencoder, for faces of 16 by 16; the losses must agree.


# %%
def train(steps):
    """The last loss of a small autoencoder, always from the same weights."""
    make = {"dtype": np.float64, "rng": np.random.default_rng(7)}
    network = nn.Sequential(
        nn.Conv2D(1, 4, stride=2, activation="relu", **make),  # (N, 8, 8, 4)
        nn.Conv2D(4, 8, stride=2, activation="relu", **make),  # (N, 4, 4, 8)
        nn.Flatten(),
        nn.Dense(128, 16, activation="sigmoid", **make),  # (N, 16): the code
        nn.Dense(16, 256, activation="relu", **make),
        nn.Reshape(8, 8, 4),
        nn.Conv2DTranspose(4, 1, stride=2, activation="sigmoid", **make),  # (N, 16, 16, 1)
    )
    optimizer = mg.optim.Adam(network.parameters(), lr=0.01)
    for _ in range(steps):
        loss = mg.losses.l2_loss(network(faces), faces) / len(faces)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return loss.item()


faces = mg.tensor(datasets.make_faces(5, 4, size=16).images.astype(float))  # (20, 16, 16, 1)
steps = 5 if lesson.fast else 20
with use(conv2d=conv2d):
    yours = train(steps)
lesson.report("last loss, convolved by you", yours, "close", predicted=train(steps))

# %% [markdown]
# And how fast is it? The faces network of lesson 17 takes 128 million multiplications for a face,
# three times that with its gradients, for 350 faces in each of 600 epochs: hence lesson 16.

# %%
x, w = rng.standard_normal((1, 16, 16, 8)), rng.standard_normal((3, 3, 8, 16))
for name, f in (("the library", lambda x, w, *_: mg.conv2d(x, w)), ("you", conv2d)):
    began = time.perf_counter()
    f(x, w, (1, 1), ((1, 1), (1, 1)))
    speed = 16 * 16 * w.size / (time.perf_counter() - began)
    lesson.report(f"million multiplications a second, {name}", speed / 1e6, "any")
lesson.report("days of that, your way", 128.16e6 * 3 * 350 * 600 / speed / 86400, "any")

# %% [markdown]
# Threads named here:
#
# [keras-team/keras#19291](https://github.com/keras-team/keras/issues/19291),
# [pytorch/pytorch#67551](https://github.com/pytorch/pytorch/issues/67551).

# %%
lesson.finish()
