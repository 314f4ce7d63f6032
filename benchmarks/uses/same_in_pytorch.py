"""The same networks in PyTorch: does what comes out belong to the package, or to the method?

PyTorch's networks begin with the same weights, take as many steps with batches of the same size and
each epoch's learning rate, and draw their order and noise by themselves. Their last weights are put
into an estimator, so that both are measured by the same function.
"""

from typing import NamedTuple

import numpy as np
from shared import shown, spread, table
from sklearn.base import clone

from autoencoder import Autoencoder, DenoisingAutoencoder, VariationalAutoencoder, budget
from autoencoder.evaluation import mse
from minigrad.interchange import from_torch_state_dict, to_torch_state_dict

TITLE = "The same networks in PyTorch"
STD = 0.2  # of a DenoisingAutoencoder's noise


def run(job):
    """Errors and bounds of new digits, ours and PyTorch's, over seeds."""
    digits, large = job.digits(), job.mnist()
    quarter = len(digits.X) // 4
    known, new = digits.X[quarter:], digits.X[:quarter]
    black = [_black_and_white(side.X, seed) for seed, side in enumerate(large.sides)]
    epochs = dict(max_epochs=3) if job.fast else {}
    plain, deep = Autoencoder(16, hidden=(256,)), DenoisingAutoencoder(16, hidden=(256,))
    drawn = VariationalAutoencoder(20, hidden=(200,), likelihood="bernoulli")
    cases = {
        "`Autoencoder` 64-256-16, squared error": (plain, known, new, _error),
        "`DenoisingAutoencoder` 64-256-16, squared error": (deep, known, new, _error_of_noisy),
        "`VariationalAutoencoder` 784-200-20, nats": (drawn, *black, _nats),
    }
    rows = {}
    for name, (model, *data, measure) in cases.items():
        models = [clone(model).set_params(random_state=s, **epochs) for s in job.seeds()]
        pairs = [_both(model, *data, measure) for model in models]
        rows[name] = [spread(values) for values in zip(*pairs, strict=True)]
    return {"data": [digits.name, large.name], "rows": rows}


def _error(model, new):
    return mse(new, model.reconstruct(new))


def _error_of_noisy(model, new):
    noise = np.random.default_rng(1).standard_normal(new.shape, dtype=new.dtype)
    return mse(new, model.reconstruct(new + STD * noise))


def _nats(model, new):
    return float(model.elbo(new).mean())


def _black_and_white(X, seed):
    return (np.random.default_rng(seed).random(X.shape) < X).astype(np.float32)


def _both(model, X, new, measure):
    """What `measure` says of the estimator `model` and of its like, trained by PyTorch."""
    like = clone(model).set_params(max_epochs=0).fit(X)
    model.fit(X)
    network = like.network_  # a copy
    twin = _Twin(
        kind=type(model).__name__,
        rates=model.history_["learning_rate"],
        batch_size=budget.batch_size(len(X)),
        center=network.center.numpy(),
        offset=network.offset.numpy(),
    )
    twin.train(network, X, seed=model.random_state)
    like.network_ = network
    return measure(model, new), measure(like, new)


class _Twin(NamedTuple):
    """How PyTorch trains: nothing in it is of this package but the first weights."""

    kind: str
    rates: list  # learning rate of each epoch
    batch_size: int
    center: np.ndarray  # (D,), subtracted from what the encoder reads
    offset: np.ndarray  # (D,), added to what the decoder says

    def train(self, network, X, seed):
        """Train a copy of `network` on `X` (N, D) and give its last weights to `network`."""
        import torch

        generator = torch.Generator().manual_seed(seed)
        halves = [_of_pytorch(torch, half) for half in (network.encoder, network.decoder)]
        optimizer = torch.optim.Adam([p for half in halves for p in half.parameters()])
        X = torch.from_numpy(X)
        for rate in self.rates:
            optimizer.param_groups[0]["lr"] = rate
            order = torch.randperm(len(X), generator=generator)
            for batch in order.split(self.batch_size):
                loss = self._loss(torch, halves, X[batch], generator)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
        for ours, theirs in zip((network.encoder, network.decoder), halves, strict=True):
            ours.load_state_dict(from_torch_state_dict(ours, theirs.state_dict()))

    def _loss(self, torch, halves, x, generator):
        """Nats per row, as PyTorch's users would write them."""
        encoder, decoder = halves
        seen = x
        if self.kind == "DenoisingAutoencoder":
            seen = x + STD * torch.randn(x.shape, generator=generator)
        h = encoder(seen - torch.from_numpy(self.center))
        if self.kind != "VariationalAutoencoder":
            t = decoder(h) + torch.from_numpy(self.offset)
            return ((t - x) ** 2).sum() / 2 / len(x)
        mean, log_variance = h.chunk(2, dim=1)
        z = mean + (log_variance / 2).exp() * torch.randn(mean.shape, generator=generator)
        t = decoder(z) + torch.from_numpy(self.offset)
        wrong = torch.nn.functional.binary_cross_entropy_with_logits(t, x, reduction="sum")
        divergence = (mean**2 + log_variance.exp() - 1 - log_variance).sum() / 2
        return (wrong + divergence) / len(x)


def _of_pytorch(torch, half):
    """The dense layers of an encoder or decoder in PyTorch, with their weights."""
    layers = []
    for layer in half.layers:
        layers.append(torch.nn.Linear(*layer.weight.shape))
        layers += [torch.nn.ReLU()] * (layer.activation == "relu")
    made = torch.nn.Sequential(*layers)
    weights = {name: torch.from_numpy(w.copy()) for name, w in to_torch_state_dict(half).items()}
    made.load_state_dict(weights)
    return made


def text(results):
    """The section of the page."""
    rows = [[name, *(shown(v, 4) for v in values)] for name, values in results["rows"].items()]
    small, large = results["data"]
    return f"""The first two on a quarter of {small}, held out; the last on black and white digits,
{large}. All have the estimators' defaults but for the widths. PyTorch's networks begin with
the same weights and have as many steps, the same batches' size and each epoch's learning rate;
order and noise are their own. Both are measured by the same function; ± is the standard deviation
over {results["rows"][next(iter(results["rows"]))][0]["runs"]} seeds.

{table(["network, and what is measured", "this package", "PyTorch"], rows)}"""
