"""Proves that a training is not ended by what it cannot show, and leaves the user's data alone."""

import errno
import io
import sys

import numpy as np
import pytest

from autoencoder import Autoencoder, persistence
from autoencoder.evaluation import evaluate

X = np.random.default_rng(0).random((40, 6))


class InPlace:
    """A user's noise that works on what it is given."""

    def corrupt(self, x, rng):
        x += rng.normal(size=x.shape)
        return x


class Copying(InPlace):
    def corrupt(self, x, rng):
        return super().corrupt(x.copy(), rng)


def test_a_noise_that_works_in_place_changes_no_data_and_no_target():
    given, models = X.copy(), []
    for noise in (InPlace(), Copying()):
        model = Autoencoder(2, noise=noise, validation_fraction=0.25, max_epochs=3, random_state=0)
        models.append(model.fit(given))
        evaluate(models[-1], given[:30], given[30:])
        np.testing.assert_array_equal(given, X)
    assert models[0].history_ == models[1].history_


class Unwritable(io.StringIO):
    def __init__(self, error):
        super().__init__()
        self.error = error

    def write(self, text):
        raise self.error

    def flush(self):
        raise self.error


@pytest.mark.parametrize(
    "error",
    [
        BrokenPipeError(errno.EPIPE, "Broken pipe"),
        OSError(errno.ENOSPC, "No space left on device"),
        ValueError("I/O operation on closed file"),
        UnicodeEncodeError("ascii", "x", 0, 1, "no such letter"),
        None,
    ],
)
def test_a_progress_bar_that_cannot_be_written_does_not_end_the_training(monkeypatch, error):
    quiet = Autoencoder(2, max_epochs=5, random_state=0).fit(X)
    monkeypatch.setattr(sys, "stderr", error and Unwritable(error))
    shown = Autoencoder(2, max_epochs=5, verbose=1, random_state=0).fit(X)
    monkeypatch.undo()
    assert shown.history_ == quiet.history_


@pytest.mark.parametrize(
    "change",
    [
        lambda about: about["fitted"].update(transform="x"),
        lambda about: about["fitted"].update(transform=1.0),
        lambda about: about["fitted"].update(n_iter_="x"),
        lambda about: about["fitted"].update(noise_variance_=None),
        lambda about: about["params"].update(fit="x"),
        lambda about: about["history"].update(loss=["x"] * 3),
        lambda about: about["history"].update(epoch=[1, 2, 2.5]),
        lambda about: about["history"].update({f"c{k}": [1.0] * 3 for k in range(200)}),
        lambda about: about["history"].pop("loss"),
        lambda about: about["training"].update(epoch="x"),
        lambda about: about["training"].update(restarts=-1),
        lambda about: about["feature_names"].extend(["a", "b"]),
        lambda about: about["feature_names"].extend([1] * 6),
    ],
)
def test_forged_headers_are_refused_by_what_may_be_there(tmp_path, change):
    arrays, about = persistence.contents(Autoencoder(2, max_epochs=3, random_state=0).fit(X))
    path = tmp_path / "model.npz"
    persistence.checkpoint.save(path, arrays, about)
    Autoencoder.load(path)
    change(about)
    persistence.checkpoint.save(path, arrays, about)
    with pytest.raises(ValueError, match=r"load: .*does not describe a whole Autoencoder"):
        Autoencoder.load(path)


@pytest.mark.parametrize("name", ["fitted/transform", "fitted/n_iter_", "nobody/w", "fitted/"])
def test_forged_arrays_are_refused(tmp_path, name):
    arrays, about = persistence.contents(Autoencoder(2, max_epochs=1, random_state=0).fit(X))
    persistence.checkpoint.save(tmp_path / "a.npz", {**arrays, name: np.ones(2)}, about)
    with pytest.raises(ValueError, match=r"no (fitted )?estimator has"):
        Autoencoder.load(tmp_path / "a.npz")
