"""Proves, on the simulator, that the matrix product and the dense layer of the GPU are those of the
reference: bit for bit on whole numbers, in one launch, in any order of threads and blocks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_checks import SUBNORMAL, integers, misaligned, mistake, one_launch, same_bits
from simulator import SimulatorError, launches, simulated

import minigrad as mg
from minigrad.cuda import matmul
from minigrad.cuda.launch import launcher
from minigrad.engine import registry
from minigrad.fused import finish

# (M, K, N), and what each is for
CASES = {
    "numbers": (1, 1, 1),
    "a vector": (1, 33, 70),
    "less than a tile": (20, 17, 5),
    "16 bytes at a time": (12, 20, 8),
    "two levels of parts": (5, 700, 9),  # 11 parts in groups of 4, 4 and 3
    "a batch of 50": (50, 40, 66),
    "a full tile": (64, 32, 64),
    "tiles and parts": (33, 130, 68),
    "tiles each way": (121, 50, 130),
}
PLACES = {
    "as it is": np.copy,
    "transposed": lambda x: np.ascontiguousarray(x.T).T,
    "misaligned": misaligned,
}


@pytest.fixture(autouse=True, scope="module")
def _simulator():
    with simulated():
        yield


def normal(*shape):
    return np.random.default_rng(shape).standard_normal(shape, dtype=np.float32)


def override(name, *operands):
    """What the override gives in every order of the threads, with the one launch it may use."""
    return one_launch(lambda: registry[name].cuda(*operands))


@pytest.mark.parametrize("place_b", PLACES)
@pytest.mark.parametrize("place_a", PLACES)
@pytest.mark.parametrize("case", CASES)
def test_matmul(case, place_a, place_b):
    m, k, n = CASES[case]
    a, b = PLACES[place_a](integers(m, k)), PLACES[place_b](integers(k, n, seed=1))
    same_bits(override("matmul", a, b), a @ b)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.data())
def test_any_shape(data):
    m, k, n = (data.draw(st.integers(1, most)) for most in (70, 90, 70))
    place = st.sampled_from(list(PLACES.values()))
    a, b = data.draw(place)(integers(m, k)), data.draw(place)(integers(k, n, seed=1))
    same_bits(override("matmul", a, b), a @ b)
    bias = data.draw(place)(integers(n))
    same_bits(override("dense_layer", a, b, bias, "relu"), np.maximum(a @ b + bias, 0))


def test_every_variant_is_chosen(monkeypatch):
    chosen = set()

    def noted(*arguments, options):
        chosen.add(options)

    monkeypatch.setattr(matmul, "launch", noted)
    for rows in (9, 20, 50, 64, 32768):
        matmul.matmul(integers(rows, 2), integers(2, 3))
    assert chosen == set(matmul.VARIANTS["matmul"])


@pytest.mark.parametrize("activation", [None, "relu", "sigmoid", "tanh"])
@pytest.mark.parametrize("case", ["less than a tile", "tiles and parts", "two levels of parts"])
def test_dense_layer(case, activation):
    m, k, n = CASES[case]
    x, w = integers(m, k), integers(k, n, seed=1)
    for b in (integers(n), misaligned(integers(n)), integers(2 * n)[::2]):
        y = override("dense_layer", x, w, b, activation)
        expected = finish(x @ w, b, activation)
        np.testing.assert_allclose(y, expected, rtol=3e-7, atol=SUBNORMAL)
        if activation in (None, "relu"):
            same_bits(y, expected)


def test_the_derivatives_of_a_dense_layer():
    """dx = g w.T and dw = x.T g are read as they lie: nothing is copied."""
    x, w, g = integers(7, 12), integers(12, 5), integers(7, 5)
    before = len(launches)
    same_bits(matmul.matmul(g, w.T), g @ w.T)
    same_bits(matmul.matmul(x.T, g), x.T @ g)
    same_bits(matmul.matmul(x.T, g[:, ::-1]), x.T @ g[:, ::-1])  # this one is
    same_bits(matmul.matmul(x, x.T), x @ x.T)
    assert len(launches) == before + 4


def test_real_numbers():
    for m, k, n in [(5, 700, 9), (50, 300, 70)]:
        a, b, bias = normal(m, k), normal(k, n), normal(n)
        exact = a.astype(np.float64) @ b + bias
        sizes = np.abs(a).astype(np.float64) @ np.abs(b) + np.abs(bias)
        off = np.abs(matmul.dense_layer(a, b, bias, None) - exact)
        assert (off <= 80 * 2.0**-24 * sizes).all()  # the longest chain of additions: a part, 64
        assert off.any()


def test_what_is_no_number_goes_on():
    a, b = integers(6, 70), np.abs(integers(70, 5)) + 1
    a[0, 3], a[2, 69], a[4, 0], a[4, 1] = np.nan, np.inf, np.inf, -np.inf
    with np.errstate(invalid="ignore"):
        expected = a @ b
    same_bits(matmul.matmul(a, b), expected)
    zero = np.zeros(5, np.float32)
    same_bits(matmul.dense_layer(a, b, zero, "relu"), np.maximum(expected, 0))
    y = matmul.dense_layer(
        integers(1, 1) * 0,
        zero[None],
        np.array([200, -200, 90, -90, np.nan], np.float32),
        "sigmoid",
    )
    np.testing.assert_allclose(y[0], [1, 0, 1, 0, np.nan], atol=1e-38)


def test_few_multiprocessors(monkeypatch):
    """Fewer parts, and so more steps in each."""
    monkeypatch.setattr(matmul, "multiprocessors", lambda: 1)
    a, b = integers(5, 700), integers(700, 9)
    same_bits(override("matmul", a, b), a @ b)
    assert launches[-1][1] == (1, 4, 1)


def test_the_sizes_of_the_reference_model():
    """Parts where the result is small, none where it is large."""
    assert matmul._split(32768, 4) == (128, 256)  # (50, 32768) @ (32768, 256): 512 blocks
    assert matmul._split(256, 512) == (1, 256)  # (50, 256) @ (256, 32768)
    assert matmul._split(50, 2048) == (1, 64)  # (32768, 50) @ (50, 256)


def test_what_the_kernel_does_not_take(monkeypatch):
    before = len(launches)
    a, b, bias = integers(3, 4), integers(4, 5), integers(5)
    for x, w in [
        (a.astype(np.float64), b.astype(np.float64)),
        (np.stack([a, a]), b),
        (a[:0], b),
        (a[:, :0], b[:0]),
        (a.astype(np.float64), b),
    ]:
        same_bits(matmul.matmul(x, w), x @ w)
    y = matmul.dense_layer(
        a.astype(np.float64), b.astype(np.float64), bias.astype(np.float64), "relu"
    )
    same_bits(y, np.maximum(a.astype(np.float64) @ b + bias, 0))
    same_bits(matmul.dense_layer(a[:, :0], b[:0], bias, None), np.stack([bias] * 3))
    same_bits(matmul.dense_layer(a, b, bias[:1], None), a @ b + bias[:1])
    same_bits(matmul.dense_layer(a, b, np.float32(2), None), a @ b + np.float32(2))
    monkeypatch.setattr(matmul, "MOST", 20)  # too large for an int
    same_bits(matmul.matmul(a, b), a @ b)
    assert len(launches) == before


def test_errors_are_the_references(monkeypatch):
    a, b, bias = integers(3, 4), integers(5, 5), integers(5)

    def message(run):
        with pytest.raises(ValueError) as caught:
            run()
        return str(caught.value)

    # a primitive on the CPU runs its `cpu`: put the override in its place
    runs = [
        lambda: mg.ops._matmul(a, b),
        lambda: mg.fused.dense_layer(a, b, bias, "relu"),
        lambda: mg.fused.dense_layer(a, b[:4], bias[:3], "relu"),
    ]
    expected = []
    for primitive in (registry["matmul"], registry["dense_layer"]):
        monkeypatch.setattr(primitive, "cpu", primitive.forward)
    expected = [message(run) for run in runs]
    for primitive in (registry["matmul"], registry["dense_layer"]):
        monkeypatch.setattr(primitive, "cpu", primitive.cuda)
    assert [message(run) for run in runs] == expected


# ---------------------------------------------------------------------- the tests would notice
MISTAKES = {
    "no barrier in a step": (
        "        __syncthreads();\n        if (at + DEPTH < end)",
        "        if (at + DEPTH < end)",
    ),
    "one half of shared memory": ("half ^= 1", "half ^= 0"),
    "the end of a part": ("min(k, begin + depth)", "k"),
    "a step too short": ("at + first < end", "at + first + 8 < end"),
    "the ticket is kept": ("if (*arrived == count - 1) *ticket = 0;", ""),
    "nobody waits for the last": ("return *arrived == count - 1;", "return true;"),
    "only one level": ("left = (left + fan - 1) / fan;", "left = 1;"),
    "a column without bias": ("bias && column + c < n", "bias && column + c + 1 < n"),
    "relu of NaN": ("y <= 0.f ? 0.f : y", "y > 0.f ? y : 0.f"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_noticed(name):
    with simulated(), mistake(*MISTAKES[name]):
        with pytest.raises((AssertionError, SimulatorError)):
            test_matmul("two levels of parts", "as it is", "transposed")
            test_what_is_no_number_goes_on()
            test_dense_layer("two levels of parts", "relu")
        for tickets in launcher._tickets.values():
            tickets[...] = 0  # or else simulated() would complain of them, too


def sanitized_runs():
    """The kernel with every option and both ways of reading, on sizes that fill no tile."""
    for case, (m, k, n) in CASES.items():
        for place_a, place_b in [("as it is", "as it is"), ("transposed", "transposed")]:
            a, b = PLACES[place_a](integers(m, k)), PLACES[place_b](integers(k, n))
            bias = misaligned(integers(n))
            yield (
                f"dense_layer, {case}, {place_a}",
                lambda a=a, b=b, c=bias: matmul.dense_layer(a, b, c, "tanh"),
            )
