"""The simulator computes what CUDA C says, and launches through the library's own launcher."""

from pathlib import Path

import numpy as np
import pytest
from simulator import Module, SimulatorError, in_every_order, launches, simulated

from minigrad.cuda.launch import launch, launcher

KERNELS = Path(__file__).with_name("kernels")
F, I = np.float32, np.int32  # noqa: E741


def kernel(source, name=None, options=()):
    code = (KERNELS / f"{source}.cu").read_text()
    return Module(code, options).get_function(name or source)


def matrices(rng, m, n, k):
    return rng.integers(-9, 9, (m, k)).astype(F), rng.integers(-9, 9, (k, n)).astype(F)


@pytest.mark.parametrize("options", [(), ("-DTILE=4",), ("-DCUSIM_UCONTEXT",)])
def test_a_tiled_product_is_exact_in_every_order(options):
    tile = 4 if "-DTILE=4" in options else 8
    multiply, (m, n, k) = kernel("product", options=options), (13, 9, 17)
    a, b = matrices(np.random.default_rng(0), m, n, k)

    def run():
        c = np.full((m, n), np.nan, F)
        grid = (-(-n // tile), -(-m // tile))
        multiply(grid, (tile, tile), (a, b, c, I(m), I(n), I(k)))
        return c

    np.testing.assert_array_equal(in_every_order(run), a @ b)


def test_the_last_block_sums_in_fixed_order():
    x = np.random.default_rng(1).standard_normal(200).astype(F)
    add, ticket = kernel("last_block"), np.zeros(1, I)

    def run():
        parts, total = np.full(4, np.nan, F), np.full(1, np.nan, F)
        add((4,), (64,), (x, parts, total, ticket, I(200)))
        assert ticket[0] == 0
        return total

    np.testing.assert_allclose(in_every_order(run), x.sum(dtype=np.float64), rtol=1e-5)


def test_each_operation_is_rounded_once_and_only_fmaf_fuses():
    rng = np.random.default_rng(2)
    a, b, c = rng.standard_normal((3, 100)).astype(F)
    a[0] = b[0] = 1 + 2**-12
    c[0] = -(1 + 2**-11)  # a * b + c is 0 with two roundings, 2**-24 with one
    out = np.empty((7, 100), F)
    kernel("language", "arithmetic")((2,), (64,), (a, b, c, out, I(100)))
    wide = a.astype(np.float64) * b + c
    expected = [a * b + c, wide.astype(F), a * b + c, a / b, np.sqrt(abs(a)), wide.astype(F), -a]
    np.testing.assert_array_equal(out, expected)
    assert out[0, 0] == 0 and out[1, 0] == 2.0**-24


def test_integers():
    a, b = np.random.default_rng(3).integers(0, 2**32, (2, 50), np.uint32)
    out = np.empty((3, 50), np.uint32)
    kernel("language", "integers")((1,), (32,), (a, b, out, I(50)))
    high = (a.astype(np.uint64) * b) >> np.uint64(32)
    np.testing.assert_array_equal(out, [high, np.minimum(a, b), np.maximum(a >> 1, 7)])


def test_shuffles():
    x = np.arange(64, dtype=F)
    run, lane = kernel("language", "shuffles"), np.arange(64) % 32
    first = np.arange(64) - lane

    def out():
        result = np.full((7, 64), np.nan, F)
        run((2,), (32,), (x, result, I(64)))
        return result

    expected = [
        first + (lane ^ 5),
        first + np.where(lane + 3 < 32, lane + 3, lane),
        first + np.where(lane >= 3, lane - 3, lane),
        first + 9,
        first + np.where(lane % 8 + 3 < 8, lane + 3, lane),
        first + lane // 16 * 16 + 3,
        first + np.where(lane < 16, lane ^ 1, lane ^ 2),
    ]
    np.testing.assert_array_equal(in_every_order(out), expected)


def test_vectors_and_null_pointers():
    x, y = np.arange(20, dtype=F).reshape(5, 4), np.empty((5, 4), F)
    add, bias = kernel("language", "vectors"), np.array([1, 2, 3, 4], F)
    add((1,), (32,), (x, y, bias, I(5)))
    np.testing.assert_array_equal(y, x + bias)
    add((1,), (32,), (x, y, np.uint64(0), I(5)))
    np.testing.assert_array_equal(y, x)


def test_structs_and_scalars_by_value():
    layout = np.dtype(
        [("scale", "f8"), ("shift", "f4", 3), ("count", "i4"), ("address", "u8")], align=True
    )
    x, out = np.array([1, 42], F), np.empty(7, F)
    struct = np.zeros((), layout)
    struct["scale"], struct["shift"], struct["count"] = 2, [1, 2, 3], 7
    struct["address"] = x.ctypes.data
    scalars = (np.bool_(True), np.uint64(5 << 40), np.int64(-(2**40)), np.float64(0.5))
    kernel("language", "settings")((1,), (1,), (struct, out, *scalars))
    np.testing.assert_array_equal(out, [6, 7, 42, -1, 5, 1, 0.5])


def test_the_tensor_core_multiplies_truncated_operands():
    rng = np.random.default_rng(4)
    multiply, d = kernel("language", "tensor_core"), np.empty((16, 8), F)
    a, b = rng.integers(-99, 99, (16, 8)).astype(F), rng.integers(-99, 99, (8, 8)).astype(F)

    def run():
        multiply((1,), (32,), (a, b, d))
        return d.copy()

    np.testing.assert_array_equal(in_every_order(run), a @ b)
    a, b = rng.standard_normal((16, 8)).astype(F), rng.standard_normal((8, 8)).astype(F)
    cut = [(x.view(np.uint32) & np.uint32(0xFFFFE000)).view(F).astype(np.float64) for x in (a, b)]
    np.testing.assert_allclose(run(), cut[0] @ cut[1], rtol=0, atol=1e-6)


def test_the_tensor_core_rounds_towards_zero():
    a, b, d = np.zeros((16, 8), F), np.zeros((8, 8), F), np.empty((16, 8), F)
    a[0], b[:, 0] = 1, [1, 2**-24, 2**-25, 0, 0, 0, 0, 0]
    a[1] = -a[0]
    kernel("language", "tensor_core")((1,), (32,), (a, b, d))
    assert d[0, 0] == 1 and d[1, 0] == -1  # to nearest it would be 1 + 2**-23


def test_the_library_launches_through_the_simulator(monkeypatch):
    monkeypatch.setattr("minigrad.cuda.launch.SOURCES", KERNELS)
    a, b = matrices(np.random.default_rng(5), 5, 6, 7)
    before = launcher.compile

    def run():
        c = np.empty((5, 6), F)
        assert np.isnan(c).all(), "what nobody has written shows"
        launch("product", "product", (2, 2), (4, 4), a, b, c, 5, 6, 7, options=("-DTILE=4",))
        return c

    with simulated():
        np.testing.assert_array_equal(in_every_order(run), a @ b)
        assert launches == [("product", (2, 2, 1), (4, 4, 1))] * 3
    assert launcher.compile is before
    for order in ("reverse", "random"):
        with simulated(order):
            np.testing.assert_array_equal(run(), a @ b)


def test_tickets_must_be_zero_again(monkeypatch):
    monkeypatch.setattr("minigrad.cuda.launch.SOURCES", KERNELS)
    x, parts, total = np.ones(100, F), np.empty(2, F), np.empty(1, F)

    def run(n_blocks):
        tickets = launcher.tickets(x, 1)
        launch("last_block", "last_block", (n_blocks,), (64,), x, parts, total, tickets, 100)
        return total.copy()

    with simulated():
        assert in_every_order(lambda: run(2)) == 100
    with pytest.raises(SimulatorError, match=r"left tickets \[0\] that are not zero"), simulated():
        launcher.tickets(x, 1)[0] = 1
