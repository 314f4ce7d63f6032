"""Proves that convolutions, simulated, are the same bits in every tile and however sums are cut."""

import numpy as np
import pytest
from convolution_checks import CASES, OPERATIONS, checked, error, made, normal, operands
from kernel_checks import mistake
from simulator import SimulatorError, in_every_order, launches, simulated

import minigrad.cuda
from minigrad.conv import Geometry
from minigrad.cuda import convolution, weight_gradient
from minigrad.cuda.launch import launcher
from minigrad.cuda.tile import BIG, NARROW, SMALL, SQUARE, TILES
from minigrad.cuda.weight_gradient import GRADIENT_TILES
from minigrad.engine import registry


@pytest.fixture(autouse=True, scope="module")
def _simulator():
    with simulated():
        yield


@pytest.fixture
def processors(monkeypatch):
    """A GPU with a number of multiprocessors that the test sets, by calling this."""
    return lambda n: [
        monkeypatch.setattr(module, "multiprocessors", lambda: n)
        for module in (convolution, weight_gradient)
    ]


@pytest.fixture
def cut(monkeypatch):
    """So many whole tiles, blocks for the parts of others and parts: set by calling this."""

    def cut(*blocks):
        monkeypatch.setattr(convolution, "_cut", lambda *_: (0, *blocks))
        _forget()

    yield cut
    _forget()


@pytest.fixture
def only(monkeypatch):
    """Only one kind of tile to choose from, the one that the test gives."""

    def only(tile):
        for tiles in (TILES, GRADIENT_TILES):
            for kind in tiles:
                monkeypatch.setitem(tiles, kind, {tile: 600})
        _forget()

    yield only
    _forget()


def _forget():
    convolution._plan.cache_clear()
    weight_gradient._plan.cache_clear()


@pytest.mark.parametrize("tile", [BIG, SQUARE, NARROW, SMALL], ids=lambda t: f"{t.m}x{t.n}")
def test_every_tile(tile, only, processors, monkeypatch):
    """More than one tile each way, the last one split among blocks, and pixels in parts."""
    monkeypatch.setattr(minigrad.cuda, "precision", "float32")
    only(tile)
    processors(5)
    geometry, *arrays = made(((8, 7), (3, 3), 1, "same", 1, 3, 32, 48))
    for name in OPERATIONS:
        if name != "conv_w" or tile != SQUARE:  # which that one has not with loads of 16 bytes
            checked(name, geometry, *operands(name, *arrays))


@pytest.mark.parametrize("channels", [64, 71])
def test_sums_are_split(channels, only, cut):
    """Up to eight parts are put together at once, more in levels."""
    only(SMALL if channels == 64 else SQUARE)  # two tiles
    geometry, x, w, y = made(((5, 3), (3, 3), 1, "same", 1, 1, channels, channels))
    for parts in (2, 8, 9):
        cut(0, 2 * parts, parts)
        for name in ("conv_y", "conv_x"):
            checked(name, geometry, *operands(name, x, w, y))
            assert launches[-1][1] == (2 * parts, 1, 1)


@pytest.mark.parametrize("precision", ["float32", "tf32"])
def test_the_last_wave_is_split(precision, only, cut, monkeypatch):
    monkeypatch.setattr(minigrad.cuda, "precision", precision)
    only(BIG)
    cut(2, 2, 2)
    geometry, x, w, _ = made(((8, 8), (3, 3), 1, "same", 1, 6, 32, 16))
    checked("conv_y", geometry, x, w)
    assert launches[-1][1] == (2 + 2, 1, 1)  # two whole tiles, and one in two parts


def test_levels_of_parts_of_the_weight_gradient(processors):
    geometry, x, _, y = made(((20, 23), (1, 2), 1, "same", 1, 3, 4, 4))
    for multiprocessors, parts in ((1, 6), (2, 11), (30, 18)):
        processors(multiprocessors)
        checked("conv_w", geometry, x, y)
        assert launches[-1][1] == (1, 1, parts)


@pytest.mark.parametrize("tile", [BIG, SMALL], ids=lambda t: f"{t.m}x{t.n}")
@pytest.mark.parametrize("name", OPERATIONS)
def test_tf32(name, tile, only, monkeypatch):
    only(tile)
    monkeypatch.setattr(minigrad.cuda, "precision", "tf32")
    for case in ("a layer", "strides"):
        geometry, *arrays = made(CASES[case])
        checked(name, geometry, *operands(name, *arrays))  # small whole numbers are exact
    geometry, *arrays = made(CASES["a layer"], normal)
    arrays = operands(name, *arrays)
    result = in_every_order(lambda: registry[name].cuda(*arrays, geometry))
    off, bound = error(name, geometry, arrays)
    assert (off <= (2 * 2.0**-11 + 2.0**-22 + 400 * 2.0**-24) * bound).all()  # a rounding each
    assert off.max() > 2.0**-14 * bound.max()  # rounded they are, though
    off, bound = error(name, geometry, list(map(rounded, arrays)))
    assert (off <= 400 * 2.0**-24 * bound).all()
    np.testing.assert_array_equal(result, registry[name].cuda(*map(rounded, arrays), geometry))


def rounded(x):
    """`x` with 10 bits of mantissa, to the nearest, ties away from zero: cvt.rna.tf32."""
    return ((x.view(np.uint32) + 0x1000) & 0xFFFFE000).view(np.float32)


# ---------------------------------------------------------------------- three products for one
@pytest.fixture
def three(monkeypatch):
    monkeypatch.setattr(minigrad.cuda, "precision", "3xtf32")


@pytest.mark.parametrize("tile", [SQUARE, SMALL], ids=lambda t: f"{t.m}x{t.n}")
@pytest.mark.parametrize("name", OPERATIONS)
def test_three_products(name, tile, only, three, monkeypatch):
    """The bound of docs/gpu.md, and on the average as near as float32."""
    only(tile)
    geometry, *arrays = made(CASES["phases"])
    checked(name, geometry, *operands(name, *arrays))  # whole numbers are exact
    geometry, *arrays = made(CASES["a layer"], normal)
    arrays = operands(name, *arrays)
    off, bound = error(name, geometry, arrays)
    assert (off <= THREE * bound).all()
    monkeypatch.setattr(minigrad.cuda, "precision", "float32")
    plain, _ = error(name, geometry, arrays)
    assert 0 < (off**2).mean() < (plain**2).mean() * 2


THREE = 2.0**-20  # of the sum of the magnitudes


def test_the_error_of_three_products_does_not_grow(only, cut, three):
    """From step to step, where all terms have one sign: the tensor cores round towards zero."""
    only(SQUARE)
    cut(2, 0, 1)  # no parts: 144 steps
    geometry, _, w, y = made(((6, 6), (3, 3), 1, "same", 1, 2, 64, 256), uniform)
    off, bound = error("conv_x", geometry, (y, w))
    assert (off <= THREE * bound).all()


def uniform(*shape):
    return np.random.default_rng(shape).uniform(1, 2, shape).astype(np.float32)


def test_whole_numbers_of_22_bits_are_exact(only, three):
    geometry, x, w, _ = made(((4, 4), (1, 1), 1, "same", 1, 1, 16, 16))
    x = np.where(np.arange(16) == 5, x + np.float32(2**22 - 5), 0).astype(np.float32)
    for weights in (np.sign(w), x.reshape(1, 1, 16, 16)[..., ::-1] * 0 + 2):
        checked("conv_y", geometry, x, np.ascontiguousarray(weights))


def test_three_products_of_what_is_no_number(three):
    """Where float32 has a number so have they, and NaN where not."""
    geometry, x, w, y = made(CASES["a layer"], normal)
    for name, images in (("conv_y", x), ("conv_x", y)):
        images[0, 1, 1, 0], images[1, 0, 0, -1], images[2, 4, 4, 3] = np.nan, np.inf, -np.inf
        with np.errstate(invalid="ignore"):
            expected = registry[name].forward(images, w, geometry)
        result = registry[name].cuda(images, w, geometry)
        np.testing.assert_array_equal(np.isfinite(result), np.isfinite(expected))
        assert np.isnan(result[~np.isfinite(expected)]).all()


def test_three_products_of_very_small_and_large_numbers(three):
    geometry, x, w, _ = made(CASES["a layer"], normal)
    for scale in (2.0**-120, 2.0**-130, 2.0**-149, 2.0**120):
        images = (x * scale).astype(np.float32)
        off, bound = error("conv_y", geometry, (images, w))
        assert (off <= THREE * bound + 2.0**-126 * abs(w).sum((0, 1, 2))).all()
    w[...] = 0
    w[1, 1] = np.eye(32, 48)
    for largest, finite in ((3.4e38, True), (np.finfo(np.float32).max, False)):
        x[...] = largest
        result = registry["conv_y"].cuda(x, w, geometry)[..., :32]
        np.testing.assert_allclose(result, largest if finite else np.nan, rtol=2.0**-22)


# ---------------------------------------------------------------------- what is launched
def test_every_variant_is_chosen_by_some_layer():
    layers = [(16, 16, 32), (16, 32, 64), (16, 64, 32), (16, 64, 128), (32, 128, 64)]
    layers += [(32, 128, 32), (32, 64, 32), (9, 5, 6)]
    chosen = {"convolution": set(), "weight_gradient": set()}
    for size, c, f in layers:
        geometry = Geometry.of((size, size), (3, 3))
        wide = c % 16 == 0
        for products in (0, 1, 3) if wide else (0,):
            kind = wide, products, 132
            gradient = weight_gradient._plan(geometry, 50, c, f, *kind)
            chosen["weight_gradient"].add(gradient.options)
            for transposed in (False, True):
                channels = (f, c) if transposed else (c, f)
                plan = convolution._plan(geometry, 50, *channels, transposed, *kind)
                chosen["convolution"].add(plan.options)
                assert plan.tickets <= 132 and plan.scratch < 2**21  # 8 MB
    for source, variants in {**convolution.VARIANTS, **weight_gradient.VARIANTS}.items():
        assert chosen[source] == set(variants)
        assert len(variants) == len(set(variants))


def test_a_full_gpu():
    """The widest layer: three whole waves, and the four tiles left over in 33 parts each."""
    plan = convolution._plan(Geometry.of((32, 32), (3, 3)), 50, 128, 64, False, True, 0, 132)
    assert plan.options[:2] == ("-DTILE_M=128", "-DTILE_N=64")
    assert plan.grid == (3 * 132 + 4 * 18, 1, 1)  # 72 steps: at least 4 to a part


@pytest.mark.parametrize("d", [1, 2, 3, 7, 30, 1024, 46341, 2**30 + 1, 2**31 - 1])
def test_division_by_multiplication(d):
    factor, shift = weight_gradient._divisor(d)
    assert -(2**31) <= factor < 2**31
    for n in {0, 1, d - 1, d, 2 * d - 1, 2**31 - 1, (2**31 - 1) // d * d, (2**31 - 1) // d * d - 1}:
        if 0 <= n < 2**31:
            quotient = n if shift < 0 else (n * (factor % 2**32) >> 32) >> shift
            assert quotient == n // d


# ---------------------------------------------------------------------- the tests would notice
MISTAKES = {
    "columns elsewhere": ("swizzled(j * APART_N, at.lane_n, APART_N, k)", "at.lane_n"),
    "the ticket is kept": ("if (*arrived == count - 1) *ticket = 0;", ""),
    "nobody waits for the last": ("return *arrived == count - 1;", "return true;"),
    "one level of parts": ("left = (left + fan - 1) / fan;", "left = 1;"),
    "a part too long": ("min(s.images * pixels, begin + s.per)", "s.images * pixels"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_noticed(name, only, processors, cut):
    with simulated(), mistake(*MISTAKES[name]):
        with pytest.raises((AssertionError, SimulatorError)):
            test_levels_of_parts_of_the_weight_gradient(processors)
            test_sums_are_split(71, only, cut)
        for tickets in launcher._tickets.values():
            tickets[...] = 0  # or else simulated() would complain of them, too


MISTAKES_OF_THREE = {
    "no rest of the rows": ("mma(part[i], p_rest[h][i], q[h], part[i]);", ";"),
    "no rest of the columns": ("mma(part[i], p[h][i], q_rest[h], part[i]);", ";"),
    "two rests of one": ("return whole - v;", "return whole;"),
    "added up by the tensor cores": (
        "mma(part[i], p[h][i], q[h], part[i]);",
        "mma(sum[i][j][0], p[h][i], q[h], sum[i][j][0]);",
    ),
}


@pytest.mark.parametrize("name", MISTAKES_OF_THREE)
def test_mistakes_with_three_products_are_noticed(name, only, cut, three):
    with simulated(), mistake(*MISTAKES_OF_THREE[name]), pytest.raises(AssertionError):
        test_the_error_of_three_products_does_not_grow(only, cut, three)
