"""What the engine costs besides the arithmetic: small operations, importing, memory of a graph.

python benchmarks/overhead.py
"""

import statistics
import subprocess
import sys
import time
import tracemalloc

import numpy as np

import minigrad as mg


def nanoseconds(function, repeats=15, number=3000):
    """The median, over interleavable short bursts, of the time of one call."""
    times = []
    for _ in range(repeats):
        began = time.perf_counter_ns()
        for _ in range(number):
            function()
        times.append((time.perf_counter_ns() - began) / number)
    return statistics.median(times)


def operations():
    a = np.ones(3)
    leaf = mg.tensor(a, requires_grad=True)
    x = leaf * 1.0
    rows = [
        ("multiply", lambda: np.multiply(a, a), lambda: mg.multiply(x, x)),
        ("x + x", lambda: a + a, lambda: x + x),
        ("x * 2.0", lambda: a * 2.0, lambda: x * 2.0),
        ("leaf * array", lambda: a * a, lambda: leaf * a),
        ("exp", lambda: np.exp(a), lambda: mg.exp(x)),
        ("sum", lambda: a.sum(), lambda: x.sum()),
        ("reshape", lambda: a.reshape(3, 1), lambda: x.reshape(3, 1)),
    ]
    print("a recorded operation on 3 numbers, in microseconds")
    print(f"{'':14}{'NumPy':>8}{'minigrad':>10}{'overhead':>10}")
    for name, plain, recorded in rows:
        plain, recorded = nanoseconds(plain) / 1e3, nanoseconds(recorded) / 1e3
        print(f"{name:14}{plain:8.2f}{recorded:10.2f}{recorded - plain:10.2f}")


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


if __name__ == "__main__":
    operations()
    importing()
    deep_graphs()
