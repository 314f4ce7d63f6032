"""Streams, and graphs captured from them.

A stream does what it is given at once, unless it is capturing: then **nothing runs**. Each launch
is taken down with the memory it uses, and `Graph.launch` runs the list on that same memory, as
often as it is told to, after making sure that the memory is still the graph's. What CuPy 14.2
refuses to capture is refused: cuBLAS, waiting for the device, copies from and to the host.
"""

import threading
from typing import NamedTuple

import numpy as np

from . import ledger, order


class Record(NamedTuple):
    """A launch taken down by a capture."""

    name: str
    body: object  # a function without arguments
    uses: tuple  # ((block, serial of the handing out), ...)


class Graph:
    """What a capture took down, in order."""

    def __init__(self, records, first):
        self._records = tuple(records)
        uses = dict.fromkeys(use for record in records for use in record.uses)
        # (block, how often it had been handed out, whether it must still be in the same hands)
        self._memory = [(b, s, b.serial, (b, s) not in first) for b, s in uses]

    def launch(self, stream=None):
        """Run everything again, on the same memory."""
        stream = get_current_stream() if stream is None else stream
        if stream.is_capturing():
            raise _impossible("a graph inside a graph")
        for block, serial, last, outside in self._memory:
            _check(block, serial, last, outside)
        order.use(
            stream._order, [block.tenant() for block, *_ in self._memory if block.in_use], "a graph"
        )
        ledger.count("graph_launches")
        ledger.count("replayed", times=len(self._records))
        with np.errstate(all="ignore"):
            for record in self._records:
                record.body()

    def upload(self, stream=None):
        """Prepare the first launch; nothing to do here."""


def _check(block, serial, last, outside):
    keep = "keep the pool of the capture, its inputs and its outputs with the graph"
    if block.serial != last:
        raise ledger.CaptureError(
            f"a block of {block.buffer.nbytes} bytes that the graph uses was freed and handed out "
            f"to somebody else since the capture, the graph would overwrite it: {keep}"
        )
    if outside and (block.serial != serial or not block.in_use):
        raise ledger.CaptureError(
            f"an array of the graph made before the capture has died ({block.buffer.nbytes} "
            f"bytes): {keep}"
        )
    if not block.in_use and (block.gone or block.pool() is None):
        raise ledger.CaptureError(
            f"a block of {block.buffer.nbytes} bytes that the graph uses went back to the driver "
            f"(its pool died or gave it away): {keep}"
        )


_capturing = set()  # all streams that are


class Stream:
    """A stream; as a context manager it is the current one of this thread."""

    def __init__(self, null=False, non_blocking=False, ptds=False, priority=None):
        self.is_non_blocking = non_blocking
        self.ptr = 0 if null else id(self)
        self._device = getDevice()
        self._order = order.Timeline(null, not (null or non_blocking))
        self._records = None  # a list while capturing
        self._made = None  # the allocations made while capturing

    def __enter__(self):
        _current.stack().append(self)
        return self

    def __exit__(self, *_):
        _current.stack().pop()

    def use(self):
        _current.stack()[-1] = self
        return self

    def synchronize(self):
        sync("stream", self)

    def wait_event(self, event):
        if self.is_capturing():
            raise _impossible("waiting for an event of another stream (unknown to the double)")
        self._order.after(event._seen)

    def record(self, event=None):
        event = event or Event()
        event.record(self)
        return event

    def begin_capture(self, mode=None):
        if self.ptr == 0:
            raise RuntimeError("cannot capture on the default (legacy) stream")
        if self.is_capturing():
            raise _impossible("beginning a capture")
        self._records, self._made = [], set()
        _capturing.add(self)

    def end_capture(self):
        if not self.is_capturing():
            raise ledger.CaptureError("end_capture without begin_capture")
        records, made, self._records, self._made = self._records, self._made, None, None
        _capturing.discard(self)
        return Graph(records, made)

    def is_capturing(self):
        return self._records is not None


class _Current(threading.local):  # CuPy's current device and streams belong to a thread, too
    def __init__(self):
        self.device = 0
        self.stacks = {0: [Stream.null]}

    def stack(self):
        """The current streams of the current device, the innermost last."""
        if self.device not in self.stacks:
            self.stacks[self.device] = [Stream(null=True)]
        return self.stacks[self.device]


def getDevice():
    return _current.device if "_current" in globals() else 0


def setDevice(device):
    _current.device = device


Stream.null = Stream(null=True)
_current = _Current()


def get_current_stream(device_id=-1):
    return _current.stack()[-1]


def capturing():
    return get_current_stream().is_capturing()


def allocated(allocation):
    """Note an allocation: one made by a capture is the graph's own."""
    stream = get_current_stream()
    if stream.is_capturing():
        stream._made.add((allocation.block, allocation.serial))


def submit(name, body, allocations):
    """Launch `body` on the current stream: run it, or take it down if the stream is capturing."""
    stream = get_current_stream()
    _on_this_device(name, stream, allocations)
    if stream.is_capturing():
        uses = tuple((a.block, a.serial) for a in allocations)
        stream._records.append(Record(name, body, uses))
        ledger.count("recorded", name)
        return
    if stream.ptr == 0 and not all(s.is_non_blocking for s in _capturing):
        raise _impossible("work on the default stream beside a blocking stream")
    order.use(stream._order, allocations, name)
    ledger.count("launches", name)
    with np.errstate(all="ignore"):  # a GPU never warns
        body()


def _on_this_device(name, stream, allocations):
    """Raise unless all of them are the current device's: what a GPU does then is an illegal access
    or, where it may read the other's memory, slow in silence."""
    devices = {stream._device, *(a.block.device for a in allocations)} - {_current.device}
    if devices:
        raise ledger.DeviceError(
            f"{name}: a stream or an array of device {min(devices)} is used while device "
            f"{_current.device} is the current one"
        )


def use(allocations, what):
    """Something that is no launch uses memory, on the current stream."""
    order.use(get_current_stream()._order, allocations, what)


def _impossible(what):
    """The error of what cannot be done during a capture."""
    return ledger.CaptureError(f"{what} is impossible while a stream is capturing")


def refuse_capture(what):
    """Raise if the current stream is capturing: `what` cannot be captured."""
    if capturing():
        raise ledger.CaptureError(f"{what}: CuPy 14.2 refuses it while a stream is capturing")


def sync(kind, stream=None, allocations=()):
    """The host waits for a stream (the current one), at whose end it reads `allocations`."""
    stream = stream or get_current_stream()
    if stream.is_capturing() or (kind == "device" and _capturing):
        raise ledger.CaptureError(f"{kind} waits for the device, impossible while capturing")
    ledger.count("syncs", kind)
    if kind == "device":
        order.everything_done()
        return
    order.use(stream._order, allocations, kind)
    order.host.after(stream._order)


class Event:
    """A point in a stream. Everything here has happened when it is asked for."""

    done = True

    def __init__(self, block=False, disable_timing=False, interprocess=False):
        self._seen = {}  # what has happened when it has

    def record(self, stream=None):
        self._seen = dict((stream or get_current_stream())._order)

    def synchronize(self):
        refuse_capture("waiting for an event")
        ledger.count("syncs", "event")
        order.host.after(self._seen)


def get_elapsed_time(start_event, end_event):
    return 0.0


def recorded(graph):
    """The names of the launches that `graph` replays, in order."""
    return [record.name for record in graph._records]


def reset():
    """No stream is capturing, and the first device and its default stream are current."""
    for stream in _capturing:
        stream._records = stream._made = None
    _capturing.clear()
    _current.__init__()
