"""Anomaly detection: one class of a data set against the others, faces against what is no face."""

import contextlib
import io

import numpy as np
from shared import shown, spread, table
from sklearn import datasets
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.preprocessing import StandardScaler

from autoencoder import Autoencoder, AutoencoderAnomalyDetector, VariationalAutoencoder, plots
from autoencoder.evaluation import anomaly_metrics

TITLE = "Anomaly detection"
FACE_UNITS = 32
OURS = "VAE detector"


def run(job):
    """ROC-AUC of detectors on tables and pictures, and on faces against what is none."""
    faces = job.faces()
    results = {"data": faces.name, "units": FACE_UNITS, "sets": {}}
    for name, X, labels, normal in _sets(job):
        runs = [
            _one_class(job, X[labels == label], X[labels != label], seed)
            for label in normal
            for seed in (job.seeds() if name != "MNIST" else (0,))
        ]
        by_method = {m: float(np.mean([run[m] for run in runs])) for m in runs[0]}
        results["sets"][name] = {"normal": len(normal), "runs": len(runs), "areas": by_method}
    runs = [_faces(job, faces, seed) for seed in job.seeds()]
    results["faces"] = {kind: _spreads([run[kind] for run in runs]) for kind in runs[0]}
    return results


def _sets(job):
    """Real data with classes: name, rows, labels, the classes that are normal in turn."""
    tables = {
        "breast cancer": datasets.load_breast_cancer,
        "wine": datasets.load_wine,
        "iris": datasets.load_iris,
    }
    for name, load in tables.items():
        X, labels = load(return_X_y=True)
        yield name, X, labels, (1,) if job.fast or name == "breast cancer" else range(3)  # benign
    for name, pictures in (("digits", job.digits()), ("MNIST", job.mnist().sides[1])):
        yield name, pictures.X, pictures.labels, (0,) if job.fast else range(10)
    faces = job.faces()
    occluded = not_faces(faces, np.random.default_rng(0), job.digits())["occluded"]
    X = np.concatenate([faces.X, occluded])
    yield "occluded faces", X, np.repeat([0, 1], len(faces.X)), (0,)


def _one_class(job, normal, anomalous, seed):
    """Half of the normal rows to learn from, the other half against the anomalous: areas."""
    order = np.random.default_rng(seed).permutation(len(normal))
    train, test = (normal[side].astype(np.float64) for side in np.array_split(order, 2))
    epochs = 3 if job.fast else "auto"
    detectors = {
        OURS: AutoencoderAnomalyDetector(
            VariationalAutoencoder(max_epochs=epochs), random_state=seed
        ),
        "plain detector": AutoencoderAnomalyDetector(
            Autoencoder(max_epochs=epochs), random_state=seed
        ),
        "IsolationForest": IsolationForest(random_state=seed),
    }
    areas = {
        name: _area(*(detector.fit(train).score_samples(X) for X in (test, anomalous)))
        for name, detector in detectors.items()
    }
    unit = StandardScaler().fit(train)
    train, test, anomalous = (unit.transform(X) for X in (train, test, anomalous))
    count = max(1, min(train.shape[1] // 4, 64, len(train) - 1))  # as the detectors' codes
    residual = _residual(PCA(count).fit(train))
    areas["PCA"] = _area(residual(test), residual(anomalous))
    theirs = _pyod(job, train, seed)
    if theirs is not None:
        areas["pyod's AutoEncoder"] = _area(theirs(test), theirs(anomalous))
    return areas


def _pyod(job, train, seed):
    """A score, high for normal rows, of pyod's autoencoder, untouched; None without pyod."""
    if job.fast:
        return None
    try:
        from pyod.models.auto_encoder import AutoEncoder
    except ImportError:
        return None
    batch = min(32, len(train))  # it trains on whole batches only, and on none of one row
    model = AutoEncoder(batch_size=batch, random_state=seed, verbose=0)
    with contextlib.redirect_stderr(io.StringIO()):
        model.fit(train)
    return lambda X: -model.decision_function(X)


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
    pca = PCA(min(units, len(train) - 1)).fit(train)
    return {"autoencoder": detector.fit(train).score_samples, "PCA": _residual(pca)}


def _residual(pca):
    return lambda X: -np.square(X - pca.inverse_transform(pca.transform(X))).sum(axis=1)


def _area(normal, anomalous):
    return anomaly_metrics(normal, anomalous)["roc_auc"]


def _spreads(runs):
    return {name: spread([run[name] for run in runs]) for name in runs[0]}


def text(results):
    """The section of the page."""
    sets = results["sets"]
    methods = list(next(iter(sets.values()))["areas"])
    areas = np.array([[found["areas"][m] for m in methods] for found in sets.values()])
    ranks = (areas[:, None, :] > areas[:, :, None]).sum(axis=2) + 1.0  # 1 is the best
    ranks += ((areas[:, None, :] == areas[:, :, None]).sum(axis=2) - 1) / 2
    rows = [[name, *(f"{a:.3f}" for a in line)] for name, line in zip(sets, areas, strict=True)]
    rows.append(["mean", *(f"{a:.4f}" for a in areas.mean(axis=0))])
    rows.append(["mean rank", *(f"{r:.1f}" for r in ranks.mean(axis=0))])
    means = dict(zip(methods, areas.mean(axis=0), strict=True))
    above = [m for m in methods if m != OURS and means[m] < means[OURS]]
    not_above = [m for m in methods if m != OURS and means[m] >= means[OURS]]
    verdict = f"In the mean over the sets the {OURS} is above {_list(above)}"
    if not_above:
        verdict += f", and not above {_list(not_above)}"
    counts = ", ".join(f"{name} {found['runs']}" for name, found in sets.items())
    faces = [
        [kind, shown(r["autoencoder"]), shown(r["PCA"])] for kind, r in results["faces"].items()
    ]
    below = [k for k, r in results["faces"].items() if r["autoencoder"]["mean"] < r["PCA"]["mean"]]
    return f"""ROC-AUC, the probability that an anomaly scores below a normal row. Half of a class
to learn from, its other half against all other classes; every class in turn, of breast cancer only
the benign. The {OURS} is `AutoencoderAnomalyDetector(VariationalAutoencoder())`, the plain one
`AutoencoderAnomalyDetector()`, and every method has its defaults; PCA's squared error, of
standardised columns, has as many components as the codes have units. Each line is the mean of so
many runs: {counts}.

{verdict}.

{table(["data", *methods], rows)}

**{results["data"]} against what is no face** ({results["units"]} units), people split: normal are
photographs of new people; ± is the standard deviation over
{results["faces"]["noise"]["PCA"]["runs"]} seeds. PCA has the higher mean for:
{", ".join(below) or "none of them"}.

{table(["anomalies", "autoencoder", "PCA"], faces)}

![Faces and what is none](not_faces.png)

![Scores](anomalies.png)"""


def _list(names):
    return ", ".join(names) if names else "none"
