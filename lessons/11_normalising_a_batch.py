"""11  Normalising a batch

Idea: subtract a batch's mean, divide by its deviation; and the gradient goes through both of them.
You write: batch_norm(x, gamma, beta), batch_norm_vjp(g, x, gamma, beta),
    folded(w, b, gamma, beta, mean, variance).
You get: a derivative by hand; deep networks that train from bad weights; lesson 10's network, open.
Needs: 02, 03, 04, 06, 10.
Read: Ioffe and Szegedy, Batch normalization (2015).
Uses: minigrad/normalization.py, autoencoder/olivetti.py, autoencoder/networks.py.
Time: fast 5 s, default 8 s (2 cores).
"""

from itertools import pairwise

from lessons import Lesson, Todo

import numpy as np

import minigrad as mg
from autoencoder.datasets import make_faces
from autoencoder.networks import Sizes
from autoencoder.olivetti import network
from autoencoder.parts import PointCode

lesson = Lesson(11)  # float64 for the formulas, float32 for the faces
rng = np.random.default_rng(11)

# %% [markdown]
# Lesson 10 chose the first weights so that signals keep their size, and a few steps undid it.
# The remedy, **batch normalisation**, restores the size at every step. For each unit, that is each
# column of x, take mean and variance over the batch, and give the column mean 0 and deviation 1;
# then let the network choose another deviation gamma and mean beta, learnt like weights:
#
#     s = sqrt(variance + eps)      n = (x - mean) / s      y = gamma n + beta
#
# The variance is the mean of the squares, divided by N. eps is there for columns that are constant.


# %%
@lesson.exercise("11.1")
def batch_norm(x, gamma, beta, eps=1e-5):  # (N, D), (D,), (D,) -> (N, D)
    """Each column of x with its own mean and deviation taken out, times gamma, plus beta."""
    raise Todo("x.mean(axis=0), x.var(axis=0), and the three formulas")


# %% [markdown]
# Now back: g is the gradient of y. Those of gamma and beta are sums over the batch, as in lesson 3.
# For x follow the paths of lesson 2. From n to x there are three: at once, with slope 1 / s;
# through the mean, in which every row has the share 1 / N; and through s, whose slope by x_i is
# n_i / N. Let h = gamma g, the gradient of n. What arrives through the mean is the same for all
# rows; what arrives through s is in proportion to n. Work it out on paper: it fits in one line, and
# the answer is h from which its mean, and its part along n, have been taken out.


# %%
@lesson.exercise("11.2")
def batch_norm_vjp(g, x, gamma, beta, eps=1e-5):  # (N, D), (N, D), (D,), (D,)
    """The gradients of x (N, D), gamma (D,) and beta (D,) when that of batch_norm(...) is g."""
    raise Todo("n and s as on the way forward; then h = gamma * g, less two means of it, over s")


# %% [markdown]
# What does theory say before any check? To add a constant to a column changes nothing, and neither
# does stretching it (with eps = 0). So no gradient points in these two directions: the sums over
# the batch of gx, and of gx n, are 0. It is the same for the weights in front of it: the gradient
# of w is perpendicular to w, and every step of descent makes w longer, by Pythagoras.

# %%
x, g = rng.standard_normal((2, 16, 5)) * 3 + 1  # (16, 5), (16, 5)
gamma, beta = rng.uniform(0.5, 2, 5), rng.standard_normal(5)  # (5,), (5,)
gx = batch_norm_vjp(g, x, gamma, beta, 0.0)[0]  # (16, 5)
n = batch_norm(x, np.ones(5), np.zeros(5), 0.0)  # (16, 5)
for name, sums in (("gx", gx.sum(axis=0)), ("gx n", (gx * n).sum(axis=0))):  # (5,), (5,)
    lesson.report(f"largest sum of {name}", np.abs(sums).max(), "+-1e-10", predicted=0.0)
w = rng.standard_normal((5, 4))  # (5, 4)
g4 = rng.standard_normal((16, 4))  # (16, 4)
gw = x.T @ batch_norm_vjp(g4, x @ w, np.ones(4), np.zeros(4), 0.0)[0]  # (5, 4)
longer = np.sum((w - 0.1 * gw) ** 2)
pythagoras = np.sum(w**2) + 0.1**2 * np.sum(gw**2)
lesson.report("|w|^2 after a step", longer, "exact", predicted=pythagoras)
lone = batch_norm(x[:1], gamma, beta)  # (1, 5)
lesson.report("a batch of one, less beta", np.abs(lone - beta).max(), "exact", predicted=0.0)

# %% [markdown]
# The last number: a batch of one is its own mean, so whatever it says, beta comes out (PyTorch
# refuses it, pytorch/pytorch#4534). Now your two functions as an operation of the library, and the
# test that it was made for: six layers, whose first weights are a tenth, one, or ten times those of
# lesson 10. The scale of the weights cancels at once, but for eps, so the first losses agree. What
# do you expect of the last?

# %%
norm = mg.primitive(
    "a batch (N, D), and gamma and beta (D,)",
    x=lambda g, x, gamma, beta: batch_norm_vjp(g, x, gamma, beta)[0],
    gamma=lambda g, x, gamma, beta: batch_norm_vjp(g, x, gamma, beta)[1],
    beta=lambda g, x, gamma, beta: batch_norm_vjp(g, x, gamma, beta)[2],
)(lambda x, gamma, beta: batch_norm(x, gamma, beta))

inputs = rng.standard_normal((64, 10))  # (64, 10)
targets = np.sin(inputs.sum(axis=1, keepdims=True))  # (64, 1)
widths = [10] + [32] * 6


def train(scale, normalised, steps=32 if lesson.fast else 150):
    """The losses of six layers whose first weights are `scale` times those of lesson 10."""
    rng, layers = np.random.default_rng(3), []
    for a, b in pairwise(widths):
        arrays = scale * np.sqrt(2 / a) * rng.standard_normal((a, b)), np.ones(b), np.zeros(b)
        layers.append([mg.tensor(v, requires_grad=True) for v in arrays])
    last = mg.tensor(0.1 * rng.standard_normal((32, 1)), requires_grad=True)
    optimizer, losses = mg.optim.Adam([last, *(w for layer in layers for w in layer)], lr=1e-3), []
    for _ in range(steps):
        h = mg.tensor(inputs)
        for w, gamma, beta in layers:
            h = norm(h @ w, gamma, beta) if normalised else h @ w * gamma + beta
            h = mg.relu(h)  # (64, 32)
        error = h @ last - targets  # (64, 1)
        loss = mg.mean(error * error)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


scales, curves = (0.1, 1.0, 10.0), {}
for normalised, name in ((False, "plain"), (True, "normalised")):
    for scale in scales:
        curves[name, scale] = train(scale, normalised)
    first, last = ([curves[name, scale][k] for scale in scales] for k in (0, -1))
    lesson.report(f"first loss, weights x 0.1, 1, 10, {name}", first, "x2" if normalised else "x10")
    lesson.report(f"last loss, {name}", last, "any")
    lesson.report(f"of 3 that end below 0.3, {name}", sum(v < 0.3 for v in last), "exact")
lesson.report("loss of the constant 0", np.mean(targets**2), "close")

# %% [markdown]
# And the faces network of lesson 10, whose sums ran away within twelve steps: the same network and
# the same steps, with your normalisation between the sums and the sigmoids. The sums then have mean
# 0 and deviation 1 at every step; if they are normal, the mean of |sum| is sqrt(2 / pi).

# %%
faces, order = make_faces(size=16).images, np.random.default_rng(1)  # (400, 16, 16, 1)
make = np.random.default_rng(10)
sizes = Sizes(256, 64, image_shape=(16, 16, 1))
encoder, decoder = network(sizes, PointCode("sigmoid"), make, np.float32)
ones, zeros = np.ones(64, np.float32), np.zeros(64, np.float32)
optimizer, course = mg.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=0.001), []
for _ in range(4 if lesson.fast else 12):
    x = faces[order.integers(0, 400, 20)]  # (20, 16, 16, 1)
    sums = norm(encoder(mg.tensor(x)), mg.tensor(ones), mg.tensor(zeros))  # (20, 64)
    error = decoder(mg.sigmoid(sums)) - x.reshape(20, -1)  # (20, 256)
    optimizer.zero_grad()
    (mg.sum(error * error) / 2).backward()
    optimizer.step()
    slopes = 1 / (2 + np.exp(sums.numpy()) + np.exp(-sums.numpy()))  # (20, 64), of the sigmoid
    course.append((np.abs(sums.numpy()).mean(), np.mean(slopes.max(axis=0) < 0.01)))
theory = np.sqrt(2 / np.pi)
lesson.report("mean |sum| after the last step", course[-1][0], "15%", predicted=theory)
lesson.report("units that are flat for all faces", course[-1][1], "exact", predicted=0.0)
lesson.draw("scales", "Normalised, six layers train from weights of any size", curves)

# %% [markdown]
# Once trained, a network must answer for a single face, without a batch. It then uses a mean and a
# variance that were stored during training (a running mean of those of the batches: with a wrong
# one, networks are good in training and bad after it, pytorch/pytorch#4741). With those two fixed,
# normalisation is only a line, and two lines in a row are one: the dense layer in front of it,
# x w + b, can take it in, and the cost is gone.


# %%
@lesson.exercise("11.3")
def folded(w, b, gamma, beta, mean, variance, eps=1e-5):  # (D, k), then (k,) each
    """The (weights (D, k), bias (k,)) of one dense layer that does both."""
    raise Todo("put x w + b into gamma (... - mean) / s + beta, and sort by x")


# %%
w, b = rng.standard_normal((5, 3)), rng.standard_normal(3)  # (5, 3), (3,)
gamma, beta, mean, variance = rng.uniform(0.5, 2, (4, 3))  # (3,) each
layer, bias = folded(w, b, gamma, beta, mean, variance)  # (5, 3), (3,)
rows = rng.standard_normal((16, 5))  # (16, 5)
both = mg.batch_norm(rows @ w + b, gamma, beta, mean=mean, variance=variance)  # (16, 3)
apart = np.abs(rows @ layer + bias - both).max()
lesson.report("one layer instead of two, largest difference", apart, "+-1e-10", predicted=0.0)

# %% [markdown]
# Threads named here:
#
# [pytorch/pytorch#4534](https://github.com/pytorch/pytorch/issues/4534),
# [pytorch/pytorch#4741](https://github.com/pytorch/pytorch/issues/4741).

# %%
lesson.finish()
