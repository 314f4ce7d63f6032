"""Dimensionality reduction: how much of a picture survives in a few numbers, beside PCA.

On faces the network stands behind PCA with many components, which only turns the axes and drops
those in which faces hardly vary: fewer weights for the few photographs there are.
"""

import numpy as np
from shared import augmented, shown, spread, table
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline

from autoencoder import Autoencoder, plots
from autoencoder.evaluation import (
    few_shot_accuracy,
    knn_accuracy,
    linear_probe,
    mse,
    psnr,
    trustworthiness,
)

WORDS = {
    "mse": "error",
    "probe": "linear probe",
    "knn": "nearest neighbours",
    "trustworthiness": "trustworthiness",
}
TITLE = "Dimensionality reduction"
AXES = 128  # of PCA, before the network for faces
FEW = 2000  # test pictures, of which trustworthiness is quick: its work grows with the square
SHOTS = 2  # labelled photographs of each new person
HIDDEN = (256,)
FACES = dict(scale=None, schedule="cosine", batch_size=64, learning_rate=3e-3)


def run(job):
    """Faces and digits, code lengths from 2: name -> rows of measurements over seeds."""
    digits, lengths = job.digits(), (2, 8) if job.fast else (2, 8, 16, 32)
    results = {"faces": [], "digits": [], "shots": SHOTS, "hidden": HIDDEN}
    faces = job.faces()
    large = job.mnist()
    results["data"] = faces.name, digits.name, large.name
    for length in lengths:
        runs = [_on_faces(job, faces, length, seed) for seed in job.seeds()]
        results["faces"].append({"length": length, **_spreads(runs)})
    for length in lengths:
        runs, models = zip(*(_on_digits(job, digits, length, s) for s in job.seeds()), strict=True)
        results["digits"].append({"length": length, **_spreads(runs)})
        if length == 2:
            _draw(job, digits, models[0], results["digits"][0])
    train, test = large.sides
    results["mnist"] = [
        {
            "length": length,
            **_spreads([_named(job, train, test, length, seed)[0] for seed in job.seeds()]),
        }
        for length in lengths
    ]
    return results


def _on_faces(job, faces, length, seed):
    train, test = faces.split(seed)
    rows = augmented(train, np.random.default_rng(seed), copies=2 if job.fast else 4, reach=1)
    net = Autoencoder(length, max_epochs=job.epochs(40), random_state=seed, hidden=HIDDEN, **FACES)
    axes = PCA(min(AXES, len(rows) - 1), svd_solver="covariance_eigh")
    models = {
        "autoencoder": make_pipeline(axes, net),
        "PCA": PCA(length, svd_solver="covariance_eigh"),
    }
    results = {}
    for name, model in models.items():
        model.fit(rows)
        codes = model.transform(test.X)
        rebuilt = model.inverse_transform(codes)
        rng = np.random.default_rng(seed)
        results[name] = {
            "mse": mse(test.X, rebuilt),
            "psnr": psnr(test.X, rebuilt),
            "probe": few_shot_accuracy(codes, test.labels, SHOTS, rng).mean,
            "trustworthiness": trustworthiness(test.X, codes),
        }
    return results


def _on_digits(job, digits, length, seed):
    order = np.random.default_rng(seed).permutation(len(digits.X))
    test, train = (
        digits.part(order[side]) for side in np.split(np.arange(len(order)), [len(order) // 4])
    )
    return _named(job, train, test, length, seed)


def _named(job, train, test, length, seed):
    """Measurements with an untouched autoencoder and PCA, where the test's classes are known."""
    epochs = 3 if job.fast else "auto"
    net = Autoencoder(length, hidden=HIDDEN, max_epochs=epochs, random_state=seed).fit(train.X)
    rows = {}
    for name, model in (("autoencoder", net), ("PCA", PCA(length).fit(train.X))):
        sides = model.transform(train.X), train.labels, model.transform(test.X), test.labels
        rows[name] = {
            "mse": mse(test.X, model.inverse_transform(sides[2])),
            "probe": linear_probe(*sides),
            "knn": knn_accuracy(*sides),
        }
        if len(test.X) <= FEW:
            rows[name]["trustworthiness"] = trustworthiness(test.X, sides[2])
    return rows, (net, test)


def _spreads(runs):
    return {
        name: {key: spread([run[name][key] for run in runs]) for key in runs[0][name]}
        for name in runs[0]
    }


def _draw(job, digits, fitted, row):
    net, test = fitted
    accuracy = row["autoencoder"]["knn"]["mean"]
    plots.latent_scatter(
        net.transform(test.X), test.labels, job.folder / "latent_digits.png",
        title=f"Two numbers for each of {len(test.X)} new {digits.name}: their neighbours name "
        f"{100 * accuracy:.0f} % rightly (PCA: {100 * row['PCA']['knn']['mean']:.0f} %)",
    )  # fmt: skip


def text(results):
    """The section of the page."""
    faces, digits, large = results["data"]
    return f"""Dense networks with one hidden layer of {results["hidden"][0]} units on each side. A
table's ± is the standard deviation over {results["faces"][0]["PCA"]["mse"]["runs"]} seeds, each
with other weights and another split. For the digits everything else is the estimator's default;
for the faces epochs and rate were chosen by hand while looking at such tables.

**{faces}, people who are in no training photograph.** The probe is a logistic regression that sees
{results["shots"]} labelled photographs of each new person. Both learn from mirrored copies,
moved by up
to a pixel; the network reads {AXES} principal components.

{_verdict(results["faces"], {"mse": "error"})}

{_table(results["faces"], ("mse", "psnr", "probe", "trustworthiness"))}

**{digits}, a quarter held out.** {_verdict(results["digits"], WORDS)}

{_table(results["digits"], WORDS)}

**{large}.** {_verdict(results["mnist"], WORDS)}

{_table(results["mnist"], WORDS)}

![Two-dimensional codes of digits](latent_digits.png)"""


def _verdict(rows, words):
    """For each measure the code lengths at which the autoencoder's mean is the better one."""
    parts = []
    for key, word in words.items():
        if key not in rows[0]["PCA"]:
            continue
        sign = -1 if key == "mse" else 1
        better = [
            row["length"]
            for row in rows
            if sign * row["autoencoder"][key]["mean"] > sign * row["PCA"][key]["mean"]
        ]
        parts.append(f"{word} for {_list(better) if better else 'none of them'}")
    return f"Better than PCA in the mean, by code length: {'; '.join(parts)}."


def _list(lengths):
    return ", ".join(map(str, lengths))


def _table(rows, keys):
    titles = {"mse": "MSE", "psnr": "PSNR (dB)", "knn": "kNN", "probe": "linear probe"}
    keys, digits = [key for key in keys if key in rows[0]["PCA"]], {"mse": 4, "psnr": 2}
    lines = [
        [f"{name}, {row['length']}", *(shown(row[name][key], digits.get(key, 3)) for key in keys)]
        for row in rows
        for name in ("autoencoder", "PCA")
    ]
    return table(["code", *(titles.get(key, key) for key in keys)], lines)
