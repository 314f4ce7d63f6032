"""23  Live units, samples, and a collapse

Idea: how many units of a linear VAE live is known before training; a deep one agrees in nats only.
You write: live_units(eigenvalues, variance, k), unit_kl(eigenvalues, variance).
You get: live units and nats, predicted and measured; a collapse by averages; samples of three
    kinds, and how far they are from faces.
Needs: 17, 18, 22.
Read: Lucas et al., Don't blame the ELBO! (2019).
Uses: autoencoder/variants.py, autoencoder/evaluation/metrics.py,
    autoencoder/evaluation/baselines.py.
Time: fast 5 s, default 30 s (2 cores).
"""

from pathlib import Path

from lessons import Lesson, Todo

import numpy as np
from sklearn.datasets import get_data_home

from autoencoder import Autoencoder, VariationalAutoencoder, datasets
from autoencoder.evaluation import active_units, kl_per_unit
from autoencoder.parts import GaussianCode, GaussianLikelihood
from minigrad.cpu.blas import one_blas_thread

lesson = Lesson(23)  # linear theory in float64, networks in float32
rng = np.random.default_rng(17)
VARIANCES = (1.0, 0.1, 0.03, 0.01)  # the decoder's, of a pixel


def eigenvalues_of(faces):
    """Variances of faces (N, D) along their principal directions, and those: (r,), (r, D)."""
    centred = np.float64(faces) - np.mean(faces, axis=0, dtype=np.float64)  # (N, D)
    svd = np.linalg.svd  # with one thread: faster for small matrices
    _, values, directions = one_blas_thread(svd, centred, full_matrices=False)
    return values[:-1] ** 2 / len(faces), directions[:-1]  # the last is 0: they are centred


faces = datasets.make_faces(size=32).images.reshape(400, -1)  # (400, 1024)
eigenvalues, directions = eigenvalues_of(faces)  # (399,), (399, 1024)

# %% [markdown]
# Everybody's first VAE has units that ignore the image: their cloud is the prior, their price 0.
# With a linear encoder and decoder theory says which. A unit that follows a principal direction
# saves error there, as much as the eigenvalue (the variance of the faces along it) exceeds the
# decoder's own variance; otherwise it does not earn its price (Lucas et al., 2019). A code of k
# units follows the k largest.


# %%
@lesson.exercise("23.1")
def live_units(eigenvalues, variance, k):
    """How many of k units live in a linear VAE with decoder variance `variance`: a number."""
    raise Todo("count the eigenvalues above the variance; there are only k units")


# %% [markdown]
# A live unit of eigenvalue L ends with clouds of variance s^2 / L, where s^2 is the decoder's
# variance, and means of variance 1 - s^2 / L. Put both into lesson 22's price, averaged over faces,
# (mean^2 + variance - 1 - log(variance)) / 2: what cancels, and what is left?


# %%
@lesson.exercise("23.2")
def unit_kl(eigenvalues, variance):
    """The price of a unit for each eigenvalue (r,), in nats a face; 0 where it is dead: (r,)."""
    raise Todo("half a logarithm for the live ones; np.where or np.maximum for the dead")


# %% [markdown]
# Now measure. Gradient steps need very many for units just above the border. But a linear VAE has
# three parts, means V x, cloud variances S and decoder W, and each has an exact optimum for the
# others as they are: three lines, repeated. The decoder starts with k random mixtures of faces, so
# which units live is for the training to find. (It goes 1.7 times as far as its optimum, which gets
# there sooner. Coordinates are principal directions, a mere rotation of the pixels.) A unit is live
# if its mean has a variance above 0.002.


# %%
def train_linear(eigenvalues, variance, k, rounds, rng):
    """The means' weights V (k, r) and cloud variances S (k,) of a linear VAE at its optimum."""
    W = 0.5 * rng.standard_normal((k, len(eigenvalues))) * np.sqrt(eigenvalues)  # (k, r)
    for _ in range(rounds):
        G = W @ W.T  # (k, k)
        V = np.linalg.solve(G + variance * np.eye(k), W)  # (k, r)
        S = variance / (variance + np.diag(G))  # (k,)
        seen = V * eigenvalues  # (k, r), the means' covariance with the faces
        W += 1.7 * (np.linalg.solve(seen @ V.T + np.diag(S), seen) - W)  # (k, r)
    return V, S


def measure(faces, eigenvalues, directions, k, rounds):
    """Live units, and the price of each unit, for all VARIANCES: two tuples."""
    results, rng = [], np.random.default_rng(17)
    for variance in VARIANCES:
        V, S = one_blas_thread(train_linear, eigenvalues, variance, k, rounds, rng)
        means = (faces - faces.mean(axis=0)) @ (V @ directions).T  # (400, k)
        price = kl_per_unit(means, np.broadcast_to(np.log(S), means.shape))  # (k,)
        results.append((active_units(means, threshold=0.002), np.sort(price)[::-1]))
    return tuple(zip(*results, strict=True))


k, rounds = (48, 100) if lesson.fast else (96, 500)
counts, prices = measure(faces, eigenvalues, directions, k, rounds)
predicted = [live_units(eigenvalues, variance, k) for variance in VARIANCES]
lesson.report("live units, linear", counts, "+-0.5", predicted=predicted)
theory = np.array([unit_kl(eigenvalues, variance)[:k] for variance in VARIANCES])  # (4, k)
lesson.report("nats a face, linear", np.sum(prices, axis=1), "2%", predicted=theory.sum(axis=1))

claim = "Units live whose eigenvalue exceeds the variance"
lesson.draw("live_units", claim, k, eigenvalues, VARIANCES, predicted, prices, theory)

# %%
# The same for the real faces, where scikit-learn's fetch_olivetti_faces has put them already.
if not lesson.fast and Path(get_data_home(), "olivetti_py3.pkz").exists():
    real = datasets.load_olivetti().images[:, ::2, ::2].reshape(400, -1)  # (400, 1024)
    spectrum = eigenvalues_of(real)  # (399,), (399, 1024)
    theirs = tuple(live_units(spectrum[0], variance, 160) for variance in VARIANCES)
    measured, _ = measure(real, *spectrum, k=160, rounds=400)
    print(f"  live units, linear, Olivetti faces: {measured}   (predicted {theirs})")

# %% [markdown]
# Deep VAEs have no such theory. Is the linear one a good guess? One hidden layer, 32 units, decoder
# variance 0.1, Adam: its nats are near, but all 32 units live where theory says 19. And now the
# popular accident: error as a MEAN over 1024 pixels, price as a MEAN over 32 units. Multiply by
# 1024: the price is 32 times as dear, a beta of 32, which acts like a decoder variance 32 times as
# large. How many eigenvalues are above 32? (AppliedDataSciencePartners/WorldModels#12 met a KL of
# 3.8e-7; orybkin/sigma-vae-tensorflow#2 says "always reduce_sum".)

# %%
lesson.guess("live units, deep, means", "How many units live when both terms are averaged?")
X = faces - faces.mean(axis=0)  # (400, 1024) float32
settings = {"hidden": (128,), "batch_size": 50, "scale": None, "random_state": 17}
settings |= {"max_epochs": 10 if lesson.fast else 150, "schedule": "cosine"}
models = {}
for name, variance, beta in (("sums", 0.1, 1.0), ("means", 1.0, 1024 / 32)):
    parts = {"code": GaussianCode(beta), "likelihood": GaussianLikelihood(variance)}
    models[name] = VariationalAutoencoder(32, **parts, **settings).fit(X)
    means, log_variances = models[name].posterior(X)  # (400, 32) each
    count = live_units(eigenvalues, beta * variance, 32)
    lesson.report(f"live units, deep, {name}", active_units(means), "+-3", predicted=count)
    nats = kl_per_unit(means, log_variances).sum()
    theory = unit_kl(eigenvalues, beta * variance)[:32].sum()
    lesson.report(f"nats a face, deep, {name}", nats, "+-1", predicted=theory)

# %% [markdown]
# A VAE is drawn from by its prior, which training has made its codes fill. An ordinary autoencoder
# promises nothing about its codes. Two stand-ins for a prior: each unit by itself, with its own
# mean and deviation; or all together, with their covariance too, so that what goes together in
# faces goes together in draws. Beside them the old competitor, 32 eigenfaces with Gaussian weights.
# For the suspicious, the training face nearest to each VAE sample: a copy would have distance 0; 1
# is that of a face from the nearest other one. Last, a walk through the VAE's code. Before you
# look: how much of what people call holes in an autoencoder's code is left when its units are drawn
# together?

# %%
vae, plain = models["sums"], Autoencoder(32, code="linear", **settings).fit(X)
deviations = np.sqrt(np.diag(plain.code_covariance_))  # (32,)
noise = rng.standard_normal((100, 32), dtype=np.float32)  # (100, 32)
alone = plain.code_mean_ + deviations * noise  # (100, 32)
together = plain.code_mean_ + noise @ np.linalg.cholesky(plain.code_covariance_).T  # (100, 32)


def distances(rows, others):
    """From each of rows (N, D) to each of others (M, D): (N, M)."""
    squares = np.sum(rows**2, axis=1)[:, None] + np.sum(others**2, axis=1)  # (N, M)
    return np.sqrt(np.maximum(squares - 2 * rows @ others.T, 0))


among = distances(X, X)  # (400, 400)
walk = np.linspace(*vae.transform(X[[0, among[0].argmax()]]), 7)  # (7, 32), to the farthest face
weights = rng.standard_normal((100, 32)) * np.sqrt(eigenvalues[:32])  # (100, 32)
pictures = {
    "units alone": plain.inverse_transform(alone),
    "units together": plain.inverse_transform(together.astype(np.float32)),
    "VAE": vae.sample(100, random_state=17),
    "eigenfaces": weights @ directions[:32],
}
usual = np.mean(np.sort(among, axis=1)[:, 1])  # from a face to the nearest other
rated = pictures | {"the mean face": 0 * X[:1]}
far = {name: distances(rows, X).min(axis=1).mean() / usual for name, rows in rated.items()}
for name, distance in far.items():
    lesson.report(f"distance to the nearest face, {name}", distance, "10%")
pictures["nearest to VAE"] = X[distances(pictures["VAE"], X).argmin(axis=1)]
pictures["VAE, a walk"] = vae.inverse_transform(walk)

claim = f"Distance from faces: units alone {far['units alone']:.2f}, "
claim += f"together {far['units together']:.2f}, VAE {far['VAE']:.2f}"
lesson.draw("samples", claim, pictures, faces)

# %% [markdown]
# In the default run drawing together brings the autoencoder's samples about as near to faces as
# eigenfaces are: most of its "holes" were correlations that the draw ignored. The VAE's samples are
# nearer still. But the mean face is nearer than all of them, so this distance rewards what is
# smooth and pale, and after few epochs (`--fast`), when the plain autoencoder paints pale faces,
# the order is the reverse. Nearness alone does not say that samples are good.

# %% [markdown]
# Threads named here:
# [AppliedDataSciencePartners/WorldModels#12](https://github.com/AppliedDataSciencePartners/WorldModels/issues/12),
# [orybkin/sigma-vae-tensorflow#2](https://github.com/orybkin/sigma-vae-tensorflow/issues/2).

# %%
lesson.finish()
