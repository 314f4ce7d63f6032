"""Proves that a training that was stopped goes on to the same bits in another process: every model
and estimator, with dropout, noise, restarts, patience and after Ctrl-C."""

import json
import os
import signal
from pathlib import Path

import cut_short
import numpy as np
import pytest
from cut_short import (
    KINDS,
    aborted,
    die,
    elsewhere,
    resume,
    same,
    snapshot,
    stopped,
    train,
    whole_runs,
)

import autoencoder as ae
from autoencoder import collapse
from autoencoder.runs import open_run
from autoencoder.runs.checkpoints import Checkpoints, check_interval
from autoencoder.runs.lock import Lock
from minigrad import checkpoint


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with faces, and a run of ten epochs of every kind that nobody disturbed."""
    with pytest.MonkeyPatch.context() as patch:  # until the last test: no figures
        yield whole_runs(tmp_path_factory.mktemp("resume"), patch, KINDS)


# ---------------------------------------------------------------------- the same bits
RESUME = """
import sys
sys.path.append(sys.argv[1])
import cut_short
cut_short.draw_nothing(setattr)
sys.exit(sum(map(cut_short.resume, sys.argv[2:])))
"""


def test_five_epochs_a_new_process_and_five_are_ten_for_every_model(place, tmp_path):
    for kind in KINDS:
        aborted(place, tmp_path / kind, kind, 5)
    status, out, err = elsewhere(RESUME, Path(cut_short.__file__).parent, *tmp_path.iterdir())
    assert status == 0, err
    assert out.count("Going on after 5 of 10 epochs.") == len(KINDS)
    for kind in KINDS:
        same(place / kind, tmp_path / kind)


def test_the_comparison_notices_what_is_forgotten(place, tmp_path):
    for name in ("order", "noise"):
        folder = tmp_path / name
        aborted(place, folder, "olivetti", 5)
        arrays, about = checkpoint.load(folder / "checkpoint.npz")
        about["training"]["streams"][name] = np.random.default_rng(0).bit_generator.state
        checkpoint.save(folder / "checkpoint.npz", arrays, about)
        assert resume(folder) == 0
        with pytest.raises(AssertionError):
            same(place / "olivetti", folder)


ESTIMATORS = {
    "tied": ae.Autoencoder(3, hidden=(6,), dropout=0.3, tied=True, schedule="cosine"),
    "conv": ae.DenoisingAutoencoder(3, hidden=(3,), image_shape=(4, 4, 1), dropout=0.2),
    "masking": ae.DenoisingAutoencoder(3, hidden=(6,), noise="masking", dropout=0.2, solver="sgd"),
    "sparse": ae.SparseAutoencoder(3, dropout=0.2, hidden=(6,), noise="gaussian", patience=9),
    "contractive": ae.ContractiveAutoencoder(3, noise="gaussian", solver="rmsprop"),
    "hutchinson": ae.ContractiveAutoencoder(
        3, penalty=ae.ContractivePenalty(method="hutchinson"), solver="adamw"
    ),
    "vae": ae.VariationalAutoencoder(
        3, hidden=(6,), dropout=0.2, noise="heteroscedastic", validation_fraction=0.3, patience=9
    ),
}
FINISH = """
import sys
from pathlib import Path
import numpy as np
import autoencoder
for path in map(Path, sys.argv[1:]):
    model = autoencoder.load(path).set_params(warm_start=True)
    assert model.n_iter_ == 5
    model.fit(np.load(path.with_name("X.npy"))).set_params(warm_start=False).save(path)
"""


@pytest.mark.filterwarnings("ignore:save. callbacks is code:UserWarning")
def test_five_epochs_a_new_process_and_five_are_ten_for_every_estimator(tmp_path):
    X = np.random.default_rng(0).random((40, 16), np.float32)
    np.save(tmp_path / "X.npy", X)
    for name, estimator in ESTIMATORS.items():
        estimator.set_params(max_epochs=10, batch_size=16, random_state=1)

        def save(model, record, name=name):
            if record["epoch"] == 5:
                model.save(tmp_path / f"{name}.npz")

        estimator.set_params(callbacks=save).fit(X)
        estimator.set_params(callbacks=None).save(tmp_path / f"{name}-whole.npz")
    status, _, err = elsewhere(FINISH, *(tmp_path / f"{name}.npz" for name in ESTIMATORS))
    assert status == 0, err
    for name in ESTIMATORS:
        whole = (tmp_path / f"{name}-whole.npz").read_bytes()
        assert (tmp_path / f"{name}.npz").read_bytes() == whole, name


def test_more_epochs_are_those_of_a_longer_run(place, tmp_path):
    """Of the model whose learning rate stays."""
    folder, kind = tmp_path / "run", "olivetti"
    assert train(place, folder, kind, epochs=4) == 0
    with stopped(3, die):
        assert resume(folder, "--epochs", 10) == 130
    assert resume(folder, "--epochs", 4) == 2  # it has made seven by now
    assert resume(folder) == 0
    same(place / kind, folder)


def test_with_more_epochs_the_rate_rises_and_falls_again(place, tmp_path):
    folder = tmp_path / "run"
    assert train(place, folder, "denoising", epochs=4) == 0
    assert resume(folder, "--epochs", 8) == 0
    rates = np.array(open_run(folder).history()["learning_rate"]) / 0.002
    falls = rates[6:] < 1  # the last quarter of eight; at its beginning it is whole
    assert rates[:6].tolist() == [1, 1, 1, rates[3], 1, 1] and falls[-1]


@pytest.mark.parametrize("kind", ["olivetti", "vae"])
def test_a_run_ended_by_ctrl_c_goes_on(place, tmp_path, kind, capsys):
    folder = tmp_path / "run"
    with stopped(3, lambda: os.kill(os.getpid(), signal.SIGINT)):
        assert train(place, folder, kind, "--checkpoint-every", "99") == 0
    assert "Stopped after 3 of 10 epochs" in capsys.readouterr().out
    metrics = json.loads((folder / "metrics.json").read_text())
    assert (metrics["epochs"], metrics["ended"]) == (3, "interrupted")
    (folder / "codec.npz").write_bytes(b"of the model of three epochs")
    assert resume(folder) == 0
    same(place / kind, folder)
    assert not (folder / "codec.npz").exists()


def test_a_run_that_ran_out_of_patience_does_so_wherever_it_is_resumed(place, tmp_path, capsys):
    options = ["--patience", "1", "--learning-rate", "0.01", "--seed", "2"]
    whole = tmp_path / "whole"
    assert train(place, whole, "vae", *options, epochs=30) == 0
    metrics = json.loads((whole / "metrics.json").read_text())
    assert metrics["ended"] == "early"
    assert 2 < metrics["epochs"] < 30
    for after in (1, metrics["epochs"] - 1, metrics["epochs"]):
        folder = tmp_path / f"{after}"
        aborted(place, folder, "vae", after, *options, epochs=30)
        assert resume(folder) == 0
        same(whole, folder)
    before = snapshot(whole)
    assert resume(whole, "--epochs", 40) == 2
    assert "ended early" in capsys.readouterr().err
    assert resume(whole) == 0
    assert "nothing left to do" in capsys.readouterr().out
    assert snapshot(whole) == before


def test_a_run_that_began_again_does_so_wherever_it_is_resumed(place, tmp_path, monkeypatch):
    """Codes are said to have collapsed after the third epoch of the first two attempts."""
    monkeypatch.setattr(collapse, "found", lambda training, *_: training.epoch >= 3)
    whole = tmp_path / "whole"
    assert train(place, whole, "olivetti", "--restarts", "2") == 0
    assert json.loads((whole / "metrics.json").read_text())["restarts"] == 2
    for after in (2, 3, 4, 6):
        folder = tmp_path / f"{after}"
        aborted(place, folder, "olivetti", after, "--restarts", "2")
        assert resume(folder) == 0
        same(whole, folder)


# ---------------------------------------------------------------------- when it is written
def test_checkpoints_are_rare_where_they_take_long_and_few_where_nobody_needs_them(tmp_path):
    config = {"epochs": 9}
    written = []

    def contents():
        written.append(1)
        return {"w": np.ones(3)}, {}

    with Lock(tmp_path) as lock:
        for every, expected in ((0, 5), (1e9, None)):
            checkpoints = Checkpoints(lock, config, every)
            written.clear()
            for _ in range(5):
                checkpoints.offer(contents)
            assert len(written) == (expected or 1)  # the first, then one takes 1/20 of the time
            checkpoints.offer(contents, at_once=True)
            assert len(written) == (expected or 1) + 1
    with pytest.raises(ValueError, match="checkpoint_every must be 0 seconds or more, got nan"):
        check_interval(float("nan"))


def test_seconds_are_those_of_all_processes(place, tmp_path):
    aborted(place, tmp_path / "run", "dense", 5)
    path = tmp_path / "run" / "checkpoint.npz"
    arrays, about = checkpoint.load(path)
    about["run"]["seconds"] = 1000.0
    checkpoint.save(path, arrays, about)
    assert resume(tmp_path / "run") == 0
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["seconds"] >= 1000
