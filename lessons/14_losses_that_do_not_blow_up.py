"""14  Losses that do not blow up

Idea: sigmoid and logarithm undo each other, so a loss that goes through both throws digits away.
You write: bce_from_logits(t, x), bce_slope(g, t, x), entropy(x).
You get: losses that are equal on paper, where two of them stop learning, and the floor of grey.
Needs: 01, 04, 06.
Read: Goldberg, What every computer scientist should know about floating-point (1991).
Uses: minigrad/losses.py, autoencoder/datasets/loaders.py.
Time: fast 5 s, default 5 s (2 cores).
"""

from lessons import Lesson, Todo

import numpy as np

import minigrad as mg
from autoencoder.datasets import load_digits

lesson = Lesson(14)  # float64, except where float32 is the subject

# %% [markdown]
# A decoder says for each pixel how likely it is to be white: p. Its loss is the surprise, in nats,
# at the true pixel x, called binary cross-entropy; x may be grey, between 0 and 1:
#
#     loss = -x log(p) - (1 - x) log(1 - p)      p = sigmoid(t) = 1 / (1 + exp(-t))
#
# The network computes t, the logit, any number at all. The formula is right; the computer rounds.
# Above 1 float32 has steps of 2**-23: as soon as exp(-t) is less than half a step, 2**-24, the sum
# is exactly 1, so is p, and log(1 - p) is infinite. At which t is that? And in float64, where half
# a step is 2**-53?


# %%
def sigmoid(t):
    with np.errstate(over="ignore"):  # exp(-t) may become infinite: then p is 0, as it should be
        return 1 / (1 + np.exp(-t))


def naive(t, x):
    p = sigmoid(t)
    with np.errstate(divide="ignore", invalid="ignore"):
        return -x * np.log(p) - (1 - x) * np.log(1 - p)


lesson.guess("first infinite loss, float32, t =", "The first t with an infinite loss, float32?")
logits = np.arange(100)  # (100,)
for dtype, bits in ((np.float32, 24), (np.float64, 53)):
    broken = ~np.isfinite(naive(logits.astype(dtype), dtype(0)))  # (100,)
    first, theory = int(np.argmax(broken)), int(np.ceil(bits * np.log(2)))
    lesson.report(f"first infinite loss, {dtype.__name__}, t =", first, "exact", predicted=theory)
near = naive(np.float32(15), np.float32(0))  # on paper log(1 + exp(15)) = 15.0000003
lesson.report("loss at t = 15, float32", near, "close", predicted=np.log(2**24 / 6))

# %% [markdown]
# Where is the way out? On paper, log and exp cancel:
#
#     -log(p) = log(1 + exp(-t))      -log(1 - p) = log(1 + exp(t)) = t + log(1 + exp(-t))
#
# Put them into the loss. What is left must not take the exponential of a large positive number: in
# float32 exp(89) is infinite. So think of both signs of t: the loss for t < 0 is that for -t
# with black and white exchanged. And `np.log1p(s)` is log(1 + s) that does not lose a small s.


# %%
@lesson.exercise("14.1")
def bce_from_logits(t, x):  # arrays of one shape -> the loss of each element
    """The binary cross-entropy of sigmoid(t) and x, without computing sigmoid(t)."""
    raise Todo("max(t, 0), then t x, then a log1p of exp of something that is never positive")


# %% [markdown]
# Training needs the slope, g times the derivative with respect to t. The chain of rules gives (p -
# x) / (p (1 - p)) for the loss and p (1 - p) for the sigmoid: far out 0 times infinity, on paper a
# simple difference. Do not leave it to the rules of max and |t| either: both have a kink at 0,
# where the loss has none (PyTorch's first version returned a slope of 0 there,
# pytorch/pytorch#2298).


# %%
@lesson.exercise("14.2")
def bce_slope(g, t, x):  # arrays of one shape
    """g times the derivative of bce_from_logits(t, x) with respect to t."""
    raise Todo("multiply the two factors on paper; the function `sigmoid` is above")


# %% [markdown]
# Programs that compute p first protect the logarithm. Some clip p, as DeZero to at most 0.999; then
# no loss is above -log(0.001). Some bound the logarithm, as PyTorch's `binary_cross_entropy` at
# -100, and p (1 - p) from below by 1e-12. Both are finite. But where is the slope that would bring
# back a pixel which is certainly, and wrongly, white? Let x be 0, and sketch the three slopes.


# %%
def clipped(t, x):
    p = np.clip(sigmoid(t), 1e-15, 0.999)
    return -x * np.log(p) - (1 - x) * np.log(1 - p)


def clipped_slope(t, x):
    p = sigmoid(t)
    return np.where((p > 1e-15) & (p < 0.999), p - x, 0.0)  # where p is clipped, nothing moves


def bounded_slope(t, x):
    p = sigmoid(t)
    return (p - x) / np.maximum(p * (1 - p), 1e-12) * (p * (1 - p))


t = np.linspace(-5, 25, 601, dtype=np.float32)  # (601,)
x = np.zeros_like(t)
lesson.report("largest clipped loss", clipped(t, x).max(), "0.1%", predicted=-np.log(0.001))
still = t[np.argmax((clipped_slope(t, x) == 0) & (t > 0))]
lesson.report("clipped slope is 0 from t =", still, "1%", predicted=np.log(0.999 / 0.001))
losses = {
    "logarithm bounded": np.minimum(naive(t, x), 100),
    "p clipped": clipped(t, x),
    "from logits": bce_from_logits(t, x),
}
slopes = {
    "logarithm bounded": bounded_slope(t, x),
    "p clipped": clipped_slope(t, x),
    "from logits": bce_slope(np.ones_like(t), t, x),
}
lesson.draw("four_losses", "Equal on paper: a wrong pixel must keep its slope", losses, slopes, t)

# %% [markdown]
# A case that somebody lost a day to (pytorch/pytorch#103316): eight pixels that are 1, the first
# one at logit -50. The mean loss must pull it up with slope -1/8, the hardest of all. Bounded as
# above, it is multiplied by p / 1e-12, which is nothing.

# %%
eight = np.array([[-50.0, -10.0, -5.0, -2.0, 0.0, 2.0, 5.0, 10.0]]).T  # (8, 1)
ones = mg.tensor(np.ones((8, 1)))
for name, of_logits in (("through p", False), ("from logits", True)):
    leaf = mg.tensor(eight, requires_grad=True)
    if of_logits:
        mg.losses.binary_cross_entropy_with_logits(leaf, ones).backward()
    else:
        mg.losses.binary_cross_entropy(mg.sigmoid(leaf), ones).backward()
    theory = -1 / 8 * (1 if of_logits else np.exp(-50) / 1e-12)
    lesson.report(f"slope at -50, {name}", leaf.grad.data[0, 0], "close", predicted=theory)

# %% [markdown]
# Last, a number that puzzles many: the loss of a perfect reconstruction is not 0. If x is grey,
# even p = x is surprised, by the entropy of x. So report the excess over this floor, or nobody can
# tell a poor model from grey data.


# %%
@lesson.exercise("14.3")
def entropy(x):  # an array of values in [0, 1] -> the lowest possible loss of each
    """-x log(x) - (1 - x) log(1 - x), which is 0 for x = 0 and for x = 1."""
    raise Todo("0 * log(0) is nan for NumPy: let it never come to that")


# %% [markdown]
# The perfect model is one end of a ruler. The other is a model that knows nothing of the image at
# hand, only the mean image: its loss is the entropy of the mean, as the loss is linear in x. What
# deserves to be called a model of digits lies between the two; one below the floor has a bug.

# %%
digits = load_digits().images.reshape(-1, 64).astype(np.float64)  # (1797, 64)
mean = digits.mean(axis=0)  # (64,)
seen = (mean > 0) & (mean < 1)  # (64,): pixels that are not always black
logit = np.log(mean[seen] / (1 - mean[seen]))
mean_loss = bce_from_logits(np.broadcast_to(logit, digits[:, seen].shape), digits[:, seen])
lesson.report("floor of the digits", entropy(digits).sum(axis=1).mean(), "close", unit="nats")
at_mean, theory = mean_loss.sum(axis=1).mean(), entropy(mean).sum()
lesson.report("loss of the mean digit", at_mean, "close", predicted=theory, unit="nats")

p = np.linspace(0.002, 0.998, 499)  # (499,)
claim = "The floor of the loss is the entropy of the pixel"
lesson.draw("floor", claim, p, bce_from_logits, entropy)

# %% [markdown]
# Threads named here:
#
# [pytorch/pytorch#2298](https://github.com/pytorch/pytorch/issues/2298),
# [pytorch/pytorch#103316](https://github.com/pytorch/pytorch/issues/103316).

# %%
lesson.finish()
