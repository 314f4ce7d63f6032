"""Pretraining: does a network that has seen many pictures without labels need fewer labels?

The autoencoder reads pictures that are moved and have holes, and has to give back whole ones in
their places. Then a few labels come. All methods meet the same draws of them.

Fine-tuning begins with the frozen code's own classifier and goes on in small steps. With a last
layer of random weights its first gradients, which say nothing, go through the encoder and undo what
it has learnt: on faces such networks ended 6 to 13 points below ones from scratch (A. Kumar et al.,
"Fine-tuning can distort pretrained features", 2022).
"""

import warnings

import numpy as np
from shared import Moved, shown, spread, table
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression

from autoencoder import Autoencoder, plots
from autoencoder.datasets import within_group
from minigrad import losses, nn, no_grad, optim, tensor

TITLE = "Pretraining"
UNITS = 64
EPOCHS = {"digits": 5, "faces": 60}
TUNING = dict(rate=1e-4, steps=30)
SCRATCH = dict(rate=1e-3, steps=100)
TESTED = 2000  # pictures, of those that there are


def run(job):
    """Accuracies of every method for every draw, on digits and on faces."""
    large, faces = job.mnist(), job.faces()
    few, shots = (1, 2) if job.fast else (1, 2, 5), (1, 2) if job.fast else (1, 2, 5, 10)
    learnt, test = large.sides
    test = test.part(slice(TESTED))
    results = {
        "digits": {"data": large.name, **_measure(job, "digits", learnt, shots, test)},
        "faces": {"data": faces.name, **_measure(job, "faces", faces, few)},
    }
    for name, found in results.items():
        by_method = found["accuracies"]
        plots.accuracy_by_labels(
            {m: ([int(c) for c in by], list(by.values())) for m, by in by_method.items()},
            job.folder / f"pretraining_{name}.png", chance=1 / found["classes"],
            title=f"Few labels of each of {found['classes']} classes of {name}",
        )  # fmt: skip
    return results


def _measure(job, name, pictures, shots, test=None):
    """Pretrain on all `pictures`, then draw labels; without a `test` the others are the test."""
    settings = dict(image_shape=pictures.shape, noise=Moved(pictures.shape), batch_size=64)
    pretrained, untrained = (
        Autoencoder(UNITS, max_epochs=epochs, random_state=0, **settings).fit(pictures.X)
        for epochs in (job.epochs(EPOCHS[name]), 0)
    )
    pca = PCA(min(UNITS, len(pictures.X) - 1), random_state=0).fit(pictures.X)
    codes = {
        "pixels": lambda X: X,
        f"PCA, {UNITS} components": pca.transform,
        "untrained codes": untrained.transform,
        "pretrained codes": pretrained.transform,
    }
    labels = np.unique(pictures.labels, return_inverse=True)[1]
    classes = int(labels.max()) + 1
    accuracies = {m: {str(c): [] for c in shots} for m in (*codes, "fine-tuned", "from scratch")}
    for count in shots:
        for draw in job.seeds(10):
            rest, few = within_group(labels, count, np.random.default_rng(draw))
            X, y = pictures.X[few], labels[few]
            X_test, y_test = (
                (pictures.X[rest], labels[rest]) if test is None else (test.X, test.labels)
            )
            guesses = {m: _probe(code(X), y).predict(code(X_test)) for m, code in codes.items()}
            for method, start, how in (
                ("fine-tuned", pretrained, TUNING),
                ("from scratch", untrained, SCRATCH),
            ):
                rng = np.random.default_rng(draw)
                guesses[method] = _classify(start, X, y, X_test, pictures.shape, rng, **how)
            for method, guess in guesses.items():
                accuracies[method][str(count)].append(float((guess == y_test).mean()))
    return {"classes": classes, "accuracies": accuracies}


class _probe:
    """A logistic regression on codes in units of their overall deviation.

    Its weights lie in the span of the labelled codes, so that coordinates there do as well: of 1024
    pixels and 40 labels 40 remain, and the fit is the same and quick.
    """

    def __init__(self, codes, labels):
        self.mean, self.unit = codes.mean(axis=0), codes.std()
        codes = (codes - self.mean) / self.unit
        self.span = np.linalg.qr(codes.T)[0]  # (D, min(D, N))
        with warnings.catch_warnings():
            # with one label of each class, scikit-learn wonders whether they are measurements
            warnings.filterwarnings("ignore", "The number of unique classes", UserWarning)
            self.model = LogisticRegression(max_iter=5000).fit(codes @ self.span, labels)

    def predict(self, codes):
        return self.model.predict((codes - self.mean) / self.unit @ self.span)

    def layer(self, head):
        """The same classifier as the linear layer `head`, which reads the codes as they are."""
        weight = self.span @ self.model.coef_.T / self.unit  # (k, classes)
        bias = self.model.intercept_ - self.mean @ weight
        head.load_state_dict({"weight": weight, "bias": bias})


def _classify(start, X, labels, X_test, shape, rng, *, rate, steps):
    """Train a copy of the encoder of `start` and a linear layer on labels: guesses for X_test.

    Of a pretrained network the layer begins as the classifier of its codes. From scratch it begins
    at random, and the pictures are moved anew for every step, as in the pretraining.
    """
    network = start.network_  # a copy
    head = nn.Dense(UNITS, labels.max() + 1, dtype=X.dtype, rng=rng)
    pretrained, moved = start.n_iter_ > 0, Moved(shape, kept=1.0)
    if pretrained:
        _probe(start.transform(X), labels).layer(head)
    optimizer = optim.Adam([*network.encoder.parameters(), *head.parameters()], lr=rate)
    for _ in range(steps):
        seen = X if pretrained else moved.corrupt(X, rng)
        loss = losses.cross_entropy(head(network.encode(tensor(seen))), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with no_grad():
        parts = [X_test[i : i + 500] for i in range(0, len(X_test), 500)]
        return np.concatenate([head(network.encode(tensor(x))).numpy() for x in parts]).argmax(1)


def text(results):
    """The section of the page."""
    digits, faces = results["digits"], results["faces"]
    runs = len(digits["accuracies"]["pixels"]["1"])
    return f"""The encoder, convolutional and with {UNITS} code units, has seen all pictures without
labels, moved by up to {Moved(()).reach} pixels and with a quarter of them missing, and gave back
whole ones. Then a few of each class get a label. Codes and pixels are read by a logistic
regression; "fine-tuned" begins as pretrained codes with that classifier and takes
{TUNING["steps"]} small steps; "from scratch" trains the same network and a linear layer from new
weights, {SCRATCH["steps"]} steps on moved copies. ± is the standard deviation over {runs} draws of
the labelled pictures, the same ones for every method.

**{digits["data"]}.** Accuracy on {TESTED} new digits. {_verdicts(digits["accuracies"])}

{_table(digits["accuracies"])}

![Accuracy by labels, digits](pretraining_digits.png)

**{faces["data"]}, {faces["classes"]} people.** The test are the photographs without labels, which
the encoder has seen. {_verdicts(faces["accuracies"])}

{_table(faces["accuracies"])}

![Accuracy by labels, faces](pretraining_faces.png)"""


def _table(accuracies):
    shots = list(accuracies["pixels"])
    rows = [[name, *(shown(spread(by[c])) for c in shots)] for name, by in accuracies.items()]
    return table(["accuracy with labels of each class", *shots], rows)


def _verdicts(accuracies):
    """Paired differences over the draws, in points, with their standard errors."""
    sentences = []
    for ours, theirs in (
        ("pretrained codes", "pixels"),
        ("fine-tuned", "pixels"),
        ("fine-tuned", "from scratch"),
    ):
        parts = []
        for count, values in accuracies[ours].items():
            d = 100 * np.subtract(values, accuracies[theirs][count])
            parts.append(f"{d.mean():+.1f} ± {d.std(ddof=1) / np.sqrt(len(d)):.1f}")
        sentences.append(
            f"{ours.capitalize()} less {theirs}: {', '.join(parts)} points (± standard error)."
        )
    return " ".join(sentences)
