"""Proves that what a command writes appears whole or not at all, wherever the writing fails."""

import errno
import os
import shutil

import numpy as np
import pytest
from no_room import file_size_limit

from autoencoder.__main__ import main
from autoencoder.datasets import load_digits
from autoencoder.runs import figures


def draw_few(patch):
    """No more than two of a run's figures, which take most of the time."""
    few = {name: figures.FIGURES[name] for name in ("codes", "filters")}
    patch.setattr(figures, "FIGURES", few)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Images, a run, codes and a compressed file."""
    place = tmp_path_factory.mktemp("outputs")
    digits = load_digits()
    np.savez(place / "digits.npz", images=digits.images[:60], labels=digits.labels[:60])
    train = ["train", "--model", "dense", "--data", str(place / "digits.npz"), "--epochs", "1"]
    with pytest.MonkeyPatch.context() as patch:
        draw_few(patch)
        assert main([*train, "--n-components", "10", "--output", str(place / "run")]) == 0
    given = [str(place / "run"), str(place / "digits.npz")]
    assert main(["encode", *given, str(place / "codes.npz")]) == 0
    assert main(["compress", *given, str(place / "packed.mgae")]) == 0
    return place


OUTPUTS = [  # verb, what it reads, what it writes, options
    *(("reconstruct", "digits.npz", f"out{ending}") for ending in (".npz", ".npy", ".png", "")),
    *(("denoise", "digits.npz", f"out{ending}") for ending in (".npz", ".npy", ".png", "")),
    *(("encode", "digits.npz", f"out{ending}") for ending in (".npz", ".npy")),
    *(("decode", "codes.npz", f"out{ending}") for ending in (".npz", ".npy", ".png", "")),
    *(("sample", None, f"out{ending}") for ending in (".npz", ".npy", ".png", "")),
    *(("detect", "digits.npz", f"out{ending}") for ending in (".csv", ".npz")),
    ("detect", "digits.npz", None),
    ("detect --figure", "digits.npz", "figure.png"),
    ("compress", "digits.npz", "out.mgae"),
    *(("decompress", "packed.mgae", f"out{ending}") for ending in (".npz", ".png", "")),
    ("evaluate", None, None),
    ("plot", None, None),
]


def command(place, folder, verb, given, output):
    """The command line for an output in `folder`, and the file or folder that it writes."""
    run = folder / "run"
    line = [verb.split()[0], str(run)] + ([str(place / given)] if given else [])
    written = {"evaluate": "metrics.json", "plot": "report.html", "detect": "scores.csv"}
    target = folder / output if output else run / written[verb]
    if verb == "detect --figure":
        return [*line, str(folder / "scores.csv"), "--figure", str(target)], target
    if verb == "sample":
        return [*line, str(target), "--prior", "gaussian"], target
    return [*line, *([str(target)] if output else [])], target


def snapshot(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(("verb", "given", "output"), OUTPUTS)
def test_a_write_that_fails_leaves_the_good_file(
    place, tmp_path, capsys, monkeypatch, verb, given, output
):
    draw_few(monkeypatch)
    shutil.copytree(place / "run", tmp_path / "run")
    line, target = command(place, tmp_path, verb, given, output)
    assert main(line) == 0
    is_folder = target.is_dir()
    if is_folder:  # an existing one must be empty
        sizes = [path.stat().st_size for path in target.iterdir()]
        shutil.rmtree(target)
        target.mkdir()
    else:
        sizes = [target.stat().st_size]
    before = snapshot(tmp_path)
    capsys.readouterr()
    more = ["full disk", "Ctrl-C"] if verb == "reconstruct" else []
    for fails in ["file-size limit", *more]:
        if fails == "file-size limit":
            with file_size_limit(min(sizes) // 2):
                status = main(line)
        else:
            with monkeypatch.context() as patch:
                patch.setattr(os, "fsync", _full if fails == "full disk" else _interrupted)
                status = main(line)
        assert status == (130 if fails == "Ctrl-C" else 2), fails
        error = capsys.readouterr().err.strip()
        assert len(error.splitlines()) == 1 and error.startswith("python -m autoencoder"), fails
        if fails != "Ctrl-C":
            assert "(File too large)" in error or "(No space left on device)" in error, error
        assert snapshot(tmp_path) == before, fails
        assert not list(tmp_path.rglob("*.part")), fails
    if is_folder:
        assert main(line) == 0  # and the next time it goes on
        assert len(list(target.iterdir())) == len(sizes)


def _full(*_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _interrupted(*_):
    raise KeyboardInterrupt


@pytest.mark.parametrize("output", ["out.npz", "out.npy", "out.png", "out.csv", "out.mgae", "out"])
def test_permissions_and_links_stay(place, tmp_path, output):
    verb = {".csv": "detect", ".mgae": "compress"}.get(os.path.splitext(output)[1], "reconstruct")
    shutil.copytree(place / "run", tmp_path / "run")
    line, target = command(place, tmp_path, verb, "digits.npz", output)
    far = tmp_path / "far"
    far.mkdir()
    if output == "out":
        (far / output).mkdir()
    else:
        assert main(line) == 0
        target.rename(far / output)
    mode = 0o700 if output == "out" else 0o600
    (far / output).chmod(mode)
    target.symlink_to(far / output)
    inode = (far / output).stat().st_ino
    assert main(line) == 0
    assert target.is_symlink()
    assert (far / output).stat().st_mode & 0o777 == mode
    assert (far / output).stat().st_ino != inode  # a new one took its place


def test_nothing_is_written_through_links_inside_a_run(place, tmp_path, monkeypatch):
    draw_few(monkeypatch)
    run, far = tmp_path / "run", tmp_path / "far"
    shutil.copytree(place / "run", run)
    far.mkdir()
    precious = ["report.html", "metrics.json", "history.csv", "codec.npz", "scores.csv"]
    precious += ["figures/codes.png", "model.npz", "checkpoint.npz", "config.json"]
    for name in precious:
        target = far / name.replace("/", "-")
        if (run / name).exists():
            shutil.copy(run / name, target)  # so that it can be read
            (run / name).unlink()
            (run / name).symlink_to(target)
    (run / "scores.csv").symlink_to(far / "not there yet")
    (run / "codec.npz").unlink()
    (run / "codec.npz").symlink_to(far / "not there either")
    before, given = snapshot(far), str(place / "digits.npz")
    assert main(["evaluate", str(run)]) == 0
    assert main(["plot", str(run), "--only", "codes"]) == 0
    assert main(["detect", str(run), given]) == 0
    assert main(["compress", str(run), given, str(tmp_path / "a.mgae")]) == 0
    assert main(["train", "--resume", str(run), "--epochs", "2"]) == 0
    assert snapshot(far) == before
    assert not [name for name in precious if (run / name).is_symlink()]
    (far / "figures").mkdir()
    shutil.rmtree(run / "figures")
    (run / "figures").symlink_to(far / "figures")
    assert main(["plot", str(run), "--only", "codes"]) == 0
    assert not (run / "figures").is_symlink() and list((far / "figures").iterdir()) == []


@pytest.mark.parametrize("output", ["pipe.npz", "pipe.png", "pipe.csv", "pipe.mgae", "pipe"])
def test_pipes_are_not_written_to(place, tmp_path, capsys, output):
    verb = {".csv": "detect", ".mgae": "compress"}.get(os.path.splitext(output)[1], "reconstruct")
    os.mkfifo(tmp_path / output)
    given = [str(place / "run"), str(place / "digits.npz")]
    assert main([verb, *given, str(tmp_path / output)]) == 2
    assert f"{tmp_path / output} is there already" in capsys.readouterr().err
