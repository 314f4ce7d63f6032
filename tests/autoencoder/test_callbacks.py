"""The ready callbacks write what `history_` holds, whole lines at any moment, over nothing."""

import csv
import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

import autoencoder as ae
from autoencoder import shared
from autoencoder.callbacks import CSVLogger, TensorBoardLogger

X = np.random.default_rng(0).random((40, 6))


def fit(callbacks, **params):
    params = dict(max_epochs=3, validation_fraction=0.2, random_state=0) | params
    return ae.Autoencoder(2, callbacks=callbacks, **params).fit(X)


def table(path):
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    return {name: [float(row[name]) for row in rows] for name in rows[0]}


def test_the_table_is_the_history(tmp_path):
    model = fit(CSVLogger(tmp_path / "a.csv"))
    assert table(tmp_path / "a.csv") == model.history_  # to the last digit
    assert "validation_loss" in model.history_


def test_a_second_fit_goes_on_below_the_first(tmp_path):
    model = fit(CSVLogger(tmp_path / "a.csv"))
    model.set_params(max_epochs=2).fit(X)
    assert table(tmp_path / "a.csv")["epoch"] == [1, 2, 3, 1, 2]


def test_a_file_that_is_there_is_left_alone(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("mine\n")
    for append, error, words in (
        (False, FileExistsError, "is there already: give another name, or append=True"),
        (True, ValueError, "has other columns than epoch,loss,"),
    ):
        with pytest.raises(error, match=words):
            fit(CSVLogger(path, append=append))
        assert path.read_text() == "mine\n"


def test_columns_that_change_are_refused(tmp_path):
    logger = CSVLogger(tmp_path / "a.csv")
    logger(None, {"epoch": 1, "loss": 2.0})
    with pytest.raises(ValueError, match="other columns than epoch,cost"):
        logger(None, {"epoch": 2, "cost": 2.0})
    assert (tmp_path / "a.csv").read_text() == "epoch,loss\n1,2.0\n"


def test_appending_takes_half_a_line_away(tmp_path):
    path = tmp_path / "a.csv"
    for left in ("", "epoch,lo", "epoch,loss\n", "epoch,loss\n1,0.5\n2,0."):
        path.write_text(left)
        CSVLogger(path, append=True)(None, {"epoch": 3, "loss": 0.25})
        whole = "1,0.5\n" if "0.5" in left else ""
        assert path.read_text() == f"epoch,loss\n{whole}3,0.25\n"


def test_clones_begin_anew_and_loggers_can_be_pickled(tmp_path):
    pytest.importorskip("tensorboardX", reason="tensorboardX is not installed")
    model = fit([CSVLogger(tmp_path / "a.csv"), TensorBoardLogger(tmp_path / "a")])
    for logger in model.callbacks:
        again = pickle.loads(pickle.dumps(logger))
        assert vars(again).keys() == vars(logger).keys()
    with pytest.raises(FileExistsError, match=r"a\.csv is there already"):
        clone(model).fit(X)


def test_searches_do_not_mix_their_lines(tmp_path):
    model = ae.Autoencoder(2, max_epochs=1, callbacks=CSVLogger(tmp_path / "a.csv"))
    search = GridSearchCV(model, {"learning_rate": [0.1, 0.2]}, cv=2, error_score="raise")
    with pytest.raises(FileExistsError, match="is there already"):
        search.fit(X)


LOGGING = """
import os, signal, sys
from autoencoder.callbacks import CSVLogger
logger, epoch = CSVLogger(sys.argv[1]), 0
while True:
    epoch += 1
    logger(None, {"epoch": epoch, "loss": 1 / 3})
    if epoch == 20:
        print("20", flush=True)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no SIGKILL")
def test_a_kill_leaves_whole_lines(tmp_path):
    path, root = tmp_path / "a.csv", Path(ae.__file__).parents[1]
    process = subprocess.Popen(
        [sys.executable, "-c", LOGGING, str(path)], stdout=subprocess.PIPE, cwd=root
    )
    with process:
        process.stdout.readline()
        os.kill(process.pid, signal.SIGKILL)
    found = table(path)
    assert path.read_text().endswith("\n") and len(found["epoch"]) >= 20
    assert found["epoch"] == list(range(1, len(found["epoch"]) + 1))
    assert set(found["loss"]) == {1 / 3}


def test_only_the_first_of_several_ranks_writes(tmp_path):
    for rank in (0, 1):
        optimizer = SimpleNamespace(comm=SimpleNamespace(rank=rank))
        estimator = SimpleNamespace(_training=SimpleNamespace(optimizer=optimizer))
        assert shared.speaks(estimator._training) == (rank == 0)
        CSVLogger(tmp_path / f"{rank}.csv")(estimator, {"epoch": 1})
        TensorBoardLogger(tmp_path / f"{rank}")(estimator, {"epoch": 1})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0", "0.csv"]


# ---------------------------------------------------------------------- TensorBoard
def curves(folder):
    """What the event files of a folder hold: name -> [(epoch, value), ...]."""
    pytest.importorskip("tensorboardX", reason="tensorboardX is not installed")
    from tensorboardX.proto.event_pb2 import Event

    found = {}
    for path in sorted(folder.iterdir()):
        data = path.read_bytes()
        while data:  # records: length, checksum, event, checksum
            length = int.from_bytes(data[:8], "little")
            event, data = Event.FromString(data[12 : 12 + length]), data[16 + length :]
            for value in event.summary.value:
                found.setdefault(value.tag, []).append((event.step, value.simple_value))
    return found


def test_curves_are_the_history(tmp_path):
    pytest.importorskip("tensorboardX", reason="tensorboardX is not installed")
    logger = TensorBoardLogger(tmp_path / "run")
    model = fit(logger)
    found = curves(tmp_path / "run")  # while the file is open
    logger.close()
    history = dict(model.history_)
    epochs = history.pop("epoch")
    assert set(found) == set(history)
    for name, values in history.items():
        assert [step for step, _ in found[name]] == epochs
        np.testing.assert_allclose([v for _, v in found[name]], values, rtol=1e-6)
    with pytest.raises(FileExistsError, match="the events of another training"):
        fit(TensorBoardLogger(tmp_path / "run"))
