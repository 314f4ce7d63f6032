"""Compiled kernels, the third rung: reference, NumPy's kernels (`minigrad.cpu`), and these.

They are one C file, ``kernels.c``, and need no Python when they are compiled: `library.py` loads
them through ctypes, so that they run without the interpreter lock. They are optional: where they
were not built, and for what they do not take, NumPy's kernels run.

>>> import minigrad.cpu
>>> found = minigrad.cpu.native  # True where the library was found
>>> minigrad.cpu.native = False  # NumPy's kernels from now on
>>> minigrad.cpu.native = found
"""

from .. import optim as _optim  # noqa: F401 (what is made faster must be there first)
from . import convolution, elementwise, slopes  # noqa: F401 (they register)
from . import optim as _adam  # noqa: F401
