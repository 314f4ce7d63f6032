"""Proves on a disk that loses what was not flushed that a power cut at any point leaves the old or
the new content, whole, and that what has been written stays."""

import os
import stat

import numpy as np
import pytest
from power_cut import Disk

from minigrad import checkpoint
from minigrad.checkpoint import whole

OLD, NEW = b"old " * 3000, b"new and longer " * 3000


def write(path):
    with whole(path) as file:
        file.write(NEW[:9])
        file.write(NEW[9:])


def flush(path):
    handle = os.open(path, os.O_RDONLY)
    os.fsync(handle)
    os.close(handle)


def contents(states, name="a"):
    return {state.get(name) for state in states}


@pytest.fixture(params=["a new file", "an old one", "one behind a link"])
def before(request, tmp_path):
    """A folder, and what its file "a" holds before it is written: None for nothing."""
    if request.param == "a new file":
        return tmp_path, None
    (tmp_path / "a").write_bytes(OLD)
    if request.param == "one behind a link":
        (tmp_path / "link").symlink_to("a")
    return tmp_path, OLD


def test_a_cut_leaves_the_old_or_the_new(before):
    folder, old = before
    with Disk(folder) as disk:
        write(folder / ("link" if (folder / "link").is_symlink() else "a"))
    assert contents(disk.found()) == {old, NEW}  # both can be, and nothing else
    assert contents(disk.found(disk.points)) == {NEW}
    assert all(len(s) == 1 + (folder / "link").is_symlink() for s in disk.found(disk.points))


def test_the_disk_notices_that_the_file_was_not_flushed(before, monkeypatch):
    folder, old = before
    with Disk(folder) as disk, monkeypatch.context() as patch:
        fsync = os.fsync
        patch.setattr(os, "fsync", lambda h: stat.S_ISDIR(os.fstat(h).st_mode) and fsync(h))
        write(folder / "a")
    assert contents(disk.found()) == {old, b"", NEW[: len(NEW) // 2], NEW}


def test_the_disk_notices_that_the_folder_was_not_flushed(before, monkeypatch):
    folder, old = before
    monkeypatch.setattr(checkpoint, "flush_folder", lambda _: None)
    with Disk(folder) as disk:
        write(folder / "a")
    assert contents(disk.found(disk.points)) == {old, NEW}


def test_the_disk_notices_that_a_file_is_written_over(tmp_path):
    (tmp_path / "a").write_bytes(OLD)
    with Disk(tmp_path) as disk:
        (tmp_path / "a").write_bytes(NEW)
        flush(tmp_path / "a")
    found = contents(disk.found())
    assert {OLD, NEW} < found and len(found) > 2


def test_renaming_is_one_step_and_names_come_in_any_order(tmp_path):
    (tmp_path / "a").write_bytes(OLD)
    with Disk(tmp_path) as disk:
        os.rename(tmp_path / "a", tmp_path / "b")
        os.mkdir(tmp_path / "c")
    assert {frozenset(state) for state in disk.found()} == {
        frozenset(names) for names in ("a", "b", "ac", "bc")
    }


def test_a_model_after_a_cut_is_the_old_or_the_new_one(tmp_path):
    path, read = tmp_path / "model.npz", tmp_path / "read"
    checkpoint.save(path, {"w": np.ones(3)}, {"epoch": 1})
    with Disk(tmp_path) as disk:
        checkpoint.save(path, {"w": np.full(70, 2.0)}, {"epoch": 2})
        second = disk.cut()
        checkpoint.save(path, {"w": np.full(7, 3.0)}, {"epoch": 3})
    for since, epochs in ((0, {1, 2, 3}), (second, {2, 3}), (disk.points, {3})):
        seen = set()
        for content in contents(disk.found(since), path.name):
            read.write_bytes(content)
            arrays, about = checkpoint.load(read)
            assert arrays["w"].mean() == about["epoch"]
            seen.add(about["epoch"])
        assert seen == epochs


def test_a_few_bytes_are_flushed_like_many(before):
    folder, old = before
    with Disk(folder) as disk, whole(folder / "a") as file:
        file.write(b"few")
    assert contents(disk.found()) == {old, b"few"}
    assert contents(disk.found(disk.points)) == {b"few"}
