"""1989  One valley, whatever the start

Idea: the loss of a linear autoencoder has saddles, but no minimum other than PCA's.
You write: nothing new. It runs on your engine (lesson 5) and your Adam (lesson 9).
You get: the theorem of Baldi and Hornik, tested from many starts, and a hill that is a saddle.
Needs: 05, 09, 17.
Read: Baldi and Hornik, Neural networks and principal component analysis (1989).
Uses: minigrad/engine.py, autoencoder/evaluation/baselines.py.
Time: fast 4 s, default 8 s (2 cores).
"""

from lessons import Lesson

import numpy as np

from autoencoder.datasets import load_digits

lesson = Lesson(1989)  # float64
engine, Adam = lesson.earlier(5), lesson.earlier(9, "Adam")
Node = engine.Node

# %% [markdown]
# After 1986 the fear was local minima: a network that descends may end in a hollow that is not the
# lowest. For one kind of network Baldi and Hornik proved in 1989 that there is none. Of an
# autoencoder without bends, x A B, every minimum has the loss of principal component analysis, a
# method of 1901 that lesson 18 makes you write. All other places without slope are saddles, where
# the code spans some other directions of PCA; a step aside leads down from there.
#
# So descend from many starts. How different will the losses be at the end?

# %%
digits = load_digits().images.reshape(-1, 64)[:300].astype(float)  # (300, 64)
X = digits - digits.mean(axis=0)  # (300, 64)
values, directions = np.linalg.svd(X, full_matrices=False)[1:]  # falling, and the rows of Vt
k = 4
floor = np.sum(values[k:] ** 2) / 2 / len(X)
x, starts, steps = Node(X), 2 if lesson.fast else 8, 150 if lesson.fast else 800


def descend(A, B, steps):
    """The losses, and the weights, of a training from A (64, k), B (k, 64)."""
    weights, losses = [Node(A), Node(B)], []
    optimizer = Adam(weights, lr=0.01)
    for _ in range(steps):
        error = x @ weights[0] @ weights[1] - X  # (300, 64)
        loss = (error * error).sum() * (0.5 / len(X))
        engine.zero_grad(weights)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses, [w.data for w in weights]


runs = []
for seed in range(starts):
    rng = np.random.default_rng(seed)
    size = rng.uniform(0.02, 0.5)  # of the weights: the starts are unlike each other
    runs.append(
        descend(size * rng.standard_normal((64, k)), size * rng.standard_normal((k, 64)), steps)
    )
ends = [losses[-1] for losses, _ in runs]
lesson.report("loss from each start", ends, "5%", predicted=[floor] * starts)
span = np.linalg.qr(runs[0][1][1].T)[0]  # (64, 4): what the code spans
cosines = np.linalg.svd(directions[:k] @ span, compute_uv=False)  # (4,)
lesson.report("smallest cosine between the code and PCA", cosines.min(), "+-0.02", predicted=1.0)

# %% [markdown]
# And a saddle. Directions 1, 2, 3 and 5 of PCA are a place without slope: the fifth is a good
# direction, the fourth would be a better one, and no small exchange of the two is felt at first.
# Start there, and a hair beside it.

# %%
wrong = directions[[0, 1, 2, 4]]  # (4, 64)
height = (np.sum(values[k:] ** 2) + values[3] ** 2 - values[4] ** 2) / 2 / len(X)
leaf = [Node(wrong.T.copy()), Node(wrong.copy())]
error = x @ leaf[0] @ leaf[1] - X  # (300, 64)
loss = (error * error).sum() * (0.5 / len(X))
loss.backward()
steepest = max(np.abs(w.grad.data).max() for w in leaf)
lesson.report("loss at the saddle", loss.item(), "close", predicted=height)
lesson.report("largest slope there", steepest, "+-1e-10", predicted=0.0)
nudge = 1e-3 * np.random.default_rng(0).standard_normal((64, k))
saddle, _ = descend(wrong.T + nudge, wrong.copy(), steps)
lesson.report("loss from beside the saddle", saddle[-1], "2%", predicted=floor)
lesson.draw("valley", "Every start ends at the loss of PCA", runs, saddle, floor, height)

# %%
lesson.finish()
