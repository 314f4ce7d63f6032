"""Denoising: photographs of new people under white noise, beside the Wiener filter.

The network is a `DenoisingAutoencoder` behind PCA, which only turns the axes (white noise stays
white) and drops those in which faces hardly vary. Its kind is chosen on training people that
are held out for that.
"""

import numpy as np
from shared import augmented, shown, spread, table
from sklearn.decomposition import PCA

from autoencoder import DenoisingAutoencoder, GaussianNoise, plots
from autoencoder.evaluation import mse, wiener

TITLE = "Denoising"
STD = 0.2
AXES = 300  # of PCA
REACH = 2  # pixels, of the moved copies
KINDS = {
    "linear, 300 units": dict(n_components=300, code="linear"),
    "tanh, 512 units": dict(n_components=512, code="tanh"),
    "relu, 1024 units": dict(n_components=1024, code="relu"),
}


def run(job):
    """Mean squared errors on new people, with standard errors over their photographs."""
    faces = job.faces()
    train, test = faces.split(seed=0)
    chosen, tried = _choose(job, train)
    noisy = _noisy(test.X, np.random.default_rng(2), draws=5)  # (5 M, D)
    clean = np.tile(test.X, (5, 1))
    rebuilt = {
        "noisy": noisy,
        "Wiener filter": wiener(train.X, STD)(noisy),
        "Wiener filter, moved copies": wiener(_copies(job, train, 1), STD)(noisy),
    }
    errors = {name: _per_image(clean, images) for name, images in rebuilt.items()}
    runs = [_train(job, train, KINDS[chosen], seed)(noisy) for seed in job.seeds()]
    by_run = [_per_image(clean, images) for images in runs]
    errors["network"] = np.mean(by_run, axis=0)
    results = {
        "data": faces.name, "people": len(set(test.labels)), "images": len(test.X),
        "tried": tried, "chosen": chosen, "seeds": spread([run.mean() for run in by_run]),
        "rows": {name: _mean(values) for name, values in errors.items()},
        "differences": {
            name: _mean(errors["network"] - errors[name]) for name in list(errors)[1:-1]
        },
    }  # fmt: skip
    _draw(job, test, {**rebuilt, "network": runs[0]}, results)
    return results


def _choose(job, train):
    """The kind with the smallest error on a fifth of the training people: its name, all errors."""
    known, held_out = train.split(seed=1)
    noisy = _noisy(held_out.X, np.random.default_rng(3), draws=3)
    clean = np.tile(held_out.X, (3, 1))
    errors = {
        name: mse(clean, _train(job, known, kind, seed=0)(noisy)) for name, kind in KINDS.items()
    }
    return min(errors, key=errors.get), errors


def _copies(job, pictures, seed):
    return augmented(
        pictures, np.random.default_rng(seed), copies=2 if job.fast else 20, reach=REACH
    )


def _train(job, pictures, kind, seed):
    """A denoiser trained on moved and mirrored copies: a function of noisy rows."""
    rows = _copies(job, pictures, seed)
    axes = PCA(min(AXES, *rows.shape), svd_solver="covariance_eigh").fit(rows)
    model = DenoisingAutoencoder(
        noise=GaussianNoise(STD), scale=None, batch_size=64, schedule="cosine",
        max_epochs=job.epochs(25), random_state=seed, **kind,
    ).fit(axes.transform(rows))  # fmt: skip

    def denoise(noisy):
        return axes.inverse_transform(model.reconstruct(axes.transform(noisy)))

    return denoise


def _noisy(X, rng, draws):
    rows = np.tile(X, (draws, 1))
    return rows + STD * rng.standard_normal(rows.shape, dtype=rows.dtype)


def _per_image(clean, rebuilt):
    """The mean squared error of each of the M photographs over the draws of noise: (M,)."""
    return mse(clean, rebuilt, reduction="none").reshape(5, -1).mean(axis=0)


def _mean(values):
    return {"mean": float(values.mean()), "std": float(values.std(ddof=1) / np.sqrt(len(values)))}


def _draw(job, test, rebuilt, results):
    some = np.random.default_rng(0).permutation(len(test.X))[:8]
    rows = [("clean", test.X[some]), *((name, images[some]) for name, images in rebuilt.items())]
    rows = [(name, np.clip(images, 0, 1).reshape(-1, *test.shape)) for name, images in rows]
    ours, theirs = (results["rows"][name]["mean"] for name in ("network", "Wiener filter"))
    plots.image_rows(
        rows, job.folder / "denoising.png",
        title=f"New people, noise of {STD}: MSE {ours:.4f} (network), {theirs:.4f} (Wiener filter)",
        footer=f"{results['data']}. For the picture limited to [0, 1]: 0 black, 1 white.",
    )  # fmt: skip


def text(results):
    """The section of the page."""
    rows = [
        [name, f"{row['mean']:.5f} ± {row['std']:.5f}", f"{-10 * np.log10(row['mean']):.2f}"]
        for name, row in results["rows"].items()
    ]
    tried = ", ".join(f"{name}: {error:.5f}" for name, error in results["tried"].items())
    verdicts = " ".join(_verdict(name, d) for name, d in results["differences"].items())
    if results["differences"]["Wiener filter, moved copies"]["mean"] > 0:
        verdicts += " What it gains comes from the copies, not from being more than linear."
    return f"""White noise of standard deviation {STD} on {results["images"]} photographs of
{results["people"]}
people ({results["data"]}) who are in no training photograph, five draws of noise each; ± is the
standard error over photographs. The network learns from copies of the training photographs,
mirrored and moved by up to {REACH} pixels; one of the two Wiener filters gets the same copies.

{table(["", "MSE", "PSNR of it (dB)"], rows)}

{verdicts} Over {results["seeds"]["runs"]} seeds the network's error is
{shown(results["seeds"], 5)}.
It is the {results["chosen"]} kind, the best on held-out training people ({tried}).

![Noisy and denoised faces](denoising.png)"""


def _verdict(name, difference):
    d, error = difference["mean"], difference["std"]
    if abs(d) <= 2 * error:
        words = f"cannot be told from the {name}"
    else:
        words = f"{'beats' if d < 0 else 'does not beat'} the {name}"
    return f"The network {words}: paired difference {d:+.5f} ± {error:.5f}."
