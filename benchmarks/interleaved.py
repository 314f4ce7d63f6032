"""Fair timing: every program in a process of its own, taking turns within one run.

Machines are shared and change speed from minute to minute, so a time alone means nothing. Here all
programs are set up and warm before the first is timed; then they run one after the other, round
after round, the others asleep, and only medians, quartiles and ratios of such rounds are compared.

Counted are seconds on the clock and seconds of processor time. Those of a turn last until the
program's next turn: threads that go on spinning while the others run are paid for by their owner.
"""

import importlib.metadata
import itertools
import math
import multiprocessing
import os
import platform
import resource
import time
from contextlib import contextmanager
from statistics import median
from typing import NamedTuple

# For PyTorch and whatever else uses OpenMP: threads that wait sleep instead of spinning, which
# takes the cores from whoever is next. It must be there before the library is loaded.
PASSIVE = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0", "KMP_BLOCKTIME": "0"}


class Spread(NamedTuple):
    """The median of some numbers, their quartiles and the least of them."""

    median: float
    lower: float
    upper: float
    least: float

    def shown(self, digits=1, scale=1.0):
        values = (f"{scale * v:.{digits}f}" for v in self[:3])
        return "{} ({} to {})".format(*values)


class Result(NamedTuple):
    """What one program took, in seconds a step and in MB, and what came out."""

    wall: Spread
    cpu: Spread
    memory: float  # the peak of its process
    before: float  # the peak before the first step: libraries, data, weights
    losses: list  # of all steps, those that warm up included
    turns: list  # (seconds on the clock, of processor time) a step, turn by turn


def compare(programs, rounds=10, steps=3, warm_up=3, environments=None):
    """Time the `programs`, name -> function that returns a step function.

    A step returns its loss, None, or a function that computes the loss outside the timing; it must
    be over when it returns. `environments` are variables of some programs' processes, by name.

    Returns name -> `Result`. A program that cannot be run gets a sentence instead, which says why.
    """
    context = multiprocessing.get_context("spawn")
    workers, results = {}, {}
    for name, setup in programs.items():
        ours, theirs = context.Pipe()
        process = context.Process(target=_work, args=(setup, theirs, steps, warm_up), daemon=True)
        with _variables((environments or {}).get(name, {})):
            process.start()
        theirs.close()
        workers[name] = process, ours
    for name, worker in workers.items():
        if problem := _answer(worker, results, name):
            results[name] = problem
    times = {name: [] for name in programs if name not in results}
    for k in range(rounds):
        for name in list(times)[:: 1 if k % 2 else -1]:  # nobody always follows the same one
            workers[name][1].send("run")
            times[name].append(_answer(workers[name], results, name))
            if name in results:
                del times[name]
    for name, turns in times.items():
        process, pipe = workers[name]
        pipe.send("stop")
        cpu, *rest = _answer(workers[name], results, name)
        results[name] = Result(
            spread([t for turn in turns for t in turn]), spread(cpu), *rest,
            list(zip(map(median, turns), cpu, strict=True)),
        )  # fmt: skip
        process.join()
    return {name: results[name] for name in programs}


@contextmanager
def _variables(variables):
    """Within the block the environment has these, for a process that starts there."""
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _answer(worker, results, name):
    process, pipe = worker
    try:
        return pipe.recv()
    except EOFError:
        process.join()
        results[name] = f"its process ended with exit status {process.exitcode}"


def _work(setup, pipe, steps, warm_up):
    try:
        step = setup()
        before = _peak()
        losses = [_number(step()) for _ in range(warm_up)]
    except ModuleNotFoundError as error:
        pipe.send(f"it needs {error.name}, which is not installed here")
        return
    except Exception as error:
        pipe.send(f"{type(error).__name__}: {(str(error).splitlines() or [''])[0][:100]}")
        return
    pipe.send(None)
    clock, uncounted = [], 0.0  # processor time at the beginning of each turn
    while True:
        message = pipe.recv()
        clock.append(time.process_time() - uncounted)
        if message != "run":
            break
        times = []
        for _ in range(steps):
            began = time.perf_counter()
            loss = step()
            times.append(time.perf_counter() - began)
            began = time.process_time()
            losses.append(_number(loss))
            uncounted += time.process_time() - began
        pipe.send(times)
    cpu = [(b - a) / steps for a, b in itertools.pairwise(clock)]
    pipe.send((cpu, _peak(), before, losses))


def _number(loss):
    loss = loss() if callable(loss) else loss
    if loss is None:
        return math.nan
    return float(loss.item() if hasattr(loss, "item") else loss)


def _peak():
    unit = 1 if platform.system() == "Darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def spread(values):
    values = sorted(values)
    last = len(values) - 1
    return Spread(median(values), values[round(last / 4)], values[round(3 * last / 4)], values[0])


def ratios(mine, other, which=0):
    """The `Spread` of mine / other, turn by turn: on the clock, or with `which` of 1 by processor
    time."""
    return spread([a[which] / b[which] for a, b in zip(mine.turns, other.turns, strict=True)])


def table(title, results, base, digits=1, losses=()):
    """The `results` as lines of Markdown: milliseconds a step with quartiles, memory, the losses of
    the steps numbered in `losses` (from 1; -1 is the last), and how many times as long `base`
    takes."""
    numbered = ", ".join("last" if k < 0 else str(k) for k in losses)
    loss = f"loss at step {numbered}" if len(losses) > 1 else "loss"
    header = [title, "ms", "CPU ms", "peak MB", loss, f"{base} / it", "CPU"]
    lines = []
    mine = results.get(base)
    for name, result in results.items():
        if isinstance(result, str):
            lines.append([name, f"not run: {result}", "", "", "", "", ""])
            continue
        reached = ", ".join(
            f"{result.losses[min(k, len(result.losses)) - (k > 0)]:.6g}" for k in losses
        )
        beside = ["", ""]
        if isinstance(mine, Result):
            beside = [ratios(mine, result, which).shown(2) for which in (0, 1)]
        lines.append(
            [name, result.wall.shown(digits, 1e3), result.cpu.shown(digits, 1e3),
             f"{result.memory:.0f}", reached, *beside]
        )  # fmt: skip
    columns = [k for k in range(len(header)) if losses or k != 4]
    return "\n".join(
        "| " + " | ".join(line[k] for k in columns) + " |"
        for line in [header, ["---"] + ["---:"] * (len(header) - 1), *lines]
    )


def machine():
    """The machine in one line: processor, cores this process may use, load, versions, commit."""
    name = platform.processor() or "unknown processor"
    if os.path.exists("/proc/cpuinfo"):
        with open("/proc/cpuinfo") as file:
            names = [line.partition(":")[2].strip() for line in file if line[:10] == "model name"]
        name = names[0] if names else name
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    words = [name, f"{cores} cores", f"load {os.getloadavg()[0]:.1f}"]
    words.append(f"Python {platform.python_version()}")
    packages = {
        "numpy": "NumPy", "scikit-learn": "scikit-learn", "torch": "PyTorch",
        "tensorflow": "TensorFlow", "tensorflow-cpu": "TensorFlow", "jax": "JAX", "pyod": "pyod",
    }  # fmt: skip
    for package, called in packages.items():
        try:
            words.append(f"{called} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    return ", ".join(words + [time.strftime("%d %B %Y")])
