"""Deep autoencoders of digits against PCA (Hinton & Salakhutdinov 2006), and what pretraining
brings."""

import warnings

import logistic_pca
import numpy as np
from published import DEEP
from sklearn.decomposition import PCA
from writing import shown, table

from autoencoder import Autoencoder, plots
from minigrad import sigmoid

TITLE = "2006: deep autoencoders of digits"
SOURCES = (DEEP,)
EPOCHS, LOGISTIC_TURNS = 16, 20
FIGURE = "papers_digits.png"


def run(job):
    """The squared error per held-out digit of every method."""
    digits = job.digits()
    train, test = digits.train, digits.test
    hidden, units = ((24, 12), 6) if job.fast else ((1000, 500, 250), 30)
    result, pictures = {"data": digits.name, "epochs": job.epochs(EPOCHS)}, {}
    result["sizes"] = [train.shape[1], *hidden, units]
    pictures["PCA"] = principal(train, test, units)
    pictures["linear encoder"], pictures["logistic PCA"] = _logistic(job, train, test, units)
    for activation in ("sigmoid", "relu"):
        for pretrained in (False, True):
            model = deep(job.epochs(EPOCHS), pretrained).set_params(
                n_components=units, hidden=hidden, activation=activation, likelihood="bernoulli"
            )
            name = f"{activation}, {'pretrained' if pretrained else 'from scratch'}"
            pictures[name] = reconstructed(model, train, test)
            print(name, squared_error(test, pictures[name]), flush=True)
    result["errors"] = {name: squared_error(test, images) for name, images in pictures.items()}
    if not job.fast:
        _draw(job, digits, pictures, units)
    return result


def deep(epochs, pretrained):
    """An autoencoder for `epochs` epochs, half of them pretraining, which costs as much each."""
    half = epochs // 2 if pretrained else 0
    return Autoencoder(
        batch_size=100, learning_rate=1e-3, random_state=0, pretrain_epochs=half,
        max_epochs=epochs - half,
    )  # fmt: skip


def reconstructed(model, train, test):
    """What a `model` fitted to the rows `train` makes of `test`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the table says what the diagnosis would
        return model.fit(train).reconstruct(test)


def principal(train, test, units):
    """What as many principal components of `train` make of `test`."""
    pca = PCA(units, svd_solver="covariance_eigh").fit(train)
    return pca.inverse_transform(pca.transform(test))


def _logistic(job, train, test, units):
    """Reconstructions by a linear encoder with a logistic decoder, and by logistic PCA."""
    model = Autoencoder(
        units, likelihood="bernoulli", max_epochs=job.epochs(30), batch_size=100, random_state=0
    )
    linear = reconstructed(model, train, test)
    network, turns = model.network_, job.epochs(LOGISTIC_TURNS)
    layer, first = network.decoder[0], network.offset.numpy()
    start = layer.weight.numpy().T, layer.bias.numpy() + first
    _, axes, offset = logistic_pca.fit(train, model.transform(train), *start, turns)
    codes = model.transform(test)
    for _ in range(turns):
        codes = logistic_pca.improved(test, codes, axes, offset)
    return linear, sigmoid(codes @ axes.T + offset)


def squared_error(pictures, reconstructed):
    """The mean over pictures of the squared error, summed over their pixels."""
    return float(np.square(pictures - reconstructed, dtype=np.float64).sum(axis=1).mean())


def _draw(job, digits, pictures, units):
    side = int(np.sqrt(digits.test.shape[1]))
    of_each = [int(np.flatnonzero(digits.test_labels == label)[0]) for label in range(10)]
    best = min(
        (n for n in pictures if "," in n), key=lambda n: squared_error(digits.test, pictures[n])
    )
    rows = {"held-out digits": digits.test, f"deep: {best}": pictures[best]}
    rows |= {name: pictures[name] for name in ("logistic PCA", "PCA")}
    plots.image_rows(
        [
            (name, images[of_each].reshape(10, side, side, 1).clip(0, 1))
            for name, images in rows.items()
        ],
        job.page.with_name(FIGURE), columns=10,
        title=f"A held-out digit of each class and its reconstructions from {units} numbers",
    )  # fmt: skip


def rows(results):
    """Rows of the table of all papers: what, published, ours, what differs."""
    errors, published = results["errors"], DEEP.numbers
    searched = f"{errors['logistic PCA']:.2f} where each digit's code is searched"
    return [
        [
            "squared error per digit: deep",
            f"{published['autoencoder']:.2f}",
            f"{best(errors):.2f}, the best of four below",
            f"{results['data']}; {results['epochs']} epochs",
        ],
        [
            "the same: sigmoid network from scratch, pretrained",
            f"the average image (said of curves), {published['autoencoder']:.2f}",
            f"{errors['sigmoid, from scratch']:.2f}, {errors['sigmoid, pretrained']:.2f}",
            "the same; pairs of layers in place of Boltzmann machines",
        ],
        [
            "the same: logistic PCA",
            f"{published['logistic PCA']:.2f}",
            f"{errors['linear encoder']:.2f} with a linear encoder, {searched}",
            "the same data; the paper's way to the codes is not known here",
        ],
        [
            "the same: PCA",
            f"{published['PCA']:.2f}",
            f"{errors['PCA']:.2f}",
            "the same data",
        ],
    ]


def best(errors):
    """The least error of the deep networks, those with two words to their names."""
    return min(error for name, error in errors.items() if "," in name)


def text(results):
    """The section of the page."""
    errors, shape = results["errors"], "-".join(map(str, results["sizes"]))
    lines = [[name, shown(error, 2)] for name, error in errors.items()]
    wins = "below" if errors["logistic PCA"] < best(errors) else "above"
    return f"""Networks {shape} with a linear code, cross-entropy and Adam; {results["data"]}.
"From scratch" is {results["epochs"]} epochs of the whole network from Glorot's weights;
"pretrained" is half as many of each pair of layers by itself and half as many of the whole, which
takes about the same time (`Autoencoder(pretrain_epochs={results["epochs"] // 2})`; the paper's
pretraining is by restricted Boltzmann machines). "Linear encoder" is logistic PCA whose codes come
from a linear map, an `Autoencoder` with `likelihood="bernoulli"` and no hidden layers; "logistic
PCA" searches the most likely code of every digit by itself.

{table(["held-out digits", "squared error"], lines)}

{_verdict(errors)} Logistic PCA with searched codes ends {wins} the best network.

![Digits and their reconstructions]({FIGURE})"""


def _verdict(errors):
    changes = []
    for activation in ("sigmoid", "relu"):
        change = errors[f"{activation}, pretrained"] - errors[f"{activation}, from scratch"]
        changes.append(f"{change:+.2f} for {activation} networks")
    return f"Pretraining changes the error by {' and '.join(changes)}."
