"""The kinds that are parts, each against the plain one: the same network, data, steps and seeds.

What is measured is what the kind is for. A kind is better where it is with every seed.
"""

import numpy as np
from shared import shown, spread, table
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import pairwise_distances_argmin_min

from autoencoder import (
    Autoencoder,
    DenoisingAutoencoder,
    GaussianCode,
    GaussianNoise,
    MaskingNoise,
    PatchMasking,
    TotalCorrelation,
    VariationalAutoencoder,
    VectorQuantisedCode,
    plots,
)
from autoencoder.evaluation import kl_per_unit, mse, psnr, wiener
from autoencoder.parts.total_correlation import divergence_in_parts

TITLE = "Kinds that are parts"
UNITS, HIDDEN = 8, (128,)
LIVE = 0.01  # nats
STD = 0.2  # of the noise that denoisers remove
BITS = 6  # of a number of a code, or of a vector of the codebook


def run(job):
    """For each kind and measure the plain numbers and the kind's own, one for each seed."""
    digits = job.digits()
    test = np.arange(len(digits.X)) % 4 == 0
    known, new = digits.part(~test), digits.part(test)
    results = {"data": digits.name, "kinds": {}}
    plain = [
        {kind: _fit(job, kind, known, seed) for kind in (Autoencoder, VariationalAutoencoder)}
        for seed in job.seeds()
    ]
    for name, kind in KINDS.items():
        seeds = [kind(job, known, new, seed, plain[seed]) for seed in job.seeds()]
        results["kinds"][name] = {
            measure: {
                "higher": seeds[0][measure][2] == "higher",
                **{
                    side: [float(found[measure][k]) for found in seeds]
                    for k, side in enumerate(("plain", "kind"))
                },
            }
            for measure in seeds[0]
        }
    return results


def _fit(job, kind, known, seed, epochs=40, y=None, **params):
    """An estimator of `kind`, fitted to the known digits."""
    given = {"n_components": UNITS, "hidden": HIDDEN, "batch_size": 64, **params}
    return kind(max_epochs=job.epochs(epochs), random_state=seed, **given).fit(known.X, y)


# --------------------------- each: measure -> (plain, with the kind, what is better)
def conditional(job, known, new, seed, plain):
    """Labels beside data and code: a bound given the label, codes without it, digits on demand."""
    plain = plain[VariationalAutoencoder]
    model = _fit(job, VariationalAutoencoder, known, seed, y=known.labels, conditional=True)
    codes = [(plain.transform(p.X), model.transform(p.X, p.labels)) for p in (known, new)]
    probes = [LogisticRegression(max_iter=1000).fit(c, known.labels) for c in codes[0]]
    asked = np.tile(np.arange(10), 100)
    judge = LogisticRegression(max_iter=1000).fit(known.X, known.labels)
    drawn = model.sample(len(asked), y=asked, random_state=seed)
    if seed == 0:
        rows = [("plain", plain.sample(10, random_state=0)), ("asked for 0 to 9", drawn[:10])]
        plots.image_rows(
            [(name, np.clip(x, 0, 1).reshape(-1, *known.shape)) for name, x in rows],
            job.folder / "conditional.png",
            title="Digits drawn by a plain and by a conditional variational autoencoder",
        )  # fmt: skip
    return {
        "lower bound (nats)": (
            plain.elbo(new.X).mean(), model.elbo(new.X, y=new.labels).mean(), "higher"
        ),
        "digit read off the code": (
            *(p.score(c, new.labels) for p, c in zip(probes, codes[1], strict=True)), "lower"
        ),
        "samples that are the digit asked for (plain: by chance)": (
            0.1, judge.score(drawn, asked), "higher"
        ),
    }  # fmt: skip


def importance_weighted(job, known, new, seed, plain):
    """Ten draws in the objective: the same bound with many draws judges both."""
    kind, code = VariationalAutoencoder, GaussianCode(n_draws=10)
    models = plain[kind], _fit(job, kind, known, seed, code=code)
    return {
        "log-likelihood, 256 draws (nats)": (
            *(m.log_likelihood(new.X, 256).mean() for m in models), "higher"
        ),
        "lower bound (nats)": (*(m.elbo(new.X).mean() for m in models), "higher"),
    }  # fmt: skip


def free_bits(job, known, new, seed, plain):
    """32 units on offer, of which a Bernoulli likelihood pays for few."""
    params = dict(n_components=32, likelihood="bernoulli")
    codes = GaussianCode(), GaussianCode(free_bits=0.2)
    models = [_fit(job, VariationalAutoencoder, known, seed, code=c, **params) for c in codes]
    live = [int((kl_per_unit(*m.posterior(new.X)) > LIVE).sum()) for m in models]
    return {
        "live units of 32": (*live, "higher"),
        "MSE": (*(mse(new.X, m.reconstruct(new.X)) for m in models), "lower"),
        "lower bound (nats)": (*(m.elbo(new.X).mean() for m in models), "higher"),
    }


def total_correlation(job, known, new, seed, plain):
    """Units that say different things, and what that costs."""
    kind, penalty = VariationalAutoencoder, TotalCorrelation(weight=2.0)
    models = plain[kind], _fit(job, kind, known, seed, penalty=penalty)
    found = []
    for model in models:
        mean, log_variance = (a.astype(np.float64) for a in model.posterior(new.X))
        noise = np.random.default_rng(0).standard_normal(mean.shape)
        z = mean + np.exp(log_variance / 2) * noise
        found.append(divergence_in_parts(z, mean, log_variance)[1].mean())
    return {
        "total correlation (nats)": (*found, "lower"),
        "lower bound (nats)": (*(m.elbo(new.X).mean() for m in models), "higher"),
    }


def wasserstein(job, known, new, seed, plain):
    """Samples for codes from N(0, I), of which a plain autoencoder knows nothing."""
    models = plain[Autoencoder], _fit(job, Autoencoder, known, seed, penalty="mmd")
    drawn = [m.sample(1000, prior="standard_normal", random_state=seed) for m in models]
    fitted = models[0].sample(1000, prior="gaussian", random_state=seed)

    def off(samples):  # from a sample to the nearest new digit, and the other way round
        pairs = (samples, new.X), (new.X, samples)
        return [pairwise_distances_argmin_min(*p)[1].mean() / 8 for p in pairs]

    plain, own, gaussian = off(drawn[0]), off(drawn[1]), off(fitted)
    return {
        "from samples to digits": (plain[0], own[0], "lower"),
        "from digits to samples": (plain[1], own[1], "lower"),
        "the same, plain with a prior fitted to its codes": (gaussian[1], own[1], "lower"),
        "MSE": (*(mse(new.X, m.reconstruct(new.X)) for m in models), "lower"),
    }


def vector_quantised(job, known, new, seed, plain):
    """48 bits for a digit: eight vectors of a codebook of 64, or eight numbers in 64 steps."""
    code = VectorQuantisedCode(n_vectors=2**BITS, length=2)
    model = _fit(job, Autoencoder, known, seed, n_components=2 * UNITS, code=code)
    plain, axes = plain[Autoencoder], PCA(UNITS).fit(known.X)
    errors = [
        mse(new.X, back(_in_steps(there(known.X), there(new.X))))
        for there, back in (
            (axes.transform, axes.inverse_transform), (plain.transform, plain.inverse_transform),
        )
    ]  # fmt: skip
    own = mse(new.X, model.reconstruct(new.X))
    return {
        "MSE at 48 bits": (errors[1], own, "lower"),
        "MSE at 48 bits, PCA in place of the plain one": (errors[0], own, "lower"),
    }


def _in_steps(known, codes):
    """`codes` rounded to the middles of 64 equal steps over the range of the `known` ones."""
    low, width = known.min(axis=0), np.ptp(known, axis=0) / 2**BITS
    return low + width * (np.clip((codes - low) // width, 0, 2**BITS - 1) + 0.5)


def u_shaped(job, known, new, seed, plain):
    """Noise that is subtracted, by a network of fewer parameters than the plain denoiser's."""
    params = dict(noise=GaussianNoise(STD), learning_rate=0.005)
    plain = _fit(job, DenoisingAutoencoder, known, seed, n_components=32, hidden=(64,), **params)
    model = _fit(
        job, DenoisingAutoencoder, known, seed, epochs=25, n_components=known.X.shape[1],
        network="u_shaped", hidden=(8, 16), image_shape=known.shape, **params,
    )  # fmt: skip
    assert _parameters(model) < _parameters(plain)
    rng = np.random.default_rng(seed)
    noisy = (new.X + STD * rng.standard_normal(new.X.shape)).astype(np.float32)
    found = [psnr(new.X, m.reconstruct(noisy)) for m in (plain, model)]
    return {
        "PSNR (dB)": (*found, "higher"),
        "PSNR (dB), Wiener filter in place of the plain one": (
            psnr(new.X, wiener(known.X, STD)(noisy)), found[1], "higher"
        ),
    }  # fmt: skip


def _parameters(model):
    return sum(p.size for p in model.network_.parameters())


def masked_patches(job, known, new, seed, plain):
    """Half of the patches hidden: what fills them in, and what codes are worth with 50 labels."""
    noises = MaskingNoise(0.5), PatchMasking(rate=0.5), PatchMasking(rate=0.5, scored="hidden")
    params = dict(n_components=32, hidden=(256,))
    pixels, model, hidden = (
        _fit(job, DenoisingAutoencoder, known, seed, noise=noise, **params) for noise in noises
    )
    plain = _fit(job, Autoencoder, known, seed, **params)
    rng = np.random.default_rng(seed)
    holed = noises[1].corrupt(new.X, np.random.default_rng(seed))
    holes = np.isnan(noises[2].marked(new.X, np.random.default_rng(seed)))
    few = np.concatenate(
        [rng.permutation(np.flatnonzero(known.labels == d))[:5] for d in range(10)]
    )

    def filled(model):
        return float(np.square(model.reconstruct(holed) - new.X)[holes].mean())

    def probe(model):
        codes = model.transform(known.X[few])
        spreads = codes.std(axis=0) + 1e-6
        classifier = LogisticRegression(max_iter=1000).fit(codes / spreads, known.labels[few])
        return classifier.score(model.transform(new.X) / spreads, new.labels)

    return {
        "MSE of hidden patches, plain without noise": (filled(plain), filled(model), "lower"),
        "MSE of hidden patches, plain with lost pixels": (filled(pixels), filled(model), "lower"),
        "the same MSE, scored on those alone (plain: on all)": (
            filled(model),
            filled(hidden),
            "lower",
        ),
        "accuracy with 5 labels a class": (probe(plain), probe(model), "higher"),
    }


KINDS = {
    "conditional": conditional,
    "importance-weighted, 10 draws": importance_weighted,
    "free bits, 0.2": free_bits,
    "total correlation, weight 2": total_correlation,
    "MMD": wasserstein,
    "vector-quantised": vector_quantised,
    "U-shaped": u_shaped,
    "masked patches": masked_patches,
}


def _verdict(found):
    """What the seeds say: a kind is better where it is with every one of them."""
    gains = np.subtract(found["kind"], found["plain"]) * (1 if found["higher"] else -1)
    return "better" if min(gains) > 0 else "worse" if max(gains) < 0 else "no difference"


def text(results):
    """The section of the page."""
    rows, verdicts = [], {}
    for name, measures in results["kinds"].items():
        for k, (measure, found) in enumerate(measures.items()):
            verdict = _verdict(found)
            verdicts.setdefault(verdict, []).append(f"{name}: {measure}")
            digits = 4 if "MSE" in measure else 3
            both = [shown(spread(found[side]), digits) for side in ("plain", "kind")]
            rows.append([name if k == 0 else "", measure, *both, verdict])
    runs = len(found["plain"])
    lost = "; ".join(verdicts.get("worse", ["nothing"]))
    equal = "; ".join(verdicts.get("no difference", ["nothing"]))
    return f"""Each part of [docs/kinds.md](../kinds.md) against the plain autoencoder of the same
network, data and steps: {results["data"]}, a quarter held out; ± is the standard deviation over
{runs} seeds, and "better" or "worse" means with every one of them. Variational ones have
{UNITS} units behind {HIDDEN[0]} hidden ones unless the measure says otherwise.

{table(["kind", "measured on new digits", "plain", "with it", ""], rows)}

Distances between samples and digits are root mean squares of a pixel. Worse than the plain one:
{lost}. Neither: {equal}. A lower bound that falls is the price of free bits and of independent
units, which are paid for on purpose.

![Digits on demand](conditional.png)"""
