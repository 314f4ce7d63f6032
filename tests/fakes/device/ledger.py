"""What the device double counts, and the errors with which it refuses.

On a GPU the costs that decide are invisible: a kernel launch, an allocation, a copy between host
and device, a wait for the device. Here each is counted by kind: ``launches`` and ``launch:<name>``,
``allocations``, ``h2d``, ``d2h``, ``syncs`` and ``sync:<kind>``, ``recorded`` and
``recorded:<name>`` (launches taken down by a capture, which run only when the graph is launched),
``graph_launches`` and ``replayed``; and ``kernels``, how many of the launches, recorded or not,
were of the library's own kernels.
"""

import collections
import contextlib


class ImplicitHostError(TypeError):
    """Host and device were mixed in a way that CuPy refuses, or answers with a hidden copy."""


class DeviceError(RuntimeError):
    """Something of one device was used while another was the current one."""


class SyncError(RuntimeError):
    """The host waited for the device, copied or allocated where a region forbids it."""


class CaptureError(RuntimeError):
    """Something was asked for that cannot be captured, or a graph that cannot run any more."""


counts = collections.Counter()  # everything since the double was installed
_regions = []  # (Counter, what is forbidden inside), outermost first


def count(kind, name=None, times=1):
    """Note that `kind` happened (and, in detail, by `name`); raise where a region forbids it."""
    for _, forbidden in _regions:
        if kind in forbidden:
            what = kind if name is None else f"{kind} ({name})"
            raise SyncError(f"{what} inside a region that forbids it")
    detail = {"syncs": "sync", "launches": "launch"}.get(kind, kind)
    for counter in (counts, *(counter for counter, _ in _regions)):
        counter[kind] += times
        if name is not None:
            counter[f"{detail}:{name}"] += times


@contextlib.contextmanager
def region(*, sync=False, h2d=True, d2h=True, allocations=True):
    """Count what happens inside, as a Counter, and raise SyncError on what is not allowed.

    A wait for the device is forbidden unless ``sync=True``; the rest is allowed unless said
    otherwise: ``region(h2d=False, allocations=False)`` for a step that works on static memory.
    """
    allowed = {"syncs": sync, "h2d": h2d, "d2h": d2h, "allocations": allocations}
    entry = collections.Counter(), {kind for kind, allow in allowed.items() if not allow}
    _regions.append(entry)
    try:
        yield entry[0]
    finally:
        _regions[:] = [other for other in _regions if other is not entry]


def reset():
    """Forget all counts."""
    counts.clear()
