"""Arrays of NumPy and CuPy do not mix, and a missing or broken GPU is explained."""

import sys
import types

import device
import numpy as np
import pytest
from graphs import vector

import minigrad as mg
from minigrad.shapes import _check_index


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
    properties = {"name": b"make-believe", "major": 7, "minor": 5}
    runtime = types.SimpleNamespace(
        getDevice=lambda: 0,
        getDeviceProperties=lambda device: properties,
        driverGetVersion=lambda: 13000,
        runtimeGetVersion=lambda: 13000,
    )
    stream = types.SimpleNamespace(is_capturing=lambda: False)
    fake.cuda = types.SimpleNamespace(runtime=runtime, get_current_stream=lambda: stream)

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
        ("is_available", lambda: False, "the NVIDIA driver finds no GPU .look at nvidia-smi"),
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


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        (dict(driverGetVersion=lambda: 0), "there is no NVIDIA driver"),
        (
            dict(driverGetVersion=lambda: 12040),
            r"the NVIDIA driver knows CUDA up to 12.4, .* for CUDA 13; .* install cupy-cuda12x",
        ),
        (
            dict(getDeviceProperties=lambda k: {"name": b"V100", "major": 7, "minor": 0}),
            r"the V100 has compute capability 7.0, and 7.5 is needed, that of the Turing",
        ),
    ],
)
def test_a_driver_or_a_gpu_of_the_wrong_age(cupy, changed, why):
    vars(cupy.cuda.runtime).update(changed)
    with pytest.raises(RuntimeError, match=rf"cannot be used: {why}.*Use device=.cpu"):
        vector(1).to("cuda")


def test_the_gpu_in_use_is_named_not_the_first(cupy):
    cupy.cuda.runtime.getDevice = lambda: 1
    cupy.cuda.runtime.getDeviceProperties = lambda k: {
        "name": ("first", "second")[k].encode(), "major": 9, "minor": 0
    }  # fmt: skip
    assert mg.cuda.status() == (True, "the GPU is a second")


def test_a_forked_child_is_told_so(cupy, monkeypatch):
    vector(1).to("cuda")
    monkeypatch.setattr("os.getpid", lambda: -1)
    with pytest.raises(RuntimeError, match=r"forked from one that used the GPU.*'spawn'"):
        vector(1).to("cuda")


@pytest.mark.parametrize("seed", range(200))
def test_indices_are_looked_at_as_numpy_does(seed):
    """CuPy wraps numbers beyond an axis around, so `_check_index` has to refuse them."""
    rng = np.random.default_rng(seed)
    shape = (3, 4, 2)

    def numbers(n):
        reach = n + int(rng.integers(2))  # half of them may go too far
        return rng.integers(-reach, reach, size=rng.choice([1, 3]))

    kinds = [
        lambda n: slice(None),
        lambda n: int(rng.integers(-n, n)),
        numbers,
        lambda n: numbers(n).tolist(),
    ]
    index = [kinds[rng.integers(4)](n) for n in shape[: rng.integers(1, 4)]]
    if rng.integers(3) == 0:
        index[0] = rng.random(3) < 0.5
        index[0][0] = True
    if rng.integers(2):
        index.insert(rng.integers(len(index) + 1), None)
    if rng.integers(2):
        index = [..., *(kinds[rng.integers(4)](n) for n in shape[1:])]
    index = tuple(index) if len(index) > 1 or rng.integers(2) else index[0]
    try:
        np.zeros(shape)[index]
    except IndexError as error:
        if "out of bounds" not in str(error):
            return  # arrays that do not go together
        with pytest.raises(IndexError, match=r"index -?\d+ is out of bounds for axis \d"):
            _check_index(shape, index)
    else:
        _check_index(shape, index)


def test_an_index_that_goes_too_far_on_the_gpu(cupy):
    x = vector(1, 2, 3).to("cuda")
    for index in ([0, 3], cupy.asarray(np.array([-4]))):
        with pytest.raises(IndexError, match=r"getitem.*out of bounds for axis 0 with size 3"):
            x[index]


# ---------------------------------------------------------------------- arrays in the user's hands
def test_a_leaf_changed_on_the_gpu_is_noticed(cupy):
    """CuPy's arrays have no flag that forbids writing: what was handed out is looked at again."""
    w = vector(1, 2).to("cuda")
    w.data[...] = 3  # before it is used: nothing is wrong
    y = w * w
    y.backward(cupy.ones(2))
    assert w.grad.tolist() == [6, 6]
    y = w * w
    w.data[0] = 7
    with pytest.raises(RuntimeError, match=r"backward of multiply.*was changed after multiply"):
        y.backward(cupy.ones(2))


def test_results_on_the_gpu_are_given_out_as_copies(cupy):
    w = vector(1, 2).to("cuda")
    y = w * w
    z = y * y
    y.data[...] = 100
    z.backward(cupy.ones(2))
    assert w.grad.tolist() == [4, 32]
    y = (w * w).detach()
    assert y.data is y.data  # no gradient goes through it


def test_views_made_without_a_graph_do_not_write_to_a_leaf():
    with device.installed() as cupy:
        v = mg.tensor(cupy.asarray(np.zeros((2, 3))), requires_grad=True)
        y = (v * v).sum()
        with mg.no_grad():
            for view in (v.reshape(-1), v.T, v[0]):
                view.data[...] = 100
        y.backward()
        assert v.grad.numpy().tolist() == [[0, 0, 0], [0, 0, 0]]
