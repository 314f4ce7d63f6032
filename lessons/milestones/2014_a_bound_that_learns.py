"""2014  A bound that learns

Idea: a lower bound on the likelihood can be trained; and more units than needed do no harm.
You write: nothing new. It runs on your engine (5), your Adam (9), your initialisation (10).
You get: Kingma and Welling's bound for codes of several lengths, and proof that it is one.
Needs: 05, 09, 10, 14, 22, 23.
Read: Kingma and Welling, Auto-encoding variational Bayes (2014), section 5.
Uses: minigrad/engine.py, minigrad/losses.py, autoencoder/parts/code.py.
Time: fast 5 s, default 40 s (2 cores).
"""

from lessons import Lesson

import numpy as np

from autoencoder.datasets import load_digits

lesson = Lesson(2014)  # float64
engine, Adam = lesson.earlier(5), lesson.earlier(9, "Adam")
he_deviation = lesson.earlier(10, "he_deviation")
Node = engine.Node

# %% [markdown]
# An autoencoder rebuilds; it does not say how likely a picture is. In 2014 Kingma and Welling, and
# Rezende, Mohamed and Wierstra, trained one that does, by the two terms of lesson 22: what a draw
# of the code leaves to say about the picture, and the price of the cloud. Their sum is a lower
# bound of log p(picture). One of their figures shows it for new digits while training goes on, for
# codes of 3 to 200 units, and finds that superfluous units do not lead to overfitting. Lesson 23
# knows why: units that do not earn their price stay silent.
#
# The digits, made black and white, four fifths to learn from. The decoder says for each pixel how
# likely it is to be white, by a logit t; a pixel costs log(1 + exp(t)) - x t, lesson 14's loss.

# %%
data = np.random.default_rng(2014)
digits = (load_digits().images.reshape(-1, 64) > 0.5).astype(float)[data.permutation(1797)]
train, test = digits[:1437], digits[1437:]  # (1437, 64), (360, 64)
lengths = (2, 12) if lesson.fast else (2, 5, 12, 30)
rounds, hidden = (8 if lesson.fast else 80), 96
pixels = np.ones((64, 1))
share = train.mean(axis=0).clip(0.5 / 1437, 1 - 0.5 / 1437)  # (64,): how often each is white
ignorant = np.mean(test @ np.log(share) + (1 - test) @ np.log(1 - share))
lesson.report("the mean digit, nats", ignorant, "close")
question = f"The mean digit has a bound of {ignorant:.1f} nats. What has a code of two numbers?"
lesson.guess("bound on new digits, code of 2", question)


def layer(rng, a, b):
    return [Node(he_deviation(a) * rng.standard_normal((a, b))), Node(np.zeros(b))]


class VAE:
    """An encoder (mean, log-variance) and a decoder (logits), each with one hidden layer."""

    def __init__(self, k, rng):
        shapes = ((64, hidden), (hidden, k), (hidden, k), (k, hidden), (hidden, 64))
        self.k, self.rng, self.layers = k, rng, [layer(rng, a, b) for a, b in shapes]
        for w, _ in (*self.layers[1:3], self.layers[4]):
            w.data *= 0.3  # small sums: clouds near the prior, logits near 0
        self.weights = [w for pair in self.layers for w in pair]

    def through(self, j, x):
        w, b = self.layers[j]
        return x @ w + b

    def code(self, rows):
        h = self.through(0, Node(rows)).relu()  # (N, hidden)
        return self.through(1, h), self.through(2, h)  # (N, k) each

    def cost(self, z, rows):
        """-log p(rows | z), one number for each row: (N, 1)."""
        t = self.through(4, self.through(3, z).relu())  # (N, 64)
        return ((t.exp() + 1.0).log() - t * rows) @ pixels

    def bound(self, rows):
        """The mean over rows of a one-draw estimate of the bound."""
        mean, log_variance = self.code(rows)
        noise = self.rng.standard_normal(mean.data.shape)  # (N, k)
        z = mean + (log_variance * 0.5).exp() * noise
        kl = (mean * mean + log_variance.exp() - log_variance - 1.0) * 0.5  # (N, k)
        return (self.cost(z, rows) + kl @ np.ones((self.k, 1))).mean() * -1.0


def trained(k):
    """The network, and the bound on train and test digits after each pass."""
    rng, curve = np.random.default_rng(k), []
    vae = VAE(k, rng)
    optimizer = Adam(vae.weights, lr=0.003)
    for _ in range(rounds):
        order = rng.permutation(len(train))
        for start in range(0, len(train), 100):
            loss = vae.bound(train[order[start : start + 100]]) * -1.0
            engine.zero_grad(vae.weights)
            loss.backward()
            optimizer.step()
        curve.append((vae.bound(train).item(), vae.bound(test).item()))
    return vae, curve


runs = {k: trained(k) for k in lengths}
for k, (vae, curve) in runs.items():
    late = np.mean([b for _, b in curve[-3:]])
    lesson.report(f"bound on new digits, code of {k}", late, "3%", unit="nats")
    mean, log_variance = (node.data for node in vae.code(test))  # (360, k) each
    nats = ((mean**2 + np.exp(log_variance) - 1 - log_variance) / 2).mean(axis=0)  # (k,)
    lesson.report(f"units that pay more than 0.05 nats, of {k}", int(np.sum(nats > 0.05)), "+-3")

# %% [markdown]
# Is it a bound? The likelihood itself is a mean over codes: log p(x) = log E[p(x|z) p(z) / q(z)],
# with z from the encoder's cloud q (importance sampling). With many draws the estimate comes near
# the truth, from below on average. The bound must lie lower, by the divergence of q from the true
# posterior, for every digit. Here are 100 digits and the code of 2, with 200 draws.

# %%
vae, some, draws = runs[2][0], test[:100], 200
mean, log_variance = (node.data for node in vae.code(some))  # (100, 2) each
logs, single = [], []
for _ in range(draws):
    noise = vae.rng.standard_normal(mean.shape)  # (100, 2)
    z = mean + np.exp(log_variance / 2) * noise
    prior_less_cloud = np.sum(noise**2 - z**2 + log_variance, axis=1) / 2  # (100,)
    logs.append(prior_less_cloud - vae.cost(Node(z), some).data[:, 0])
logs = np.array(logs)  # (200, 100)
top = logs.max(axis=0)
likelihood = top + np.log(np.mean(np.exp(logs - top), axis=0))  # (100,)
gap = likelihood - logs.mean(axis=0)  # (100,)
lesson.report(
    "digits whose bound is below their likelihood", int(np.sum(gap > 0)), "exact", predicted=100
)
lesson.report("the bound lacks, nats", gap.mean(), "40%")
curves = {k: curve for k, (_, curve) in runs.items()}
lesson.draw("bound", "More units than needed do no harm", curves, ignorant)

# %%
lesson.finish()
