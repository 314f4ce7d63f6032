"""`cupy.RawModule` of the double: the simulator runs the kernels on device memory."""

import numpy as np
from simulator import Module

from . import ledger, memory, streams
from .arrays import ndarray


class RawModule:
    """CUDA source, compiled when the first kernel is asked for, as CuPy does."""

    def __init__(self, code=None, *, path=None, options=(), backend="nvrtc", **others):
        if code is None or path is not None or backend != "nvrtc" or any(others.values()):
            raise NotImplementedError("the device double knows RawModule(code=, options=) only")
        self.code, self.options, self._module = code, tuple(options), None

    def get_function(self, name):
        if self._module is None:
            self._module = Module(self.code, self.options)
        return Kernel(name, self._module.get_function(name))


class Kernel:
    """A kernel: ``kernel(grid, block, args)`` launches it."""

    def __init__(self, name, run):
        self.name, self._run = name, run

    def __call__(self, grid, block, args, *, shared_mem=0):
        arrays = [a for a in args if isinstance(a, ndarray)]
        plain = tuple(_argument(self.name, k, a) for k, a in enumerate(args))
        if shared_mem:
            raise NotImplementedError("the simulator knows no dynamic shared memory")
        ledger.count("kernels")
        uses = [a._allocation for a in arrays]
        uses += memory.behind(n for a in plain for n in _addresses(a))
        streams.submit(self.name, lambda: self._run(grid, block, plain), uses)


def _addresses(a):
    """The numbers in a struct that may be addresses."""
    if isinstance(a, np.ndarray) and a.dtype.names:
        for name in a.dtype.names:
            if a.dtype[name].base == np.uint64:
                yield from np.atleast_1d(a[name]).ravel().tolist()


def _argument(kernel, k, a):
    if isinstance(a, ndarray):
        return a._a
    if isinstance(a, np.ndarray) and a.dtype.names:
        return a.copy()  # a struct by value: what the caller does to it afterwards changes nothing
    if isinstance(a, np.ndarray):
        raise ledger.ImplicitHostError(
            f"{kernel}: argument {k} is a {a.shape} {a.dtype} NumPy array, of which CuPy would "
            "pass the bytes: copy it to the device"
        )
    if not isinstance(a, np.generic):
        raise TypeError(
            f"{kernel}: argument {k} is a {type(a).__name__}: CuPy passes an int as 8 bytes and a "
            "float as a double whatever the kernel expects, give np.int32 or np.float32"
        )
    return a
