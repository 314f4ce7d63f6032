"""Proves that a run measures its held-out images after every epoch, and that this changes nothing
else: not a weight of the training, and not which weights are kept."""

import numpy as np
import pytest

import autoencoder as ae
from autoencoder import datasets, diagnosis
from autoencoder.objective import loss_terms
from autoencoder.runs import open_run, start
from autoencoder.runs.config import Config
from autoencoder.runs.train import note_held_out_loss


@pytest.fixture(scope="module")
def rows():
    images = datasets.make_faces(people=6, variations=4, size=16).images
    return images.reshape(len(images), -1)


@pytest.mark.parametrize(
    "params",
    [
        dict(likelihood="bernoulli", penalty="weight_decay"),
        dict(scale="standard", noise="gaussian"),
    ],
)
def test_it_is_the_objective_of_the_held_out_rows(rows, params):
    """What `fit` calls the validation loss of the same rows; without noise also by hand."""
    params = dict(n_components=3, max_epochs=2, batch_size=8, random_state=0, **params)
    train, test = rows[:16], rows[16:]
    model = ae.Autoencoder(
        callbacks=lambda model, record: note_held_out_loss(model, test), **params
    ).fit(train)
    watched = ae.Autoencoder(**params).fit(train, X_val=test)
    assert model.history_["held_out_loss"] == watched.history_["validation_loss"]
    if "noise" not in params:
        parts = ae.parts.assemble(likelihood="bernoulli", penalty="weight_decay")
        terms, _ = loss_terms(model.network_, parts, *[test] * 2, np.random.default_rng(0), {})
        by_hand = sum(float(term.data) for term in terms.values())
        assert model.history_["held_out_loss"][-1] == pytest.approx(by_hand, rel=1e-5)


def test_a_run_has_the_curve_and_the_same_weights_as_without(tmp_path, monkeypatch):
    monkeypatch.setattr("autoencoder.runs.figures.draw", lambda *args, **more: None)
    config = Config.of("dense", data="digits", epochs=3, noise="gaussian")
    runs = []
    for name in ("with", "without"):
        folder, _ = start(config, tmp_path / name, progress=False, say=lambda text: None)
        runs.append(open_run(folder))
        monkeypatch.setattr("autoencoder.runs.train.note_held_out_loss", lambda *args: None)
    history = runs[0].history()
    assert len(history["held_out_loss"]) == 3 and np.isfinite(history["held_out_loss"]).all()
    assert "held_out_loss" in (tmp_path / "with" / "history.csv").read_text().splitlines()[0]
    del history["held_out_loss"]
    assert history == runs[1].history()
    for name, weight in runs[0].estimator.network_.state_dict().items():
        np.testing.assert_array_equal(weight, runs[1].estimator.network_.state_dict()[name])


@pytest.mark.parametrize(
    ("losses", "epoch"),
    [
        ([9, 5, 4, 5, 6, 7], 3),
        ([9, 5, 4, 4.01, 4.01, 4.01], None),  # within a fiftieth of the fall
        ([9, 8, 7, 6, 5, 4], None),
        ([9, 5, 4, 7], None),  # too few to tell
        ([9, np.nan, 4, 5, 6, 7], None),
    ],
)
def test_a_loss_that_rises_again_is_found(losses, epoch):
    found = diagnosis._held_out({"held_out_loss": losses})
    assert (found is not None) == (epoch is not None)
    if epoch:
        assert found.is_warning
        assert f"lowest after epoch {epoch} of 6 (4 against 7 at" in found.sentence
