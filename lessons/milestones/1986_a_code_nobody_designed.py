"""1986  A code that nobody designed

Idea: eight patterns through three units: backpropagation finds a binary code by itself.
You write: nothing new. It runs on your engine (lesson 5) and your loop (lesson 6).
You get: the 8-3-8 encoder of Rumelhart, Hinton and Williams.
Needs: 05, 06.
Read: Rumelhart, Hinton, Williams, Learning internal representations by error propagation (1986).
Uses: minigrad/engine.py.
Time: fast 5 s, default 10 s (2 cores).
"""

from lessons import Lesson

import numpy as np

lesson = Lesson(1986)  # float64
engine, train = lesson.earlier(5), lesson.earlier(6, "train")
Node = engine.Node

# %% [markdown]
# In 1986 it was an open question whether units between input and output can find out by themselves
# what to stand for. The encoder was the test (Ackley, Hinton and Sejnowski had posed it in 1985):
# eight inputs, of which one is 1; three hidden units; eight outputs, which must repeat the inputs.
# Three numbers must tell eight patterns apart, and nobody says how. It is one of the
# first autoencoders that backpropagation trained. Guess what the three units will say.


# %%
def sigmoid(a):
    return 1.0 / ((-a).exp() + 1.0)


patterns = np.eye(8)  # (8, 8)


def encoder(seed, steps):
    """(losses, codes (8, 3), outputs (8, 8)) after a training from a start of its own."""
    rng = np.random.default_rng(seed)
    weights = [Node(rng.uniform(-1, 1, s)) for s in ((8, 3), (3,), (3, 8), (8,))]

    def forward(x):
        w1, b1, w2, b2 = weights
        codes = sigmoid(x @ w1 + b1)  # (8, 3)
        return codes, sigmoid(codes @ w2 + b2)  # (8, 8)

    def loss(x, y):
        error = forward(Node(x))[1] - y  # (8, 8)
        return (error * error).sum() * 0.5

    losses = train(loss, weights, [(patterns, patterns)] * steps, 1.0)
    return losses, *(node.data for node in forward(Node(patterns)))


starts, steps = (2, 800) if lesson.fast else (4, 2000)
runs = [encoder(seed, steps) for seed in range(starts)]
for what, count in (
    ("outputs largest where the input is 1", lambda c, y: np.sum(y.argmax(axis=1) == np.arange(8))),
    ("different codes, rounded to 0 and 1", lambda c, y: len(np.unique(np.round(c), axis=0))),
):
    found = [int(count(codes, outputs)) for _, codes, outputs in runs]
    lesson.report(f"{what}, of 8, each start", found, "+-2", predicted=[8] * starts)

best = min(runs, key=lambda run: run[0][-1])
lesson.report("last loss of the best start", best[0][-1], "20%")
lesson.draw("code", "Three units tell eight patterns apart", runs, best)

# %% [markdown]
# The paper prints such a table: mostly a binary code, with units that also use the middle. Yours
# was found by a program of which you have written the rules, the walk and the loop.

# %%
lesson.finish()
