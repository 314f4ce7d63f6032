"""Pretraining: does a network that has seen many faces without names need fewer names?

All photographs are seen without labels (the setting is transductive); 1, 2 or 5 of each person get
a label, and the others are the test. All methods meet the same draws.
"""

import warnings

import numpy as np
from shared import augmented, shown, spread, table
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from autoencoder import DenoisingAutoencoder, GaussianNoise, plots
from autoencoder.datasets import within_group
from minigrad import losses, nn, no_grad, optim, tensor

TITLE = "Pretraining"
UNITS = 64
NETWORK = dict(hidden=(256,), activation="relu", code="linear", batch_size=64, schedule="cosine")
STEPS = 100  # of Adam, full batches, for the two networks that are trained with labels


def run(job):
    """Accuracies of every method for every draw: method -> label count -> list."""
    faces = job.faces()
    X, names = faces.X, np.unique(faces.labels, return_inverse=True)[1]
    rows = augmented(faces, np.random.default_rng(0), copies=1 if job.fast else 8, reach=1)
    model = DenoisingAutoencoder(UNITS, noise=GaussianNoise(0.2), random_state=0, **NETWORK)
    pretrained = model.set_params(max_epochs=job.epochs(40)).fit(rows)
    untrained = DenoisingAutoencoder(UNITS, max_epochs=0, random_state=0, **NETWORK).fit(rows)
    codes = {
        "pixels": X,
        f"PCA, {UNITS} components": PCA(min(UNITS, len(X) - 1)).fit_transform(X),
        "untrained codes": untrained.transform(X),
        "pretrained codes": pretrained.transform(X),
    }
    shots = (1, 2) if job.fast else (1, 2, 5)
    methods = [*codes, "fine-tuned", "from scratch"]
    results = {name: {str(count): [] for count in shots} for name in methods}
    for count in shots:
        for draw in job.seeds(10):
            test, few = within_group(names, count, np.random.default_rng(draw))
            for name, Z in codes.items():
                guess = _probe(Z[few], names[few], Z[test])
                results[name][str(count)].append(float((guess == names[test]).mean()))
            for name, start in (("fine-tuned", pretrained), ("from scratch", untrained)):
                guess = _classify(job, start, X[few], names[few], X[test], draw)
                results[name][str(count)].append(float((guess == names[test]).mean()))
    people = int(names.max()) + 1
    plots.accuracy_by_labels(
        {name: (shots, [by[str(c)] for c in shots]) for name, by in results.items()},
        job.folder / "pretraining.png", chance=1 / people,
        title=f"Whose face is it? {people} people ({faces.name}), few labels each",
    )  # fmt: skip
    return {"data": faces.name, "people": people, "accuracies": results}


def _probe(codes, labels, new_codes):
    """The guesses of a logistic regression on standardised codes.

    Its weights lie in the span of the labelled codes, so that coordinates there do as well: of 1024
    pixels and 40 labels 40 remain, and the fit is the same and quick.
    """
    scaler = StandardScaler().fit(codes)
    codes, new_codes = scaler.transform(codes), scaler.transform(new_codes)
    span = np.linalg.qr(codes.T)[0]  # (D, min(D, N))
    with warnings.catch_warnings():
        # with one label of each person, scikit-learn wonders whether they are measurements
        warnings.filterwarnings("ignore", "The number of unique classes", UserWarning)
        probe = LogisticRegression(max_iter=5000).fit(codes @ span, labels)
    return probe.predict(new_codes @ span)


def _classify(job, start, X, labels, X_test, seed):
    """Train a copy of the encoder of `start` and a linear layer on labels: guesses for X_test."""
    rng = np.random.default_rng(seed)
    encoder = start.network_.encoder  # of a copy
    head = nn.Dense(UNITS, labels.max() + 1, dtype=X.dtype, rng=rng)
    optimizer = optim.Adam([*encoder.parameters(), *head.parameters()], lr=1e-3)
    for _ in range(5 if job.fast else STEPS):
        loss = losses.cross_entropy(head(encoder(tensor(X))), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with no_grad():
        return head(encoder(tensor(X_test))).numpy().argmax(axis=1)


def text(results):
    """The section of the page."""
    accuracies = results["accuracies"]
    shots = list(accuracies["pixels"])
    rows = [[name, *(shown(spread(by[c])) for c in shots)] for name, by in accuracies.items()]
    verdicts = [
        _verdict(accuracies, ours, theirs, shots)
        for ours, theirs in (
            ("pretrained codes", "pixels"),
            ("pretrained codes", "untrained codes"),
            ("fine-tuned", "from scratch"),
        )
    ]
    return f"""{results["people"]} people ({results["data"]}). The encoder has seen all
photographs without
names; then 1, 2 or 5 of each person get one, and accuracy is that of naming the others. Codes
and pixels
are read by a logistic regression; "fine-tuned" and "from scratch" train the same network and a
linear
layer with the labels, from the pretrained and from new weights. ± is the standard deviation over
{len(accuracies["pixels"][shots[0]])} draws of the labelled photographs, the same ones for every
method.

{table(["accuracy with labels per person", *shots], rows)}

{" ".join(verdicts)}

![Accuracy by labels](pretraining.png)"""


def _verdict(accuracies, ours, theirs, shots):
    """Paired differences over the draws, in points, with their standard errors."""
    parts = []
    for count in shots:
        d = 100 * np.subtract(accuracies[ours][count], accuracies[theirs][count])
        parts.append(f"{d.mean():+.1f} ± {d.std(ddof=1) / np.sqrt(len(d)):.1f}")
    return f"{ours.capitalize()} less {theirs}: {', '.join(parts)} points (± standard error)."
