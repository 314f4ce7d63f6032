"""Checks of lesson 24."""

import math

from lessons import Check, Judge
from lessons._device import Device, far

import numpy as np


# ---------------------------------------------------------------------- 24.1 softplus
def on_both_machines():
    x = np.array([-800.0, -3.0, 0.0, 0.5, 40.0, 800.0])
    return [(x,), (far.asarray(x),)]


def where_and_what(f, x):
    """The values, and 1 if they are where x is."""
    y = f(x)
    values = y.get() if isinstance(y, far.ndarray) else np.asarray(y)
    return values, float(isinstance(y, far.ndarray) == isinstance(x, far.ndarray))


def number_by_number(x):
    values = x.get() if isinstance(x, far.ndarray) else x
    return np.array([v + math.log1p(math.exp(-v)) if v > 0 else math.log1p(math.exp(v))
                     for v in values.tolist()]), 1.0  # fmt: skip


def library_softplus(x):
    xp = far if isinstance(x, far.ndarray) else np
    return xp.maximum(x, 0) + xp.log1p(xp.exp(-xp.abs(x)))


def numpy_only(x):
    """You called NumPy's functions on a far array: ask each array for its module."""
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def brings_it_home(x):
    """You copied the array to the host and left the result there: it must stay where it was."""
    x = x.get() if isinstance(x, far.ndarray) else x
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def overflows(x):
    """exp(x) of a large x is infinite: use the form with -|x|."""
    xp = far if isinstance(x, far.ndarray) else np
    return xp.log1p(xp.exp(x))


def forgets_the_maximum(x):
    """You left out max(x, 0): for large x the result is x, not 0."""
    xp = far if isinstance(x, far.ndarray) else np
    return xp.log1p(xp.exp(-xp.abs(x)))


softplus = Check(
    library=library_softplus,
    source="minigrad/ops.py::softplus",
    cases=on_both_machines,
    observe=where_and_what,
    returns="anything",
    judges=[Judge("Python's math, number by number", number_by_number, 1e-12)],
    mistakes=[numpy_only, brings_it_home, overflows, forgets_the_maximum],
)


# ---------------------------------------------------------------------- 24.2 seconds_of
def devices():
    """(seconds of launch, of compilation, of work, of work that others have queued before)."""
    drawn = np.random.default_rng(182).uniform((1e-6, 0.1, 1e-4, 0.01), (9e-6, 0.3, 1e-3, 0.05))
    cases = [(5e-6, 0.2, 1e-3, 0.0), (8e-6, 0.1, 2e-4, 0.03), (3e-6, 0.0, 5e-5, 0.01)]
    return [*cases, tuple(drawn.tolist())]


def on_a_device(f, launch, compilation, work, queued):
    device = Device(launch, compilation)
    if queued:
        device.launch("others", queued)
    return f(lambda: device.launch("mine", work), device)


def launch_and_work(launch, compilation, work, queued):
    return launch + work


def launch_may_overlap(answer, launch, compilation, work, queued):
    """Of many calls between two waits only the first launch is waited for: the others overlap with
    work. Any share of the launch is right."""
    least, most = max(work, launch), launch + work
    return most if least * (1 - 1e-9) <= answer <= most * (1 + 1e-9) else answer


def library_seconds_of(f, device):
    f()
    device.synchronise()
    began = device.clock()
    f()
    device.synchronise()
    return device.clock() - began


def never_waits(f, device):
    """You read the clock when the launch was written, not when the work was done: wait first."""
    f()
    device.synchronise()
    began = device.clock()
    f()
    return device.clock() - began


def no_warming_up(f, device):
    """You timed the first call, which compiles: call once before."""
    device.synchronise()
    began = device.clock()
    f()
    device.synchronise()
    return device.clock() - began


def starts_too_early(f, device):
    """You read the clock while earlier work was still in the queue: wait before you start it."""
    f()
    began = device.clock()
    f()
    device.synchronise()
    return device.clock() - began


def mean_with_the_first(f, device):
    """You averaged over the first call too, which compiles: that happens once."""
    device.synchronise()
    began = device.clock()
    f()
    f()
    device.synchronise()
    return (device.clock() - began) / 2


seconds_of = Check(
    library=library_seconds_of,
    source="benchmarks/interleaved.py::_work",
    returns="number",
    cases=devices,
    observe=on_a_device,
    judges=[
        Judge("the work, and the launch", launch_and_work, 1e-9, launch_may_overlap, floor=0.0)
    ],
    mistakes=[never_waits, no_warming_up, starts_too_early, mean_with_the_first],
)


# ---------------------------------------------------------------------- 24.3 crossover
def machines():
    launch, gpu, more = np.random.default_rng(183).uniform((2e-6, 1e-6, 2e-6), 9e-6).tolist()
    return [
        (37, launch, gpu, gpu + more),
        (60, 5e-6, 1e-5, 5e-4), (10, 5.5e-6, 1e-6, 2e-6), (30, 1.02e-5, 2e-6, 3.2e-5),
        (5, 1e-6, 1e-4, 1e-4), (5, 1e-6, 2e-4, 1e-4), (100, 5.05e-6, 9e-5, 1e-4),
        (4, 1.0, 1.0, 2.0), (8, 0.25, 0.5, 1.0), (1, 0.25, 0.5, 2.0),  # the first two: a draw at 4
    ]  # fmt: skip


def try_each(launches, launch, gpu, cpu):
    sizes = range(1, 10**4)
    faster = (n for n in sizes if launches * launch + n * gpu < n * cpu)
    return next(faster, math.inf)


def library_crossover(launches, launch, gpu, cpu):
    return math.floor(launches * launch / (cpu - gpu)) + 1 if gpu < cpu else math.inf


def a_draw_for_a_win(launches, launch, gpu, cpu):
    """You rounded up, which leaves a whole number as it is: there the two are equally fast, and the
    GPU is faster only from the next one on."""
    return math.ceil(launches * launch / (cpu - gpu)) if gpu < cpu else math.inf


def rounds_down(launches, launch, gpu, cpu):
    """At this batch the CPU is still as fast or faster: take the next whole number."""
    return math.floor(launches * launch / (cpu - gpu)) if gpu < cpu else math.inf


def forgets_the_gpus_work(launches, launch, gpu, cpu):
    """The GPU takes time for each image too: its seconds belong on its side."""
    return math.floor(launches * launch / cpu) + 1 if gpu < cpu else math.inf


def one_launch(launches, launch, gpu, cpu):
    """A step has many launches, each of which takes its time."""
    return math.floor(launch / (cpu - gpu)) + 1 if gpu < cpu else math.inf


def always_some(launches, launch, gpu, cpu):
    """Where the GPU is no faster for an image, no batch is large enough: return math.inf."""
    return math.floor(launches * launch / abs(cpu - gpu or 1)) + 1


crossover = Check(
    library=library_crossover,
    source="benchmarks/training_step.py::main",
    returns="number",
    cases=machines,
    judges=[Judge("trying one batch after the other", try_each)],
    mistakes=[a_draw_for_a_win, rounds_down, forgets_the_gpus_work, one_launch, always_some],
)
