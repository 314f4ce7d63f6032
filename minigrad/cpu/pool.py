"""One pool of threads for the process.

NumPy and its BLAS release the interpreter lock, so threads that work on different blocks of an
array run side by side. The work is split into blocks that fit a core's cache, and each block's
products run on the thread that owns the block, with BLAS held to one thread (see `blas.py`).

A block must write only what is its own. Threads take the next block as soon as they are free, so
a core that other programs slow down gets fewer of them, and yet no result depends on timing or on
the number of threads: which thread computes a block does not change its numbers.
"""

import _thread
import contextvars
import math
import os
import queue
import sys
import threading
from collections import deque

import numpy as np

from .blas import hold_this_thread, one_blas_thread

_KEEP = 16 << 20  # bytes: larger scratch buffers are given back at once
_here = threading.local()  # .inside: this thread is working on a block; .scratch: its buffers


# ---------------------------------------------------------------------- the threads
class _Job:
    """A function and the blocks that still wait for it."""

    def __init__(self, function, blocks):
        self.function, self.error = function, None
        self.waiting = deque(blocks)
        self.locks = []  # one for each helper that was called; it holds its own while it works

    def work(self):
        """Take blocks until none is left."""
        while self.waiting:
            try:
                block = self.waiting.popleft()
            except IndexError:  # another thread was faster
                break
            self.function(block)

    def help(self):
        """`work` in a thread of the pool, which keeps an exception for the caller."""
        try:
            self.work()
        except BaseException as error:
            self.error = error
            self.waiting.clear()

    def finish(self):
        """Begin no other block, and wait for those that helpers are at."""
        _here.inside = False
        self.waiting.clear()
        for lock in self.locks:
            with lock:
                pass


class _Pool:
    """Threads that wait for jobs. The caller of `parallel` works too, so there is one fewer."""

    def __init__(self, threads):
        self.helpers, self.inbox = threads - 1, queue.SimpleQueue()

    def start(self):
        for _ in range(self.helpers):  # (Ctrl-C within `threading.Thread.start` can break its lock)
            _thread.start_new_thread(self._serve, ())

    def _serve(self):
        _here.inside = True
        hold_this_thread()
        for job, lock, context in iter(self.inbox.get, None):
            with lock:
                context.run(job.help)
            del job, context  # or the arrays of the last job would live until the next

    def run(self, job):
        try:
            for _ in range(min(self.helpers, len(job.waiting) - 1)):
                job.locks.append(threading.Lock())
                # NumPy's errstate, among others, is in the context; a thread needs its own copy
                self.inbox.put((job, job.locks[-1], contextvars.copy_context()))
            _here.inside = True
            job.work()
        finally:
            try:
                job.finish()
            except BaseException:  # Ctrl-C
                job.finish()
                raise
        if job.error is not None:
            try:
                raise job.error
            finally:
                job.error = None  # whose traceback refers to the job

    def close(self):
        for _ in range(self.helpers):
            self.inbox.put(None)


def parallel(function, blocks):
    """Call ``function(block)`` for each of the `blocks`, shared out over the threads.

    Returns when all are done; the first exception is raised again here. Within a block, and with
    one thread, it is a plain loop.

    >>> squares = np.zeros(4)
    >>> parallel(lambda k: squares.__setitem__(k, k * k), range(4))
    >>> squares
    array([0., 1., 4., 9.])
    """
    one_blas_thread(_share_out, function, blocks)


def _share_out(function, blocks):
    if len(blocks) < 2 or getattr(_here, "inside", False) or get_num_threads() < 2:
        for block in blocks:
            function(block)
    else:
        _started().run(_Job(function, blocks))


def _started():
    global _pool
    with _lock:
        if _pool is None:
            pool = _Pool(get_num_threads())
            try:
                pool.start()
                _pool = pool
            except BaseException:
                pool.close()
                raise
        return _pool


def get_num_threads() -> int:
    """The number of threads that share the work, the calling one included.

    Returns
    -------
    int
    """
    global _threads
    if _threads is None:
        set_num_threads(_default())
    return _threads


def set_num_threads(n: int) -> None:
    """Share the work over `n` threads; results do not depend on it. The default is
    MINIGRAD_NUM_THREADS, or the cores this process may use but at most OMP_NUM_THREADS.

    Parameters
    ----------
    n : int
        At least 1.
    """
    global _threads, _pool
    if not isinstance(n, int) or n < 1:
        raise ValueError(f"set_num_threads: expected an integer of at least 1, got {n!r}")
    with _lock:
        old = _pool if _threads != n else None
        if old is not None:
            _pool = None
        _threads = n
        if old is not None:
            try:
                old.close()  # jobs already handed out are finished first
            except BaseException:  # Ctrl-C
                old.close()
                raise


def _default():
    if given := os.environ.get("MINIGRAD_NUM_THREADS"):
        return _count("MINIGRAD_NUM_THREADS", given)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    limit = os.environ.get("OMP_NUM_THREADS", "").split(",")[0]  # joblib sets it for its workers
    return min(cores, _count("OMP_NUM_THREADS", limit)) if limit else cores


def _count(variable, given):
    if not given.strip().isdecimal() or int(given) < 1:
        raise ValueError(
            f"environment variable {variable}: expected a number of threads of at least 1, got "
            f"{os.environ[variable]!r}: set it to a number, or unset it to use all cores"
        )
    return int(given)


# ---------------------------------------------------------------------- memory and blocks
def scratch(name, shape, dtype):
    """This thread's buffer called `name`, as an array of undefined contents: kept between calls,
    so it stays in the core's cache and costs no page faults."""
    buffers = _here.__dict__.setdefault("scratch", {})
    size = math.prod(shape) * dtype.itemsize
    buffer = buffers.get(name)
    if buffer is None or buffer.nbytes < size:
        buffer = np.empty(size, np.uint8)
        buffers.pop(name, None)
        if size <= _KEEP:
            buffers[name] = buffer
    return np.ndarray(shape, dtype, buffer)


def compiled_kernels_run():
    """What ``minigrad.cpu.native`` says."""
    return getattr(sys.modules[__package__], "native", False)


def pieces(length, step):
    """The slices of `step` elements (the last may be shorter) that make up `length`."""
    return [slice(k, min(k + step, length)) for k in range(0, length, step)]


def _after_fork():
    """A child process has the calling thread only: it starts its own pool when it needs one."""
    global _pool, _lock
    _pool, _lock = None, threading.Lock()
    _here.__dict__.clear()


_pool, _threads, _lock = None, None, threading.Lock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
