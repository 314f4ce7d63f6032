"""Proves that Philox is the published generator, its numbers have their distributions, and its
state is all that they depend on."""

import copy
import json

import numpy as np
import pytest
from scipy import special, stats

from minigrad import random, tensor
from minigrad.functional import dropout, gaussian_noise
from minigrad.random import Philox

# Philox4x32-10 in Random123's file of known answers: counter, key, words
KNOWN = [
    ("00000000 00000000 00000000 00000000", "00000000 00000000",
     "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff",
     "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0",
     "d16cfe09 94fdcceb 5001e420 24126ea1"),
]  # fmt: skip


def words_of(text):
    return [int(word, 16) for word in text.split()]


def at(key, counter):
    rng = Philox(0)
    rng.state = {"bit_generator": "Philox4x32-10", "state": {"key": key, "counter": counter}}
    return rng


# ---------------------------------------------------------------------- the bits
@pytest.mark.parametrize(("counter", "key", "words"), KNOWN)
def test_known_answers(counter, key, words):
    counter = [np.array([c], np.uint64) for c in words_of(counter)]
    found = random.philox4x32(*counter, words_of(key))
    assert [int(w[0]) for w in found] == words_of(words)


def test_first_numbers_are_the_known_words():
    words = np.array(words_of(KNOWN[0][2]), np.uint32)
    np.testing.assert_array_equal(at([0, 0], 0).random(4), (words >> 8) / 2**24)
    wide = [(int(a >> 5) * 2**26 + int(b >> 6)) / 2**53 for a, b in (words[:2], words[2:])]
    np.testing.assert_array_equal(at([0, 0], 0).random(2, np.float64), wide)


def test_words_are_those_of_a_plain_loop():
    def plain(counter, key):
        c, (k0, k1) = [counter & 0xFFFFFFFF, counter >> 32, 0, 0], key
        for _ in range(10):
            x, y = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
            c = [y >> 32 ^ c[1] ^ k0, y & 0xFFFFFFFF, x >> 32 ^ c[3] ^ k1, x & 0xFFFFFFFF]
            k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
        return c

    key = np.array([123456789, 4000000000], np.uint32)
    start = 2**32 - 2  # over the border between the counter's words
    expected = [w for k in range(4) for w in plain(start + k, key.tolist())]
    assert random._words(start, 4, key).tolist() == expected
    last = random._words(2**64 - 1, 2, key).tolist()  # and over the end, back to 0
    assert last == plain(2**64 - 1, key.tolist()) + plain(0, key.tolist())


def test_pieces_do_not_show():
    n = 4 * random._BLOCK + 7
    for draw in (
        lambda rng, n: rng.random(n),
        lambda rng, n: rng.standard_normal(n),
        lambda rng, n: rng.random(n, np.float64),
    ):
        whole = Philox(1)
        long = draw(whole, n)
        np.testing.assert_array_equal(draw(Philox(1), 5), long[:5])
        words = n * (2 if long.dtype == np.float64 else 1)
        assert whole.state["state"]["counter"] == -(-words // 4)


# ---------------------------------------------------------------------- the normal distribution
def test_normal_is_the_inverse_of_the_distribution():
    dense = np.arange(0, 2**31, 9973, dtype=np.uint32)
    ends = np.arange(20_000, dtype=np.uint32)
    k = np.concatenate([dense, ends, 0x7FFFFFFF - ends])
    z = random.normal(k).astype(np.float64)
    q, p = (k + 0.5) / 2**32, (2**31 - 1 - k.astype(np.float64) + 0.5) / 2**32
    exact = np.where(q < 1e-3, special.erfinv(2 * q) * np.sqrt(2), -special.ndtri(p))
    assert np.abs(z / exact - 1).max() < 5e-7  # 4 units in the last place
    assert z.max() < 6.4
    np.testing.assert_array_equal(random.normal(k | np.uint32(1 << 31)), -z)  # the other half
    assert (np.diff(random.normal(np.sort(dense))) >= 0).all()


def test_logarithm():
    p = np.exp2(-np.arange(1, 34, 1 / 64)).astype(np.float32)
    exact = np.log(p.astype(np.float64))
    assert np.abs(random._log(p) / exact - 1).max() < 1.3e-7  # 1 unit in the last place


@pytest.mark.parametrize(
    ("draw", "law"),
    [
        (lambda rng, n: rng.random(n), stats.uniform),
        (lambda rng, n: rng.random(n, np.float64), stats.uniform),
        (lambda rng, n: rng.standard_normal(n), stats.norm),
    ],
)
def test_distribution(draw, law):
    x = draw(Philox(2), 200_000).astype(np.float64)
    assert stats.kstest(x, law.cdf).pvalue > 0.01
    for moment in range(1, 5):  # within 4 standard errors
        error = np.sqrt((law.moment(2 * moment) - law.moment(moment) ** 2) / x.size)
        assert abs((x**moment).mean() - law.moment(moment)) < 4 * error
    for lag in (1, 2, 3, 4, 8):
        assert abs(np.corrcoef(x[:-lag], x[lag:])[0, 1]) < 4 / np.sqrt(x.size)
    for share in (1e-2, 1e-3, 1e-4):  # both tails
        for count in ((x < law.ppf(share)).sum(), (x > law.isf(share)).sum()):
            assert stats.binomtest(int(count), x.size, share).pvalue > 1e-3


def test_a_wrong_distribution_would_be_noticed():
    class Wrong(Philox):
        def standard_normal(self, size=None, dtype=np.float32):
            x = super().standard_normal(size, dtype)
            return np.where(np.abs(x) > 3.2, 3.2, x)  # a missing tail

    with pytest.raises(AssertionError):
        x = Wrong(2).standard_normal(200_000).astype(np.float64)
        above = int((x > stats.norm.isf(1e-4)).sum())
        assert stats.binomtest(above, x.size, 1e-4).pvalue > 1e-3


def test_ranges():
    x = Philox(3).random(100_000)
    assert x.dtype == np.float32 and x.min() >= 0 and x.max() < 1
    assert (x * 2**24 == np.round(x * 2**24)).all()
    lowest, highest = np.array([0, 2**32 - 1], np.uint32)
    assert random.uniform(np.array([lowest, highest])).tolist() == [0, 1 - 2**-24]
    assert random.uniform64(np.array([highest, highest])).tolist() == [1 - 2**-53]


# ---------------------------------------------------------------------- the generator
def test_nothing_comes_twice():
    rng = Philox(4)
    draws = np.concatenate([rng.random(n, np.float64) for n in (1, 2, 3, 500, 7)])
    others = [g.random(500, np.float64) for g in (Philox(5), *rng.spawn(2), *rng.spawn(1))]
    everything = np.concatenate([draws, *others])
    assert len(np.unique(everything)) == everything.size


def test_shapes_and_scalars():
    rng = Philox(6)
    assert isinstance(rng.random(), np.float32) and isinstance(rng.standard_normal(), np.float32)
    assert isinstance(rng.random(dtype=np.float64), np.float64)
    for size, shape in [(3, (3,)), ((2, 3), (2, 3)), ([2, 3], (2, 3)), ((), ()), (0, (0,)),
                        ((2, 0), (2, 0)), (np.int64(2), (2,))]:  # fmt: skip
        assert rng.random(size).shape == rng.standard_normal(size).shape == shape
    same = Philox(7).random((5, 3)), Philox(7).random(15).reshape(5, 3)
    np.testing.assert_array_equal(*same)


def test_seeds():
    sequence = np.random.SeedSequence(8)
    np.testing.assert_array_equal(Philox(8).random(5), Philox(sequence).random(5))
    children = [g.random() for g in Philox(8).spawn(3)]
    assert children == [Philox(s).random() for s in np.random.SeedSequence(8).spawn(3)]
    assert Philox().random() != Philox().random()  # from the operating system
    assert repr(Philox(0)) == "Philox(key=[2968811710, 3677149159], device='cpu')"


def test_state_is_all():
    rng = Philox(9)
    rng.random(7)
    saved = json.loads(json.dumps(rng.bit_generator.state))
    twin, other = copy.deepcopy(rng), Philox(10)
    other.bit_generator.state = saved
    expected = rng.standard_normal(6)
    for g in (twin, other):
        np.testing.assert_array_equal(g.standard_normal(6), expected)
        assert g.state == rng.state != saved


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        {},
        np.random.default_rng(0).bit_generator.state,
        {"bit_generator": "Philox4x32-10"},
        {"bit_generator": "Philox4x32-10", "state": {"key": [1], "counter": 0}},
        {"bit_generator": "Philox4x32-10", "state": {"key": [1, 2**32], "counter": 0}},
        {"bit_generator": "Philox4x32-10", "state": {"key": [1, 2], "counter": -1}},
        {"bit_generator": "Philox4x32-10", "state": {"key": [1, 2], "counter": 2**64}},
        {"bit_generator": "Philox4x32-10", "state": {"key": [1, 2], "counter": 0.5}},
    ],
)
def test_wrong_states_are_refused(wrong):
    rng = Philox(0)
    before = rng.state
    with pytest.raises(ValueError, match="expected a state as its own"):
        rng.state = wrong
    assert rng.state == before


def test_errors_are_sentences():
    with pytest.raises(TypeError, match="float32 only for normal numbers, got dtype float64"):
        Philox(0).standard_normal(3, np.float64)
    with pytest.raises(TypeError, match="got dtype int32"):
        Philox(0).random(3, np.int32)
    with pytest.raises(ValueError, match="unknown device 'gpu'"):
        Philox(0, "gpu")
    with pytest.raises(TypeError):
        Philox(0).random(2.0)


def test_in_layers():
    x = tensor(np.ones((100, 100), np.float32), requires_grad=True)
    y = dropout(x, 0.25, Philox(11))
    assert y.dtype == np.float32 and set(np.unique(y.numpy())) == {0, np.float32(4 / 3)}
    assert abs((y.numpy() == 0).mean() - 0.25) < 4 * np.sqrt(0.25 * 0.75 / y.size)
    assert abs(gaussian_noise(x, 2.0, Philox(12)).numpy().std() - 2) < 0.06


@pytest.mark.parametrize("seed", [-1, "a", 2.5])
def test_what_is_no_seed(seed):
    with pytest.raises(ValueError, match="Philox: seed must be None, integers of at least 0"):
        Philox(seed)


@pytest.mark.parametrize("size", [2.5, "3", (2, None)])
def test_what_is_no_size(size):
    with pytest.raises(TypeError, match="Philox: size must be None, an integer or a tuple"):
        Philox(0).random(size)
