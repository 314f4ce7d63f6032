"""The compiled library: finding it, loading it through ctypes, and what its functions take.

It is built with the package where there is a C compiler (setup.py), once for each instruction set,
and the best one that this machine has is loaded. Without it, or with ``minigrad.cpu.native =
False``, NumPy's kernels run. The environment variable MINIGRAD_NATIVE switches it off with 0, and
with the name of an instruction set ("baseline", "avx2", "avx512") chooses that one.
"""

import ctypes
import os
import zlib
from pathlib import Path

import numpy as np

from .. import cpu
from ..cpu.pool import scratch

SETS = ("baseline", "avx2", "avx512")  # as `best_set` in kernels.c counts them
FLOAT = np.dtype(np.float32)
_LINE = 64  # bytes: a line of the cache

_SIGNATURES = {  # p: an address, n: a size, i: a flag, d: a number
    "winograd_kernel": "pnnpp",
    "winograd_kernel_gradient": "pnnpp",
    "winograd_convolve": "pnnnppnnnpinnnnp",
    "winograd_gradient": "pnnnpnnnnnnnpip",
    "one_to_many": "pnnppnnppipnnnnn",
    "many_to_one": "pnnppnnppipnnnnn",
    "gate_and_sum": "ppppnn",
    "add_bias": "ppinn",
    "adam": "ppppndddd",
    "bernoulli_nll": "pppn",
    "bernoulli_slope": "pdpppn",
}
_TYPES = {"p": ctypes.c_void_p, "n": ctypes.c_long, "i": ctypes.c_int, "d": ctypes.c_double}


def load(folder, wanted=""):
    """The library in `folder`, and a sentence about it: (None, why not) where there is none."""
    if wanted == "0":
        return None, "off: the environment variable MINIGRAD_NATIVE is 0"
    if wanted and wanted not in SETS:
        raise ValueError(
            f"environment variable MINIGRAD_NATIVE: expected 0 or one of {', '.join(SETS)}, got "
            f"{wanted!r}"
        )
    if not (folder / "kernels-baseline.so").exists():
        return None, "not built: there was no C compiler when the package was installed"
    try:
        names = _here(folder)[: SETS.index(wanted) + 1 if wanted else None]
        found = ctypes.CDLL(str(folder / f"kernels-{names[-1]}.so"))
        for name, letters in _SIGNATURES.items():
            function = getattr(found, name)
            function.argtypes, function.restype = [_TYPES[c] for c in letters], None
        found.winograd_scratch.argtypes = [ctypes.c_long] * 3
        found.winograd_scratch.restype = ctypes.c_long
        found.compiler.restype, found.source.restype = ctypes.c_char_p, ctypes.c_uint
        if found.source() != zlib.crc32((folder / "kernels.c").read_bytes()):
            raise OSError("it was built from another kernels.c: install the package again")
    except (OSError, AttributeError) as error:  # not built, or for another machine or version
        return None, f"not there: {error}"
    return found, f"{names[-1]}, compiled by {found.compiler().decode()}"


def _here(folder):
    """The instruction sets that were built and that this machine has, the best one last."""
    best = ctypes.CDLL(str(folder / "kernels-baseline.so")).best_set()
    return [name for name in SETS[: best + 1] if (folder / f"kernels-{name}.so").exists()]


library, status = load(Path(__file__).parent, os.environ.get("MINIGRAD_NATIVE", ""))
cpu.native = library is not None


def usable(*arrays):
    """Whether the compiled kernels run, and take these arrays: contiguous and float32."""
    return cpu.native and library is not None and all(map(_fits, arrays))


def _fits(a):
    return type(a) is np.ndarray and a.dtype == FLOAT and a.flags.c_contiguous


def address(a):
    """Where the array lies; None for None."""
    return None if a is None else a.ctypes.data


def aligned(buffer):
    """The array `buffer` of floats from its first line of the cache on: make it 16 longer."""
    return buffer[-buffer.ctypes.data % _LINE // FLOAT.itemsize :]


def workspace(name, floats):
    """This thread's buffer of at least so many floats, see `minigrad.cpu.pool.scratch`."""
    return aligned(scratch(name, (floats + _LINE // FLOAT.itemsize,), FLOAT))
