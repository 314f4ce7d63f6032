"""What the tests of convolution kernels share: cases, whole numbers, the comparison."""

import numpy as np
from simulator import in_every_order, launches

from minigrad.conv import Geometry
from minigrad.engine import registry

# (height, width), kernel, stride, padding, dilation, images, C, F
CASES = {
    "a layer": ((7, 5), (3, 3), 1, "same", 1, 3, 32, 48),
    "strides": ((8, 7), (3, 3), 2, "same", 1, 2, 16, 20),
    "phases": ((9, 7), (2, 3), (3, 2), ((0, 3), (4, 1)), (2, 4), 2, 32, 16),  # and empty ones
    "gaps": ((7, 9), (2, 1), 3, "same", 1, 1, 16, 16),  # pixels that no window meets
    "any channels": ((6, 5), (3, 2), (1, 2), ((0, 1), (1, 2)), (1, 2), 2, 5, 3),
    "any channels, many": ((5, 3), (2, 2), 2, 1, 1, 1, 70, 67),  # more than a tile
    "a large kernel": ((5, 4), (15, 9), 1, "same", 1, 1, 2, 3),
    "a point": ((1, 1), (1, 1), 1, 0, 1, 1, 16, 16),
}
OPERATIONS = ["conv_y", "conv_x", "conv_w"]


def integers(*shape, seed=0):
    """Whole numbers: their sums are exact in any order."""
    return np.random.default_rng([seed, *shape]).integers(-4, 5, shape).astype(np.float32)


def normal(*shape):
    return np.random.default_rng(shape).standard_normal(shape, dtype=np.float32)


def made(case, draw=integers):
    """The geometry of a case, and its images x, kernel w and outputs y."""
    size, kernel, stride, padding, dilation, n, c, f = case
    geometry = Geometry.of(size, kernel, stride, padding, dilation)
    return geometry, draw(n, *size, c), draw(*kernel, c, f), draw(n, *geometry.out, f)


def operands(name, x, w, y):
    return {"conv_y": (x, w), "conv_x": (y, w), "conv_w": (x, y)}[name]


def checked(name, geometry, *arrays):
    """Compare with the reference, in every order of the threads and with one launch each."""
    before = len(launches)
    result = in_every_order(lambda: registry[name].cuda(*arrays, geometry))
    assert len(launches) == before + 3  # one for each order
    expected = registry[name].forward(*arrays, geometry)
    assert result.dtype == expected.dtype and result.shape == expected.shape
    np.testing.assert_array_equal(result, expected)
    return result


def error(name, geometry, arrays):
    """How far a result is from the exact one, and the sum of the magnitudes of its terms."""
    exact = [a.astype(np.float64) for a in arrays]
    reference = registry[name].forward
    result = registry[name].cuda(*arrays, geometry)
    off = np.abs(result - reference(*exact, geometry))
    return off, reference(*map(np.abs, exact), geometry)
