"""Fast convolutions equal the reference: direct bit for bit, Winograd within its computed bound."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minigrad.cpu
from minigrad import registry
from minigrad.conv import Geometry
from minigrad.cpu import convolution, direct, patches, pool, tiles, winograd

TRIPLE = ("conv_y", "conv_x", "conv_w")


@pytest.fixture(autouse=True, params=["small blocks", "usual blocks"], scope="module")
def block_size(request):
    """Small blocks, so that the small arrays of these tests have many: ragged, with halos."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "small blocks":
            patch.setattr(patches, "_CACHE", 200)
            patch.setattr(tiles, "_CACHE", 1)
            patch.setattr(tiles, "_TILES", 3)
        yield


@pytest.fixture
def threads():
    before = minigrad.cpu.get_num_threads()
    yield minigrad.cpu.set_num_threads
    minigrad.cpu.set_num_threads(before)


pairs = st.tuples(st.integers(1, 4), st.integers(1, 4))
paddings = st.one_of(
    st.sampled_from(["same", "valid", 1, 2]),
    st.tuples(*[st.tuples(st.integers(0, 3), st.integers(0, 3))] * 2),
)


@st.composite
def problems(draw, geometry=None):
    """(geometry, x, w, y) of small integers in float32."""
    if geometry is None:
        groups, size = draw(st.integers(1, 3)), draw(st.tuples(*[st.integers(1, 14)] * 2))
        try:
            geometry = Geometry.of(
                size, draw(pairs), draw(pairs), draw(paddings), draw(pairs), groups
            )
        except ValueError:  # the kernel is larger than the image
            geometry = Geometry.of(size, (1, 1), draw(pairs), "same", 1, groups)
    else:
        geometry = draw(geometry)
    n = draw(st.sampled_from([1, 2, 5]))
    c, f = draw(st.tuples(*[st.sampled_from([1, 2, 9, 17])] * 2))
    return geometry, *arrays(geometry, n, c * geometry.groups, f * geometry.groups, draw)


def arrays(geometry, n, c, f, draw=None, dtype=np.float32):
    """Images x, a kernel w and outputs y of small integers: all sums of products are exact."""
    rng = np.random.default_rng(draw(st.integers(0, 99)) if draw else 0)
    shapes = (
        (n, *geometry.size, c),
        (*geometry.kernel, c // geometry.groups, f),
        (n, *geometry.out, f),
    )
    return [rng.integers(-4, 5, shape).astype(dtype) for shape in shapes]


winograd_geometries = st.builds(
    lambda size, padding: Geometry.of(size, (3, 3), 1, padding),
    st.tuples(*[st.integers(3, 13)] * 2),
    st.one_of(
        st.sampled_from(["same", "valid", 2]),
        st.tuples(*[st.tuples(st.integers(0, 2), st.integers(0, 2))] * 2),
    ),
)


def arguments(name, x, w, y):
    return {"conv_y": (x, w), "conv_x": (y, w), "conv_w": (x, y)}[name]


@pytest.mark.parametrize("name", TRIPLE)
@settings(max_examples=150, deadline=None)
@given(problem=problems())
def test_direct_equals_the_reference_on_integers(name, problem):
    geometry, *xwy = problem
    a, b = arguments(name, *xwy)
    expected = registry[name].forward(a, b, geometry)
    got = getattr(direct, name)(a, b, geometry)
    assert got.dtype == expected.dtype
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", TRIPLE)
@settings(max_examples=100, deadline=None)
@given(problem=problems(winograd_geometries))
def test_winograd_stays_within_its_bound(name, dtype, problem):
    geometry, *xwy = problem
    a, b = (v.astype(dtype) for v in arguments(name, *xwy))
    exact = registry[name].forward(a.astype(float), b.astype(float), geometry)
    kernel = getattr(winograd, name)
    got, bound = kernel(a, b, geometry), winograd.error_bound(kernel, a, b, geometry)
    assert got.dtype == dtype
    assert got.shape == exact.shape == bound.shape
    assert (np.abs(got - exact) <= bound).all()


def test_winograd_loses_two_bits_at_most():
    """On random data its error in float32 is below four times the direct kernel's."""
    geometry, rng = Geometry.of((16, 16), (3, 3)), np.random.default_rng(0)
    shapes = (4, 16, 16, 64), (3, 3, 64, 48), (4, 16, 16, 48)
    xwy = [rng.standard_normal(s).astype(np.float32) for s in shapes]
    for name in TRIPLE:
        a, b = arguments(name, *xwy)
        exact = registry[name].forward(a.astype(float), b.astype(float), geometry)
        errors = [
            np.square(getattr(module, name)(a, b, geometry) - exact).mean() ** 0.5
            for module in (winograd, direct)
        ]
        assert errors[0] < 4 * errors[1]


@pytest.mark.parametrize("name", TRIPLE)
@pytest.mark.parametrize("which, shape", [(0, (4, 6)), (1, (6, 6)), (2, (6, 3))])
def test_every_wrong_matrix_entry_is_caught(name, which, shape):
    """An error of 1e-3 in any one entry of a transform breaks the bound in float64."""
    geometry = Geometry.of((8, 8), (3, 3))
    a, b = arguments(name, *arrays(geometry, 1, 2, 3, dtype=float))
    kernel = getattr(winograd, name)
    exact = registry[name].forward(a, b, geometry)
    bound = winograd.error_bound(kernel, a, b, geometry)
    for entry in np.ndindex(shape):

        def wrong(dtype, entry=entry):
            matrices = [m.copy() for m in winograd.matrices(np.dtype(dtype))]
            matrices[which][entry] += 1e-3
            return matrices

        assert (np.abs(kernel(a, b, geometry, wrong) - exact) > bound).any(), entry


def test_a_lost_halo_is_caught(monkeypatch):
    """The direct test sees a scatter that forgets the rows it shares with its neighbours."""
    geometry = Geometry.of((9, 9), (3, 3))
    _, w, y = arrays(geometry, 2, 1, 9)
    good = patches.meet
    monkeypatch.setattr(patches, "_CACHE", 200)
    monkeypatch.setattr(
        direct, "meet", lambda first, last, s, o, low, high: good(first, last, s, o, low, high - 1)
    )
    assert (direct.conv_x(y, w, geometry) != registry["conv_x"].forward(y, w, geometry)).any()


@pytest.mark.parametrize("method", ["direct", "winograd", "auto"])
@pytest.mark.parametrize("name", TRIPLE)
def test_neither_runs_nor_threads_change_a_bit(name, method, threads, monkeypatch):
    monkeypatch.setattr(convolution, "method", method)
    geometry, rng = Geometry.of((13, 14), (3, 3)), np.random.default_rng(0)
    shapes = (9, 13, 14, 20), (3, 3, 20, 24), (9, 13, 14, 24)
    a, b = arguments(name, *(rng.standard_normal(s).astype(np.float32) for s in shapes))
    results = []
    for n in (1, 1, 2, 2, 3):
        threads(n)
        results.append(registry[name](a, b, geometry).tobytes())
    assert len(set(results)) == 1


@pytest.mark.parametrize("name", TRIPLE)
def test_strided_views_are_accepted(name):
    geometry = Geometry.of((7, 9), (3, 3))
    x, w, y = (np.repeat(v, 2, axis=2)[:, :, ::2] for v in arrays(geometry, 2, 17, 18))
    a, b = arguments(name, np.asfortranarray(x), w.transpose(0, 1, 3, 2).copy().swapaxes(2, 3), y)
    expected = registry[name].forward(a, b, geometry)
    np.testing.assert_array_equal(direct.__dict__[name](a, b, geometry), expected)
    np.testing.assert_allclose(winograd.__dict__[name](a, b, geometry), expected, atol=1e-2)


@pytest.mark.parametrize("name", TRIPLE)
def test_the_reference_takes_what_the_kernels_do_not(name):
    """Empty batches, integers, and shapes that do not fit, with the error that they raise."""
    geometry, primitive = Geometry.of((4, 4), (3, 3)), registry[name]
    assert primitive.cpu is not primitive.forward
    x, w, y = arrays(geometry, 2, 3, 5)
    none = primitive(*arguments(name, x[:0], w, y[:0]), geometry)
    assert none.shape == primitive.forward(*arguments(name, x[:0], w, y[:0]), geometry).shape
    a, b = (v.astype(int) for v in arguments(name, x, w, y))
    np.testing.assert_array_equal(primitive(a, b, geometry), primitive.forward(a, b, geometry))
    with pytest.raises(ValueError, match=f"^{name}: expected"):
        primitive(*arguments(name, x[..., 1:], w, y[..., 1:]), Geometry.of((5, 5), (3, 3)))


def test_the_choice_of_method(monkeypatch):
    plain = Geometry.of((32, 32), (3, 3))
    strided = Geometry.of((32, 32), (3, 3), 2)
    tiny = Geometry.of((4, 4), (3, 3))

    def chosen(geometry, c, f, setting):
        monkeypatch.setattr(convolution, "method", setting)
        return convolution.choose(geometry, 10, c, f)

    assert chosen(plain, 64, 128, "auto") is winograd
    assert chosen(plain, 1, 32, "auto") is direct
    assert chosen(strided, 64, 128, "auto") is direct
    assert chosen(tiny, 4, 4, "auto") is None
    assert chosen(plain, 64, 128, "direct") is direct
    assert chosen(plain, 1, 32, "winograd") is winograd
    assert chosen(strided, 64, 128, "winograd") is direct
    with pytest.raises(ValueError, match=r"minigrad\.cpu\.convolution\.method must be"):
        chosen(plain, 64, 128, "fastest")


# np.errstate holds for one thread, and the kernel works in several
@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")
@pytest.mark.parametrize("value", [np.inf, np.nan])
@pytest.mark.parametrize("at, spoilt", [((5, 5), 16), ((4, 4), 64), ((4, 5), 32)])
def test_how_far_a_pixel_that_is_not_finite_reaches(value, at, spoilt, monkeypatch):
    """Nine results depend on it. Winograd spoils whole 4x4 tiles, as docs/cpu.md says."""
    geometry, rng = Geometry.of((16, 16), (3, 3)), np.random.default_rng(0)
    x, w = rng.standard_normal((1, 16, 16, 16)), rng.standard_normal((3, 3, 16, 16))
    x[0, *at, 0] = value
    with np.errstate(invalid="ignore"):
        for method, count in (("direct", 9), ("winograd", spoilt)):
            monkeypatch.setattr(convolution, "method", method)
            y = registry["conv_y"].cpu(x, w, geometry)[0, ..., 0]
            assert np.count_nonzero(~np.isfinite(y)) == count


def test_blocks_cover_everything_once():
    for n, rows, step in ((5, 7, 10), (3, 9, 1), (4, 2, 10**9)):
        seen = np.zeros((n, rows), int)
        for images, part, _ in patches.blocks(n, rows, step):
            seen[images, part] += 1
        assert (seen == 1).all()
    assert pool.pieces(5, 2) == [slice(0, 2), slice(2, 4), slice(4, 5)]
