"""A fit of small tables, 50 epochs of batches of 32: minigrad's `Autoencoder` beside scikit-learn's
`MLPRegressor(X, X)`, PyTorch and pyod's `AutoEncoder`.

    python benchmarks/small_data.py
    python benchmarks/small_data.py --tables digits --rounds 10

All have the same layers, Adam at the same rate, the same rows in float32 and as many steps; pyod
leaves out the last batch. Beside the time stands the loss that was reached: half the squared error
of a row of the training data, after the fit. `MLPRegressor` and pyod have a relu on the code, too,
so the estimator is fitted with a relu code as well as with its own. A fit includes all that the
call does, such as codes and diagnosis (minigrad) or scores of outliers (pyod).
"""

import argparse
import functools
import warnings

import numpy as np
import our_kernels
from interleaved import PASSIVE, compare, machine, table

EPOCHS, BATCH, RATE = 50, 32, 0.002
SIZES = {"digits": (64, 16), "cancer": (32, 8), "wine": (16, 4)}  # hidden, code


def rows_of(name):
    """The rows of a table that comes with scikit-learn, in [0, 1] or in standard deviations."""
    from sklearn import datasets

    load = {"cancer": "breast_cancer"}.get(name, name)
    X = getattr(datasets, f"load_{load}")().data
    X = X / 16 if name == "digits" else (X - X.mean(axis=0)) / X.std(axis=0)
    return X.astype(np.float32)


def loss_of(X, reconstruct):
    return lambda: float(np.square(reconstruct(X) - X).sum(axis=1).mean() / 2)


# ---------------------------------------------------------------------- the programs
def autoencoder(X, hidden, k, code="linear", native=True):
    from autoencoder import Autoencoder

    warnings.simplefilter("ignore")  # of the diagnosis: PCA would do as well
    our_kernels.use(native)
    model = Autoencoder(
        k, hidden=(hidden,), code=code, scale=None, max_epochs=EPOCHS, batch_size=BATCH,
        learning_rate=RATE, schedule=None, random_state=0,
    )  # fmt: skip

    def fit():
        model.fit(X)
        return loss_of(X, lambda X: model.inverse_transform(model.transform(X)))

    return fit


def mlp_regressor(X, hidden, k):
    from sklearn.neural_network import MLPRegressor

    warnings.simplefilter("ignore")  # all epochs are made, whether it has converged or not
    model = MLPRegressor(
        hidden_layer_sizes=(hidden, k, hidden), alpha=0, batch_size=BATCH, max_iter=EPOCHS,
        learning_rate_init=RATE,
        tol=0, n_iter_no_change=EPOCHS + 1, random_state=0,
    )  # fmt: skip
    return lambda: loss_of(X, model.fit(X, X).predict)


def torch_loop(X, hidden, k, loader):
    """As a user writes it, with a `DataLoader` or, faster, by indexing the rows."""
    import torch
    from torch import nn
    from torch.utils.data import DataLoader, TensorDataset

    data = torch.from_numpy(X)

    def batches():
        if loader:
            return (x for (x,) in DataLoader(TensorDataset(data), batch_size=BATCH, shuffle=True))
        return (data[rows] for rows in torch.randperm(len(data)).split(BATCH))

    def fit():
        torch.manual_seed(0)
        model = nn.Sequential(
            nn.Linear(X.shape[1], hidden), nn.ReLU(), nn.Linear(hidden, k),
            nn.Linear(k, hidden), nn.ReLU(), nn.Linear(hidden, X.shape[1]),
        )  # fmt: skip
        optimizer = torch.optim.Adam(model.parameters(), lr=RATE)
        for _ in range(EPOCHS):
            total = 0.0
            for x in batches():
                loss = ((model(x) - x) ** 2).sum(dim=1).mean() / 2
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                total += loss.item() * len(x)
        return loss_of(X, lambda X: model(torch.from_numpy(X)).detach().numpy())

    return fit


def pyod(X, hidden, k):
    import torch
    from pyod.models.auto_encoder import AutoEncoder

    def fit():
        model = AutoEncoder(
            hidden_neuron_list=[hidden, k], batch_norm=False, dropout_rate=0.0,
            preprocessing=False, epoch_num=EPOCHS, batch_size=BATCH, lr=RATE,
            optimizer_params={"weight_decay": 0.0}, verbose=0, random_state=0, device="cpu",
        )  # fmt: skip
        model.fit(X)
        return loss_of(X, lambda X: model.model(torch.from_numpy(X)).detach().numpy())

    return fit


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--tables", nargs="*", choices=SIZES, default=list(SIZES))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--native", choices=("both", "on", "off"), default="both",
                        help="minigrad's compiled kernels, where it has some")  # fmt: skip
    options = parser.parse_args()
    print(f"{machine()}\n{our_kernels.sentence()}")
    on = options.native != "off"
    for name in options.tables:
        X, (hidden, k) = rows_of(name), SIZES[name]
        given = X, hidden, k
        part = functools.partial
        programs = {"minigrad": part(autoencoder, *given, native=on)}
        programs["minigrad, relu code"] = part(autoencoder, *given, code="relu", native=on)
        if options.native == "both" and our_kernels.compiled():
            programs["minigrad, NumPy's kernels"] = part(autoencoder, *given, native=False)
        programs |= {
            "MLPRegressor": part(mlp_regressor, *given),
            "PyTorch": part(torch_loop, *given, loader=False),
            "PyTorch, DataLoader": part(torch_loop, *given, loader=True),
            "pyod": part(pyod, *given),
        }
        passive = {each: PASSIVE for each in programs}
        results = compare(programs, options.rounds, 1, warm_up=1, environments=passive)
        layers = "-".join(map(str, (X.shape[1], hidden, k, hidden, X.shape[1])))
        title = f"{name}, {len(X):,} rows, {layers}"
        print(f"\n{table(title, results, 'minigrad', losses=(-1,))}", flush=True)


if __name__ == "__main__":
    main()
