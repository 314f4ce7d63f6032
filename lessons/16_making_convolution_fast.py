"""16  Making convolution fast

Idea: the arithmetic stays the same; laid out as large matrix products it runs much faster.
You write: im2col(x, kernel, stride, pads), col2im(cols, shape, kernel, stride, pads),
  conv2d_shifts(x, w, stride, pads).
You get: the faces network, trained on your convolution, and what each of its layers costs.
Needs: 12, 13.
Read: Chellapilla, Puri, Simard, High performance convolutional neural networks (2006).
Uses: minigrad/conv.py, minigrad/cpu/winograd.py, autoencoder/olivetti.py.
Time: fast 5 s, default 12 s (2 cores).
"""

import importlib.util
import time
import timeit

from lessons import Lesson, Todo, use

import numpy as np

import minigrad as mg
from autoencoder import datasets, networks
from autoencoder.parts import PointCode
from minigrad.cpu import winograd

lesson = Lesson(16)  # the checks in float64, faces and times in float32
rng, runs = np.random.default_rng(10), 3 if lesson.fast else 9


def seconds(f):
    """The shortest of some runs; a pause lets the threads of the one before come to rest."""
    return min(timeit.repeat(f, lambda: time.sleep(0.002), number=1, repeat=runs))


# %% [markdown]
# Where does the time go? Count before you measure: a convolution uses each weight once for each
# window of a picture, a dense layer once. Of the faces network's four convolutions, dense layer for
# the code, and four transposed convolutions: which has most of the arithmetic, which most of the
# parameters? And is the time where the arithmetic is?

# %%
shapes = networks.Sizes(1024, 256, image_shape=(32, 32, 1))  # a face as 1024 pixels in a row
network = networks.build(shapes, PointCode("sigmoid"), rng, network="olivetti")
windows = iter((256, 256, 256, 256, 1, 256, 1024, 1024, 1024))  # of each layer with weights
products, sizes, times = [], [], []
x = mg.tensor(rng.random((10, 1024), np.float32))
with mg.no_grad():
    for layer in [*network.encoder.layers, *network.decoder.layers]:
        if layer.parameters():
            products.append(next(windows) * layer.weight.size)
            sizes.append(sum(p.size for p in layer.parameters()))
            times.append(seconds(lambda layer=layer, x=x: layer(x)))
        x = layer(x)
lesson.report("multiplications for a face", sum(products), "exact", predicted=128_159_744)
lesson.report("parameters", sum(sizes), "exact", predicted=8_579_841)
parts = (("multiplications", products), ("parameters", sizes), ("time, forward", times))
shares = {name: 100 * np.array(part) / sum(part) for name, part in parts}  # (9,) each
by_hand = np.array([1024 * 9 * 128 * 64, 32768 * 256]) / 1_281_597.44  # % of the arithmetic
theory = by_hand, np.array([9 * 128 * 64 + 64, 32768 * 256 + 256]) / 85_798.41, by_hand
for name, percent in zip(shares, theory, strict=True):
    kind = "any" if "time" in name else "close"
    lesson.report(f"% of {name}: 128 -> 64, dense", shares[name][[6, 4]], kind, predicted=percent)

lesson.draw("shares", "One layer is the arithmetic, another is the parameters", shares)

# %% [markdown]
# A step of a Python loop costs thousands of multiplications, so hand over all of them at once:
# write each window as a row, and the kernel as a matrix K of kh * kw * C rows, in the same order:
#
#     y = im2col(x) @ K
#
# `sliding_window_view` over axes 1 and 2 shows all windows, (N, H', W', C, kh, kw), without a copy
# (and read-only, since windows share pixels: numpy/numpy#29677). Take every s-th row and t-th
# column of windows. The channels now stand before kh and kw, and in K they come last: `transpose`
# takes, for each axis of the result in turn, the number of the axis that it is now. Only then may
# the last three axes become one, since `reshape` moves no numbers. float32 should stay float32,
# here and below.


# %%
@lesson.exercise("16.1")
def im2col(x, kernel, stride, pads):  # (N, H, W, C) -> (N * P * Q, kh * kw * C)
    """The window of each output pixel as a row; kernel is (kh, kw)."""
    raise Todo("np.pad, sliding_window_view, every s-th and t-th, transpose, reshape")


# %% [markdown]
# The way back is the adjoint, as in lesson 13: each number of a row is added to the pixel that it
# was copied from. So col2im(im2col(x)) is not x: a pixel comes back once for each window over it. A
# loop over kernel elements is enough: (i, j) of all windows lies on a slice with steps s and t.


# %%
@lesson.exercise("16.2")
def col2im(cols, shape, kernel, stride, pads):  # (N * P * Q, kh * kw * C) -> shape
    """The adjoint of im2col; shape is that of the pictures, (N, H, W, C)."""
    raise Todo("reshape (N, P, Q, kh, kw, C); add [:, :, :, i, j] to a slice of padded zeros; crop")


# %% [markdown]
# Rows cost memory: each pixel is copied nine times. The last way does without. Let the kernel
# elements take turns, and multiply all the pixels that (i, j) meets by w[i, j], a (C, F) matrix:
#
#     y = sum over i, j of X[:, i + s p, j + t q] @ w[i, j]   for all p, q at once


# %%
@lesson.exercise("16.3")
def conv2d_shifts(x, w, stride, pads):  # (N, H, W, C), (kh, kw, C, F) -> (N, P, Q, F)
    """The convolution as kh * kw matrix products, added up."""
    raise Todo("zeros (N, P, Q, F); for each i and j cut a slice with steps, @ w[i, j], and add")


# %%
def conv2d_cols(x, w, stride, pads):
    """Convolution by im2col."""
    along = zip(x.shape[1:3], w.shape[:2], stride, pads, strict=True)
    size = [(n + sum(pad) - k) // s + 1 for n, k, s, pad in along]  # [P, Q], by lesson 12
    y = mg.matmul(im2col(x, w.shape[:2], stride, pads), w.reshape(-1, w.shape[3]))
    return y.reshape(len(x), *size, -1)


def conv2d_transpose_cols(y, w, stride, pads, size):
    """Its adjoint, by col2im."""
    cols = mg.matmul(y.reshape(-1, w.shape[3]), w.reshape(-1, w.shape[3]).T)
    return col2im(cols, (len(y), *size, w.shape[2]), w.shape[:2], stride, pads)


def conv2d_windows(x, w, stride, pads):
    """One window of 3 by 3 at a time, at stride 1, for comparison."""
    x, corners = np.pad(x, ((0, 0), *pads, (0, 0))), np.ndindex(x.shape[1:3])
    return [np.tensordot(x[:, p : p + 3, q : q + 3], w, 3) for p, q in corners]


methods = {"windows": conv2d_windows, "im2col": conv2d_cols, "nine shifts": conv2d_shifts}
methods["the library"] = lambda x, w, *_: mg.conv2d(x, w)
python = 1e-5 / seconds(lambda: sum(0.5 * k for k in range(10_000)))
lesson.report("billion multiplications a second, a loop of Python", python, "any")
pads, speeds = ((1, 1), (1, 1)), {}
for size, c, f in ((16, 16, 32), (32, 128, 64)):
    x = rng.standard_normal((4, size, size, c), np.float32)
    w = rng.standard_normal((3, 3, c, f), np.float32)
    label, count = f"{size} x {size}, {c} -> {f}", 4e-9 * size * size * w.size
    speeds[label] = {"a loop of Python": python}
    for name, method in methods.items():
        taken = seconds(lambda method=method, x=x, w=w: method(x, w, (1, 1), pads))
        speeds[label][name] = count / taken
        lesson.report(f"{label}, {name}", count / taken, "any")
if not lesson.fast and importlib.util.find_spec("torch"):
    torch = importlib.import_module("torch")
    tx, tw = torch.tensor(x.transpose(0, 3, 1, 2)), torch.tensor(w.transpose(3, 2, 0, 1))
    speeds[label]["PyTorch"] = count / seconds(lambda: torch.conv2d(tx, tw, padding=1))
    print(f"  {label}, PyTorch: {speeds[label]['PyTorch']:.3g}")
memory = 50e-6 * im2col(x[:1], (3, 3), (1, 1), pads).nbytes  # MB, for a batch of 50
lesson.report("MB of rows, batch of 50", memory, "exact", predicted=50e-6 * 1024 * 9 * 128 * 4)

lesson.draw("speeds", "The same sum, at very different speeds", speeds)

# %% [markdown]
# On large layers the library does less: 36 products where the definition has 144, by Winograd's
# method (the speeds count 144). Now your functions train the faces network and its 8.6 million
# parameters: `use` puts them in the library's place, in layers and in gradients. The losses agree.

# %%
batch, steps = (2, 2) if lesson.fast else (10, 3)
faces = mg.tensor(datasets.make_faces(batch, 1, size=32).images.reshape(batch, 1024))
weights = network.state_dict()


def train():
    """(last loss, seconds a step), always from the same weights."""
    network.load_state_dict(weights)
    optimizer, began = mg.optim.Adam(network.parameters()), time.perf_counter()
    for _ in range(steps):
        loss = mg.losses.l2_loss(network.decode(mg.sigmoid(network.encode(faces))), faces) / batch
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return loss.item(), (time.perf_counter() - began) / steps


loss, taken = train()
lesson.report("seconds a step, the library", taken, "any")
for name, mine in (("im2col", conv2d_cols), ("nine shifts", conv2d_shifts)):
    with use(conv2d=mine, conv2d_transpose=conv2d_transpose_cols):
        my_loss, taken = train()
    lesson.report(f"last loss, your {name}", my_loss, "1%", predicted=loss)
    lesson.report(f"seconds a step, your {name}", taken, "any")

# %% [markdown]
# The library itself has three rungs: the definition that stands beside the derivative, Winograd in
# NumPy, and the same in C, where the installation found a compiler. Each must give what the one
# below gives, within a bound that counts the roundings on the way.

# %%
y_of, geometry = mg.registry["conv_y"], mg.conv.Geometry.of((32, 32), (3, 3))
bound = winograd.error_bound(winograd.conv_y, x, w, geometry)  # (N, H, W, F)
exact, before = y_of.forward(x.astype(float), w.astype(float), geometry), mg.cpu.native
print(f"  compiled kernels: {mg.show_config('dicts')['native']}")
usual = seconds(lambda: y_of.forward(x, w, geometry))
for rung, compiled in (("NumPy", False), ("C", True))[: 1 + before]:
    mg.cpu.native = compiled
    within = bool((abs(y_of(x, w, geometry) - exact) <= bound).all())
    times = usual / seconds(lambda: y_of(x, w, geometry))
    print(f"  Winograd in {rung}: {times:.2g} times as fast as the definition, within: {within}")
mg.cpu.native = before

# %% [markdown]
# Threads named here:
#
# [numpy/numpy#29677](https://github.com/numpy/numpy/issues/29677).

# %%
lesson.finish()
