"""Everything that needs a GPU, in parts that each end within ten minutes.

    python benchmarks/gpu.py smoke          # first of all: milliseconds per captured step
    python benchmarks/gpu.py tests kernels  # some parts
    python benchmarks/gpu.py                # all of them, in this order

The parts: smoke (does a training step work, and how fast), tests (tests/gpu), kernels (the
simulator's tests, on the GPU itself), primitives (the tests of the double of CuPy, on CuPy), step,
layers, rungs, epochs, sweep (measurements), memcheck, racecheck (compute-sanitizer). Each prints as
it goes and puts what it found into docs/gpu.json and the tables of docs/gpu.md, beside what other
parts found before. Nothing is downloaded.
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import threading
from datetime import date
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # a checkout does, nothing has to be installed

import gpu_timing
from interleaved import machine

from minigrad import cuda

ROOT = Path(__file__).parents[1]
FIGURES, PAGE = ROOT / "docs" / "gpu.json", ROOT / "docs" / "gpu.md"
MARK = "<!-- figures: written by benchmarks/gpu.py from docs/gpu.json -->"
LIMIT = 540  # seconds for a part that runs tests

# ---------------------------------------------------------------------- tests
SIMULATED = (
    "convolution", "convolution_tiles", "direct", "matmul", "elementwise", "reductions", "random",
    "rows", "naive",
)  # fmt: skip
SANITIZED = "convolution_tiles", "reductions", "rows"  # without PyTorch, which is full of findings
# of a captured step, what the double's tests say of CuPy and not of the double
CAPTURED = (
    "replayed or rate or loaded or drawn or recorded or interrupt or arena or cleared or settings "
    "or in_place or nothing_running or tickets"
)


def _pytest(*arguments, before=(), **environment):
    """Run pytest, printing its lines as they come: its exit status and its last line."""
    command = [*before, sys.executable, "-u", "-m", "pytest", "-p", "no:cacheprovider", *arguments]
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    last = "no output"
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        alarm = threading.Timer(LIMIT, process.kill)
        alarm.start()
        for line in process.stdout:
            print(line, end="", flush=True)
            last = line.strip() or last
        alarm.cancel()
    killed = f" (stopped after {LIMIT} s)" if process.returncode == -9 else ""
    return [process.returncode, last + killed]


def _of_kernels(names):
    return [f"tests/minigrad/cuda/test_{name}.py" for name in names]


def tests():
    """What tests/gpu says."""
    return {"tests/gpu": _pytest("tests/gpu")}


def kernels():
    """The simulator's tests on the GPU itself, without the planted mistakes: it might not survive
    them."""
    found = {}
    for path in _of_kernels(SIMULATED):
        found[path] = _pytest(path, "-k", "not mistakes", MINIGRAD_KERNELS="gpu")
    return found


def primitives():
    """Tests that run on the double of CuPy elsewhere, on CuPy: all primitives, captured steps, two
    GPUs where there are two."""
    every, capture, two = _of_kernels(["device_primitives", "capture", "two_gpus"])
    return {
        every: _pytest("-p", "on_cupy", every),
        capture: _pytest("-p", "on_cupy", capture, "-k", CAPTURED),
        two: _pytest("-p", "on_cupy", two),
    }


def _sanitizer(kind):
    tool = shutil.which("compute-sanitizer") or "/usr/local/cuda/bin/compute-sanitizer"
    if not Path(tool).exists():
        return {kind: "there is no compute-sanitizer here"}
    # CuPy asks for things that are not there and takes no for an answer: no error of ours
    before = tool, "--tool", kind, "--report-api-errors", "no", "--error-exitcode", "9"
    picked = "-x", "-k", "not mistakes and not every_variant"
    return {kind: _pytest(*_of_kernels(SANITIZED), *picked, before=before, MINIGRAD_KERNELS="gpu")}


def memcheck():
    """Wrong accesses to memory, found by compute-sanitizer."""
    return _sanitizer("memcheck")


def racecheck():
    """Races in shared memory, found by compute-sanitizer."""
    return _sanitizer("racecheck")


PARTS = {
    "smoke": gpu_timing.smoke,
    "tests": tests,
    "kernels": kernels,
    "primitives": primitives,
    "step": gpu_timing.step,
    "layers": gpu_timing.layers,
    "rungs": gpu_timing.rungs,
    "epochs": gpu_timing.epochs,
    "sweep": gpu_timing.sweep,
    "memcheck": memcheck,
    "racecheck": racecheck,
}


# ---------------------------------------------------------------------- the page
def table(name, part):
    """A part's figures as Markdown."""
    about, figures = part["about"], part["figures"]
    lines = [f"### {name}", "", "; ".join(f"{key} {value}" for key, value in about.items()), ""]
    lines += ["| | |", "|---|---|"]
    for key, value in figures.items():
        values = value if isinstance(value, list) else [value]
        words = (f"{v:.4g}" if isinstance(v, float) else str(v) for v in values)
        lines.append(f"| {key} | {', '.join(words)} |")
    return "\n".join(lines)


def write(figures):
    """Keep the figures, and put them below the mark of docs/gpu.md."""
    FIGURES.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    above = PAGE.read_text(encoding="utf-8").partition(MARK)[0]
    tables = "\n\n".join(table(name, figures[name]) for name in PARTS if name in figures)
    PAGE.write_text(f"{above}{MARK}\n\n{tables}\n", encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("part", nargs="*", choices=[*PARTS, []], help="what to run (all)")
    wanted = parser.parse_args().part or list(PARTS)
    usable, found = cuda.status()
    if not usable:
        sys.exit(f"benchmarks/gpu.py needs a GPU, and there is none to be used here: {found}")
    cupy = sys.modules["cupy"]
    about = {
        "date": date.today().isoformat(),
        "GPU": found,
        "machine": machine(),
        "CuPy": cupy.__version__,
        "CUDA": cupy.cuda.runtime.runtimeGetVersion(),
        "driver": cupy.cuda.runtime.driverGetVersion(),
        "Python": platform.python_version(),
    }
    print("\n".join(f"{name}: {value}" for name, value in about.items()), flush=True)
    figures = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
    for name in wanted:
        print(f"\n----- {name}", flush=True)
        cuda.precision = "auto"
        figures[name] = {"about": about, "figures": PARTS[name]()}
        write(figures)


if __name__ == "__main__":
    main()
