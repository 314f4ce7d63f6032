"""Sparse and contractive codes: do the penalties do what they promise, and what do they cost?"""

import numpy as np
from shared import shown, spread, table

from autoencoder import (
    ContractiveAutoencoder,
    ContractivePenalty,
    KLSparsity,
    SparseAutoencoder,
    plots,
)
from autoencoder.evaluation import mse

TITLE = "Sparse and contractive codes"
UNITS = 64
SETTINGS = dict(learning_rate=1e-2, batch_size=32, schedule="cosine")


def run(job):
    """Sweeps of the target activation and of the contractive weight, over seeds."""
    digits = job.digits()
    test = np.arange(len(digits.X)) % 4 == 0
    train, new = digits.X[~test], digits.X[test]
    results = {"data": digits.name, "units": UNITS, "sparse": [], "contractive": []}
    results["mean image"] = mse(new, np.broadcast_to(train.mean(axis=0), new.shape))
    for target in (0.05, 0.2) if job.fast else (0.02, 0.05, 0.1, 0.2):
        rows = [_sparse(job, train, new, target, seed) for seed in job.seeds()]
        results["sparse"].append({"target": target, **_spreads(rows)})
    for weight in (0, 1.0) if job.fast else (0, 0.01, 0.1, 1.0):
        rows = [_contractive(job, train, new, weight, seed) for seed in job.seeds()]
        results["contractive"].append({"weight": weight, **_spreads(rows)})
    return results


def _sparse(job, train, new, target, seed):
    penalty = KLSparsity(target=target, weight=1.5)
    model = SparseAutoencoder(
        UNITS, penalty=penalty, max_epochs=job.epochs(120), random_state=seed, **SETTINGS
    ).fit(train)
    codes = model.transform(new)  # (M, k) in (0, 1)
    if target == 0.05 and seed == 0:
        plots.code_distribution(
            codes, job.folder / "sparse_codes.png",
            title=f"Target activation {target}: codes of new digits",
        )  # fmt: skip
    return {
        "activation": float(codes.mean()),
        "over digits": float(codes.std(axis=0).mean()),
        "mse": mse(new, model.reconstruct(new)),
    }


def _contractive(job, train, new, weight, seed):
    penalty = ContractivePenalty(weight=weight) if weight else None
    model = ContractiveAutoencoder(
        UNITS, penalty=penalty, max_epochs=job.epochs(60), random_state=seed, **SETTINGS
    ).fit(train)
    return {
        "jacobian": jacobian_norm(model, new),
        "mse": mse(new, model.reconstruct(new)),
    }


def jacobian_norm(model, X):
    """The root mean square of ||d code / d x||_F over the rows of X, of one sigmoid layer.

    The closed form of Rifai et al. (2011): the slope of unit j is h_j (1 - h_j).
    """
    codes = model.transform(X).astype(np.float64)  # (M, k)
    weights = model.network_.encoder[0].weight.numpy()  # (D, k)
    squares = (codes * (1 - codes)) ** 2 @ (weights**2).sum(axis=0)  # (M,)
    return float(np.sqrt(squares.mean()))


def _spreads(rows):
    return {key: spread([row[key] for row in rows]) for key in rows[0]}


def text(results):
    """The section of the page."""
    sparse = [
        [
            row["target"],
            shown(row["activation"], 4),
            shown(row["over digits"], 4),
            shown(row["mse"], 4),
        ]
        for row in results["sparse"]
    ]
    contractive = [
        [row["weight"], shown(row["jacobian"]), shown(row["mse"], 4)]
        for row in results["contractive"]
    ]
    norms = [row["jacobian"]["mean"] for row in results["contractive"]]
    falls = (
        "falls with every step of the weight"
        if all(np.diff(norms) < 0)
        else "does not always fall with the weight"
    )
    off = max(abs(r["activation"]["mean"] / r["target"] - 1) for r in results["sparse"])
    return f"""{results["data"]}, a quarter held out, one sigmoid layer of {results["units"]}
code units; ± is
the standard deviation over {results["sparse"][0]["mse"]["runs"]} seeds, and all numbers are of
the held-out digits.

**Sparse.** The weight of the penalty was chosen by hand while looking at these digits. The mean
activation comes within {100 * off:.0f} % of
every target. The deviation of a unit over the digits says that the codes are not merely constant;
without any code, the mean image has an MSE of {results["mean image"]:.4f}.

{table(["target activation", "measured", "deviation over digits", "MSE"], sparse)}

![Activations of a sparse code](sparse_codes.png)

**Contractive.** The norm of the code's Jacobian, the root of the mean of its square, {falls};
weight 0 is the plain autoencoder of the same network.

{table(["weight", "Jacobian norm", "MSE"], contractive)}"""
