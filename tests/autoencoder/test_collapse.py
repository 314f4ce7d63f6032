"""Proves that a training whose codes have all become the same is noticed, and begins again."""

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

import autoencoder.estimator
from autoencoder import Autoencoder, collapse
from autoencoder.networks import build

X = np.random.default_rng(0).random((20, 6))
DEAD = "all rows have the same code"


def fated(monkeypatch, dead):
    """The first `dead` networks are built with an encoder that gives every row the same code."""
    built = []

    def build_fated(*arguments, **options):
        network = build(*arguments, **options)
        built.append(network.state_dict())
        if len(built) <= dead:
            layer = network.encoder[0]
            layer.weight.data[...] = 0
            layer.bias.data[...] = -1e3  # of a relu: no gradient brings it back
        return network

    monkeypatch.setattr(autoencoder.estimator, "build", build_fated)
    return built


def model(**settings):
    return Autoencoder(3, hidden=(4,), batch_size=8, max_epochs=5, random_state=0, **settings)


@pytest.mark.parametrize(("restarts", "expected"), [(2, 2), (5, 3)])
def test_it_begins_again_with_other_weights(monkeypatch, restarts, expected):
    built = fated(monkeypatch, dead=3)
    with pytest.warns(ConvergenceWarning) as warned:
        fitted = model(restarts=restarts).fit(X)
    assert fitted.n_restarts_ == expected
    assert fitted.history_["epoch"] == [1, 2, 3, 4, 5]
    assert len(built) == 1 + expected
    assert len({state["encoder.layers.0.weight"].tobytes() for state in built}) == len(built)
    again = [str(w.message) for w in warned if "beginning again" in str(w.message)]
    assert len(again) == expected
    assert f"after 3 epochs {DEAD}" in again[0]
    assert f"(restart 1 of {restarts})" in again[0]
    assert (fitted.transform(X).std(axis=0).max() > 0) == (restarts > 2)


def test_without_restarts_a_warning_says_what_to_do(monkeypatch):
    fated(monkeypatch, dead=1)
    with pytest.warns(ConvergenceWarning, match="fit again with restarts=5, another random_state"):
        fitted = model().fit(X)
    assert (fitted.n_restarts_, fitted.n_iter_) == (0, 5)


def test_a_restart_is_a_fit_that_began_with_the_later_weights(monkeypatch):
    """Nothing of the first attempt is left: moments, epochs, memory."""
    fated(monkeypatch, dead=1)
    with pytest.warns(ConvergenceWarning, match="beginning again"):
        second = model(restarts=1).fit(X)
    assert second._training.optimizer.t == 5 * 3
    assert len(second.history_["loss"]) == 5


def test_equal_rows_and_tiny_data_are_no_collapse(recwarn):
    model().fit(np.ones((20, 6)))
    model(code="linear", learning_rate=1e-15).fit(1e-9 * X)  # the biases stay at 0
    assert not [w for w in recwarn if DEAD in str(w.message)]


def test_three_epochs_of_equal_codes_are_needed():
    fitted = model().fit(X)
    training, parts = fitted._training, autoencoder.estimator.assemble()
    training.network.encoder[0].weight.data[...] = 0
    training.network.encoder[0].bias.data[...] = -1e3
    for spreads, expected in [
        ([1e-2, 1e-9, 1e-8, 1e-10], True),
        ([1e-9, 1e-8], False),
        ([1e-9, 1e-9, 1e-5], False),
        ([1e-9, 1e-9, 1e-9, 1e-3], False),
    ]:
        training.history["code_spread"] = spreads
        assert collapse.found(training, parts, X) == expected
