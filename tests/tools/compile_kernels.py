"""Compiles every CUDA kernel for several GPUs, without a GPU: errors and spills are found here.

    python tests/tools/compile_kernels.py [--arch 75 80 90] [FILE.cu ...]

The compiler is NVRTC, from the wheel ``nvidia-cuda-nvrtc`` (no driver is needed), or else nvcc.
Each source of ``minigrad/cuda/kernels`` is compiled with every set of options that the table
``VARIANTS`` of a module in ``minigrad/cuda`` lists for it. With the wheel ``nvidia-cuda-nvdisasm``
the table has the instructions of each kernel, of a turn of its main loop and the products in it.
"""

import argparse
import base64
import ctypes
import functools
import hashlib
import importlib
import importlib.util
import json
import os
import pkgutil
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import machine_code

ARCHITECTURES = (75, 80, 90)  # Turing, Ampere, Hopper
NEEDED = "compiling CUDA kernels needs `pip install nvidia-cuda-nvrtc` or nvcc"
_FLAGS = ("--std=c++17", "--ptxas-options=-v", "-ftz=true")  # CuPy adds the last to all
_ENTRY = re.compile(r"Compiling entry function '(\w+)'")
_FRAME = re.compile(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads")
_USED = re.compile(r"Used (\d+) registers(?:.*?(\d+) bytes smem)?")


class Row(NamedTuple):
    """What became of a kernel: `fault` says in a sentence what is wrong, or is empty."""

    source: str
    options: tuple
    architecture: int
    kernel: str
    registers: int = 0
    shared: int = 0
    stack: int = 0
    spills: int = 0
    fault: str = ""
    count: machine_code.Count | None = None

    def __str__(self):
        name = " ".join([f"{self.source}.cu", *self.options])
        code, loop, products = self.count[:3] if self.count else "---"
        return (
            f"sm_{self.architecture}  {self.registers:4} {self.shared:6} {self.stack:6} "
            f"{self.spills:6} {code:>6} {loop:>6} {products:>8}  {self.kernel:16} "
            f"{name}{self.fault and '  <- ' + self.fault}"
        )


HEADING = "arch    regs shared  stack spills   code   loop products  kernel           source"


# ---------------------------------------------------------------------- what there is to compile
def sources():
    """The project's sources: name -> text."""
    launch = importlib.import_module("minigrad.cuda.launch")
    return {p.stem: launch.source(p.stem) for p in sorted(launch.SOURCES.glob("*.cu"))}


def variants():
    """What ``VARIANTS`` of all modules of `minigrad.cuda` say: source -> list of options."""
    package, table = importlib.import_module("minigrad.cuda"), {}
    for info in pkgutil.iter_modules(package.__path__, "minigrad.cuda."):
        module = importlib.import_module(info.name)
        for source, options in getattr(module, "VARIANTS", {}).items():
            table.setdefault(source, []).extend(map(tuple, options))
    return {source: list(dict.fromkeys(options)) for source, options in table.items()}


def disagreements(texts, table):
    """Sentences about sources without an entry in `table`, and entries without a source."""
    found = [f"no VARIANTS says how {s}.cu is compiled" for s in texts if s not in table]
    found += [f"VARIANTS names {s}.cu, which does not exist" for s in table if s not in texts]
    return found + [f"VARIANTS has no options for {s}.cu: [()]?" for s in table if not table[s]]


# ---------------------------------------------------------------------- compilers
@functools.cache
def compiler():
    """A function ``(text, architecture, options) -> (succeeded, log, code)``, or None.

    What is bound to it tells one version of a compiler from another.
    """
    spec = importlib.util.find_spec("nvidia")
    for folder in spec.submodule_search_locations or () if spec else ():
        for path in sorted(Path(folder).glob("*/lib/libnvrtc.so.*"), reverse=True):
            try:
                # which the library looks for by its bare name later on
                for builtins in sorted(path.parent.glob("libnvrtc-builtins.so*")):
                    ctypes.CDLL(str(builtins))
                ctypes.CDLL(str(path))
            except OSError:  # the library of another kind of processor
                continue
            return functools.partial(_nvrtc, str(path), path.stat().st_mtime)
    nvcc = shutil.which("nvcc")
    return functools.partial(_nvcc, nvcc, Path(nvcc).stat().st_mtime) if nvcc else None


def _nvrtc(path, _, text, architecture, options):
    library = ctypes.CDLL(path)
    program = ctypes.c_void_p()
    library.nvrtcCreateProgram(ctypes.byref(program), text.encode(), b"kernel.cu", 0, None, None)
    flags = [f"--gpu-architecture=sm_{architecture}", *_FLAGS, *options]
    array = (ctypes.c_char_p * len(flags))(*(flag.encode() for flag in flags))
    status = library.nvrtcCompileProgram(program, len(flags), array)
    size = ctypes.c_size_t()
    library.nvrtcGetProgramLogSize(program, ctypes.byref(size))
    log = ctypes.create_string_buffer(size.value)
    library.nvrtcGetProgramLog(program, log)
    library.nvrtcGetCUBINSize(program, ctypes.byref(size))
    code = ctypes.create_string_buffer(size.value if status == 0 else 0)
    library.nvrtcGetCUBIN(program, code)
    library.nvrtcDestroyProgram(ctypes.byref(program))
    return status == 0, log.value.decode(errors="replace"), code.raw


def _nvcc(path, _, text, architecture, options):
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "kernel.cu"
        source.write_text(text, encoding="utf-8")
        run = subprocess.run(
            [path, "-cubin", f"-arch=sm_{architecture}", *_FLAGS, *options, source.name],
            cwd=folder,
            capture_output=True,
            text=True,
        )
        code = b"" if run.returncode else source.with_suffix(".cubin").read_bytes()
    return run.returncode == 0, run.stdout + run.stderr, code


# ---------------------------------------------------------------------- compiling
def _compiled_before(text, architecture, options):
    """What the compiler says, from a file if it has been asked before."""
    key = "\0".join(["2", str(compiler().args), *_FLAGS, str(architecture), *options, text])
    name = f"{hashlib.sha256(key.encode()).hexdigest()[:24]}.json"
    path = Path(tempfile.gettempdir()) / f"minigrad-compiled-{os.getuid()}" / name
    if path.exists():
        log, code = json.loads(path.read_text(encoding="utf-8"))
        return True, log, base64.b64decode(code)
    answer = compiler()(text, architecture, options)
    if not answer[0]:  # for a reason that may lie in the compiler's installation
        return answer
    kept = json.dumps([answer[1], base64.b64encode(answer[2]).decode()])
    path.parent.mkdir(mode=0o700, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:  # others may write the same
        (Path(folder) / name).write_text(kept, encoding="utf-8")
        os.replace(Path(folder) / name, path)
    return answer


def compile_source(source, text, options, architecture, counted=False):
    """One `Row` for each kernel of `text`; one with a fault if it does not compile. `counted`:
    with the numbers of instructions."""
    succeeded, log, code = _compiled_before(text, architecture, tuple(options))
    start = (source, tuple(options), architecture)
    if not succeeded:
        return [Row(*start, "-", fault=f"does not compile:\n{log.strip()}")]
    rows, kernel, stack, spills = [], None, 0, 0
    counts = machine_code.counts(code) if counted else {}
    for line in log.splitlines():
        if match := _ENTRY.search(line):
            kernel, stack, spills = match[1], 0, 0
        elif match := _FRAME.search(line):
            # once for the kernel, once for each function that is not inlined
            stack, spills = stack + int(match[1]), spills + int(match[2]) + int(match[3])
        elif (match := _USED.search(line)) and kernel:
            fault = f"spills {spills} bytes of registers" if spills else ""
            if stack and not spills:
                fault = f"keeps {stack} bytes in local memory: an array is indexed by a variable?"
            used = (int(match[1]), int(match[2] or 0), stack, spills)
            rows.append(Row(*start, kernel, *used, fault, counts.get(kernel)))
            kernel = None
    return rows or [Row(*start, "-", fault="the compiler reports no kernel")]


def compile_all(texts, table, architectures=ARCHITECTURES, once=(), threads=2, counted=False):
    """The rows of all sources, variants and architectures; NVRTC compiles in parallel threads.

    For the architectures `once` only the first variant of each source is compiled.
    """
    jobs = [
        (source, text, options, architecture, counted)
        for source, text in texts.items()
        for i, options in enumerate(table.get(source) or [()])
        for architecture in architectures
        if i == 0 or architecture not in once
    ]
    with ThreadPoolExecutor(threads) as pool:
        return [row for rows in pool.map(lambda job: compile_source(*job), jobs) for row in rows]


def main(arguments=None):
    """Print the table; 1 if anything is wrong, 77 if there is no compiler."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "files", nargs="*", type=Path, help="these sources instead of the project's"
    )
    parser.add_argument("--arch", nargs="+", type=int, default=ARCHITECTURES)
    chosen = parser.parse_args(arguments)
    if compiler() is None:
        print(NEEDED)
        return 77
    if chosen.files:
        launch = importlib.import_module("minigrad.cuda.launch")
        texts, wrong = {p.stem: launch.source(p.stem, p.parent) for p in chosen.files}, []
        table = variants()
    else:
        texts, table = sources(), variants()
        wrong = disagreements(texts, table)
    counted = machine_code.disassembler() is not None
    rows = compile_all(texts, table, chosen.arch, counted=counted)
    print(HEADING, *rows, *wrong, sep="\n")
    if not counted:
        print(machine_code.NEEDED)
    faults = sum(bool(row.fault) for row in rows) + len(wrong)
    print(f"{len(rows)} kernels, {faults} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
