"""Proves that the naive convolutions, simulated, are the reference's bit for bit, like the fast
ones, and that they run where one asks for them and nowhere else.
"""

import contextlib
import functools

import device
import numpy as np
import pytest
from convolution_checks import CASES, OPERATIONS, checked, error, integers, made, normal, operands
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_checks import misaligned, mistake
from simulator import SimulatorError, launches, simulated

import minigrad as mg
from minigrad import nn
from minigrad.conv import Geometry
from minigrad.cuda import convolution, naive, tile, weight_gradient
from minigrad.engine import registry

KERNELS = {"conv_y": "naive_y", "conv_x": "naive_x", "conv_w": "naive_w"}
ONE_CHANNEL = {
    "one channel in": ((5, 4), (3, 3), 2, "same", 1, 2, 1, 5),
    "one channel out": ((5, 4), (3, 3), 2, "same", 1, 2, 5, 1),
}


@pytest.fixture
def naively():
    with simulated(), naive.instead():
        yield


def as_the_reference(case):
    geometry, x, w, y = made((CASES | ONE_CHANNEL)[case])
    results = []
    for name in OPERATIONS:
        results.append(checked(name, geometry, *operands(name, x, w, y)))
        assert launches[-1][0] == KERNELS[name]
    # each is the adjoint of the others: T(x, w, y), whichever of the three is left out
    totals = {float((a * b).sum(dtype=float)) for a, b in zip(results, (y, x, w), strict=True)}
    assert len(totals) == 1


@pytest.mark.usefixtures("naively")
@pytest.mark.parametrize("case", [*CASES, *ONE_CHANNEL])
def test_as_the_reference(case):
    as_the_reference(case)


@pytest.mark.usefixtures("naively")
def test_views():
    geometry, *arrays = made(CASES["strides"])
    for name in OPERATIONS:
        checked(name, geometry, *map(misaligned, operands(name, *arrays)))
        checked(name, geometry, *(a[..., ::-1] for a in operands(name, *arrays)))


@settings(max_examples=15, deadline=None, derandomize=True)
@given(st.data())
def test_any_geometry(data):
    numbers = {n: st.tuples(st.integers(1, n), st.integers(1, n)) for n in (2, 3)}
    size = data.draw(st.tuples(st.integers(5, 8), st.integers(5, 8)))
    padding = data.draw(st.sampled_from(["same", "valid", 2, ((0, 3), (2, 1))]))
    kernel, stride, dilation = (data.draw(numbers[n]) for n in (3, 3, 2))
    n, c, f = (data.draw(st.integers(1, 4)) for _ in range(3))
    geometry, *arrays = made((size, kernel, stride, padding, dilation, n, c, f))
    with simulated(), naive.instead():
        for name in OPERATIONS:
            checked(name, geometry, *operands(name, *arrays))


@pytest.mark.usefixtures("naively")
@pytest.mark.parametrize("name", OPERATIONS)
def test_real_numbers(name):
    geometry, *arrays = made(CASES["a layer"], normal)
    off, bound = error(name, geometry, operands(name, *arrays))
    assert (off <= 500 * 2.0**-24 * bound).all()  # 432: the longest chain of additions
    assert off.any()  # float32, not something exact by accident


@pytest.mark.usefixtures("naively")
def test_what_is_no_number_stays_where_it_belongs():
    geometry, x, w, y = made(CASES["a layer"])
    for name, images in (("conv_y", x), ("conv_x", y)):
        images[0, 1, 1, 0], images[1, 0, 0, -1] = np.nan, np.inf
        weights = np.abs(w) + 1  # no 0 times inf
        with np.errstate(invalid="ignore"):
            expected = registry[name].forward(images, weights, geometry)
        assert not np.isfinite(expected).all()
        np.testing.assert_array_equal(registry[name].cuda(images, weights, geometry), expected)


@pytest.mark.usefixtures("naively")
def test_what_the_kernels_do_not_take(monkeypatch):
    """Goes to the reference, which knows it or complains."""
    geometry, *arrays = made(CASES["any channels"])
    before = len(launches)
    for name in OPERATIONS:
        doubles = [a.astype(np.float64) for a in operands(name, *arrays)]
        result = registry[name].cuda(*doubles, geometry)
        assert result.dtype == np.float64
        np.testing.assert_array_equal(result, registry[name].forward(*doubles, geometry))
    grouped = Geometry.of((6, 6), (3, 3), groups=2)
    a, b = integers(2, 6, 6, 4), integers(3, 3, 2, 6)
    expected = registry["conv_y"].forward(a, b, grouped)
    np.testing.assert_array_equal(naive.conv_y(a, b, grouped), expected)
    with pytest.raises(ValueError):
        naive.conv_y(arrays[0], arrays[1][:, :, :4], geometry)
    monkeypatch.setattr(tile, "LIMIT", 100)  # offsets that are too large for an int
    for name in OPERATIONS:
        registry[name].cuda(*operands(name, *arrays), geometry)
    assert len(launches) == before


def test_they_run_where_one_asks_for_them():
    fast = {name: registry[name].cuda for name in registry}
    with pytest.raises(KeyError), naive.instead():
        assert registry["conv_w"].cuda is naive.conv_w
        raise KeyError
    assert {name: registry[name].cuda for name in registry} == fast
    assert fast["conv_y"] is convolution.conv_y and fast["conv_w"] is weight_gradient.conv_w


def test_a_network_runs_on_them():
    """Whole numbers again: its loss and gradients are those of the kernels in use, bit for bit."""
    found = []
    with device.installed():
        model = nn.Sequential(
            nn.Conv2D(2, 4, stride=2, activation="relu", rng=np.random.default_rng(0)),
            nn.Conv2DTranspose(4, 1, stride=2, activation="relu", rng=np.random.default_rng(0)),
        )
        model.load_state_dict({k: integers(*a.shape) for k, a in model.state_dict().items()})
        model.to("cuda")
        x = mg.tensor(integers(3, 6, 6, 2)).to("cuda")
        for place in (naive.instead(), contextlib.nullcontext()):
            with place:
                launches.clear()
                loss = model(x).sum()
                gradients = mg.grad(loss, list(model.parameters()))
                names = {name for name, *_ in launches}
                found.append((names, loss.item(), [g.numpy() for g in gradients]))
    (names, *naively), (others, *in_use) = found
    assert names >= set(KERNELS.values()) and not others & set(KERNELS.values())
    assert naively[0] == in_use[0]
    for mine, theirs in zip(naively[1], in_use[1], strict=True):
        np.testing.assert_array_equal(mine, theirs)


# ---------------------------------------------------------------------- the tests would notice
MISTAKES = {
    "the last number": ("s.columns * s.filters) return", "s.columns * s.filters - 1) return"),
    "right edge": ("column >= 0 && column < s.width", "column >= 0"),
    "no whole step": ("down % s.stride_y || p >= s.rows", "p >= s.rows"),
    "another tap": ("const int i = tap / s.kernel_width, j =", "const int i = 0, j ="),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_noticed(name):
    noticed = pytest.raises((AssertionError, SimulatorError))
    with simulated(), mistake(*MISTAKES[name]), naive.instead(), noticed:
        as_the_reference("strides")
        as_the_reference("any channels")


def sanitized_runs():
    """The three kernels, on arrays that are no multiple of a block."""
    for case in ("phases", "any channels"):
        geometry, *arrays = made(CASES[case])
        for name in OPERATIONS:
            given = *operands(name, *arrays), geometry
            yield f"naive {name}, {case}", functools.partial(getattr(naive, name), *given)
