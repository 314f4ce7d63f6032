"""Generation: faces drawn from a variational autoencoder, and the linear one whose end is known.

For fixed decoder variance s^2 the best linear VAE keeps exactly the principal directions whose
variance exceeds s^2 (Tipping & Bishop 1999, Lucas et al. 2019); all other units collapse.
"""

import numpy as np
from shared import augmented, shown, table
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression

from autoencoder import GaussianLikelihood, VariationalAutoencoder, plots
from autoencoder.evaluation import kl_per_unit, probabilistic_pca
from autoencoder.plots.grids import nearest_rows

TITLE = "Generation"
UNITS = 32
LIVE = 0.01  # nats
COPIES, DIGIT_EPOCHS = 10, 12
VARIANCES = {1.0: 12, 0.1: 40, 0.03: 80, 0.01: 150}  # decoder variance -> units offered


def run(job):
    """Samples of VAEs of faces and of digits; live units of linear VAEs."""
    faces = job.faces()
    return {
        "data": faces.name,
        **_samples(job, faces),
        "linear": _linear(job, faces.X),
        "mnist": _digits(job),
    }


def _digits(job):
    """A VAE of black and white digits: its bounds on new ones, and what a classifier sees in it."""
    large = job.mnist()
    train, test = large.sides
    rng = np.random.default_rng(0)
    black, new = _black_and_white(train.X, rng, COPIES), _black_and_white(test.X[:2000], rng, 1)
    model = VariationalAutoencoder(
        20, hidden=(200,), likelihood="bernoulli", batch_size=100, learning_rate=1e-3,
        max_epochs=job.epochs(DIGIT_EPOCHS), random_state=0,
    ).fit(black)  # fmt: skip
    kl = kl_per_unit(*model.posterior(new))
    samples = model.sample(1000, random_state=0)
    judge = LogisticRegression(max_iter=300).fit(train.X, train.labels)
    sure = judge.predict_proba(test.X[:1000]).max(axis=1), judge.predict_proba(samples).max(axis=1)
    counts = np.bincount(judge.predict(samples), minlength=10)
    plots.image_rows(
        [("drawn", samples[:10].reshape(-1, *train.shape)),
         ("real", test.X[:10].reshape(-1, *train.shape))],
        job.folder / "drawn_digits.png", title="Digits that a VAE drew, and real ones",
    )  # fmt: skip
    return {
        "data": large.name,
        "steps": int(model.n_iter_ * -(-len(black) // 100)),
        "train": float(model.elbo(black[:2000]).mean()),
        "elbo": float(model.elbo(new).mean()),
        "bound": float(model.log_likelihood(new[:500], 100).mean()),
        "live": int((kl > LIVE).sum()),
        "units": len(kl),
        "sure": {"real": float(sure[0].mean()), "drawn": float(sure[1].mean())},
        "rarest": int(counts.min()),
        "most frequent": int(counts.max()),
    }


def _black_and_white(X, rng, copies):
    """Pixels that are 1 with the probability that is their grey, drawn anew for every copy."""
    return np.concatenate([(rng.random(X.shape) < X).astype(np.float32) for _ in range(copies)])


def _samples(job, faces):
    train, test = faces.split(seed=0)
    rows = augmented(train, np.random.default_rng(0), copies=2 if job.fast else 8, reach=1)
    axes = PCA(min(256, len(rows) - 1), svd_solver="covariance_eigh").fit(rows)
    model = VariationalAutoencoder(
        UNITS, hidden=(256,), scale=None, batch_size=64,
        max_epochs=job.epochs(60), schedule="cosine", random_state=0,
    ).fit(axes.transform(rows))  # fmt: skip
    codes = axes.transform(test.X)
    kl = kl_per_unit(*model.posterior(codes))
    samples = np.clip(axes.inverse_transform(model.sample(20, random_state=1)), 0, 1)
    _, distances = nearest_rows(samples, train.X)
    _, new_people = nearest_rows(np.clip(test.X, 0, 1), train.X)
    plots.samples_and_neighbours(
        samples, train.X, job.folder / "samples.png", image_shape=faces.shape,
        title=f"Faces that do not exist ({faces.name}), and the nearest training photographs",
    )  # fmt: skip
    plots.kl_per_unit(
        np.sort(kl)[::-1], job.folder / "kl_per_unit.png",
        title=f"What each of the {UNITS} units of the VAE tells about a new person's face",
    )  # fmt: skip
    return {
        "units": UNITS,
        "elbo": float(model.elbo(codes).mean()),
        "bound": float(model.log_likelihood(codes, 64).mean()),
        "ppca": float(probabilistic_pca(axes.transform(rows), UNITS, codes).mean()),
        "kl": float(kl.sum()),
        "live": int((kl > LIVE).sum()),
        "sample distance": float(np.median(distances)),
        "new people distance": float(np.median(new_people)),
    }


def _linear(job, X):
    """For each decoder variance, the predicted and the measured number of live units.

    In principal axes the problem falls into one for each direction. The networks begin as PCA with
    codes of variance 1, all units alive, because from random weights the last ones take very long.
    """
    pca = PCA(min(len(X) - 1, max(VARIANCES.values())), svd_solver="full").fit(X.astype(np.float64))
    eigenvalues = pca.explained_variance_ * (1 - 1 / len(X))
    codes, results = pca.transform(X.astype(np.float64)), []
    for variance, units in VARIANCES.items():
        rows = codes[:, :units]  # float64
        model = VariationalAutoencoder(
            min(units, rows.shape[1]), likelihood=GaussianLikelihood(variance),
            batch_size=len(rows), learning_rate=0.03, schedule="cosine", max_epochs=0,
            scale=None, random_state=0,
        ).fit(rows)  # fmt: skip
        model.network_ = _as_pca(model.network_, np.sqrt(eigenvalues[: rows.shape[1]]))
        model.set_params(max_epochs=job.epochs(3000), warm_start=True).fit(rows)
        kl = kl_per_unit(*model.posterior(rows))
        exact = np.log(np.maximum(eigenvalues / variance, 1)) / 2  # (Tipping & Bishop 1999)
        results.append({
            "variance": variance, "units": len(kl),
            "predicted": int((eigenvalues > variance).sum()),
            "measured": int((kl > LIVE).sum()),
            "predicted nats": float(exact.sum()), "nats": float(kl.sum()),
        })  # fmt: skip
    return results


def _as_pca(network, deviations):
    """The linear `network` with the weights of PCA, with posteriors as wide as the prior."""
    k = len(deviations)
    network.load_state_dict({
        **network.state_dict(),  # where it begins
        "encoder.layers.0.weight": np.hstack([np.diag(1 / deviations), np.zeros((k, k))]),
        "encoder.layers.0.bias": np.zeros(2 * k),
        "decoder.layers.0.weight": np.diag(deviations),
        "decoder.layers.0.bias": np.zeros(k),
    })  # fmt: skip
    return network


def text(results):
    """The section of the page."""
    rows = [
        [
            r["variance"],
            r["units"],
            r["predicted"],
            r["measured"],
            shown(r["predicted nats"], 2),
            shown(r["nats"], 2),
        ]
        for r in results["linear"]
    ]
    right = sum(r["predicted"] == r["measured"] for r in results["linear"])
    digits = results["mnist"]
    header = ["decoder variance", "units offered", "predicted", "live", "nats predicted", "nats"]
    nearer = results["elbo"] > results["ppca"]
    return f"""A variational autoencoder with {results["units"]} units behind PCA, trained on
the training
people of {results["data"]}. Samples are {results["sample distance"]:.3f} from their nearest
training
photograph (median of root mean squared differences), photographs of new people
{results["new people distance"]:.3f}. On new people its lower bound is {results["elbo"]:.1f}
nats, the
importance-weighted one {results["bound"]:.1f}, and probabilistic PCA of the same size reaches
{results["ppca"]:.1f}: the lower bound is {"higher" if nearer else "lower"}. {results["live"]}
units are live,
with {results["kl"]:.1f} nats together.

![Samples](samples.png)

![KL of each unit](kl_per_unit.png)

**{digits["data"]}.** A VAE 784-200-20 of black and white digits, drawn {COPIES} times from their
greys, {digits["steps"]:,} steps of 100. On new digits its lower bound is {digits["elbo"]:.1f} nats,
on those of the training {digits["train"]:.1f}; with 100 draws the importance-weighted bound on new
ones is {digits["bound"]:.1f}. {digits["live"]} of {digits["units"]} units are live. A logistic
regression that knows real digits gives its first guess a probability of
{digits["sure"]["drawn"]:.2f} for drawn digits and {digits["sure"]["real"]:.2f} for new real ones;
of 1,000 drawn digits the most frequent class has {digits["most frequent"]} and the rarest
{digits["rarest"]}.

![Digits that a VAE drew](drawn_digits.png)

**The linear VAE keeps the units it should.** Trained on all faces with a fixed decoder variance, it
should keep one unit for each principal direction of larger variance and no other; here {right} of
{len(rows)} counts agree exactly. The networks begin
as PCA with every unit alive, because from random weights the last units take very long, and
rows are given in principal axes. Live units have more than {LIVE} nats. A unit whose direction
has the
variance v should carry log(v / decoder variance) / 2 nats; the last columns are the sums.

{table(header, rows)}"""
