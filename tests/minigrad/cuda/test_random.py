"""Proves, on the simulator, that the GPU draws the bits that the CPU draws, and that the counter
on the device goes on by itself."""

import numpy as np
import pytest
from kernel_checks import mistake, one_launch, same_bits
from simulator import SimulatorError, launches, simulated

from minigrad import random
from minigrad.cuda.random import draw
from minigrad.random import Philox

SIZES = [1, 2, 3, 4, 5, 1023, 1025, 4103]  # rests of 1, 2, 3 numbers; 1, 2 and 5 blocks
KERNELS = ["uniform", "normal"]


@pytest.fixture(autouse=True)
def _simulator():
    with simulated():
        yield


def pair(monkeypatch, seed=1, counter=0):
    """A generator of the CPU, and one that takes itself for the GPU's: with NumPy's arrays in the
    place of CuPy's, and the kernels in the simulator."""
    monkeypatch.setattr(random, "to_device", lambda x, device: x)
    both = Philox(seed), Philox(seed, "cuda")
    for rng in both:
        rng.state = {**rng.state, "state": {"key": rng.state["state"]["key"], "counter": counter}}
    return both


def drawn(kernel, n, key, first):
    """The numbers, and the counter afterwards."""
    out, counter = np.empty(n, np.float32), np.array([first], np.uint64)
    draw(kernel, out, np.array(key, np.uint32), counter)
    return out, counter


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("first", [0, 2**32 - 3, 2**64 - 2])
def test_the_bits_of_the_cpu(kernel, n, first):
    key = [2**32 - 7, 2**31 + n]
    numbers, counter = one_launch(lambda: drawn(kernel, n, key, first))
    used = -(-n // 4)
    words = random._words(first, used, np.array(key, np.uint32))[:n]
    expected = getattr(random, kernel)(words)
    np.testing.assert_array_equal(numbers.view(np.uint32), expected.view(np.uint32))
    assert counter[0] == (first + used) % 2**64


def test_a_known_answer():
    words = np.array([0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8])
    same_bits(drawn("uniform", 4, [0, 0], 0)[0], ((words >> 8) / 2**24).astype(np.float32))


def test_both_tails_and_the_middle():
    numbers, _ = drawn("normal", 50_000, [1, 2], 0)
    same_bits(numbers, random.normal(random._words(0, 12_500, np.array([1, 2], np.uint32))))
    assert numbers.min() < -3.5 and numbers.max() > 3.5 and np.abs(numbers).min() < 1e-3


def test_the_generator(monkeypatch):
    cpu, gpu = pair(monkeypatch)
    place = gpu._counter
    for size in (5, (2, 3), 1, (3, 0), None, 1030):
        same_bits(gpu.random(size), cpu.random(size))
        same_bits(gpu.standard_normal(size), cpu.standard_normal(size))
        assert gpu.state == cpu.state
    assert len(launches) == 10
    child, other = gpu.spawn(1)[0], cpu.spawn(1)[0]
    assert child.device == "cuda"
    same_bits(child.random(5), other.random(5))
    gpu.state = other.state
    assert gpu._counter is place  # where a captured graph looks for it
    same_bits(gpu.random(9), other.random(9))


def test_errors_are_sentences(monkeypatch):
    _, gpu = pair(monkeypatch)
    for function, where in ((gpu.random, "on the GPU"), (gpu.standard_normal, "for normal")):
        with pytest.raises(TypeError, match=f"float32 only {where}"):
            function(3, np.float64)
    too_many = np.broadcast_to(np.float32(0), (2**31,))
    with pytest.raises(ValueError, match="2147483648 numbers are too many"):
        draw("uniform", too_many, np.zeros(2, np.uint32), np.zeros(1, np.uint64))
    assert not launches


MISTAKES = {
    "nine rounds": ("round < 10", "round < 9"),
    "halves exchanged": ("b = (unsigned)(index >> 32)", "b = 0"),
    "fused": ("add(mul(y, x), c)", "fmaf(y, x, c)"),
    "the library's logarithm": ("__fsqrt_rn(-logarithm(p))", "__fsqrt_rn(-logf(p))"),
    "one block too few": ("((unsigned)n + 3u) / 4u", "(unsigned)n / 4u"),
    "no sign": (" | (word & 0x80000000u)", ""),
    "the counter stays": ("*counter = first +", "*counter = 0 * first +"),
    "no barrier": ("__syncthreads();", ""),
    "the last number": ("if (left > 2u) out[2] = z.z;", ""),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_noticed(name):
    with pytest.raises((AssertionError, SimulatorError)), mistake(*MISTAKES[name]):
        for kernel in KERNELS:
            test_the_bits_of_the_cpu(kernel, 4103, 2**32 - 3)


def sanitized_runs():
    """Both kernels, with every rest."""
    for kernel in KERNELS:
        for n in (1, 2, 3, 1024, 1027):
            yield f"{kernel} {n}", lambda k=kernel, n=n: drawn(k, n, [1, 2], 0)
