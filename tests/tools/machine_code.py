"""What the machine code of a kernel consists of: instructions, and those of its main loop.

NVIDIA's disassembler takes the compiled kernel apart, from the wheel ``nvidia-cuda-nvdisasm`` or a
CUDA toolkit; it needs neither a GPU nor a driver.
"""

import collections
import functools
import importlib.util
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

NEEDED = "counting instructions needs `pip install nvidia-cuda-nvdisasm`"
_SECTION = re.compile(r"^\s*\.section\s+(\.[\w.]+)")
_LABEL = re.compile(r"^(\.L_x_\d+):")
_INSTRUCTION = re.compile(r"^\s*/\*[0-9a-f]{4,}\*/\s+(?:@!?\w+\s+)?([A-Z][A-Z0-9_]*)([^;]*);")
_TARGET = re.compile(r"`\((\.L_x_\d+)\)")


class Count(NamedTuple):
    """Instructions of a kernel, of one turn of its main loop (the one with the most products, or
    the longest), and in this the products; `kinds` counts those of the loop by name."""

    code: int
    loop: int
    products: int
    kinds: collections.Counter


@functools.cache
def disassembler():
    """The program's path, or None."""
    spec = importlib.util.find_spec("nvidia")
    for folder in spec.submodule_search_locations or () if spec else ():
        for path in sorted(Path(folder).glob("*/bin/nvdisasm"), reverse=True):
            return str(path)
    return shutil.which("nvdisasm")


def counts(cubin):
    """A `Count` for each kernel of a compiled source, by name."""
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(cubin)
        file.flush()
        run = [disassembler(), "--print-code", file.name]
        text = subprocess.run(run, capture_output=True, text=True, check=True).stdout
    kernels, name = {}, None
    for line in text.splitlines():
        if match := _SECTION.match(line):
            name = match[1].removeprefix(".text.") if match[1].startswith(".text.") else None
        elif name is not None:
            kernels.setdefault(name, []).append(line)
    return {name: _count(lines) for name, lines in kernels.items()}


def _count(lines):
    names, labels, loops = [], {}, []
    for line in lines:
        if match := _LABEL.match(line):
            labels[match[1]] = len(names)
        elif match := _INSTRUCTION.match(line):
            target = _TARGET.search(match[2])
            names.append(match[1])
            if match[1] == "BRA" and target and labels.get(target[1], len(names)) < len(names) - 1:
                loops.append((labels[target[1]], len(names)))
    while names and names[-1] in ("NOP", "BRA"):  # the end: a branch to itself, and padding
        names.pop()
    inner = [
        (a, b)
        for a, b in loops
        if not any((c, d) != (a, b) and a <= c and d <= b for c, d in loops)
    ]
    bodies = [collections.Counter(names[a:b]) for a, b in inner] or [collections.Counter()]
    body = max(bodies, key=lambda kinds: (_products(kinds), kinds.total()))
    return Count(len(names), body.total(), _products(body), body)


def _products(kinds):
    return kinds["HMMA"] or kinds["FFMA"]  # of a warp's matrices, of numbers
