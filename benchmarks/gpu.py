"""Everything that needs a GPU: the tests, compute-sanitizer, and the measurements.

python benchmarks/gpu.py          # all of it, into docs/gpu.json and the tables of docs/gpu.md
python benchmarks/gpu.py step     # or: tests, sanitizer, layers, sweep, epochs
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path

from gpu_timing import epochs, layers, step, sweep
from interleaved import machine

from minigrad import cuda

ROOT = Path(__file__).parents[1]
FIGURES, PAGE = ROOT / "docs" / "gpu.json", ROOT / "docs" / "gpu.md"
MARK = "<!-- figures: written by benchmarks/gpu.py from docs/gpu.json -->"

# ---------------------------------------------------------------------- tests
SIMULATED = ("convolution", "direct", "matmul", "elementwise", "reductions", "random", "rows")


def _pytest(*arguments, before=(), **environment):
    """The last line of a pytest run, and whether all is well."""
    command = [*before, sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True
    )
    last = (done.stdout.strip() or done.stderr.strip() or "no output").splitlines()[-1]
    print(f"{'ok' if done.returncode == 0 else 'FAILED'}: {' '.join(arguments)}: {last}")
    if done.returncode:
        print((done.stdout + done.stderr)[-5000:])
    return [done.returncode, last]


def _kernel_tests():
    return [f"tests/minigrad/cuda/test_{name}.py" for name in SIMULATED]


def tests():
    """What tests/gpu says, and the simulator's tests of kernels run on the GPU itself."""
    return {
        "tests/gpu": _pytest("tests/gpu"),
        # without the planted mistakes, which a GPU would not survive
        "kernel tests on the GPU": _pytest(
            *_kernel_tests(), "-k", "not mistakes", MINIGRAD_KERNELS="gpu"
        ),
    }


def sanitizer():
    """compute-sanitizer over tests/gpu: wrong accesses (memcheck) and races (racecheck)."""
    tool = shutil.which("compute-sanitizer") or "/usr/local/cuda/bin/compute-sanitizer"
    return {
        kind: _pytest("tests/gpu", before=(tool, "--tool", kind, "--error-exitcode", "9"))
        for kind in ("memcheck", "racecheck")
        if Path(tool).exists()
    }


PARTS = {
    "tests": tests,
    "sanitizer": sanitizer,
    "step": step,
    "layers": layers,
    "sweep": sweep,
    "epochs": epochs,
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
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("part", nargs="*", choices=[*PARTS, []], help="what to run (all)")
    wanted = parser.parse_args().part or list(PARTS)
    usable, found = cuda.status()
    if not usable:
        sys.exit(f"benchmarks/gpu.py needs a GPU, and there is none to be used here: {found}.")
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
    print("\n".join(f"{name}: {value}" for name, value in about.items()))
    figures = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
    for name in wanted:
        cuda.precision = "float32"
        figures[name] = {"about": about, "figures": PARTS[name]()}
        write(figures)


if __name__ == "__main__":
    main()
