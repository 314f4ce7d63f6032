"""One file from the network, once: checked against its SHA-256, and within bounds.

A server that answers nothing, forever, or a byte now and then is given up.
"""

import time
import urllib.request
from pathlib import Path

PATIENCE = 10  # seconds until a server must have answered, or sent anything more
DEADLINE = 600  # seconds for the whole file
BLOCK = 2**16  # bytes


def fetch(url, sha256, name, folder=None, largest=2**26):
    """The path of the file `name` in `folder`, else the user's cache, downloaded if need be.

    A file there of another checksum is downloaded again. `largest` is in bytes. Raises an error of
    some kind where the file cannot be had: its first cause is the one to tell.
    """
    import pooch  # here, because only those who download need it

    folder = Path(folder or pooch.os_cache("minigrad"))
    if (folder / name).exists() and not (folder / name).is_file():
        raise ValueError(f"{folder / name} is no ordinary file")

    def download(source, target, _):
        _download(source, target, largest)

    logger = pooch.get_logger()
    level = logger.level
    logger.setLevel("ERROR")  # what it would announce, our callers say
    try:
        return Path(
            pooch.retrieve(
                url, known_hash=f"sha256:{sha256}", fname=name, path=folder, downloader=download
            )
        )
    finally:
        logger.setLevel(level)


def _download(url, target, largest):
    end, size = time.monotonic() + DEADLINE, 0
    with urllib.request.urlopen(url, timeout=PATIENCE) as answer, open(target, "wb") as file:
        while block := answer.read1(BLOCK):  # what there is, without waiting for a whole block
            size += len(block)
            if size > largest:
                raise ValueError(f"it has more than {largest} bytes")
            if time.monotonic() > end:
                raise TimeoutError(f"timed out, after {size} bytes in {DEADLINE} seconds")
            file.write(block)
        length = answer.headers.get("Content-Length", "")
        if length.isdigit() and int(length) != size:
            raise ConnectionError(f"the server sent {size} of {length} bytes")


def first_cause(error):
    """What happened first, in one line: the names and words that a user can do something with."""
    while error.__context__ is not None:
        error = error.__context__
    reason = str(error).splitlines()[0] if str(error) else "no reason given"
    return f"{type(error).__name__}: {reason}"
