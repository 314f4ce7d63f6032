"""Damaged, foreign and forged files, and another codec's, are refused quickly, in one sentence."""

import copy
import tracemalloc
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA

from autoencoder.codec import Codec
from autoencoder.codec.codec import _consistent
from autoencoder.codec.quantiser import MAX_LEVELS, TOTAL, Quantiser
from autoencoder.datasets import load_digits
from minigrad import checkpoint

HEADER = 17


def digits():
    return load_digits().images.reshape(1797, 64)


@pytest.fixture(scope="module")
def codec():
    """A codec of digits, whose files the tests below damage."""
    X = digits()[:1300]
    return Codec(PCA(12, svd_solver="full").fit(X), step=0.7).fit(X)


def forged(data):
    """The same file with a checksum that agrees."""
    crc = zlib.crc32(data[: HEADER - 4] + data[HEADER:])
    return data[: HEADER - 4] + crc.to_bytes(4, "little") + data[HEADER:]


def test_every_flipped_bit_is_noticed(codec):
    data = codec.compress(digits()[1300:1310])
    for place in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[place // 8] ^= 1 << place % 8
        with pytest.raises(ValueError, match=r"^decode: "):
            codec.decompress(bytes(damaged))


def test_every_missing_or_added_byte_is_noticed(codec):
    data = codec.compress(digits()[1300:1310])
    for length in range(len(data)):
        with pytest.raises(ValueError, match=r"^decode: "):
            codec.decompress(data[:length])
    for more in (b"\0", b"\0\0\0\0", data):
        with pytest.raises(ValueError, match="damaged"):
            codec.decompress(data + more)
        with pytest.raises(ValueError, match=r"not one that this program writes|do not hold"):
            codec.decompress(forged(data + more))


@settings(deadline=None, max_examples=200)
@given(
    payload=st.binary(max_size=20).map(lambda words: words[: len(words) // 4 * 4]),
    count=st.integers(0, 8) | st.integers(0, 2**32 - 1),
)
def test_forged_files_are_refused_or_are_files_of_the_format(codec, payload, count):
    start = codec.compress(digits()[:1])[:9]
    data = forged(start + count.to_bytes(4, "little") + bytes(4) + payload)
    try:
        codes = codec.decode(data)
    except ValueError as error:
        assert str(error).startswith("decode: ")
    else:
        assert codec.encode(codes) == data and len(codes) == count


@given(st.binary(max_size=60))
def test_foreign_bytes_are_refused(codec, data):
    with pytest.raises(ValueError, match=r"^decode: "):
        codec.decompress(data)


@pytest.mark.parametrize("count", [0, 500, 10**6, 10**6 + 1, 2**32 - 1])
def test_absurd_counts_cost_no_memory(codec, count):
    data = codec.compress(digits()[1300:1310])
    data = forged(data[:9] + count.to_bytes(4, "little") + data[13:])
    tracemalloc.start()
    with pytest.raises(ValueError, match=r"claims|do not hold"):
        codec.decompress(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100_000


def test_the_limit_on_examples_can_be_moved(codec):
    data = codec.compress(digits()[:10])
    assert len(codec.decompress(data, max_examples=10)) == 10
    with pytest.raises(ValueError, match="claims 10 samples, between 1 and 9 are accepted"):
        codec.decompress(data, max_examples=9)


def test_files_of_another_codec_or_version_are_refused(codec):
    X = digits()[:1300]
    data = codec.compress(X[:5])
    with pytest.raises(ValueError, match="other tables"):
        Codec(codec.model, step=0.71).fit(X).decompress(data)
    with pytest.raises(ValueError, match="version 2"):
        codec.decompress(forged(data[:4] + b"\2" + data[5:]))


@pytest.mark.parametrize("components", [12, 13])
def test_a_codec_is_not_loaded_for_another_model(codec, tmp_path, components):
    codec.save(tmp_path / "codec.npz")
    other = PCA(components, svd_solver="full").fit(digits()[:300])
    with pytest.raises(ValueError, match="belongs to another model"):
        Codec.load(tmp_path / "codec.npz", other)


def test_damaged_tables_are_not_loaded(codec, tmp_path):
    path = tmp_path / "codec.npz"
    codec.save(path)
    arrays, about = checkpoint.load(path)
    bad = [
        {"frequencies": np.roll(arrays["frequencies"], 1)},
        {"frequencies": arrays["frequencies"] - 1},
        {"frequencies": arrays["frequencies"].astype(np.float64)},
        {"levels": arrays["levels"] + 1},
        {"levels": -arrays["levels"]},
        {"steps": 0 * arrays["steps"]},
        {"edges": arrays["edges"] * np.nan},
        {"edges": arrays["edges"][:-1]},
        {"values": arrays["values"][None]},
    ]
    for change in bad:
        checkpoint.save(path, {**arrays, **change}, about=about)
        with pytest.raises(ValueError, match="contradict each other"):
            Codec.load(path, codec.model)
    for contents, kind in ((arrays, {}), (arrays, {"kind": "?"}), ({"w": np.ones(3)}, about)):
        checkpoint.save(path, contents, about=kind)
        with pytest.raises(ValueError, match="holds no codec"):
            Codec.load(path, codec.model)
    path.write_bytes(b"no such thing")
    with pytest.raises(ValueError, match="damaged"):
        Codec.load(path, codec.model)
    with pytest.raises(FileNotFoundError):
        Codec.load(tmp_path / "nothing.npz", codec.model)


def constant_codec():
    """A codec whose units never change: its files say nothing."""
    model = PCA(2, svd_solver="full").fit(digits()[:300])
    model.components_ = np.zeros_like(model.components_)
    return Codec(model, step=0.7).fit(digits()[:300])


def test_a_short_file_cannot_ask_for_a_million_rows():
    codec = constant_codec()
    data = codec.compress(digits()[:100])
    assert len(data) == HEADER
    for count in (10**6, 4096):
        absurd = forged(data[:9] + count.to_bytes(4, "little") + data[13:])
        tracemalloc.start()
        with pytest.raises(ValueError, match=f"^decode: 0 bytes do not hold {count} samples"):
            codec.decompress(absurd)
        assert tracemalloc.get_traced_memory()[1] < 100_000
        tracemalloc.stop()
    many = np.repeat(digits()[:1], 10_000, axis=0)
    packed = codec.compress(many)
    assert len(packed) == HEADER + 8  # which it may have
    assert codec.decompress(packed).shape == many.shape
    with pytest.raises(ValueError, match=r"^decode: "):
        codec.decode(forged(packed[:-1] + b"\1"))


@pytest.mark.parametrize("name", ["components_", "mean_"])
def test_a_codec_knows_the_weights_of_its_model(codec, tmp_path, name):
    codec.save(tmp_path / "codec.npz")
    other = copy.deepcopy(codec.model)
    Codec.load(tmp_path / "codec.npz", other)
    getattr(other, name).flat[3] += 1e-6  # no output of it would show that
    with pytest.raises(ValueError, match="belongs to another model"):
        Codec.load(tmp_path / "codec.npz", other)


class Scaled:
    """A model without fitted numbers: what it does shows in its outputs only."""

    def __init__(self, factor):
        self.factor = factor

    def transform(self, X):
        return X / self.factor

    def inverse_transform(self, Z):
        return Z * self.factor


def test_a_codec_knows_what_its_model_makes_of_codes(tmp_path):
    X = digits()[:50]
    Codec(Scaled(2.0), step=0.7).fit(X).save(tmp_path / "codec.npz")
    Codec.load(tmp_path / "codec.npz", Scaled(2.0002))  # rounding of another machine is far less
    with pytest.raises(ValueError, match="belongs to another model"):
        Codec.load(tmp_path / "codec.npz", Scaled(2.02))


@pytest.mark.parametrize(
    ("levels", "frequencies", "good"),
    [
        ([2], [1, TOTAL - 1], True),
        ([2], [0, TOTAL], False),
        ([1], [TOTAL], True),
        ([1, 1], [TOTAL, TOTAL], True),
        ([MAX_LEVELS], [1] * (MAX_LEVELS - 1) + [TOTAL - MAX_LEVELS + 1], True),
        ([MAX_LEVELS + 1], [1] * MAX_LEVELS + [TOTAL - MAX_LEVELS], False),
        ([0], [], False),
        ([2], [TOTAL + 1, -1], False),
    ],
)
def test_tables_are_those_of_a_quantiser_up_to_their_limits(levels, frequencies, good):
    units = np.ones(len(levels))
    values = np.zeros(len(frequencies))
    tables = Quantiser(units, units, np.array(levels), values, np.array(frequencies, np.int64))
    assert _consistent(tables) == good
