"""From the text of a ``.cu`` file to a shared library, made by g++ once for each text."""

import ctypes
import functools
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
HEADERS = ("cusim.h", "fibers.h", "checks.h", "numbers.h", "launch.h")
FLAGS = ["-std=gnu++17", "-fPIC", "-shared", "-fvisibility=hidden", "-fno-math-errno"]
FLAGS += ["-O1"]  # compiles in two thirds of the time of -O2, and the kernels run as fast
FLAGS += ["-ffp-contract=off"]  # only fmaf is a fused multiply-add
FLAGS += ["-fno-exceptions"]  # which want libstdc++; CUDA has none
FLAGS += ["-fno-strict-aliasing"]  # a float array is read as float4
FLAGS += [f"-Werror={what}" for what in ("return-type", "uninitialized", "overflow", "div-by-zero")]
FLAGS += ["-fsanitize=alignment,bounds,shift,signed-integer-overflow,integer-divide-by-zero"]
FLAGS += ["-fno-sanitize-recover=all"]
ADDRESSES = ["-fsanitize=address", "-fsanitize-recover=address", "-fsanitize-sections=cusim_*"]
ADDRESSES += ["-g1", "-fno-omit-frame-pointer"]
# Not the sanitizers' libraries: checks.h answers in their place, and the one for addresses has to
# be in the process before Python is (LD_PRELOAD).
LIBRARIES = ["-nodefaultlibs", "-lm", "-lc"]
KERNEL = re.compile(
    r'extern\s+"C"\s+__global__\s+void\s+'
    r"(?:__launch_bounds__\s*\((?:[^()]|\([^()]*\))*\)\s*)?(\w+)\s*\("
)
_LINE = re.compile(r'#line (\d+) "([^"]+)"')
_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_WAITS = re.compile(r"__sync|__shfl|__shared__|cusim_mma")


class SimulatorError(RuntimeError):
    """A kernel that does not compile, is called wrongly or does what a GPU leaves undefined."""


class NoCompiler(SimulatorError):
    """There is no g++: tests that meet this are skipped with its sentence."""


def without_comments(code):
    """`code` with its comments blanked; lines stay where they are."""
    return _COMMENT.sub(lambda m: re.sub(r"[^\n]", " ", m[0]), code)


def kernel_names(code):
    """The names of the kernels in `code`, in order."""
    return KERNEL.findall(without_comments(code))


def place(code, line):
    """The file and the line that a line of `code` is from, as ``#line`` directives say."""
    lines = code.splitlines()[: line - 1]
    for after, directive in enumerate(reversed(lines)):
        if match := _LINE.match(directive):
            return match[2], int(match[1]) + after
    return "kernel.cu", line


def build(code, options, sanitize):
    """The library of the kernels of `code`, loaded."""
    code = without_comments(code)
    names = KERNEL.findall(code)
    if len(names) != len(re.findall(r"\b__global__\b", code)) or not names:
        raise SimulatorError(
            'each kernel must be written out as extern "C" __global__ void name(...), with '
            f"__launch_bounds__(...) before the name if at all: found {names}"
        )
    if re.search(r"extern\s+__shared__", code):
        raise SimulatorError(f"{names[0]}: shared memory must have a size")
    if sanitize and not hasattr(ctypes.CDLL(None), "__asan_init"):
        raise SimulatorError(
            f"{names[0]}: sanitize=True needs AddressSanitizer in the process before Python is: "
            "LD_PRELOAD=$(g++ -print-file-name=libasan.so)"
        )
    defines = [option for option in options if option.startswith("-D")]
    flags = [*FLAGS, *_processor_flags(), *(ADDRESSES if sanitize else ()), *defines]
    # Without #line: to the simulator each barrier is a line of the whole text, see `place`.
    source = _translate(_LINE.sub("", code), names)
    headers = "".join((HERE / name).read_text(encoding="utf-8") for name in HEADERS)
    key = hashlib.sha256("\0".join([source, headers, *flags]).encode()).hexdigest()[:24]
    library = Path(tempfile.gettempdir()) / f"minigrad-simulator-{os.getuid()}" / f"{key}.so"
    if not library.exists():
        _compile(source, flags, library, names[0], code)
    loaded = ctypes.PyDLL(str(library))  # PyDLL: one thread at a time, the fibers are global
    loaded.sanitize, loaded.code = sanitize, code
    return loaded


def line_of(library, address):
    """The line of the kernel's text that the instruction before `address` (hexadecimal) is of."""
    tool = shutil.which("addr2line")
    if tool is None:
        return "?"
    run = subprocess.run(
        [tool, "-i", "-e", library._name, hex(int(address, 16) - 1)],
        capture_output=True,
        text=True,
        env=_environment(),
    )
    found = re.search(r"kernel\.cu:(\d+)", run.stdout)
    return found[1] if found else "?"


def _compile(source, flags, library, name, code):
    compiler = shutil.which("g++")
    if compiler is None:
        raise NoCompiler("the simulator of CUDA kernels needs g++, which is not installed")
    if sys.platform != "linux":
        raise NoCompiler(
            f"the simulator of CUDA kernels needs Linux's linker, not {sys.platform}'s"
        )
    library.parent.mkdir(mode=0o700, exist_ok=True)
    # Other processes may be making the same library: each writes its own, the last one stays.
    with tempfile.TemporaryDirectory(dir=library.parent) as folder:
        out = Path(folder) / "kernel.so"
        run = subprocess.run(
            [compiler, *flags, "-I", str(HERE), "-x", "c++", "-", "-o", str(out), *LIBRARIES],
            input=source,
            capture_output=True,
            text=True,
            env=_environment(),
        )
        if run.returncode:
            where = re.compile(r"kernel\.cu:(\d+)")
            log = where.sub(lambda m: "{}:{}".format(*place(code, int(m[1]))), run.stderr)
            raise SimulatorError(f"{name}: g++ does not take the source:\n{log}")
        os.replace(out, library)


def _environment():
    """This process's, without the sanitizer: the compiler is not what is to be checked."""
    return {k: v for k, v in os.environ.items() if k != "LD_PRELOAD"}


def _translate(code, names):
    """`code` for g++: before each kernel the section of its shared memory, after all the exports.

    A mark beside each kernel tells whether the preprocessor has left it in.
    """
    parts, at = ['#include "cusim.h"\n#line 1 "kernel.cu"\n'], 0
    for match in KERNEL.finditer(code):
        line = code.count("\n", 0, match.start()) + 1
        parts += [
            code[at : match.start()],
            f"\n#undef __shared__\n#define CUSIM_HAS_{match[1]}\n"
            f'#define __shared__ static __attribute__((section("cusim_{match[1]}")))\n'
            f'#line {line} "kernel.cu"\n',
        ]
        at = match.start()
    waits = "true" if _WAITS.search(code) else "false"
    exports = (f"\n#ifdef CUSIM_HAS_{n}\nCUSIM_EXPORT({n}, {waits})\n#endif" for n in names)
    return "".join([*parts, code[at:], *exports, "\n"])


@functools.cache
def _processor_flags():
    """With the instruction for it, fmaf is not a call; part of the library's key."""
    if platform.machine() != "x86_64":
        return []
    try:
        words = set(Path("/proc/cpuinfo").read_text().split())
    except OSError:
        return []
    return ["-mavx2", "-mfma"] if {"avx2", "fma"} <= words else []
