"""Compiled kernels equal NumPy's: bit for bit on integers where nothing is transformed, Winograd
within its computed bound, and the same bits for any number of threads."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minigrad as mg
from minigrad import fused, optim, registry
from minigrad.conv import Geometry
from minigrad.cpu import convolution
from minigrad.cpu import winograd as numpy_winograd
from minigrad.native import library, one_channel, slopes, winograd

pytestmark = pytest.mark.skipif(library.library is None, reason=f"native: {library.status}")
F32 = np.float32
TRIPLE = ("conv_y", "conv_x", "conv_w")
CHANNELS = st.sampled_from([1, 2, 5, 8, 9, 16, 17, 31, 33, 40])


@pytest.fixture(autouse=True)
def on(monkeypatch):
    monkeypatch.setattr(mg.cpu, "native", True)


@pytest.fixture
def off(monkeypatch):
    """A function that calls another one with NumPy's kernels."""

    def call(function, *args):
        with monkeypatch.context() as patch:
            patch.setattr(mg.cpu, "native", False)
            return function(*args)

    return call


@pytest.fixture
def threads():
    before = mg.get_num_threads()
    yield mg.set_num_threads
    mg.set_num_threads(before)


# ---------------------------------------------------------------------- Winograd
@st.composite
def problems(draw):
    """(geometry, x, w, y) of small integers: any sizes, pads and channels, in any layout."""
    size = draw(st.tuples(*[st.integers(3, 13)] * 2))
    pads = draw(st.tuples(*[st.tuples(st.integers(0, 2), st.integers(0, 2))] * 2))
    geometry = Geometry.of(size, (3, 3), 1, pads)
    n, c, f = draw(st.sampled_from([1, 2, 5])), draw(CHANNELS), draw(CHANNELS)
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    shapes = (n, *size, c), (3, 3, c, f), (n, *geometry.out, f)
    x, w, y = (rng.integers(-4, 5, shape).astype(F32) for shape in shapes)
    if draw(st.booleans()):
        x, w, y = np.asfortranarray(x), w[::-1, :, ::-1], np.repeat(y, 2, axis=2)[:, :, ::2]
    return geometry, x, w, y


def arguments(name, x, w, y):
    return {"conv_y": (x, w), "conv_x": (y, w), "conv_w": (x, y)}[name]


@pytest.mark.parametrize("cache", [1, winograd._CACHE], ids=["small blocks", "usual blocks"])
@pytest.mark.parametrize("name", TRIPLE)
@settings(max_examples=80, deadline=None)
@given(problem=problems())
def test_winograd_stays_within_its_bound(name, cache, problem):
    geometry, *xwy = problem
    a, b = arguments(name, *xwy)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(winograd, "_CACHE", cache)
        got = getattr(winograd, name)(a, b, geometry)
    exact = registry[name].forward(a.astype(float), b.astype(float), geometry)
    bound = numpy_winograd.error_bound(getattr(numpy_winograd, name), a, b, geometry)
    assert (got.dtype, got.shape) == (F32, exact.shape)
    assert (np.abs(got - exact) <= bound).all()


@pytest.mark.parametrize("activation", [None, "relu"])
@pytest.mark.parametrize(
    "layer, linear", [("conv_layer", "conv_y"), ("conv_transpose_layer", "conv_x")]
)
def test_a_layer_has_the_bits_of_its_parts(layer, linear, activation, monkeypatch):
    monkeypatch.setattr(convolution, "method", "winograd")
    geometry, rng = Geometry.of((9, 10), (3, 3), 1, 1), np.random.default_rng(0)
    x = rng.standard_normal((3, 9, 10, 17)).astype(F32)
    w = rng.standard_normal((3, 3, 17, 17)).astype(F32)
    b = rng.standard_normal(17).astype(F32)
    y = getattr(winograd, linear)(x, w, geometry)
    expected = fused.finish(y.copy(), b, activation)
    found = getattr(winograd, linear)(x, w, geometry, b, activation == "relu")
    np.testing.assert_array_equal(found, expected)
    chosen = registry[layer](x, w, b, geometry, activation)
    np.testing.assert_array_equal(chosen, expected)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_pixel_that_is_not_finite_reaches_no_further_than_in_numpy(value, off):
    """And at least as far as it must: Winograd spoils whole tiles, see docs/cpu.md."""
    geometry, rng = Geometry.of((16, 16), (3, 3)), np.random.default_rng(0)
    x, w = (rng.standard_normal(s).astype(F32) for s in ((1, 16, 16, 16), (3, 3, 16, 16)))
    x[0, 4, 5, 3] = value
    with np.errstate(invalid="ignore"):
        exact, found, numpys = (
            ~np.isfinite(y)
            for y in (
                registry["conv_y"].forward(x, w, geometry),
                registry["conv_layer"](x, w, np.zeros(16, F32), geometry, None),
                off(registry["conv_y"].cpu, x, w, geometry),
            )
        )
    assert not (exact & ~found).any() and not (found & ~numpys).any()


@pytest.mark.parametrize("name", TRIPLE)
def test_threads_change_no_bit_of_a_convolution(name, threads, monkeypatch):
    monkeypatch.setattr(winograd, "_CACHE", 1)  # many blocks
    geometry, rng = Geometry.of((13, 14), (3, 3)), np.random.default_rng(0)
    shapes = (9, 13, 14, 20), (3, 3, 20, 24), (9, 13, 14, 24)
    a, b = arguments(name, *(rng.standard_normal(s).astype(F32) for s in shapes))
    assert_same_bits(threads, lambda: registry[name](a, b, geometry))


def assert_same_bits(threads, function):
    results = []
    for n in (1, 2, 3, 2):
        threads(n)
        results.append(function().tobytes())
    assert len(set(results)) == 1


def test_the_compiled_kernels_were_asked(monkeypatch, off):
    """Otherwise all these comparisons would be of NumPy with NumPy."""
    asked = []
    for name in TRIPLE:
        kernel = getattr(winograd, name)
        monkeypatch.setattr(winograd, name, lambda *a, k=kernel, n=name: asked.append(n) or k(*a))
    geometry, rng = Geometry.of((16, 16), (3, 3)), np.random.default_rng(0)
    x, w = (rng.standard_normal(s).astype(F32) for s in ((4, 16, 16, 16), (3, 3, 16, 16)))

    def ask():
        for name in TRIPLE:
            registry[name](*arguments(name, x, w, x), geometry)

    ask()
    assert asked == list(TRIPLE)
    off(ask)
    registry["conv_y"](x.astype(float), w.astype(float), geometry)
    monkeypatch.setattr(convolution, "method", "direct")
    ask()
    assert asked == list(TRIPLE)


# ---------------------------------------------------------------------- one channel
@pytest.mark.parametrize("name", ["conv_y", "conv_x"])
@settings(max_examples=80, deadline=None)
@given(
    size=st.tuples(*[st.integers(1, 12)] * 2),
    two=st.tuples(*[st.tuples(st.integers(1, 4), st.integers(1, 3))] * 3),
    pads=st.tuples(*[st.tuples(st.integers(0, 3), st.integers(0, 3))] * 2),
    many=CHANNELS,
    wide_x=st.booleans(),
    relu=st.sampled_from([None, False, True]),
)
def test_one_channel_equals_the_reference_on_integers(name, size, two, pads, many, wide_x, relu):
    (kh, kw), stride, dilation = two
    try:
        geometry = Geometry.of(size, (kh, kw), stride, pads, dilation)
    except ValueError:  # the kernel is larger than the image
        geometry = Geometry.of(size, (1, 1), stride, pads)
    c, f = (many, 1) if wide_x else (1, many)
    rng = np.random.default_rng(0)
    shapes = (3, *size, c), (*geometry.kernel, c, f), (3, *geometry.out, f)
    a, w = arguments(name, *(rng.integers(-4, 5, shape).astype(F32) for shape in shapes))
    expected, layer = registry[name].forward(a, w, geometry), ()
    if relu is not None:
        layer = rng.integers(-4, 5, expected.shape[3]).astype(F32), relu
        expected = fused.finish(expected, layer[0], "relu" if relu else None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(one_channel, "_BLOCK", 100)
        found = getattr(one_channel, name)(a, w, geometry, *layer)
    assert found.dtype == F32
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("name", ["conv_y", "conv_x"])
@pytest.mark.parametrize("c, f", [(1, 128), (128, 1)])
def test_grey_images_with_many_channels_are_compiled(name, c, f, threads, monkeypatch):
    geometry, asked = Geometry.of((32, 32), (3, 3), 2), []
    kernel = getattr(one_channel, name)
    monkeypatch.setattr(one_channel, name, lambda *a: asked.append(name) or kernel(*a))
    rng = np.random.default_rng(0)
    shapes = (9, 32, 32, c), (3, 3, c, f), (9, 16, 16, f)
    a, b = arguments(name, *(rng.standard_normal(s).astype(F32) for s in shapes))
    assert_same_bits(threads, lambda: registry[name](a, b, geometry))
    assert asked


# ---------------------------------------------------------------------- around the products
@settings(max_examples=60, deadline=None)
@given(
    rows=st.integers(1, 300),
    f=CHANNELS | st.just(1030),
    relu=st.booleans(),
    seed=st.integers(0, 99),
)
def test_gate_and_sums_equal_numpy_on_integers(rows, f, relu, seed):
    rng = np.random.default_rng(seed)
    g, y = (rng.integers(-9, 10, (rows, f)).astype(F32) for _ in range(2))
    g[0, 0], y[-1, -1] = -0.0, np.nan
    activation = "relu" if relu else None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(slopes, "_LARGE", 0)
        patch.setattr(slopes, "_BLOCK", 100)
        dz, db = slopes.slopes(g, y, activation)
    expected, _ = fused.slopes_by_parts(g, y, activation)
    assert dz.tobytes() == expected.tobytes()  # -0.0 as well
    np.testing.assert_array_equal(db, expected.sum(axis=0))


def test_sums_lose_little():
    g = np.random.default_rng(0).random((60000, 24), F32)
    _, db = slopes.slopes(g, g, None)
    np.testing.assert_allclose(db, g.sum(axis=0, dtype=float), rtol=1e-6)


@settings(max_examples=60, deadline=None)
@given(rows=st.integers(1, 40), f=CHANNELS, relu=st.booleans(), seed=st.integers(0, 99))
def test_the_bias_equals_numpy_to_the_bit(rows, f, relu, seed):
    rng = np.random.default_rng(seed)
    y, b = (rng.standard_normal(shape).astype(F32) for shape in ((rows, f), f))
    y[0, 0] = np.nan
    expected = fused.finish(y.copy(), b, "relu" if relu else None)
    library.library.add_bias(y.ctypes.data, b.ctypes.data, relu, rows, f)
    np.testing.assert_array_equal(y, expected)


def test_threads_change_no_bit_of_slopes_and_layers(threads):
    rng = np.random.default_rng(0)
    g, y = (rng.standard_normal((5, 64, 64, 24)).astype(F32) for _ in range(2))
    x, w, b = (rng.standard_normal(s).astype(F32) for s in ((900, 40), (40, 800), 800))
    assert_same_bits(threads, lambda: np.append(*slopes.slopes(g, y, "relu")))
    assert_same_bits(threads, lambda: registry["dense_layer"](x, w, b, "relu"))


# ---------------------------------------------------------------------- Adam
SETTINGS = {
    "Adam": (optim.Adam, {}),
    "TensorFlow's epsilon": (optim.Adam, dict(epsilon_hat=True, epsilon=1e-10)),
    "weight decay": (optim.Adam, dict(weight_decay=0.1, betas=(0.7, 0.99))),
    "AdamW": (optim.AdamW, dict(weight_decay=0.1)),
    "AMSGrad": (optim.Adam, dict(amsgrad=True)),
}


def steps(kind, options, shape, dtype=F32):
    """The weights and the moments after five steps."""
    rng = np.random.default_rng(0)
    p = mg.tensor(rng.standard_normal(shape).astype(dtype), requires_grad=True)
    optimizer = kind([p], lr=0.01, **options)
    for _ in range(5):
        p.grad = mg.tensor(rng.standard_normal(shape).astype(dtype))
        optimizer.step()
    return [p.data, *(a for name, a in optimizer.state[p].items() if name != "t")]


@pytest.mark.parametrize("shape", [(), (3,), (7, 5), (500, 401)])
@pytest.mark.parametrize("name", SETTINGS)
def test_adam_equals_numpys(name, shape, off):
    kind, options = SETTINGS[name]
    found, expected = steps(kind, options, shape), off(steps, kind, options, shape)
    exact = steps(kind, options, shape, float)
    for a, b, c in zip(found, expected, exact, strict=True):
        assert a.dtype == F32 and a.shape == shape
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(a, c, rtol=1e-5, atol=1e-6)


def test_adam_equals_pytorchs():
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    start = rng.standard_normal(70000).astype(F32)
    mine, theirs = mg.tensor(start, requires_grad=True), torch.tensor(start, requires_grad=True)
    pair = optim.Adam([mine]), torch.optim.Adam([theirs])
    for _ in range(20):
        g = rng.standard_normal(70000).astype(F32)
        mine.grad, theirs.grad = mg.tensor(g), torch.tensor(g)
        for optimizer in pair:
            optimizer.step()
    np.testing.assert_allclose(mine.data, theirs.detach().numpy(), rtol=1e-5, atol=1e-7)
    v = pair[1].state[theirs]["exp_avg_sq"].numpy()  # 1 - beta2 in float32 would be off by 5e-5
    np.testing.assert_allclose(pair[0].state[mine]["v"], v, rtol=2e-6)


def test_threads_change_no_bit_of_adam(threads):
    assert_same_bits(threads, lambda: steps(optim.Adam, {}, (700, 801))[0])


# ---------------------------------------------------------------------- binary cross-entropy
ODD = [0.0, -0.0, 1e-30, 87.0, -87.2, 87.4, -90.0, 1e30, -1e30, np.inf, -np.inf, np.nan]


@pytest.mark.parametrize("s", [2.0, "array", "one number in all places"])
@pytest.mark.parametrize("length", [16384, 16391, 20000])
def test_binary_cross_entropy_and_its_slope(length, s, off):
    """Within 3e-7 of float64; the same where numbers are not finite as with NumPy's kernels."""
    rng = np.random.default_rng(length)
    x, t = (rng.standard_normal(length) * 8).astype(F32), rng.random(length, F32)
    x[: len(ODD)], x[-len(ODD) :] = ODD, ODD[::-1]
    factor = rng.random(length, F32) if s == "array" else s
    if isinstance(factor, str):
        factor = np.broadcast_to(F32(1.5), (length,))
    loss, slope = (registry[n] for n in ("bernoulli_nll_of_logits", "bernoulli_slope"))
    with np.errstate(invalid="ignore"):
        for function, operands in ((loss, (x, t)), (slope, (factor, x, t))):
            got, numpys = function(*operands), off(function, *operands)
            wide = [np.asarray(a, float) for a in operands]
            exact = function.forward(*wide)
            np.testing.assert_array_equal(np.isfinite(got), np.isfinite(numpys))
            np.testing.assert_array_equal(np.isnan(got), np.isnan(numpys))
            finite = np.isfinite(exact) & np.isfinite(got)
            scale = np.abs(exact) + np.abs(wide[-1] * wide[-2]) + np.abs(wide[-1])
            assert (np.abs(got - exact) <= 3e-7 * scale + 1e-37)[finite].all()
            assert got.dtype == F32


def test_the_compiled_logarithm_has_the_coefficients_of_numpys():
    from minigrad.cpu.elementwise import ARTANH

    text = (library.Path(library.__file__).parent / "kernels.c").read_text()
    for c in ARTANH:
        assert f"{c}f" in text


def test_a_captured_step_notices_that_they_are_switched_off():
    """Who sums a bias's gradient depends on it: a layer large enough for the compiled kernel."""
    rng = np.random.default_rng(0)
    x, w = rng.random((64, 300), F32), rng.random((300, 300), F32)
    sides = []
    for captured in (False, True):
        b = mg.tensor(np.zeros(300, F32), requires_grad=True)

        def step(b=b):
            b.grad = None
            mg.dense(x, w, b, activation="relu").sum().backward()
            return b.grad

        sides.append(mg.cpu.Captured(step) if captured else step)
    for k in range(10):
        mg.cpu.native = not 4 < k < 8
        expected, found = (side().data.tobytes() for side in sides)
        assert found == expected


def test_an_update_that_somebody_has_put_on_an_optimizer_is_called():
    w = mg.tensor(np.ones(3, F32), requires_grad=True)
    optimizer, seen = optim.Adam([w]), []
    optimizer.update = lambda w, g, **settings: seen.append(settings["t"])
    (w * w).sum().backward()
    optimizer.step()
    assert seen == [1]
    assert w.data.tolist() == [1, 1, 1]
