"""The device double refuses what CuPy refuses, and counts what CuPy does in silence."""

import copy
import math
import pickle
import sys

import device
import numpy as np
import pytest
from device import ImplicitHostError, SyncError

import minigrad as mg
from minigrad import backend
from minigrad.cuda import launch


@pytest.fixture
def cupy():
    with device.installed() as module:
        yield module


@pytest.fixture
def x(cupy):
    """[[0, 1, 2], [3, 4, 5]] in float32 on the device."""
    return cupy.asarray(np.arange(6, dtype=np.float32).reshape(2, 3))


ONES = np.ones((2, 3), np.float32)
INDEX = np.array([1, 0])


# ---------------------------------------------------------------------- nothing in silence
IMPLICIT = {
    "np.asarray": lambda x: np.asarray(x),
    "np.array of a list": lambda x: np.array([x, x]),
    "a NumPy function that CuPy lacks": lambda x: np.geomspace(x, x),
    "a NumPy ufunc that CuPy lacks": lambda x: np.spacing(x),
    "testing": lambda x: np.testing.assert_array_equal(x, x),
    "memoryview": lambda x: memoryview(x),
    "host + device": lambda x: ONES + x,
    "device + host": lambda x: x + ONES,
    "device * 0-d host": lambda x: x * np.array(2.0),
    "host += device": lambda x: copy.copy(ONES).__iadd__(x),
    "device += host": lambda x: x.__iadd__(ONES),
    "host[...] = device": lambda x: copy.copy(ONES).__setitem__(..., x),
    "device[...] = host": lambda x: x.__setitem__(..., ONES),
    "device[...] = list": lambda x: x.__setitem__(0, [1.0, 2.0, 3.0]),
    "np.add(host, device)": lambda x: np.add(ONES, x),
    "np.add(out=host)": lambda x: np.add(x, 1, out=copy.copy(ONES)),
    "np.where(host, device)": lambda x: np.where(ONES > 0, x, 0),
    "np.concatenate": lambda x: np.concatenate([x, ONES]),
    "index: host array": lambda x: x[INDEX],
    "index: list": lambda x: x[[0, 1]],
    "index: host mask": lambda x: x[ONES > 0],
    "index: in a tuple": lambda x: x[:, [0, 1]],
    "set item: host index": lambda x: x.__setitem__(INDEX, 0.0),
    "ufunc of a list": lambda x: np.add(x, [1.0, 2.0, 3.0]),
}


@pytest.mark.parametrize("name", IMPLICIT)
def test_host_and_device_do_not_mix(x, name):
    with pytest.raises(TypeError):
        IMPLICIT[name](x)


def test_an_implicit_host_copy_inside_a_primitive_is_caught(cupy, x, monkeypatch):
    """The negative control: the library with a host copy in its forward does not pass."""
    forward = mg.registry["exp"].forward
    monkeypatch.setattr(mg.registry["exp"], "cuda", lambda x: forward(np.asarray(x)))
    with pytest.raises(TypeError, match="converted to NumPy in silence"):
        mg.exp(x)


def test_the_message_names_both_sides(x):
    with pytest.raises(ImplicitHostError, match=r"add: a \(2, 3\) float32 NumPy array beside"):
        x + ONES


def test_a_device_index_or_mask_is_welcome(cupy, x):
    np.testing.assert_array_equal(x[cupy.asarray(INDEX)].get(), [[3, 4, 5], [0, 1, 2]])
    np.testing.assert_array_equal(x[x > 3].get(), [4, 5])


def test_numpys_functions_dispatch_to_cupys(cupy, x):
    """As in CuPy: allowed, and counted like CuPy's own."""
    with device.region() as used:
        results = [np.exp(x), np.where(x > 1, 0, x), np.maximum(x, 0), np.isfinite(x).all()]
        results.append(np.logaddexp.reduce(x))
    assert all(isinstance(r, cupy.ndarray) for r in results)
    assert used["launches"] == 7
    assert used["launch:where"] == used["launch:greater"] == 1


# ---------------------------------------------------------------------- waiting
WAITING = {
    "float": lambda x: float(x.sum()),
    "int": lambda x: int(x.argmax()),
    "bool": lambda x: bool((x > 9).any()),
    "item": lambda x: x[0, 0].item(),
    "tolist": lambda x: x.tolist(),
    "get": lambda x: x.get(),
    "print": lambda x: f"{x}",
    "mask": lambda x: x[x > 3],
    "where": lambda x: np.where(x > 3),
    "nonzero": lambda x: np.nonzero(x),
    "unique": lambda x: np.unique(x),
}


@pytest.mark.parametrize("kind", WAITING)
def test_waiting_for_the_device_is_counted_and_can_be_forbidden(x, kind):
    with device.region(sync=True) as used:
        WAITING[kind](x)
    assert used["syncs"] == used[f"sync:{kind}"] == 1
    with pytest.raises(SyncError, match=kind), device.region():
        WAITING[kind](x)


def test_python_finds_other_ways_to_wait(x):
    for wait in (math.sqrt, lambda v: max(1.0, v), lambda v: v in (3.0, 4.0), repr, pickle.dumps):
        with device.region(sync=True) as used:
            wait(x.sum())
        assert used["syncs"]


def test_copies_and_allocations_can_be_forbidden(cupy, x):
    with device.region(sync=True) as used:
        cupy.asarray(ONES)
        x.get()
    assert (used["h2d"], used["d2h"], used["allocations"]) == (1, 1, 1)
    with pytest.raises(SyncError, match="h2d"), device.region(h2d=False):
        cupy.asarray(ONES)
    with pytest.raises(SyncError, match="allocations"), device.region(allocations=False):
        x + 1
    with device.region(allocations=False, h2d=False) as used:
        x += 1
        cupy.exp(x, out=x)
        x[0] = 0
        x.fill(2)
    assert used["launches"] == 4


def test_regions_nest(x):
    with device.region() as outer:
        x + 1
        with device.region() as inner:
            x + 1
    assert (outer["launches"], inner["launches"]) == (2, 1)


# ---------------------------------------------------------------------- values
def test_reductions_and_single_elements_are_0_d_arrays(cupy, x):
    total = same = x.sum()
    total += 1
    assert isinstance(total, cupy.ndarray) and same is total  # NumPy would rebind a number
    assert float(same) == 16
    element = x[0, 0]
    element += 5
    assert float(x[0, 0]) == 5  # a view
    assert isinstance(x.argmax(), cupy.ndarray) and isinstance(next(iter(x[0])), cupy.ndarray)


def test_numbers_are_weak_and_numpys_scalars_are_not(x):
    assert (x * 2.0).dtype == (2 * x).dtype == (x ** np.float32(2)).dtype == np.float32
    assert (x * np.float64(2)).dtype == np.float64


def test_unwritten_memory_is_nan(cupy):
    assert np.isnan(cupy.empty((2, 3), np.float32).get()).all()
    assert np.isnan(cupy.empty_like(cupy.zeros(3)).get()).all()


def test_an_element_meant_twice(cupy, x):
    twice = cupy.asarray(np.array([0, 0]))
    with pytest.raises(IndexError, match="more than once"):
        x[twice] = cupy.ones((2, 3), np.float32)
    x[twice] = 7.0  # the same value twice is defined
    cupy.add.at(x, twice, cupy.ones((2, 3), np.float32))
    np.testing.assert_array_equal(x.get(), [[9, 9, 9], [3, 4, 5]])
    with pytest.raises(IndexError):
        x[cupy.asarray(np.array([2]))]  # CuPy would wrap in silence


def test_views_share_memory_and_copies_do_not(cupy, x):
    with device.region() as used:
        views = [x.T, x[:, ::2], x.reshape(3, 2), x[None], x.ravel(), x.transpose(None), x.view()]
        views += [x.astype(np.float32, copy=False), cupy.broadcast_to(x, (4, 2, 3)), x.squeeze()]
        views += [cupy.lib.stride_tricks.as_strided(x, (2, 2), (4, 4))]
    assert not used
    assert all(v is x or v.base is x for v in views) and x.base is None
    assert x.T.T.base is x
    views[8].fill(1)  # CuPy does not protect what is repeated
    assert (x.get() == 1).all()
    with device.region() as used:
        copies = [
            x.T.reshape(6),
            x.copy(),
            x.astype(float),
            cupy.ascontiguousarray(x.T),
            x.flatten(),
        ]
    assert used["launches"] == used["allocations"] == 5
    assert all(c.base is None for c in copies)
    with pytest.raises(ValueError, match="leaves the memory"):
        cupy.lib.stride_tricks.as_strided(x, (2, 900), (0, 4))


def test_attributes_are_cupys(cupy, x):
    assert (x.shape, x.ndim, x.size, x.nbytes, x.itemsize) == ((2, 3), 2, 6, 24, 4)
    assert x.strides == (12, 4) and x.flags.c_contiguous and not x.T.flags.c_contiguous
    assert x.T.flags.f_contiguous and not hasattr(x.flags, "writeable")
    assert x[1].data.ptr == x.data.ptr + 12 and x.data.ptr % 512 == 0
    assert (x.T + 1).flags.c_contiguous  # a result is, whatever the operands are
    for missing in ("__index__", "__contains__", "resize", "setflags", "__array_interface__"):
        assert not hasattr(x, missing)
    with pytest.raises(AttributeError, match=r"CuPy 14.2 has no cupy.ndarray.resize"):
        x.resize(3)
    with pytest.raises(AttributeError, match="the device double does not know it"):
        _ = cupy.fft
    with pytest.raises(TypeError):
        hash(x)


def test_names_and_keywords_that_cupy_lacks(cupy, x):
    for name in ("block", "vecdot", "insert", "errstate", "nditer"):
        with pytest.raises(AttributeError, match=f"CuPy 14.2 has no cupy.{name}"):
            getattr(cupy, name)
    for wrong in (
        lambda: cupy.sum(x, initial=0.0),
        lambda: x.sum(where=x > 1),
        lambda: cupy.exp(x, where=x > 1),
        lambda: cupy.clip(x, min=0, max=1),
        lambda: cupy.take(x, x > 1, mode="clip"),
        lambda: cupy.zeros(3, like=x),
    ):
        with pytest.raises(TypeError):
            wrong()


def test_copies_and_pickles(x):
    for other in (copy.copy(x), copy.deepcopy(x), pickle.loads(pickle.dumps(x))):
        assert other.data.ptr != x.data.ptr
        np.testing.assert_array_equal(other.get(), x.get())


# ---------------------------------------------------------------------- in its place
def test_the_library_takes_it_for_cupy(cupy, x):
    assert backend.is_array(x) and backend.device_of(x) == "cuda"
    assert backend.array_module(x) is cupy
    t = mg.tensor(ONES, requires_grad=True).to("cuda")
    assert all(isinstance(y, mg.Tensor) for y in (x * t, t * x, x - t, x / (t + 1), x @ t.T))
    (2 * t).sum().backward()
    assert t.device == t.grad.device == "cuda"
    np.testing.assert_array_equal(t.grad.numpy(), 2 * ONES)
    with pytest.raises(TypeError, match="to one device"):
        mg.add(t, ONES)
    with pytest.raises(TypeError, match="on the GPU"):
        np.asarray(t.detach())


def test_it_leaves_nothing_behind(monkeypatch):
    of_the_cpu = {None: np.zeros(1 << 14, np.int32)}
    monkeypatch.setattr(launch.launcher, "_tickets", of_the_cpu)
    before = dict(vars(launch.launcher))
    with device.installed() as cupy:
        tickets = launch.launcher.tickets(cupy.zeros(3), 4)
        assert isinstance(tickets, cupy.ndarray)
        with pytest.raises(RuntimeError, match="a cupy already"), device.installed():
            pass
    assert not [name for name in sys.modules if name.split(".")[0] == "cupy"]
    assert vars(launch.launcher) == before
    with device.installed():
        assert not device.counts
        assert launch.launcher.tickets(cupy.zeros(3), 4) is not tickets
