"""Compiling the CUDA sources, each once, and launching their kernels: the only place that does.

A kernel's arguments are checked here, because on the GPU nobody does: CuPy passes a Python int as
eight bytes and a Python float as a double whatever the kernel expects, and an array by the address
of its first element, whatever its strides.
"""

import functools
import logging
import re
import sys
import threading
from pathlib import Path

import numpy as np

from ..backend import array_module, is_array
from .capture import holder, recording

SOURCES = Path(__file__).with_name("kernels")
FLOAT32 = np.dtype(np.float32)  # compared with this a dtype costs a tenth of a comparison by name
LIMIT = 2**31  # elements: kernels count them with an int
ACTIVATIONS = {None: 0, "relu": 1, "sigmoid": 2, "tanh": 3}  # as the kernels number them
# of an H200: what launch shapes are made for where there is no GPU
MULTIPROCESSORS, COMPUTE_CAPABILITY = 132, "90"
_NULL = np.uint64(0)
logger = logging.getLogger(__name__)
_INCLUDE = re.compile(r'^#include "(\w+\.cuh)"$')


def source(name, folder=None):
    """The text of ``kernels/<name>.cu`` (or of another `folder`) as the compiler gets it: one text,
    with each line ``#include "x.cuh"`` replaced by that file's.

    ``#line`` directives tell compilers which file and line a line is from.
    """
    folder = folder or SOURCES
    lines = [f'#line 1 "{name}.cu"']
    for number, line in enumerate(_text(folder / f"{name}.cu").splitlines(), 1):
        if match := _INCLUDE.match(line):
            lines += [f'#line 1 "{match[1]}"', *_text(folder / match[1]).splitlines()]
            lines += [f'#line {number + 1} "{name}.cu"']
        else:
            lines.append(line)
    return "\n".join([*lines, ""])


def _text(path):
    return path.read_text(encoding="utf-8")


def _compile(code, options):
    return sys.modules["cupy"].RawModule(code=code, options=options)


class Launcher:
    """What is compiled, and by what: tests put a simulator in the place of CuPy's compiler."""

    def __init__(self, compile=_compile):
        self.compile = compile
        self.module = functools.lru_cache(None)(self._module)
        self.kernel = functools.lru_cache(None)(self._kernel)
        self._tickets, self._outgrown = {}, []  # by stream

    def _module(self, name, options):
        logger.info("compiling kernels/%s.cu %s", name, " ".join(options))  # which takes seconds
        return self.compile(source(name), ("--std=c++17", *options))

    def _kernel(self, source, name, options):
        """The kernel `name`, kept: CuPy would look it up in the driver at every `get_function`,
        which takes as long as the launch."""
        return self.module(source, options).get_function(name)

    def tickets(self, like, count):
        """`count` integers that are 0 before and after each kernel that counts its blocks with
        them; `like` is an array on the device where they are wanted. Kernels that share them have
        to run one after the other, so each stream has its own, and each captured step, too."""
        held = holder()
        kept = self._tickets if held is None else held
        place = _stream(like)
        found = kept.get(place)
        if found is None or found.size < count:
            if recording():  # the zeros would be written at the first replay
                raise RuntimeError(f"{count} tickets were not there before the step was recorded")
            if found is not None:
                self._outgrown.append(found)  # graphs may still use them
            found = kept[place] = array_module(like).zeros(max(count, 1 << 14), np.int32)
        return found


def _stream(like):
    """The device and the stream on which a kernel that works on the array `like` would run.

    CuPy's per-thread default stream, 2, is another one in each thread.
    """
    if array_module(like) is np:
        return None
    stream = sys.modules["cupy"].cuda.get_current_stream().ptr
    return like.device.id, stream, threading.get_ident() if stream == 2 else None


launcher = Launcher()


def launch(source, name, grid, block, *args, options=()):
    """Run the kernel `name` of ``kernels/<source>.cu``, compiled with `options` (``-DNAME=value``).

    `grid` and `block` are tuples of up to three integers. An int is passed as the kernel's int, a
    float as its float, None as a null pointer, a NumPy array with named fields as a struct; arrays
    must be C-contiguous.
    """
    kernel = launcher.kernel(source, name, tuple(options))
    if _gpus() > 1:
        _check_gpu(name, args)
    kernel(grid, block, tuple(_argument(name, a) for a in args))


def _check_gpu(name, args):
    """Complain of an array on another GPU than the current one: CUDA would only say that an address
    is illegal, and do nothing more in this process."""
    cupy = sys.modules["cupy"]
    current = cupy.cuda.runtime.getDevice()
    for a in args:
        if isinstance(a, cupy.ndarray) and a.device.id != current:
            raise RuntimeError(
                f"{name}: an array is on GPU {a.device.id}, and the current one is {current}: "
                f"work with it inside `with cupy.cuda.Device({a.device.id}):`"
            )


def _argument(name, a):
    if isinstance(a, bool | int | np.integer):
        if not -(2**31) <= a < 2**31:
            raise ValueError(f"{name}: {a} is too large for a kernel's int: use smaller arrays")
        return np.int32(a)
    if isinstance(a, float | np.floating):
        return np.float32(a)
    if a is None:
        return _NULL
    if is_array(a) and a.dtype.names is None and not a.flags.c_contiguous:
        raise ValueError(f"{name}: a kernel's arrays must be C-contiguous, got strides {a.strides}")
    return a


def blocks(size, per_block):
    """How many blocks of `per_block` cover `size`."""
    return -(-size // per_block)


def multiprocessors():
    """How many multiprocessors the current GPU has."""
    cupy = sys.modules.get("cupy")
    return _multiprocessors(cupy.cuda.runtime.getDevice()) if cupy else MULTIPROCESSORS


@functools.cache
def _multiprocessors(gpu):
    return sys.modules["cupy"].cuda.Device(gpu).attributes["MultiProcessorCount"]


@functools.cache
def _gpus():
    cupy = sys.modules.get("cupy")
    return cupy.cuda.runtime.getDeviceCount() if cupy else 0


def compute_capability():
    """The generation of the GPU in use, as "90" for 9.0."""
    cupy = sys.modules.get("cupy")
    return _capability(cupy.cuda.runtime.getDevice()) if cupy else COMPUTE_CAPABILITY


@functools.cache
def _capability(gpu):
    return sys.modules["cupy"].cuda.Device(gpu).compute_capability


# ---------------------------------------------------------------------- what a kernel may be given
def fits(x):
    """True for a contiguous float32 array of 1 to 2**31 - 1 elements: what kernels work on."""
    return is_array(x) and x.dtype == FLOAT32 and 0 < x.size < LIMIT and x.flags.c_contiguous


def address(x):
    """Where the first element of the array `x` lies in the memory of its device."""
    return x.ctypes.data if array_module(x) is np else x.data.ptr


def aligned(*arrays):
    """True if every array begins at a multiple of 16 bytes, as loads of a float4 need it."""
    return not any(address(x) % 16 for x in arrays)


def contiguous(x):
    """`x`, or a copy where it is not contiguous; None stays None."""
    return x if x is None or x.flags.c_contiguous else array_module(x).ascontiguousarray(x)
