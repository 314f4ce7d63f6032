"""19  Noise in, face out

Idea: to remove noise, know what faces look like; what cannot be rebuilt is not what was learnt.
You write: corrupt(x, std, rng), gains(variances, std), p_values(errors, calibration).
You get: noisy strangers cleaned by a formula and by a network; anomalies with p-values.
Needs: 17, 18.
Read: Vincent et al., Extracting robust features with denoising autoencoders (2008).
Uses: autoencoder/parts/noise.py, autoencoder/evaluation/baselines.py, autoencoder/detector.py.
Time: fast 4 s, default 25 s (2 cores).
"""

from lessons import Lesson, Todo

import numpy as np

from autoencoder import DenoisingAutoencoder, GaussianNoise
from autoencoder.datasets import by_group, load, make_faces, shrink
from autoencoder.evaluation import anomaly_metrics, half_squares, principal_components

lesson = Lesson(19)  # float32 for the network, float64 for the rest
rng = np.random.default_rng(13)
size = 16 if lesson.fast else 32
data = make_faces(size=size) if lesson.fast else load("olivetti")
faces = shrink(data.images, size).reshape(len(data.images), -1)  # (400, D)
about, near = ("10%", "+-0.05") if lesson.fast else ("any", "any")  # real or generated faces

# %% [markdown]
# Three groups of people, nobody in two of them: half to learn from, a quarter to calibrate with, a
# quarter as strangers. Noise is normal, of standard deviation 0.2, drawn anew each time; a pixel
# cannot be below 0 or above 1, so noisy ones are cut off there.


# %%
@lesson.exercise("19.1")
def corrupt(x, std, rng):
    """A noisy copy of x: normal noise of deviation std, drawn from rng; limited to [0, 1]."""
    raise Todo("std times rng.standard_normal(x.shape), then np.clip; x itself stays as it is")


learn, others = by_group(data.labels, test_fraction=0.5, rng=rng)
calibrate, strangers = by_group(data.labels[others], test_fraction=0.5, rng=rng)
train, held, new = faces[learn], faces[others[calibrate]], faces[others[strangers]]
std = 0.2
noisy = new + std * rng.standard_normal(new.shape)  # (100, D), not cut off
seen = train + std * rng.standard_normal(train.shape)  # (200, D)
lesson.report("loss of noise", half_squares(noisy - new), "2%", predicted=size**2 * std**2 / 2)
cut = corrupt(new, std, rng)  # (100, D)
lesson.report("the same, cut off at 0 and 1", half_squares(cut - new), about)

# %% [markdown]
# Cutting takes noise away, and what remains is no longer normal, nor 0 on average in dark places.
# The theory that follows is for noise that is not cut, so that is what we use from here.
#
# Look along one principal direction of lesson 18. Faces vary there with variance v, the noise adds
# s = std^2, the same in every direction. Of the noisy coordinate c + n keep a share g. The expected
# error is (1 - g)^2 v + g^2 s. Which g makes it least? The filter that does so in every direction
# is Wiener's (1949): of all linear maps none is better on the faces it was made from, and the loss
# that it leaves there is known beforehand, sum of v s / (v + s), / 2.


# %%
@lesson.exercise("19.2")
def gains(variances, std):
    """The best share g of the noisy coordinate for each variance: (k,) -> (k,)."""
    raise Todo("set the slope of (1 - g)**2 v + g**2 std**2 with respect to g to zero")


pca = principal_components(train, len(train))
variances = pca.transform(train).var(axis=0)  # (k,), falling
shares = gains(variances, std)  # (k,)


def wiener(rows):
    return pca.mean + pca.transform(rows) * shares @ pca.directions  # (N, D)


left = (variances * std**2 / (variances + std**2)).sum() / 2
lesson.report("Wiener, faces it knows", half_squares(wiener(seen) - train), about, predicted=left)
lesson.report("Wiener, strangers", half_squares(wiener(noisy) - new), about)

# %% [markdown]
# A network that reads noisy faces and is scored on the clean ones is not held to straight lines. It
# sees other noise in every epoch, but always the same faces. Guess: which of the two numbers above
# will it beat?

# %%
lesson.guess("network, strangers", "The network's loss on strangers?")
mean, scale = train.mean(axis=0), float(train.std(axis=0).mean())  # (D,), a number
model = DenoisingAutoencoder(64, hidden=(256,), scale=None, noise=GaussianNoise(std / scale))
model.set_params(batch_size=20, max_epochs=60, schedule=None, learning_rate=1e-3, random_state=13)
model.fit((train - mean) / scale)


def network(rows):
    return mean + scale * model.reconstruct(((rows - mean) / scale).astype(np.float32))  # (N, D)


lesson.report("network, faces it knows", half_squares(network(seen) - train), about)
lesson.report("network, strangers", half_squares(network(noisy) - new), about)

rows = {"face": new, "noisy": noisy, "Wiener": wiener(noisy), "network": network(noisy)}
claim = f"On strangers the formula beats the network: {data.name}"
lesson.draw("strangers", claim, rows, size, new)

# %% [markdown]
# The network wins on faces that it has learnt by heart, on strangers the old formula does. (To
# score a denoiser on its training faces is the easiest way to fool oneself.) But a memory that
# fails on strange things is worth something: the error of the reconstruction tells how strange. Is
# 3.1 strange? Compare with the errors of normal faces that were NOT trained on. A p-value is the
# share of errors at least as large, the new one counted among them. If the new face is drawn as
# those were, all its ranks are equally likely, and p <= 0.1 happens with probability 0.1 at most.


# %%
@lesson.exercise("19.3")
def p_values(errors, calibration):
    """For each of errors (M,), its p-value among the errors of normal faces, calibration (n,)."""
    raise Todo("(1 + how many of calibration are >= error) / (1 + n)")


def errors(rebuild, rows):
    return ((rows - rebuild(rows)) ** 2).sum(axis=1) / 2  # (N,)


scores = {"network": network, "mean face": lambda rows: mean}
scores |= {f"PCA {k}": principal_components(train, k).reconstruct for k in (16, 128)}
unseen = errors(network, np.concatenate([held, new]))  # (200,), all normal
people = np.concatenate([data.labels[others[calibrate]], data.labels[others[strangers]]])  # (200,)
deals = {
    "face by face": lambda: np.split(rng.permutation(200), 2),
    "person by person": lambda: by_group(people, test_fraction=0.5, rng=rng),
}
for name, deal in deals.items():
    alarms = []
    for _ in range(200):
        some, rest = deal()  # 100 faces to calibrate with, and the 100 others
        alarms.append(np.mean(p_values(unseen[rest], unseen[some]) <= 0.1))
    rates = [np.mean(alarms), *np.quantile(alarms, [0.05, 0.95])]
    lesson.report(f"false alarms dealt {name}: mean, 5 %, 95 % of the deals", rates, near)
alarms = np.mean(p_values(unseen, errors(network, train)) <= 0.1)
lesson.report("the same, calibrated on the training faces", alarms, near)

# %% [markdown]
# Dealt face by face the mean rate is 0.1 and tests nothing: among shuffled numbers all ranks are
# equally likely, whatever the numbers are. What you will meet are strangers, so deal whole people.
# The mean of many deals is still near 0.1, but you have only one. Ten pictures of a person have
# similar errors, so 100 pictures of ten people tell little more than ten people do: on the real
# faces nine deals of ten lie between 0 and 0.33, where 0.1 was promised. To calibrate for
# strangers, count people, not pictures. (Calibrated on its training faces, which it knows by heart,
# nearly every face that it has not seen is an alarm.)

# %% [markdown]
# Now real alarms: strangers upside down, in negative, and with the right half of somebody else's
# face. The AUC is the probability that an anomaly has the larger error than a normal face: 0.5 is
# guessing, and much below it the two are exchanged. Which will be hard? How much can be had with no
# network at all? A longer code rebuilds faces better, and strange things too: does it help?

# %%
pictures = new.reshape(-1, size, size)  # (100, size, size)
halves = np.concatenate([pictures[:, :, : size // 2], pictures[::-1, :, size // 2 :]], axis=2)
strange = {"upside down": pictures[:, ::-1], "negative": 1 - pictures, "two halves": halves}
strange = {name: images.reshape(len(new), -1) for name, images in strange.items()}
for name, rebuild in scores.items():
    normal = -errors(rebuild, new)  # high is normal
    auc = [anomaly_metrics(normal, -errors(rebuild, rows))["roc_auc"] for rows in strange.values()]
    lesson.report(f"AUC of {', '.join(strange)} by {name}", auc, near)

claim = "What it has not learnt it cannot rebuild: the difference is the alarm"
lesson.draw("residuals", claim, new, strange, network, p_values, errors, held, size)

# %%
lesson.finish()
