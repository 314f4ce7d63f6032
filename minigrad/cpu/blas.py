"""BLAS held to one thread while the pool works.

Left to itself OpenBLAS starts threads of its own, and these keep spinning after each product: they
take the cores from whatever comes next (a training step went from 218 to 344 ms).
"""

import threading


class _OneThread:
    """Within ``with one_blas_thread:`` BLAS uses one thread. Nests, also across threads."""

    def __init__(self):
        self.libraries, self.holders, self.lock = None, 0, threading.Lock()

    def __enter__(self):
        with self.lock:
            self.holders += 1
            if self.holders == 1:
                self._hold()

    def __exit__(self, *exception):
        with self.lock:
            self.holders -= 1
            if self.holders == 0:
                self._release()

    def after_fork(self):
        """In a child process: nobody holds BLAS any more."""
        self.lock = threading.Lock()
        if self.holders:
            self.holders = 0
            self._release()

    def _hold(self):
        if self.libraries is None:  # some milliseconds, once; the calls below take 1 us
            from threadpoolctl import ThreadpoolController  # here: import minigrad stays fast

            found = ThreadpoolController().lib_controllers
            self.libraries = [lib for lib in found if lib.user_api == "blas"]
        self.before = [(lib, lib.get_num_threads()) for lib in self.libraries]
        for lib, threads in self.before:
            if threads != 1:
                lib.set_num_threads(1)

    def _release(self):
        for lib, threads in self.before:
            if threads != 1:
                lib.set_num_threads(threads)


one_blas_thread = _OneThread()
