"""What the tests of kernels share: exact numbers, awkward arrays, and kernels with a mistake."""

import contextlib

import numpy as np
from simulator import Module, SimulatorError, in_every_order, launches

from minigrad.cuda.launch import Launcher, launcher

SUBNORMAL = 2.0**-126  # below it CuPy's kernels, compiled with -ftz=true, have 0 on a GPU


def integers(*shape, low=-8, high=9, seed=0):
    """Whole numbers as float32: their sums are exact in any order."""
    return np.random.default_rng(seed).integers(low, high, shape).astype(np.float32)


def quarters(*shape, seed=1):
    """Outputs of an activation between -1 and 1 for which its derivative is exact, too."""
    return integers(*shape, low=-4, high=5, seed=seed) / np.float32(4)


def misaligned(x):
    """A contiguous copy of `x` that begins 4 bytes beside a multiple of 16."""
    copy = np.empty(x.size + 5, x.dtype)
    skip = -(copy.ctypes.data // x.itemsize) % 4 + 1
    copy = copy[skip : skip + x.size].reshape(x.shape)
    copy[...] = x
    assert x.itemsize != 4 or copy.ctypes.data % 16 == 4
    return copy


def same_bits(a, b):
    """Assert that two arrays have one dtype, one shape and the same values."""
    a, b = np.asarray(a), np.asarray(b)
    assert a.dtype == b.dtype and a.shape == b.shape, (a.dtype, a.shape, b.dtype, b.shape)
    np.testing.assert_array_equal(a, b)


def one_launch(run):
    """What `run()` gives in every order of the threads, with one launch each time."""
    before = len(launches)
    y = in_every_order(run)
    names = {name for name, *_ in launches[before:]}
    assert len(launches) == before + 3 and len(names) == 1, launches[before:]
    return y


@contextlib.contextmanager
def mistake(right, wrong):
    """Within it, inside of `simulated()`, the kernels say `wrong` where they should say `right`."""
    found = []

    def compile_wrong(code, options):
        found.append(right in code)
        try:
            return Module(code.replace(right, wrong), options)
        except SimulatorError as error:  # else a typing error here would pass for a find
            raise LookupError(f"the kernel with {wrong!r} does not compile: {error}") from None

    before = dict(vars(launcher))
    vars(launcher).update(vars(Launcher(compile=compile_wrong)))
    try:
        yield
    finally:
        vars(launcher).update(before)
        if not any(found):
            raise LookupError(f"no kernel says {right!r}")
