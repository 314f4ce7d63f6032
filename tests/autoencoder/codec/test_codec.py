"""Files give back the quantised codes exactly and cost what entropy says."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from autoencoder.codec import Codec
from autoencoder.codec.quantiser import TOTAL, Quantiser, whole_frequencies
from autoencoder.datasets import load_digits, make_faces

HEADER = 17


class Identity:
    """A model whose codes are the examples."""

    def transform(self, X):
        return X

    def inverse_transform(self, X):
        return X


def digits():
    return load_digits().images.reshape(1797, 64)


def faces():
    return make_faces(people=20, variations=5, size=32).images.reshape(100, 1024)


@pytest.fixture(scope="module")
def codec():
    """A codec of digits."""
    X = digits()[:1300]
    return Codec(PCA(12, svd_solver="full").fit(X), step=0.7).fit(X)


def information(codec, codes):
    """The ideal length in bits: the sum of -log2 of the symbols' frequencies."""
    quantiser = codec.quantiser_
    symbols = quantiser.quantise(codes)
    tables = quantiser.by_unit(quantiser.frequencies / TOTAL)
    return -sum(np.log2(table[s]).sum() for table, s in zip(tables, symbols.T, strict=True))


def entropy(codec, codes):
    """The bits of the symbols under their own frequencies, unit by unit."""
    bits = 0.0
    for symbols in codec.quantiser_.quantise(codes).T:
        counts = np.bincount(symbols)
        counts = counts[counts > 0]
        bits -= (counts * np.log2(counts / counts.sum())).sum()
    return bits


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_files_give_back_the_quantised_codes_exactly(data):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    units, dtype = data.draw(st.integers(1, 9)), data.draw(st.sampled_from([np.float32, float]))
    scales = 10.0 ** rng.integers(-3, 3, units) * rng.integers(0, 2, units)
    training = (rng.standard_t(3, (data.draw(st.integers(1, 60)), units)) * scales).astype(dtype)
    step = data.draw(st.sampled_from([1e3, 30.0, 3.0]))
    codec = Codec(Identity(), step).fit(training)
    codes = (rng.standard_t(2, (data.draw(st.integers(1, 80)), units)) * scales).astype(dtype)
    file = codec.compress(codes)
    decoded = codec.decompress(file)
    expected = codec.quantiser_.dequantise(codec.quantiser_.quantise(codes))
    assert decoded.dtype == dtype
    np.testing.assert_array_equal(decoded, expected)
    assert codec.compress(codes) == file
    assert codec.compress(decoded) == file  # a second time nothing more is lost


@pytest.mark.parametrize(("load", "units"), [(digits, 32), (faces, 40)])
@pytest.mark.parametrize("step", [0.1, 0.5, 2.0])
def test_the_rate_is_the_entropy_and_a_small_known_overhead(load, units, step):
    X = load()
    pca = PCA(units, svd_solver="full").fit(X)
    codec, codes = Codec(pca, step).fit(X), pca.transform(X)
    bits = 8 * len(codec.compress(X))
    ideal, least = information(codec, codes), entropy(codec, codes)
    # The coder writes what the tables say, and at most two 32-bit words and the header more.
    assert ideal <= bits <= ideal * 1.0001 + 8 * HEADER + 64
    # On the training codes the tables are their frequencies, but for half a count a level: nothing
    # can be below the entropy, and the price of learning is at most log2(N + L/2) / 2 a level.
    levels = codec.quantiser_.levels[codec.quantiser_.levels > 1]
    price = (levels - 1) * np.log2(len(X) + levels / 2) / 2 + levels / 2
    assert least <= ideal <= least + price.sum()


def test_the_tables_are_worth_their_while():
    X = digits()
    train, test = X[:1300], X[1300:]
    codec = Codec(PCA(32, svd_solver="full").fit(train), step=0.25).fit(train)
    bits = 8 * len(codec.compress(test))
    assert bits < 1.03 * entropy(codec, codec.model.transform(test))  # on unseen digits
    levels = codec.quantiser_.levels
    flat = np.concatenate([whole_frequencies(np.zeros(n)) for n in levels])
    codec.quantiser_ = codec.quantiser_._replace(frequencies=flat)
    codec._prepare()
    assert 8 * len(codec.compress(test)) > 1.3 * bits


@pytest.mark.parametrize("step", [0.02, 0.1])
def test_the_step_is_a_distance_in_the_output(step):
    rng = np.random.default_rng(0)
    mixing = np.linalg.qr(rng.normal(size=(50, 12)))[0].T * np.linspace(1, 3, 12)[:, None]
    X = rng.normal(size=(6000, 12)) @ mixing  # (6000, 50), of rank 12: PCA loses nothing
    codec = Codec(PCA(12, svd_solver="full").fit(X), step).fit(X[:5000])
    errors = ((codec.decompress(codec.compress(X[5000:])) - X[5000:]) ** 2).sum(axis=1)
    assert errors.mean() == pytest.approx(12 * step**2 / 12, rel=0.06)


@pytest.mark.parametrize(
    "rescaled",
    [
        PCA(10, whiten=True, svd_solver="full"),
        make_pipeline(PCA(10, svd_solver="full"), StandardScaler()),
    ],
    ids=["whitened", "standardised"],
)
def test_the_scale_of_codes_does_not_matter(rescaled):
    X = digits().astype(np.float64)
    train, test = X[:1300], X[1300:]
    plain, other = (
        Codec(model.fit(train), 0.5).fit(train) for model in (PCA(10, svd_solver="full"), rescaled)
    )
    np.testing.assert_array_equal(plain.quantiser_.levels, other.quantiser_.levels)
    data = other.compress(test)
    assert abs(len(data) - len(plain.compress(test))) <= 8
    error = np.abs(other.decompress(data) - plain.decompress(plain.compress(test)))
    assert np.mean(error > 1e-6) < 1e-3  # but for values on the border of two levels


def test_a_collapsed_model_costs_nothing_but_the_header():
    codec = Codec(Identity(), 0.5).fit(np.full((30, 4), 0.25))
    data = codec.compress(np.full((5, 4), 0.25))
    assert len(data) == HEADER
    np.testing.assert_array_equal(codec.decompress(data), np.full((5, 4), 0.25))


def test_the_bytes_of_the_format_never_change():
    codec = Codec(Identity(), 1.0)
    codec.quantiser_ = Quantiser(
        edges=np.array([-0.5, 0.0, -2.0]),
        steps=np.array([1.0, 1.0, 0.5]),
        levels=np.array([3, 1, 8]),
        values=np.arange(12.0),
        frequencies=np.array([TOTAL - 1000, 999, 1, TOTAL] + [TOTAL // 8] * 8),
    )
    codec._prepare()
    codes = np.array([[0, 9, -2], [2, 9, 1.9], [1, 9, 0.1], [0, 9, -0.9]])
    data = codec.encode(codes)
    assert data.hex() == ("4d47414501cd7e4a3d0400000097230f34ff5df0ff6a7233b9")
    assert codec.decode(data).tolist() == [[0, 3, 4], [2, 3, 11], [1, 3, 8], [0, 3, 6]]


def test_a_saved_codec_reads_and_writes_the_same_files(codec, tmp_path):
    path = tmp_path / "codec.npz"
    codec.save(path)
    again = Codec.load(path, codec.model)
    X = digits()[1300:]
    assert again.compress(X) == codec.compress(X) and again.step == 0.7
    data = codec.compress(X)
    np.testing.assert_array_equal(again.decompress(data), codec.decompress(data))
    np.load(path, allow_pickle=False).close()
    assert codec.nbytes == sum(table.nbytes for table in codec.quantiser_) < path.stat().st_size


@pytest.mark.parametrize("step", [0, -1, np.nan, np.inf, None, "fine", [1]])
def test_impossible_steps_are_refused(step):
    with pytest.raises(ValueError, match="step must be a positive number"):
        Codec(Identity(), step).fit(np.ones((3, 2)))


def test_impossible_uses_are_refused(codec):
    with pytest.raises(ValueError, match="call fit"):
        Codec(Identity(), 1).compress(np.ones((3, 2)))
    with pytest.raises(ValueError, match="there are no samples"):
        codec.encode(np.ones((0, 12)))
    with pytest.raises(ValueError, match="not all finite"):
        Codec(Identity(), 1).fit(np.array([[1.0, np.nan]]))
    with pytest.raises(ValueError, match="at most 4096"):
        Codec(Identity(), 1e-9).fit(np.array([[1.0], [2.0]]))
