"""Every estimator with untouched defaults on data of several kinds, beside simpler models.

    python benchmarks/defaults.py                       # some half an hour on two idle cores
    python benchmarks/defaults.py --only digits wine    # some of the data
    python benchmarks/defaults.py --page                # docs/defaults.md again, from its numbers

For each data set a fifth of the rows (of the faces: 8 of the 40 people) is held out, and the mean
squared error of their reconstructions is compared with that of the mean, of as many principal
components, of scikit-learn's MLPRegressor with one linear hidden layer of that length, and of
pyod's AutoEncoder (``pip install pyod torch``; left out where it is missing). Data that leave
[0, 1] are measured in standard deviations of their columns. Nothing is tuned, for anyone.
"""

import argparse
import json
import time
import warnings
from pathlib import Path

import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPRegressor
from sklearn.preprocessing import StandardScaler

import autoencoder as ae
from autoencoder import datasets

FOLDER = Path(__file__).resolve().parent.parent / "docs"
KINDS = (
    ae.Autoencoder,
    ae.DenoisingAutoencoder,
    ae.SparseAutoencoder,
    ae.ContractiveAutoencoder,
    ae.VariationalAutoencoder,
)
SEEDS = (0, 1)


# ---------------------------------------------------------------------- rows to train on, to test
def _divide(X):
    order = np.random.default_rng(0).permutation(len(X))
    held_out = len(X) // 5
    return X[order[held_out:]], X[order[:held_out]]


def digits():
    return _divide(load_digits().data.astype(np.float32) / 16)


def mnist(path="mnist"):
    """The 10,000 digits of MNIST's test set."""
    images = datasets.load(path).images[-10_000:]
    return _divide(images.reshape(len(images), -1).astype(np.float32))


def faces():
    data = datasets.load("olivetti")
    rows = data.images.reshape(len(data.images), -1).astype(np.float32)
    strangers = np.isin(data.labels, np.random.default_rng(0).permutation(40)[:8])
    return rows[~strangers], rows[strangers]


def cancer():
    return _divide(load_breast_cancer().data)


def wine():
    return _divide(load_wine().data)


def houses():
    """A table like the California houses: skewed columns of very different sizes, dependent."""
    rng = np.random.default_rng(0)
    income, age, place = rng.gamma(3, 1.3, 4000), rng.uniform(1, 52, 4000), rng.normal(size=4000)
    rooms = 3 + 0.6 * income + rng.gamma(2, 0.4, 4000)
    people = np.exp(7 + 0.5 * rng.normal(size=4000) - 0.01 * age)
    value = 4e4 * income * np.exp(0.3 * place + 0.1 * rng.normal(size=4000)) + 500 * age
    columns = [income, age, rooms, rooms / 5 + 0.05 * rng.normal(size=4000), people]
    columns += [2.5 + rng.gamma(2, 0.3, 4000), 35 + 2 * place, -119 - 1.8 * place, value]
    return _divide(np.stack(columns, axis=1))


DATA = {f.__name__: f for f in (digits, mnist, faces, cancer, wine, houses)}


# ---------------------------------------------------------------------- measuring
def measure(name, *path):
    """The numbers of one data set: errors of baselines, and errors, seconds and words of ours."""
    train, test = DATA[name](*path)
    bounded = train.min() >= 0 and train.max() <= 1
    scaler = StandardScaler(with_mean=not bounded, with_std=not bounded).fit(train)
    X, T = scaler.transform(train), scaler.transform(test)
    k = min(64, -(-X.shape[1] // 4))
    pca = PCA(min(k, len(X)), random_state=0).fit(X)
    result = {
        "rows": len(X),
        "columns": X.shape[1],
        "code": k,
        "mean": _error(X.mean(axis=0), T),
        "PCA": _error(pca.inverse_transform(pca.transform(T)), T),
        "MLPRegressor": _mlp(X, T, k),
        "pyod": _pyod(X, T, k),
        "estimators": {},
    }
    for kind in KINDS:
        runs = [_fit(kind, seed, train, test, scaler) for seed in SEEDS]
        result["estimators"][kind.__name__] = runs
        print(name, kind.__name__, runs, flush=True)
    return result


def _fit(kind, seed, train, test, scaler):
    began = time.process_time()
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        model = kind(random_state=seed).fit(train)
    seconds = time.process_time() - began
    return {
        "error": _error(scaler.transform(model.reconstruct(test)), scaler.transform(test)),
        "train_error": _error(scaler.transform(model.reconstruct(train)), scaler.transform(train)),
        "nats": model.score(test),
        "epochs": model.n_iter_,
        "seconds": seconds,
        "warned": [finding.name for finding in model.diagnosis_ if finding.is_warning],
        "other_warnings": len(seen) - sum(finding.is_warning for finding in model.diagnosis_),
    }


def _error(reconstructed, T):
    return float(np.square(reconstructed - T, dtype=np.float64).mean())


def _mlp(X, T, k):
    """The error and the seconds of scikit-learn's network with k linear hidden units."""
    began = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        network = MLPRegressor(hidden_layer_sizes=(k,), activation="identity", random_state=0)
        network.fit(X, X)
    return [_error(network.predict(T), T), time.process_time() - began]


def _pyod(X, T, k):
    """The error and the seconds of pyod's AutoEncoder with a code of k, or None without pyod."""
    try:
        import torch
        from pyod.models.auto_encoder import AutoEncoder
    except ImportError:
        return None
    began = time.process_time()
    widths = [max(2 * k, 4), k]
    model = AutoEncoder(hidden_neuron_list=widths, preprocessing=False, verbose=0, random_state=0)
    model.fit(X)
    with torch.no_grad():
        outputs = model.model(torch.as_tensor(T, dtype=torch.float32)).numpy()
    return [_error(outputs, T), time.process_time() - began]


# ---------------------------------------------------------------------- the page
def page(results):
    """docs/defaults.md from the numbers."""
    lines = [
        "# What untouched estimators do",
        "",
        "Mean squared errors of rows that were held out, two seeds each, measured by",
        "`python benchmarks/defaults.py`; `cancer`, `wine` and `houses` in standard deviations of",
        "their columns, though given raw. *Mean*: every row is rebuilt as the mean of the training",
        "rows. *PCA*: principal components, as many as the code has numbers. *MLPRegressor*:",
        "scikit-learn's, with one linear hidden layer of that width. *pyod*: its AutoEncoder with",
        "a code of that length. None of them is tuned. Seconds are those of the CPU for one fit, on "
        f"{results['machine']}.",
        "",
    ]
    for name, r in results["data"].items():
        lines += [
            f"## {name}: {r['rows']} rows of {r['columns']} numbers, codes of {r['code']}",
            "",
            "| | error | of PCA's | nats | epochs | seconds | warns of |",
            "|---|---|---|---|---|---|---|",
            f"| mean | {r['mean']:.4g} | {r['mean'] / r['PCA']:.2f} | | | | |",
            f"| PCA | {r['PCA']:.4g} | 1 | | | | |",
        ]
        for other in ("MLPRegressor", "pyod"):
            if r[other] is not None:
                error, seconds = r[other]
                ratio = error / r["PCA"]
                lines.append(f"| {other} | {error:.4g} | {ratio:.2f} | | | {seconds:.1f} | |")
        for kind, runs in r["estimators"].items():
            errors = ", ".join(f"{run['error']:.4g}" for run in runs)
            ratios = ", ".join(f"{run['error'] / r['PCA']:.2f}" for run in runs)
            nats = ", ".join(f"{run['nats']:.1f}" for run in runs)
            epochs = ", ".join(str(run["epochs"]) for run in runs)
            seconds = ", ".join(f"{run['seconds']:.1f}" for run in runs)
            warned = "; ".join(sorted({w for run in runs for w in run["warned"]}))
            cells = (f"**{kind}**", errors, ratios, nats, epochs, seconds, warned)
            lines.append(f"| {' | '.join(cells)} |")
        lines.append("")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--only", nargs="+", choices=DATA, default=list(DATA), help="these data")
    parser.add_argument("--digits", metavar="PATH", help="where MNIST's test digits are (.npz)")
    parser.add_argument("--page", action="store_true", help="only write the page again")
    parser.add_argument("--machine", default="this machine", help="its name, for the page")
    options = parser.parse_args()
    numbers = FOLDER / "defaults.json"
    known = json.loads(numbers.read_text()) if numbers.exists() else {"data": {}}
    if not options.page:
        known["machine"] = options.machine
        for name in options.only:
            path = [options.digits] if name == "mnist" and options.digits else []
            known["data"][name] = measure(name, *path)
            numbers.write_text(json.dumps(known, indent=1))
    known["data"] = {name: known["data"][name] for name in DATA if name in known["data"]}
    (FOLDER / "defaults.md").write_text(page(known))


if __name__ == "__main__":
    main()
