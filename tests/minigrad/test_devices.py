"""Arrays of NumPy and CuPy do not mix, and a missing or broken GPU is explained."""

import sys
import types

import numpy as np
import pytest
from graphs import vector

import minigrad as mg


@pytest.fixture
def cupy(monkeypatch):
    """A module that looks like CuPy from where the engine stands; its arrays are NumPy's."""

    class ndarray(np.ndarray):
        def get(self):
            return np.array(self)

    def device(x):
        return np.asarray(x).view(ndarray) if isinstance(x, np.ndarray) else x

    def on_device(name):
        def function(*args, **options):
            return device(getattr(np, name)(*args, **options))

        return function

    fake = types.ModuleType("cupy")
    fake.ndarray = ndarray
    fake.asarray = lambda x, **options: device(np.array(x, **options))
    fake.is_available = lambda: True
    fake.cuda = types.SimpleNamespace(
        runtime=types.SimpleNamespace(getDeviceProperties=lambda k: {"name": b"make-believe"})
    )

    def compiled(code, options=()):
        def probe(grid, block, args):
            args[0][...] = 42

        return types.SimpleNamespace(get_function=lambda name: probe)

    fake.RawModule = compiled
    fake.__getattr__ = on_device
    monkeypatch.setitem(sys.modules, "cupy", fake)
    return fake


def test_numpy_and_cupy_do_not_mix(cupy):
    x = vector(1, 2)
    c = mg.tensor([1.0, 2.0]).to("cuda")
    assert (x.device, c.device) == ("cpu", "cuda")
    for pair in ((x, c), (c, x), (c, np.ones(2)), (x, c._data)):
        with pytest.raises(TypeError, match="multiply") as caught:
            mg.multiply(*pair)
        assert 'x.to("cuda")' in str(caught.value) and 'x.to("cpu")' in str(caught.value)
    assert "device=cuda" in repr(c)


def test_to_and_from_the_device(cupy):
    x = vector(1, 2)
    c = x.to("cuda")
    assert c.requires_grad and c.is_leaf and isinstance(c._data, cupy.ndarray)
    assert x.to("cpu") is x and c.to("cuda") is c
    assert type(c.numpy()) is np.ndarray and not np.shares_memory(c.numpy(), c._data)
    y = c * c
    y.backward(cupy.ones(2))
    assert isinstance(y._data, cupy.ndarray) and isinstance(c.grad._data, cupy.ndarray)
    with pytest.raises(TypeError, match=r"x.numpy\(\)"):
        np.asarray(c.detach())
    with pytest.raises(ValueError, match=r'unknown device .tpu.: use "cpu" or "cuda"'):
        x.to("tpu")


def test_kernels_are_chosen_by_device(cupy, monkeypatch):
    p = mg.registry["exp"]
    monkeypatch.setattr(p, "cuda", lambda x: x + 100)
    assert mg.exp(mg.tensor(0.0).to("cuda")).item() == 100
    assert mg.exp(mg.tensor(0.0)).item() == 1


def test_without_cupy(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(RuntimeError, match=r"CuPy is not installed.*Use device=.cpu"):
        vector(1).to("cuda")


def _raise(error):
    raise error


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("is_available", lambda: False, "CuPy finds no CUDA driver or no GPU"),
        (
            "RawModule",
            lambda code: _raise(OSError("libnvrtc.so.13: not found\nmore")),
            r"does not work here \(OSError: libnvrtc.so.13: not found\)",
        ),
        (
            "is_available",
            lambda: _raise(ImportError("\n=====\nFailed to import CuPy.\n\nmore")),
            r"does not work here \(ImportError: Failed to import CuPy.\)",
        ),
        ("zeros", lambda *a: np.zeros(1), "wrong answer"),
    ],
)
def test_without_a_gpu(cupy, name, value, why):
    setattr(cupy, name, value)
    if name == "zeros":
        kernel = types.SimpleNamespace(get_function=lambda name: lambda *a: None)
        cupy.RawModule = lambda code: kernel
    assert mg.cuda.status()[0] is False
    with pytest.raises(RuntimeError, match=rf"cannot be used: .*{why}.*Use device=.cpu"):
        vector(1).to("cuda")


def test_with_a_gpu(cupy):
    assert mg.cuda.status() == (True, "the GPU is a make-believe")
