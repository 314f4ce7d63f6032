"""Interrupts by Ctrl-C at many moments, and looks whether any state is left behind.

    python tests/tools/interrupt.py --moments 4000 --signals 1000

First at chosen moments: a trace function counts the instructions of the main thread and lets the
signal come before the n-th, for each n in turn; Python notices it where it notices Ctrl-C.
Short actions (a hold on BLAS, a shared job, a block of `no_grad`, a step) are interrupted at every
instruction, a training at random ones. Then trainings are interrupted by a timer, at any time.

After each interrupt BLAS has the number of threads that it had, operations are recorded, no lock is
held, the pool has its threads and no other, and counts of steps are whole; the same training gives
the same bits.
"""

import _thread
import argparse
import ctypes
import gc
import hashlib
import signal
import sys
import threading
import time
import warnings
from collections import Counter

import numpy as np
import tqdm
from threadpoolctl import ThreadpoolController

import autoencoder as ae
import minigrad as mg
from minigrad import memory
from minigrad.cpu import blas, pool
from minigrad.optimizer import Part
from minigrad.state import mode

THREADS = 3
tqdm.tqdm.monitor_interval = 0  # no thread of its own
CONTROL = ThreadpoolController().select(user_api="blas")


class _Signal:
    """``-_Signal()`` makes the signal of Ctrl-C pending. After a call it would be noticed at once,
    within the trace function; after an operator written in C it is not."""

    __neg__ = ctypes.PYFUNCTYPE(None)(("PyErr_SetInterrupt", ctypes.pythonapi))


_SIGNAL = _Signal()


class Trace:
    """Runs an action in slow motion; `moment` is the instruction before which the signal comes."""

    def __init__(self, moment=None):
        self.left, self.count = moment, 0

    def __call__(self, frame, event, argument):
        frame.f_trace_opcodes = True
        if event == "opcode":
            self.count += 1
            if self.count == self.left:
                sys.settrace(None)
                -_SIGNAL  # noqa: B018
                return None
        return self

    def run(self, action):
        """Whether `action` was interrupted."""
        gc.disable()  # other libraries' callbacks of the collector would swallow the interrupt
        sys.settrace(self)
        try:
            action()
            sys.settrace(None)
            time.sleep(0)  # a signal that is still pending is noticed here
        except KeyboardInterrupt:
            return True
        finally:
            sys.settrace(None)
            gc.enable()
        return False


# ---------------------------------------------------------------------- what is interrupted
def _layers(rng):
    sizes = ((300, 1000), (1000,), (10, 10))  # the first is updated by several threads
    return [mg.tensor(rng.standard_normal(s).astype(np.float32), requires_grad=True) for s in sizes]


WEIGHTS = _layers(np.random.default_rng(0))
OPTIMIZER = mg.optim.Adam(WEIGHTS)
X = np.random.default_rng(1).random((260, 512)).astype(np.float32)


def hold():
    blas.one_blas_thread(blas.one_blas_thread, np.add, 1, 1)


def job():
    pool.parallel(lambda k: None, range(5))


def new_pool():
    pool.set_num_threads(1)
    pool.set_num_threads(THREADS)
    pool.parallel(lambda k: None, range(2))


def product():
    mg.matmul(X[:256], X[:256].T)


def block():
    with mg.no_grad(), mg.hook(lambda p, where, phase, function, args: function(*args)):
        pass


@mg.no_grad()
def decorated():
    return None


def backward():
    x = mg.tensor(np.ones(3), requires_grad=True)
    (x * x).sum().backward(create_graph=True)


def recycled():
    for size in (1 << 17, 1 << 18):
        memory.empty((size,), np.float32)


def step():
    for w in WEIGHTS:
        w.grad = mg.tensor(np.ones(w.shape, np.float32))
    OPTIMIZER.step()


def count():
    OPTIMIZER.count([Part({}, {}, list(OPTIMIZER.state.items()))])


def fit():
    """A digest of what a training with products large enough for several threads gives."""
    model = ae.Autoencoder(256, max_epochs=1, batch_size=130, random_state=0, dropout=0.1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X)
    arrays = model.network_.state_dict().values()
    return hashlib.sha256(b"".join(a.tobytes() for a in arrays)).hexdigest()


SHORT = (hold, job, product, block, decorated, backward, recycled, count, step, new_pool)


# ---------------------------------------------------------------------- what must hold afterwards
def blas_threads():
    return [library.num_threads for library in CONTROL.lib_controllers]


def helpers():
    return 0 if pool._pool is None else pool._pool.helpers


def other_threads():
    """The number of threads that are not the pool's."""
    return _thread._count() - helpers()


def state():
    """The numbers of threads of BLAS, and the number that are not the pool's."""
    pool.parallel(lambda k: time.sleep(0.01), range(2 * THREADS))  # until they have begun
    return blas_threads(), other_threads()


def faults(blas_before, others_before):
    """What is not as it was, in words."""
    shared, found = blas._found()[1], []
    held = blas._here.held or shared.holders or shared.before is not None
    if blas_threads() != blas_before or held:
        found.append(f"BLAS has {blas_threads()} threads and had {blas_before}")
    if mode.get().block is not None or not mode.get().recording or mode.get().around:
        found.append("the mode is not the usual one")
    for name, lock in (("memory", memory._lock), ("pool", pool._lock)):
        if lock.locked():
            found.append(f"the lock of {name}.py is held")
    if getattr(pool._here, "inside", False):
        found.append("the thread counts as inside of a job")
    for _ in range(1000):  # those of an old pool may need a moment
        if other_threads() == others_before:
            break
        time.sleep(0.001)
    else:
        found.append(f"{other_threads()} threads beside the pool's, there were {others_before}")
    counts = {state["t"] for state in OPTIMIZER.state.values()} | {OPTIMIZER.t}
    if len(counts) > 1:
        found.append(f"steps counted {sorted(counts)}")
    return found


def all_threads_work():
    """Whether a job is shared over all threads of the pool."""
    pool.set_num_threads(THREADS)
    barrier, seen = threading.Barrier(THREADS), set()

    def work(k):
        if threading.get_ident() not in seen:
            seen.add(threading.get_ident())
            barrier.wait(10)

    pool.parallel(work, range(20))
    return len(seen) == THREADS


# ---------------------------------------------------------------------- many interrupts
def at_chosen_moments(actions, moments, rng):
    """Interrupt each action at every instruction, or at `moments` random ones where that is fewer;
    yields (action, whether it was interrupted, faults)."""
    # a program that was started in the background by a shell ignores Ctrl-C
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        for action in actions:
            action()  # the first time more is done
            before = state()
            trace = Trace()
            trace.run(action)
            places = np.arange(1, trace.count + 1)
            if len(places) > moments:
                places = rng.choice(places, moments, replace=False)
            for k in places:
                pool.set_num_threads(THREADS)
                yield action, Trace(int(k)).run(action), faults(*before)
    finally:
        signal.signal(signal.SIGINT, handler)


def at_any_time(action, times, rng):
    """Interrupt the action by a timer, `times` times; yields as `at_chosen_moments`."""
    action()
    before, began = state(), time.perf_counter()
    action()
    longest = time.perf_counter() - began
    handler = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        for _ in range(times):
            interrupted = False
            try:
                signal.setitimer(signal.ITIMER_REAL, rng.uniform(1e-5, longest))
                action()
                signal.setitimer(signal.ITIMER_REAL, 0)
            except KeyboardInterrupt:
                interrupted = True
            yield action, interrupted, faults(*before)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)


def run_all(moments, signals, seed=0, training=True):
    """Interrupt everything; prints a table, returns the faults with their numbers."""
    rng, number, tried, wrong = np.random.default_rng(seed), Counter(), Counter(), Counter()
    threads = pool.get_num_threads()
    pool.set_num_threads(THREADS)
    try:
        with CONTROL.limit(limits=2):
            usual = fit()
            for interrupts in (
                at_chosen_moments(SHORT, moments, rng),
                at_chosen_moments([fit] * training, moments, rng),
                at_any_time(fit, signals, rng),
            ):
                for action, interrupted, found in interrupts:
                    tried[action.__name__] += 1
                    number[action.__name__] += interrupted
                    wrong.update(f"{action.__name__}: {fault}" for fault in found)
                    if not sum(tried.values()) % 500 and fit() != usual:
                        wrong[f"{action.__name__}: other bits afterwards"] += 1
            if fit() != usual:
                wrong["other bits afterwards"] += 1
            if not all_threads_work():
                wrong["not all threads of the pool work"] += 1
    finally:
        pool.set_num_threads(threads)
    for name in tried:
        print(f"{name:12}{tried[name]:7} signals, {number[name]:6} before it had ended")
    print(f"{sum(tried.values())} signals, {sum(wrong.values())} faults")
    for fault, times in wrong.items():
        print(f"  {times} times {fault[:300]}")
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--moments", type=int, default=4000, help="at most, of each action")
    parser.add_argument("--signals", type=int, default=1000, help="of a timer")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    return bool(run_all(options.moments, options.signals, options.seed))


if __name__ == "__main__":
    raise SystemExit(main())
