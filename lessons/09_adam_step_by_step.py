"""09  Adam, step by step

Idea: Adam divides a gradient by its usual size, and corrects what it has not yet seen enough of.
You write: moments(m, v, g), adam_step(w, m, v, t), uncorrected_ratio(t).
You get: first steps of one length whatever the gradient, and how long the correction matters.
Needs: 06.
Read: Kingma and Ba, Adam: a method for stochastic optimization (2015).
Uses: minigrad/optim.py.
Time: fast 5 s, default 8 s (2 cores).
"""

from lessons import Lesson, Todo

import numpy as np

import minigrad as mg

lesson = Lesson(9)  # float64
rng = np.random.default_rng(6)

# %% [markdown]
# Plain descent takes steps of lr times the gradient, so every weight needs another lr, and each
# change of the loss's scale as well. Adam (Kingma and Ba, 2015) remembers two things of every
# weight: m, the mean of its recent gradients, and v, the mean of their squares. "Recent" means that
# at each step the old mean counts with weight beta, the new value with what is left to 1:
#
#     mean <- beta * mean + (1 - beta) * new
#
# beta1 = 0.9 for m: about the last ten gradients; beta2 = 0.999 for v: about the last thousand.


# %%
@lesson.exercise("9.1")
def moments(m, v, g, beta1=0.9, beta2=0.999):  # arrays of one shape
    """The new m and v, as a pair, when the gradient g arrives."""
    raise Todo("the formula twice: for g with beta1, for its square with beta2")


# %% [markdown]
# Both begin at 0, and so they are too small at first: after t steps the weights of all gradients
# seen add up to 1 - beta**t only. Dividing by that makes them means again:
#
#     m' = m / (1 - beta1**t)      v' = v / (1 - beta2**t)
#     w <- w - lr m' / (sqrt(v') + epsilon)
#
# epsilon is there for gradients of 0. The first step has t = 1.


# %%
@lesson.exercise("9.2")
def adam_step(w, m, v, t, lr=0.001, beta1=0.9, beta2=0.999, epsilon=1e-8):
    """The new w; m and v are the moments that have seen t gradients."""
    raise Todo("three lines: m', v', and w less lr m' / (sqrt(v') + epsilon)")


# %% [markdown]
# After one gradient m' is g and v' is its square, and m' / sqrt(v') is its sign. So the first step
# has length lr for a gradient of any size, as long as it is much larger than epsilon: exactly
# lr * g / (g + epsilon). Say what that is for the four gradients below.

# %%
gradients = np.array([1e-8, 1e-4, 1.0, 1e4])  # (4,)
m, v = moments(np.zeros(4), np.zeros(4), gradients)  # (4,), (4,)
steps = -adam_step(np.zeros(4), m, v, 1, lr=1.0)  # (4,)
lesson.report("first step / lr", steps, "exact", predicted=gradients / (gradients + 1e-8))

# %% [markdown]
# What if one leaves the correction out? m and v are both too small, so do the steps get smaller or
# larger? Let the gradient be constant, 1, and epsilon 0. The corrected step is then always lr. Work
# out m and v after t steps, and from them the uncorrected step divided by lr. Then guess: after how
# many steps does the difference no longer matter?


# %%
@lesson.exercise("9.3")
def uncorrected_ratio(t, beta1=0.9, beta2=0.999):
    """The length of step t without correction, over that with it, for a constant gradient."""
    raise Todo("m is 1 - beta1**t; what is v? the step is m / sqrt(v)")


# %%
def lengths(t_used, n=4000):
    """The n first steps for a constant gradient, when the correction is that of step t_used(t)."""
    m, v, found = 0.0, 0.0, []
    for t in range(1, n + 1):
        m, v = moments(m, v, 1.0)
        found.append(-adam_step(0.0, m, v, t_used(t), lr=1.0, epsilon=0.0))
    return np.array(found)  # (n,)


question = "After how many steps is the step at most 5 % too long?"
lesson.guess("steps until it is within 5 %", question)
uncorrected = lengths(lambda t: 10**9)  # as if it had seen enough
chosen = np.array([1, 2, 5, 10, 20, 50, 100, 1000])  # (8,): values of t
known = [uncorrected_ratio(t) for t in chosen]
lesson.report("uncorrected / corrected", uncorrected[chosen - 1], "close", predicted=known)
late = int(np.argmax((uncorrected < 1.05) & (np.arange(4000) > 10))) + 1
theory = np.log(1 - 1 / 1.05**2) / np.log(0.999)  # 1 / sqrt(1 - beta2**t) = 1.05
lesson.report("steps until it is within 5 %", late, "exact", predicted=int(np.ceil(theory)))

# %% [markdown]
# Larger, then, because v lags more than m, and not for the first twenty steps, as one often reads,
# but for the first thousands: beta2 decides. Two other mistakes do their harm in silence. Without
# the exponent, m / (1 - beta1), every step is corrected as if it were the first (a bug of
# eriklindernoren/ML-From-Scratch#35). And if t is counted up for each weight array, not for each
# step, the correction ends too soon: with four arrays, four times.

# %%
times = np.arange(1, 4001)  # (4000,)
ratios = {
    "no correction": uncorrected,
    "no exponent": lengths(lambda t: 1),
    "t counted by 4 arrays": lengths(lambda t: 4 * t),
    "corrected": lengths(lambda t: t),
}
long_run = (1 - 0.9**4000) / 0.1 / np.sqrt((1 - 0.999**4000) / 0.001)
lesson.report("no exponent, step 4000", ratios["no exponent"][-1], "close", predicted=long_run)
claim = "Without correction the first thousand steps are too long"
lesson.draw("first_steps", claim, ratios, times, chosen, known)


# %% [markdown]
# Your functions as an optimizer, and the question of lesson 6 again: a network trained on the mean
# of the squares, and on their sum, with the SAME lr, by SGD and by Adam. The gradients of the sum
# are 128 times as large. What will the four curves look like?


# %%
class Adam:
    """Adam for a list of Tensors, made of your functions."""

    def __init__(self, weights, lr):
        self.weights, self.lr, self.t = weights, lr, 0
        self.state = [(np.zeros_like(w.data), np.zeros_like(w.data)) for w in weights]

    def step(self):
        self.t += 1  # once for all of them
        for k, w in enumerate(self.weights):
            self.state[k] = moments(*self.state[k], w.grad.data)
            w.data[...] = adam_step(w.data, *self.state[k], self.t, self.lr)


x = np.sort(rng.uniform(-1, 1, (128, 1)), axis=0)  # (128, 1)
y = np.sin(np.pi * x) + 0.2 * rng.standard_normal(x.shape)  # (128, 1)


def curve(make, reduction, n=100 if lesson.fast else 400):
    """The loss of 30 units at each of n steps, as a mean."""
    rng = np.random.default_rng(1)
    hidden = mg.nn.Dense(1, 30, activation="tanh", dtype=np.float64, rng=rng)
    network = mg.nn.Sequential(hidden, mg.nn.Dense(30, 1, dtype=np.float64, rng=rng))
    weights, losses = list(network.parameters()), []
    optimizer = make(weights)
    with np.errstate(all="ignore"):  # one of them ends in infinity
        for _ in range(n):
            for w in weights:
                w.grad = None
            loss = mg.losses.mse_loss(network(mg.tensor(x)), mg.tensor(y), reduction)
            loss.backward()
            optimizer.step()
            losses.append(loss.item() / (y.size if reduction == "sum" else 1))
    return np.minimum(losses, 1e3)  # (n,)


makers = {"SGD": lambda ws: mg.optim.SGD(ws, lr=0.02), "Adam": lambda ws: Adam(ws, lr=0.02)}
curves = {(name, r): curve(make, r) for name, make in makers.items() for r in ("mean", "sum")}
apart = np.abs(curves["Adam", "mean"] - curves["Adam", "sum"]).max()
lesson.report("Adam, sum and mean, largest difference", apart, "+-0.001", predicted=0.0)
apart = np.abs(curves["Adam", "mean"] - curve(lambda ws: mg.optim.Adam(ws, lr=0.02), "mean")).max()
lesson.report("yours and the library's, the same", apart, "+-1e-6", predicted=0.0)
lesson.draw("scale", "Adam does not see the scale of the loss", curves)

# %% [markdown]
# Last, a trap for whoever compares programs. TensorFlow adds its epsilon to sqrt(v) BEFORE the
# correction (tensorflow/tensorflow#35102), PyTorch to sqrt(v') after it, as in the algorithm above.
# In the first step sqrt(v) is still sqrt(0.001) times the gradient, so the same 1e-8 weighs 32
# times more. For a gradient of 1e-7:

# %%
for name, hat in (("PyTorch's", False), ("TensorFlow's", True)):
    w = mg.tensor(np.zeros(1), requires_grad=True)
    w.grad = mg.tensor(np.full(1, 1e-7))
    mg.optim.Adam([w], lr=1.0, epsilon_hat=hat).step()
    expected = 1e-7 / (1e-7 + 1e-8 / (np.sqrt(0.001) if hat else 1))
    lesson.report(f"first step / lr, {name} epsilon", -w.data[0], "close", predicted=expected)

# %% [markdown]
# Threads named here:
#
# [eriklindernoren/ML-From-Scratch#35](https://github.com/eriklindernoren/ML-From-Scratch/issues/35),
# [tensorflow/tensorflow#35102](https://github.com/tensorflow/tensorflow/issues/35102).

# %%
lesson.finish()
