"""BLAS has one thread while minigrad multiplies, in every thread, and its own number afterwards.

The products are large enough for OpenBLAS to use several threads, which changes their last bits:
without the hold these tests fail.
"""

import ctypes
import os
import subprocess
import sys
import threading
import types

import numpy as np
import pytest
from threadpoolctl import ThreadpoolController

import minigrad as mg
from minigrad.conv import Geometry
from minigrad.cpu import blas, get_num_threads, pool, set_num_threads
from minigrad.cpu.blas import one_blas_thread

CONTROL = ThreadpoolController().select(user_api="blas")
NUMPYS = [library for library in CONTROL.lib_controllers if "numpy" in library.filepath]
rng = np.random.default_rng(0)


def floats(*shape, dtype=np.float32):
    return rng.standard_normal(shape).astype(dtype)


GEOMETRY = Geometry((20, 20), (3, 3), (20, 20), (1, 1), ((1, 1), (1, 1)), (1, 1), 1)
PRODUCTS = {
    "one piece": (mg.matmul, floats(130, 512), floats(512, 256)),
    "shared over the pool": (mg.matmul, floats(512, 512), floats(512, 512)),
    "two dtypes": (mg.matmul, floats(130, 512), floats(512, 256, dtype=np.float64)),
    "stacked": (mg.matmul, floats(2, 130, 512), floats(512, 256)),
    "by Winograd": (mg.registry["conv_y"], floats(16, 20, 20, 64), floats(3, 3, 64, 64), GEOMETRY),
    "its weights": (
        mg.registry["conv_w"],
        floats(16, 20, 20, 64),
        floats(16, 20, 20, 64),
        GEOMETRY,
    ),
}


@pytest.fixture(autouse=True)
def three_threads():
    before = get_num_threads()
    set_num_threads(3)
    with CONTROL.limit(limits=2):
        yield
    set_num_threads(before)


def blas_threads():
    return {library.num_threads for library in CONTROL.lib_controllers}


def in_thread(function):
    result = []
    thread = threading.Thread(target=lambda: result.append(function()))
    thread.start()
    thread.join(30)
    return result[0]


# ---------------------------------------------------------------------- the same bits
@pytest.mark.parametrize("name", PRODUCTS)
def test_a_product_has_the_same_bits_everywhere(name):
    function, *arguments = PRODUCTS[name]

    def bits():
        return np.asarray(function(*arguments)).tobytes()

    found = {bits(), in_thread(bits)}
    for threads in (1, 2, 3):
        with CONTROL.limit(limits=threads):
            found |= {bits(), in_thread(bits)}
            set_num_threads(threads)
            found |= {bits(), in_thread(bits)}
    assert len(found) == 1


def test_numpy_alone_has_not():
    """Or the test above could not fail."""
    found, (_, a, b) = set(), PRODUCTS["one piece"]
    for threads in (1, 2):
        with CONTROL.limit(limits=threads):
            found.add((a @ b).tobytes())
    if {library.internal_api for library in NUMPYS} == {"openblas"}:
        assert len(found) == 2


def test_products_of_threads_that_overlap_have_the_same_bits():
    _, a, b = PRODUCTS["one piece"]
    found, start = set(), threading.Barrier(4)

    def many(k):
        start.wait(10)
        for _ in range(20):
            found.add(mg.matmul(a[k:], b)[4 - k :].data.tobytes())

    threads = [threading.Thread(target=many, args=(k % 2,)) for k in range(4)]
    [thread.start() for thread in threads]
    [thread.join(60) for thread in threads]
    assert found == {mg.matmul(a[k:], b)[4 - k :].data.tobytes() for k in range(2)}
    assert blas_threads() == {2}


# ---------------------------------------------------------------------- the user's number
def test_holds_nest_and_end_after_errors():
    assert one_blas_thread(one_blas_thread, blas_threads) == {1}
    assert one_blas_thread(lambda: (one_blas_thread(int), blas_threads())[1]) == {1}
    assert blas_threads() == {2}
    with pytest.raises(ZeroDivisionError):
        one_blas_thread(divmod, 1, 0)
    assert blas_threads() == {2}
    assert one_blas_thread(int, "z", base=36) == 35


def test_a_hold_within_another_asks_the_library_nothing(monkeypatch):
    calls, library = [], Library(False)

    def set_threads(number):
        calls.append(number)
        library.set(number)

    monkeypatch.setattr(blas, "_libraries", ([], blas._Shared([(library.get, set_threads)])))
    assert one_blas_thread(lambda: [one_blas_thread(library.get) for _ in range(3)]) == [1, 1, 1]
    assert calls == [1, 4]
    assert in_thread(lambda: one_blas_thread(library.get)) == 1  # another thread's is its own
    assert calls == [1, 4, 1, 4]


@pytest.mark.parametrize("main_first", [True, False])
def test_two_threads_hold_and_leave_in_any_order(main_first):
    entered, leave, left = (threading.Event() for _ in range(3))
    seen = []

    def other():
        entered.set()
        leave.wait(10)
        seen.append(blas_threads())

    def thread():
        one_blas_thread(other)
        left.set()

    def main():
        threading.Thread(target=thread).start()
        entered.wait(10)
        if not main_first:
            leave.set()
            left.wait(10)
        seen.append(blas_threads())

    one_blas_thread(main)
    if main_first:
        seen.append(blas_threads())  # the process's number: the other still needs it
        leave.set()
        left.wait(10)
    shared = blas._found()[1]
    assert seen == [{1}] * len(seen) or not shared.libraries
    assert blas_threads() == {2}
    assert not shared.holders and shared.before is None


def test_every_thread_of_the_pool_has_one():
    seen, all_here = [], threading.Barrier(3)

    def look(k):
        all_here.wait(10)
        seen.append(blas_threads())

    pool.parallel(look, range(3))
    assert seen == [{1}] * 3
    assert blas_threads() == {2}


# ---------------------------------------------------------------------- kinds of libraries
class Library:
    """A library with one number of threads for each thread, or one for all."""

    def __init__(self, own, start=4):
        self.mine, self.start, self.own = threading.local(), start, own
        self.all = types.SimpleNamespace()

    @property
    def place(self):
        return self.mine if self.own else self.all

    def get(self):
        return getattr(self.place, "number", self.start)

    def set(self, number):
        before, self.place.number = getattr(self.place, "number", 0), number
        return before


class Function:
    """A function with the attributes that ctypes sets."""

    def __init__(self, function):
        self.call = function

    def __call__(self, *arguments):
        return self.call(*arguments)


def test_a_number_for_each_thread_is_restored_in_that_thread(monkeypatch):
    with_get, without = Library(True), Library(True)
    own = [blas._PerThread(with_get.get, with_get.set), blas._PerThread(None, without.set)]
    monkeypatch.setattr(blas, "_libraries", (own, blas._Shared([])))
    both = [with_get, without]

    def look():
        return [x.get() for x in both], in_thread(lambda: [x.get() for x in both])

    assert one_blas_thread(one_blas_thread, look) == ([1, 1], [4, 4])
    assert with_get.get() == 4
    assert without.mine.number == 0  # that is: as the process says
    in_thread(blas.hold_this_thread)
    assert look()[1] == [4, 4]


def test_the_threads_of_the_pool_hold_a_number_of_their_own(monkeypatch):
    library, all_here = Library(True), threading.Barrier(3)
    monkeypatch.setattr(
        blas, "_libraries", ([blas._PerThread(None, library.set)], blas._Shared([]))
    )
    set_num_threads(1)  # a new pool
    set_num_threads(3)
    seen = []

    def look(k):
        all_here.wait(10)
        seen.append(library.get())

    for _ in range(2):
        pool.parallel(look, range(3))
    assert seen == [1] * 6


@pytest.mark.parametrize("own", [True, False])
def test_blis_is_tried_out(own):
    library = Library(own)
    loaded = types.SimpleNamespace(
        bli_thread_get_num_threads=Function(library.get),
        bli_thread_set_num_threads=Function(library.set),
    )
    control = blas._blis(loaded, None)
    assert isinstance(control, blas._PerThread) is own
    assert library.get() == 4
    local = Function(library.set)  # AMD's
    loaded.bli_thread_set_num_threads_local = local
    control = blas._blis(loaded, None)
    assert (control.get, control.set) == (loaded.bli_thread_get_num_threads, local)
    assert (local.argtypes, local.restype) == ([ctypes.c_ssize_t], None)


def test_openblas_by_its_kind_of_threads():
    def loaded(kind):
        names = {f"scipy_openblas_{do}_num_threads64_": do for do in ("get", "set")}
        names |= {"omp_get_max_threads": "omp get", "omp_set_num_threads": "omp set"}
        names["scipy_openblas_get_parallel64_"] = lambda: kind

        class Loaded(types.SimpleNamespace):
            def __getitem__(self, name):
                return getattr(self, name)

        return Loaded(**names)

    assert blas._openblas(loaded(1), None) == ("get", "set")
    by_openmp = blas._openblas(loaded(2), None)
    assert (by_openmp.get, by_openmp.set) == ("omp get", "omp set")


# ---------------------------------------------------------------------- processes
FORK_WITHIN = """
import os, numpy as np
from minigrad.cpu.blas import one_blas_thread
from threadpoolctl import ThreadpoolController
control = ThreadpoolController().select(user_api="blas")
control.limit(limits=2)
threads = lambda: {lib.num_threads for lib in control.lib_controllers}
def fork():
    child = os.fork()
    if child == 0:
        print(threads(), one_blas_thread(threads), threads(), flush=True)
        os._exit(0)
    os.waitpid(child, 0)
    return one_blas_thread(threads)
print(one_blas_thread(fork), threads())
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
def test_a_fork_within_a_hold_ends_it_in_the_child():
    done = subprocess.run(
        [sys.executable, "-c", FORK_WITHIN], capture_output=True, text=True, timeout=100
    )
    assert done.stdout.split("\n") == ["{2} {1} {2}", "{1} {2}", ""], done.stderr


FORK = """
import os, signal, threading, numpy as np, minigrad as mg
from minigrad.cpu import blas, set_num_threads
from threadpoolctl import ThreadpoolController
control = ThreadpoolController().select(user_api="blas")
control.limit(limits=2)
signal.alarm(50)
set_num_threads(2)
a = np.random.default_rng(0).random((512, 512), np.float32)
expected = [mg.matmul(a[:n], a[:, :n]).tobytes() for n in (100, 512)]
end, wrong = threading.Event(), []
def train():
    while not end.is_set():
        if [mg.matmul(a[:n], a[:, :n]).tobytes() for n in (100, 512)] != expected:
            wrong.append(1)
threads = [threading.Thread(target=train) for _ in range(2)]
[t.start() for t in threads]
codes = []
for _ in range(10):
    child = os.fork()
    if child == 0:
        signal.alarm(15)  # rather than hang
        same = [mg.matmul(a[:n], a[:, :n]).tobytes() for n in (100, 512)] == expected
        free = {lib.num_threads for lib in control.lib_controllers} == {2}
        os._exit(0 if same and free else 1)
    codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
end.set()
[t.join() for t in threads]
print(codes, wrong, {lib.num_threads for lib in control.lib_controllers})
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
def test_a_fork_while_two_threads_multiply():
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORK], capture_output=True, text=True, timeout=100
    )
    assert done.stdout.strip() == f"{[0] * 10} [] {{2}}", done.stderr
