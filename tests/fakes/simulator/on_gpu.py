"""The simulator's call form on a real GPU: with MINIGRAD_KERNELS=gpu every test of a kernel is one.

Arrays go to the GPU before each launch and come back after it. What the simulator alone can tell
(wrong types of arguments, barriers that some threads miss) is not told here; and Adam's kernel,
whose struct holds addresses, needs arrays that are on the GPU already: see tests/gpu.
"""

import numpy as np

from .module import launches


class Module:
    """The kernels of a source, compiled by CuPy."""

    def __init__(self, code, options=(), sanitize=False):
        import cupy

        self._module = cupy.RawModule(code=code, options=tuple(options))

    def get_function(self, name):
        return Kernel(name, self._module.get_function(name))


class Kernel:
    """A kernel that takes NumPy arrays."""

    def __init__(self, name, function):
        self.name, self._function = name, function

    def __call__(self, grid, block, args):
        import cupy

        copies = {}  # what is given twice is one array there, too
        for a in args:
            if isinstance(a, np.ndarray) and a.dtype.names is None:
                copies.setdefault((a.ctypes.data, a.nbytes), (a, cupy.asarray(a)))
        there = [
            copies[a.ctypes.data, a.nbytes][1]
            if isinstance(a, np.ndarray) and a.dtype.names is None
            else a
            for a in args
        ]
        launches.append((self.name, *((*shape, 1, 1)[:3] for shape in (grid, block))))
        self._function(grid, block, tuple(there))
        for a, copy in copies.values():
            if a.flags.writeable:
                a[...] = copy.get()
