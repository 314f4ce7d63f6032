"""Disks without room, as a program meets them."""

import contextlib
import resource


@contextlib.contextmanager
def file_size_limit(size):
    """No file may become larger than `size` bytes, as `ulimit -f` says it."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
