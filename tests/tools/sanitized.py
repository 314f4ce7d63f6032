"""Runs the kernels under AddressSanitizer, in a process of its own, and prints what it found.

Started by tests/minigrad/cuda/test_sanitizers.py with the sanitizer's library already loaded
(LD_PRELOAD). Each FILE is a test module; its function `sanitized_runs()` yields pairs of a label
and a function that calls the library on small arrays. A JSON object on the last line of standard
output names the kernels launched and, by label, the faults.

    LD_PRELOAD=$(g++ -print-file-name=libasan.so) ASAN_OPTIONS=detect_leaks=0:halt_on_error=0 \\
        python tests/tools/sanitized.py tests/minigrad/cuda/test_*.py
"""

import importlib.util
import json
import sys
import traceback
from pathlib import Path

sys.path.extend(str(Path(__file__).parents[1] / name) for name in ("fakes", "helpers"))
from simulator import SimulatorError, launches, simulated


def module_at(path):
    """The module in the file `path`, imported whatever its package."""
    spec = importlib.util.spec_from_file_location(f"sanitized_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def run(path):
    """(names of the kernels launched, label -> fault) of one test module."""
    names, faults = set(), {}
    with simulated(sanitize=True):
        for label, call in module_at(path).sanitized_runs():
            try:
                call()
            except SimulatorError as error:
                faults[f"{path.stem}: {label}"] = str(error)
            except Exception:  # a fault of the test itself, or of the library's Python
                faults[f"{path.stem}: {label}"] = traceback.format_exc()
        names.update(name for name, *_ in launches)
    return names, faults


if __name__ == "__main__":
    found = [run(Path(argument)) for argument in sys.argv[1:]]
    names = sorted(set().union(*(n for n, _ in found)))
    print(json.dumps({"launched": names, "faults": {k: v for _, f in found for k, v in f.items()}}))
