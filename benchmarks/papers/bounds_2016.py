"""Variational and importance-weighted autoencoders (Kingma & Welling 2014, Burda et al. 2016).

The same network maximises the bound on log p(x) of 1, 5 or 50 draws. Digits are made black and
white anew in every epoch, each pixel by its grey as a probability, as in the paper.
"""

import numpy as np
from published import IMPORTANCE, VARIATIONAL
from writing import shown, table

from autoencoder import GaussianCode, VariationalAutoencoder

TITLE = "2014 and 2016: tighter bounds"
SOURCES = (VARIATIONAL, IMPORTANCE)
EPOCHS, TEST_DIGITS, TEST_DRAWS = 12, 1000, 500
ACTIVE = 0.01  # variance over the digits of a unit's mean (Burda et al.)
MODELS = {"VAE": 1, "IWAE 5": 5, "IWAE 50": 50}  # draws


def run(job):
    """Bounds on the log-likelihood of held-out digits for each objective."""
    digits = job.digits()
    hidden, units = ((20,), 5) if job.fast else ((200, 200), 50)
    test = digits.test[np.random.default_rng(0).permutation(len(digits.test))[:TEST_DIGITS]]
    test = binary(test, np.random.default_rng(1))
    found = {}
    for name, draws in MODELS.items():
        model = VariationalAutoencoder(
            units, hidden=hidden, activation="tanh", code=GaussianCode(n_draws=draws),
            likelihood="bernoulli", batch_size=20, random_state=0,
        )  # fmt: skip
        _train(job, model, digits.train)
        found[name] = {
            "bound": float(-model.log_likelihood(test, 20 if job.fast else TEST_DRAWS).mean()),
            "elbo": float(-model.elbo(test).mean()),
            "active": int((model.transform(test).var(axis=0) > ACTIVE).sum()),
        }
        print(name, found[name], flush=True)
    return {
        "data": digits.name,
        "sizes": [digits.train.shape[1], *hidden, units],
        "epochs": job.epochs(EPOCHS),
        "test": len(test),
        "draws": TEST_DRAWS,
        "models": found,
    }


def _train(job, model, X):
    """`EPOCHS` epochs, each on other black and white digits; the rate falls in the second half."""
    rng, epochs = np.random.default_rng(2), job.epochs(EPOCHS)
    for epoch in range(epochs):
        left = 1 - epoch / epochs
        model.set_params(learning_rate=1e-3 * min(1.0, 2 * left)).partial_fit(binary(X, rng))


def binary(X, rng):
    """Black and white digits: each pixel is 1 with its grey as the probability."""
    return (rng.random(X.shape, dtype=np.float32) < X).astype(np.float32)


def rows(results):
    """Rows of the table of all papers: what, published, ours, what differs."""
    published, models = IMPORTANCE.numbers, results["models"]
    return [
        [
            f"nats per digit: {', '.join(MODELS)}",
            ", ".join(f"{published[name]:.2f}" for name in MODELS),
            ", ".join(f"{models[name]['bound']:.2f}" for name in MODELS),
            f"{results['epochs']} epochs, not 3,280; {results['draws']} draws, not 5,000",
        ],
        [
            "IWAE 50 less VAE, nats",
            _gap(published),
            _gap({name: model["bound"] for name, model in models.items()}),
            "the same",
        ],
    ]


def _gap(nats):
    return f"{nats['IWAE 50'] - nats['VAE']:+.2f}"


def text(results):
    """The section of the page."""
    models = results["models"]
    lines = [
        [
            name,
            shown(IMPORTANCE.numbers[name], 2),
            shown(found["bound"], 2),
            shown(found["elbo"], 2),
            found["active"],
        ]
        for name, found in models.items()
    ]
    header = ["trained with", "published", "ours", "its lower bound", "active units"]
    shape = "-".join(map(str, results["sizes"]))
    gap = models["IWAE 50"]["bound"] - models["VAE"]["bound"]
    sign = "the sign of the paper" if gap < 0 else "not the sign of the paper"
    return f"""Negative log-likelihood of held-out digits in nats, by networks {shape} with tanh
units; `code=GaussianCode(n_draws=50)` is the importance-weighted objective. {results["data"]};
{results["epochs"]} epochs in batches of 20, of digits made black and white anew in each. "Ours" is
the importance-weighted bound with {results["draws"]} draws for {results["test"]:,} digits, "its
lower bound" the one with a single draw (the ELBO). A unit is active where its mean varies by more
than {ACTIVE} over the digits.

{table(header, lines)}

Between 1 and 50 draws lie {gap:+.2f} nats here and {_gap(IMPORTANCE.numbers)} in the paper:
{sign}. The paper trains for 3,280 epochs of 60,000 digits in batches of 20, and tests on 10,000."""
