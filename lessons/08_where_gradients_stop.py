"""08  Where gradients stop

Idea: detach says "take this as a constant"; everything else about a program stays as it was.
You write: straight_through(x, f), codebook_loss(z, e, beta).
You get: codes of whole numbers that can be trained; a leak of memory, counted node by node.
Needs: 02, 05, 06.
Read: van den Oord et al., Neural discrete representation learning (2017), section 3.
Uses: minigrad/tensor.py, minigrad/debug.py.
Time: fast 4 s, default 6 s (2 cores).
"""

from lessons import Lesson, Todo

import numpy as np

import minigrad as mg
from autoencoder.datasets import make_faces
from minigrad.debug import explain

lesson = Lesson(8)  # float64
rng = np.random.default_rng(8)

# %% [markdown]
# A gradient follows the graph, and stops where the graph does: at a leaf, at an array (`.numpy()`,
# `.data`, everything inside `no_grad`), and at `x.detach()`, a Tensor with the values of x that
# remembers nothing. Often it stops by accident, and the value is right all the same. Sometimes it
# has to stop. The first case: you add up the losses of 100 steps, to print their mean, and each
# loss hangs on its graph. How many nodes does the sum hold on to, if a step makes a product, its
# sum, and the addition?

# %%
w = mg.tensor(np.ones(3), requires_grad=True)


def total_of(steps, keep):
    """The sum of the losses of these steps, where `keep` says what of a loss is added."""
    total = 0.0
    for _ in range(steps):
        total = total + keep(mg.sum(w * w))
    return total


leaking = explain(total_of(100, lambda loss: loss)).splitlines()  # one line for each node
lesson.report("nodes that a sum of 100 losses keeps", len(leaking), "exact", predicted=1 + 3 * 100)
plain = total_of(100, lambda loss: loss.item())
lesson.report("the sum without graphs, by .item()", plain, "exact", predicted=3.0 * 100)

# %% [markdown]
# The second case is the reverse: a gradient stops where it should go on. A code of whole numbers is
# short, but `np.round` is a staircase, whose slope is 0 wherever it has one. Nothing that stands
# before it learns. The way out is a lie that everybody tells (Bengio, Léonard and Courville, 2013):
# forward compute f, backward pretend that it was the identity. It needs no new operation. Which
# constant has to be added to x, so that the sum is f(x)? Its slope is then that of x.


# %%
@lesson.exercise("8.1")
def straight_through(x, f):  # a Tensor, and a function of arrays
    """A Tensor with the values f(x) and the gradient of x."""
    raise Todo("x plus a constant: how far f(x) is from x, which is an array or detached")


# %% [markdown]
# Try it on generated faces: 256 pixels, a matrix A to 8 numbers, rounded to whole ones, a matrix B
# back. Three trainings from the same start: as it is, with the rounding cut off from its input;
# straight through; and with no rounding until the training is over. What can the first reach at
# most? A stays as it was drawn, so B can only fit the faces to the codes of the start: least
# squares. And no linear map of 8 numbers, rounded or not, beats PCA, which lesson 18 explains.

# %%
faces = make_faces(size=16).images.reshape(400, 256).astype(float)  # (400, 256)
X = faces - faces.mean(axis=0)  # (400, 256)
mean_face = np.sum(X**2) / 800
floor = np.sum(np.linalg.svd(X, compute_uv=False)[8:] ** 2) / 800  # of PCA
question = f"The mean face costs {mean_face:.2f}, PCA {floor:.2f}: what will straight through cost?"
lesson.guess("straight through, loss", question)
first = rng.normal(0, 0.15, (256, 8)), rng.normal(0, 1 / 16, (8, 256))  # A, B
steps = 40 if lesson.fast else 200


def train(rounded):
    """(losses, loss with rounded codes at the end, codes (400, 8)) of a training."""
    A, B = (mg.tensor(a.copy(), requires_grad=True) for a in first)
    optimizer, losses = mg.optim.Adam([A, B], lr=0.01), []
    for _ in range(steps):
        error = rounded(mg.tensor(X) @ A) @ B - X  # (400, 256)
        loss = mg.sum(error * error) / 800
        optimizer.zero_grad()
        loss.backward()
        if A.grad is None:  # nothing has come back to it
            A.grad = mg.tensor(np.zeros(A.shape))
        optimizer.step()
        losses.append(loss.item())
    codes = np.round(X @ A.numpy())  # (400, 8)
    return losses, np.sum((codes @ B.numpy() - X) ** 2) / 800, codes


runs = {
    "cut off": train(lambda z: mg.tensor(np.round(z.numpy()))),
    "straight through": train(lambda z: straight_through(z, np.round)),
    "rounded afterwards": train(lambda z: z),
}
codes = np.round(X @ first[0])  # (400, 8): of the start
fit = codes @ np.linalg.lstsq(codes, X)[0]  # (400, 256)
lesson.report("cut off, loss", runs["cut off"][1], "2%", predicted=np.sum((fit - X) ** 2) / 800)
for name in ("straight through", "rounded afterwards"):
    lesson.report(f"{name}, loss", runs[name][1], "10%")
lesson.report("no linear code of 8 numbers is below", floor, "close")
lesson.report("largest codes", [np.abs(c).max() for *_, c in runs.values()], "+-3")

curves = {name: losses for name, (losses, *_) in runs.items()}
ends = {name: loss for name, (_, loss, _) in runs.items()}
claim = "Forward a staircase, backward a slope: the code learns"
lesson.draw("staircase", claim, curves, ends, floor)

# %% [markdown]
# Straight through, the network has learnt what rounding does to it: it makes its codes large, so
# that a step of 1 is a small one. The network that never saw a rounding has no reason to.
#
# The third case: one distance, two owners. Let the code be the nearest of some learnt vectors e,
# the codebook (van den Oord's VQ-VAE, 2017). The vector should go to the code z, and more gently
# the code to its vector, with a weight beta. Each term is a squared distance, and in each one of
# the two is taken as a constant:
#
#     loss = |stop(z) - e|^2 + beta |z - stop(e)|^2        summed over everything
#
# The value is (1 + beta) |z - e|^2 whatever stops where. So a wrong stop is seen in gradients only.


# %%
@lesson.exercise("8.2")
def codebook_loss(z, e, beta):  # Tensors (N, k), a number -> one number
    """The loss above, with stop(...) written as .detach()."""
    raise Todo("two sums of squares; e learns from the first, z from the second")


# %% [markdown]
# Prediction: descend this loss in e alone, and every vector ends in the mean of the codes that it
# is nearest to. That is k-means, found without its name.

# %%
z = rng.standard_normal((300, 2)) + rng.choice([-3.0, 0.0, 3.0], (300, 1))  # (300, 2)
book = mg.tensor(rng.standard_normal((3, 2)), requires_grad=True)  # (3, 2)
for _ in range(200):
    nearest = np.argmin(((z[:, None] - book.numpy()) ** 2).sum(axis=2), axis=1)  # (300,)
    loss = codebook_loss(mg.tensor(z), book[nearest], 0.25) / len(z)
    book.grad = None
    loss.backward()
    book.data -= 0.5 * book.grad.data
means = np.array([z[nearest == k].mean(axis=0) for k in range(3)])  # (3, 2)
apart = np.abs(means - book.numpy()).max()
lesson.report("vectors' distance to the means of their codes", apart, "+-1e-6", predicted=0.0)

# %%
lesson.finish()
