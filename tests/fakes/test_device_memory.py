"""The double's pools, streams and graphs: a captured graph needs its memory, and nothing runs."""

import gc
import threading

import device
import numpy as np
import pytest
from device import CaptureError

from minigrad.cuda.launch import launch, launcher


@pytest.fixture
def cupy():
    with device.installed() as module:
        yield module


@pytest.fixture
def x(cupy):
    return cupy.asarray(np.arange(6, dtype=np.float32))


def capture(cupy, function, pool=None):
    """The graph of ``function()`` and what it returned, in the memory of `pool`."""
    stream = cupy.cuda.Stream(non_blocking=True)
    with stream, cupy.cuda.using_allocator(pool and pool.malloc):
        stream.begin_capture()
        try:
            result = function()
        finally:
            graph = stream.end_capture()
    return graph, result


# ---------------------------------------------------------------------- pools
def test_a_block_returns_to_its_pool_and_is_handed_out_again(cupy):
    pool, other = cupy.cuda.MemoryPool(), cupy.cuda.MemoryPool()
    with cupy.cuda.using_allocator(pool.malloc):
        a = cupy.zeros(200)
        view, address = a[3:], a.data.ptr
        assert (pool.used_bytes(), pool.total_bytes()) == (2048, 2048)
        del a
        assert pool.used_bytes() == 2048  # the view still needs it
        del view
        assert (pool.used_bytes(), pool.total_bytes(), pool.n_free_blocks()) == (0, 2048, 1)
        assert cupy.empty(10).data.ptr != address  # another size
        with cupy.cuda.using_allocator(other.malloc):
            assert cupy.empty(200).data.ptr != address
        again = cupy.empty(250)
        assert again.data.ptr == address
        assert np.isnan(again.get()).all()
    pool.free_all_blocks()
    assert pool.total_bytes() == 2048 and pool.free_bytes() == 0


def test_arrays_can_be_placed_in_a_block(cupy):
    """A static arena: all the memory at once."""
    pool = cupy.cuda.MemoryPool()
    arena = pool.malloc(4096)
    a = cupy.ndarray((3,), np.float32, arena)
    b = cupy.ndarray((3,), np.float32, arena + 512)
    with device.region(allocations=False):
        a.fill(1)
        b.fill(2)
    assert b.data.ptr - a.data.ptr == 512
    np.testing.assert_array_equal((a + b).get(), [3, 3, 3])
    with pytest.raises(TypeError):
        cupy.ndarray((3,), np.float32, arena + 4092)


def test_allocators_and_streams_belong_to_a_thread(cupy):
    pool, stream = cupy.cuda.MemoryPool(), cupy.cuda.Stream(non_blocking=True)
    with stream, cupy.cuda.using_allocator(pool.malloc):
        seen = []
        worker = threading.Thread(
            target=lambda: seen.extend([cupy.zeros(3), cupy.cuda.get_current_stream()])
        )
        worker.start()
        worker.join()
        assert cupy.cuda.get_current_stream() is stream
    assert pool.total_bytes() == 0 and seen[1] is cupy.cuda.Stream.null


# ---------------------------------------------------------------------- capture
def test_nothing_runs_during_capture_and_everything_at_launch(cupy, x):
    def step():
        y = cupy.exp(x)
        y += 1
        z = y.sum()
        w = cupy.zeros(3)
        w[0] = 5.0
        return y, z, w, cupy.concatenate([x, x])[:3], x[cupy.ones(2, np.int32)]

    pool = cupy.cuda.MemoryPool()
    before = device.counts["launches"]
    graph, results = capture(cupy, step, pool)
    assert device.counts["launches"] == before and device.counts["recorded"] == 8
    assert all(np.isnan(r.get()).all() for r in results)
    for _ in range(2):  # the inputs may change in between
        graph.launch()
        for mine, expected in zip(results, step(), strict=True):
            np.testing.assert_array_equal(mine.get(), expected.get())
        x *= 0.5
    assert device.counts["graph_launches"] == 2 and device.counts["replayed"] == 16
    assert device.recorded(graph) == [
        "exp", "add", "sum", "memset", "copy", "concatenate", "fill", "take",
    ]  # fmt: skip


REFUSED = {
    "matmul": lambda cupy, x: x @ x,
    "dot": lambda cupy, x: x.dot(x),
    "tensordot": lambda cupy, x: cupy.tensordot(x, x, 1),
    "einsum": lambda cupy, x: cupy.einsum("i,i", x, x),
    "numpy.matmul": lambda cupy, x: np.matmul(x, x),
    "float": lambda cupy, x: float(x[0]),
    "get": lambda cupy, x: x.get(),
    "asarray": lambda cupy, x: cupy.asarray([1.0]),
    "set": lambda cupy, x: x.set(np.zeros(6, np.float32)),
    "mask": lambda cupy, x: x[x > 1],
    "nonzero": lambda cupy, x: cupy.nonzero(x),
    "where of one": lambda cupy, x: cupy.where(x),
    "stream": lambda cupy, x: cupy.cuda.get_current_stream().synchronize(),
    "device": lambda cupy, x: cupy.cuda.Device().synchronize(),
    "begin_capture": lambda cupy, x: cupy.cuda.get_current_stream().begin_capture(),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_captured_is_refused(cupy, x, name):
    with pytest.raises(CaptureError):
        capture(cupy, lambda: REFUSED[name](cupy, x))
    if name != "begin_capture":
        REFUSED[name](cupy, x)  # outside it works


def test_a_graph_inside_a_graph_is_refused(cupy, x):
    graph, _ = capture(cupy, lambda: x.fill(1))
    with pytest.raises(CaptureError, match="inside a graph"):
        capture(cupy, graph.launch)
    assert float(x[0]) == 0


def test_the_default_stream(cupy, x):
    with pytest.raises(RuntimeError, match="default"):
        cupy.cuda.get_current_stream().begin_capture()
    stream = cupy.cuda.Stream()  # blocking: the default stream may not be used beside it
    stream.begin_capture()
    with pytest.raises(CaptureError, match="default stream"):
        x += 1
    stream.end_capture()
    with pytest.raises(CaptureError, match="without begin_capture"):
        stream.end_capture()


# ---------------------------------------------------------------------- the memory of a graph
def test_the_pool_and_the_arrays_must_be_kept(cupy, x):
    """The trap: without them a replay writes to memory that belongs to somebody else."""

    def step():
        return (x + 1) * 2  # x + 1 dies during the capture, its block goes back to the pool

    pool = cupy.cuda.MemoryPool()
    graph, y = capture(cupy, step, pool)
    graph.launch()
    np.testing.assert_array_equal(y.get(), 2 * np.arange(1, 7))

    graph, y = capture(cupy, step)  # the default pool: the next array gets that block
    graph.launch()
    with pytest.raises(CaptureError, match="handed out to somebody else"):
        stranger = cupy.zeros(6, np.float32)
        graph.launch()
    del stranger

    pool = cupy.cuda.MemoryPool()
    graph, y = capture(cupy, step, pool)
    del pool
    gc.collect()
    with pytest.raises(CaptureError, match="went back to the driver"):
        graph.launch()

    pool = cupy.cuda.MemoryPool()
    graph, y = capture(cupy, step, pool)
    pool.free_all_blocks()
    with pytest.raises(CaptureError, match="went back to the driver"):
        graph.launch()


def test_inputs_must_be_kept(cupy):
    pool = cupy.cuda.MemoryPool()
    x = [cupy.ones(6)]
    graph, _y = capture(cupy, lambda: x[0] + 1, pool)
    graph.launch()
    x.clear()
    with pytest.raises(CaptureError, match="made before the capture has died"):
        graph.launch()


def test_outputs_freed_and_reused(cupy, x):
    pool = cupy.cuda.MemoryPool()
    graph, y = capture(cupy, lambda: x + 1, pool)
    del y
    graph.launch()  # nobody sees the result, and nobody is harmed
    with cupy.cuda.using_allocator(pool.malloc):
        stranger = cupy.ones(6, np.float32)
    with pytest.raises(CaptureError, match="handed out"):
        graph.launch()
    assert stranger.get().tolist() == [1.0] * 6


# ---------------------------------------------------------------------- kernels
SOURCE = """
struct Scale { float factor; int shift; };
extern "C" __global__ void __launch_bounds__(32)
scale(const float* x, float* y, int n, Scale s) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = s.factor * x[i] + s.shift;
}
"""
TABLE_SOURCE = """
struct Table { float* where[3]; long long count; };
extern "C" __global__ void __launch_bounds__(32)
fill_all(Table t, const float* value, int n) {
  for (int k = 0; k < t.count; ++k)
    if (threadIdx.x < n) t.where[k][threadIdx.x] = *value;
}
"""
STRUCT = np.dtype([("factor", np.float32), ("shift", np.int32)])


def test_kernels_run_in_the_simulator_and_are_captured(cupy, x):
    kernel = cupy.RawModule(code=SOURCE).get_function("scale")
    y, s = cupy.empty(6, np.float32), np.array((2, 3), STRUCT)
    with device.region(allocations=False) as used:
        kernel((1,), (32,), (x, y, np.int32(6), s))
    assert used["launches"] == used["launch:scale"] == 1
    expected = 2 * np.arange(6) + 3
    np.testing.assert_array_equal(y.get(), expected)
    y.fill(0)
    graph, _ = capture(cupy, lambda: kernel((1,), (32,), (x, y, np.int32(6), s)))
    s["factor"] = 9  # the graph keeps the value it was given
    assert not y.get().any()
    graph.launch()
    np.testing.assert_array_equal(y.get(), expected)


def test_arguments_of_kernels(cupy, x):
    kernel, s = cupy.RawModule(code=SOURCE).get_function("scale"), np.array((2, 3), STRUCT)
    with pytest.raises(TypeError, match=r"argument 0 is a .* NumPy array"):
        kernel((1,), (32,), (x.get(), x, np.int32(6), s))
    with pytest.raises(TypeError, match="argument 2 is a int"):
        kernel((1,), (32,), (x, x, 6, s))
    with pytest.raises(Exception, match="strides"):
        kernel((1,), (32,), (x[::2], x, np.int32(3), s))


def test_addresses_in_a_struct_are_followed(cupy):
    """A kernel that is given a table of addresses uses that memory all the same."""
    kernel = cupy.RawModule(code=TABLE_SOURCE).get_function("fill_all")
    table = np.zeros((), [("where", np.uint64, 3), ("count", np.int64)])
    arrays = [cupy.zeros(6, np.float32) for _ in range(2)]
    table["where"][:2] = [a.data.ptr for a in arrays]
    table["count"], value = 2, cupy.full(1, 7, np.float32)
    kernel((1,), (32,), (table, value, np.int32(6)))
    assert all((a.get() == 7).all() for a in arrays)
    graph, _ = capture(cupy, lambda: kernel((1,), (32,), (table, value, np.int32(6))))
    graph.launch()
    del arrays[1]
    with pytest.raises(CaptureError, match="has died"):
        graph.launch()
    with pytest.raises(ValueError, match="of an array which has died"):
        kernel((1,), (32,), (table, value, np.int32(6)))


def test_the_librarys_launcher_compiles_with_the_double(cupy, x, tmp_path, monkeypatch):
    (tmp_path / "scaling.cu").write_text(SOURCE)
    monkeypatch.setattr("minigrad.cuda.launch.SOURCES", tmp_path)
    y = cupy.empty(6, np.float32)
    with device.region() as used:
        launch("scaling", "scale", (1,), (32,), x, y, 6, np.array((2, 3), STRUCT))
        launcher.tickets(x, 3)
    assert (used["launch:scale"], used["launch:memset"]) == (1, 1)
    np.testing.assert_array_equal(y.get(), 2 * np.arange(6) + 3)
