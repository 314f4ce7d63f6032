"""CuPy's RawModule over NumPy arrays: the checks of arguments, then the launch."""

import ctypes
import functools
import re

import numpy as np

from .build import SimulatorError, build, kernel_names, line_of, place

LAUNCHES_KEPT = 10_000
launches = []  # of (kernel, grid, block), since simulated() was last entered
SCALARS = {
    "bool": "?",
    "int": "i4",
    "unsigned": "u4",
    "long": "i8",
    "unsigned long": "u8",
    "long long": "i8",
    "unsigned long long": "u8",
    "float": "f4",
    "double": "f8",
    "char": "i1",
    "signed char": "i1",
    "unsigned char": "u1",
    "short": "i2",
    "unsigned short": "u2",
}
VECTORS = {"float2": 2, "float3": 3, "float4": 4, "int2": 2, "int4": 4, "uint2": 2, "uint4": 4}
VECTORS["double2"] = 2
ORDERS = ("forward", "reverse", "random")
STATIC_SHARED = 48 << 10  # bytes a kernel may declare


class Schedule:
    """In which order threads and blocks run; `simulated` and `in_every_order` set it."""

    def __init__(self):
        self.order, self.seed, self.sanitize = "forward", 0, False


schedule = Schedule()


class Module:
    """The kernels of a source, compiled by g++ with those of `options` that are ``-D...``."""

    def __init__(self, code, options=(), sanitize=False):
        self.names = kernel_names(code)
        self._library = _library(code, tuple(options), sanitize or schedule.sanitize)

    def get_function(self, name):
        """The kernel `name`."""
        if not hasattr(self._library, f"cusim_launch_{name}"):
            raise SimulatorError(f"there is no kernel {name!r} here, only {self.names}")
        return Kernel(self._library, name)


_library = functools.lru_cache(None)(build)


class Kernel:
    """A kernel; its arguments are what `cupy.RawKernel` takes, and must be what it declares."""

    def __init__(self, library, name):
        self.name, self._library = name, library
        self._launch = getattr(library, f"cusim_launch_{name}")
        self._message = _text(library, f"cusim_message_{name}")
        signature = _text(library, f"cusim_signature_{name}")().decode()
        self.types = [part.split(":") for part in signature.split(";")[:-1]]
        self.shared = getattr(library, f"cusim_shared_{name}")()
        if self.shared > STATIC_SHARED and not library.sanitize:  # red zones are not the kernel's
            raise SimulatorError(
                f"{name}: {self.shared} bytes of shared memory, a kernel may declare "
                f"{STATIC_SHARED}"
            )

    def __call__(self, grid, block, args):
        if len(args) != len(self.types):
            raise SimulatorError(f"{self.name}: takes {len(self.types)} arguments, got {len(args)}")
        grid, block = self._shape("grid", grid), self._shape("block", block)
        cells = [
            self._cell(i, a, *kind)
            for i, (a, kind) in enumerate(zip(args, self.types, strict=True))
        ]
        addresses = (ctypes.c_void_p * len(cells))(*(ctypes.addressof(cell) for cell in cells))
        if len(launches) < LAUNCHES_KEPT:
            launches.append((self.name, grid, block))
        if self._launch(
            (ctypes.c_uint * 3)(*grid),
            (ctypes.c_uint * 3)(*block),
            addresses,
            ORDERS.index(schedule.order),
            ctypes.c_uint64(schedule.seed),
        ):
            message = self._message().decode(errors="replace")
            where = re.compile(r"<(0x[0-9a-f]+)>")
            message = where.sub(lambda m: f"line {line_of(self._library, m[1])}", message)
            message = re.sub(r"line (\d+)", lambda m: self._line(int(m[1])), message)
            raise SimulatorError(f"{self.name}: {message}")

    def _line(self, line):
        file, line = place(self._library.code, line)
        return f"line {line}" if file == "kernel.cu" else f"line {line} of {file}"

    def _shape(self, what, shape):
        if not isinstance(shape, tuple) or not 1 <= len(shape) <= 3:
            raise SimulatorError(f"{self.name}: {what} {shape!r} must be a tuple of 1 to 3 ints")
        full = (*map(int, shape), 1, 1)[:3]
        most = (2**31 - 1, 65535, 65535) if what == "grid" else (1024, 1024, 64)
        if any(not 1 <= n <= m for n, m in zip(full, most, strict=True)):
            raise SimulatorError(f"{self.name}: {what} {shape} must lie in 1 to {most}")
        if what == "block" and full[0] * full[1] * full[2] > 1024:
            raise SimulatorError(f"{self.name}: block {shape} has more than 1024 threads")
        return full

    def _cell(self, i, a, kind, size):
        """A C object that holds argument `i`; `kind` and `size` are what the kernel declares."""
        if kind.endswith("*"):
            return self._pointer(i, a, kind)
        if isinstance(a, np.ndarray) and a.dtype.names is not None and a.size == 1:
            if kind != "struct" or a.dtype.itemsize != int(size):
                self._refuse(i, f"a struct of {a.dtype.itemsize} bytes", f"{kind} of {size} bytes")
            return (ctypes.c_char * a.nbytes).from_buffer_copy(a.tobytes())
        if not isinstance(a, np.generic):
            self._refuse(i, f"a {type(a).__name__}", kind)
        if kind == "unsigned" and isinstance(a, np.int32) and a >= 0:
            a = np.uint32(a)  # the launcher passes every integer as an int: the same four bytes
        if kind not in SCALARS or a.dtype != SCALARS[kind]:
            self._refuse(i, f"a {a.dtype}", kind)
        return (ctypes.c_char * a.nbytes).from_buffer_copy(a.tobytes())

    def _pointer(self, i, a, kind):
        if isinstance(a, np.uint64) and a == 0:
            return ctypes.c_void_p(0)
        base = kind.removesuffix("*").removeprefix("const ")
        if not isinstance(a, np.ndarray):
            self._refuse(i, f"a {type(a).__name__}", kind)
        element = base.rstrip("234") if base in VECTORS else base
        expected = SCALARS.get({"uint": "unsigned"}.get(element, element))
        if expected is None and base != "void":
            raise SimulatorError(f"{self.name}: argument {i}: the simulator knows no {kind}")
        if expected is not None and a.dtype != expected:
            self._refuse(i, f"an array of {a.dtype}", kind)
        if not a.flags.c_contiguous:  # CuPy passes the address of the first element, no strides
            self._refuse(i, f"an array with strides {a.strides}", f"{kind} to contiguous elements")
        if not a.flags.writeable and not kind.startswith("const "):
            self._refuse(i, "a read-only array", f"{kind} it may write to")
        vector = VECTORS.get(base, 1)
        if vector in (2, 4) and a.ctypes.data % min(16, vector * a.dtype.itemsize):
            self._refuse(i, "an array at a misaligned address", kind)
        return ctypes.c_void_p(a.ctypes.data)

    def _refuse(self, i, got, wanted):
        raise SimulatorError(f"{self.name}: argument {i} is {got}, the kernel takes {wanted}")


def _text(library, name):
    function = getattr(library, name)
    function.restype, function.argtypes = ctypes.c_char_p, ()
    return function
