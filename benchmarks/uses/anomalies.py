"""Anomaly detection: digits of one class against all others, faces against what is no face."""

import numpy as np
from shared import shown, spread, table
from sklearn.decomposition import PCA

from autoencoder import Autoencoder, AutoencoderAnomalyDetector, plots
from autoencoder.evaluation import anomaly_metrics

TITLE = "Anomaly detection"
DIGIT_UNITS, FACE_UNITS = 8, 32


def run(job):
    """ROC-AUC of the detector and of PCA's squared error with the same number of units."""
    digits, faces = job.digits(), job.faces()
    results = {"data": (digits.name, faces.name), "units": (DIGIT_UNITS, FACE_UNITS)}
    results["digits"] = [
        {"class": int(label), **_spreads([_one_class(job, digits, label, s) for s in job.seeds()])}
        for label in np.unique(digits.labels)
    ]
    runs = [_faces(job, faces, seed) for seed in job.seeds()]
    results["faces"] = {kind: _spreads([run[kind] for run in runs]) for kind in runs[0]}
    return results


def _one_class(job, digits, label, seed):
    rng = np.random.default_rng(seed)
    own = rng.permutation(np.flatnonzero(digits.labels == label))
    train, normal = digits.X[own[: len(own) // 2]], digits.X[own[len(own) // 2 :]]
    anomalous = digits.X[digits.labels != label]
    model = Autoencoder(
        DIGIT_UNITS, hidden=(64,), activation="tanh", code="linear", noise="gaussian",
        learning_rate=3e-3, batch_size=32, max_epochs=job.epochs(150), schedule="cosine",
    )  # fmt: skip
    scores = _scorers(model, train, DIGIT_UNITS, seed)
    return {name: _area(score(normal), score(anomalous)) for name, score in scores.items()}


def _faces(job, faces, seed):
    train, test = faces.split(seed)
    model = Autoencoder(
        FACE_UNITS, hidden=(256,), activation="tanh", code="linear", batch_size=32,
        max_epochs=job.epochs(60), schedule="cosine",
    )  # fmt: skip
    scores = _scorers(model, train.X, FACE_UNITS, seed)
    strange = not_faces(test, np.random.default_rng(seed), job.digits())
    areas = {
        kind: {name: _area(score(test.X), score(X)) for name, score in scores.items()}
        for kind, X in strange.items()
    }
    if seed == 0:
        ours = scores["autoencoder"]
        plots.anomaly_scores(
            ours(test.X), ours(strange["occluded"]), job.folder / "anomalies.png",
            title=f"New people ({faces.name}) against the same photographs with a grey square",
        )  # fmt: skip
        examples = [(kind, X[:8].reshape(-1, *faces.shape)) for kind, X in strange.items()]
        plots.image_rows(
            [("face", test.X[:8].reshape(-1, *faces.shape)), *examples],
            job.folder / "not_faces.png", title="Faces of new people, and what is none",
        )  # fmt: skip
    return areas


def not_faces(test, rng, digits):
    """Pictures of the same size that are no faces, or no proper ones: kind -> rows."""
    height, width, _ = test.shape
    images = test.X.reshape(-1, height, width)
    order = rng.permuted(np.tile(np.arange(height * width), (len(images), 1)), axis=1)
    occluded = images.copy()
    for image, y, x in zip(occluded, *rng.integers(0, height - 10, (2, len(images))), strict=True):
        image[y : y + 10, x : x + 10] = 0.5
    some = rng.choice(len(digits.X), len(images), replace=False)
    scale = height // digits.shape[0]
    enlarged = digits.X[some].reshape(-1, *digits.shape[:2]).repeat(scale, 1).repeat(scale, 2)
    large = np.zeros_like(images)
    large[:, : enlarged.shape[1], : enlarged.shape[2]] = enlarged
    mean, std = images.mean(), images.std()
    noise = np.clip(mean + std * rng.standard_normal(images.shape), 0, 1)
    kinds = {
        "shuffled pixels": np.take_along_axis(test.X, order, axis=1),
        "noise": noise, "digits": large, "negative": 1 - images,
        "upside down": images[:, ::-1], "a quarter turn": np.rot90(images, axes=(1, 2)),
        "occluded": occluded,
    }  # fmt: skip
    return {kind: X.reshape(len(X), -1).astype(test.X.dtype) for kind, X in kinds.items()}


def _scorers(model, train, units, seed):
    """Functions from rows to scores, high for normal ones: the detector's and PCA's."""
    detector = AutoencoderAnomalyDetector(model, criterion="reconstruction", random_state=seed)
    detector.fit(train)
    pca = PCA(min(units, len(train) - 1)).fit(train)

    def residual(X):
        return -np.square(X - pca.inverse_transform(pca.transform(X))).sum(axis=1)

    return {"autoencoder": detector.score_samples, "PCA": residual}


def _area(normal, anomalous):
    return anomaly_metrics(normal, anomalous)["roc_auc"]


def _spreads(runs):
    return {name: spread([run[name] for run in runs]) for name in runs[0]}


def text(results):
    """The section of the page."""
    digits = [[r["class"], shown(r["autoencoder"]), shown(r["PCA"])] for r in results["digits"]]
    means = {
        name: np.mean([r[name]["mean"] for r in results["digits"]])
        for name in ("autoencoder", "PCA")
    }
    digits.append(["mean", shown(means["autoencoder"], 4), shown(means["PCA"], 4)])
    faces = [
        [kind, shown(r["autoencoder"]), shown(r["PCA"])] for kind, r in results["faces"].items()
    ]
    gains = [r["autoencoder"]["mean"] - r["PCA"]["mean"] for r in results["digits"]]
    gain, error = np.mean(gains), np.std(gains, ddof=1) / np.sqrt(len(gains))
    ahead = "is above" if gain > 0 else "is below"
    if abs(gain) <= 2 * error:
        ahead = "cannot be told from"
    below = [k for k, r in results["faces"].items() if r["autoencoder"]["mean"] < r["PCA"]["mean"]]
    return f"""ROC-AUC, the probability that an anomaly scores below a normal picture; scores are
squared reconstruction errors, of PCA with as many components as the network has code units. ±
is the
standard deviation over {results["faces"]["noise"]["PCA"]["runs"]} seeds, each with another split.

**{results["data"][0]}, one class normal** ({results["units"][0]} units): half of the class to
learn from,
its other half against all other classes. In the mean over the classes the detector
{ahead} PCA (difference {gain:+.4f} ± {error:.4f}, standard error over classes).

{table(["normal class", "autoencoder", "PCA"], digits)}

**{results["data"][1]} against what is no face** ({results["units"][1]} units), people split:
normal are
photographs of new people. PCA has the higher mean for: {", ".join(below) or "none of them"}.

{table(["anomalies", "autoencoder", "PCA"], faces)}

![Faces and what is none](not_faces.png)

![Scores](anomalies.png)"""
