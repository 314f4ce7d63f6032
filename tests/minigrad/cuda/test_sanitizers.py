"""No kernel touches memory that is not its own: all of them run once under AddressSanitizer.

The other half of UndefinedBehaviorSanitizer's work (indices of arrays, alignment, overflows) is
done in every simulated launch; see tests/fakes/test_simulator_faults.py.
"""

import functools
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from simulator import Module, SimulatorError, kernel_names

from minigrad.cuda.launch import SOURCES, source

HERE, NAME = Path(__file__).parent, Path(__file__).stem
SCRIPT = HERE.parents[1] / "tools" / "sanitized.py"
FAULTS = {  # kernel of kernels/memory.cu -> its fault
    "reads_past_the_end": "line 10: heap-buffer-overflow",
    "writes_past_the_end": "line 14: heap-buffer-overflow",
    "runs_into_other_shared_memory": "line 21: global-buffer-overflow",
    "runs_past_its_registers": "line 28: stack-buffer-overflow",
    "reads_a_float4_past_the_end": "line 32: heap-buffer-overflow",
}


def sanitized_runs():
    """This module's own: faulty kernels, which have to be found."""
    code = (HERE / "kernels" / "memory.cu").read_text()

    def run(name):
        kernel = Module(code).get_function(name)
        kernel((1,), (64,), (np.zeros(64, np.float32), np.int32(1)))

    yield "good", lambda: run("good")
    for name in FAULTS:
        yield name, functools.partial(run, name)
    yield "good again", lambda: run("good")


@functools.cache
def sanitized():
    """What one process with the sanitizer finds in all test modules that offer runs."""
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("AddressSanitizer comes with g++, which is not installed")
    library = subprocess.run(
        [compiler, "-print-file-name=libasan.so"], capture_output=True, text=True, check=True
    ).stdout.strip()
    if not Path(library).is_absolute():  # g++ answers with the bare name of what it does not have
        pytest.skip("this g++ has no libasan.so")
    offering = [
        path
        for path in sorted(HERE.glob("test_*.py"))
        if "\ndef sanitized_runs():" in path.read_text(encoding="utf-8")
    ]
    environment = {
        "LD_PRELOAD": library,
        # Python frees little at its end; a fault is noted and the next kernel gets its turn
        "ASAN_OPTIONS": "detect_leaks=0:halt_on_error=0:detect_stack_use_after_return=0",
    }
    process = subprocess.run(
        [sys.executable, str(SCRIPT), *map(str, offering)],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
    )
    assert process.returncode == 0, process.stderr[-4000:] + process.stdout[-1000:]
    return json.loads(process.stdout.splitlines()[-1])


def test_the_sanitizer_finds_what_it_should():
    found = sanitized()["faults"]
    ours = {k.partition(": ")[2]: v for k, v in found.items() if k.startswith(NAME)}
    expected = {name: f"{name}: block (0, 0, 0): {fault}" for name, fault in FAULTS.items()}
    assert ours == expected


def test_no_kernel_touches_memory_that_is_not_its_own():
    faults = {k: v for k, v in sanitized()["faults"].items() if not k.startswith(NAME)}
    assert not faults, "\n".join(f"{label}: {fault}" for label, fault in faults.items())


def test_every_kernel_ran():
    names = {name for path in SOURCES.glob("*.cu") for name in kernel_names(source(path.stem))}
    missing = names - set(sanitized()["launched"])
    assert not missing, f"no sanitized_runs() in tests/minigrad/cuda launches {sorted(missing)}"


def test_the_sanitizer_must_be_in_the_process_first():
    with pytest.raises(SimulatorError, match="LD_PRELOAD"):
        Module((HERE / "kernels" / "memory.cu").read_text(), sanitize=True)
