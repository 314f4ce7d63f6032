"""Proves that a file is written whole or not at all, with the rights and under the links it had."""

import os
import stat

import numpy as np
import pytest
from no_room import file_size_limit

from minigrad import checkpoint
from minigrad.checkpoint import whole


def write(path, text="new"):
    with whole(path) as file:
        file.write(text.encode())


def alone(path):
    """Whether nothing is beside the file, such as an unfinished one."""
    return list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("fails", ["in the block", "at the limit", "at a flush", "at renaming"])
def test_a_failure_leaves_the_good_file(tmp_path, monkeypatch, fails):
    path = tmp_path / "good"
    path.write_text("good")

    def broken(*_):
        raise OSError(28, "No space left on device")

    if fails.startswith("at a flush"):
        monkeypatch.setattr(os, "fsync", broken)
    if fails == "at renaming":
        monkeypatch.setattr(os, "replace", broken)
    with pytest.raises(OSError) as raised, file_size_limit(2**20), whole(path) as file:
        file.write(b"n" * (2**21 if fails == "at the limit" else 10))
        if fails == "in the block":
            broken()
    assert raised.value.errno == (27 if fails == "at the limit" else 28)
    monkeypatch.undo()
    assert path.read_text() == "good" and alone(path)


@pytest.mark.parametrize("save", [np.save, lambda file, a: np.savez(file, a=a)])
def test_numpy_notices_that_there_is_no_room(tmp_path, save):
    """By itself np.save leaves half an array and says nothing."""
    path = tmp_path / "a.npy"
    path.write_text("good")
    for size in (100, 1000, 10_000):
        with pytest.raises(OSError), file_size_limit(4 * size), whole(path) as file:
            save(file, np.arange(float(size)))
        assert path.read_text() == "good" and alone(path)
    with whole(path) as file:
        save(file, np.arange(100.0))
    stored = np.load(path)
    np.testing.assert_array_equal(stored if save is np.save else stored["a"], np.arange(100.0))


def test_all_is_on_the_disk_before_the_name_and_the_name_at_the_end(tmp_path, monkeypatch):
    path, happened = tmp_path / "a", []
    fsync, replace = os.fsync, os.replace

    def flushed(handle):
        status = os.fstat(handle)
        happened.append("folder" if stat.S_ISDIR(status.st_mode) else f"{status.st_size} bytes")
        fsync(handle)

    def renamed(old, new):
        happened.append("renamed")
        replace(old, new)

    monkeypatch.setattr(os, "fsync", flushed)
    monkeypatch.setattr(os, "replace", renamed)
    write(path, "n" * 100_000)
    assert happened == ["100000 bytes", "renamed", "folder"]


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664, 0o777])
def test_permissions_stay(tmp_path, mode):
    path = tmp_path / "a"
    path.write_text("old")
    path.chmod(mode)
    seen = []
    with whole(path) as file:
        file.write(b"new")
        seen += [p.stat().st_mode & 0o777 & ~mode for p in tmp_path.glob("*.part")]
    assert seen == [0]  # nor can others read it meanwhile
    assert path.stat().st_mode & 0o777 == mode and path.read_text() == "new"


def test_a_new_file_has_the_rights_that_any_other_has(tmp_path):
    before = os.umask(0o027)
    try:
        write(tmp_path / "a")
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_the_owner_stays(tmp_path):
    path = tmp_path / "a"
    path.write_text("old")
    os.chown(path, 12345, 12346)
    write(path)
    assert (path.stat().st_uid, path.stat().st_gid) == (12345, 12346)


def test_a_file_that_may_not_be_written_stays(tmp_path, monkeypatch):
    path = tmp_path / "a"
    path.write_text("old")
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may everything
    with pytest.raises(PermissionError, match="a'"):
        write(path)
    assert path.read_text() == "old" and alone(path)


def test_links_stay_and_their_files_are_replaced(tmp_path):
    (tmp_path / "far").mkdir()
    target, link = tmp_path / "far" / "target", tmp_path / "link"
    target.write_text("old")
    link.symlink_to("far/target")
    (tmp_path / "second").symlink_to(link)
    write(tmp_path / "second")
    assert target.read_text() == "new" and link.is_symlink() and alone(target)
    target.unlink()
    write(link, "again")  # one that leads nowhere yet
    assert target.read_text() == "again" and link.is_symlink()


def test_a_hard_link_is_not_written_through(tmp_path):
    (tmp_path / "a").write_text("old")
    os.link(tmp_path / "a", tmp_path / "b")
    write(tmp_path / "a")
    assert (tmp_path / "b").read_text() == "old"


def test_what_is_no_file_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match=r"it is no ordinary file: .*pipe"):
        write(tmp_path / "pipe")
    with pytest.raises(OSError, match="it is a folder"):
        write(tmp_path)
    with pytest.raises(OSError, match="it is no ordinary file: '/dev/null'"):
        write("/dev/null")
    assert not os.path.isfile("/dev/null")
    with pytest.raises(FileNotFoundError, match=r"nowhere.a'"):
        write(tmp_path / "nowhere" / "a")


@pytest.mark.parametrize("letter", ["n", "\N{LATIN SMALL LETTER E WITH ACUTE}", "\N{BLACK STAR}"])
def test_names_of_the_longest_kind(tmp_path, letter):
    name = letter * (251 // len(letter.encode())) + ".npz"
    assert 252 <= len(name.encode()) <= 255
    checkpoint.save(tmp_path / name, {"w": np.ones(3)})
    assert checkpoint.load(tmp_path / name).arrays["w"].sum() == 3
    assert alone(tmp_path / name)
    with pytest.raises(OSError, match=r"File name too long: .*nnn'"):
        checkpoint.save(tmp_path / ("n" * 256), {"w": np.ones(3)})


def test_files_of_very_many_members_are_refused_at_once(tmp_path):
    with pytest.raises(ValueError, match="fewer than 10000 arrays, got 60000"):
        checkpoint.save(tmp_path / "a.npz", {f"a{k}": 0.0 for k in range(60_000)})
    rare = {f"a{k}": np.float32(k) for k in range(300)}
    checkpoint.save(tmp_path / "a.npz", rare)
    assert len(checkpoint.load(tmp_path / "a.npz").arrays) == 300
    np.savez(tmp_path / "b.npz", **{f"a{k}": 0.0 for k in range(12_000)})
    data = (tmp_path / "b.npz").read_bytes()
    forged = data[:-12] + b"\1\0\0\0" + data[-8:]  # says that its index is short
    for content in (data, data[:-14] + b"\1\0\1\0" + data[-10:], data + b"comment", forged):
        (tmp_path / "c.npz").write_bytes(content)
        with pytest.raises(ValueError, match="is damaged"):
            checkpoint.load(tmp_path / "c.npz")


def test_folders_are_made_and_the_names_of_new_ones_flushed(tmp_path, monkeypatch):
    flushed = []
    monkeypatch.setattr(checkpoint, "flush_folder", flushed.append)
    checkpoint.make_folder(tmp_path / "a/b/c")
    assert (tmp_path / "a/b/c").is_dir()
    assert sorted(flushed) == [tmp_path, tmp_path / "a", tmp_path / "a/b"]
    flushed.clear()
    checkpoint.make_folder(tmp_path / "a/b")
    assert not flushed
    made = iter([True, False])  # somebody else makes it just now
    monkeypatch.setattr(checkpoint.Path, "exists", lambda self: next(made, True))
    checkpoint.make_folder(tmp_path / "a/b")


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="open files cannot be counted")
def test_no_file_stays_open(tmp_path):
    write(tmp_path / "file")
    before = os.listdir("/proc/self/fd")
    for _ in range(3):
        write(tmp_path / "file")
        checkpoint.flush_folder(tmp_path)
    assert len(os.listdir("/proc/self/fd")) == len(before)
