"""Denoising and contractive codes against plain ones (Vincent et al. 2010, Rifai et al. 2011).

One layer of sigmoid units with tied weights is trained without labels; a logistic regression then
reads its codes with few labels.
"""

import warnings

import numpy as np
from published import CONTRACTIVE, DENOISING
from writing import shown, spread, table

from autoencoder import Autoencoder, ContractivePenalty, GaussianNoise, MaskingNoise, WeightDecay
from autoencoder.evaluation import linear_probe
from autoencoder.parts.penalty import Batch
from minigrad import tensor

TITLE = "2010 and 2011: denoising and contractive codes"
SOURCES = (DENOISING, CONTRACTIVE)
UNITS, EPOCHS, DRAWS = 500, 15, 10
LABELS = (1, 5, 10)  # of each class
KINDS = {  # as in the papers, strengths chosen once and not tuned
    "AE": {},
    "AE+wd": {"penalty": WeightDecay(1e-3)},
    "DAE-b": {"noise": MaskingNoise(0.25)},
    "DAE-g": {"noise": GaussianNoise(0.3)},
    "CAE": {"penalty": ContractivePenalty(0.3)},
}


def run(job):
    """Errors in percent by kind of code and number of labels, and the norm of the Jacobian."""
    digits, units = job.digits(), 20 if job.fast else UNITS
    kinds = {"pixels": None, "untrained": {"max_epochs": 0}, **KINDS}
    few = {
        str(count): [_draw(digits.train_labels, count, seed) for seed in range(job.epochs(DRAWS))]
        for count in LABELS
    }
    found = {}
    for name, params in kinds.items():
        model = None if params is None else _trained(job, digits.train, units, params)
        codes = [X if model is None else model.transform(X) for X in (digits.train, digits.test)]
        found[name] = {
            "errors": {count: _errors(digits, *codes, draws) for count, draws in few.items()},
            "jacobian": None if model is None else jacobian_norm(model, digits.test[:1000]),
        }
        print(name, found[name], flush=True)
    return {
        "data": digits.name,
        "sizes": [digits.train.shape[1], units],
        "epochs": job.epochs(EPOCHS),
        "kinds": found,
    }


def _trained(job, X, units, params):
    settings = {"max_epochs": job.epochs(EPOCHS), **params}
    model = Autoencoder(
        units, code="sigmoid", tied=True, likelihood="bernoulli", batch_size=100, random_state=0,
        **settings,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that units are silent is not the question
        return model.fit(X)


def _draw(labels, count, seed):
    """Indices of `count` rows of each class."""
    order = np.random.default_rng(seed).permutation(len(labels))
    return np.concatenate([order[labels[order] == c][:count] for c in np.unique(labels)])


def _errors(digits, train, test, draws):
    """The share of wrong answers for the test digits in percent, for each draw of labels."""
    right = [linear_probe(train[few], digits.train_labels[few], test, digits.test_labels)
             for few in draws]  # fmt: skip
    return [100 * (1 - accuracy) for accuracy in right]


def jacobian_norm(model, X):
    """The root of the mean over the rows of `X` of ||d code / d x||_F squared."""
    network, code = model.network_, model._code
    x = tensor(X)
    batch = Batch(network, code, x, network.encode(x), None, None, {})
    return float(np.sqrt(ContractivePenalty(weight=1.0)(batch).item()))


def rows(results):
    """Rows of the table of all papers: what, published, ours, what differs."""
    names = list(KINDS)
    published = ", ".join(f"{CONTRACTIVE.numbers[name][0]:.2f}" for name in names)
    many = str(LABELS[-1])
    ours = [np.mean(results["kinds"][name]["errors"][many]) for name in names]
    stacked = DENOISING.numbers
    short = f"{results['epochs']} epochs; {many} labels of a class, no fine-tuning"
    plain, masked = (results["kinds"][n]["errors"][many] for n in ("AE", "DAE-b"))
    return [
        [
            "error of plain, of denoising codes, %",
            f"{stacked['SAE-3']}, {stacked['SDAE-3']}",
            f"{np.mean(plain):.1f}, {np.mean(masked):.1f}",
            f"plain digits, not rotated before pictures; one layer, {short}",
        ],
        [
            f"error of {', '.join(names)}, %",
            published,
            ", ".join(f"{error:.1f}" for error in ours),
            f"half the units, nothing tuned, {short}",
        ],
    ]


def text(results):
    """The section of the page."""
    kinds = results["kinds"]
    lines = []
    for name, found in kinds.items():
        norm = "" if found["jacobian"] is None else shown(found["jacobian"], 2)
        published = CONTRACTIVE.numbers.get(name, ("", ""))
        errors = [shown(spread(found["errors"][str(count)]), 1) for count in LABELS]
        lines.append([name, *errors, norm, *published])
    header = ["code", *(f"error %, {n} of a class" for n in LABELS), "Jacobian"]
    header += ["published error %", "published norm, 1e-4"]
    size, units = results["sizes"]
    return f"""A layer of {units} sigmoid units on {size} pixels, tied weights, cross-entropy,
{results["epochs"]} epochs without labels ({results["data"]}). Then 1, 5 or 10 digits of each class
get a label, and a logistic regression names the held-out digits; ± is the standard deviation over
{len(kinds["AE"]["errors"][str(LABELS[0])])} draws of the labelled digits, the same ones for every
code. "AE+wd" has weight decay, "DAE-b" hides a quarter of the pixels, "DAE-g" adds noise of
deviation 0.3, "CAE" has the contractive penalty. The Jacobian's norm is the root of its mean square
over held-out digits; the paper's is scaled otherwise, so only the order compares. The papers train
1,000 units or three layers, choose the strength of noise and penalty on validation digits, and
fine-tune with all labels; here each strength was chosen once, and there was one training.

{table(header, lines)}

{" ".join(_against_plain(kinds, name) for name in list(KINDS)[1:])} The order of the norms is
{_order(kinds)}that of the paper."""


def _order(kinds):
    """ "not " where the kinds differ in the order of their Jacobians from the paper's."""
    ours = sorted(KINDS, key=lambda name: kinds[name]["jacobian"])
    theirs = sorted(KINDS, key=lambda name: CONTRACTIVE.numbers[name][1])
    return "" if ours == theirs else "not "


def _against_plain(kinds, name):
    """The paired difference to the plain code over all draws, with the most labels."""
    count = str(LABELS[-1])
    d = np.subtract(kinds[name]["errors"][count], kinds["AE"]["errors"][count])
    error = d.std(ddof=1) / np.sqrt(len(d))
    return f"{name} less AE with {count} labels: {d.mean():+.2f} ± {error:.2f} points."
