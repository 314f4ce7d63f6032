"""A training step as one CUDA graph: recorded once, then replayed with a single launch.

To launch a kernel takes the host several microseconds, and a step of a small network has dozens
that the GPU finishes in less. A CUDA graph is the list of these launches, with all their arguments,
which the driver replays by itself. The price: whatever Python does besides launching happens only
when the step is recorded. So what changes from step to step must live on the device (Adam's step
count, the cursor of the batches, the counter of `minigrad.random.Philox`), or be done by the host
with each replay, see `each_replay`.

The memory that a recorded launch points to must stay where it is. A captured step therefore
allocates from a pool of its own, its arena, which it keeps for as long as it lives.
"""

import sys
import threading

from ..gpu import status

# .steps: of optimizers, in what this thread is recording; .kept: of the captured step it is in
_open = threading.local()


class Captured:
    """`function`, which takes no arguments, as a CUDA graph: call it instead of the function.

    Its first `warm_up` calls (at least 1) run the function as it is, which compiles the kernels and
    fills the arena; the next one records it, and from then on every call replays the record: the
    same launches on the same memory, so the same bits. What the function returned when it was
    recorded is returned by every call; the arrays in it are overwritten by the next.

    The function must not wait for the GPU or copy from main memory (RuntimeError), and what it
    makes has to fit into the GPU's memory (MemoryError); single numbers are recorded as they are.
    What it reads has to stay in place: give it the next batch by ``x.data[...] = batch``, or let it
    take its own (`minigrad.cuda.rows.gather`), and clear gradients inside it rather than adding to
    earlier ones. It is recorded anew, which costs an ordinary step, where an optimizer in it finds
    a parameter's array replaced or a setting changed; for Adam the learning rate is none of these.

    Source: https://docs.nvidia.com/cuda/cuda-c-programming-guide, "CUDA Graphs".

    Parameters
    ----------
    function : callable
    warm_up : int, default=2
    """

    def __init__(self, function, warm_up=2):
        usable, found = status()
        if not usable:
            raise RuntimeError(f"Captured: a CUDA graph needs a GPU: {found}")
        if not callable(function):
            raise TypeError(
                f"Captured: expected a function without arguments, got {type(function).__name__}"
            )
        if not isinstance(warm_up, int) or warm_up < 1:
            raise ValueError(f"Captured: warm_up must be an integer of at least 1, got {warm_up!r}")
        self.function, self._left = function, warm_up
        cuda = sys.modules["cupy"].cuda
        self._gpu = cuda.runtime.getDevice()  # the current one, to which the step belongs now
        self._pool = cuda.MemoryPool()
        # the default stream cannot be captured, and a blocking one would wait for it
        self._stream = cuda.Stream(non_blocking=True)
        self._graph = self._result = None
        self._steps = []
        self._kept = {}  # tickets, see `launch.py`

    def __call__(self):
        if recording():
            raise RuntimeError("a captured step cannot be part of another one")
        with sys.modules["cupy"].cuda.Device(self._gpu):
            return self._call()

    def _call(self):
        if self._left:
            result = self._in_arena(self.function)
            self._left -= 1
            return result
        if self._graph is None or not all(step.fresh() for step in self._steps):
            self._record()
        counted(self._steps, self._graph.launch)
        return self._result

    def _in_arena(self, function):
        """Call `function` with our memory on our stream, after what was asked of the current
        stream, and let the current stream wait for it."""
        cuda = sys.modules["cupy"].cuda
        current = cuda.get_current_stream()
        self._stream.wait_event(current.record())
        outer, _open.kept = holder(), self._kept
        try:
            with cuda.using_allocator(self._pool.malloc), self._stream:
                return function()
        finally:  # also where it failed half-way: what it has launched is under way
            _open.kept = outer
            current.wait_event(self._stream.record())

    def _record(self):
        self._graph = self._result = None  # its memory may be used again
        try:
            self._attempt()
            return
        except MemoryError:
            pass  # while the exception is handled it keeps the arrays of this attempt alive
        # what other arrays have left behind is kept for their like
        sys.modules["cupy"].get_default_memory_pool().free_all_blocks()
        self._attempt()

    def _attempt(self):
        self._steps = _open.steps = []
        try:
            self._result = self._in_arena(self._captured)
        finally:
            _open.steps = None

    def _captured(self):
        try:
            self._stream.begin_capture()
            result = self.function()
            graph = self._stream.end_capture()
        except BaseException as error:
            _give_up(self._stream)
            if not isinstance(error, Exception):
                raise
            if isinstance(error, MemoryError):
                raise MemoryError(
                    f"Captured: the GPU has no memory left to record the step ({error}): a "
                    "captured step keeps all arrays that it makes, beside those of other steps. "
                    "Use smaller batches, or give up captured steps and arrays that you no longer "
                    "need"
                ) from error
            raise RuntimeError(
                f"Captured: recording the step failed ({type(error).__name__}: {error}). A CUDA "
                "graph cannot wait for a result (item(), print, if loss > 1) or copy from main "
                "memory: keep that out of the step, or do it between the steps"
            ) from error
        self._graph = graph
        return result


def _give_up(stream):
    try:
        stream.end_capture()
    except Exception:
        return  # the capture was void already, and why is being raised


def holder():
    """The dictionary in which the captured step that this thread is in keeps what is its own, or
    None outside of one."""
    return getattr(_open, "kept", None)


def recording():
    """Whether this thread is recording a captured step."""
    return getattr(_open, "steps", None) is not None


def each_replay(step):
    """For an optimizer's `step` in a step that is being recorded: have it counted at each replay.

    Before a replay ``step.fresh()`` says whether the record still holds, and what `counted` needs.
    """
    _open.steps.append(step)


def counted(steps, launch):
    """Call ``launch()``, which makes the `steps` on the GPU, and count them on the host.

    Each has ``prepare()``, what has to be done before; ``count()``, afterwards; and ``recount()``,
    where Ctrl-C has come in between, so that nobody knows whether it was launched.
    """
    for step in steps:
        step.prepare()
    try:
        launch()
        for step in steps:
            step.count()
    except BaseException as error:
        if not isinstance(error, Exception):
            for step in steps:
                step.recount()
        raise
