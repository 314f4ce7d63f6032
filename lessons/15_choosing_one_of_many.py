"""15  Choosing one of many

Idea: a softmax makes scores into shares, and the slope of its loss is share minus truth.
You write: cross_entropy(t, labels), cross_entropy_slope(g, t, labels), label_entropy(labels).
You get: digits told apart, on your own engine; the loss of knowing nothing, and what it means.
Needs: 04, 05, 06, 14.
Read: Bishop, Pattern Recognition and Machine Learning (2006), section 4.3.
Uses: minigrad/losses.py, minigrad/ops.py.
Time: fast 4 s, default 6 s (2 cores).
"""

from lessons import Lesson, Todo

import numpy as np

import minigrad as mg
from autoencoder.datasets import load_digits

lesson = Lesson(15)  # float64
rng = np.random.default_rng(15)

# %% [markdown]
# Lesson 14 had one question for each pixel, yes or no. Which digit is it? is one question with ten
# answers. The network gives ten scores t, the logits, and the **softmax** makes them shares p that
# add up to 1. The loss is the surprise at the true answer, the **cross-entropy**:
#
#     p_j = exp(t_j) / (exp(t_1) + ... + exp(t_k))      loss = -log(p_label)
#
# As in lesson 14 the formula is right and the computer rounds: exp(800) is infinite, and inf / inf
# is nan. But shares do not change if all scores of a row are moved by the same number. By which?
# And on paper the logarithm meets the exp. What is left of -log(p_label)?


# %%
@lesson.exercise("15.1")
def cross_entropy(t, labels):  # (N, k), whole numbers (N,) -> (N,)
    """-log of the share that softmax gives to the label, for each row, whatever the size of t."""
    raise Todo("move each row so that its largest score is 0; then log(sum of exp) - score")


def naive(t, labels):
    with np.errstate(over="ignore", invalid="ignore"):
        shares = np.exp(t) / np.exp(t).sum(axis=1, keepdims=True)  # (N, k)
        return -np.log(shares[np.arange(len(t)), labels])


scores = np.array([[1.0, 2.0, 3.0], [1000.0, 0.0, 990.0]])  # (2, 3)
labels = np.array([2, 2])  # (2,)
broken = np.isnan(naive(scores, labels)).astype(int)  # (2,)
lesson.report("nan by the formula", broken, "exact", predicted=[0, 1])
paper = [np.log(1 + np.exp(-1) + np.exp(-2)), 10 + np.log1p(np.exp(-10))]
lesson.report("yours", cross_entropy(scores, labels), "exact", predicted=paper)

# %% [markdown]
# The slope. A score moves the loss in two ways: it is the label's or it is not, and it is in the
# sum for all. Take the derivative of log(sum of exp) first: it is a quantity that you know. Guess
# what all slopes of a row add up to, before you compute them: what does moving a whole row do?


# %%
@lesson.exercise("15.2")
def cross_entropy_slope(g, t, labels):  # (N,), (N, k), (N,) -> (N, k)
    """The gradient of t when that of cross_entropy(t, labels) is g."""
    raise Todo("shares, less 1 at the label, and each row times its g; t itself stays as it is")


# %%
t, labels = 3 * rng.standard_normal((6, 4)), rng.integers(0, 4, 6)  # (6, 4), (6,)
slopes = cross_entropy_slope(np.ones(6), t, labels)  # (6, 4)
lesson.report("largest sum of a row", np.abs(slopes.sum(axis=1)).max(), "+-1e-12", predicted=0.0)
two = np.stack([np.zeros(6), t[:, 0]], axis=1)  # (6, 2): scores 0 and s
apart = cross_entropy(two, np.ones(6, int)) - np.log1p(np.exp(-t[:, 0]))
lesson.report("two answers against lesson 14's loss", np.abs(apart).max(), "+-1e-12", predicted=0.0)

# %% [markdown]
# A common accident with this loss: the network ends in a softmax, and the loss, which has one
# inside, gets shares for scores (tflearn/tflearn#562). It still falls. But shares lie between 0 and
# 1, so the best that the label's share can be afterwards, with the others at 0, is e / (e + k - 1),
# and no loss is below its -log. (Somebody with four answers wondered why his rested at 0.74,
# ariecattan/SciCo#2.) What is the lowest loss for ten answers?

# %%
sure = np.zeros((1, 10))  # (1, 10)
sure[0, 3] = 1.0  # the shares of a network that is certain, and right
twice = cross_entropy(sure, np.array([3]))[0]
lesson.guess("lowest loss with two softmaxes", "A network is certain and right. Its loss, in nats?")
lesson.report("lowest loss with two softmaxes", twice, "exact", predicted=np.log(1 + 9 / np.e))

# %% [markdown]
# Now the digits, 8 x 8 pixels, a third of them held back. The first rung of the ladder: a model
# that knows nothing of the image gives every digit its share of the labels. Its loss is their
# entropy, about log(10) = 2.303, as all ten are about as frequent. A loss above it is worse than
# nothing, and the first loss of a network should be near it, or its last layer starts too large.


# %%
@lesson.exercise("15.3")
def label_entropy(labels):  # whole numbers (N,) -> nats
    """The mean loss, over these labels, of the shares with which they occur."""
    raise Todo("np.unique(labels, return_counts=True) counts; then the mean of -log(share)")


# %% [markdown]
# The network is one layer, x W + b, and it trains on your engine of lesson 5. Its eight operations
# have no maximum and no sum along rows, and do not need them: the largest score is a constant (it
# cancels, so no gradient is lost), and a row is summed by a product with a column of ones.

# %%
engine = lesson.earlier(5)
digits = load_digits()
x = digits.images.reshape(len(digits.images), -1).astype(float)  # (1797, 64)
held = rng.permutation(len(x)) < len(x) // 3  # (1797,)
train, test = (x[~held], digits.labels[~held]), (x[held], digits.labels[held])
ones = np.ones((10, 1))
hot = np.eye(10)[train[1]]  # (1198, 10): 1 at the label


def loss_on_nodes(W, b):
    """The mean cross-entropy by add, multiply, matmul, exp, log and sum."""
    scores = engine.Node(train[0]) @ W + b  # (1198, 10)
    scores = scores + -scores.data.max(axis=1, keepdims=True)
    logs = (scores.exp() @ ones).log()  # (1198, 1)
    return (logs - (scores * hot) @ ones).mean()


W, b = engine.Node(np.zeros((64, 10))), engine.Node(np.zeros(10))
curves, first = {"seen": [], "new": []}, None
for _ in range(60 if lesson.fast else 300):
    engine.zero_grad([W, b])
    loss = loss_on_nodes(W, b)
    loss.backward()
    if first is None:  # by your second function, for comparison
        g = np.full(len(train[0]), 1 / len(train[0]))  # (1198,)
        by_hand = train[0].T @ cross_entropy_slope(g, np.zeros((len(g), 10)), train[1])  # (64, 10)
        first = np.abs(W.grad.data - by_hand).max()
    curves["seen"].append(loss.item())
    curves["new"].append(cross_entropy(test[0] @ W.data + b.data, test[1]).mean())
    for w in (W, b):
        w.data -= 0.5 * w.grad.data
shares = mg.softmax(test[0] @ W.data + b.data, axis=1)  # (599, 10)
guesses, entropy = shares.argmax(axis=1), label_entropy(train[1])  # (599,)
lesson.report("your engine's slope against yours by hand", first, "+-1e-12", predicted=0.0)
lesson.report("first loss", curves["seen"][0], "exact", predicted=np.log(10))
lesson.report("entropy of the labels", entropy, "close")
lesson.report("last loss, seen and new digits", [c[-1] for c in curves.values()], "5%")
lesson.report("new digits told right", np.mean(guesses == test[1]), "+-0.02")
wrong = np.flatnonzero(guesses != test[1])
worst = wrong[np.argsort(-shares[wrong, guesses[wrong]])][:6]  # (6,): the surest mistakes
pictures = [(test[0][i].reshape(8, 8), test[1][i], guesses[i], shares[i].max()) for i in worst]
claim = f"One layer tells {np.mean(guesses == test[1]):.0%} of new digits; its surest mistakes"
lesson.draw("digits", claim, curves, entropy, pictures)

# %% [markdown]
# Threads named here:
#
# [tflearn/tflearn#562](https://github.com/tflearn/tflearn/pull/562),
# [ariecattan/SciCo#2](https://github.com/ariecattan/SciCo/issues/2).

# %%
lesson.finish()
