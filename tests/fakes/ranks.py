"""Ranks as threads of one process, for tests of what is shared: see `minigrad.distributed`."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np

PATIENCE = 30  # seconds that a rank waits for the others


class Meeting:
    """Where the ranks lay down their arrays and take up the sum."""

    def __init__(self, size):
        self.arrays, self.barrier = [None] * size, threading.Barrier(size)
        self.sums, self.numbers, self.sentence = 0, 0, None


class Rank:
    """The communicator of rank `rank` of `size`."""

    def __init__(self, rank, size, meeting):
        self.rank, self.size, self.meeting = rank, size, meeting

    def sum(self, array):
        here = self.meeting
        here.arrays[self.rank] = array
        self._wait()
        assert len({(a.shape, a.dtype) for a in here.arrays}) == 1, "the ranks are not at one place"
        total = np.sum(here.arrays, axis=0)
        if self.rank == 0:
            here.sums, here.numbers = here.sums + 1, here.numbers + array.size
        self._wait()
        array[...] = total
        self._wait()  # nobody changes his array before all have read it

    def _wait(self):
        try:
            self.meeting.barrier.wait(PATIENCE)
        except threading.BrokenBarrierError:
            raise RuntimeError(self.meeting.sentence or "the other ranks did not come") from None

    def abort(self, sentence):
        self.meeting.sentence = self.meeting.sentence or sentence
        self.meeting.barrier.abort()


def on_ranks(size, function):
    """``function(comm)`` on each of `size` ranks: the results in order, or the first error of a
    rank that did not only hear of another's."""
    meeting = Meeting(size)
    with ThreadPoolExecutor(size) as pool:
        done = [pool.submit(function, Rank(k, size, meeting)) for k in range(size)]
    errors = [d.exception() for d in done if d.exception()]
    for error in errors:
        if str(error) != meeting.sentence:
            raise error
    return [d.result() for d in done]
