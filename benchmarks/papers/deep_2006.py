"""Deep autoencoders against PCA (Hinton & Salakhutdinov 2006), and what pretraining brings."""

import warnings

import logistic_pca
import numpy as np
from published import DEEP
from sklearn.decomposition import PCA
from writing import shown, table

from autoencoder import Autoencoder, plots
from minigrad import sigmoid

TITLE = "2006: deep autoencoders against PCA"
SOURCES = (DEEP,)
DIGIT_EPOCHS, FACE_EPOCHS, LOGISTIC_TURNS = 16, 8, 20
FIGURE = "papers_digits.png"


def run(job):
    """The squared error per held-out picture of every method, on digits and on faces."""
    return {"digits": _digits(job), "faces": _faces(job)}


def _digits(job):
    digits = job.digits()
    train, test = digits.train, digits.test
    hidden, units = ((24, 12), 6) if job.fast else ((1000, 500, 250), 30)
    result, pictures = {"data": digits.name, "epochs": job.epochs(DIGIT_EPOCHS)}, {}
    result["sizes"] = [train.shape[1], *hidden, units]
    pictures["PCA"] = _principal(train, test, units)
    pictures["linear encoder"], pictures["logistic PCA"] = _logistic(job, train, test, units)
    for activation in ("sigmoid", "relu"):
        for pretrained in (False, True):
            model = _deep(job, DIGIT_EPOCHS, pretrained).set_params(
                n_components=units, hidden=hidden, activation=activation, likelihood="bernoulli"
            )
            name = f"{activation}, {'pretrained' if pretrained else 'from scratch'}"
            pictures[name] = _reconstructed(model, train, test)
            print(name, _error(test, pictures[name]), flush=True)
    result["errors"] = {name: _error(test, images) for name, images in pictures.items()}
    if not job.fast:
        _draw(job, digits, pictures)
    return result


def _faces(job):
    patches = job.patches()
    hidden, units = ((24, 12), 6) if job.fast else ((1000, 500, 250), 30)
    pictures = {"PCA": _principal(patches.train, patches.test, units)}
    for pretrained in (False, True):
        model = _deep(job, FACE_EPOCHS, pretrained).set_params(
            n_components=units, hidden=hidden, scale=None
        )
        name = f"relu, {'pretrained' if pretrained else 'from scratch'}"
        pictures[name] = _reconstructed(model, patches.train, patches.test)
    return {
        "data": patches.name,
        "train": len(patches.train),
        "test": len(patches.test),
        "epochs": job.epochs(FACE_EPOCHS),
        "sizes": [patches.train.shape[1], *hidden, units],
        "errors": {name: _error(patches.test, images) for name, images in pictures.items()},
    }


def _deep(job, epochs, pretrained):
    """An autoencoder for `epochs` epochs, half of them pretraining, which costs as much each."""
    half = job.epochs(epochs) // 2
    return Autoencoder(
        batch_size=100, learning_rate=1e-3, random_state=0, pretrain_epochs=half * pretrained,
        max_epochs=half if pretrained else 2 * half,
    )  # fmt: skip


def _reconstructed(model, train, test):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the table says what the diagnosis would
        return model.fit(train).reconstruct(test)


def _principal(train, test, units):
    pca = PCA(units, svd_solver="covariance_eigh").fit(train)
    return pca.inverse_transform(pca.transform(test))


def _logistic(job, train, test, units):
    """Reconstructions by a linear encoder with a logistic decoder, and by logistic PCA."""
    model = Autoencoder(
        units, likelihood="bernoulli", max_epochs=job.epochs(30), batch_size=100, random_state=0
    )
    linear = _reconstructed(model, train, test)
    network, turns = model.network_, job.epochs(LOGISTIC_TURNS)
    layer, first = network.decoder[0], network.offset.numpy()
    start = layer.weight.numpy().T, layer.bias.numpy() + first
    _, axes, offset = logistic_pca.fit(train, model.transform(train), *start, turns)
    codes = model.transform(test)
    for _ in range(turns):
        codes = logistic_pca.improved(test, codes, axes, offset)
    return linear, sigmoid(codes @ axes.T + offset)


def _error(pictures, reconstructed):
    """The mean over pictures of the squared error, summed over their pixels."""
    return float(np.square(pictures - reconstructed, dtype=np.float64).sum(axis=1).mean())


def _draw(job, digits, pictures):
    side = int(np.sqrt(digits.test.shape[1]))
    of_each = [int(np.flatnonzero(digits.test_labels == label)[0]) for label in range(10)]
    best = min((n for n in pictures if "," in n), key=lambda n: _error(digits.test, pictures[n]))
    rows = {"held-out digits": digits.test, f"deep: {best}": pictures[best]}
    rows |= {name: pictures[name] for name in ("logistic PCA", "PCA")}
    plots.image_rows(
        [
            (name, images[of_each].reshape(10, side, side, 1).clip(0, 1))
            for name, images in rows.items()
        ],
        job.page.with_name(FIGURE), columns=10,
        title=f"A held-out digit of each class and its reconstructions from 30 numbers "
        f"({digits.name})",
    )  # fmt: skip


def rows(results):
    """Rows of the table of all papers: what, published, ours, what differs."""
    digits_of, faces_of = results["digits"], results["faces"]
    digits, faces = digits_of["errors"], faces_of["errors"]
    deep, deep_faces = (_best(errors) for errors in (digits, faces))
    published = DEEP.numbers
    return [
        [
            "squared error per digit: deep, logistic PCA, PCA",
            _several([published[n] for n in ("autoencoder", "logistic PCA", "PCA")], 2),
            _several([deep, digits["linear encoder"], digits["PCA"]], 2)
            + f"; logistic PCA {digits['logistic PCA']:.2f} where each digit's code is searched",
            f"{digits_of['data']}; {digits_of['epochs']} epochs",
        ],
        [
            "squared error per patch of a face: deep, PCA",
            _several([published[f"faces, {n}"] for n in ("autoencoder", "PCA")], 0),
            _several([deep_faces, faces["PCA"]], 0),
            f"{faces_of['train']:,} patches cut by our own recipe, half the width, "
            f"{faces_of['epochs']} epochs",
        ],
    ]


def _best(errors):
    return min(error for name, error in errors.items() if "," in name)


def _several(numbers, digits):
    return ", ".join(f"{number:.{digits}f}" for number in numbers)


def text(results):
    """The section of the page."""
    digits, faces = results["digits"], results["faces"]
    lines = [[name, shown(error, 2)] for name, error in digits["errors"].items()]
    face_lines = [[name, shown(error, 1)] for name, error in faces["errors"].items()]
    shape, face_shape = ("-".join(map(str, part["sizes"])) for part in (digits, faces))
    return f"""Networks {shape} with a linear code, cross-entropy and Adam; {digits["data"]}.
"From scratch" is {digits["epochs"]} epochs of the whole network from Glorot's weights;
"pretrained" is half as many of each pair of layers by itself and half as many of the whole, which
takes about the same time (`Autoencoder(pretrain_epochs={digits["epochs"] // 2})`; the paper's
pretraining is by restricted Boltzmann machines). "Linear encoder"
is logistic PCA whose codes come from a linear map, an `Autoencoder` with `likelihood="bernoulli"`
and no hidden layers; "logistic PCA" searches the most likely
code of every digit by itself. How the paper's was found is not known here.

{table(["held-out digits", "squared error"], lines)}

{_verdict(digits["errors"])}

![Digits and their reconstructions]({FIGURE})

Patches of 25x25 pixels from {faces["data"]}, cut by a recipe of our own: turned by up to 90
degrees, scaled by 1.4 to 1.8, the mean of each pixel removed and the mean variance made 1;
{faces["train"]:,} of thirty people to
train on, {faces["test"]:,} of the other ten to test. Networks {face_shape} with the squared error,
{faces["epochs"]} epochs; the paper's is 625-2000-1000-500-30.

{table(["patches of new people", "squared error"], face_lines)}"""


def _verdict(errors):
    gains = []
    for activation in ("sigmoid", "relu"):
        plain, pretrained = (errors[f"{activation}, {n}"] for n in ("from scratch", "pretrained"))
        better = "lowers" if pretrained < plain else "raises"
        gains.append(
            f"{better} the error of {activation} networks by {abs(plain - pretrained):.2f}"
        )
    return f"Pretraining {' and '.join(gains)}."
