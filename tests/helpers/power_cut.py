"""A disk that loses what was not flushed when the power goes.

Inside ``with Disk(folder) as disk`` programs work in `folder` as usual, while the disk keeps what
POSIX promises and no more: the content of a file survives from its last ``fsync``, and a name (of a
new file or folder, after a renaming, a removal) from the next ``fsync`` of the folder it is in.
Until then it may or may not be on the disk, whatever came before or after. A renaming is one step.
What could be found after a cut at any point is kept, and a test looks at all of it.
"""

import itertools
import os
from pathlib import Path

import pytest

MOST = 6  # changes of names of which every subset is tried; of more only some
CALLS = ("open", "fsync", "replace", "rename", "unlink", "remove", "rmdir", "mkdir")


class Disk:
    """What is safe on the disk below `folder`, and what could be found there after a cut.

    ``found()`` are the folders that could be, dicts from names to contents (None for a folder);
    ``found(disk.points)`` those of a cut at the present point or later.
    """

    def __init__(self, folder):
        self.root = Path(folder)
        self.points = 0
        self._states = {}  # each with the number of the last point at which a cut leaves it
        self._pending = []  # changes of names to be flushed: [[(folder, name, id), ...], ...]
        self._ids, self._count = {}, itertools.count()
        self._contents, self._folders = {}, set()  # of all ids that ever were
        self._names = self._look()  # by folder: {name: id}
        self._safe_names = {key: dict(names) for key, names in self._names.items()}
        self._safe = dict(self._contents)  # what is there at the beginning was flushed

    def __enter__(self):
        self._patch = pytest.MonkeyPatch()
        for name in CALLS:
            self._patch.setattr(os, name, self._watched(name, getattr(os, name)))
        return self

    def __exit__(self, *_):
        self._patch.undo()
        self.cut()

    def _watched(self, name, call):
        def watched(*args, **kwargs):
            self.cut()
            result = call(*args, **kwargs)
            if name == "fsync":
                self._flushed(os.fstat(args[0]))
            elif name in ("replace", "rename"):
                self._renamed()
            return result

        return watched

    # ------------------------------------------------------------------ what is there
    def _look(self):
        """The names in each folder below the root, as they are now."""
        known, names = self._ids, {}
        self._ids, folders = {}, [self.root]
        while folders:
            folder = folders.pop()
            inside = names.setdefault(self._id(known, os.lstat(folder)), {})
            for entry in os.scandir(folder):
                key = self._id(known, entry.stat(follow_symlinks=False))
                inside[entry.name] = key
                if entry.is_dir(follow_symlinks=False):
                    folders.append(Path(entry.path))
                elif entry.is_file(follow_symlinks=False):
                    self._contents[key] = Path(entry.path).read_bytes()
        self._folders |= names.keys()
        self._top = self._ids[self._inode(os.lstat(self.root))]
        return names

    def _id(self, known, status):
        """A name of ours for a file, because the system gives numbers of removed ones again."""
        inode = self._inode(status)
        self._ids[inode] = known.get(inode) or self._ids.get(inode) or f"{next(self._count)}"
        return self._ids[inode]

    @staticmethod
    def _inode(status):
        return status.st_dev, status.st_ino

    # ------------------------------------------------------------------ what happens
    def _notice(self):
        """The changes of names since the last look: [(folder, name, id or None), ...]."""
        before, self._names = self._names, self._look()
        return [
            (folder, name, self._names.get(folder, {}).get(name))
            for folder in before.keys() | self._names.keys()
            for name in before.get(folder, {}).keys() | self._names.get(folder, {}).keys()
            if before.get(folder, {}).get(name) != self._names.get(folder, {}).get(name)
        ]

    def _renamed(self):
        self._pending.append(self._notice())  # the old name and the new one in one step

    def _flushed(self, status):
        self._pending += [[change] for change in self._notice()]
        key = self._ids.get(self._inode(status))
        if key not in self._folders:
            self._safe[key] = self._contents[key]
        for step in [s for s in self._pending if any(folder == key for folder, _, _ in s)]:
            self._apply(self._safe_names, step)
            self._pending.remove(step)

    @staticmethod
    def _apply(names, step):
        for folder, name, key in step:
            inside = names.setdefault(folder, {})
            inside.pop(name, None)
            if key is not None:
                inside[name] = key

    # ------------------------------------------------------------------ a cut
    def cut(self):
        """Note what could be found if the power went now; returns the number of this point."""
        self._pending += [[change] for change in self._notice()]
        self.points += 1
        for steps in self._subsets():
            names = {key: dict(inside) for key, inside in self._safe_names.items()}
            for step in steps:
                self._apply(names, step)
            for kept in (0, 0.5, 1):  # of what was written and not flushed
                state = tuple(sorted(self._walk(names, self._top, "", kept)))
                self._states[state] = self.points
        return self.points

    def _subsets(self):
        steps, n = self._pending, len(self._pending)
        sizes = range(n + 1) if n <= MOST else (0, 1, n - 1, n)
        for size in sizes:
            yield from itertools.combinations(steps, size)
        if n > MOST:
            yield from (steps[:k] for k in range(2, n - 1))

    def _walk(self, names, folder, path, kept):
        for name, key in names.get(folder, {}).items():
            if key in self._folders:
                yield f"{path}{name}", None
                yield from self._walk(names, key, f"{path}{name}/", kept)
            else:
                safe, now = self._safe.get(key, b""), self._contents.get(key, b"")
                flushed = kept == 0 or safe == now
                yield f"{path}{name}", safe if flushed else now[: int(kept * len(now))]

    def found(self, since=0):
        """The folders that could be found after a cut at or after the point `since`."""
        return [dict(state) for state, point in self._states.items() if point >= since]
