"""The pool gives each block one thread, and survives forks, nesting, errors and Ctrl-C."""

import os
import subprocess
import sys
import threading
import time
import weakref

import numpy as np
import pytest

from minigrad import matmul, memory
from minigrad.cpu import pool
from minigrad.cpu.pool import get_num_threads, parallel, scratch, set_num_threads

FLOAT = np.dtype(np.float32)


@pytest.fixture(autouse=True)
def three_threads():
    before = get_num_threads()
    set_num_threads(3)
    yield
    set_num_threads(before)


def python(code, **environment):
    """The output of a fresh interpreter that runs `code`."""
    command = [sys.executable, "-W", "ignore", "-c", code]
    done = subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


# ---------------------------------------------------------------------- blocks
def test_every_block_is_done_once_by_several_threads():
    done, seen, all_here = np.zeros(100, int), set(), threading.Barrier(3)

    def work(k):
        if threading.current_thread() not in seen:
            seen.add(threading.current_thread())
            all_here.wait(timeout=10)
        done[k] += 1

    parallel(work, range(100))
    assert (done == 1).all()
    assert len(seen) == 3


def test_nested_calls_run_in_the_thread_that_makes_them():
    threads = {}

    def outer(k):
        parallel(lambda j: threads.setdefault(k, set()).add(threading.current_thread()), range(5))

    parallel(outer, range(6))
    assert all(len(used) == 1 for used in threads.values())
    parallel(lambda k: None, range(6))  # and the caller may share work again afterwards


def test_an_exception_is_raised_again_and_the_pool_goes_on():
    def fail(k):
        if k == 7:
            raise KeyError("block seven")

    for _ in range(3):
        with pytest.raises(KeyError, match="block seven"):
            parallel(fail, range(20))
    test_every_block_is_done_once_by_several_threads()


def test_an_exception_of_a_thread_of_the_pool_is_raised_in_the_caller():
    caller, all_here = threading.get_ident(), threading.Barrier(3)

    def fail(k):
        if k < 3:
            all_here.wait(10)
        if threading.get_ident() != caller:
            raise KeyError("not in the caller")

    done = []
    for _ in range(3):
        with pytest.raises(KeyError, match="not in the caller"):
            parallel(fail, range(1000))
        parallel(done.append, range(10))
    assert sorted(done) == sorted(3 * list(range(10)))


def test_an_interrupt_while_others_are_waited_for_is_raised_when_they_are_done(monkeypatch):
    finish, calls, done = pool._Job.finish, [], []

    def interrupted(job):
        calls.append(job)
        if len(calls) == 1:
            raise KeyboardInterrupt
        finish(job)

    monkeypatch.setattr(pool._Job, "finish", interrupted)
    with pytest.raises(KeyboardInterrupt):
        parallel(done.append, range(50))
    assert len(calls) == 2 and len(done) == len(set(done))
    monkeypatch.undo()
    test_every_block_is_done_once_by_several_threads()


def test_after_an_exception_no_block_is_worked_on_any_more():
    """Or a thread of the pool would go on writing to arrays that the caller has given up."""
    together, left, late = threading.Barrier(2), threading.Event(), []

    def work(k):
        if k == 0:
            together.wait(10)
            raise KeyError
        if k == 1:
            together.wait(10)
            time.sleep(0.05)
            late.append(left.is_set())

    with pytest.raises(KeyError):
        parallel(work, range(2))
    left.set()
    assert late == [False]


def test_numpys_errstate_of_the_caller_holds_in_all_threads():
    all_here = threading.Barrier(3)

    def divide(k):
        all_here.wait(10)
        np.divide(np.ones(2), 0)

    with np.errstate(divide="ignore"):
        parallel(divide, range(3))
    with np.errstate(divide="raise"), pytest.raises(FloatingPointError):
        parallel(divide, range(3))


def test_several_callers_at_once():
    results = np.zeros((4, 1000))

    def caller(row):
        for _ in range(20):
            parallel(lambda k: results[row].__setitem__(k, results[row, k] + k), range(1000))

    callers = [threading.Thread(target=caller, args=(row,)) for row in range(4)]
    for thread in callers:
        thread.start()
    for thread in callers:
        thread.join()
    np.testing.assert_array_equal(results, np.tile(20.0 * np.arange(1000), (4, 1)))


# ---------------------------------------------------------------------- how many threads
def test_set_num_threads():
    for n in (1, 4, 2):
        set_num_threads(n)
        assert get_num_threads() == n
        test_nested_calls_run_in_the_thread_that_makes_them()
    for wrong in (0, -1, 1.5, "2", None):
        with pytest.raises(ValueError, match="at least 1"):
            set_num_threads(wrong)


def test_the_number_of_threads_comes_from_the_environment_or_the_affinity():
    show = "from minigrad.cpu import get_num_threads; print(get_num_threads())"
    assert python(show, MINIGRAD_NUM_THREADS="5") == "5"
    assert python(show, MINIGRAD_NUM_THREADS="", OMP_NUM_THREADS="1,2") == "1"  # as joblib sets it
    if hasattr(os, "sched_setaffinity"):
        core = min(os.sched_getaffinity(0))
        one = f"import os; os.sched_setaffinity(0, [{core}]); {show}"
        assert python(one, MINIGRAD_NUM_THREADS="", OMP_NUM_THREADS="") == "1"


@pytest.mark.parametrize("name", ["MINIGRAD_NUM_THREADS", "OMP_NUM_THREADS"])
@pytest.mark.parametrize("value", ["abc", "0", "-2", "1.5", "²"])
def test_a_number_of_threads_that_is_none_gets_a_sentence(name, value, monkeypatch):
    monkeypatch.setenv("MINIGRAD_NUM_THREADS", "")
    monkeypatch.setenv(name, value)
    expected = f"environment variable {name}: expected a number of threads .* got '{value}'"
    with pytest.raises(ValueError, match=expected):
        pool._default()


def test_importing_starts_and_scans_nothing():
    code = "import sys, _thread, minigrad.cpu as c; print(_thread._count(), {})"
    assert python(code.format("'threadpoolctl' in sys.modules")) == "0 False"


# ---------------------------------------------------------------------- processes
FORK = """
import os, sys, threading, time, numpy as np
import minigrad as mg, minigrad.cpu
minigrad.cpu.set_num_threads(3)
a = np.ones((500, 500), np.float32)  # large enough for the pool
product = mg.matmul(a, a)
from minigrad.cpu.pool import parallel
held, forked = threading.Event(), threading.Event()
def hold(k):  # another thread is in the middle of its work when the process forks
    held.set()
    forked.wait(10)
other = threading.Thread(target=parallel, args=(hold, range(2)))
other.start()
held.wait(10)
child = os.fork()
if child == 0:
    assert len(sys._current_frames()) == 1
    assert (mg.matmul(a, a) == product).all()
    for _ in range(500):  # on a busy machine they begin when the product is done
        if len(sys._current_frames()) == 3:
            os._exit(0)
        time.sleep(0.01)
    os._exit(3)
forked.set()
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
def test_a_forked_child_has_a_pool_of_its_own():
    assert python(FORK) == "0"


def test_joblib_workers():
    joblib = pytest.importorskip("joblib")
    a = np.ones((300, 300), np.float32)
    expected = matmul(a, a)
    for backend in ("loky", "threading"):
        task = joblib.delayed(matmul)
        for result in joblib.Parallel(2, backend=backend)(task(a, a) for _ in range(3)):
            np.testing.assert_array_equal(result, expected)


# ---------------------------------------------------------------------- memory
def test_scratch_is_reused_and_belongs_to_one_thread():
    first = scratch("test", (3, 4), FLOAT)
    assert np.shares_memory(first, scratch("test", (2, 2), FLOAT))
    assert not np.shares_memory(first, scratch("other", (3, 4), FLOAT))
    elsewhere = []
    thread = threading.Thread(target=lambda: elsewhere.append(scratch("test", (3, 4), FLOAT)))
    thread.start()
    thread.join()
    assert not np.shares_memory(first, elsewhere[0])
    large = scratch("test", (1 << 23,), FLOAT)  # 32 MB are not kept
    assert not np.shares_memory(large, scratch("test", (1 << 23,), FLOAT))


def test_large_results_recycle_memory_that_nobody_sees():
    shape = (3, 1 << 19)
    first = memory.empty(shape, FLOAT)
    address = first.ctypes.data
    assert first.shape == shape
    assert first.dtype == FLOAT
    view = first[1:, ::2]
    del first
    assert memory.empty(shape, FLOAT).ctypes.data != address  # the view still sees it
    del view
    memory.clear()
    first = memory.empty(shape, FLOAT)
    address = first.ctypes.data
    del first
    assert memory.empty(shape, FLOAT).ctypes.data == address
    small = memory.empty((10,), FLOAT)
    assert small.base is None


def test_memory_that_is_not_used_any_more_is_freed_in_time():
    """A buffer of another size than those asked for, 512 calls later."""
    memory.empty((3 << 20,), FLOAT)
    (buffer,) = [weakref.ref(b) for b, _ in memory._buffers if b.nbytes == 12 << 20]
    for _ in range(600):
        memory.empty((1 << 16,), FLOAT)
    assert buffer() is not None  # it is looked for when new memory is asked for
    memory.empty((5 << 20,), FLOAT)
    assert buffer() is None


def test_unused_memory_is_given_back():
    memory.empty((1 << 20,), FLOAT)
    kept = memory.empty((1 << 20,), FLOAT)
    memory.clear()
    assert [buffer for buffer, _ in memory._buffers if buffer is kept.base]
    del kept
    memory.clear()
    assert all(memory._references(entry) != memory._IDLE for entry in memory._buffers)
