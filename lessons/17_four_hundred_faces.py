"""17  Four hundred faces through 256 numbers

Idea: an autoencoder rebuilds its input from a short code, and a ladder of baselines reads its loss.
You write: first_rungs(images), build(size, widths, rng), and the loop
    epoch(forward, images, optimizer, batch_size, rng).
You get: the published curve on its ladder, and faces that appear epoch by epoch.
Needs: 06, 09, 12, 13.
Read: Goodfellow, Bengio, Courville, Deep Learning (2016), chapter 14.
Uses: autoencoder/olivetti.py, autoencoder/host_epoch.py, autoencoder/evaluation/baselines.py.
Time: fast 5 s, default 30 s (2 cores), full 60 min.
"""

from lessons import Lesson, Todo

import numpy as np

import minigrad as mg
from autoencoder.datasets import load, make_faces, shrink
from autoencoder.evaluation import ladder
from autoencoder.olivetti import ARTICLE

lesson = Lesson(17)  # float32
size, widths, epochs, batch_size, rate = 32, (4, 8, 16), 16, 10, 0.003
if lesson.fast:
    size, epochs = 16, 6
if lesson.full:  # the published network
    widths, epochs, batch_size, rate = (16, 32, 64, 128), 600, 50, 0.001
data = make_faces(size=size) if lesson.fast else load("olivetti")
images = shrink(data.images, size)  # (400, size, size, 1), values from 0 to 1
exactly, about = ("close", "20%") if lesson.fast else ("any", "any")  # faces: real or generated

# %% [markdown]
# An encoder turns a face into a code of a few numbers, a point of the **latent space**. It is the
# narrowest place of the network, its **bottleneck**. A decoder turns the code back into a face.
# The loss is half the sum of the squared differences, per image. Is 10 good? Before any network,
# see what it costs to know almost nothing. Two answers ignore the face in front of them: the one
# grey that is best for all pixels of all images, and the mean face. Theory knows both losses:
#
#     best grey:  pixels in a face * variance of all pixels / 2
#     mean face:  sum over the pixels of a face of the variance of that pixel / 2


# %%
@lesson.exercise("17.1")
def first_rungs(images):
    """The losses per image of the best constant grey and of the mean image; images (N, H, W, 1)."""
    raise Todo("two numbers: sums of squared differences over all images, / 2 / N")


exact = images.astype(np.float64)
grey, mean_loss = first_rungs(exact)
lesson.report("constant grey", grey, exactly, predicted=exact.var() * size**2 / 2)
lesson.report("mean face", mean_loss, exactly, predicted=exact.var(axis=0).sum() / 2)
rungs = ladder(images, components=(16, 64))  # the next rungs, which are lesson 18's subject

# %% [markdown]
# Now the network. With `widths` (16, 32, 64, 128) it is the published one, four convolutions and
# four transposed ones with 3x3 kernels, 8.6 million weights; the code of a 32x32 face has (32/2)**2
# = 256 numbers. Lessons 12 and 13 made its parts, you wire them; all are in minigrad.nn: Flatten(),
# `Conv2D(channels, new channels, stride=, activation=, rng=)`, Conv2DTranspose alike,
# `Dense(inputs, outputs, activation=, rng=)`, Reshape(height, width, channels), Sequential.
#
#     encoder: size -> (conv, stride 2, relu) size/2, widths[0] channels -> (conv, relu) widths[1]
#              ... -> flat -> (dense, sigmoid) (size/2)**2 numbers
#     decoder: -> one image of size/2 -> (transposed, stride 2, relu) size, widths[-1] channels
#              -> (transposed, relu) widths[-2] ... widths[1] -> (transposed, sigmoid) 1 channel


# %%
@lesson.exercise("17.2")
def build(size, widths, rng):
    """(encoder, decoder): (N, size, size, 1) -> (N, (size/2)**2), and back again."""
    raise Todo("two Sequentials of layers from minigrad.nn, in the order drawn above")


# %% [markdown]
# And the loop of lesson 6, in batches. Each image once, in an order that `rng` shuffles; when the
# batch size does not divide N, the last batch is a smaller one. Return what the ladder can be
# compared with: the sum over all images, divided by their number.


# %%
@lesson.exercise("17.3")
def epoch(forward, images, optimizer, batch_size, rng):
    """One pass: forward(x) rebuilds a batch. The mean over images of the loss before each step."""
    raise Todo("for each slice of rng.permutation(N): l2_loss, zero_grad, backward, step")


# %% [markdown]
# One change to the published program: the encoder reads the face minus the mean face. Faces are so
# alike that a unit of the code, which sums thousands of inputs, is pushed the same way by all of
# them; a few steps of Adam, and its sigmoid is so far out that no gradient comes back. The code is
# then the same for everybody, the decoder can only learn the mean face, and the loss rests on that
# rung. The runs in docs/olivetti notice that and start again, and say how often. Here are both, on
# small faces: how much do the codes differ between faces (standard deviation of a unit) after two
# epochs?


# %%
def network(images, widths, minus):
    """(forward, encode, optimizer) of a new autoencoder that reads images - minus."""
    rng = np.random.default_rng(11)
    encoder, decoder = build(images.shape[1], widths, rng)
    optimizer = mg.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=rate)
    return lambda x: decoder(encoder(x - minus)), lambda x: encoder(x - minus), optimizer


small = make_faces(size=16).images  # (400, 16, 16, 1)
for minus, name in ((0 * small[0], "as they are"), (small.mean(axis=0), "minus the mean face")):
    forward, encode, optimizer = network(small, (4, 8, 16), minus)
    rng = np.random.default_rng(11)
    for _ in range(2):
        epoch(forward, small, optimizer, 10, rng)
    with mg.no_grad():
        spread = encode(mg.tensor(small)).numpy().std(axis=0).mean()
    lesson.report(f"spread of the codes of faces {name}", spread, "x10")

# %% [markdown]
# Now the faces. Guess: after one epoch, which rung will it stand on? And at the end?

# %%
lesson.guess("loss at epoch 1", "The loss after one epoch?")
lesson.guess("loss at epoch last", f"And after {epochs}?")
forward, encode, optimizer = network(images, widths, images.mean(axis=0))
rng, losses, seen = np.random.default_rng(11), [], []
watched = images[:1]  # one face, (1, size, size, 1)
looks = sorted({0, 1, 2, 4, epochs // 2, epochs})
saved = lesson.saved("training", data=data.name, size=size, widths=widths, epochs=epochs)
state = optimizer.parameters, optimizer, rng, {"losses": losses, "seen": seen}
if lesson.full and saved.restore(*state):
    print(f"  going on after epoch {len(losses)}, from {saved.path.name}")
for done in range(len(losses) + 1 if losses else 0, epochs + 1):
    if done:
        losses.append(epoch(forward, images, optimizer, batch_size, rng))
    if done in looks:
        with mg.no_grad():
            seen.append(forward(mg.tensor(watched)).numpy()[0, :, :, 0])  # (size, size)
    if lesson.full and done:
        saved.keep(*state)
saved.forget()
for done in (1, epochs):
    below = sum(loss > losses[done - 1] for loss in rungs.values())
    lesson.report(f"loss at epoch {done if done == 1 else 'last'}", losses[done - 1], about)
    print(f"    better than: {', '.join(list(rungs)[:below]) or 'nothing'}")

# %% [markdown]
# And the published network itself: 600 epochs on the real faces, some half hour, so it was run
# before; its losses are stored in docs/olivetti. One trap: the original program sums the squares of
# 350 faces but divides by 400. Its first loss, 11.93, seems far below the rung of the grey: undo
# that 0.875 and look again. And read the ladder to its end. The network rests on the mean face for
# ten epochs or more; after 600 it stands far above PCA, which with as many numbers needs no
# training. On faces that both have seen: lesson 18 asks the fairer question.

# %%
runs = lesson.stored("olivetti_runs")
stored = runs["standard_seed0"]
known = stored["baselines_all_images"]  # of the real faces
first, last = ARTICLE[0][1] / 0.875, ARTICLE[-1][1] / 0.875
lesson.report("the article's first loss, per image", first, "close")
lesson.report("its last", last, "close")
ratio = stored["loss_all_images"] / known["PCA 256"]
again = [run["restarts"] for run in runs.values()]  # (7,)
starts = [sum(again), len(again) + sum(again)]
lesson.report("starts of the stored runs that ended on the mean face, of", starts, "exact")
lesson.report("the stored network's loss on all faces / that of PCA with 256", ratio, "close")

claim = "The published network passes the mean face, but not PCA with 128 numbers"
lesson.draw("ladder", claim, runs, known)

claim = f"Your network learns {'the mean face' if losses[-1] > mean_loss else 'faces'}: {data.name}"
lesson.draw("faces", claim, epochs, losses, rungs, looks, seen, watched)

# %%
lesson.finish()
