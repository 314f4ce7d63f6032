"""Proves that a power cut at any point leaves everything that is written old or new, whole, and a
run in a state from which it goes on."""

import json
import shutil

import numpy as np
import pytest
from cut_short import resume, same, train, whole_runs
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from power_cut import Disk

from autoencoder import Autoencoder, AutoencoderAnomalyDetector
from autoencoder.codec import Codec
from autoencoder.commands import files
from autoencoder.plots import canvas
from autoencoder.runs import files as run_files
from autoencoder.runs import html, open_run
from autoencoder.runs.folders import contents
from minigrad import checkpoint


@pytest.fixture(scope="module")
def models():
    """Two fitted estimators of a kind: an old one and a new one."""
    X = np.random.default_rng(0).random((30, 8), np.float32)
    return [Autoencoder(k, max_epochs=1, random_state=k).fit(X) for k in (2, 3)], X


def figure(width):
    drawn = Figure(figsize=(width, 1))
    FigureCanvasAgg(drawn)
    drawn.add_subplot().plot([0, width])
    return drawn


def pictures(folder, models, k):
    images = np.full((3, 8, 8, 1), k / 2, np.float32)
    files.write_images(folder / "out", images, "", names=("a/x.png", "a/y.png", "b/c/z.png"))


OUTPUTS = {  # write(folder, models, k): the old one for k = 0, the new one for k = 1
    "estimator": lambda f, models, k: models[0][k].save(f / "out.npz"),
    "detector": lambda f, models, k: (
        AutoencoderAnomalyDetector(models[0][k], contamination=0.1)
        .fit(models[1])
        .save(f / "out.npz")
    ),
    "codec": lambda f, models, k: Codec(models[0][k], 0.1).fit(models[1]).save(f / "out.npz"),
    "settings": lambda f, models, k: run_files.write_json(f / "out.json", {"k": [k] * 99}),
    "history": lambda f, models, k: run_files.write_history(f / "out.csv", {"loss": [k]}),
    "report": lambda f, models, k: html.write_report(f, title=f"{k}" * 99, sections=[]),
    "figure": lambda f, models, k: canvas.save(figure(1 + k), f / "out.png"),
    "array": lambda f, models, k: files.write_arrays(f / "out.npy", a=np.full(999, k)),
    "arrays": lambda f, models, k: files.write_arrays(f / "out.npz", a=np.full(999, k)),
}


@pytest.mark.parametrize("write", OUTPUTS.values(), ids=OUTPUTS)
def test_a_cut_leaves_the_old_or_the_new_output(tmp_path, models, write):
    write(tmp_path, models, 0)
    (name,) = (path.name for path in tmp_path.iterdir())
    old = (tmp_path / name).read_bytes()
    with Disk(tmp_path) as disk:
        write(tmp_path, models, 1)
    new = (tmp_path / name).read_bytes()
    assert {state.get(name) for state in disk.found()} == {old, new} and old != new
    assert [state for state in disk.found(disk.points)] == [{name: new}]


def test_a_folder_of_pictures_is_whole_or_not_there(tmp_path, models):
    with Disk(tmp_path) as disk:
        pictures(tmp_path, models, 1)
    whole = {
        path.relative_to(tmp_path).as_posix(): path.read_bytes() if path.is_file() else None
        for path in tmp_path.rglob("*")
    }
    assert len(whole) == 7
    named = [{n: c for n, c in s.items() if n.split("/")[0] == "out"} for s in disk.found()]
    assert {} in named and whole in named and all(s in ({}, whole) for s in named)
    assert disk.found(disk.points) == [whole]


# ---------------------------------------------------------------------- runs
@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with faces and a finished run of ten epochs."""
    with pytest.MonkeyPatch.context() as patch:  # until the last test: no figures
        yield whole_runs(tmp_path_factory.mktemp("cuts"), patch, ["dense"])


def runs(states, folder):
    """What cuts left of the run in `folder`, written to one folder after another."""
    name = folder.name
    inside = [{p: c for p, c in s.items() if p.startswith(f"{name}/")} for s in states]
    for state in {tuple(sorted(state.items())): state for state in inside}.values():
        left = folder.parent / "left"
        shutil.rmtree(left, ignore_errors=True)
        left.mkdir()
        for path, content in sorted(state.items()):
            if content is None:
                (left / path.removeprefix(f"{name}/")).mkdir()
            else:
                (left / path.removeprefix(f"{name}/")).write_bytes(content)
        yield left


def check(run):
    """Everything in the folder of a run can be read, and a finished one is of one training.

    Returns its epochs, None if it is unfinished.
    """
    for path in run.glob("*.npz"):
        checkpoint.load(path)
    for path in run.glob("*.json"):
        json.loads(path.read_text())
    if (run / "metrics.json").exists():
        found = open_run(run)  # which compares the checksums of settings and model
        epochs = json.loads((run / "metrics.json").read_text())["epochs"]
        assert epochs == found.estimator.n_iter_ == found.config["epochs"]
        assert len((run / "history.csv").read_text().splitlines()) == 1 + epochs
        return epochs
    assert (run / "config.json").exists() or contents(run) == []
    return None


def test_a_training_after_a_cut_is_finished_or_goes_on_or_has_not_begun(place, tmp_path, capsys):
    run, ends = tmp_path / "runs" / "run", []
    with Disk(tmp_path) as disk:
        assert train(place, run, "dense", "--checkpoint-every", "0") == 0
    states = [state for state in disk.found() if "runs/run" in state]
    states = [{n.removeprefix("runs/"): c for n, c in state.items()} for state in states]
    for k, left in enumerate(runs(states, run)):
        ends.append(check(left))
        if ends[-1] is None and contents(left) and k % 16 == 0:
            assert resume(left) == 0
            same(left, place / "dense")
    assert set(ends) == {None, 10} and len(ends) > 40
    assert all("runs/run/metrics.json" in state for state in disk.found(disk.points))


def test_a_run_that_goes_on_is_never_of_two_trainings(place, tmp_path, capsys):
    run = shutil.copytree(place / "dense", tmp_path / "run")
    with Disk(tmp_path) as disk:
        assert resume(run, "--epochs", "12") == 0
    ends = set()
    for left in runs(disk.found(), run):
        try:
            ends.add(check(left))
        except ValueError as error:  # the settings are the new ones already
            assert "if a training was cut short go on with" in str(error)
            assert json.loads((left / "config.json").read_text())["epochs"] == 12
            if "goes on" not in ends:
                assert resume(left) == 0 and check(left) == 12
            ends.add("goes on")
    assert ends == {10, "goes on", None, 12}
    assert {check(left) for left in runs(disk.found(disk.points), run)} == {12}


def test_one_of_two_runs_is_whole_while_one_replaces_the_other(place, tmp_path, capsys):
    run = shutil.copytree(place / "dense", tmp_path / "run")
    with Disk(tmp_path) as disk:
        assert train(place, run, "dense", "--overwrite", epochs=3) == 0
    at_place = [s for s in disk.found() if "run/config.json" in s]
    assert {check(left) for left in runs(at_place, run)} == {10, 3}
    for state in disk.found():
        if state not in at_place:  # between the two renamings
            names = {path.split("/")[0] for path in state}
            beside = [check(left) for name in names for left in runs([state], tmp_path / name)]
            assert sorted(beside) == [3, 10] or beside in ([3], [10])
    assert {check(left) for left in runs(disk.found(disk.points), run)} == {3}
