"""18  Is it better than PCA?

Idea: a linear autoencoder is PCA, so PCA is what a network has to beat, on people it has not seen.
You write: pca(train, k), error_left(train, k), largest_angle(a, b).
You get: a linear autoencoder on PCA's stairs; for which faces and code lengths a network wins.
Needs: 09, 17.
Read: Baldi and Hornik, Neural networks and principal component analysis (1989).
Uses: autoencoder/evaluation/baselines.py, autoencoder/datasets/splits.py,
    autoencoder/estimator.py.
Time: fast 5 s, default 40 s (2 cores).
"""

from lessons import Lesson, Todo

import numpy as np

import minigrad as mg
from autoencoder import Autoencoder
from autoencoder.datasets import (
    by_group,
    draw_faces,
    face_factors,
    load,
    make_faces,
    shrink,
    within_group,
)
from autoencoder.evaluation import half_squares

lesson = Lesson(18)  # float64 for PCA and the linear network, float32 for the others
rng = np.random.default_rng(12)

# %% [markdown]
# Principal component analysis draws through the cloud of all faces, from its mean, the straight
# line near which they lie best, then the best plane, and so on. A face's code is the place on it
# that is nearest, the reconstruction that place itself. Nothing is trained: with the singular
# values in falling order,
#
#     train - mean = U S Vt        the first k rows of Vt are the directions
#     loss with k of them = the sum over j > k of S_j**2, / 2 / N


# %%
@lesson.exercise("18.1")
def pca(train, k):
    """(mean (D,), directions (k, D)), orthonormal rows, of the rows of train (N, D)."""
    raise Todo("np.linalg.svd(..., full_matrices=False) of the centred rows")


@lesson.exercise("18.2")
def error_left(train, k):
    """Half the squared error per row of train (N, D) when k directions describe it."""
    raise Todo("the singular values are enough: no need to rebuild anything")


# %% [markdown]
# Now an autoencoder without any bend: code = x A, reconstruction = code B, no biases on centred
# faces. Baldi and Hornik proved in 1989 what training must find. There is one minimum, PCA's error.
# At every other place where all slopes are 0, a saddle, the code spans some, not all, of the k
# leading directions. From tiny weights gradient descent passes by the saddle of none, then that of
# the first, of the first two, and so on, and is slow at each. Predict the heights of these stairs.
#
# A and B need not be PCA's directions: any basis of the same subspace does as well. So how are two
# subspaces compared? By the largest angle that a vector of one has to the other. With orthonormal
# bases as the rows of P and Q, the singular values of P Qt are the cosines of the angles between.


# %%
@lesson.exercise("18.3")
def largest_angle(a, b):
    """The largest angle, in radians, between the spans of the rows of a (k, D) and b (k, D)."""
    raise Todo("orthonormal bases by np.linalg.qr of the transposes, then the cosines, then arccos")


# %%
small = make_faces(size=16).images.reshape(400, 256).astype(np.float64)
mean, directions = pca(small, 4)  # (256,), (4, 256)
x = mg.tensor(small - mean)
a = mg.tensor(1e-4 * rng.standard_normal((256, 4)), requires_grad=True)
b = mg.tensor(1e-4 * rng.standard_normal((4, 256)), requires_grad=True)
stairs = [error_left(small, k) for k in range(5)]
optimizer = mg.optim.SGD([a, b], lr=0.2 / (stairs[0] - stairs[1]))  # 0.4 / largest eigenvalue
walk = []
for _ in range(400):
    error = x @ a @ b - x  # (400, 256)
    loss = mg.sum(error * error) / 2 / len(small)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    walk.append(loss.item())
lesson.report("loss of the linear network", walk[-1], "close", predicted=stairs[4])
apart = np.degrees(largest_angle(b.numpy(), directions))
lesson.report("its angle to PCA, degrees", apart, "+-0.05", predicted=0.0)

lesson.draw("stairs", "A linear autoencoder goes down PCA's stairs, and no further", stairs, walk)

# %% [markdown]
# Networks with a bend, then: a hidden layer on either side of the code. They get the faces minus
# the mean and divided by one number, their standard deviation. The question is what to test on. Ten
# pictures of one person are near copies: hold out pictures at random and you ask "a new picture of
# somebody you know"; hold out whole people, and you ask "somebody new". Guess for each: who wins?


# %%
def network(train, k, hidden, epochs, seed=0):
    """A trained autoencoder as a function that rebuilds rows."""
    mean, scale = train.mean(axis=0), train.std(axis=0).mean()  # (D,), ()
    model = Autoencoder(k, hidden=hidden, batch_size=20, max_epochs=epochs, learning_rate=1e-3)
    model.set_params(schedule=None, scale=None, random_state=seed).fit((train - mean) / scale)
    return lambda rows: mean + scale * model.reconstruct((rows - mean) / scale)


def rebuilt(rows, mean, directions):
    return mean + (rows - mean) @ directions.T @ directions  # (N, D)


lesson.guess("new person", "Network / PCA on somebody new: below or above 1, for each length?")
size, lengths, splits = (16, (2, 8), 1) if lesson.fast else (32, (2, 8, 16, 32), 3)
data = make_faces(size=size) if lesson.fast else load("olivetti")
faces = shrink(data.images, size).reshape(len(data.images), -1)  # (400, D)
questions = ("seen", "new picture", "new person")
losses = np.zeros((splits, len(lengths), 2, 3))  # PCA, network; the three questions
for split in range(splits):
    known, strangers = by_group(data.labels, test_fraction=0.2, rng=rng)
    shown, kept = within_group(data.labels[known], 2, rng)
    train, tests = faces[known[shown]], (faces[known[shown]], faces[known[kept]], faces[strangers])
    mean, directions = pca(train.astype(np.float64), max(lengths))
    for i, k in enumerate(lengths):
        net = network(train, k, (128,), 25)
        for j, rows in enumerate(tests):
            losses[split, i, 0, j] = half_squares(rows - rebuilt(rows, mean, directions[:k]))
            losses[split, i, 1, j] = half_squares(rows - net(rows))
mine = losses.mean(axis=0)  # (lengths, 2, 3)
about = "15%" if lesson.fast else "any"  # the faces are real or generated
print(f"  loss of the network / loss of PCA, for codes of {', '.join(map(str, lengths))} numbers:")
for j, question in enumerate(questions):
    ratio = mine[:, 1, j] / mine[:, 0, j]
    lesson.report(question, ratio, about)

claim = "With few numbers the network wins on faces it has seen; on strangers PCA wins"
lesson.draw("lengths", claim, questions, lengths, mine, splits, losses, data)

# %% [markdown]
# Plainly, from the run on the real faces: on faces that it has seen the network wins up to 16
# numbers. On new pictures of the same people it wins with 2 and 8 numbers, and PCA from 16 on. On
# strangers PCA wins at every length, and with 256 numbers, in lesson 17, on what both had seen. A
# few hundred pictures do not tell a network how faces in general may bend. So where does a bend
# pay? Where data have few causes and many pictures show them. Here is one person who turns the head
# while the light moves: two causes, and 256 pixels that are not linear in them. Two numbers should
# be enough. For whom?

# %%
factors = face_factors(people=1, variations=600, seed=12)
for name, values in factors.items():
    if name not in ("turn", "light_x"):
        factors[name] = np.repeat(values[:1], 600)  # as in the first picture
turning = draw_faces(factors, 16).reshape(600, 256)
train, test = turning[:400], turning[400:]
mean, directions = pca(train.astype(np.float64), 8)
net = network(train, 2, (128, 64), 25 if lesson.fast else 40)
by_two = half_squares(test - rebuilt(test, mean, directions[:2]))
ours = half_squares(test - net(test))
lesson.report("two causes: PCA with 2 numbers", by_two, "5%")
lesson.report("two causes: the network with 2 numbers", ours, "x2")
needed = [half_squares(test - rebuilt(test, mean, directions[:k])) for k in range(9)]
lesson.report("as many as PCA needs for that", int(np.argmax(np.array(needed) <= ours)), "any")

# %%
lesson.finish()
