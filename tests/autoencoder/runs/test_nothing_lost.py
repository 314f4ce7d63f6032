"""Proves that a full disk, a read-only folder or a kill destroys nothing, and that a run that
cannot go on is refused in one sentence."""

import errno
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cut_short import aborted, elsewhere, resume, same, snapshot, train, whole_runs

from minigrad import checkpoint

KILL = Path(__file__).parents[2] / "tools" / "kill.py"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with faces and two finished runs."""
    with pytest.MonkeyPatch.context() as patch:  # until the last test: no figures
        yield whole_runs(tmp_path_factory.mktemp("lost"), patch, ["olivetti", "dense"])


# ---------------------------------------------------------------------- refusals
@pytest.mark.parametrize("kind", ["olivetti", "dense"])
def test_a_finished_run_says_so_and_stays_as_it_is(place, kind, capsys):
    before = snapshot(place / kind)
    for more in ([], ["--epochs", 10], ["--model", kind, "--batch-size", 5]):
        assert resume(place / kind, *more) == 0
        out = capsys.readouterr().out
        assert "is finished, after 10 epochs: there is nothing left to do." in out
        assert len(out.splitlines()) == 1
    assert snapshot(place / kind) == before


@pytest.fixture(scope="module")
def half(place, tmp_path_factory):
    """Runs with a checkpoint of five epochs."""
    half = tmp_path_factory.mktemp("half")
    for kind in ("olivetti", "dense"):
        aborted(place, half / kind, kind, 5)
    return half


def damage(name, change):
    def do(folder):
        (folder / name).write_bytes(change((folder / name).read_bytes()))

    return do


def edit(**changes):
    def change(data):
        config = {**json.loads(data), **changes}
        return json.dumps({n: v for n, v in config.items() if v != "gone"}).encode()

    return damage("config.json", change)


@pytest.mark.parametrize("kind", ["olivetti", "dense"])
@pytest.mark.parametrize(
    ("options", "spoil", "words"),
    [
        ("--batch-size 6", None, "was not begun with --batch-size 6: leave that out"),
        ("--hidden 4", None, "was not begun with --hidden [4]"),
        ("--seed 1 --epochs 20", None, "was not begun with --seed 1"),
        ("--model vae", None, "was not begun with --model vae"),
        ("--output elsewhere", None, "was not begun with --output elsewhere"),
        ("--epochs 4", None, "has made 5 epochs already: 4 are fewer"),
        ("--epochs 0", None, "epochs must be above 0"),
        ("--checkpoint-every -1", None, "checkpoint_every must be 0 seconds or more"),
        ("--data olivetti-of-mine.npz", None, "There are no data called"),
        ("--data faces", None, "are not those that this model was trained on"),
        ("", edit(learning_rate=0.5), "under other settings than config.json has"),
        ("", edit(data_crc32=1), "are not those that this model was trained on"),
        ("", edit(seed="gone"), "config.json is damaged, or of an earlier version (KeyError"),
        ("", edit(batch_size=[]), "config.json is damaged"),
        ("", edit(data_used="gone"), "does not describe a run"),
        ("", damage("config.json", lambda b: b[:50]), "config.json is damaged"),
        ("", damage("checkpoint.npz", lambda b: b[:5000]), "checkpoint.npz is damaged"),
        ("", damage("checkpoint.npz", lambda b: b[:900] + b"!" + b[901:]), "is damaged"),
        ("", lambda folder: (folder / "config.json").unlink(), "has no config.json: train one"),
        (
            "",
            lambda folder: (folder / "checkpoint.npz").rename(folder / "model.npz"),
            "has no checkpoint.npz to go on from",
        ),
    ],
)
def test_what_cannot_go_on_is_refused(half, tmp_path, capsys, kind, options, spoil, words):
    folder = tmp_path / "run"
    folder.mkdir()
    for path in (half / kind).iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    if spoil:
        spoil(folder)
    before = snapshot(folder)
    assert resume(folder, *options.split()) == 2
    error = capsys.readouterr().err
    assert words in error
    assert len(error.strip().splitlines()) == 1
    assert snapshot(folder) == before


def test_a_checkpoint_that_says_nonsense_is_refused(half, tmp_path, capsys):
    for kind in ("olivetti", "dense"):
        folder = tmp_path / kind
        folder.mkdir()
        arrays, about = checkpoint.load(half / kind / "checkpoint.npz")
        (folder / "config.json").write_bytes((half / kind / "config.json").read_bytes())
        for nonsense in ({"run": None}, {"history": 3}, {"streams": 1, "training": {}}, {}):
            given = about | nonsense if nonsense else {"run": about["run"]}
            checkpoint.save(folder / "checkpoint.npz", arrays, given)
            assert resume(folder) == 2, (kind, nonsense)
            assert "checkpoint.npz does not fit this run" in capsys.readouterr().err


def test_moved_data_are_known_again(place, half, tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    moved = tmp_path / "moved.npz"
    moved.write_bytes((place / "faces.npz").read_bytes())
    for path in (half / "dense").iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    edit(data=str(tmp_path / "gone.npz"))(folder)
    assert resume(folder, "--data", moved) == 2  # config.json is part of what a run is
    (folder / "config.json").write_bytes((half / "dense" / "config.json").read_bytes())
    assert resume(folder, "--data", moved) == 0
    same(place / "dense", folder)


# ---------------------------------------------------------------------- the disk
def fill_the_disk(patch, room):
    """Let the disk have `room` bytes: the write that needs more is done in part, and fails.

    Returns a list of one number, the bytes that are still free.
    """
    left = [room]

    class File(io.FileIO):
        def write(self, data):
            data = memoryview(data).cast("B")
            fits = min(len(data), left[0])
            left[0] -= fits
            super().write(data[:fits])
            if fits < len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return fits

    patch.setattr(checkpoint, "open", lambda path, mode, **_: File(path, mode[0]), raising=False)
    return left


@pytest.fixture(scope="module")
def needed(place, tmp_path_factory):
    """How many bytes the files of a training have in all, for each kind."""
    found = {}
    for kind in ("olivetti", "dense"):
        with pytest.MonkeyPatch.context() as patch:
            left = fill_the_disk(patch, 10**12)
            folder = tmp_path_factory.mktemp("counted") / kind
            assert train(place, folder, kind, "--checkpoint-every", "0") == 0
        found[kind] = 10**12 - left[0]
    return found


# NumPy 2.0 leaves the archive that it could not write to the garbage collector, which complains
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("kind", ["olivetti", "dense"])
@pytest.mark.parametrize("part", [0.0, 0.001, 0.05, 0.3, 0.7, 0.95, 1.0])
def test_a_full_disk_costs_nothing_but_time(place, needed, tmp_path, capsys, kind, part):
    folder = tmp_path / "run"
    with pytest.MonkeyPatch.context() as patch:
        # of the whole, half of the last file: times that are written down differ in length
        last = (place / kind / "metrics.json").stat().st_size // 2
        fill_the_disk(patch, int(part * (needed[kind] - last)))
        assert train(place, folder, kind, "--checkpoint-every", "0") == 2
    error = [s for s in capsys.readouterr().err.splitlines() if s.startswith("python -m")]
    assert len(error) == 1
    assert f"{folder} cannot be written to (No space left on device)" in error[0]
    assert not list(folder.glob("*.part"))
    assert not (folder / "metrics.json").exists()
    again = (folder / "config.json").exists()
    assert again == ("train --resume" in error[0])
    assert (resume(folder) if again else train(place, folder, kind)) == 0
    same(place / kind, folder)


def test_a_full_disk_does_not_destroy_an_earlier_run(place, half, capsys):
    before = snapshot(half)
    with pytest.MonkeyPatch.context() as patch:
        fill_the_disk(patch, 100)
        assert train(place, half / "dense", "vae", "--overwrite") == 2
        assert "make room" in capsys.readouterr().err
        assert resume(half / "dense") == 2
    (half / "dense-2").rmdir()  # where the other one would have been written
    assert snapshot(half) == before


AS_ANYBODY = """
import ctypes, os, sys
for capability in (1, 2):  # that root may write everywhere, and read everything
    ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)
os.execv(sys.executable, [sys.executable, "-m", "autoencoder", *sys.argv[1:]])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="root's rights are dropped as on Linux")
def test_a_read_only_folder_is_left_as_it_is(place, tmp_path):
    folder = tmp_path / "run"
    aborted(place, folder, "dense", 5)
    before = snapshot(folder)
    new = ["--model", "dense", "--data", place / "faces.npz", "--output", folder, "--overwrite"]
    folder.chmod(0o500)
    try:
        for arguments in (["--resume", folder], new):
            status, _, err = elsewhere(AS_ANYBODY, "train", *arguments)
            assert status == 2
            assert f"{folder} cannot be written to (Permission denied)" in err
            assert len(err.strip().splitlines()) == 1
            assert snapshot(folder) == before
    finally:
        folder.chmod(0o700)
    assert resume(folder) == 0
    same(place / "dense", folder)


def test_half_written_files_of_a_killed_process_are_removed(place, tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "config.json.0123abcd.part").write_text("{")
    aborted(place, folder, "dense", 5)  # a folder with nothing else is as good as empty
    assert [path.name for path in folder.glob("*.part")] == []
    (folder / "checkpoint.npz.0123abcd.part").write_bytes(b"PK")
    (folder / "mine.part").write_text("something else")
    assert resume(folder) == 0
    assert [path.name for path in folder.glob("*.part")] == ["mine.part"]
    same(place / "dense", folder)


# ---------------------------------------------------------------------- kills
def kill(*options):
    done = subprocess.run(
        [sys.executable, str(KILL), *options], capture_output=True, text=True, timeout=300
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
def test_killed_trainings_end_as_if_nobody_had_killed_them():
    status, out = kill("--kills", "6", "--epochs", "12", "--quick")
    assert status == 0, out
    assert "6 kills" in out
    assert " 0 faults" in out


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
def test_a_program_that_writes_files_in_place_would_be_noticed():
    status, out = kill("--kills", "3", "--epochs", "12", "--quick", "--in-place")
    assert status == 1, out
    assert "damaged" in out or "exit status 2" in out
