"""Deep autoencoders of patches of faces against PCA (Hinton & Salakhutdinov 2006, figure 2C)."""

from deep_2006 import best, deep, principal, reconstructed, squared_error
from published import DEEP
from writing import shown, table

TITLE = "2006: deep autoencoders of faces"
SOURCES = (DEEP,)
EPOCHS = 4


def run(job):
    """The squared error per patch of new people of every method."""
    patches = job.patches()
    train, test = patches.train, patches.test
    hidden, units = ((24, 12), 6) if job.fast else ((500, 250), 30)
    both = {"new": test, "seen": train[:: max(1, len(train) // len(test))]}
    errors = {"PCA": _errors(both, lambda rows: principal(train, rows, units))}
    for pretrained in (False, True):
        model = deep(job.epochs(EPOCHS), pretrained).set_params(
            n_components=units, hidden=hidden, learning_rate=2e-3, scale=None
        )
        name = f"relu, {'pretrained' if pretrained else 'from scratch'}"
        reconstructed(model, train, test)
        errors[name] = _errors(both, model.reconstruct)
        print(name, errors[name], flush=True)
    return {
        "data": patches.name,
        "train": len(train),
        "test": len(test),
        "epochs": job.epochs(EPOCHS),
        "sizes": [train.shape[1], *hidden, units],
        "errors": {name: each["new"] for name, each in errors.items()},
        "seen": {name: each["seen"] for name, each in errors.items()},
    }


def _errors(patches, method):
    return {name: squared_error(rows, method(rows)) for name, rows in patches.items()}


def rows(results):
    """Rows of the table of all papers: what, published, ours, what differs."""
    errors, published = results["errors"], DEEP.numbers
    return [
        [
            "squared error per patch of a face: deep, PCA",
            f"{published['faces, autoencoder']}, {published['faces, PCA']}",
            f"{best(errors):.0f} (the better of two), {errors['PCA']:.0f}",
            f"patches cut by our own recipe; {_shape(results)}, {results['epochs']} epochs",
        ]
    ]


def _shape(results):
    return "-".join(map(str, results["sizes"]))


def text(results):
    """The section of the page."""
    errors, seen = results["errors"], results["seen"]
    lines = [[name, shown(errors[name], 1), shown(seen[name], 1)] for name in errors]
    ratio = best(errors) / errors["PCA"]
    published = DEEP.numbers["faces, autoencoder"] / DEEP.numbers["faces, PCA"]
    return f"""Patches of 25x25 pixels from {results["data"]}, cut by a recipe of our own: turned by
up to 90 degrees, scaled by 1.4 to 1.8, the mean of each pixel removed and the mean variance made 1;
{results["train"]:,} patches of thirty people to train on, {results["test"]:,} of the other ten to
test. Networks {_shape(results)} with the squared error, {results["epochs"]} epochs; the paper's is
625-2000-1000-500-30.

{table(["squared error", "new people", "the thirty"], lines)}

On new people the better network has {ratio:.2f} of PCA's error, and {best(seen) / seen["PCA"]:.2f}
on those it was trained on; the paper's has {published:.2f} on its test patches."""
