"""22  The VAE's two terms

Idea: a code that is a cloud, a price in nats for every cloud, and formulas checked by dice.
You write: sample(mean, log_variance, rng), kl(mean, log_variance), through_sample(g, mean,
    log_variance, noise).
You get: the price measured and computed; a published bug caught; the clouds of six faces.
Needs: 04, 09, 17.
Read: Kingma and Welling, Auto-encoding variational Bayes (2014).
Uses: minigrad/losses.py, autoencoder/parts/code.py, autoencoder/networks.py.
Time: fast 2 s, default 8 s (2 cores).
"""

from lessons import Lesson, Todo

import numpy as np

import minigrad as mg
from autoencoder import datasets
from autoencoder.networks import Sizes, build
from autoencoder.parts import GaussianCode

lesson = Lesson(22)  # float64, so that no draw of yours has to be converted
rng = np.random.default_rng(16)

# %% [markdown]
# An autoencoder says where a face lies in its code: a point. A variational one says how precisely
# it knows: for every unit a normal distribution q(z|x), given by a `mean` and by the logarithm of
# the variance. (A network's output can be any number; a variance cannot, its logarithm can.) The
# decoder reads a draw from it, z = mean + deviation * noise with standard normal noise.


# %%
@lesson.exercise("22.1")
def sample(mean, log_variance, rng):
    """A draw from every N(mean, exp(log_variance)): Tensors or arrays (N, k) -> (N, k)."""
    raise Todo("noise from rng.standard_normal; mg.exp works for Tensors and for arrays")


# %% [markdown]
# Why write a draw in this way? Because z, for given noise, is an ordinary function of mean and
# log_variance: it has slopes, and training is possible. (A draw from a black box has none.) If the
# loss changes by g when z moves by 1, by how much when the mean does, or the log-variance?


# %%
@lesson.exercise("22.2")
def through_sample(g, mean, log_variance, noise):
    """Two arrays (N, k): slopes of a loss to mean and to log_variance; `g` is its slope to z."""
    raise Todo("g times dz/dmean, and g times dz/dlog_variance; keep the noise fixed")


# %% [markdown]
# If clouds cost nothing, the network would make them points again. So a cloud pays for being
# unlike the prior N(0, 1), in nats, KL = E over q of [log q(z) - log p(z)]. For two normal
# distributions the mean can be taken on paper, for each unit:
#
#     KL = (mean^2 + variance - 1 - log(variance)) / 2
#
# Zero for the prior itself, never below. The units of a code are independent: their prices add up.


# %%
@lesson.exercise("22.3")
def kl(mean, log_variance):
    """The divergence of each example's cloud from N(0, I): Tensors or arrays (N, k) -> (N,)."""
    raise Todo("the formula, summed over the units and not over the examples")


# %% [markdown]
# A formula from a book is a claim. Dice can check it: draw many z, average log q(z) - log p(z), and
# compare, in units of the standard error. More than 3 of them is no accident. The second line is
# the experiment with a published mistake (keras-team/keras#3283; DeZero's examples/vae.py): draws
# with deviation exp(log_variance), while the price takes the same number for a log-variance. Shapes
# agree, gradients flow, losses fall. Only the dice notice: how far off is 3 standard errors?

# %%
question = "By how many standard errors is the published mistake off?"
lesson.guess("standard errors off with the published mistake", question)
n = 20_000 if lesson.fast else 200_000
mean, log_variance = np.array([[0.5, -1.0, 0.0]]), np.array([[-2.0, 0.3, -1.0]])  # (1, 3) each
means, log_variances = (np.repeat(a, n, axis=0) for a in (mean, log_variance))  # (n, 3)


def log_ratio(z):
    """log q(z) - log p(z) of each row of z (n, 3), from the two densities: (n,)."""
    inside = (z - means) ** 2 / np.exp(log_variances)  # (n, 3)
    return np.sum(z**2 - inside - log_variances, axis=1) / 2


wrong = means + np.exp(log_variances) * rng.standard_normal(means.shape)  # (n, 3)
for name, z in (("", sample(means, log_variances, rng)), (" with the published mistake", wrong)):
    ratios = log_ratio(z)  # (n,)
    error = ratios.std() / np.sqrt(n)
    lesson.report(f"KL by dice{name}", ratios.mean(), "5%", predicted=kl(mean, log_variance)[0])
    off = abs(ratios.mean() - kl(mean, log_variance)[0]) / error
    lesson.report(f"standard errors off{name}", off, "5%")

# %% [markdown]
# Now the reason for the price. Reconstruction minus price, E[log p(x|z)] - KL, never exceeds
# log p(x): it is a lower bound on the evidence for x (ELBO), and what it lacks is exactly the
# divergence of q from the true posterior p(z|x). In a model small enough to know everything,
# x = 2 z + noise of variance 1/2, log p(x) is on paper: x has variance 4.5. So is the posterior:
# variance 1/9, mean 4x/9. Give the bound the true posterior, then the prior in its place.

# %%
x, w, s2 = 1.5, 2.0, 0.5
evidence = -(x**2 / (w**2 + s2) + np.log(2 * np.pi * (w**2 + s2))) / 2
posterior = w * x / (w**2 + s2), s2 / (w**2 + s2)  # mean, variance


def elbo(m, v):
    """The bound for q = N(m, v): the mean of (x - w z)^2 over q is (x - w m)^2 + w^2 v."""
    fit = -(((x - w * m) ** 2 + w**2 * v) / s2 + np.log(2 * np.pi * s2)) / 2
    return fit - kl(np.array([[m]]), np.log(np.array([[v]])))[0]


ratio = 1 / posterior[1]  # of the prior's variance to the posterior's
lacks = (ratio - 1 - np.log(ratio) + posterior[0] ** 2 * ratio) / 2  # KL(prior, posterior)
lesson.report("ELBO with the true posterior", elbo(*posterior), "exact", predicted=evidence)
lesson.report("lacking with the prior", evidence - elbo(0.0, 1.0), "exact", predicted=lacks)

# %% [markdown]
# The slopes, as in lesson 1: move everything along a direction, h to both sides. Both evaluations
# must see the SAME noise. With new noise for each the difference is that of two draws, divided by
# 2 h: pure chance, growing as h shrinks. (In a gradient check, freeze the noise.)

# %%
h, shape = 1e-5, (5, 3)
m, lv, dm, dlv, noise = rng.standard_normal((5, *shape))  # (5, 3) each


def frozen(t, noise):
    return np.sum(np.sin(m + t * dm + np.exp((lv + t * dlv) / 2) * noise))


g = np.cos(m + np.exp(lv / 2) * noise)  # (5, 3), the slope of the sum of sines to z
to_mean, to_log_variance = through_sample(g, m, lv, noise)
slope = np.sum(to_mean * dm) + np.sum(to_log_variance * dlv)
same = (frozen(h, noise) - frozen(-h, noise)) / (2 * h)
fresh = [frozen(t, rng.standard_normal(shape)) for t in (h, -h)]
lesson.report("slope, frozen noise", same, "close", predicted=slope)
lesson.report("slope, fresh noise", (fresh[0] - fresh[1]) / (2 * h), "close", predicted=slope)

# %% [markdown]
# Your functions train a network: generated faces through two numbers, so that the code can be
# drawn. Price and reconstruction are sums over units and pixels, in nats (lesson 23 shows what
# becomes of averages). Before you look: where will the clouds lie, and how large will they be? If
# decoder and prior fit, all clouds together look like the prior: mean of z squared about 1. (In a
# linear VAE exactly 1; here the decoder can bend, and training is not at its end.)

# %%
faces = datasets.make_faces(size=32).images.reshape(400, -1).astype(np.float64)  # (400, 1024)
X = faces - faces.mean(axis=0)  # (400, 1024): the mean face needs no code
network = build(Sizes(1024, 2, hidden=(64,)), GaussianCode(), rng, np.float64)
optimizer = mg.optim.Adam(network.parameters(), lr=2e-3)
variance = 0.3  # of a pixel, given the code
for _ in range(10 if lesson.fast else 50):
    for batch in mg.data.Batches(X, batch_size=50, rng=rng):
        code = network.encode(mg.tensor(batch))  # (50, 4): two means, two log-variances
        mean, log_variance = code[:, :2], code[:, 2:]  # (50, 2) each
        error = network.decode(sample(mean, log_variance, rng)) - batch  # (50, 1024)
        reconstruction = (error * error).sum(axis=1) / (2 * variance)  # (50,)
        loss = (reconstruction + kl(mean, log_variance)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

with mg.no_grad():
    code = network.encode(mg.tensor(X)).numpy()  # (400, 4)
mean, deviation = code[:, :2], np.exp(code[:, 2:] / 2)  # (400, 2) each
lesson.report("price of a face", kl(mean, code[:, 2:]).mean(), "10%", unit="nats")
spread = np.mean(mean**2 + deviation**2, axis=0)  # (2,)
lesson.report("mean of z squared, all clouds", np.sort(spread), "+-0.2", predicted=[1.0, 1.0])

lesson.draw("clouds", "Each face is a cloud; together they fill the prior", mean, faces, deviation)

# %% [markdown]
# Threads named here:
#
# [keras-team/keras#3283](https://github.com/keras-team/keras/issues/3283).

# %%
lesson.finish()
