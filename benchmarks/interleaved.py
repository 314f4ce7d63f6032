"""Fair timing: every program in a process of its own, taking turns within one run.

Machines are shared and change speed from minute to minute, so a time alone means nothing. Here all
programs are set up and warm before the first is timed; then they run one after the other, round
after round, the others asleep, and only medians and ratios of such rounds are compared.
"""

import multiprocessing
import os
import resource
import time
from statistics import median


def compare(programs, rounds=10, steps=3):
    """Time the `programs`, name -> function that returns a step function.

    Returns name -> (median seconds per step, least seconds, peak memory of the process in MB). A
    program that raises on being set up gets its error's text instead.
    """
    context = multiprocessing.get_context("spawn")
    workers = {}
    for name, setup in programs.items():
        ours, theirs = context.Pipe()
        process = context.Process(target=_work, args=(setup, theirs, steps), daemon=True)
        process.start()
        workers[name] = process, ours
    problems = {name: pipe.recv() for name, (_, pipe) in workers.items()}
    times = {name: [] for name, problem in problems.items() if problem is None}
    for _ in range(rounds):
        for name in times:
            workers[name][1].send("run")
            times[name] += workers[name][1].recv()
    results = {name: problem for name, problem in problems.items() if problem is not None}
    for name in times:
        process, pipe = workers[name]
        pipe.send("stop")
        results[name] = median(times[name]), min(times[name]), pipe.recv()
        process.join()
    return {name: results[name] for name in programs}


def _work(setup, pipe, steps):
    try:
        step = setup()
        for _ in range(3):
            step()
    except Exception as error:
        pipe.send(f"{type(error).__name__}: {str(error).splitlines()[0][:100]}")
        return
    pipe.send(None)
    while pipe.recv() == "run":
        times = []
        for _ in range(steps):
            began = time.perf_counter()
            step()
            times.append(time.perf_counter() - began)
        pipe.send(times)
    pipe.send(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def machine():
    """The machine in one line: processor, cores this process may use, NumPy, PyTorch if there."""
    import numpy as np

    name = "unknown processor"
    with open("/proc/cpuinfo") as file:
        for line in file:
            if line.startswith("model name"):
                name = line.partition(":")[2].strip()
                break
    words = [name, f"{len(os.sched_getaffinity(0))} cores", f"NumPy {np.__version__}"]
    try:
        import torch

        words.append(f"PyTorch {torch.__version__}")
    except ImportError:
        pass
    return ", ".join(words)
