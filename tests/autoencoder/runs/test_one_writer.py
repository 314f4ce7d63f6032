"""Proves that a run folder has one writer at a time and that no training destroys anything."""

import errno
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
from cut_short import aborted, die, resume, snapshot, stopped, train, whole_runs

from autoencoder.__main__ import main
from autoencoder.runs import lock as locks
from autoencoder.runs import open_run
from autoencoder.runs.lock import Lock, NotOurs


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with faces and two finished runs."""
    with pytest.MonkeyPatch.context() as patch:
        yield whole_runs(tmp_path_factory.mktemp("writers"), patch, ["dense", "vae"])


@pytest.fixture
def run(place, tmp_path):
    """A finished run of ten epochs that a test may spoil."""
    return shutil.copytree(place / "dense", tmp_path / "run")


HOLD = "import sys, time; from autoencoder.runs.lock import Lock; lock = Lock(sys.argv[1])"


def holder(folder, then="time.sleep(100)"):
    """A process that holds the lock on a folder."""
    code = f"{HOLD}; print('held', flush=True); {then}"
    process = subprocess.Popen([sys.executable, "-c", code, folder], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"held\n"
    return process


def end(process):
    process.kill()
    process.wait()
    process.stdout.close()


# ---------------------------------------------------------------------- the lock
def test_two_processes_do_not_write_into_one_folder(place, run, capsys):
    process, before = holder(run), snapshot(run)
    try:
        data = ["--data", str(place / "faces.npz")]
        for arguments in (
            ["train", "--resume", str(run), "--epochs", "12"],
            ["train", "--model", "dense", *data, "--output", str(run), "--overwrite"],
            ["evaluate", str(run)],
            ["plot", str(run), "--only", "codes"],
            ["detect", str(run), str(place / "faces.npz")],
        ):
            assert main(arguments) == 2, arguments
            error = capsys.readouterr().err
            assert f"another process writes into {run}: process {process.pid} on " in error
            assert len(error.splitlines()) == 1
        assert snapshot(run) == before
    finally:
        end(process)
    assert (run / ".lock").exists()  # it was killed
    assert resume(run) == 0  # at once
    assert main(["evaluate", str(run)]) == 0
    assert not (run / ".lock").exists()


def test_whoever_waits_gets_it(run):
    process = holder(run, "time.sleep(0.3)")
    Lock(run, patience=60).release()
    end(process)


def test_a_child_that_lives_longer_does_not_hold_it(run):
    then = "import os; os.fork() and os._exit(0); print('child', flush=True); time.sleep(100)"
    process = holder(run, then)
    try:
        assert process.stdout.readline() == b"child\n"
        process.wait()
        Lock(run).release()
    finally:
        process.stdout.close()


def test_in_one_process_too(run):
    with Lock(run):
        with pytest.raises(NotOurs, match=f"process {os.getpid()} on"):
            Lock(run)
        assert resume(run, "--epochs", 12) == 2
    Lock(run).release()


def no_locks(*_):
    raise OSError(errno.ENOLCK, "No locks available")


@pytest.mark.parametrize("system", ["Windows", "a server without locks"])
def test_where_there_are_no_locks_the_file_is_one(run, monkeypatch, system):
    if system == "Windows":
        monkeypatch.setattr(locks, "fcntl", None)
    else:
        monkeypatch.setattr(locks.fcntl, "flock", no_locks)
    with Lock(run) as lock:
        with pytest.raises(NotOurs, match=f"process {os.getpid()} on"):
            Lock(run)
        lock.check()
    assert not (run / ".lock").exists()
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    text = locks._ourselves().replace(f" {os.getpid()} ", f" {ended.pid} ")
    (run / ".lock").write_text(text)
    Lock(run).release()  # of a process that is no longer there
    (run / ".lock").write_text(text.replace(" on ", " on another-"))
    with pytest.raises(NotOurs, match=f"process {ended.pid} on another-.*remove .*lock"):
        Lock(run)  # nobody here can know
    (run / ".lock").write_text("")
    with pytest.raises(NotOurs, match="one that has not said who it is"):
        Lock(run)


def test_a_link_is_not_followed(run, tmp_path):
    (tmp_path / "precious").write_text("precious")
    (run / ".lock").symlink_to(tmp_path / "precious")
    with Lock(run):
        assert not (run / ".lock").is_symlink()
    assert (tmp_path / "precious").read_text() == "precious"


# ---------------------------------------------------------------------- who comes too late
def test_a_stopped_process_that_wakes_overwrites_nothing(place, tmp_path):
    folder = tmp_path / "run"
    command = [sys.executable, "-m", "autoencoder", "train", "--model", "dense", "--n-components"]
    command += ["3", "--data", str(place / "faces.npz"), "--epochs", "1000000"]
    command += ["--checkpoint-every", "2", "--output", str(folder)]
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    deadline = time.time() + 60
    while not (folder / "checkpoint.npz").exists() and time.time() < deadline:
        time.sleep(0.05)
    time.sleep(0.2)  # the file is written, and the next one not yet begun
    process.send_signal(signal.SIGSTOP)
    try:
        assert resume(folder) == 2  # it has the lock all the same
        shutil.rmtree(folder)  # somebody helps himself
        shutil.copytree(place / "dense", folder)
        before = snapshot(folder)
    finally:
        process.send_signal(signal.SIGCONT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "was removed, renamed or given to another process" in err.splitlines()[-1]
    assert snapshot(folder) == before


def test_who_is_stopped_amid_the_writing_overwrites_nothing_either(place, tmp_path, monkeypatch):
    folder, fsync = tmp_path / "run", os.fsync
    other = snapshot(place / "dense")

    def replaced_meanwhile(handle):
        fsync(handle)
        if (folder / "checkpoint.npz").exists() and (folder / ".lock").exists():
            (folder / ".lock").unlink()  # somebody helps himself, and leaves what is half-written
            for path, content in other.items():
                (folder / path.relative_to(place / "dense").name).write_bytes(content)

    monkeypatch.setattr(os, "fsync", replaced_meanwhile)
    assert train(place, folder, "vae", "--checkpoint-every", "0") == 2
    assert {path.name: data for path, data in snapshot(folder).items()} == {
        path.name: data for path, data in other.items()
    }


def test_a_folder_that_is_gone_is_no_reason_for_impossible_advice(place, tmp_path, capsys):
    folder = tmp_path / "run"
    with stopped(3, lambda: shutil.rmtree(folder)):
        assert train(place, folder, "dense") == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert f"{folder} was removed" in error and "--resume" not in error
    assert not folder.exists()


# ---------------------------------------------------------------------- what is there already
def test_the_same_command_twice_writes_two_runs(place, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    train = ["train", "--model", "dense", "--data", str(place / "faces.npz"), "--epochs", "1"]
    assert main([*train, "--n-components", "3"]) == 0
    before = snapshot(tmp_path)
    (tmp_path / "runs" / "dense-faces-2").write_text("a file")
    assert main([*train, "--n-components", "3"]) == 0
    assert "runs/dense-faces is there already: this run is written to runs/dense-faces-3." in (
        capsys.readouterr().out
    )
    assert open_run("runs/dense-faces-3").epochs == 1
    assert before.items() <= snapshot(tmp_path).items()


@pytest.mark.parametrize("what", ["finished", "unfinished", "config.json", "notes"])
def test_a_folder_that_holds_anything_is_not_trained_into(place, run, capsys, what):
    if what == "unfinished":
        (run / "metrics.json").unlink()
    elif what != "finished":
        shutil.rmtree(run)
        run.mkdir()
        (run / ("config.json" if what == "config.json" else "notes.txt")).write_text("{}")
    before = snapshot(run)
    assert train(place, run, "dense") == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert f"{run} " in error
    if what in ("finished", "unfinished"):
        assert f"holds {'an' if what == 'unfinished' else 'a'} {what} run" in error
        assert f"--resume {run}" in error and "--overwrite" in error
    assert snapshot(run) == before
    if what == "notes":
        assert train(place, run, "dense", "--overwrite") == 2
        assert "it holds something else than a run (notes.txt)" in capsys.readouterr().err
    assert snapshot(run) == before


def test_a_run_is_replaced_only_by_a_whole_one(place, run, tmp_path, capsys):
    before = snapshot(run)
    with stopped(3, die):
        assert train(place, run, "vae", "--overwrite") == 130
    new = tmp_path / "run-2"
    assert snapshot(run) == before
    assert resume(new) == 0  # what was killed can be finished where it is
    assert snapshot(run) == before
    with stopped(3, lambda: signal.raise_signal(signal.SIGINT)):
        assert train(place, run, "vae", "--overwrite") == 0
    assert f"It was interrupted, and so {run} stays as it is." in capsys.readouterr().out
    assert snapshot(run) == before
    with stopped(3, lambda: (run / "notes.txt").write_text("mine")):
        assert train(place, run, "vae", "--overwrite") == 2
    assert "notes.txt" in capsys.readouterr().err
    (run / "notes.txt").unlink()
    assert snapshot(run) == before
    assert train(place, run, "vae", "--overwrite") == 0
    assert open_run(run).config["model"] == "vae"
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"run", "run-2", "run-3", "run-4"}  # the last one has taken the place
    assert not list(run.glob(".lock"))


def test_an_output_that_is_a_link_to_a_run_stays_one(place, run, tmp_path):
    link = tmp_path / "elsewhere" / "link"
    link.parent.mkdir()
    link.symlink_to(run)
    assert train(place, link, "vae", "--overwrite") == 0
    assert link.is_symlink() and open_run(run).config["model"] == "vae"
    assert [path.name for path in link.parent.iterdir()] == ["link"]


# ---------------------------------------------------------------------- settings and model
def test_a_model_of_other_settings_is_not_opened(place, tmp_path, run):
    other = tmp_path / "other"
    assert train(place, other, "dense", epochs=10) == 0
    open_run(other)
    aborted(place, tmp_path / "third", "dense", 3, "--test-fraction", "0.5")
    assert resume(tmp_path / "third") == 0  # the estimator's parameters are the same
    shutil.copy(tmp_path / "third" / "model.npz", other / "model.npz")
    with pytest.raises(ValueError, match=r"are not of one run: model\.npz was trained under other"):
        open_run(other)
