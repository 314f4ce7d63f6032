"""21  What is a code worth? Bits and labels

Idea: a code claims to keep what matters: count the bits of it, and the labels it saves.
You write: quantise(z, low, high, bits), dequantise(symbols, low, high, bits), entropy(symbols).
You get: a code as a real file, beside the size of its model; how well few labelled faces do from
    pixels, PCA, a trained and an untrained network; and who wins, which is not the network.
Needs: 17, 18, 20.
Read: Cover and Thomas, Elements of Information Theory (2006), chapters 2 and 5.
Uses: autoencoder/codec/quantiser.py, autoencoder/codec/codec.py,
    autoencoder/codec/rate_distortion.py, autoencoder/evaluation/probes.py,
    autoencoder/datasets/splits.py.
Time: fast 3 s, default 15 s (2 cores).
"""

from lessons import Lesson, Todo

import numpy as np
import threadpoolctl
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from autoencoder import Autoencoder, datasets
from autoencoder.codec import Codec
from autoencoder.codec.rate_distortion import parameter_bytes
from autoencoder.datasets import by_group
from autoencoder.evaluation import few_shot_accuracy, psnr

lesson = Lesson(21)  # formulas in float64, faces in float32
rng = np.random.default_rng(15)
threads = threadpoolctl.threadpool_limits(1)  # for small matrices one is faster than several

# %% [markdown]
# "1024 pixels become 32 numbers" compresses nothing yet: a number can have 64 bits. To store it,
# cut the range of each unit into 2^bits intervals of one width, the step, and keep only which one
# it is in: a symbol from 0 to 2^bits - 1. Values outside the range belong to the outermost
# interval. Decoded, a symbol is the middle of its interval.


# %%
@lesson.exercise("21.1")
def quantise(z, low, high, bits):
    """The intervals, whole numbers (N, k), of codes z (N, k); low and high (k,) are the ranges."""
    raise Todo("how many steps above low, rounded down; then np.clip, then to whole numbers")


@lesson.exercise("21.2")
def dequantise(symbols, low, high, bits):
    """The middle of each interval: symbols (N, k), low and high (k,) -> (N, k)."""
    raise Todo("half a step beyond the interval's lower edge")


# %% [markdown]
# Symbols are not equally frequent, and a good coder gives frequent ones short words. Their mean
# length cannot be below the entropy, and range coders nearly reach it (p is a symbol's share):
#
#     entropy = - sum over the symbols of p log2(p)     bits for each symbol


# %%
@lesson.exercise("21.3")
def entropy(symbols):
    """Bits for each symbol at best, from their shares: whole numbers (N,) -> a number."""
    raise Todo("np.unique(symbols, return_counts=True) counts those that occur")


# %% [markdown]
# Theory for small steps: inside an interval the error is spread evenly, so its mean square is
# step^2 / 12, and a bit more, half the step, gains 20 log10(2) = 6.02 decibels. A standard normal
# unit has entropy log2(2 pi e) / 2 - log2(step). Where will this fail first, as the bits go down?

# %%
z = rng.standard_normal((200_000, 1))  # (200000, 1)
low, high = np.array([-5.0]), np.array([5.0])  # (1,) each
errors = {}
for bits in (8, 4, 2):
    step, symbols = 10 / 2**bits, quantise(z, low, high, bits)  # (200000, 1)
    errors[bits] = np.mean((dequantise(symbols, low, high, bits) - z) ** 2)
    lesson.report(f"squared error at {bits} bits", errors[bits], "5%", predicted=step**2 / 12)
    ideal = np.log2(2 * np.pi * np.e) / 2 - np.log2(step)
    lesson.report(f"entropy at {bits} bits", entropy(symbols[:, 0]), "1%", predicted=ideal)
gain = 10 * np.log10(errors[4] / errors[8]) / 4
lesson.report("decibels for each bit, 4 to 8", gain, "1%", predicted=20 * np.log10(2))

# %% [markdown]
# Now faces: 300 of 30 people to learn from, 100 of 10 others to send. Two codes of 32 numbers, PCA
# and an autoencoder with a hidden layer, both after subtracting the mean face. First your quantiser
# with the ranges of the training codes.

# %%
data = datasets.make_faces(size=32)
faces = data.images.reshape(400, -1)  # (400, 1024)
train, test = by_group(data.labels, test_fraction=0.25, rng=rng)  # whole people: 300 and 100


def network(epochs):
    settings = {"hidden": (128,), "code": "linear", "batch_size": 50, "scale": None}
    model = Autoencoder(32, max_epochs=epochs, schedule="cosine", random_state=15, **settings)
    return make_pipeline(StandardScaler(with_std=False), model).fit(faces[train])


pca = PCA(32, svd_solver="full").fit(faces[train])
trained, untrained = network(15 if lesson.fast else 150), network(0)
models, mine = {"PCA": pca, "autoencoder": trained}, {}
for name, model in models.items():
    codes, known = model.transform(faces[test]), model.transform(faces[train])  # (100, 32), (300,)
    low, high = known.min(axis=0), known.max(axis=0)  # (32,) each
    rebuilt = model.inverse_transform(codes)  # (100, 1024)
    lesson.report(f"decibels unquantised, {name}", psnr(faces[test], rebuilt), "3%")
    for bits in (8, 4, 2):
        symbols = quantise(codes, low, high, bits)  # (100, 32)
        rebuilt = model.inverse_transform(dequantise(symbols, low, high, bits).astype(codes.dtype))
        rate = sum(entropy(unit) for unit in symbols.T) / 1024  # bits for each pixel
        mine[name, bits] = rate, psnr(faces[test], rebuilt)
        lesson.report(f"bits a pixel, decibels at {bits} bits, {name}", mine[name, bits], "5%")

# %% [markdown]
# Your entropies are a promise. The library's codec keeps it with a range coder. It also chooses the
# step of each unit by what it does to the picture. Its file of 100 faces against the entropy of its
# symbols: the frequencies come from the training faces and fit others less well, so expect more.
# And the price that is never in the file: the receiver must have the model. After how many faces,
# each saving its 1024 bytes less its share of the file, has the model paid for itself?

# %%
for name, model in models.items():
    codec = Codec(model, step=0.5).fit(faces[train])
    symbols = codec.quantiser_.quantise(model.transform(faces[test]))  # (100, 32)
    ideal = sum(100 * entropy(unit) for unit in symbols.T) / 8
    file = codec.compress(faces[test])
    lesson.report(f"file of 100 faces, {name}", len(file), "10%", predicted=ideal, unit="bytes")
    model_bytes = parameter_bytes(model) + codec.nbytes
    lesson.report(f"model and tables, {name}", model_bytes, "5%", unit="bytes")
    lesson.report(f"faces until it pays, {name}", model_bytes / (1024 - len(file) / 100), "5%")
lesson.report("all 400 faces as they are", faces.size, "exact", unit="bytes")

images = data.images[..., 0]  # (400, 32, 32)
claim = "For unseen people the file from PCA is better at every size"
lesson.draw("rate", claim, models, images, train, test, mine)

# %% [markdown]
# The second claim: learn a code from many faces without names, and a few names suffice. For the 10
# unseen people: 1, 2 or 5 labelled faces each, a linear classifier, the rest is the test; again
# with other faces. Four inputs: pixels, PCA, the network, and the same network never trained, the
# control that is often left out. Guess the order of the four at 1 label. (Chance is 0.1.)

# %%
inputs = {
    "pixels": faces[test],
    "PCA": pca.transform(faces[test]),
    "autoencoder": trained.transform(faces[test]),
    "untrained": untrained.transform(faces[test]),
}
question = "Accuracy from one label each, by the pixels alone?"
lesson.guess("accuracy from 1, 2, 5 labels, pixels", question)
draws = 4 if lesson.fast else 20
scores = {}
for name, values in inputs.items():
    labels, accuracies = data.labels[test], []
    for count in (1, 2, 5):
        same = np.random.default_rng(15)  # the same draws for every input
        accuracies.append(few_shot_accuracy(values, labels, count, same, repeats=draws))
    scores[name] = np.array(accuracies).T  # (2, 3): means, deviations
    lesson.report(f"accuracy from 1, 2, 5 labels, {name}", scores[name][0], "+-0.06")
lesson.draw("labels", "Few labels: the pixels themselves are hard to beat", scores, draws)

# %% [markdown]
# Training helps, against the untrained network. Against the pixels it is a null result, and worth
# having: what 32 numbers keep is what makes the squared error small, which is not what tells people
# apart. (A bar is the deviation of one draw. The mean of 20 draws is surer by the root of 20, and
# as all inputs saw the same draws, their differences are surer still.) Ask everyone who shows you a
# code: against which baselines, on whose faces, how many draws, and where is the untrained network?

# %%
threads.restore_original_limits()
lesson.finish()
