"""06  A line, a bend, a fit

Idea: a network is a line with bends, a loss is also a scale, and training is four lines in a loop.
You write: sgd_step(w, g, lr), train(loss, weights, batches, lr), lr_for_sum(lr, shape).
You get: a line, three bends and thirty through the same points; six loss curves to diagnose.
Needs: 01, 02, 03.
Read: Bottou, Curtis, Nocedal, Optimization methods for large-scale machine learning (2018).
Uses: minigrad/optim.py, minigrad/losses.py.
Time: fast 5 s, default 10 s (2 cores).
"""

from lessons import Lesson, Todo

import numpy as np

import minigrad as mg
from minigrad.losses import mse_loss

lesson = Lesson(6)  # float64
rng = np.random.default_rng(5)

# %% [markdown]
# The gradient says in which direction the loss rises fastest. Training goes the other way, a small
# step at a time. With g the gradient and lr (the learning rate) the length of the step for a
# gradient of 1:
#
#     w <- w - lr g
#
# The array w itself has to change: the network holds on to it, and would not notice another one.


# %%
@lesson.exercise("6.1")
def sgd_step(w, g, lr):  # arrays w and g of one shape; nothing is returned
    """One step of gradient descent, which changes the array w in place."""
    raise Todo("change w in place: an assignment to the name w would make another array")


# %% [markdown]
# The loop. A batch is the examples of one step: here all of them, later a few drawn at random (the
# S of SGD: stochastic). For each batch: forget the old gradients (lesson 2: they are added up),
# compute the loss, walk back, and step. `loss(x, y)` gives a Tensor that depends on the `weights`;
# after its `backward()` the gradient of w is `w.grad`, and its array is `w.grad.data`.


# %%
@lesson.exercise("6.2")
def train(loss, weights, batches, lr):
    """One step for each (x, y) of the batches; returns the list of losses, as plain numbers."""
    raise Todo(
        "per batch: w.grad = None for all w, loss(x, y), backward(), sgd_step(w.data, ...), "
        "and keep loss.item()"
    )


# %% [markdown]
# Now a problem: one period of a sine, with noise of variance 0.04 on it. A straight line cannot do
# it. A network with k hidden units computes k lines, relu cuts each off at 0, and the output adds
# them up: a line with at most k bends. Draw the best one with three bends before you look.

# %%
x = np.sort(rng.uniform(-1, 1, (128, 1)), axis=0)  # (128, 1)
y = np.sin(np.pi * x) + 0.2 * rng.standard_normal(x.shape)  # (128, 1)


def new_weights(k, rng):
    """[w1 (1, k), b1 (k,), w2 (k, 1), b2 (1,)] with bends spread over the data; k = 0: a line."""
    w1 = rng.choice([-1.5, 1.5], (1, k))  # (1, k)
    b1 = -w1[0] * np.linspace(-0.9, 0.9, k)  # (k,): unit j bends at -b1 / w1
    w2 = 0.5 * rng.standard_normal((k, 1)) / np.sqrt(k or 1)  # (k, 1)
    arrays = [w1, b1, w2, np.zeros(1)] if k else [np.zeros((1, 1)), np.zeros(1)]
    return [mg.tensor(a, requires_grad=True) for a in arrays]


def predict(weights, x):  # (N, 1) -> (N, 1)
    for w, b in zip(weights[:-2:2], weights[1:-2:2], strict=True):
        x = mg.dense(x, w, b, activation="relu")  # (N, k)
    return mg.dense(x, *weights[-2:])


def loss_of(weights, reduction="mean"):
    return lambda x, y: mse_loss(predict(weights, mg.tensor(x)), mg.tensor(y), reduction)


steps = 800 if lesson.fast else 3000
networks = {k: new_weights(k, rng) for k in (0, 3, 30)}
curves = {k: train(loss_of(ws), ws, [(x, y)] * steps, 0.05) for k, ws in networks.items()}

design = np.hstack([x, np.ones_like(x)])  # (128, 2)
residual = y - design @ np.linalg.lstsq(design, y)[0]  # (128, 1)
lesson.report("loss of the line", curves[0][-1], "close", predicted=np.mean(residual**2))
grid = np.linspace(-1, 1, 2001)[:, None]  # (2001, 1)
fits = {k: predict(ws, mg.tensor(grid)).numpy()[:, 0] for k, ws in networks.items()}
bent = np.abs(np.diff(fits[3], 2)) > 1e-9  # (1999,): where the slope changes
bends = np.sum(bent[1:] & ~bent[:-1])  # a bend between grid points shows twice
lesson.report("bends of 3 hidden units", bends, "exact", predicted=3)
wrong = np.mean((fits[30] - np.sin(np.pi * grid[:, 0])) ** 2)
lesson.report("30 units: loss on new points", wrong + 0.04, "20%", predicted=0.04)

lesson.draw("fit", "Every hidden unit lets the line bend once", x, y, fits, grid, curves)

# %% [markdown]
# How large may lr be? For the line the loss is a bowl, and one step multiplies the distance from
# the bottom by 1 - lr * curvature, in each direction of the bowl: it shrinks as long as lr is below
# 2 / (largest curvature). Curvatures are the eigenvalues of the matrix of second derivatives, which
# here is 2/N times design.T @ design. So the limit can be known before the first step.

# %%
curvature = np.linalg.eigvalsh(2 / len(x) * design.T @ design)[-1]
low, high = 0.1, 10.0
for _ in range(14):
    lr, line = (low + high) / 2, new_weights(0, rng)
    losses = train(loss_of(line), line, [(x, y)] * 60, lr)
    low, high = (lr, high) if losses[-1] < losses[30] + 1e-12 else (low, lr)
lesson.report("largest lr for the line", low, "1%", predicted=2 / curvature)

# %% [markdown]
# A loss is also a scale. `mse_loss` is a mean over all its elements, N examples times D features.
# Other programs take the sum, or half of it (TensorFlow's l2_loss, the faces of lesson 17), or the
# mean over the examples only. The lowest point is the same, but all gradients are larger by a
# factor, so the same lr is another lr. With which one does the sum train exactly as the mean does?


# %%
@lesson.exercise("6.3")
def lr_for_sum(lr, shape):  # shape: that of predictions and targets, (N, D) or more axes
    """The learning rate with which the sum of squares takes the steps of their mean with `lr`."""
    raise Todo("by which factor are the gradients of the sum larger than those of the mean?")


# %%
mean, total = new_weights(30, np.random.default_rng(1)), new_weights(30, np.random.default_rng(1))
of_mean = np.array(train(loss_of(mean), mean, [(x, y)] * 100, 0.02))  # (100,)
of_sum = train(loss_of(total, "sum"), total, [(x, y)] * 100, lr_for_sum(0.02, y.shape))
apart = np.abs(of_mean - np.array(of_sum) / y.size).max()
lesson.report("sum and mean, largest difference", apart, "+-1e-10", predicted=0.0)

# %% [markdown]
# Now you are the doctor. The same network, the same start, six runs: one is healthy, and each of
# the others has one thing wrong: the sign of the step; lr ten times too large; the old gradients
# not forgotten; all weights 0 at the start; the sum instead of the mean with the same lr. Say which
# is which before you turn the page round: in a real run the curve is all you have. One number can
# be known: with all weights 0, relu passes nothing on, and only the last bias learns anything.


# %%
def forgetful(loss, weights, batches, lr):
    """`train`, but the gradients of all steps are added up."""
    losses = []
    for batch in batches:
        value = loss(*batch)
        value.backward()
        for w in weights:
            w.data -= lr * w.grad.data
        losses.append(value.item())
    return losses


def run(trainer=train, lr=0.02, start=1.0, reduction="mean"):
    ws = new_weights(30, np.random.default_rng(1))
    for w in ws:
        w.data *= start
    with np.errstate(all="ignore"):  # some of these end in infinity
        return np.array(trainer(loss_of(ws, reduction), ws, [(x, y)] * 60, lr))  # (60,)


lesson.guess("all weights 0: final loss", "The loss at which all weights 0 end?")
runs = [run(start=0), run(lr=0.2), run(), run(reduction="sum"), run(forgetful), run(lr=-0.02)]
causes = ("all weights 0", "lr x 10", "healthy", "sum, same lr", "not forgotten", "sign")
lesson.report("all weights 0: final loss", runs[0][-1], "1%", predicted=y.var())
lesson.draw("gallery", "Which is which? (the answers are upside down)", runs, causes)

# %% [markdown]
# Gradients that are not forgotten are momentum without friction: w swings about the bottom like a
# pendulum, for ever. With only the last bias trained the curvature is 2, and the swing obeys
# w[t+1] - 2 w[t] + w[t-1] = -2 lr w[t]: a cosine with 1 - lr as the cosine of its angle per step.

# %%
bias = [mg.tensor(np.ones(1), requires_grad=True)]
swing = forgetful(lambda x, y: mg.mean((bias[0] - y) ** 2), bias, [(x, y)] * 400, 0.1)
tops = [t for t in range(1, 399) if swing[t - 1] < swing[t] > swing[t + 1]]
period = 2 * (tops[-1] - tops[0]) / (len(tops) - 1)  # the square has two tops in each swing
lesson.report("steps in a swing", period, "2%", predicted=2 * np.pi / np.arccos(1 - 0.1))
lesson.finish()
