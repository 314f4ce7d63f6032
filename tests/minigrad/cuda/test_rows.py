"""Proves, on the simulator, that batches are the rows that the order names, one batch after the
other, and that nothing outside of the arrays is ever read."""

import numpy as np
import pytest
from kernel_checks import integers, misaligned, mistake, same_bits
from simulator import SimulatorError, in_every_order, launches, simulated

from minigrad.cuda.rows import gather


@pytest.fixture(autouse=True)
def _simulator():
    with simulated():
        yield


def epoch(data, order, count, batches, first=0):
    """The cursor at the end, and the batches."""
    cursor = np.array([first], np.int32)
    return cursor, *(gather(data, order, cursor, count) for _ in range(batches))


def permutation(n):
    return np.random.default_rng(n).permutation(n).astype(np.int32)


@pytest.mark.parametrize("shape", [(11,), (7, 4), (7, 5), (6, 2, 3, 2), (5, 300), (5, 1201)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("place", [np.copy, misaligned], ids=["aligned", "misaligned"])
def test_batches(shape, dtype, place):
    data, order = place(integers(*shape).astype(dtype)), permutation(shape[0])
    cursor, *batches = in_every_order(lambda: epoch(data, order, 2, shape[0] // 2))
    same_bits(cursor, np.array([shape[0] // 2], np.int32))
    for k, batch in enumerate(batches):
        same_bits(batch, data[order[2 * k : 2 * k + 2]])
    assert len(launches) == 3 * len(batches)


def test_16_bytes_at_a_time_where_a_row_allows_it():
    order = permutation(5)
    for width, place, name in [(8, np.copy, "gather_16"), (6, np.copy, "gather_4"),
                               (8, misaligned, "gather_4")]:  # fmt: skip
        launches.clear()
        epoch(place(integers(5, width)), order, 2, 1)
        assert [kernel for kernel, *_ in launches] == [name]
    launches.clear()
    epoch(integers(5, 6).astype(np.float64), order, 2, 1)
    assert [kernel for kernel, *_ in launches] == ["gather_16"]


@pytest.mark.parametrize("width", [3, 4])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_that_are_not_there_are_nan(width, dtype):
    data = integers(5, width).astype(dtype)
    order = np.array([4, -1, 5, 0, 2**31 - 1, -(2**31), 2], np.int32)
    cursor, *batches = in_every_order(lambda: epoch(data, order, 3, 4))
    assert cursor[0] == 4
    rows = np.concatenate(batches)
    expected = np.full((12, width), np.nan, dtype)
    expected[[0, 3, 6]] = data[[4, 0, 2]]
    same_bits(rows, expected)
    for first in (-1, -(2**31), 2**31 - 2):
        _, batch = epoch(data, order, 3, 1, first)
        assert np.isnan(batch).all()
    _, batch = epoch(data[:0], order, 3, 1)
    assert np.isnan(batch).all()


def test_nothing_is_changed_on_the_way():
    data = np.array([[0x7FC00001, 1, 0x80000000, 0xFF800000]], np.uint32).view(np.float32)
    _, batch = epoch(data, np.zeros(1, np.int32), 1, 1)
    np.testing.assert_array_equal(batch.view(np.uint32), data.view(np.uint32))


def test_errors_are_sentences():
    data, order, cursor = integers(4, 3), permutation(4), np.zeros(1, np.int32)
    with pytest.raises(TypeError, match="order must be an array of int32, got int64"):
        gather(data, order.astype(np.int64), cursor, 2)
    with pytest.raises(TypeError, match="data must be an array of float32 or float64, got int32"):
        gather(data.astype(np.int32), order, cursor, 2)
    with pytest.raises(TypeError, match="cursor must be an array of int32, got int"):
        gather(data, order, 0, 2)
    with pytest.raises(ValueError, match="data must be contiguous"):
        gather(data[:, ::2], order, cursor, 2)
    for wrong in (np.zeros(2, np.int32), np.zeros(0, np.int32)):
        with pytest.raises(ValueError, match="a cursor of one number"):
            gather(data, order, wrong, 2)
    with pytest.raises(ValueError, match="-1 rows"):
        gather(data, order, cursor, -1)
    assert gather(data, order, cursor, 0).shape == (0, 3) and not launches


MISTAKES = {
    "the cursor stays": ("*cursor = *batch + 1;", ""),
    "each block moves it": ("atomicAdd(ticket, 1) == (int)gridDim.x - 1", "true"),
    "no barrier": ("    __syncthreads();\n    const unsigned i", "    const unsigned i"),
    "beyond the order": ("place < length", "place < length + 1"),
    "the data's end": ("from < rows", "from <= rows"),
    "before the data": ("from >= 0 &&", ""),
    "in 32 bits": ("const long long place = (long long)", "const int place = "),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_noticed(name):
    with pytest.raises((AssertionError, SimulatorError)), mistake(*MISTAKES[name]):
        test_batches((5, 1201), np.float32, np.copy)
        # slices: a mistake reads what lies beside them, not outside of the memory
        data, order = integers(12, 4)[4:8], np.array([3, 4, -1, 1], np.int32)[:3]
        _, *batches = epoch(data, order, 2, 2)
        assert np.isnan(np.concatenate(batches)[1:]).all()
        _, batch = epoch(data, order, 4, 1, first=2**30)
        assert np.isnan(batch).all()


def sanitized_runs():
    """Both kernels, with rows and a batch beyond the ends."""
    order = np.array([2, -1, 5, 0, 1], np.int32)
    for width in (3, 8, 301):
        data = integers(3, width)
        yield f"rows of {width}", lambda data=data: epoch(data, order, 3, 3)
