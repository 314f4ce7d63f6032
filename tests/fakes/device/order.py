"""Which work on the device comes after which, and races between streams.

Work on one stream runs in order. Work on two streams runs at the same time, unless an event is
waited for, the host waited in between, or the default stream and a blocking one are concerned,
which wait for each other. Here everything runs at once when it is asked for, so a missing wait
would show nowhere: instead each stream knows how much of every other one has certainly happened
before its next work (a vector clock), and memory knows who used it last. Two uses of one array,
neither certainly before the other, raise RaceError. All uses count alike, as nobody knows which
arguments a kernel only reads.

Sources: C. Fidge, "Timestamps in message-passing systems", 1988; "Stream synchronization behavior"
in NVIDIA's CUDA runtime documentation.
"""

import itertools
import weakref


class RaceError(RuntimeError):
    """Two streams use one array, and neither waits for the other."""


_numbers = itertools.count()
_timelines = weakref.WeakSet()


class Timeline(dict):
    """Number of a stream -> how much of its work is certainly done before what comes next."""

    __hash__ = object.__hash__  # identity: what a WeakSet needs

    def __init__(self, legacy=False, waits_for_legacy=True):
        super().__init__()
        self.number = next(_numbers)
        self.legacy, self.waits_for_legacy = legacy, waits_for_legacy
        _timelines.add(self)

    def after(self, other):
        """What comes next here comes after all that `other` knows of."""
        for number, time in other.items():
            self[number] = max(time, self.get(number, 0))


host = Timeline(waits_for_legacy=False)


def use(timeline, allocations, what):
    """Work on a stream uses memory: raise RaceError if another stream may be using it still."""
    timeline.after(host)
    for other in list(_timelines):
        if (timeline.legacy and other.waits_for_legacy) or (
            other.legacy and timeline.waits_for_legacy
        ):
            timeline.after(other)
    now = timeline[timeline.number] = timeline.get(timeline.number, 0) + 1
    for allocation in allocations:
        for number, time in allocation.block.used.items():
            if timeline.get(number, 0) < time:
                raise RaceError(
                    f"{what} uses an array of {allocation.block.buffer.nbytes} bytes (rounded up) "
                    "that another stream may still be using: let this stream wait for an event of "
                    "that one, stream.wait_event(other.record()), or synchronize"
                )
        allocation.block.used[timeline.number] = now


def everything_done():
    """The host waited for the whole device."""
    for other in list(_timelines):
        host.after(other)
