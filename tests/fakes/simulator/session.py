"""The library's own launches, simulated: in every order of threads and blocks the same bits."""

import contextlib
import importlib
import os

import numpy as np

from .module import ORDERS, Module, SimulatorError, launches, schedule


@contextlib.contextmanager
def simulated(order="forward", seed=0, sanitize=False):
    """Within it `minigrad.cuda.launch` compiles with the simulator, and `numpy.empty` gives NaNs.

    `order` ("forward", "reverse", "random" with `seed`) is that of threads and blocks. At the end
    the counters that kernels share ("tickets") must be zero again.
    """
    if order not in ORDERS:
        raise ValueError(f"order {order!r} must be one of {ORDERS}")
    launcher = _launcher()
    before, settings = dict(vars(launcher)), dict(vars(schedule))
    empties = np.empty, np.empty_like
    launches.clear()
    vars(launcher).update(vars(type(launcher)(compile=_compiler())))
    vars(schedule).update(order=order, seed=seed, sanitize=sanitize)
    np.empty, np.empty_like = map(_poisoned, empties)
    try:
        yield
        _check_tickets()
    finally:
        np.empty, np.empty_like = empties
        vars(schedule).update(settings)
        vars(launcher).clear()
        vars(launcher).update(before)


def in_every_order(run):
    """The result of `run()`, which must be the same bits in every order of threads and blocks.

    `run` must not change its inputs, as it runs three times. A result is an array, a number, None,
    or a tuple, list or dict of such.
    """
    settings, results = dict(vars(schedule)), []
    try:
        for order in ORDERS:
            vars(schedule).update(order=order, seed=len(results) + 1)
            results.append(run())
            _check_tickets()
    finally:
        vars(schedule).update(settings)
    for order, result in zip(ORDERS[1:], results[1:], strict=True):
        if not _same(results[0], result):
            raise SimulatorError(
                f"the result depends on the order of threads or blocks: forward and {order} differ "
                "(a barrier is missing, or something is summed in order of arrival)"
            )
    return results[0]


def _compiler():
    if os.environ.get("MINIGRAD_KERNELS") == "gpu":
        from . import on_gpu

        return on_gpu.Module
    return Module


def _launcher():
    # by its name: the package minigrad.cuda may well call a function `launch` too
    return importlib.import_module("minigrad.cuda.launch").launcher


def _same(a, b):
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, tuple | list):
        return len(a) == len(b) and all(map(_same, a, b))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(_same(a[k], b[k]) for k in a)
    return type(a) is type(b) and np.asarray(a).tobytes() == np.asarray(b).tobytes()


def _check_tickets():
    for tickets in _launcher()._tickets.values():
        if isinstance(tickets, np.ndarray) and tickets.any():
            used = np.flatnonzero(tickets)
            tickets[...] = 0
            raise SimulatorError(f"a kernel left tickets {used[:8].tolist()} that are not zero")


def _poisoned(allocate):
    """What nobody has written shows: every bit is set, a NaN or -1."""

    def poisoned(*args, **kwargs):
        array = allocate(*args, **kwargs)
        if array.dtype.kind in "biufc" and array.size:
            array.ravel(order="K").view(np.uint8)[...] = 0xFF if array.dtype.kind != "b" else 1
        return array

    return poisoned
