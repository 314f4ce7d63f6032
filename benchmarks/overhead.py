"""What the engine costs besides the arithmetic: small operations, importing, memory of a graph.

    python benchmarks/overhead.py
    python benchmarks/overhead.py --against 7a7ea6a      (a commit, or the folder of a checkout)

`--against` compares the small operations of this checkout with those of another. Both run in
processes that take turns, round after round, the other asleep; counted is processor time, and of
many short bursts the least, because another program on the machine can only add to it. A pair of
processes gives one ratio; several pairs show how far such ratios differ by themselves.
"""

import argparse
import gc
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import tracemalloc
from pathlib import Path

import numpy as np

import minigrad as mg

HERE = Path(__file__).resolve()
BURST = 300  # calls, some milliseconds together


def operations():
    """name -> (what NumPy does, or None, and what minigrad does, recorded)."""
    a, m = np.ones(3), np.ones((3, 3))
    leaf, w = mg.tensor(a, requires_grad=True), mg.tensor(m, requires_grad=True)
    x, y, long = leaf * 1.0, w * 1.0, mg.tensor(np.ones(8), requires_grad=True) * 1.0
    b = mg.tensor(a, requires_grad=True)

    def forward():
        return ((mg.relu(mg.matmul(y, w) + b) - 0.5) * 2.0).sum()

    def step():
        leaf.grad = w.grad = b.grad = None
        ((mg.relu(mg.matmul(m, w) + b) - leaf) * 2.0).sum().backward()

    return {
        "multiply": (lambda: np.multiply(a, a), lambda: mg.multiply(x, x)),
        "x + x": (lambda: a + a, lambda: x + x),
        "x * 2.0": (lambda: a * 2.0, lambda: x * 2.0),
        "leaf * array": (lambda: a * a, lambda: leaf * a),
        "exp": (lambda: np.exp(a), lambda: mg.exp(x)),
        "sum": (lambda: a.sum(), lambda: x.sum()),
        "sum, axis 0": (lambda: m.sum(axis=0), lambda: y.sum(axis=0)),
        "matmul": (lambda: m @ m, lambda: y @ w),
        "x[2:5]": (lambda: a[2:5], lambda: long[2:5]),
        "x[:, 0]": (lambda: m[:, 0], lambda: y[:, 0]),
        "x[[0, 2]]": (lambda: a[[0, 2]], lambda: x[[0, 2]]),
        "reshape": (lambda: a.reshape(3, 1), lambda: x.reshape(3, 1)),
        "relu": (lambda: np.maximum(a, 0), lambda: mg.relu(x)),
        "dense": (lambda: m @ m + a, lambda: mg.dense(y, w, b)),
        "dense, relu": (
            lambda: np.maximum(m @ m + a, 0),
            lambda: mg.dense(y, w, b, activation="relu"),
        ),
        "constants": (lambda: a * a, lambda: mg.multiply(a, a)),
        "5 operations": (None, forward),
        "and backward": (None, step),
    }


def least(function, bursts=1):
    """The least time of one call in nanoseconds, of some bursts."""
    times = []
    for _ in range(bursts):
        began = time.process_time_ns()
        for _ in range(BURST):
            function()
        times.append((time.process_time_ns() - began) / BURST)
    return min(times)


def small_operations():
    print("a recorded operation on a few numbers, in microseconds of processor time")
    print(f"{'':14}{'NumPy':>8}{'minigrad':>10}{'overhead':>10}")
    for name, (plain, recorded) in operations().items():
        recorded = least(recorded, 30) / 1e3
        if plain is None:
            print(f"{name:14}{'':8}{recorded:10.2f}")
            continue
        plain = least(plain, 30) / 1e3
        print(f"{name:14}{plain:8.2f}{recorded:10.2f}{recorded - plain:10.2f}")


# ---------------------------------------------------------------------- against another checkout
def answer():
    """A process of its own: for each line read, one burst of every operation, the times as JSON."""
    functions = {name: recorded for name, (_, recorded) in operations().items()}
    for function in functions.values():
        least(function)
    gc.collect()
    gc.freeze()
    print(json.dumps(mg.__file__), flush=True)
    for _ in sys.stdin:
        times = {name: least(function, 2) for name, function in functions.items()}
        print(json.dumps(times), flush=True)


def started(folder):
    environment = {
        **os.environ,
        "PYTHONPATH": str(folder),
        "PYTHONHASHSEED": "0",
        "MINIGRAD_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    process = subprocess.Popen(
        [sys.executable, HERE, "--answer"],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    found = Path(json.loads(process.stdout.readline()))
    if found.parent.parent != Path(folder).resolve():
        raise SystemExit(f"asked for minigrad in {folder}, got {found}")
    return process


def one_pair(folders, rounds):
    """The least times of the operations in each folder: [{name: nanoseconds}, ...]."""
    processes = [started(folder) for folder in folders]
    best = [{}, {}]
    for k in range(rounds):
        for i in (0, 1) if k % 2 else (1, 0):
            processes[i].stdin.write("\n")
            processes[i].stdin.flush()
            for name, spent in json.loads(processes[i].stdout.readline()).items():
                best[i][name] = min(spent, best[i].get(name, spent))
    for process in processes:
        process.communicate()
    return best


def compare(against, pairs, rounds):
    results = [one_pair((HERE.parent.parent, against), rounds) for _ in range(pairs)]
    print(f"microseconds of processor time, the least of {pairs} pairs of processes; ratio: the")
    print("median of the pairs (least to largest)")
    print(f"{'':14}{'here':>8}{'there':>8}   ratio")
    for name in results[0][0]:
        here, there = (min(pair[i][name] for pair in results) / 1e3 for i in (0, 1))
        ratios = sorted(ours[name] / theirs[name] for ours, theirs in results)
        print(f"{name:14}{here:8.2f}{there:8.2f}   {statistics.median(ratios):.3f} "
              f"({ratios[0]:.3f} to {ratios[-1]:.3f})")  # fmt: skip


def compare_with(place, pairs, rounds):
    """`place` is a folder, or a commit, which is checked out for as long as this takes."""
    if Path(place).is_dir():
        return compare(Path(place).resolve(), pairs, rounds)
    git = ["git", "-C", str(HERE.parent.parent)]
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([*git, "worktree", "add", "--quiet", "--detach", folder, place], check=True)
        try:
            compare(Path(folder).resolve(), pairs, rounds)
        finally:
            subprocess.run([*git, "worktree", "remove", "--force", folder], check=True)


# ---------------------------------------------------------------------- importing, memory
def importing(repeats=7):
    def seconds(code):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        return time.perf_counter() - began

    pairs = [(seconds("import numpy"), seconds("import minigrad")) for _ in range(repeats)]
    added = statistics.median(b - a for a, b in pairs)
    print(f"\nimport minigrad: {added * 1e3:.0f} ms more than import numpy")


def deep_graphs():
    x = mg.tensor(1.0, requires_grad=True)
    tracemalloc.start()
    began, y = time.perf_counter(), x
    for _ in range(20000):
        y = y + 1.0
    size = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    y.backward()
    spent = time.perf_counter() - began
    print(f"\n20,000 additions: gradient {x.grad.item():.0f}, {spent:.2f} s (traced), "
          f"{size / 20000:.0f} bytes of graph each")  # fmt: skip
    z = mg.tensor(1.0, requires_grad=True)
    y = z
    for _ in range(60):
        y = y * 0.5 + y * 0.5
    y.backward()
    print(f"60 stacked diamonds: gradient {z.grad.item():.0f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--against", metavar="PATH_OR_COMMIT", help="compare with this checkout")
    parser.add_argument("--pairs", type=int, default=8, help="pairs of processes (with --against)")
    parser.add_argument("--rounds", type=int, default=40, help="turns of each process of a pair")
    parser.add_argument("--answer", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.answer:
        return answer()
    if options.against:
        return compare_with(options.against, options.pairs, options.rounds)
    small_operations()
    importing()
    deep_graphs()


if __name__ == "__main__":
    main()
