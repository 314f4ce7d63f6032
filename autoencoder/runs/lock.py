"""One writer in a run folder at a time.

Whoever writes there holds a lock on its file ``.lock``, which the system takes back when the
process ends, however it ends; on network file systems too, where their server knows locks. The file
says who holds it. Where there are no locks the file itself is one: it is then made by the process
that holds it, and taken away from one of this machine that is no longer there.
"""

import contextlib
import errno
import os
import secrets
import socket
import time
import weakref
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

NAME = ".lock"
WAIT, ATTEMPTS = 0.05, 4  # seconds from one attempt to the next; at least so many
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)
_held = weakref.WeakSet()


class NotOurs(RuntimeError):
    """A run folder belongs to another process, or is no longer there."""


class Lock:
    """The right to write into `folder`, from its making until `release`, or the process's end.

    Raises NotOurs, which says who holds it, unless that ends within `patience` seconds.

    >>> from tempfile import mkdtemp
    >>> folder = mkdtemp()
    >>> with Lock(folder):
    ...     Lock(folder)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    autoencoder.runs.lock.NotOurs: another process writes into ...: process ... on ... since ...
    >>> with Lock(folder) as lock:
    ...     lock.check()
    """

    def __init__(self, folder, patience=0.0):
        self.folder = Path(folder)
        self.path = Path(os.path.realpath(folder)) / NAME  # whatever folder one is in later
        until, attempts = time.monotonic() + patience, 1
        while (handle := self._attempt()) is None:
            if attempts >= ATTEMPTS and time.monotonic() >= until:
                raise NotOurs(
                    f"another process writes into {folder}: {_holder(self.path)}; wait until it "
                    f"has ended (if it has, without a trace, remove {self.path})"
                )
            time.sleep(WAIT)
            attempts += 1
        self._handle = handle
        self._identity = _identity(os.fstat(handle))
        _held.add(self)
        try:
            os.ftruncate(handle, 0)
            os.write(handle, _ourselves().encode())
        except BaseException:
            self.release()
            raise

    def _attempt(self):
        """A handle of the file, open and locked, or None if another process has it."""
        create = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
        try:
            handle, made = os.open(self.path, create | os.O_EXCL, 0o666), True
        except FileExistsError:
            try:
                handle, made = os.open(self.path, create, 0o666), False
            except OSError as error:
                if error.errno != errno.ELOOP:
                    raise
                self.path.unlink(missing_ok=True)  # a link is not followed
                return None
        try:
            locked = _lock(handle)
            if locked is None:  # there are no locks here
                locked = made
                if not made:
                    _take_from_the_dead(self.path)
            # else the one who held it has removed the file meanwhile, and it is no lock any more
            if locked and _there(self.path) == _identity(os.fstat(handle)):
                handle, found = None, handle
                return found
            return None
        finally:
            if handle is not None:
                os.close(handle)

    def check(self):
        """Raise NotOurs where the folder was removed, or given to another process meanwhile."""
        if _there(self.path) != self._identity:
            raise NotOurs(
                f"{self.folder} was removed, renamed or given to another process while this one "
                "was at work on it: nothing more is written there"
            )

    def moved(self, folder):
        """Take note of the folder's new name."""
        self.folder, self.path = Path(folder), Path(os.path.realpath(folder)) / NAME

    def release(self):
        """Give the folder back."""
        _held.discard(self)
        handle, self._handle = self._handle, None
        if handle is not None:
            with contextlib.suppress(OSError):
                if _there(self.path) == self._identity:
                    self.path.unlink()  # before it is closed: nobody else has it until then
            os.close(handle)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.release()


def _lock(handle):
    """Whether the open file is locked for us now; None where there is no such thing as a lock."""
    if fcntl is None:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno in NO_LOCKS:
            return None
        raise
    return True


def _take_from_the_dead(path):
    """Remove the file of a process of this machine that has ended without doing so."""
    text = _holder(path)
    _, pid, _, host, *_ = [*text.split(), *[""] * 4]
    if host == socket.gethostname() and pid.isdigit() and not _is_alive(int(pid)):
        aside = path.with_name(f"{NAME}.{secrets.token_hex(4)}.part")
        with contextlib.suppress(OSError):
            os.rename(path, aside)
            if _holder(aside) != text:  # another one was quicker, and this is already its own
                os.rename(aside, path)
            aside.unlink(missing_ok=True)


def _is_alive(pid):
    if os.name != "posix":  # there os.kill would end it
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # somebody else's
        return True
    return True


def _ourselves():
    now = time.strftime("%Y-%m-%d %H:%M:%S")
    return f"process {os.getpid()} on {socket.gethostname()} since {now}"


def _holder(path):
    """What the file says of its holder."""
    try:
        with open(path, "rb") as file:
            text = file.read(200).decode(errors="replace")
    except OSError:
        text = ""
    return " ".join(text.split()) or "one that has not said who it is"


def _identity(status):
    return status.st_dev, status.st_ino


def _there(path):
    """The identity of the file that has this name now, None if there is none."""
    try:
        return _identity(os.lstat(path))
    except OSError:
        return None


def _forget():
    """In a child of this process: its copies would keep the folders locked after our end."""
    for lock in list(_held):
        with contextlib.suppress(OSError):
            os.close(lock._handle)
        lock._handle = None
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
