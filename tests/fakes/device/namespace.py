"""The make-believe modules: ``cupy`` and what minigrad needs of its submodules."""

import types

import numpy as np

from . import memory, methods, streams  # noqa: F401 (methods are put on the class)
from .arrays import ndarray
from .creation import CREATION, as_strided
from .functions import FUNCTIONS
from .kernels import RawModule
from .names import known, lacks, snapshot

_PLAIN = """bool_ int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 float32 float64 generic
floating integer complex64 complex128 dtype finfo iinfo newaxis pi e inf nan"""
MULTIPROCESSORS = 132, 108  # of an H200 and an A100: two devices, of which the first is current


class CUDARuntimeError(RuntimeError):
    """The double never raises it; code that catches it can name it."""


class Device:
    """One of the two devices; as a context manager it is the current one of this thread."""

    __hash__ = None

    def __init__(self, device=None):
        self.id = streams.getDevice() if device is None else int(device)
        if not 0 <= self.id < len(MULTIPROCESSORS):
            raise CUDARuntimeError("cudaErrorInvalidDevice: invalid device ordinal")
        self.compute_capability = ("90", "80")[self.id]
        self.attributes = {"MultiProcessorCount": MULTIPROCESSORS[self.id], "WarpSize": 32}
        self.mem_info = 1 << 36, 1 << 37
        self._before = []

    def __enter__(self):
        self._before.append(streams.getDevice())
        return self.use()

    def __exit__(self, *_):
        streams.setDevice(self._before.pop())

    def __eq__(self, other):
        return isinstance(other, Device) and self.id == other.id

    def use(self):
        streams.setDevice(self.id)
        return self

    def synchronize(self):
        streams.sync("device")


def getDeviceProperties(device):
    return {
        "name": b"device double",
        "major": (9, 8)[device],
        "minor": 0,
        "multiProcessorCount": MULTIPROCESSORS[device],
        "totalGlobalMem": 1 << 37,
    }


def _module(name, **members):
    module = types.ModuleType(name)
    vars(module).update(members)

    def missing(attribute):
        raise AttributeError(lacks(name, attribute))

    module.__getattr__ = missing
    return module


def _build():
    runtime = _module(
        "cupy.cuda.runtime",
        CUDARuntimeError=CUDARuntimeError,
        getDeviceCount=lambda: len(MULTIPROCESSORS),
        getDevice=streams.getDevice,
        getDeviceProperties=getDeviceProperties,
        deviceSynchronize=lambda: streams.sync("device"),
        runtimeGetVersion=lambda: 13000,
        driverGetVersion=lambda: 13000,
    )
    cuda = _module(
        "cupy.cuda",
        runtime=runtime,
        is_available=lambda: True,
        Device=Device,
        Stream=streams.Stream,
        Event=streams.Event,
        Graph=streams.Graph,
        get_current_stream=streams.get_current_stream,
        get_elapsed_time=streams.get_elapsed_time,
        MemoryPool=memory.MemoryPool,
        MemoryPointer=memory.MemoryPointer,
        alloc=memory.alloc,
        get_allocator=memory.get_allocator,
        set_allocator=memory.set_allocator,
        using_allocator=memory.using_allocator,
    )
    tricks = _module("cupy.lib.stride_tricks", as_strided=as_strided)
    lib = _module("cupy.lib", stride_tricks=tricks)
    plain = {name: getattr(np, name) for name in _PLAIN.split() if known("cupy", name)}
    cupy = _module(
        "cupy",
        **plain,
        **FUNCTIONS,
        **CREATION,
        __version__="14.2.0",
        ndarray=ndarray,
        RawModule=RawModule,
        cuda=cuda,
        lib=lib,
        is_available=lambda: True,
        get_array_module=lambda *xs: cupy if any(isinstance(x, ndarray) for x in xs) else np,
        get_default_memory_pool=lambda: memory.default_pool,
    )
    return {m.__name__: m for m in (cupy, cuda, runtime, lib, tricks)}


MODULES = _build()


def device_function(function):
    """The device's counterpart of a function of NumPy, or None."""
    module, name = function.__module__, function.__name__
    if module != "numpy" or name not in snapshot()["cupy"]:
        return None
    return FUNCTIONS.get(name, CREATION.get(name))
