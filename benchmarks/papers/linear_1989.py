"""Linear autoencoders have no local minima (Baldi & Hornik 1989): many starts, one error.

The squared error of a linear autoencoder depends on the data by their covariance alone, so the
square root of that, with as many rows as columns, takes their place. One program trains all
networks at once: arrays have the network as their first axis.
"""

import numpy as np
from published import LINEAR
from sklearn.datasets import load_digits
from writing import table

from minigrad import losses, nn, optim, tensor

TITLE = "1989: linear networks have no local minima"
SOURCES = (LINEAR,)
NETWORKS, UNITS, STEPS = 100, 8, 4000


def run(job):
    """The error of every start above that of principal components, relative to it."""
    X = load_digits().data / 16
    deviations = X - X.mean(axis=0)
    values, vectors = np.linalg.eigh(deviations.T @ deviations / len(X))  # rising
    root = (vectors * np.sqrt(values.clip(0))).T  # (64, 64): root.T @ root is the covariance
    networks, steps = (3, 400) if job.fast else (NETWORKS, STEPS)
    errors = _train(root, UNITS, networks, steps)
    pca = values[:-UNITS].sum()
    return {
        "networks": networks, "steps": steps, "units": UNITS, "PCA": float(pca),
        "best": float(errors.min()), "worst": float(errors.max()),
        "saddle": float(pca + values[-UNITS] - values[-UNITS - 1]),
    }  # fmt: skip


def _train(root, units, networks, steps):
    """The squared error of each network after a training: (networks,)."""
    rng = np.random.default_rng(0)
    n = len(root)
    encoder = nn.Parameter(rng.normal(0, 0.3, (networks, n, units)))
    decoder = nn.Parameter(rng.normal(0, 0.3, (networks, units, n)))
    optimizer = optim.Adam([encoder, decoder], lr=optim.CosineDecay(0.02, steps))
    rows, targets = tensor(root), tensor(np.broadcast_to(root, (networks, n, n)).copy())
    for _ in range(steps):
        loss = losses.l2_loss(rows @ encoder @ decoder, targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return np.square(root @ encoder.numpy() @ decoder.numpy() - root).sum(axis=(1, 2))


def rows(results):
    """Rows of the table of all papers: what, published, ours, what differs."""
    above = results["worst"] / results["PCA"] - 1
    return [
        [
            "error of linear autoencoders above PCA's",
            "0 at every minimum (theorem)",
            f"at most {above:.0e} of it, from {results['networks']} starts",
            f"measured on 8x8 digits, {results['units']} units, {results['steps']:,} steps of Adam",
        ]
    ]


def text(results):
    """The section of the page."""
    names = ("PCA", "best", "worst", "saddle")
    header = ["code units", "PCA", "best start", "worst start", "nearest saddle point"]
    line = [results["units"], *(f"{results[name]:.6f}" for name in names)]
    return f"""Squared error per image on the 8x8 digits, of linear autoencoders from
{results["networks"]} starts after {results["steps"]:,} steps of Adam in float64. All other critical
points are saddle points, where the code spans other principal axes than the first ones; the last
column is the error of the nearest one.

{table(header, [line])}"""
