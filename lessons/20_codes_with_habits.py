"""20  Codes with habits: sparse and contractive

Idea: a price on the code itself teaches it habits: rarely on, or hard to move.
You write: kl_sparsity(codes, target), contraction(h, W).
You get: codes of the mean activation you ask for; what noise does to a code, predicted from one
    formula; how a batch of ten images misjudges both habits.
Needs: 04, 09, 18, 19.
Read: Rifai et al., Contractive auto-encoders (2011).
Uses: autoencoder/parts/penalty.py, autoencoder/networks.py,
    autoencoder/evaluation/baselines.py.
Time: fast 3 s, default 12 s (2 cores).
"""

from lessons import Lesson, Todo

import numpy as np

import minigrad as mg
from autoencoder import datasets
from autoencoder.evaluation import ladder
from autoencoder.networks import Sizes, build
from autoencoder.parts import PointCode

lesson = Lesson(20)  # float32
rng = np.random.default_rng(14)
faces = datasets.make_faces(size=32).images.reshape(400, -1)  # (400, 1024)
X = faces - faces.mean(axis=0)  # (400, 1024)

# %% [markdown]
# So far a code was short, and that was its whole discipline. Here is another kind: pay for what the
# code does. The first habit is to be rarely on. A sigmoid unit is on to some degree between 0 and
# 1; let r be its mean over the IMAGES, and t the mean we want. The price is the divergence of two
# coins, summed over the units, and zero where every unit has r = t:
#
#     t log(t / r) + (1 - t) log((1 - t) / (1 - r))


# %%
@lesson.exercise("20.1")
def kl_sparsity(codes, target):
    """The price of codes (N, k), a Tensor or array of numbers in (0, 1): one number in nats."""
    raise Todo("r = codes.mean(axis=0), the formula with mg.log, and the sum over the units")


# %% [markdown]
# The second habit is to stay put. J, the slopes of all units with respect to all pixels, says how
# far the code moves when the image does; the price is its squared size, |J|^2, the sum of all
# squares. One layer is simple: for h = sigmoid(x W + b) the slope of unit j along pixel i is
# h_j (1 - h_j) W_ij. No image appears in it, only the code: work out the sum over i and j.


# %%
@lesson.exercise("20.2")
def contraction(h, W):
    """|J|^2 of each example: codes h (N, k), weights W (D, k), Tensors or arrays -> (N,)."""
    raise Todo("squared slopes of the sigmoid, times the squared length of each column of W")


# %% [markdown]
# Now train: one layer down to 32 sigmoid units, one back; the loss is half the sum of squares plus
# your price. Each unit starts at t = 0.1, by a shift of its input; nothing keeps it there but the
# price. Mind the scale: sums over pixels. With their MEAN in its place the same weight would be a
# thousand times as heavy, a favourite reason for codes that say nothing.

# %%
target, epochs = 0.1, 8 if lesson.fast else 60
shift = float(np.log(target / (1 - target)))  # sigmoid(shift) = target


def train(X, price, epochs=epochs):
    """Train on X (400, 1024) with price(h, W), a number; return codes, rebuilt images, weights."""
    rng = np.random.default_rng(14)
    network = build(Sizes(1024, 32), PointCode("sigmoid"), rng, np.float32)
    optimizer = mg.optim.Adam(network.parameters(), lr=1e-2)
    weight = network.encoder[0].weight  # (1024, 32)
    schedule = mg.optim.CosineDecay(1e-2, epochs * 8)
    for _ in range(epochs):
        for batch in mg.data.Batches(X, batch_size=50, rng=rng):
            optimizer.lr = schedule(optimizer.t)
            h = mg.sigmoid(network.encode(mg.tensor(batch)) + shift)  # (50, 32)
            error = network.decode(h) - batch  # (50, 1024)
            loss = (error * error).sum() / (2 * len(batch)) + price(h, weight)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    def encode(x):
        with mg.no_grad():
            return mg.sigmoid(network.encode(mg.tensor(x)) + shift).numpy()  # (N, 32)

    with mg.no_grad():
        rebuilt = network.decode(mg.tensor(encode(X))).numpy()  # (400, 1024)
    return encode, np.sum((rebuilt - X) ** 2) / 800, weight.numpy()


runs = {"plain": train(X, lambda h, W: 0.0)}
for weight in (0.3, 3.0):
    runs[f"sparse, {weight:g}"] = train(X, lambda h, W, w=weight: w * kl_sparsity(h, target))
runs["contractive"] = train(X, lambda h, W: contraction(h, W).mean())

# %% [markdown]
# What does a habit cost? Mean activation and error (half the sum of squares for each face) of each,
# beside two rungs of the ladder: the mean face, and PCA with as many numbers. PCA has the smallest
# error, as in lesson 18, where all units may be on all the time: habits are not for the error.

# %%
steps = ladder(X, components=(32,))
lesson.report("error of the mean face, of PCA 32", list(steps.values())[1:], "1%")
for name, (encode, error, _) in runs.items():
    wanted = target if name.startswith("sparse") else None
    lesson.report(f"mean activation, {name}", encode(X).mean(), "+-0.04", predicted=wanted)
    lesson.report(f"error, {name}", error, "10%")

claim = "A price on the mean activation: fewer units on, a little more error"
lesson.draw("habits", claim, runs, X, steps)

# %% [markdown]
# A trap: r is a mean over the data, training sees a batch. The divergence bends upwards, so batches
# overstate it on average, by half its curvature times the variance of the batch's mean:
#
#     1/2 sum over units of (t / r^2 + (1 - t) / (1 - r)^2) * variance / n
#
# for n images. Compare 100 and 10: is a batch of ten images a judge of sparseness? (This is why the
# library keeps a running mean.)

# %%
codes = runs["sparse, 3"][0](X).astype(np.float64)  # (400, 32)
r = codes.mean(axis=0)  # (32,)
curvature = target / r**2 + (1 - target) / (1 - r) ** 2  # (32,)
for n in (100, 10):
    rows = rng.integers(400, size=(300 if lesson.fast else 3000, n))  # with replacement
    seen = np.mean([kl_sparsity(codes[some], target) for some in rows])
    excess = np.sum(curvature * codes.var(axis=0)) / (2 * n)
    bias = seen - kl_sparsity(codes, target)
    lesson.report(f"price overstated by batches of {n}", bias, "15%", predicted=excess)

# %% [markdown]
# The other habit. Add noise of deviation s to every pixel: to first order the code moves by J times
# the noise, whose mean square is s^2 |J|^2: your function times s^2. Then walk from each face to
# its nearest other face, and as far in a direction of pure chance. Both codes follow the face more
# than chance. Which of the two has the better ratio?

# %%
s = np.float32(0.02)
noise = s * rng.standard_normal(X.shape, dtype=np.float32)  # (400, 1024)
squares = np.sum(X**2, axis=1)  # (400,)
distances = squares[:, None] + squares - 2 * X @ X.T + np.diag(np.full(400, np.inf))  # (400, 400)
towards = X[distances.argmin(axis=1)] - X  # (400, 1024), to the nearest other face
chance = rng.standard_normal(X.shape, dtype=np.float32)  # (400, 1024)
lengths = [np.linalg.norm(way, axis=1, keepdims=True) for way in (towards, chance)]  # (400, 1)
chance *= lengths[0] / lengths[1]
walks = np.linspace(0, 1, 11, dtype=np.float32)
followed = {}
for name in ("plain", "contractive"):
    encode, _, W = runs[name]
    home = encode(X)  # (400, 32)
    moved = np.mean(np.sum((encode(X + noise) - home) ** 2, axis=1))
    predicted = s**2 * contraction(home, W).mean()
    lesson.report(f"code moved by noise, {name}", moved, "10%", predicted=predicted)
    to_face, to_chance = (
        np.array([np.linalg.norm(encode(X + t * way) - home, axis=1).mean() for t in walks])
        for way in (towards, chance)
    )  # (11,) each
    lesson.report(f"face over chance, {name}", to_face[-1] / to_chance[-1], "10%")
    followed[name] = to_face / to_face[-1], to_chance / to_face[-1]
lesson.draw("walks", "A contractive code follows the faces more than chance", walks, followed)

# %% [markdown]
# Last, why X and not the faces themselves? A sigmoid is flat far from 0, and the mean face, which
# all share, pushes units there before they have learnt anything. Count those that are the same for
# all faces: dead, without a slope by which to come back.

# %%
for name, data in (("centred", X), ("as they are", faces)):
    dead = np.sum(train(data, lambda h, W: 0.0, epochs=8)[0](data).std(axis=0) < 0.01)
    lesson.report(f"dead units of 32, faces {name}", int(dead), "+-6")

# %%
lesson.finish()
