"""Every primitive, with its derivatives, gives the same on the device double as on the CPU.

In float32 the kernels run (in the simulator), in float64 the reference forwards.
"""

import types

import device
import numpy as np
import pytest
import specs

import minigrad as mg


@pytest.fixture(scope="module", autouse=True)
def cupy():
    with device.installed() as module:
        yield module


def moved(value):
    """`value` with every NumPy array in it on the device, and lists of integers as arrays there."""
    if isinstance(value, np.ndarray):
        return mg.tensor(value).to("cuda").data
    if isinstance(value, list) and all(isinstance(v, int) for v in value):
        return moved(np.array(value))
    if type(value) is tuple:
        return tuple(map(moved, value))
    return value


def on_device(function):
    """`function` with the constants it has taken along (defaults, closure) on the device."""
    if not isinstance(function, types.FunctionType):
        return function
    closure = tuple(types.CellType(moved(c.cell_contents)) for c in function.__closure__ or ())
    copy = types.FunctionType(
        function.__code__, function.__globals__, function.__name__, None, closure
    )
    copy.__defaults__ = moved(function.__defaults__)
    copy.__kwdefaults__ = function.__kwdefaults__
    return copy


def run(function, inputs, place, dtype):
    """The output and the gradients, as NumPy arrays."""
    xs = [mg.tensor(x, requires_grad=True, dtype=dtype).to(place) for x in inputs]
    y = function(*xs)
    assert y.device == place
    g = np.linspace(-1, 2, y.size).reshape(y.shape).astype(dtype)
    y.backward(mg.tensor(g).to(place))
    assert all(x.grad.device == place for x in xs)
    return [y.numpy(), *(x.grad.numpy() for x in xs)]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", sorted(mg.registry))
def test_every_primitive(name, dtype):
    before = device.counts["kernels"]
    for case in specs.cases(name):
        print(f"{name}: {case.label}")
        expected = run(case.function, case.inputs, "cpu", dtype)
        got = run(on_device(case.function), case.inputs, "cuda", dtype)
        tolerance = 1e-12 if dtype == np.float64 else 3e-6
        for mine, theirs in zip(got, expected, strict=True):
            assert (mine.shape, mine.dtype) == (theirs.shape, theirs.dtype)
            scale = max(1.0, float(np.abs(theirs).max(initial=0)))
            np.testing.assert_allclose(mine, theirs, rtol=0, atol=tolerance * scale)
    overridden = mg.registry[name].cuda is not mg.registry[name].forward
    if dtype == np.float32 and overridden:
        assert device.counts["kernels"] > before
