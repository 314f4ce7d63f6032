"""What the tests of the engine share: a leaf to begin with, and the line an error must name."""

import inspect

import minigrad as mg


def vector(*values, dtype=None):
    """A leaf that requires a gradient, float64 unless `dtype` says otherwise."""
    return mg.tensor([float(v) for v in values], requires_grad=True, dtype=dtype)


def here(lines_up=0):
    """file:line of the caller, as errors write it."""
    frame = inspect.currentframe().f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno - lines_up}"
