"""A fit whose steps are replayed gives the bits of one whose steps are not, for every kind of
autoencoder; and what somebody changes during a fit counts at once."""

import numpy as np
import pytest

import autoencoder as ae
from autoencoder import training
from autoencoder.datasets import load_digits
from minigrad import optim
from minigrad.cpu import Captured
from minigrad.nn import Dense, Module, Sequential

X = load_digits().images[:150].reshape(150, -1).astype(np.float32)
KINDS = {
    "plain": dict(hidden=(20,)),
    "dropout": dict(hidden=(20,), dropout=0.2),
    "denoising": dict(noise="masking"),
    "patches": dict(noise="patches"),
    "sparse": dict(code="sigmoid", penalty="kl_sparsity"),
    "l1": dict(code="relu", penalty=["l1", "weight_decay"]),
    "contractive": dict(penalty="contractive"),
    "contractive, deep": dict(penalty="contractive", hidden=(8,), activation="tanh"),
    "hutchinson": dict(penalty=ae.parts.ContractivePenalty(method="hutchinson"), hidden=(8,)),
    "variational": dict(code="gaussian"),
    "bernoulli": dict(code="gaussian", likelihood="bernoulli"),
    "free bits": dict(code=ae.parts.GaussianCode(free_bits=0.1)),
    "importance weighted": dict(code=ae.parts.GaussianCode(n_draws=3)),
    "vector quantised": dict(code=ae.parts.VectorQuantisedCode(8, length=2)),
    "mmd": dict(penalty="mmd"),
    "total correlation": dict(code="gaussian", penalty="total_correlation"),
    "sgd": dict(solver="sgd", learning_rate=1e-3),
}


def fitted(monkeypatch, replayed, callback=None, **settings):
    """A fitted model, and its captured steps."""
    made, begin = [], Captured.__init__

    def watched(self, *args, **options):
        made.append(self)
        begin(self, *args, **options)

    settings = dict(batch_size=40, max_epochs=5, random_state=0, callbacks=callback) | settings
    with monkeypatch.context() as patch:
        patch.setattr(Captured, "__init__", watched)
        if not replayed:
            patch.setattr(training, "can_be_captured", lambda parts: False)
        return ae.Autoencoder(4, **settings).fit(X), made


def assert_same(a, b):
    for name, values in a.history_.items():
        np.testing.assert_array_equal(b.history_[name], values, err_msg=name)
    for p, q in zip(a.network_.parameters(), b.network_.parameters(), strict=True):
        assert p.data.tobytes() == q.data.tobytes()


@pytest.mark.filterwarnings("ignore::autoencoder.DiagnosisWarning")
@pytest.mark.parametrize("kind", KINDS)
def test_the_same_to_the_last_bit(kind, monkeypatch):
    (plain, none), (model, made) = (
        fitted(monkeypatch, replayed, **KINDS[kind]) for replayed in (False, True)
    )
    assert not none
    assert len(made) == 2  # of 40 rows and of 30
    for step in made:
        assert not step._problem
        assert step._record is not None
    assert_same(plain, model)


def beta_rises(model, record):
    model.code.beta = 0.5 * record["epoch"]


class Counted(Module):
    calls = 0

    def forward(self, x):
        self.calls += 1
        return x * (1 + self.calls % 3)


@pytest.mark.filterwarnings("ignore::autoencoder.DiagnosisWarning")
def test_what_a_callback_changes_counts(monkeypatch):
    models = [
        fitted(monkeypatch, replayed, call, code=ae.parts.GaussianCode(), max_epochs=6)[0]
        for call, replayed in ((beta_rises, False), (beta_rises, True), (None, True))
    ]
    assert_same(*models[:2])
    assert models[2].history_["loss"] != models[1].history_["loss"]


@pytest.mark.filterwarnings("ignore::autoencoder.DiagnosisWarning")
def test_somebody_elses_modules_run_at_every_step(monkeypatch):
    def network(sizes, code, rng, dtype):
        layers = [Dense(a, b, dtype=dtype, rng=rng) for a, b in ((64, 4), (4, 64))]
        return Sequential(Counted(), layers[0]), layers[1]

    models = []
    for replayed in (False, True):
        model, _ = fitted(monkeypatch, replayed, network=network)
        models.append(model)
    assert_same(*models)
    assert models[1].network_.encoder[0].calls > 20


class EverySecond(optim.SGD):
    n = 0

    def step(self):
        self.n += 1
        if self.n % 2:
            super().step()


def counting():
    calls = [0]

    def function(x):
        calls[0] += 1
        return x * (1 + calls[0] % 3)

    return function


@pytest.mark.filterwarnings("ignore::autoencoder.DiagnosisWarning")
@pytest.mark.parametrize("what", ["solver", "layer", "activation"])
def test_somebody_elses_functions_run_at_every_step(what, monkeypatch):
    def network(sizes, code, rng, dtype):
        activation = counting() if what == "activation" else None
        encoder = Dense(64, 4, activation=activation, dtype=dtype, rng=rng)
        encoder = Sequential(counting(), encoder) if what == "layer" else encoder
        return encoder, Dense(4, 64, dtype=dtype, rng=rng)

    if what == "solver":
        settings = {"solver": lambda p, lr: EverySecond(p, lr=lr)}
    else:
        settings = {"network": network}
    assert_same(*(fitted(monkeypatch, replayed, **settings)[0] for replayed in (False, True)))
