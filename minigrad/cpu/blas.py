"""BLAS held to one thread while the pool works.

Left to itself OpenBLAS starts threads of its own, and these keep spinning after each product: they
take the cores from whatever comes next (a training step went from 218 to 344 ms). The last bits of
a product depend on how many threads share it, too.

MKL, newer BLIS and OpenMP keep a number for each thread: every thread lowers and restores its own.
OpenBLAS with threads of its own has one number for the process (`openblas_set_num_threads_local`
is local by its name only): the first thread that needs the hold lowers it, and the last one that
leaves, whichever it is, restores it.

Ctrl-C may come at any time. Python raises KeyboardInterrupt where a call returns, a function begins
or a loop goes round, never within a function written in C. What is done here is therefore undone by
functions that may be interrupted and called once more.
"""

import ctypes
import itertools
import os
import threading


def one_blas_thread(function, *arguments, **options):
    """Call the function, with BLAS held to one thread while it runs, and return its result.

    Holds of several threads may overlap; one within another, in the same thread, has nothing left
    to do. It is a function and no context manager because Ctrl-C can come before the first line of
    an ``__exit__``, but not before a ``finally``.

    >>> import numpy as np
    >>> one_blas_thread(np.matmul, np.ones((2, 3)), np.ones(3))
    array([3., 3.])
    """
    if _here.held:
        return function(*arguments, **options)
    own, shared = _libraries or _found()
    numbers, holder = own and [[] for _ in own], object()
    try:
        for k, library in enumerate(own):
            library.lower(numbers[k])
        shared.lower(holder)
        _here.held = True  # now that it is true: a handler of a signal may multiply before
        return function(*arguments, **options)
    finally:
        try:
            _restore(own, numbers, shared, holder)
        except BaseException:  # Ctrl-C
            _restore(own, numbers, shared, holder)
            raise


def _restore(own, numbers, shared, holder):
    _here.held = False  # while it is still true
    for k, library in enumerate(own):
        library.restore(numbers[k])
    shared.restore(holder)


class _Here(threading.local):
    held = False  # whether this thread is within a hold


_here = _Here()


def hold_this_thread():
    """Hold BLAS for good where its number of threads is this thread's own: for the pool's."""
    for library in _found()[0]:
        library.lower([])


def found_libraries():
    """The BLAS libraries of the process, each in words.

    >>> [type(words) for words in found_libraries()][:1]
    [<class 'str'>]
    """
    from threadpoolctl import threadpool_info  # here: import minigrad stays fast

    return [
        f"{found['internal_api']} {found['version']}, threads of its own: {found['num_threads']}"
        for found in threadpool_info()
        if found["user_api"] == "blas"
    ]


class _PerThread:
    """A library whose number of threads each thread sets for itself."""

    def __init__(self, get, set):
        self.get, self.set = get, set  # `get` is None where `set` returns the number before

    def lower(self, number):
        """Use one thread, and put the number of threads until now into the empty list."""
        if self.get:
            number.append(self.get())
            self.set(1)
        else:
            number[:] = map(self.set, (1,))  # in one go: Ctrl-C cannot come before it is kept

    def restore(self, number):
        """Undo `lower`; calling it again changes nothing."""
        if number:
            self.set(number[0])
            number.clear()


class _Shared:
    """The libraries that have one number of threads for the whole process."""

    def __init__(self, libraries):
        self.libraries = libraries  # pairs (get, set)
        self.holders, self.before, self.lock = set(), None, threading.RLock()

    def lower(self, holder):
        """Use one thread, until every holder has called `restore`."""
        if not self.libraries:
            return
        with self.lock:
            self.holders.add(holder)
            if self.before is None:
                self.before = [get() for get, _ in self.libraries]
            for _, set_threads in self.libraries:  # also where somebody holds it: he may have been
                set_threads(1)  # interrupted before he did

    def restore(self, holder):
        """Undo `lower`; calling it again changes nothing."""
        with self.lock:
            self.holders.discard(holder)
            if self.before is not None and not self.holders:
                for k, (_, set_threads) in enumerate(self.libraries):
                    set_threads(self.before[k])
                self.before = None

    def after_fork(self):
        """In a child process, where the other threads do not go on and will not leave."""
        self.lock = threading.RLock()
        self.holders.clear()
        self.restore(None)


# ---------------------------------------------------------------------- the libraries
_libraries, _finding = None, threading.RLock()


def _found():
    """The libraries of the process: a list of `_PerThread` and one `_Shared`."""
    global _libraries
    if _libraries is None:  # some milliseconds, once
        with _finding:
            _libraries = _libraries or _find()
    return _libraries


def _find():
    from threadpoolctl import ThreadpoolController  # here: import minigrad stays fast

    own, shared = [], []
    for library in ThreadpoolController().lib_controllers:
        if library.user_api == "blas":
            loaded = ctypes.CDLL(library.filepath)
            control = _CONTROLS.get(library.internal_api, _unknown)(loaded, library)
            (own if isinstance(control, _PerThread) else shared).append(control)
    return own, _Shared(shared)


def _openblas(loaded, library):
    for prefix, suffix in itertools.product(("", "scipy_"), ("", "64_", "_64")):
        name = prefix + "openblas_{}" + suffix
        if hasattr(loaded, name.format("set_num_threads")):
            parallel = getattr(loaded, name.format("get_parallel"), None)
            if parallel and parallel() == 2:  # OpenMP: it asks for the calling thread's number
                return _PerThread(loaded.omp_get_max_threads, loaded.omp_set_num_threads)
            return tuple(loaded[name.format(f"{do}_num_threads")] for do in ("get", "set"))
    return _unknown(loaded, library)


def _mkl(loaded, library):
    return _PerThread(None, loaded.MKL_Set_Num_Threads_Local)  # 0: the process's number


def _blis(loaded, library):
    get = loaded.bli_thread_get_num_threads
    set_threads = loaded.bli_thread_set_num_threads
    for function, returned in ((get, ctypes.c_ssize_t), (set_threads, None)):
        function.argtypes, function.restype = [ctypes.c_ssize_t] * (function is not get), returned
    local = getattr(loaded, "bli_thread_set_num_threads_local", None)  # AMD's
    if local:
        local.argtypes, local.restype = [ctypes.c_ssize_t], None
        return _PerThread(get, local)
    before, elsewhere = get(), []

    def other_thread():
        number = get()
        set_threads(number + 1 if number > 0 else 2)
        elsewhere.append(number)

    # Since version 1.0 each thread has a number of its own; nothing but trying tells.
    thread = threading.Thread(target=other_thread)
    try:
        thread.start()
    finally:
        thread.join()
        own = get() == before
        if not own:
            set_threads(before)
    return _PerThread(get, set_threads) if own else (get, set_threads)


def _unknown(loaded, library):
    return library.get_num_threads, library.set_num_threads


_CONTROLS = {"openblas": _openblas, "mkl": _mkl, "blis": _blis}


def _after_fork():
    global _finding
    _finding, _here.held = threading.RLock(), False
    if _libraries is not None:
        _libraries[1].after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
