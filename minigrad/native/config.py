"""What minigrad runs on here: `show_config`."""

import numpy as np

from .. import cpu
from ..cpu.blas import found_libraries
from ..gpu import status as gpu_status
from . import library

__all__ = ["show_config"]


def show_config(mode: str = "stdout") -> dict[str, str] | None:
    """Print what minigrad runs on here: NumPy, its BLAS, threads, compiled kernels and GPU.

    The GPU is looked for as by `minigrad.cuda.status`.

    Parameters
    ----------
    mode : {"stdout", "dicts"}, default="stdout"
        Print it, or return it.

    Returns
    -------
    dict of strings, or None where it was printed

    Raises
    ------
    ValueError
        For another `mode`.

    Examples
    --------
    >>> list(show_config(mode="dicts"))
    ['NumPy', 'BLAS', 'threads', 'native', 'GPU']
    """
    if mode not in ("stdout", "dicts"):
        raise ValueError(f'show_config: mode must be "stdout" or "dicts", got {mode!r}')
    native = library.status
    if library.library is not None and not cpu.native:
        native = f"off: minigrad.cpu.native is {cpu.native} ({native})"
    found = {
        "NumPy": np.__version__,
        "BLAS": "; ".join(found_libraries()) or "unknown",
        "threads": str(cpu.get_num_threads()),
        "native": native,
        "GPU": gpu_status()[1],
    }
    if mode == "dicts":
        return found
    for name, words in found.items():
        print(f"{name:8} {words}")
    return None
